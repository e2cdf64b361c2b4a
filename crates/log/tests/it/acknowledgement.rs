//! What an append is told when the disk fails, and that it is true: failed syncs, failed and short writes, cuts that
//! fail.

use std::time::Duration;

use indelible::format::own::{Adopt, OwnRecord, TailKind};
use indelible::storage::simulated::{Errno, FaultPlan, OperationKind, SimulatedDisk};
use indelible::{
    AppendError, AuditLog, CheckpointError, HaltCause, Idempotency, Obstacle, Operation, Options,
};

use crate::checker::assert_log_is_sound;
use crate::scene::*;

/// The durable mark of [`closed`].
const MARK: u64 = 4;

fn on_active(kind: OperationKind) -> FaultPlan {
    FaultPlan::nth(0).of_kind(kind).on_path("audit.log")
}

fn group() -> Vec<indelible::Event> {
    (10..13).map(event).collect()
}

/// Submits three events that share one write and one sync, and gives the error of each.
fn failures(log: &AuditLog) -> Vec<AppendError> {
    let pending = log.submit_all(&group()).unwrap();
    pending.iter().map(|pending| pending.wait().expect_err("the disk failed")).collect()
}

/// Each of the group is indeterminate for this cause, later ones are told that the log has halted, and nothing more is
/// written.
#[track_caller]
fn assert_halts(disk: &SimulatedDisk, log: &AuditLog, is_cause: impl Fn(&HaltCause) -> bool) {
    for failure in failures(log) {
        assert!(failure.is_indeterminate(), "{failure}");
        let AppendError::Indeterminate(halt) = &failure else { panic!("{failure}") };
        assert!(is_cause(halt.cause()), "{failure}");
    }
    let operations = disk.operation_count();
    for _ in 0..2 {
        match log.append(event(20)) {
            Err(AppendError::Halted(halt)) => assert!(is_cause(halt.cause())),
            other => panic!("not halted: {other:?}"),
        }
    }
    assert!(log.halted().is_some());
    assert!(matches!(log.checkpoint(), Err(CheckpointError::Halted(_))));
    assert_eq!(log.records(), MARK);
    assert_eq!(log.reader().last(10).unwrap().len(), usize::try_from(MARK).unwrap());
    assert!(log.close().is_err());
    let after = disk.operations().into_iter().filter(|operation| operation.index >= operations);
    let changes: Vec<_> = after.filter(|operation| operation.kind.changes_disk()).collect();
    assert!(changes.is_empty(), "{changes:?}");
}

/// A new opening goes on; gives what the log says of its repair.
#[track_caller]
fn assert_goes_on(disk: &SimulatedDisk) -> Vec<OwnRecord> {
    let log = open(disk);
    let bytes = active(disk);
    // The genesis is the log's own too.
    let lines = bytes.split_inclusive(|byte| *byte == b'\n').skip(1);
    let told = lines.filter(|line| line.windows(19).any(|part| part == b"\"actor\":\"indelible\""));
    let told = own_records(&told.collect::<Vec<_>>().concat());
    log.append(event(30)).unwrap();
    log.close().unwrap();
    assert_opening_does_nothing(disk);
    told
}

fn is_failed_sync(cause: &HaltCause) -> bool {
    matches!(cause, HaltCause::Io(failure) if failure.operation == Operation::Sync)
}

#[test]
fn the_first_record_of_a_new_file_is_on_the_disk_when_it_is_acknowledged() {
    let disk = disk();
    let log = AuditLog::create_on(storage(&disk), FOLDER, options()).unwrap();
    let mut acknowledged = log.append(event(0)).unwrap();
    while disk.read_file(in_folder("audit.log.1")).is_err() {
        acknowledged = log.append(event(1)).unwrap();
    }
    let left = disk.after_crash(&disk.only_synced());
    assert_eq!(Head::of(&active(&left)).next_seq, acknowledged.seq + 1);
    open(&left).close().unwrap();
    assert_opening_does_nothing(&left);
}

