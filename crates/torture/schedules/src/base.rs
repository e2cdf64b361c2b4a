//! The logs that scenarios begin with.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use indelible::format::time::Timestamp;
use indelible::storage::simulated::SimulatedDisk;
use indelible::{AuditLog, Clock, ClockReading, Event, Options, Salting};
use shuttle::Runner;
use shuttle::scheduler::RoundRobinScheduler;

use crate::scenario::{Made, OLD_IDS};

pub(crate) const FOLDER: &str = "/log";

/// The smallest that are allowed, so that files and queues fill up.
const ENTRY_SIZE_MAX: usize = 8 << 10;
const QUEUE_SIZE_MAX: usize = 2 * ENTRY_SIZE_MAX;
const FILE_SIZE_MAX: u64 = 80 << 10;
/// Bytes of the events that fill a file nearly.
const FILLER_SIZE: usize = 7 << 10;

/// Two disks with a log each.
#[derive(Debug)]
pub(crate) struct Bases {
    pub(crate) small: SimulatedDisk,
    pub(crate) nearly_full: SimulatedDisk,
}

impl Bases {
    pub(crate) fn make() -> Self {
        Self { small: make(0), nearly_full: make(10) }
    }
}

fn make(fillers: u32) -> SimulatedDisk {
    let disk = SimulatedDisk::new();
    let made = Arc::new(Mutex::new(disk.clone()));
    let scheduler = RoundRobinScheduler::new(1);
    Runner::new(scheduler, crate::bench::config()).run(move || {
        let disk = made.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let log = AuditLog::create_on(Arc::new(disk), FOLDER, options()).expect("a new log");
        for number in 0..OLD_IDS {
            log.append(event(&Made::old(number))).expect("appended");
        }
        for number in 0..fillers {
            let action = format!("filler-{number}");
            let filler = Made { action, id: None, size: FILLER_SIZE };
            log.append(event(&filler)).expect("appended");
        }
        log.close().expect("closed");
    });
    disk.fork()
}

/// Options of every log here.
pub(crate) fn options() -> Options {
    Options::default()
        .with_entry_size_max(ENTRY_SIZE_MAX)
        .with_queue_size_max(QUEUE_SIZE_MAX)
        .with_max_file_size(FILE_SIZE_MAX)
        // No time passes under the scheduler: checkpoints are made by callers, rotations and closing.
        .with_checkpoint_interval(Duration::from_mins(60))
        .with_salt(Salting::Off)
        .with_clock(Arc::new(Ticks::default()))
}

/// The event that a caller hands over.
pub(crate) fn event(made: &Made) -> Event {
    let filling = format!("{{\"filling\":\"{}\"}}", "x".repeat(made.size));
    let event = Event::new("caller", &made.action, "queue").metadata_raw(filling);
    match &made.id {
        Some(id) => event.event_id(id),
        None => event,
    }
}

/// A clock that goes on by a microsecond each time it is read, and now and then stands a little behind.
#[derive(Debug, Default)]
struct Ticks(AtomicU64);

impl Clock for Ticks {
    fn now(&self) -> ClockReading {
        let count = i128::from(self.0.fetch_add(1, Ordering::Relaxed));
        let ticks = count * 1_000;
        let behind = if count % 5 == 4 { 3_000 } else { 0 };
        let wall = Timestamp::from_unix_ns(1_800_000_000_000_000_000 + ticks - behind);
        ClockReading { wall: wall.unwrap_or(Timestamp::MIN), counted_ns: ticks }
    }
}
