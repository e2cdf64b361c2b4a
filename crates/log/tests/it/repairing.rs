//! Explicit repair on the simulated disk: what it mends, what it refuses to touch, and that a crash or a failure at any
//! step of it leaves the log as it was or repaired, never worse.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use indelible::storage::simulated::{Errno, FaultPlan, Operation, SimulatedDisk};
use indelible::storage::{Access, Privacy, Storage};
use indelible::{
    AuditLog, Event, Idempotency, OpenError, Options, Problem, Repair, RepairError, RepairStep,
    Verdict,
};

use crate::checker::{assert_log_is_sound, verify};

const FOLDER: &str = "/logs/audit";
const STATES: usize = 3;
/// Records of most logs here: enough for a hash in tree/1.
const RECORDS: usize = 290;

fn options() -> Options {
    let never = Idempotency { period: Duration::ZERO, records: 0, memory_size_max: 1 << 20 };
    Options::default()
        .with_entry_size_max(64 << 10)
        .with_max_file_size(192 << 10)
        .with_checkpoint_interval(Duration::from_hours(1))
        .with_idempotency(never)
}

fn storage(disk: &SimulatedDisk) -> Arc<dyn Storage> {
    Arc::new(disk.clone())
}

fn path(name: &str) -> PathBuf {
    Path::new(FOLDER).join(name)
}

/// A log of so many records and two files, closed.
fn log(records: usize) -> SimulatedDisk {
    log_with(records, options())
}

fn log_with(records: usize, options: Options) -> SimulatedDisk {
    let disk = SimulatedDisk::new();
    disk.plant_folder(Path::new("/logs")).unwrap();
    let log = AuditLog::create_on(storage(&disk), FOLDER, options).unwrap();
    for number in 0..records {
        let size = if number % 25 == 0 { 20_000 } else { 10 };
        let event = Event::new("a", "b", format!("r{number}"))
            .metadata(serde_json::json!({"x": "y".repeat(size)}));
        drop(log.submit(event).unwrap());
    }
    log.close().unwrap();
    drop(log);
    assert_log_is_sound(&storage(&disk), FOLDER, &[]);
    // What was done to make it is no crash point of its repair.
    disk.fork()
}

fn look(disk: &SimulatedDisk) -> Repair {
    Repair::look_on(storage(disk), FOLDER, options()).unwrap()
}

