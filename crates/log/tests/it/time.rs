//! The log's time under clocks that go wrong: what `timestamp` a record gets, and what the log says of its clock.

use std::path::Path;
use std::sync::{Arc, Mutex};

use indelible::format::own::{ClockBehind, ClockJump, OwnRecord};
use indelible::format::record::{Content, Record};
use indelible::format::time::Timestamp;
use indelible::storage::simulated::SimulatedDisk;
use indelible::{AuditLog, Clock, ClockReading, Event, LastTimestamp, OpenError, Options, Reader};

use crate::checker::assert_log_is_sound;
use crate::scene::*;

const SECOND_NS: i128 = 1_000_000_000;
const HOUR: i128 = 3_600;
const DAY: i128 = 24 * HOUR;

/// So many seconds after some moment.
fn at(seconds: i128) -> Timestamp {
    Timestamp::from_unix_ns((1_800_000_000 + seconds) * SECOND_NS).unwrap()
}

/// Clocks that stand where they were set.
#[derive(Debug)]
struct SetClock(Mutex<ClockReading>);

impl SetClock {
    fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new(ClockReading { wall: at(0), counted_ns: 0 })))
    }

    /// The wall clock, and what was counted since the start, in seconds.
    fn set(&self, wall: i128, counted: i128) {
        *self.0.lock().unwrap() = ClockReading { wall: at(wall), counted_ns: counted * SECOND_NS };
    }
}

impl Clock for SetClock {
    fn now(&self) -> ClockReading {
        *self.0.lock().unwrap()
    }
}

fn with(clock: &Arc<SetClock>) -> Options {
    options().with_clock(Arc::<SetClock>::clone(clock))
}

fn small_event() -> Event {
    Event::new("a", "b", "c")
}

/// A record, as far as time is concerned: what it says of the clock, or nothing, and its timestamp.
type Entry = (Option<OwnRecord>, Timestamp);

fn event_at(seconds: i128) -> Entry {
    (None, at(seconds))
}

fn behind(wall: i128, timestamp: i128) -> Entry {
    (Some(OwnRecord::ClockBehind(ClockBehind { wall: at(wall) })), at(timestamp))
}

/// A jump of the clock, which stands at `.0` where `.1` was counted.
fn jump((wall, counted): (i128, i128), believed: bool, timestamp: i128) -> Entry {
    let jump = ClockJump { wall: at(wall), counted: at(counted), believed };
    (Some(OwnRecord::ClockJump(jump)), at(timestamp))
}

/// Every record behind the genesis.
fn entries(disk: &SimulatedDisk) -> Vec<Entry> {
    let reader = Reader::open_on(storage(disk), FOLDER).unwrap().unsynced();
    let entry = |line: &[u8]| {
        let record = Record::parse(line).unwrap();
        let own = match record.content() {
            Content::Own(own) => Some(own.clone()),
            Content::Event(_) | _ => None,
        };
        (own, record.timestamp())
    };
    reader.lines_from(1).unwrap().map(|record| entry(&record.unwrap().line)).collect()
}

/// Appends one event at each of these settings of the clocks to a new log, and gives its records.
#[track_caller]
fn recorded_at(settings: &[(i128, i128)]) -> Vec<Entry> {
    let (disk, clock) = (disk(), SetClock::new());
    let log = AuditLog::create_on(storage(&disk), FOLDER, with(&clock)).unwrap();
    for (wall, counted) in settings {
        clock.set(*wall, *counted);
        let receipt = log.append(small_event()).unwrap();
        assert_eq!(entries(&disk).last().unwrap().1, receipt.timestamp);
    }
    log.close().unwrap();
    drop(assert_log_is_sound(&storage(&disk), FOLDER, &[]));
    entries(&disk)
}

#[test]
fn a_clock_that_falls_behind_is_told_once_an_episode_and_time_stands() {
    let found = recorded_at(&[(100, 100), (99, 101), (50, 102), (51, 103), (101, 153), (60, 154)]);
    let expected = [
        event_at(100),
        // A second is nothing.
        event_at(100),
        behind(50, 100),
        event_at(100),
        event_at(100),
        event_at(101),
        behind(60, 101),
        event_at(101),
    ];
    assert_eq!(found, expected);
}

#[test]
fn a_clock_that_jumps_ahead_is_believed_after_five_minutes_in_step() {
    let found = recorded_at(&[
        (10, 10),
        (DAY, 20),
        (DAY + 100, 120),
        (DAY + 299, 319),
        (DAY + 300, 320),
        (DAY + 301, 321),
    ]);
    let expected = [
        event_at(10),
        jump((DAY, 20), false, 20),
        event_at(20),
        event_at(120),
        event_at(319),
        jump((DAY + 300, 320), true, DAY + 300),
        event_at(DAY + 300),
        event_at(DAY + 301),
    ];
    assert_eq!(found, expected);
}

#[test]
fn a_clock_that_jumps_ahead_and_comes_back_is_never_believed() {
    let found = recorded_at(&[(10, 10), (DAY, 20), (30, 30), (31, 31)]);
    let expected = [
        event_at(10),
        jump((DAY, 20), false, 20),
        event_at(20),
        jump((30, 30), false, 30),
        event_at(30),
        event_at(31),
    ];
    assert_eq!(found, expected);
}

