//! Repairs that a crash cut short, and what an interrupted creation leaves: finished once, told once, and never taken
//! for a new log.

use std::path::Path;

use indelible::format::own::{Adopt, OwnRecord, TailKind};
use indelible::storage::simulated::{Errno, FaultPlan, Operation, OperationKind, SimulatedDisk};
use indelible::{AuditLog, Event, OpenError, Problem, Verdict};

use crate::checker::{assert_log_is_sound, verify};
use crate::composed::Composed;
use crate::scene::*;

/// The durable mark of [`closed`].
const MARK: u64 = 4;

/// What the disk holds when opening `base` is cut short right before the first operation that `at` names, with all
/// that was done by then.
fn opening_cut_short(base: &SimulatedDisk, at: impl Fn(&Operation) -> bool) -> SimulatedDisk {
    let rehearsal = base.fork();
    drop(open(&rehearsal));
    let operation = rehearsal.operations().into_iter().find(at).expect("opening does that");
    let disk = base.fork();
    disk.crash_at(operation.index);
    drop(AuditLog::open_on(storage(&disk), FOLDER, options()));
    disk.after_crash(&disk.everything())
}

fn is(kind: OperationKind, name: &'static str) -> impl Fn(&Operation) -> bool {
    move |operation| operation.kind == kind && operation.path.ends_with(name)
}

/// The records of the log's own behind `kept`, after opening.
fn told_by_opening(disk: &SimulatedDisk, kept: &[u8]) -> Vec<OwnRecord> {
    open(disk).close().unwrap();
    own_records(active(disk).strip_prefix(kept).expect("what held is kept"))
}

// Adoption.

#[test]
fn an_adoption_without_a_checkpoint_is_not_repeated() {
    let base = closed();
    let kept = [active(&base), Head::of(&active(&base)).record()].concat();
    write_active(&base, kept.clone());
    let left = opening_cut_short(&base, is(OperationKind::CreateNew, "checkpoint.tmp"));
    let adopted = active(&left);
    let adopt = OwnRecord::Adopt(Adopt { from_seq: MARK, to_seq: MARK });
    assert_eq!(own_records(&adopted[kept.len()..]), [adopt]);

    let log = open(&left);
    assert!(log.recovery().is_clean(), "{:?}", log.recovery());
    assert_eq!(active(&left), adopted, "the adoption is told once");
    log.close().unwrap();
    assert_opening_does_nothing(&left);
}

#[test]
fn an_adoption_is_repeated_where_something_stands_behind_it() {
    let base = closed();
    let kept = [active(&base), Head::of(&active(&base)).record()].concat();
    write_active(&base, kept);
    let left = opening_cut_short(&base, is(OperationKind::CreateNew, "checkpoint.tmp"));
    let kept = [active(&left), Head::of(&active(&left)).record()].concat();
    write_active(&left, kept.clone());
    let adopt = OwnRecord::Adopt(Adopt { from_seq: MARK, to_seq: MARK + 2 });
    assert_eq!(told_by_opening(&left, &kept), [adopt]);
    assert_opening_does_nothing(&left);
}

// Quarantine.

#[test]
fn a_cut_that_no_record_tells_of_gets_its_record_before_anything_else() {
    let base = closed();
    let kept = active(&base);
    for (kind, torn) in
        [(TailKind::Partial, &b"{\"seq\":4,\"timest"[..]), (TailKind::Nul, &[0; 77])]
    {
        let base = base.fork();
        write_active(&base, [&kept, torn].concat());
        let left = opening_cut_short(&base, is(OperationKind::Append, "audit.log"));
        assert_eq!(active(&left), kept, "cut, and not yet told");

        let log = open(&left);
        let told = recover(MARK, kept.len(), kind, torn);
        let now = active(&left);
        assert_eq!(own_records(&now[kept.len()..]), [OwnRecord::Recover(told.clone())]);
        assert_eq!(quarantine(&left), [(told.quarantine.clone(), torn.to_vec())]);
        let mended = &log.recovery().mended[..];
        let [mended] = mended else { panic!("mended {mended:?}") };
        assert_eq!((mended.kind, mended.offset, mended.length), (kind, told.offset, told.length));
        assert_eq!(mended.quarantine, told.quarantine);
        log.close().unwrap();
        assert_opening_does_nothing(&left);
    }
}