/// A name, and what is done to a disk.
type Damage = (&'static str, fn(&SimulatedDisk));

/// Damages that rows alone have, by name; each is repairable in a log that keeps all records.
fn row_damages() -> Vec<Damage> {
    vec![
        ("a flipped byte in tree/0", |disk| {
            disk.flip_byte(path("tree/0"), 32 * 270 + 5, 1).unwrap();
        }),
        ("a flipped byte in tree/1", |disk| {
            disk.flip_byte(path("tree/1"), 20, 0x80).unwrap();
        }),
        ("tree/0 cut", |disk| {
            let row = disk.read_file(path("tree/0")).unwrap();
            disk.write_file(path("tree/0"), &row[..32 * 280 + 7]).unwrap();
        }),
        ("tree/1 gone", |disk| {
            storage(disk).unlink(&path("tree/1")).unwrap();
        }),
        ("the whole tree gone", |disk| {
            for row in ["tree/0", "tree/1"] {
                storage(disk).unlink(&path(row)).unwrap();
            }
            storage(disk).remove_folder(&path("tree")).unwrap();
        }),
    ]
}

fn tear(disk: &SimulatedDisk) {
    let mut tail = disk.read_file(path("audit.log")).unwrap();
    tail.extend_from_slice(b"{\"seq\":99,\"timest");
    disk.write_file(path("audit.log"), tail).unwrap();
}

#[test]
fn looking_changes_nothing_and_a_log_in_order_needs_nothing() {
    let disk = log(RECORDS);
    let names = ["audit.log", "audit.log.1", "checkpoint", "checkpoints.jsonl", "tree/0", "tree/1"];
    let files = |disk: &SimulatedDisk| names.map(|name| disk.read_file(path(name)).unwrap());
    let before = files(&disk);
    let repair = look(&disk);
    assert_eq!((repair.plan().steps.as_slice(), repair.plan().left.as_slice()), (&[][..], &[][..]));
    assert_eq!(repair.run().unwrap(), indelible::Repaired::default());
    disk.flip_byte(path("tree/0"), 5, 1).unwrap();
    let damaged = disk.read_file(path("tree/0")).unwrap();
    assert_eq!(look(&disk).plan().steps.len(), 1);
    assert_eq!(disk.read_file(path("tree/0")).unwrap(), damaged);
    disk.flip_byte(path("tree/0"), 5, 1).unwrap();
    assert_eq!(files(&disk), before);
}

#[test]
fn rows_are_rebuilt_from_the_records_and_twice_is_once() {
    let whole = log(RECORDS);
    for (what, damage) in row_damages() {
        let disk = whole.fork();
        damage(&disk);
        assert_eq!(verify(&storage(&disk), Path::new(FOLDER), &[]).verdict(), Verdict::Broken);
        let repair = look(&disk);
        assert!(repair.plan().left.is_empty(), "{what}: {:?}", repair.plan());
        let rows = repair.plan().steps.len();
        assert!(
            repair.plan().steps.iter().all(|step| matches!(step, RepairStep::RebuildRow { .. })),
            "{what}: {:?}",
            repair.plan()
        );
        let repaired = repair.run().unwrap();
        assert_eq!((repaired.rows.len(), repaired.recovery), (rows, None), "{what}");
        for row in ["tree/0", "tree/1"] {
            let [rebuilt, right] = [&disk, &whole].map(|d| d.read_file(path(row)).unwrap());
            assert_eq!(rebuilt, right, "{what}: {row}");
        }
        assert_log_is_sound(&storage(&disk), FOLDER, &[]);
        assert!(look(&disk).plan().steps.is_empty(), "{what}");
    }
}

#[test]
fn a_torn_tail_is_planned_as_opening_mends_it_also_with_rows_that_are_wrong() {
    for (what, damage) in row_damages() {
        let disk = log(RECORDS);
        damage(&disk);
        tear(&disk);
        let repair = look(&disk);
        let steps = repair.plan().steps.clone();
        assert!(matches!(steps.last(), Some(RepairStep::CutTail { length: 17, .. })), "{steps:?}");
        let repaired = repair.run().unwrap();
        let recovery = repaired.recovery.unwrap();
        assert_eq!(recovery.mended.len(), 1, "{what}");
        assert_eq!(recovery.mended[0].length, 17);
        assert_log_is_sound(&storage(&disk), FOLDER, &[]);
        assert!(look(&disk).plan().steps.is_empty(), "{what}");
    }
}

#[test]
fn the_plan_names_everything_that_opening_would_do() {
    let disk = log(RECORDS);
    let log = AuditLog::open_on(storage(&disk), FOLDER, options()).unwrap();
    let size = log.append(Event::new("a", "b", "unsigned")).unwrap().seq;
    let disk = disk.fork();
    tear(&disk);
    for left in ["checkpoint.tmp", "tree/0.tmp"] {
        disk.write_file(path(left), b"half").unwrap();
    }
    let mut history = disk.read_file(path("checkpoints.jsonl")).unwrap();
    history.extend_from_slice(b"{\"note\":\"exam");
    disk.write_file(path("checkpoints.jsonl"), history).unwrap();
    let repair = look(&disk);
    let told: Vec<String> = repair.plan().steps.iter().map(ToString::to_string).collect();
    let told = told.join("\n");
    for step in [
        "remove checkpoint.tmp, which was being written when a crash came",
        "remove tree/0.tmp, which",
        "cut the torn last line of checkpoints.jsonl: 13 bytes at byte ",
        "cut the torn tail of audit.log (partial): 17 bytes at byte ",
        &format!("adopt records {size} to {}, which lie beyond every signature", size + 1),
    ] {
        assert!(told.contains(step), "{step}:\n{told}");
    }
    let adopted = repair.run().unwrap().recovery.unwrap().adopted.unwrap();
    assert_eq!((adopted.from_seq, adopted.to_seq), (size, size + 1));
    assert!(disk.read_file(path("tree/0.tmp")).is_err());
    assert_log_is_sound(&storage(&disk), FOLDER, &[]);
    assert!(look(&disk).plan().steps.is_empty());
}

#[test]
fn rows_over_pruned_records_are_rebuilt_but_their_leaves_can_not_be() {
    let whole = log_with(1_000, options().with_max_files(1));
    let first = verify(&storage(&whole), Path::new(FOLDER), &[]).first_seq.unwrap();
    assert!(first > 256, "the first tile is over pruned records only, not {first}");
    let disk = whole.fork();
    disk.flip_byte(path("tree/1"), 0, 1).unwrap();
    disk.flip_byte(path("tree/0"), 32 * usize::try_from(first).unwrap(), 1).unwrap();
    let repair = look(&disk);
    assert_eq!(
        (repair.plan().steps.len(), repair.plan().left.len()),
        (2, 0),
        "{:?}",
        repair.plan()
    );
    repair.run().unwrap();
    assert_log_is_sound(&storage(&disk), FOLDER, &[]);

    for leaf in [3, usize::try_from(first).unwrap() - 1] {
        let disk = whole.fork();
        disk.flip_byte(path("tree/0"), 32 * leaf + 9, 1).unwrap();
        let row = disk.read_file(path("tree/0")).unwrap();
        let repair = look(&disk);
        assert!(repair.plan().steps.is_empty(), "{:?}", repair.plan());
        let told = &repair.plan().left;
        let is_why = |p| matches!(p, Problem::LeavesLost | Problem::RootMismatch);
        assert!(told.iter().any(|finding| is_why(finding.problem)), "{told:?}");
        repair.run().unwrap();
        assert_eq!(disk.read_file(path("tree/0")).unwrap(), row);
    }
    let disk = whole.fork();
    storage(&disk).unlink(&path("tree/0")).unwrap();
    let told = look(&disk).plan().left.clone();
    assert!(told.iter().any(|finding| finding.problem == Problem::LeavesLost), "{told:?}");
}

#[test]
fn damaged_records_are_never_touched() {
    let disk = log(RECORDS);
    disk.flip_byte(path("audit.log.1"), 5_000, 1).unwrap();
    disk.flip_byte(path("tree/0"), 32 * 10, 1).unwrap();
    let (segment, row) =
        (disk.read_file(path("audit.log.1")).unwrap(), disk.read_file(path("tree/0")).unwrap());
    let repair = look(&disk);
    assert!(repair.plan().steps.is_empty(), "{:?}", repair.plan());
    assert_eq!(repair.plan().left[0].problem, Problem::HashMismatch);
    assert_eq!(repair.plan().left[0].file.as_deref(), Some("audit.log.1"));
    assert_eq!(repair.run().unwrap(), indelible::Repaired::default());
    assert_eq!(disk.read_file(path("audit.log.1")).unwrap(), segment);
    assert_eq!(disk.read_file(path("tree/0")).unwrap(), row);
}

#[test]
fn a_log_in_use_and_a_log_without_its_key_are_left_alone() {
    let disk = log(RECORDS);
    let open = AuditLog::open_on(storage(&disk), FOLDER, options()).unwrap();
    let refused = Repair::look_on(storage(&disk), FOLDER, options());
    assert!(matches!(refused, Err(RepairError::Open(OpenError::Locked { .. }))), "{refused:?}");
    open.close().unwrap();
    drop(open);
    disk.flip_byte(path("tree/0"), 5, 1).unwrap();
    let row = disk.read_file(path("tree/0")).unwrap();
    storage(&disk).unlink(Path::new("/logs/audit.key")).unwrap();
    let torn = disk.fork();
    tear(&torn);
    let refused = look(&torn).run();
    assert!(matches!(refused, Err(RepairError::Open(OpenError::KeyMissing { .. }))), "{refused:?}");
    assert_eq!(torn.read_file(path("tree/0")).unwrap(), row);
    // Rows need no key.
    assert_eq!(look(&disk).run().unwrap().rows, [0]);
    assert_log_is_sound(&storage(&disk), FOLDER, &[]);
}

/// Faults that no repair mends, by name; what opening itself reads comes last.
fn faults() -> Vec<Damage> {
    vec![
        ("a flipped bit below the mark", |disk| {
            disk.flip_byte(path("audit.log"), 30, 4).unwrap();
        }),
        ("sectors of NULs", |disk| {
            let mut segment = disk.read_file(path("audit.log.1")).unwrap();
            segment[4_096..8_192].fill(0);
            disk.write_file(path("audit.log.1"), segment).unwrap();
        }),
        ("a file gone", |disk| storage(disk).unlink(&path("audit.log.1")).unwrap()),
        ("another event", |disk| {
            let segment = disk.read_file(path("audit.log.1")).unwrap();
            let segment = String::from_utf8(segment).unwrap().replacen("r7\"", "r8\"", 1);
            disk.write_file(path("audit.log.1"), segment).unwrap();
        }),
        ("cut within a record", |disk| {
            let segment = disk.read_file(path("audit.log")).unwrap();
            disk.write_file(path("audit.log"), &segment[..segment.len() - 40]).unwrap();
        }),
        ("the last event another", |disk| {
            let mut segment = disk.read_file(path("audit.log")).unwrap();
            let at = segment.windows(3).rposition(|bytes| bytes == b"\"b\"").unwrap();
            segment[at + 1] = b'c';
            disk.write_file(path("audit.log"), segment).unwrap();
        }),
        ("the last record of NULs", |disk| {
            let mut segment = disk.read_file(path("audit.log")).unwrap();
            let from = segment.len() - 100;
            segment[from..].fill(0);
            disk.write_file(path("audit.log"), segment).unwrap();
        }),
    ]
}

#[test]
fn what_can_not_be_repaired_is_told_as_a_verification_tells_it_and_nothing_is_done() {
    let whole = log(RECORDS);
    for (what, damage) in faults() {
        let disk = whole.fork();
        damage(&disk);
        let report = verify(&storage(&disk), Path::new(FOLDER), &[]);
        let found: Vec<_> =
            report.findings.into_iter().filter(|finding| finding.class.is_fault()).collect();
        assert!(!found.is_empty(), "{what}");
        // What else could be done is left undone, too.
        disk.write_file(path("checkpoint.tmp"), b"half").unwrap();
        let repair = look(&disk);
        assert_eq!(repair.plan().left, found, "{what}");
        assert_eq!(
            (repair.plan().steps.as_slice(), repair.plan().adopts),
            (&[][..], None),
            "{what}"
        );
        assert_eq!(repair.run().unwrap(), indelible::Repaired::default(), "{what}");
        assert!(disk.read_file(path("checkpoint.tmp")).is_ok(), "{what}");
    }
}

#[test]
fn opening_gives_a_fault_the_class_and_the_problem_that_a_verification_gives_it() {
    let whole = log(RECORDS);
    for (what, damage) in faults().split_off(4) {
        let disk = whole.fork();
        damage(&disk);
        let found = verify(&storage(&disk), Path::new(FOLDER), &[]).findings;
        let refused = AuditLog::open_on(storage(&disk), FOLDER, options()).unwrap_err();
        let OpenError::Refused(refusal) = refused else { panic!("{what}: {refused}") };
        let own = |f: &indelible::Finding| (f.class, f.problem, f.file.clone(), f.offset, f.seq);
        assert_eq!(own(&refusal.findings[0]), own(&found[0]), "{what}");
    }
}

#[test]
fn records_beyond_every_signature_alone_need_no_repair() {
    let disk = log(RECORDS);
    let log = AuditLog::open_on(storage(&disk), FOLDER, options()).unwrap();
    let seq = log.append(Event::new("a", "b", "unsigned")).unwrap().seq;
    let disk = disk.fork();
    let before = disk.read_file(path("audit.log")).unwrap();
    let repair = look(&disk);
    let adopts = repair.plan().adopts.unwrap();
    assert_eq!((adopts.from_seq, adopts.to_seq), (seq, seq));
    assert_eq!((repair.plan().steps.as_slice(), repair.plan().left.as_slice()), (&[][..], &[][..]));
    assert_eq!(repair.run().unwrap(), indelible::Repaired::default());
    assert_eq!(disk.read_file(path("audit.log")).unwrap(), before);
    // Rows beside them are rebuilt, and nothing is adopted for that.
    disk.flip_byte(path("tree/0"), 5, 1).unwrap();
    assert_eq!(look(&disk).run().unwrap().recovery, None);
    assert!(look(&disk).plan().adopts.is_some());
    drop(log);
}

#[test]
fn a_folder_without_a_log_in_it_is_no_log_to_repair() {
    let disk = log(1);
    disk.plant_folder(Path::new("/logs/empty")).unwrap();
    let refused = Repair::look_on(storage(&disk), "/logs/empty", options());
    assert!(matches!(refused, Err(RepairError::Open(OpenError::NotALog { .. }))), "{refused:?}");
    assert!(storage(&disk).list(Path::new("/logs/empty")).unwrap().is_empty());
}

/// The rows that `disk` has, as far as they are right: what a crash must not make fewer.
fn right(disk: &SimulatedDisk, whole: &SimulatedDisk) -> [usize; 2] {
    ["tree/0", "tree/1"].map(|row| {
        let (found, right) = (disk.read_file(path(row)), whole.read_file(path(row)).unwrap());
        let found = found.unwrap_or_default();
        found.iter().zip(&right).filter(|(found, right)| found == right).count()
    })
}

/// What a repair that did not come to its end left: no worse than before, and repairable.
fn check_left(left: &SimulatedDisk, whole: &SimulatedDisk, before: [usize; 2], what: &str) {
    let after = right(left, whole);
    assert!(after[0] >= before[0] && after[1] >= before[1], "{what}: {before:?} became {after:?}");
    let repair = Repair::look_on(storage(left), FOLDER, options())
        .unwrap_or_else(|e| panic!("{what}: not looked at: {e}"));
    assert!(repair.plan().left.is_empty(), "{what}: {:?}", repair.plan());
    repair.run().unwrap_or_else(|e| panic!("{what}: not repaired: {e}"));
    assert_log_is_sound(&storage(left), FOLDER, &[]);
    let again = Repair::look_on(storage(left), FOLDER, options()).unwrap();
    assert!(again.plan().steps.is_empty(), "{what}: {:?}", again.plan());
    let adopts = again.plan().adopts.map(|unsigned| (unsigned.from_seq, unsigned.to_seq));
    drop(again);
    let log = AuditLog::open_on(storage(left), FOLDER, options()).unwrap();
    let recovery = log.recovery();
    let adopted = recovery.adopted.as_ref().map(|adopted| (adopted.from_seq, adopted.to_seq));
    assert_eq!((recovery.mended.as_slice(), adopted), (&[][..], adopts), "{what}: {recovery:?}");
    assert!(!recovery.finished_rotation && !recovery.removed_left_over, "{what}: {recovery:?}");
}

fn repair(disk: &SimulatedDisk) {
    if let Ok(repair) = Repair::look_on(storage(disk), FOLDER, options()) {
        drop(repair.run());
    }
}

#[test]
fn a_crash_at_any_step_of_a_repair_leaves_the_log_no_worse() {
    let whole = log(RECORDS);
    let mut states = 0;
    for (what, damage) in row_damages().into_iter().step_by(4) {
        let damaged = whole.fork();
        damage(&damaged);
        tear(&damaged);
        let damaged = damaged.fork();
        let before = right(&damaged, &whole);
        let run = damaged.fork();
        repair(&run);
        for operation in run.operations().iter().filter(|o| o.kind.changes_disk()) {
            let disk = damaged.fork();
            disk.crash_at(operation.index);
            repair(&disk);
            for state in disk.crash_states(STATES) {
                let left = disk.after_crash(&state);
                let what = format!("{what}, crash at {operation:?}, {state:?}");
                check_left(&left, &whole, before, &what);
                states += 1;
            }
        }
    }
    assert!(states > 40, "{states}");
}

#[test]
fn each_operation_of_a_repair_that_fails_once_leaves_the_log_no_worse() {
    let whole = log(RECORDS);
    for (what, damage) in row_damages().into_iter().skip(4) {
        let damaged = whole.fork();
        damage(&damaged);
        tear(&damaged);
        let damaged = damaged.fork();
        let before = right(&damaged, &whole);
        let run = damaged.fork();
        repair(&run);
        // Of the reads, which all fail in the same way, every fifth will do.
        let strikes = |o: &&Operation| o.kind.changes_disk() || o.index.is_multiple_of(5);
        for index in run.operations().iter().filter(strikes).map(|o| o.index) {
            let disk = damaged.fork();
            disk.fail(FaultPlan::at(index).with(Errno::NOSPC));
            repair(&disk);
            disk.clear_faults();
            check_left(&disk.fork(), &whole, before, &format!("{what}, operation {index} failed"));
        }
    }
}

#[test]
fn a_row_that_a_killed_repair_renamed_stays_once_the_log_was_opened() {
    let disk = log(20);
    let storage = storage(&disk);
    let (row, tmp) = (Path::new("/logs/audit/tree/0"), Path::new("/logs/audit/tree/0.tmp"));
    let whole = disk.read_file(row).unwrap();
    let short = storage.open(row, Access::Append).unwrap();
    short.truncate(32).unwrap();
    short.sync_data().unwrap();
    let rebuilt = storage.create_new(tmp, Privacy::Group).unwrap();
    rebuilt.append(&whole).unwrap();
    rebuilt.sync_data().unwrap();
    storage.replace(tmp, row).unwrap();

    // Killed here, before the folder was synced; then used, and the power goes.
    let log = AuditLog::open_on(Arc::clone(&storage), FOLDER, options()).unwrap();
    log.append(Event::new("user:mia", "look", "file:/x")).unwrap();
    log.close().unwrap();
    for state in disk.crash_states(100) {
        let after: Arc<dyn Storage> = Arc::new(disk.after_crash(&state));
        let log = AuditLog::open_on(Arc::clone(&after), FOLDER, options()).unwrap();
        log.close().unwrap();
        assert_log_is_sound(&after, FOLDER, &[log.identity().verifier_key().clone()]);
    }
}