#[test]
fn a_clock_that_jumps_an_hour_is_believed_at_once() {
    let found = recorded_at(&[(10, 10), (20 + HOUR, 20), (21 + HOUR, 21)]);
    assert_eq!(found, [event_at(10), event_at(20 + HOUR), event_at(21 + HOUR)]);
    let found = recorded_at(&[(10, 10), (21 + HOUR, 20)]);
    assert_eq!(found, [event_at(10), jump((21 + HOUR, 20), false, 20), event_at(20)]);
}

#[test]
fn a_log_that_slept_is_no_jump() {
    // The counted clock goes on while the machine is suspended.
    assert_eq!(recorded_at(&[(10, 10), (DAY, DAY)]), [event_at(10), event_at(DAY)]);
}

#[test]
fn a_jump_during_a_rotation_is_told_behind_the_prune_record() {
    let (disk, clock) = (disk(), SetClock::new());
    let options = with(&clock).with_max_files(1);
    let log = AuditLog::create_on(storage(&disk), FOLDER, options).unwrap();
    // So many of two thousand bytes that the second file is full.
    let mut jumped = false;
    for number in 0..400 {
        log.append(event(number)).unwrap();
        let size = active(&disk).len();
        if disk.read_file(in_folder("audit.log.1")).is_ok() && size + 2_000 > 192 << 10 {
            clock.set(DAY, 10);
            log.append(event(number)).unwrap();
            jumped = true;
            break;
        }
    }
    assert!(jumped);
    log.close().unwrap();
    let lines = active(&disk);
    let own: Vec<_> = lines.split_inclusive(|byte| *byte == b'\n').take(2).collect();
    let own = own_records(&own.concat());
    assert!(matches!(own[0], OwnRecord::Prune(_)), "{own:?}");
    assert_eq!(Some(own[1].clone()), jump((DAY, 10), false, 10).0);
    drop(assert_log_is_sound(&storage(&disk), FOLDER, &[]));
}

/// A log whose last record is of that time, and its clocks.
fn ending_at(wall: i128) -> (SimulatedDisk, Arc<SetClock>) {
    let (disk, clock) = (disk(), SetClock::new());
    let log = AuditLog::create_on(storage(&disk), FOLDER, with(&clock)).unwrap();
    clock.set(wall, wall);
    log.append(small_event()).unwrap();
    log.close().unwrap();
    (disk, clock)
}

#[test]
fn a_last_timestamp_over_an_hour_ahead_of_the_clock_is_refused_unless_accepted() {
    let (disk, clock) = ending_at(DAY);
    clock.set(DAY - HOUR - 1, 0);
    let before = snapshot(&disk);
    match AuditLog::open_on(storage(&disk), FOLDER, with(&clock)) {
        Err(OpenError::LastTimestampAhead { last, wall }) => {
            assert_eq!((last, wall), (at(DAY), at(DAY - HOUR - 1)));
        }
        other => panic!("not refused: {other:?}"),
    }
    assert_eq!(snapshot(&disk), before, "a refusal changes nothing");
    drop(assert_log_is_sound(&storage(&disk), Path::new(FOLDER), &[]));

    let accepted = with(&clock).with_last_timestamp(LastTimestamp::AcceptAhead);
    let log = AuditLog::open_on(storage(&disk), FOLDER, accepted).unwrap();
    log.append(small_event()).unwrap();
    clock.set(DAY + 1, HOUR + 2);
    log.append(small_event()).unwrap();
    log.close().unwrap();
    let expected = [event_at(DAY), behind(DAY - HOUR - 1, DAY), event_at(DAY), event_at(DAY + 1)];
    assert_eq!(entries(&disk), expected);
    drop(assert_log_is_sound(&storage(&disk), FOLDER, &[]));
}

#[test]
fn a_last_timestamp_an_hour_ahead_of_the_clock_is_taken_and_time_stands_until_then() {
    let (disk, clock) = ending_at(DAY);
    clock.set(DAY - HOUR, 0);
    let log = AuditLog::open_on(storage(&disk), FOLDER, with(&clock)).unwrap();
    log.append(small_event()).unwrap();
    log.close().unwrap();
    assert_eq!(entries(&disk), [event_at(DAY), behind(DAY - HOUR, DAY), event_at(DAY)]);
    drop(assert_log_is_sound(&storage(&disk), FOLDER, &[]));
}

#[test]
fn an_opening_that_repairs_while_the_clock_is_behind_tells_of_the_clock_last() {
    let (disk, clock) = ending_at(DAY);
    let kept = [active(&disk), Head::of(&active(&disk)).record()].concat();
    write_active(&disk, [&kept[..], b"torn"].concat());
    clock.set(DAY - 60, 0);
    let log = AuditLog::open_on(storage(&disk), FOLDER, with(&clock)).unwrap();
    let own = own_records(&active(&disk)[kept.len()..]);
    assert!(
        matches!(own[..], [OwnRecord::Recover(_), OwnRecord::Adopt(_), OwnRecord::ClockBehind(_)]),
        "{own:?}"
    );
    log.close().unwrap();
    drop(assert_log_is_sound(&storage(&disk), FOLDER, &[]));
}
