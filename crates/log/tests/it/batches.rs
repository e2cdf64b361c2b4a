//! Events that are handed over together, or without waiting: all or none is queued, and the error says which was at
//! fault.

use std::sync::{Arc, Mutex, MutexGuard, mpsc};

use indelible::format::event::EventError;
use indelible::format::record::{Content, Record};
use indelible::storage::simulated::{FaultPlan, SimulatedDisk};
use indelible::{AppendError, AuditLog, Event, Options, Salting};

use crate::checker::assert_log_is_sound;
use crate::scene::{FOLDER, closed, disk, event, open, options, storage};

const ENTRY_SIZE_MAX: usize = 8 << 10;

/// As many bytes wait as two of the largest entries have; event ids are remembered.
fn narrow() -> Options {
    Options::default().with_entry_size_max(ENTRY_SIZE_MAX).with_queue_size_max(2 * ENTRY_SIZE_MAX)
}

fn create(disk: &SimulatedDisk) -> AuditLog {
    AuditLog::create_on(storage(disk), FOLDER, narrow()).unwrap()
}

fn close(disk: &SimulatedDisk, log: &AuditLog) {
    log.close().unwrap();
    drop(assert_log_is_sound(&storage(disk), FOLDER, &[]));
}

/// A disk on which the thread of this name stops at its next operation, until what `gate` locks is given free.
fn stop(disk: &SimulatedDisk, thread: &'static str, gate: &Arc<Mutex<()>>) -> mpsc::Receiver<()> {
    let (stopped, has_stopped) = mpsc::channel();
    let gate = Arc::clone(gate);
    disk.fail(FaultPlan::nth(0).matching(move |_| {
        if std::thread::current().name() == Some(thread) && gate.try_lock().is_err() {
            stopped.send(()).unwrap();
            drop(gate.lock().unwrap());
        }
        false
    }));
    has_stopped
}

/// Queues an event that the writer thread takes, and stops at.
fn occupy(disk: &SimulatedDisk, log: &AuditLog, gate: &Arc<Mutex<()>>) {
    let has_stopped = stop(disk, "indelible-writer", gate);
    drop(log.try_submit(event(0)).unwrap());
    has_stopped.recv().unwrap();
}

#[test]
fn a_batch_is_queued_whole_and_in_order_or_not_at_all() {
    let disk = closed();
    let log = open(&disk);
    let mut events: Vec<Event> = (0..5).map(event).collect();
    let pending = log.try_submit_all(&events).unwrap();
    let receipts: Vec<u64> = pending.iter().map(|pending| pending.wait().unwrap().seq).collect();
    assert_eq!(receipts, [4, 5, 6, 7, 8]);
    assert!(log.try_submit_all(&[]).unwrap().is_empty());

    events[3] = Event::new("a", "", "c");
    for refused in [
        log.try_submit_all(&events),
        log.try_submit_all_recorded_by(&events, "agent-7"),
        log.submit_all(&events),
    ] {
        let refused = refused.unwrap_err();
        assert_eq!(refused.index, Some(3));
        assert_eq!(
            refused.to_string(),
            "event 3 of the batch: action is empty: leave it out, or say something"
        );
    }
    let refused = log.try_submit_all_recorded_by(&events[..3], "").unwrap_err();
    assert_eq!((refused.index, log.waiting().events, log.records()), (Some(0), 0, 9));
    close(&disk, &log);
    let refused = log.try_submit_all(&events[..3]).unwrap_err();
    assert!(matches!(refused.error, AppendError::Closed), "{refused}");
    assert_eq!((refused.index, refused.to_string()), (None, AppendError::Closed.to_string()));
}

