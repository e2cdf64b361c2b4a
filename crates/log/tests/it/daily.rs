//! What a log that runs for long meets: checkpoints that fail for a while, files taken away from beside it, many
//! segments, a close while somebody still holds it; and the new log that goes on after an old one.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use indelible::storage::simulated::{Errno, FaultPlan, OperationKind, SimulatedDisk};
use indelible::{
    AppendError, AuditLog, CheckpointError, Event, HaltCause, OpenError, Options, PublishedError,
    Verifier, continue_from,
};

use crate::checker::{assert_local_log_is_sound, assert_log_is_sound};
use crate::scene::{disk, event, storage};

const FOLDER: &str = "/logs/audit";

#[test]
fn a_checkpoint_that_failed_is_tried_again_without_another_append() {
    let steps = [("checkpoint.tmp", OperationKind::CreateNew), ("0", OperationKind::Append)];
    for (path, kind) in steps {
        let disk = disk();
        let options = Options::default().with_checkpoint_interval(Duration::from_millis(20));
        let log = AuditLog::create_on(storage(&disk), FOLDER, options).unwrap();
        disk.fail(FaultPlan::nth(0).on_path(path).of_kind(kind).from_then_on().with(Errno::NOSPC));
        let pending = log.submit(event(1)).unwrap();
        pending.wait().unwrap();
        match pending.published(Duration::from_millis(200)) {
            Err(PublishedError::TimedOut(_)) => {}
            other => panic!("{path}: {other:?}"),
        }
        assert!(disk.faults_struck() > 1, "{path}: tried again each interval");
        disk.clear_faults();
        assert_eq!(pending.published(Duration::from_mins(1)).unwrap().seq, 1, "{path}");
        log.close().unwrap();
        assert_log_is_sound(&storage(&disk), FOLDER, &[]);
    }
}

#[test]
fn rows_and_notes_that_are_taken_away_from_a_running_log_halt_it() {
    let taken: [(&str, u64); 2] = [("tree/0", 1), ("checkpoints.jsonl", 0)];
    for (name, kept) in taken {
        let temporary = tempfile::tempdir().unwrap();
        let folder = temporary.path().join("audit");
        let options = || {
            let options =
                Options::default().with_entry_size_max(8 << 10).with_max_file_size(80 << 10);
            options.with_checkpoint_interval(Duration::from_hours(1))
        };
        let log = AuditLog::create(&folder, options()).unwrap();
        std::fs::remove_file(folder.join(name)).unwrap();
        let large =
            || Event::new("a", "b", "c").metadata(serde_json::json!({"x": "y".repeat(7_000)}));
        let halted = (0..40).map(|_| log.append(large())).find_map(Result::err);
        let Some(AppendError::Halted(halt)) = halted else { panic!("{name}: {halted:?}") };
        let cause = halt.cause();
        let named = matches!(cause, HaltCause::Replaced { path } if path.ends_with(name));
        assert!(named, "{name}: {cause}");
        assert!(log.records() > kept);
    }
}

#[test]
fn a_closed_log_makes_no_more_checkpoints() {
    let disk = disk();
    let log = AuditLog::create_on(storage(&disk), FOLDER, Options::default()).unwrap();
    let full = FaultPlan::nth(0).on_path("checkpoint.tmp").of_kind(OperationKind::CreateNew);
    disk.fail(full.from_then_on().with(Errno::NOSPC));
    log.append(event(1)).unwrap();
    assert!(log.close().is_err());
    disk.clear_faults();
    assert!(matches!(log.checkpoint(), Err(CheckpointError::Closed)));
    drop(log);
    let log = AuditLog::open_on(storage(&disk), FOLDER, Options::default()).unwrap();
    log.close().unwrap();
    assert_log_is_sound(&storage(&disk), FOLDER, &[]);
}

fn with_id(number: usize) -> Event {
    event(number).event_id(format!("id-{number}"))
}