#[test]
fn cuts_that_no_record_tells_of_are_told_in_order_and_before_an_adoption() {
    let disk = closed();
    let kept = [active(&disk), Head::of(&active(&disk)).record()].concat();
    write_active(&disk, kept.clone());
    let mut cuts: Vec<_> = [&b"one"[..], b"two", b"three"]
        .map(|cut| recover(MARK + 1, kept.len(), TailKind::Partial, cut))
        .to_vec();
    for (told, cut) in cuts.iter().zip([&b"one"[..], b"two", b"three"]) {
        disk.write_file(in_folder(&told.quarantine), cut).unwrap();
    }
    cuts.sort_by_key(|told| told.sha256.to_hex());
    let mut expected: Vec<_> = cuts.into_iter().map(OwnRecord::Recover).collect();
    expected.push(OwnRecord::Adopt(Adopt { from_seq: MARK, to_seq: MARK + 3 }));
    assert_eq!(told_by_opening(&disk, &kept), expected);
    assert_opening_does_nothing(&disk);
}

#[test]
fn a_second_torn_tail_at_the_same_record_is_told_beside_the_first() {
    let base = closed();
    let kept = active(&base);
    write_active(&base, [&kept[..], b"first"].concat());
    let left = opening_cut_short(&base, is(OperationKind::Append, "audit.log"));
    write_active(&left, [&kept[..], b"second"].concat());
    let told = told_by_opening(&left, &kept);
    let mut expected =
        [&b"first"[..], b"second"].map(|cut| recover(MARK, kept.len(), TailKind::Partial, cut));
    expected.sort_by_key(|told| told.sha256.to_hex());
    assert_eq!(told, expected.map(OwnRecord::Recover));
    assert_opening_does_nothing(&left);
}

#[test]
fn a_cut_is_told_once_also_among_large_records() {
    let disk = disk();
    let log = AuditLog::create_on(storage(&disk), FOLDER, options()).unwrap();
    let large = || Event::new("a", "b", "c").metadata(serde_json::json!({"x": "y".repeat(50_000)}));
    log.append(large()).unwrap();
    log.close().unwrap();
    write_active(&disk, [&active(&disk)[..], b"torn"].concat());
    let log = open(&disk);
    log.append(large()).unwrap();
    log.close().unwrap();
    assert_opening_does_nothing(&disk);
}

#[test]
fn a_cut_that_was_quarantined_and_not_made_is_made_once() {
    let base = closed();
    let kept = active(&base);
    write_active(&base, [&kept[..], b"torn"].concat());
    let left = opening_cut_short(&base, is(OperationKind::Truncate, "audit.log"));
    assert_eq!(active(&left), [&kept[..], b"torn"].concat());
    assert_eq!(quarantine(&left).len(), 1);
    let torn = Some((TailKind::Partial, &b"torn"[..]));
    assert_repaired(&left, &Repair { kept: &kept, torn, adopted_from: None });
}

#[test]
fn a_quarantine_file_that_holds_other_bytes_than_its_name_says_stops_the_cut() {
    let disk = closed();
    let kept = active(&disk);
    write_active(&disk, [&kept[..], b"torn"].concat());
    let told = recover(MARK, kept.len(), TailKind::Partial, b"torn");
    disk.write_file(in_folder(&told.quarantine), b"else").unwrap();
    match AuditLog::open_on(storage(&disk), FOLDER, options()) {
        Err(OpenError::Refused(refusal)) => {
            assert_eq!(refusal.findings[0].problem, Problem::QuarantineDiffers);
        }
        other => panic!("not refused: {other:?}"),
    }
    assert_eq!(active(&disk), [&kept[..], b"torn"].concat(), "nothing was cut");
    let report = verify(&storage(&disk), Path::new(FOLDER), &[]);
    assert_eq!(report.findings[0].problem, Problem::QuarantineDiffers, "{report}");
}

