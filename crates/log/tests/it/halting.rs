//! Logs that halt while many wait: everyone is told what became of their events, nobody waits in vain, and what halted the
//! log is said.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use indelible::format::own::OwnRecord;
use indelible::storage::Storage;
use indelible::storage::simulated::{Errno, FaultPlan, OperationKind, SimulatedDisk};
use indelible::{
    AppendError, AuditLog, CheckpointError, Clock, ClockReading, Event, HaltCause, Idempotency,
    Observer, Obstacle, Options, Pending, SystemClock,
};

use crate::checker::assert_log_is_sound;
use crate::interleaved::Turn;
use crate::scene::*;

/// What the log left is opened, goes on, and is sound.
#[track_caller]
fn assert_goes_on(disk: &SimulatedDisk) {
    let left = disk.fork();
    let log = open(&left);
    log.append(event(99)).unwrap();
    log.close().unwrap();
    drop(assert_log_is_sound(&storage(&left), FOLDER, &[]));
}

#[test]
fn of_a_batch_of_several_groups_those_behind_the_one_that_failed_are_not_written() {
    let disk = closed();
    let log = open(&disk);
    // More than one file holds, so that they are several groups.
    let events: Vec<_> = (0..300).map(event).collect();
    let sync = FaultPlan::nth(0).of_kind(OperationKind::SyncData).on_path("audit.log");
    disk.fail(sync.with(Errno::IO));
    let outcomes: Vec<_> = log.submit_all(&events).unwrap().iter().map(Pending::wait).collect();
    let indeterminate = outcomes.iter().take_while(|outcome| match outcome {
        Err(error) => error.is_indeterminate(),
        Ok(receipt) => panic!("acknowledged: {receipt:?}"),
    });
    let indeterminate = indeterminate.count();
    assert!(indeterminate > 10 && indeterminate < 300, "{indeterminate}");
    for outcome in &outcomes[indeterminate..] {
        assert!(matches!(outcome, Err(AppendError::Halted(_))), "{outcome:?}");
    }
    assert_eq!(log.records(), 4);
    assert!(log.close().is_err());
    assert_goes_on(&disk);
}

/// A clock that can be read so many times yet, and panics then.
#[derive(Debug)]
struct Breaking(AtomicI64);

impl Clock for Breaking {
    fn now(&self) -> ClockReading {
        assert!(self.0.fetch_sub(1, Ordering::SeqCst) > 0, "the clock is broken");
        SystemClock::default().now()
    }
}

#[test]
fn of_a_batch_of_several_groups_those_before_the_one_that_panicked_stay_acknowledged() {
    let disk = closed();
    let clock = Arc::new(Breaking(AtomicI64::new(i64::MAX)));
    let options = options().with_clock(Arc::<Breaking>::clone(&clock));
    let log = AuditLog::open_on(storage(&disk), FOLDER, options).unwrap();
    // A file holds fewer: the clock breaks amid the second group.
    clock.0.store(120, Ordering::SeqCst);
    let events: Vec<_> = (0..300).map(event).collect();
    let pending = log.submit_all(&events).unwrap();
    // Outcomes come in order.
    assert!(pending.last().unwrap().wait().unwrap_err().is_indeterminate());
    let outcomes: Vec<_> = pending.iter().map(Pending::wait).collect();
    let acknowledged = outcomes.iter().take_while(|outcome| outcome.is_ok()).count();
    assert!(acknowledged > 10 && acknowledged < 120, "{acknowledged}");
    for outcome in &outcomes[acknowledged..] {
        assert!(outcome.as_ref().unwrap_err().is_indeterminate(), "{outcome:?}");
    }
    assert_eq!(log.records(), 4 + u64::try_from(acknowledged).unwrap());
    assert!(matches!(log.halted().unwrap().cause(), HaltCause::Panicked));
    assert!(log.close().is_err());
    assert_goes_on(&disk);
}

/// A disk on which the writer thread stops before it syncs, until `gate` is given free.
fn stop_before_sync(disk: &SimulatedDisk, gate: &Arc<Mutex<()>>) -> mpsc::Receiver<()> {
    let (stopped, has_stopped) = mpsc::channel();
    let gate = Arc::clone(gate);
    let armed = AtomicBool::new(true);
    let sync = FaultPlan::nth(0).of_kind(OperationKind::SyncData).on_path("audit.log");
    disk.fail(sync.with(Errno::IO).matching(move |_| {
        if armed.swap(false, Ordering::SeqCst) {
            stopped.send(()).unwrap();
            drop(gate.lock().unwrap());
        }
        true
    }));
    has_stopped
}