#[test]
fn a_failed_sync_halts_and_its_group_is_indeterminate() {
    let disk = closed();
    let log = open(&disk);
    disk.fail(on_active(OperationKind::SyncData).dropping_dirty_data());
    assert_halts(&disk, &log, is_failed_sync);
    // The machine went on: the cache shows what the medium does not have.
    let cut = match &assert_goes_on(&disk.fork())[..] {
        [OwnRecord::Recover(told)] => told.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(
        (cut.kind, cut.offset),
        (TailKind::Nul, u64::try_from(active(&closed()).len()).unwrap())
    );
    // The power failed.
    for state in disk.crash_states(50) {
        assert_goes_on(&disk.after_crash(&state));
    }
}

#[test]
fn a_failed_sync_that_kept_the_group_leaves_records_to_adopt() {
    let disk = closed();
    let log = open(&disk);
    disk.fail(on_active(OperationKind::SyncData).after_effect());
    assert_halts(&disk, &log, is_failed_sync);
    let adopt = Adopt { from_seq: MARK, to_seq: MARK + 2 };
    assert_eq!(assert_goes_on(&disk.fork()), [OwnRecord::Adopt(adopt)]);
}

#[test]
fn a_disk_that_takes_nothing_or_only_a_part_is_cut_back_and_told_as_not_written() {
    let plans = [
        on_active(OperationKind::Append).with(Errno::NOSPC),
        on_active(OperationKind::Append).with(Errno::IO).after_effect(),
        on_active(OperationKind::Append).short(0),
        on_active(OperationKind::Append).short(1),
        on_active(OperationKind::Append).short(2_500),
    ];
    for plan in plans {
        let disk = closed();
        let before = active(&disk);
        let log = open(&disk);
        disk.fail(plan.clone());
        for failure in failures(&log) {
            let AppendError::NotWritten { cause: Obstacle::Io(cause) } = &failure else {
                panic!("{plan:?}: {failure}");
            };
            assert_eq!(cause.operation, Operation::Write, "{plan:?}");
            assert!(!failure.is_indeterminate());
        }
        assert_eq!(active(&disk), before, "{plan:?}");
        // The cut is on the disk before anybody is told.
        for state in disk.crash_states(50) {
            let left = disk.after_crash(&state);
            assert_eq!(active(&left), before, "{plan:?}, {state:?}");
        }
        assert_eq!((log.records(), log.halted().is_none()), (MARK, true));
        assert_eq!(log.append(event(1)).unwrap().seq, MARK, "{plan:?}");
        log.close().unwrap();
        assert_opening_does_nothing(&disk);
    }
}

#[test]
fn a_disk_that_stays_full_refuses_every_append_and_takes_them_again_with_space() {
    let disk = closed();
    let log = open(&disk);
    let full = FaultPlan::nth(0).of_kind(OperationKind::Append).with(Errno::NOSPC);
    disk.fail(full.from_then_on());
    for number in 0..3 {
        let refused = log.append(event(number)).unwrap_err();
        assert!(matches!(refused, AppendError::NotWritten { .. }), "{refused}");
        assert!(refused.to_string().contains("No space left on device"), "{refused}");
    }
    disk.clear_faults();
    assert_eq!(log.append(event(9)).unwrap().seq, MARK);
    log.close().unwrap();
    assert_opening_does_nothing(&disk);
}

#[test]
fn a_cut_that_fails_halts_and_its_group_is_indeterminate() {
    for cut in [OperationKind::Truncate, OperationKind::SyncData] {
        let disk = closed();
        let log = open(&disk);
        disk.fail(on_active(OperationKind::Append).short(2_500));
        disk.fail(on_active(cut));
        assert_halts(&disk, &log, |cause| matches!(cause, HaltCause::CutBack { .. }));
        assert_goes_on(&disk.fork());
        for state in disk.crash_states(50) {
            assert_goes_on(&disk.after_crash(&state));
        }
    }
}

#[test]
fn an_append_whose_new_file_may_not_be_in_the_folder_is_not_acknowledged() {
    let disk = closed();
    let log = open(&disk);
    // The first folder sync of a rotation is that of its checkpoint, the second that of the new file.
    let second = FaultPlan::nth(1).matching(|operation| {
        operation.kind == OperationKind::SyncFolder && operation.path.ends_with("audit")
    });
    disk.fail(second);
    let mut acknowledged = Vec::new();
    let failure = loop {
        match log.append(event(1)) {
            Ok(receipt) => acknowledged.push(receipt),
            Err(failure) => break failure,
        }
    };
    assert!(matches!(failure, AppendError::Halted(_)), "{failure}");
    assert!(log.close().is_err());
    for state in disk.crash_states(50) {
        let left = disk.after_crash(&state);
        let log = open(&left);
        assert_eq!(log.records(), acknowledged.last().unwrap().seq + 1, "{state:?}");
        log.append(event(2)).unwrap();
        log.close().unwrap();
        assert_opening_does_nothing(&left);
    }
}

/// As [`options`], and event ids are remembered.
fn remembering() -> Options {
    options()
        .with_idempotency(Idempotency { period: Duration::from_mins(10), ..Idempotency::default() })
}

#[test]
fn an_event_that_was_not_written_is_recorded_when_it_is_sent_again() {
    let disk = closed();
    let log = AuditLog::open_on(storage(&disk), FOLDER, remembering()).unwrap();
    disk.fail(on_active(OperationKind::Append).with(Errno::NOSPC));
    let event = event(1).event_id("e-1");
    assert!(matches!(log.append(&event), Err(AppendError::NotWritten { .. })));
    let receipt = log.append(&event).unwrap();
    assert_eq!((receipt.seq, receipt.duplicate), (MARK, false));
    assert!(log.append(&event).unwrap().duplicate);
    log.close().unwrap();
    drop(assert_log_is_sound(&storage(&disk), FOLDER, &[]));
}

#[test]
fn an_indeterminate_event_that_is_sent_again_is_recorded_once_whatever_became_of_it() {
    for kept in [true, false] {
        let disk = closed();
        let log = AuditLog::open_on(storage(&disk), FOLDER, remembering()).unwrap();
        let sync = on_active(OperationKind::SyncData);
        disk.fail(if kept { sync.after_effect() } else { sync.dropping_dirty_data() });
        let event = event(1).event_id("e-1");
        assert!(log.append(&event).unwrap_err().is_indeterminate());
        assert!(log.close().is_err());
        let log = AuditLog::open_on(storage(&disk), FOLDER, remembering()).unwrap();
        let receipt = log.append(&event).unwrap();
        assert_eq!(receipt.duplicate, kept);
        assert_eq!(log.append(&event).unwrap().seq, receipt.seq);
        log.close().unwrap();
        drop(assert_log_is_sound(&storage(&disk), FOLDER, &[]));
    }
}
