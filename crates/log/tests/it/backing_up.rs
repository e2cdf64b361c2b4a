//! Backups verify, whatever the log does meanwhile; and a backup that was not made leaves nothing under its name.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use indelible::storage::Storage;
use indelible::storage::local::LocalStorage;
use indelible::storage::simulated::{Errno, FaultPlan, SimulatedDisk};
use indelible::{AuditLog, BackupError, Event, Options, Verdict, backup, backup_on};

use crate::checker::{assert_local_log_is_sound, assert_log_is_sound, verify};

const FOLDER: &str = "/logs/audit";
const COPY: &str = "/logs/copy";

fn options() -> Options {
    Options::default()
        .with_entry_size_max(64 << 10)
        .with_max_file_size(192 << 10)
        .with_checkpoint_interval(Duration::from_hours(1))
}

fn event(size: usize) -> Event {
    Event::new("a", "b", "c").metadata(serde_json::json!({"x": "y".repeat(size)}))
}

fn storage(disk: &SimulatedDisk) -> Arc<dyn Storage> {
    Arc::new(disk.clone())
}

fn path(name: &str) -> PathBuf {
    Path::new(FOLDER).join(name)
}

/// A closed log of some segments.
fn log() -> SimulatedDisk {
    let disk = SimulatedDisk::new();
    disk.plant_folder(Path::new("/logs")).unwrap();
    let log = AuditLog::create_on(storage(&disk), FOLDER, options()).unwrap();
    for _ in 0..12 {
        log.append(event(40_000)).unwrap();
    }
    log.close().unwrap();
    drop(log);
    disk.fork()
}

fn files(disk: &SimulatedDisk, folder: &str) -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    for inner in ["", "tree", "quarantine"] {
        let folder = Path::new(folder).join(inner);
        for name in storage(disk).list(&folder).unwrap() {
            if let Ok(bytes) = disk.read_file(folder.join(&name)) {
                files.push((format!("{inner}/{name}"), bytes));
            }
        }
    }
    files.retain(|(name, _)| name != "/lock");
    files.sort();
    files
}

#[test]
fn a_closed_log_is_copied_byte_for_byte_without_lock_and_key() {
    let disk = log();
    let copied = backup_on(&storage(&disk), FOLDER, COPY).unwrap();
    assert_eq!((copied.first_seq, copied.last_seq, copied.left_out), (Some(0), Some(12), 0));
    assert_eq!(copied.checkpoint_size, Some(13));
    assert_eq!(copied.folder, Path::new(COPY));
    assert!(copied.segments > 2, "{copied:?}");
    let found = files(&disk, COPY);
    assert_eq!(found, files(&disk, FOLDER));
    let bytes: usize = found.iter().map(|(_, bytes)| bytes.len()).sum();
    assert_eq!(copied.bytes, u64::try_from(bytes).unwrap());
    assert!(!storage(&disk).list(Path::new(COPY)).unwrap().contains(&"lock".to_owned()));
    assert!(disk.read_file("/logs/copy.key").is_err());
    assert_log_is_sound(&storage(&disk), COPY, &[]);
}

#[test]
fn whole_lines_beyond_the_checkpoint_are_kept_and_bytes_in_flight_are_not() {
    let disk = log();
    let open = AuditLog::open_on(storage(&disk), FOLDER, options()).unwrap();
    let last = open.append(event(10)).unwrap().seq;
    let disk = disk.fork();
    let mut active = disk.read_file(path("audit.log")).unwrap();
    let whole = active.clone();
    // More than one record may have, and no line feed.
    active.extend_from_slice(&vec![b'x'; 3 << 20]);
    disk.write_file(path("audit.log"), active).unwrap();
    disk.write_file(path("checkpoint.tmp"), b"half").unwrap();
    let mut history = disk.read_file(path("checkpoints.jsonl")).unwrap();
    let notes = history.clone();
    history.extend_from_slice(b"{\"note\":");
    disk.write_file(path("checkpoints.jsonl"), history).unwrap();
    let mut row = disk.read_file(path("tree/0")).unwrap();
    let rows = row.clone();
    row.extend_from_slice(&[7; 40]);
    disk.write_file(path("tree/0"), row).unwrap();

    let copied = backup_on(&storage(&disk), FOLDER, COPY).unwrap();
    assert_eq!((copied.last_seq, copied.left_out), (Some(last), 3 << 20));
    let copy = |name: &str| disk.read_file(Path::new(COPY).join(name));
    assert_eq!(copy("audit.log").unwrap(), whole);
    assert_eq!(copy("checkpoints.jsonl").unwrap(), notes);
    assert_eq!(copy("tree/0").unwrap(), rows);
    assert!(copy("checkpoint.tmp").is_err());
    assert_log_is_sound(&storage(&disk), COPY, &[]);
}

#[test]
fn damage_is_copied_as_it_is() {
    let disk = log();
    disk.flip_byte(path("audit.log.1"), 100, 1).unwrap();
    let history = disk.read_file(path("checkpoints.jsonl")).unwrap();
    let first = history.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    // Boundaries without a note are the log's own fault, and evidence.
    disk.write_file(path("checkpoints.jsonl"), &history[..first]).unwrap();
    storage(&disk).unlink(&path("checkpoint")).unwrap();
    backup_on(&storage(&disk), FOLDER, COPY).unwrap();
    let segments = |folder: &str| {
        let mut files = files(&disk, folder);
        files.retain(|(name, _)| name.starts_with("/audit.log"));
        files
    };
    assert_eq!(segments(COPY), segments(FOLDER));
    assert_eq!(verify(&storage(&disk), Path::new(COPY), &[]).verdict(), Verdict::Broken);
}