#[test]
fn a_batch_that_does_not_fit_now_is_refused_whole_and_says_by_how_much() {
    let disk = disk();
    let log = create(&disk);
    let limit = log.waiting().limit;
    assert_eq!(limit, 2 * ENTRY_SIZE_MAX);
    let gate = Arc::default();
    let held: MutexGuard<'_, ()> = Mutex::lock(&gate).unwrap();
    occupy(&disk, &log, &gate);
    assert_eq!((log.waiting().events, log.waiting().size), (0, 0));
    // Each takes some two thousand bytes.
    let events: Vec<Event> = (0..6).map(event).collect();
    let first = log.try_submit_all(&events).unwrap();
    let waiting = log.waiting();
    assert_eq!(waiting.events, 6);
    assert!((6 * 1_600..=limit).contains(&waiting.size), "{waiting:?}");
    let refused = log.try_submit_all_recorded_by(&events, "agent-7").unwrap_err();
    assert_eq!(refused.index, None);
    let AppendError::QueueFull { waiting: size, limit: most, size: more } = refused.error else {
        panic!("{refused}");
    };
    assert_eq!((size, most), (waiting.size, limit));
    assert!(more > waiting.size, "each names its principal: {more}");
    assert_eq!(log.waiting(), waiting, "nothing was queued");
    let single =
        Event::new("a", "b", "c").metadata_raw(format!("{{\"x\":\"{}\"}}", "y".repeat(7_000)));
    for refused in [log.try_submit(&single), log.try_submit_recorded_by(&single, "agent-7")] {
        assert!(matches!(refused, Err(AppendError::QueueFull { .. })), "{refused:?}");
    }
    drop(held);
    assert_eq!(first.last().unwrap().wait().unwrap().seq, 7);
    assert_eq!(log.try_submit_recorded_by(&single, "agent-7").unwrap().wait().unwrap().seq, 8);
    let many: Vec<Event> = (0..9).map(event).collect();
    let refused = log.try_submit_all(&many).unwrap_err();
    assert!(
        matches!(refused.error, AppendError::QueueFull { waiting: 0, limit, size } if size > limit),
        "what is larger than the queue never fits: {refused}"
    );
    close(&disk, &log);
}

#[test]
fn the_same_event_twice_in_a_batch_is_one_record_and_another_under_its_id_refuses_the_batch() {
    let disk = disk();
    let log = create(&disk);
    let twice = [event(1).event_id("e-1"), event(2), event(1).event_id("e-1")];
    let pending = log.try_submit_all(&twice).unwrap();
    let receipts: Vec<_> = pending.iter().map(|pending| pending.wait().unwrap()).collect();
    let seqs: Vec<_> = receipts.iter().map(|receipt| (receipt.seq, receipt.duplicate)).collect();
    assert_eq!(seqs, [(1, false), (2, false), (1, true)]);
    assert_eq!(receipts[0].hash, receipts[2].hash);

    let again = log.try_submit_all(&twice[..1]).unwrap();
    let again = again[0].wait().unwrap();
    assert_eq!((again.seq, again.duplicate), (1, true));

    let new = [event(3).event_id("e-2"), event(4), event(5), event(4).event_id("e-2")];
    let refused = log.try_submit_all(&new).unwrap_err();
    assert!(matches!(refused.error, AppendError::Conflict { seq: None }), "{refused}");
    assert_eq!(refused.index, Some(3));
    let used = [event(3), event(3).event_id("e-1")];
    let refused = log.try_submit_all(&used).unwrap_err();
    assert!(matches!(refused.error, AppendError::Conflict { seq: Some(1) }), "{refused}");
    assert_eq!(refused.index, Some(1));
    let single = log.try_submit(&used[1]).unwrap_err();
    assert!(matches!(single, AppendError::Conflict { seq: Some(1) }), "{single}");
    assert_eq!((log.waiting().events, log.records()), (0, 3), "nothing was queued");

    // Each principal has event ids of its own.
    let scoped = log.try_submit_all_recorded_by(&used, "agent-7").unwrap();
    assert_eq!(
        scoped[1].wait().map(|receipt| (receipt.seq, receipt.duplicate)).unwrap(),
        (4, false)
    );
    let scoped = log.try_submit_recorded_by(&used[1], "agent-7").unwrap().wait().unwrap();
    assert_eq!((scoped.seq, scoped.duplicate), (4, true));
    close(&disk, &log);
}