#[test]
fn who_waits_for_room_when_the_log_halts_is_told_for_each_event() {
    const ROOM: usize = 32 << 10;
    let disk = closed();
    let options = options().with_entry_size_max(8 << 10).with_queue_size_max(ROOM);
    let log = AuditLog::open_on(storage(&disk), FOLDER, options).unwrap();
    let gate = Arc::default();
    let held = Mutex::lock(&gate).unwrap();
    let has_stopped = stop_before_sync(&disk, &gate);
    let first = log.try_submit(event(0)).unwrap();
    has_stopped.recv().unwrap();
    let events: Vec<_> = (1..60).map(|n| event(n).event_id(format!("id-{n}"))).collect();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| log.submit_all(&events).unwrap());
        // It has filled the queue, and waits.
        while log.waiting().size + 4_096 < ROOM {
            std::thread::yield_now();
        }
        drop(held);
        let pending = waiting.join().unwrap();
        assert_eq!(pending.len(), events.len());
        assert!(first.wait().unwrap_err().is_indeterminate());
        for pending in pending {
            assert!(matches!(pending.wait(), Err(AppendError::Halted(_))));
        }
    });
    assert_eq!((log.waiting().events, log.records()), (0, 4));
    assert!(matches!(log.submit_all(&events).unwrap_err().error, AppendError::Halted(_)));
    drop(log);
    assert_goes_on(&disk);
}

#[test]
fn what_waits_is_written_in_groups_that_a_crash_can_leave_torn_and_recovery_cut() {
    const GROUP_SIZE_MAX: u64 = 4 << 20;
    let disk = closed();
    let options = options().with_max_file_size(32 << 20).with_queue_size_max(16 << 20);
    let log = AuditLog::open_on(storage(&disk), FOLDER, options).unwrap();
    let gate: Arc<Mutex<()>> = Arc::default();
    let door = Arc::clone(&gate);
    let held = door.lock().unwrap();
    let (stopped, has_stopped) = mpsc::channel();
    let (gate, armed) = (Arc::clone(&gate), AtomicBool::new(true));
    disk.fail(FaultPlan::nth(0).of_kind(OperationKind::SyncData).matching(move |_| {
        if armed.swap(false, Ordering::SeqCst) {
            stopped.send(()).unwrap();
            drop(gate.lock().unwrap());
        }
        false
    }));
    let mut pending = vec![log.try_submit(event(0)).unwrap()];
    has_stopped.recv().unwrap();
    // All of this waits while the first is synced.
    let large = |n: usize| event(n).session(serde_json::json!({"text": "x".repeat(20_000)}));
    pending.extend((1..400).map(|number| log.try_submit(large(number)).unwrap()));
    drop(held);
    for (seq, pending) in (4..).zip(pending) {
        assert_eq!(pending.wait().unwrap().seq, seq);
    }
    log.close().unwrap();
    let writes = disk.operations().into_iter();
    let writes = writes.filter(|op| op.kind == OperationKind::Append);
    let largest = writes.filter(|op| op.path.ends_with("audit.log")).map(|op| op.size).max();
    let largest = largest.unwrap();
    assert!(largest > GROUP_SIZE_MAX / 2 && largest <= GROUP_SIZE_MAX, "{largest}");
    drop(assert_log_is_sound(&storage(&disk), FOLDER, &[]));
}

#[test]
fn event_ids_that_are_forgotten_for_want_of_memory_are_counted() {
    let disk = disk();
    let small = Idempotency {
        period: Duration::from_hours(24),
        records: 1_000_000,
        memory_size_max: 64 << 10,
    };
    let options = options().with_max_file_size(8 << 20).with_idempotency(small);
    let log = AuditLog::create_on(storage(&disk), FOLDER, options).unwrap();
    assert_eq!(log.idempotency_forgotten_early(), 0);
    let events: Vec<_> =
        (0..2_000).map(|n| Event::new("a", "b", "c").event_id(format!("id-{n}"))).collect();
    for pending in log.submit_all(&events).unwrap() {
        assert!(!pending.wait().unwrap().duplicate);
    }
    let forgotten = log.idempotency_forgotten_early();
    assert!(forgotten > 100 && forgotten < 2_000, "{forgotten}");
    // The newest are remembered, the oldest are recorded again.
    assert!(log.append(&events[1_999]).unwrap().duplicate);
    assert!(!log.append(&events[0]).unwrap().duplicate);
    log.close().unwrap();
    drop(assert_log_is_sound(&storage(&disk), FOLDER, &[]));
}

// Retention.

/// A log that keeps one rotated file and has it, and will have to remove it with its next rotation.
fn about_to_prune() -> (SimulatedDisk, AuditLog) {
    let disk = disk();
    let log = AuditLog::create_on(storage(&disk), FOLDER, options().with_max_files(1)).unwrap();
    while disk.read_file(in_folder("audit.log.1")).is_err() {
        log.append(event(1)).unwrap();
    }
    (disk, log)
}