/// A log right behind a rotation: `audit.log` is there and holds nothing yet.
fn rotated() -> SimulatedDisk {
    let disk = disk();
    let log = AuditLog::create_on(storage(&disk), FOLDER, options()).unwrap();
    let mut number = 0;
    while disk.read_file(in_folder("audit.log.1")).is_err() {
        log.append(event(number)).unwrap();
        number += 1;
    }
    let left = disk.fork();
    log.close().unwrap();
    write_active(&left, b"");
    left
}

#[test]
fn a_torn_first_record_of_a_new_file_is_cut_and_told_at_its_place() {
    let base = rotated();
    let torn = b"{\"seq\":70,\"time".to_vec();
    write_active(&base, torn.clone());
    for left in [base.fork(), opening_cut_short(&base, is(OperationKind::Append, "audit.log"))] {
        let next_seq = Head::of(&left.read_file(in_folder("audit.log.1")).unwrap()).next_seq;
        let told = recover(next_seq, 0, TailKind::Partial, &torn);
        assert_eq!(told_by_opening(&left, b""), [OwnRecord::Recover(told)]);
        assert_opening_does_nothing(&left);
    }
}

#[test]
fn a_first_group_that_lost_the_end_of_its_first_line_is_cut_and_not_taken_for_a_gap() {
    let base = rotated();
    let mut head = Head::of(&base.read_file(in_folder("audit.log.1")).unwrap());
    let next_seq = head.next_seq;
    let mut torn = [head.record(), head.record()].concat();
    let first_end = torn.iter().position(|byte| *byte == b'\n').unwrap();
    let sector = first_end - first_end % 512;
    torn[sector..sector + 512].fill(0);
    // Now it begins as the first record, and ends as the second, which is chained to the first.
    write_active(&base, torn.clone());
    let told = recover(next_seq, 0, TailKind::Nul, &torn);
    assert_eq!(told_by_opening(&base, b""), [OwnRecord::Recover(told)]);
    assert_opening_does_nothing(&base);
}

#[test]
fn a_damaged_byte_in_a_covered_first_line_moves_no_boundary_of_retention() {
    let base = rotated();
    let log = open(&base);
    for number in 0..40 {
        log.append(event(number)).unwrap();
    }
    log.close().unwrap();
    let line = active(&base);
    let first = Head::of(&base.read_file(in_folder("audit.log.1")).unwrap()).next_seq;
    // In the middle of its first record, which a checkpoint covers; not of a whole sector.
    let damaged = base.fork();
    damaged.flip_byte(in_folder("audit.log"), 60, line[60]).unwrap();
    let kept = options().with_max_files(1);
    let log = AuditLog::open_on(storage(&damaged), FOLDER, kept).unwrap();
    let mut number = 0;
    while damaged.read_file(in_folder("audit.log.1")).unwrap()[60] != 0 {
        log.append(event(number)).unwrap();
        number += 1;
    }
    log.append(event(number)).unwrap();
    let active = active(&damaged);
    let end = active.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    let [OwnRecord::Prune(prune)] = &own_records(&active[..end])[..] else { panic!("no prune") };
    assert_eq!(prune.what.first_kept_seq, first);
    log.close().unwrap();
    assert_eq!(damaged.read_file(in_folder("audit.log.1")).unwrap()[60], 0, "it is kept");
}

#[test]
fn a_new_file_that_was_cut_to_nothing_is_filled_and_rotated() {
    let base = rotated();
    let lines = base.read_file(in_folder("audit.log.1")).unwrap();
    let mut torn = Head::of(&lines).record();
    // Its beginning and its end are those of a record.
    torn[512..1_024].fill(0);
    write_active(&base, torn);
    let log = open(&base);
    assert_eq!(log.recovery().mended.len(), 1);
    for number in 0..250 {
        log.append(event(number)).unwrap();
    }
    log.close().unwrap();
    assert!(base.read_file(in_folder("audit.log.3")).is_ok());
    assert_opening_does_nothing(&base);
}

// The other files.