#[test]
fn event_ids_are_known_again_across_many_segments_with_one_of_them_open_at_a_time() {
    let disk = disk();
    let options = || Options::default().with_entry_size_max(8 << 10).with_max_file_size(80 << 10);
    let log = AuditLog::create_on(storage(&disk), FOLDER, options()).unwrap();
    for number in 0..120 {
        let large = serde_json::json!({"x": "y".repeat(7_000)});
        log.append(with_id(number).metadata(large)).unwrap();
    }
    log.close().unwrap();
    drop(log);
    let log = AuditLog::open_on(storage(&disk), FOLDER, options()).unwrap();
    for number in [0, 60, 119] {
        let large = serde_json::json!({"x": "y".repeat(7_000)});
        let receipt = log.append(with_id(number).metadata(large)).unwrap();
        assert!(receipt.duplicate, "{number}");
    }
    log.close().unwrap();
    assert_log_is_sound(&storage(&disk), FOLDER, &[]);
}

#[test]
fn event_ids_that_could_not_be_read_are_read_again_later() {
    let disk = disk();
    let log = AuditLog::create_on(storage(&disk), FOLDER, Options::default()).unwrap();
    log.append(with_id(1)).unwrap();
    log.close().unwrap();
    drop(log);
    let base = disk.fork();
    drop(AuditLog::open_on(storage(&base), FOLDER, Options::default()).unwrap());
    let log = open_with_failing_rebuild(&disk);
    let refused = log.append(with_id(1));
    assert!(matches!(refused, Err(AppendError::NotWritten { .. })), "{refused:?}");
    disk.clear_faults();
    let known = std::iter::repeat_with(|| log.append(with_id(1))).find_map(Result::ok).unwrap();
    assert!(known.duplicate);
    log.close().unwrap();
    assert_log_is_sound(&storage(&disk), FOLDER, &[]);
}

/// Opens a log while the thread that reads its tail again can't list the folder.
fn open_with_failing_rebuild(disk: &SimulatedDisk) -> AuditLog {
    disk.fail(
        FaultPlan::nth(0)
            .of_kind(OperationKind::List)
            .matching(|_| std::thread::current().name() == Some("indelible-idempotency"))
            .from_then_on()
            .with(Errno::MFILE),
    );
    AuditLog::open_on(storage(disk), FOLDER, Options::default()).unwrap()
}

#[test]
fn a_reason_that_is_too_long_is_refused_before_anything_is_made() {
    let temporary = tempfile::tempdir().unwrap();
    let old = temporary.path().join("old");
    drop(AuditLog::create(&old, Options::default()).unwrap());
    match continue_from(&old, &"x".repeat(1_025)) {
        Err(OpenError::ReasonTooLong { limit: 1_024, size: 1_025 }) => {}
        other => panic!("{other:?}"),
    }
    let mut continues = continue_from(&old, "it was refused").unwrap();
    continues.reason = "x".repeat(70_000);
    let new = temporary.path().join("new");
    match AuditLog::create(&new, Options::default().with_continues(continues)) {
        Err(OpenError::GenesisTooLarge { limit: 65_536, size }) => assert!(size > 70_000),
        other => panic!("{other:?}"),
    }
    let left: Vec<_> =
        std::fs::read_dir(temporary.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left.len(), 2, "the old log and its key: {left:?}");
}

#[test]
fn a_log_is_continued_without_a_trace_in_its_folder() {
    let temporary = tempfile::tempdir().unwrap();
    let old = temporary.path().join("old");
    drop(AuditLog::create(&old, Options::default()).unwrap());
    let holder = std::fs::read(old.join("lock")).unwrap();
    let continues = continue_from(&old, "its disk died").unwrap();
    assert_eq!(std::fs::read(old.join("lock")).unwrap(), holder);
    std::fs::remove_file(old.join("lock")).unwrap();
    assert_eq!(continue_from(&old, "its disk died").unwrap(), continues);
    assert!(!old.join("lock").exists());

    let log = AuditLog::open(&old, Options::default()).unwrap();
    assert!(matches!(continue_from(&old, "too early"), Err(OpenError::Locked { .. })));
    drop(log);
    let new = temporary.path().join("new");
    let log = AuditLog::create(&new, Options::default().with_continues(continues)).unwrap();
    log.close().unwrap();
    assert_local_log_is_sound(&new);
    assert!(
        Verifier::on(
            Arc::new(indelible::storage::local::LocalStorage::new().unwrap()),
            Path::new(&new)
        )
        .verify()
        .is_ok()
    );
}