fn append_until_it_fails(log: &AuditLog) -> AppendError {
    for number in 0..1_000 {
        if let Err(error) = log.append(event(number)) {
            return error;
        }
    }
    panic!("nothing failed");
}

#[track_caller]
fn assert_replaced(error: &AppendError, name: &str) {
    let AppendError::Halted(halt) = error else { panic!("{error}") };
    let HaltCause::Replaced { path } = halt.cause() else { panic!("{halt}") };
    assert_eq!(path, &in_folder(name));
}

#[test]
fn a_file_that_is_not_the_oldest_segment_is_not_removed_in_its_place() {
    let (disk, log) = about_to_prune();
    let oldest = disk.read_file(in_folder("audit.log.1")).unwrap();
    let end = oldest.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    // Somebody put another file there: it begins with a later record.
    disk.write_file(in_folder("audit.log.1"), &oldest[end..]).unwrap();
    assert_replaced(&append_until_it_fails(&log), "audit.log.2");
    assert_eq!(disk.read_file(in_folder("audit.log.2")).unwrap(), oldest[end..]);
    assert!(log.close().is_err());
    disk.write_file(in_folder("audit.log.2"), oldest).unwrap();
    assert_goes_on(&disk);
}

#[test]
fn a_file_that_somebody_removes_before_retention_does_halts_the_log() {
    let (disk, log) = about_to_prune();
    let unlink = FaultPlan::nth(0).of_kind(OperationKind::Unlink).on_path("audit.log.2");
    disk.fail(unlink.with(Errno::NOENT));
    assert_replaced(&append_until_it_fails(&log), "audit.log.2");
    assert!(log.close().is_err());
    assert_goes_on(&disk);
}

#[test]
fn a_prune_record_that_only_the_cache_shows_removes_nothing() {
    let (disk, log) = about_to_prune();
    let rotating = AtomicBool::new(false);
    let first_sync = FaultPlan::nth(0).matching(move |op| {
        if op.kind == OperationKind::Rename && op.path.ends_with("audit.log") {
            rotating.store(true, Ordering::SeqCst);
        }
        let active = op.kind == OperationKind::SyncData && op.path.ends_with("audit.log");
        active && rotating.load(Ordering::SeqCst)
    });
    disk.fail(first_sync.dropping_dirty_data());
    assert!(matches!(append_until_it_fails(&log), AppendError::Halted(_)));
    assert_eq!(disk.faults_struck(), 1);
    let shown = active(&disk);
    let line = shown.split_inclusive(|byte| *byte == b'\n').next().unwrap();
    assert!(matches!(own_records(line)[..], [OwnRecord::Prune(_)]));

    let left = disk.fork();
    let log = open(&left);
    assert_eq!(log.recovery().removed_segments, 0);
    assert!(left.read_file(in_folder("audit.log.2")).is_ok());
    log.close().unwrap();
    drop(assert_log_is_sound(&storage(&left), FOLDER, &[]));
    drop(log);
    assert_opening_does_nothing(&left);
}

// Checkpoints.

/// Keeps what it is told.
#[derive(Debug, Default)]
struct Witness {
    refused: Mutex<Vec<CheckpointError>>,
    halts: Mutex<u32>,
}

impl Observer for Witness {
    fn checkpoint_refused(&self, error: &CheckpointError) {
        self.refused.lock().unwrap().push(error.clone());
    }

    fn halted(&self, _: &indelible::Halt) {
        *self.halts.lock().unwrap() += 1;
    }
}

#[test]
fn a_checkpoint_whose_sync_fails_halts_the_log_by_itself_and_is_told_once() {
    let disk = closed();
    let witness = Arc::new(Witness::default());
    let options = options()
        .with_checkpoint_interval(Duration::from_millis(10))
        .with_observer(Arc::<Witness>::clone(&witness));
    let log = AuditLog::open_on(storage(&disk), FOLDER, options).unwrap();
    let sync = FaultPlan::nth(0).of_kind(OperationKind::SyncData).on_path("tree/0");
    disk.fail(sync.with(Errno::IO));
    log.append(event(1)).unwrap();
    let begun = std::time::Instant::now();
    while log.halted().is_none() {
        assert!(begun.elapsed() < Duration::from_mins(1), "it does not halt");
        std::thread::yield_now();
    }
    assert!(matches!(log.append(event(2)), Err(AppendError::Halted(_))));
    assert!(matches!(log.checkpoint(), Err(CheckpointError::Halted(_))));
    assert!(log.close().is_err());
    assert!(witness.refused.lock().unwrap().is_empty(), "a halt is no refusal");
    assert_eq!(*witness.halts.lock().unwrap(), 1);
    assert_eq!(log.records(), 5, "the record was acknowledged, and is kept");
    assert_goes_on(&disk);
}