#[test]
fn a_torn_last_line_of_the_noted_checkpoints_is_cut() {
    let disk = rotated();
    let noted = disk.read_file(in_folder("checkpoints.jsonl")).unwrap();
    let next = [&b"{\"note\":\"example.com/audit\\n90\\n"[..], &[b'x'; 600]].concat();
    let (mut hole, mut whole) = (next.clone(), next.clone());
    hole[40..552].fill(0);
    whole[40..552].fill(0);
    whole.extend_from_slice(b"\"}\n");
    for torn in [&next[..1], &next, &hole, &whole, &[0; 77]] {
        let disk = disk.fork();
        disk.write_file(in_folder("checkpoints.jsonl"), [&noted, torn].concat()).unwrap();
        let log = open(&disk);
        assert_eq!(disk.read_file(in_folder("checkpoints.jsonl")).unwrap(), noted);
        log.append(event(1)).unwrap();
        log.close().unwrap();
        assert_opening_does_nothing(&disk);
    }
}

#[test]
fn a_whole_last_line_of_the_noted_checkpoints_that_is_no_note_is_refused() {
    let disk = closed();
    for line in [&b"\n"[..], b"{}\n", b"{\"note\":\"x\"}\n"] {
        disk.write_file(in_folder("checkpoints.jsonl"), line).unwrap();
        assert_refused(&disk, Problem::CheckpointMalformed, MARK);
    }
}

#[test]
fn what_was_being_written_beside_its_place_is_removed() {
    let base = closed();
    let before = snapshot(&base);
    let disk = base.fork();
    let name = format!("quarantine/4-{}.tmp", sha256(b"torn"));
    for name in ["checkpoint.tmp", "tree/0.tmp", "tree/1.tmp", &name] {
        disk.write_file(in_folder(name), b"half of i").unwrap();
    }
    open(&disk).close().unwrap();
    assert_eq!(snapshot(&disk), before);
    drop(assert_log_is_sound(&storage(&disk), FOLDER, &[]));
}

#[test]
fn each_step_of_mending_is_on_the_disk_before_the_next_is_done() {
    let mut log = Composed::begun();
    for _ in 0..3 {
        log.event();
        log.rotate();
    }
    log.event();
    let disk = log.write();
    // A rotation was cut short amid its renames, and more was being written.
    let oldest = disk.read_file(in_folder("audit.log.3")).unwrap();
    disk.remove_file(in_folder("audit.log.3")).unwrap();
    disk.write_file(in_folder("audit.log.4"), oldest).unwrap();
    let quarantined = format!("quarantine/1-{}.tmp", sha256(b"torn"));
    let left = ["checkpoint.tmp", "tree/0.tmp", "tree/1.tmp", &quarantined];
    for name in left {
        disk.write_file(in_folder(name), b"half of i").unwrap();
    }
    let log = open(&disk);
    assert!(log.recovery().finished_rotation);
    log.close().unwrap();
    let operations = disk.operations();
    let changes: Vec<_> = operations.iter().filter(|op| op.kind.changes_disk()).collect();
    let steps = left.into_iter().map(|name| (OperationKind::Unlink, name));
    for (kind, name) in steps.chain([(OperationKind::Rename, "audit.log")]) {
        let path = in_folder(name);
        let step = changes.iter().position(|op| op.kind == kind && op.path == path);
        let next = changes[step.unwrap_or_else(|| panic!("{name} is left")) + 1];
        let synced = (next.kind, &*next.path);
        assert_eq!(synced, (OperationKind::SyncFolder, path.parent().unwrap()), "{name}");
    }
    assert_opening_does_nothing(&disk);
}

#[test]
fn a_folder_of_the_log_that_cannot_be_listed_is_an_error() {
    for name in ["tree", "quarantine"] {
        for nth in 0.. {
            let disk = closed();
            let list = FaultPlan::nth(nth).of_kind(OperationKind::List).on_path(name);
            disk.fail(list.with(Errno::IO));
            match AuditLog::open_on(storage(&disk), FOLDER, options()) {
                Err(OpenError::Io(failure)) => {
                    assert_eq!(failure.path, in_folder(name));
                    assert_eq!(failure.source.raw_os_error(), Some(5));
                }
                Ok(log) => {
                    assert_eq!(disk.faults_struck(), 0, "a failure was passed over");
                    log.close().unwrap();
                    assert!(nth > 0, "{name} is not listed");
                    break;
                }
                Err(e) => panic!("{e}"),
            }
            disk.clear_faults();
            assert_opening_does_nothing(&disk);
        }
    }
}