#[test]
fn an_event_that_is_under_way_takes_no_room_and_meets_its_id() {
    let disk = disk();
    let log = create(&disk);
    let gate = Arc::default();
    let held: MutexGuard<'_, ()> = Mutex::lock(&gate).unwrap();
    occupy(&disk, &log, &gate);
    let events: Vec<Event> = (0..6).map(|n| event(n).event_id(format!("e-{n}"))).collect();
    let first = log.try_submit_all(&events).unwrap();
    let waiting = log.waiting();
    let joined = log.try_submit_all(&events).unwrap();
    assert_eq!(log.waiting(), waiting, "the queue has no room for them twice");
    let refused = log.try_submit(event(7).event_id("e-3")).unwrap_err();
    assert!(matches!(refused, AppendError::Conflict { seq: None }), "{refused}");
    drop(held);
    for (first, joined) in first.iter().zip(&joined) {
        let (first, joined) = (first.wait().unwrap(), joined.wait().unwrap());
        assert_eq!((first.seq, first.duplicate), (joined.seq, !joined.duplicate));
    }
    close(&disk, &log);
}

#[test]
fn who_does_not_wait_is_told_that_event_ids_are_still_being_read() {
    let disk = closed();
    let gate = Arc::default();
    let held: MutexGuard<'_, ()> = Mutex::lock(&gate).unwrap();
    let has_stopped = stop(&disk, "indelible-idempotency", &gate);
    let log = AuditLog::open_on(storage(&disk), FOLDER, narrow()).unwrap();
    has_stopped.recv().unwrap();
    let identified = event(1).event_id("e-1");
    for refused in [
        log.try_submit(&identified).map(drop),
        log.try_submit_recorded_by(&identified, "agent-7").map(drop),
        log.try_submit_all(&[event(0), identified.clone()]).map(drop).map_err(|e| e.error),
    ] {
        assert!(matches!(refused, Err(AppendError::NotReady)), "{refused:?}");
    }
    let without = log.try_submit_all(&[event(0)]).unwrap();
    drop(held);
    assert_eq!(without[0].wait().unwrap().seq, 4);
    assert_eq!(log.append(&identified).unwrap().seq, 5);
    close(&disk, &log);
}

#[test]
fn a_check_says_what_an_append_would_say_of_the_event() {
    for salting in [Salting::On, Salting::Off] {
        let disk = disk();
        let limits = options().with_entry_size_max(ENTRY_SIZE_MAX).with_salt(salting);
        let log = AuditLog::create_on(storage(&disk), FOLDER, limits).unwrap();
        let event = |size| {
            Event::new("a", "b", "c").metadata_raw(format!("{{\"x\":\"{}\"}}", "x".repeat(size)))
        };
        for principal in [None, Some("agent \"7\"")] {
            let fits = |size: &usize| log.check(event(*size), principal).is_ok();
            let most = (0..ENTRY_SIZE_MAX).rev().find(fits).unwrap();
            let append = |size| match principal {
                None => log.append(event(size)),
                Some(principal) => log.append_recorded_by(event(size), principal),
            };
            append(most).unwrap();
            let checked = log.check(event(most + 1), principal).unwrap_err();
            assert!(
                matches!(checked, EventError::EntryTooLarge { limit: ENTRY_SIZE_MAX, size } if size == ENTRY_SIZE_MAX + 1),
                "{checked}"
            );
            assert_eq!(append(most + 1).unwrap_err().to_string(), checked.to_string());
        }
        let own = Event::new("indelible", "b", "c");
        assert!(matches!(log.check(own, None), Err(EventError::LogsOwn { .. })));
        let too_long = "p".repeat(257);
        assert!(matches!(log.check(event(1), Some(&too_long)), Err(EventError::TooLong { .. })));
        assert_eq!((log.records(), log.waiting().events), (3, 0));
        close(&disk, &log);
    }
}

#[test]
fn who_recorded_an_event_stands_in_every_record_of_the_batch() {
    let disk = disk();
    let log = create(&disk);
    let pending = log.try_submit_all_recorded_by(&[event(0), event(1)], "spiffe://x/a").unwrap();
    assert_eq!(pending[1].wait().unwrap().seq, 2);
    for seq in [1, 2] {
        let stored = log.reader().record(seq).unwrap().unwrap();
        let record = Record::parse(&stored.line).unwrap();
        let Content::Event(fields) = record.content() else { panic!("{record:?}") };
        assert_eq!(fields.recorded_by().as_deref(), Some("spiffe://x/a"));
    }
    close(&disk, &log);
}

#[test]
fn a_log_knows_its_folder() {
    let disk = disk();
    assert_eq!(create(&disk).folder(), std::path::Path::new(FOLDER));
}