// The window.

fn remembering() -> Options {
    let idempotency = Idempotency {
        period: Duration::from_hours(1),
        records: 1_000_000,
        memory_size_max: 1 << 20,
    };
    options().with_idempotency(idempotency)
}

/// A closed log with ten events that have ids.
fn with_ids() -> (SimulatedDisk, Vec<Event>) {
    let disk = closed();
    let log = AuditLog::open_on(storage(&disk), FOLDER, remembering()).unwrap();
    let events: Vec<_> = (0..10).map(|n| event(n).event_id(format!("id-{n}"))).collect();
    for event in &events {
        log.append(event).unwrap();
    }
    log.close().unwrap();
    (disk, events)
}

/// Opens it, so that which events there are can't be read: the thread that remembers them fails, and no other.
fn open_unreadable(disk: &SimulatedDisk) -> AuditLog {
    let read = FaultPlan::nth(0)
        .of_kind(OperationKind::ReadAt)
        .matching(|_| std::thread::current().name() == Some("indelible-idempotency"));
    disk.fail(read.with(Errno::IO).from_then_on());
    AuditLog::open_on(storage(disk), FOLDER, remembering()).unwrap()
}

#[test]
fn while_it_cannot_be_read_which_events_there_are_those_with_ids_are_refused_and_others_are_not() {
    let (disk, events) = with_ids();
    let log = open_unreadable(&disk);
    // Waits until the reading has failed.
    match log.append(&events[3]) {
        Err(AppendError::NotWritten { cause: Obstacle::Io(failure) }) => {
            assert_eq!(failure.source.raw_os_error(), Some(5));
        }
        other => panic!("{other:?}"),
    }
    match log.try_submit(&events[3]) {
        Err(AppendError::NotWritten { cause: Obstacle::Io(_) }) => {}
        other => panic!("{other:?}"),
    }
    let refused = log.try_submit_all(&events).unwrap_err();
    assert!(matches!(refused.error, AppendError::NotWritten { .. }), "{refused}");
    assert_eq!(log.append(event(50)).unwrap().seq, 14);
    disk.clear_faults();
    // It is tried again by itself.
    let begun = std::time::Instant::now();
    let receipt = loop {
        assert!(begun.elapsed() < Duration::from_mins(1), "it is not tried again");
        match log.append(&events[3]) {
            Ok(receipt) => break receipt,
            Err(AppendError::NotWritten { .. }) => std::thread::yield_now(),
            Err(e) => panic!("{e}"),
        }
    };
    assert_eq!((receipt.seq, receipt.duplicate), (7, true));
    log.close().unwrap();
    drop(assert_log_is_sound(&storage(&disk), FOLDER, &[]));
}

#[test]
fn a_log_whose_tail_cannot_be_read_closes_at_once() {
    let (disk, events) = with_ids();
    let log = open_unreadable(&disk);
    assert!(log.append(&events[3]).is_err());
    log.close().unwrap();
    disk.clear_faults();
    drop(assert_log_is_sound(&storage(&disk), FOLDER, &[]));
}

#[test]
fn events_are_remembered_whenever_the_log_rotates_while_the_tail_is_read() {
    let (base, events) = with_ids();
    let log = AuditLog::open_on(storage(&base), FOLDER, remembering()).unwrap();
    while base.read_file(in_folder("audit.log.2")).is_err() {
        log.append(event(1)).unwrap();
    }
    log.close().unwrap();
    for max_files in [None, Some(1)] {
        for nth in 0.. {
            let disk = base.fork();
            let (given, opened) = mpsc::channel::<Arc<AuditLog>>();
            // Two rotations and more come before operation `nth` of the thread that reads the tail.
            let rotate = move || {
                let log = opened.recv().unwrap();
                for number in 0..250 {
                    log.append(event(number)).unwrap();
                }
            };
            let turn = Turn::before(nth, rotate).on_thread("indelible-idempotency");
            let interleaved = Arc::new(turn.of(storage(&disk)));
            let seen: Arc<dyn Storage> = interleaved.clone();
            let options = max_files.map_or(remembering(), |n| remembering().with_max_files(n));
            let log = Arc::new(AuditLog::open_on(seen, FOLDER, options).unwrap());
            given.send(Arc::clone(&log)).unwrap();
            for (seq, event) in (4..).zip(&events) {
                let receipt = log.append(event).unwrap();
                // What retention has removed by then it need not remember.
                if max_files.is_none() {
                    assert_eq!((receipt.duplicate, receipt.seq), (true, seq), "{nth}");
                }
            }
            log.close().unwrap();
            drop(assert_log_is_sound(&storage(&disk), FOLDER, &[]));
            if !interleaved.hand().has_acted() {
                assert!(nth > 10, "it looks at something");
                break;
            }
        }
    }
}