#[test]
fn nothing_is_written_over_and_an_empty_folder_makes_way() {
    let disk = log();
    let copy = |to: &str| backup_on(&storage(&disk), FOLDER, to);
    storage(&disk).create_folder(Path::new(COPY)).unwrap();
    copy(COPY).unwrap();
    assert!(matches!(copy(COPY), Err(BackupError::AlreadyExists { .. })));
    assert!(matches!(copy("/logs/audit.key"), Err(BackupError::AlreadyExists { .. })));
    assert!(matches!(copy("/logs/audit/copy"), Err(BackupError::Inside { .. })));
    assert!(matches!(copy("/logs/audit"), Err(BackupError::Inside { .. })));
    storage(&disk).create_folder(Path::new("/logs/again.partial")).unwrap();
    assert!(matches!(copy("/logs/again"), Err(BackupError::LeftOver { .. })));
    let nowhere = backup_on(&storage(&disk), "/logs/nowhere", "/logs/more");
    assert!(matches!(nowhere, Err(BackupError::NotFound { .. })));
}

#[test]
fn a_failure_or_a_crash_at_any_step_leaves_no_half_copy_under_the_name() {
    let whole = log();
    let run = whole.fork();
    backup_on(&storage(&run), FOLDER, COPY).unwrap();
    for operation in run.operations() {
        let disk = whole.fork();
        disk.fail(FaultPlan::at(operation.index).with(Errno::NOSPC));
        let failed = backup_on(&storage(&disk), FOLDER, COPY).is_err();
        disk.clear_faults();
        // What failed after the rename left a whole copy, whose name may not be durable.
        if failed && storage(&disk).stat(Path::new(COPY)).is_err() {
            let left = storage(&disk).stat(Path::new("/logs/copy.partial"));
            assert!(left.is_err(), "{operation:?} left a part");
            backup_on(&storage(&disk), FOLDER, COPY).unwrap();
        }
        assert_log_is_sound(&storage(&disk), COPY, &[]);

        if !operation.kind.changes_disk() {
            continue;
        }
        let disk = whole.fork();
        disk.crash_at(operation.index);
        drop(backup_on(&storage(&disk), FOLDER, COPY));
        for state in disk.crash_states(4) {
            let left = disk.after_crash(&state);
            if storage(&left).stat(Path::new(COPY)).is_ok() {
                assert_log_is_sound(&storage(&left), COPY, &[]);
            }
            assert_log_is_sound(&storage(&left), FOLDER, &[]);
        }
    }
}

/// Ends the writer also where an assertion fails.
struct StopsOnDrop<'a>(&'a AtomicBool);

impl Drop for StopsOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn backups_of_a_log_that_rotates_and_prunes_under_them_are_sound_every_time() {
    for max_files in [None, Some(1), Some(3)] {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("audit");
        let mut options = options().with_checkpoint_interval(Duration::from_millis(5));
        if let Some(count) = max_files {
            options = options.with_max_files(count);
        }
        let log = AuditLog::create(&folder, options).unwrap();
        // How many events may be appended: 40 more with each backup, five rotations while it is made.
        let (stop, allowed) = (AtomicBool::new(false), AtomicU64::new(0));
        let keys = [log.identity().verifier_key().clone()];
        let local: Arc<dyn Storage> = Arc::new(LocalStorage::new().unwrap());
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let mut count = 0;
                while !stop.load(Ordering::Relaxed) {
                    if count >= allowed.load(Ordering::Relaxed) {
                        std::thread::yield_now();
                        continue;
                    }
                    let pending: Vec<_> =
                        (0..4).map(|_| log.submit(event(30_000)).unwrap()).collect();
                    count += 4;
                    for pending in pending {
                        pending.wait().unwrap();
                    }
                }
            });
            let _stops = StopsOnDrop(&stop);
            let (mut last, mut number) = (None, 0);
            while number < 12 || log.records() < 200 {
                allowed.store((number + 1) * 40, Ordering::Relaxed);
                number += 1;
                let to = place.path().join(format!("copy-{number}"));
                let copied = backup(&folder, &to).unwrap();
                assert!(copied.last_seq >= last, "{copied:?}");
                last = copied.last_seq;
                let report = assert_log_is_sound(&local, &to, &keys);
                assert_eq!(report.next_seq.map(|next| next - 1), copied.last_seq);
                std::fs::remove_dir_all(&to).unwrap();
            }
        });
        log.close().unwrap();
        drop(log);
        assert_local_log_is_sound(&folder);
    }
}

#[test]
fn a_backup_put_back_with_its_key_opens_and_goes_on() {
    let place = tempfile::tempdir().unwrap();
    let (folder, copy) = (place.path().join("audit"), place.path().join("copy"));
    let log = AuditLog::create(&folder, options()).unwrap();
    for _ in 0..12 {
        log.append(event(40_000)).unwrap();
    }
    backup(&folder, &copy).unwrap();
    log.close().unwrap();
    drop(log);
    std::fs::remove_dir_all(&folder).unwrap();
    std::fs::copy(place.path().join("audit.key"), place.path().join("copy.key")).unwrap();
    let log = AuditLog::open(&copy, options()).unwrap();
    assert!(log.append(event(10)).unwrap().seq > 12);
    log.close().unwrap();
    drop(log);
    assert_local_log_is_sound(&copy);
}