#[test]
fn a_torn_tail_that_cannot_be_put_into_quarantine_is_not_cut_and_the_reason_is_told() {
    let disk = closed();
    let torn = [&active(&disk)[..], b"torn"].concat();
    write_active(&disk, torn.clone());
    let rename = FaultPlan::nth(0).of_kind(OperationKind::Rename).with(Errno::IO);
    disk.fail(rename);
    match AuditLog::open_on(storage(&disk), FOLDER, options()) {
        Err(OpenError::Io(failure)) => {
            let tmp = format!("quarantine/{MARK}-{}.tmp", sha256(b"torn"));
            assert_eq!(failure.path, in_folder(&tmp), "{failure}");
            assert_eq!(failure.source.raw_os_error(), Some(5));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(active(&disk), torn);
    assert_eq!(open(&disk).recovery().mended.len(), 1);
    assert_opening_does_nothing(&disk);
}

// Never a new log.

#[test]
fn an_empty_or_missing_log_file_is_refused_and_never_a_new_log() {
    let disk = closed();
    write_active(&disk, b"");
    assert_refused_with_nothing_to_read(&disk);
    disk.remove_file(in_folder("audit.log")).unwrap();
    assert_refused_with_nothing_to_read(&disk);
}

#[track_caller]
fn assert_refused_with_nothing_to_read(disk: &SimulatedDisk) {
    let before = snapshot(disk);
    match AuditLog::open_on(storage(disk), FOLDER, options()) {
        Err(OpenError::Refused(refusal)) => {
            assert_eq!(refusal.findings[0].problem, Problem::NoRecord, "{refusal}");
        }
        other => panic!("not refused: {other:?}"),
    }
    match AuditLog::create_on(storage(disk), FOLDER, options()) {
        Err(OpenError::AlreadyExists { .. }) => {}
        other => panic!("made anew: {other:?}"),
    }
    assert_eq!(snapshot(disk), before);
    let report = verify(&storage(disk), Path::new(FOLDER), &[]);
    assert_eq!(report.verdict(), Verdict::Broken, "{report}");
}

#[test]
fn an_empty_or_missing_newest_file_is_refused_where_a_checkpoint_covers_records_of_it() {
    let disk = rotated();
    let log = open(&disk);
    log.append(event(1)).unwrap();
    log.close().unwrap();
    let readable = Head::of(&disk.read_file(in_folder("audit.log.1")).unwrap()).next_seq;
    write_active(&disk, b"");
    assert_refused(&disk, Problem::CutOff, readable);
    disk.remove_file(in_folder("audit.log")).unwrap();
    assert_refused(&disk, Problem::CutOff, readable);
}

#[test]
fn an_empty_or_missing_newest_file_is_a_rotation_to_finish_right_behind_a_boundary() {
    let disk = rotated();
    assert_opening_goes_on_behind_the_boundary(&disk.fork());
    disk.remove_file(in_folder("audit.log")).unwrap();
    let left = disk.fork();
    assert_opening_goes_on_behind_the_boundary(&disk);
    assert!(open(&left).recovery().finished_rotation);
}

#[track_caller]
fn assert_opening_goes_on_behind_the_boundary(disk: &SimulatedDisk) {
    let before = disk.read_file(in_folder("audit.log.1")).unwrap();
    let log = open(disk);
    assert_eq!(log.append(event(1)).unwrap().seq, Head::of(&before).next_seq);
    log.close().unwrap();
    assert_eq!(disk.read_file(in_folder("audit.log.1")).unwrap(), before);
    assert_opening_does_nothing(disk);
}

// Creation.

#[test]
fn what_an_interrupted_creation_left_is_removed_with_its_key_and_the_log_made_anew() {
    let whole = disk();
    drop(AuditLog::create_on(storage(&whole), FOLDER, options()).unwrap());
    let mut operations = whole.operations().into_iter();
    let made = operations.position(|operation| operation.kind == OperationKind::Rename).unwrap();
    let mut with_key = 0;
    for at in 0..=u64::try_from(made).unwrap() {
        let disk = disk();
        disk.crash_at(at);
        drop(AuditLog::create_on(storage(&disk), FOLDER, options()));
        let left = disk.after_crash(&disk.everything());
        let key = left.read_file("/logs/audit.key").ok();
        with_key += u64::from(key.is_some());
        match AuditLog::open_on(storage(&left), FOLDER, options()) {
            Err(OpenError::NotFound { .. }) => {}
            other => panic!("crash at {at}: {other:?}"),
        }
        AuditLog::create_on(storage(&left), FOLDER, options()).unwrap().close().unwrap();
        assert_ne!(left.read_file("/logs/audit.key").ok(), key, "crash at {at}: the key is new");
        let beside: Vec<_> = left
            .tree()
            .into_keys()
            .filter(|path| path.parent() == Some(Path::new("/logs")))
            .collect();
        assert_eq!(beside, [Path::new("/logs/audit"), Path::new("/logs/audit.key")]);
        assert_opening_does_nothing(&left);
    }
    assert!(with_key > 1, "{with_key} crashes left a key");
}

/// The creation of a log fails, or its process is killed, right behind the rename that gives its folder its name: that name
/// is not on the disk, and yet the log is there to be opened.
#[test]
fn a_log_whose_name_its_creation_did_not_sync_keeps_what_it_acknowledges() {
    let whole = disk();
    drop(AuditLog::create_on(storage(&whole), FOLDER, options()).unwrap());
    let operations = whole.operations();
    let named = operations.iter().position(|done| done.kind == OperationKind::Rename).unwrap();
    let sync = &operations[named + 1];
    assert_eq!((sync.kind, &*sync.path), (OperationKind::SyncFolder, Path::new("/logs")));

    let failed = disk();
    failed.fail(FaultPlan::at(sync.index));
    assert!(AuditLog::create_on(storage(&failed), FOLDER, options()).is_err());
    let killed = disk();
    killed.crash_at(sync.index);
    assert!(AuditLog::create_on(storage(&killed), FOLDER, options()).is_err());
    for disk in [failed.fork(), killed.fork()] {
        let log = open(&disk);
        let receipt = log.append(event(1)).unwrap();
        // The power fails.
        let left = disk.after_crash(&disk.only_synced());
        let log = open(&left);
        assert_eq!(log.records(), receipt.seq + 2, "the record, and that it was adopted");
    }
}

#[test]
fn a_log_in_a_folder_that_may_not_be_looked_at_is_opened() {
    let disk = closed();
    let parent = FaultPlan::nth(0).of_kind(OperationKind::SyncFolder).on_path("logs");
    disk.fail(parent.clone().with(Errno::ACCESS));
    open(&disk).close().unwrap();
    assert_eq!(disk.faults_struck(), 1);
    disk.fail(parent.with(Errno::IO));
    match AuditLog::open_on(storage(&disk), FOLDER, options()) {
        Err(OpenError::Io(failure)) => assert_eq!(failure.path, Path::new("/logs")),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_key_without_a_folder_is_refused_and_kept() {
    let disk = closed();
    let key = disk.read_file("/logs/audit.key").unwrap();
    disk.remove_file(FOLDER).unwrap();
    match AuditLog::create_on(storage(&disk), FOLDER, options()) {
        Err(OpenError::KeyWithoutFolder { key }) => assert_eq!(key, Path::new("/logs/audit.key")),
        other => panic!("made anew: {other:?}"),
    }
    match AuditLog::open_on(storage(&disk), FOLDER, options()) {
        Err(OpenError::NotFound { .. }) => {}
        other => panic!("opened: {other:?}"),
    }
    assert_eq!(snapshot(&disk).into_iter().collect::<Vec<_>>(), [("/logs/audit.key".into(), key)]);
}
