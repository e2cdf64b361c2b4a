//! Runs schedules, a batch of them for each scenario, on all processors.
//!
//! It prints `tried <number>`, how many schedules ran, and what it counted, one `count <number> <what>` a line; or
//! `tried <number>` and `violation <case> <what>`, and ends.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::thread;

use fastrand::Rng;
use indelible::AuditLog;
use indelible::storage::simulated::SimulatedDisk;
use shuttle::scheduler::{PctScheduler, RandomScheduler};
use shuttle::{Config, FailurePersistence, Runner};

use crate::base::{Bases, FOLDER, event, options};
use crate::caller;
use crate::scenario::Scenario;
use crate::seen::Seen;

/// Schedules of one scenario with one scheduler: the PCT scheduler learns from the first how long they are.
const BATCH: u64 = 25;

static COUNTS: LazyLock<Mutex<BTreeMap<&'static str, u64>>> = LazyLock::new(Mutex::default);

/// Schedules that were run, the one included that is running.
static TRIED: AtomicU64 = AtomicU64::new(0);

thread_local! {
    /// The schedule that this thread is at.
    static CASE: Cell<u64> = const { Cell::new(0) };
}

pub(crate) fn main() {
    let numbers: Vec<u64> = std::env::args().skip(1).filter_map(|text| text.parse().ok()).collect();
    let [seed, first, cases] = numbers[..] else {
        println!("error: seed, first case and number of cases are wanted");
        std::process::exit(2);
    };
    std::panic::set_hook(Box::new(|panic| violation(&panic.to_string())));
    let bases = Arc::new(Bases::make());
    // A case is replayed with the whole batch before it.
    let (batch, end) = (AtomicU64::new(first / BATCH), first + cases);
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                loop {
                    let batch = batch.fetch_add(1, Ordering::Relaxed);
                    let first = batch * BATCH;
                    if first >= end {
                        break;
                    }
                    run_batch(seed, batch, (end - first).min(BATCH), &bases);
                }
            });
        }
    });
    println!("tried {}", TRIED.load(Ordering::Relaxed));
    for (what, count) in COUNTS.lock().unwrap_or_else(PoisonError::into_inner).iter() {
        println!("count {count} {what}");
    }
}

/// Counts something.
pub(crate) fn count(what: &'static str) {
    *COUNTS.lock().unwrap_or_else(PoisonError::into_inner).entry(what).or_default() += 1;
}

/// Says what is wrong, and ends.
pub(crate) fn violation(what: &str) -> ! {
    println!("tried {}", TRIED.load(Ordering::Relaxed));
    println!("violation {} {}", CASE.get(), what.replace('\n', "; "));
    std::process::exit(1);
}

pub(crate) fn config() -> Config {
    let mut config = Config::new();
    config.stack_size = 256 << 10;
    config.failure_persistence = FailurePersistence::None;
    config.silence_warnings = true;
    config
}

fn run_batch(seed: u64, batch: u64, schedules: u64, bases: &Arc<Bases>) {
    let mixed =
        |number: u64| Rng::with_seed(seed ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15)).u64(..);
    // Two batches try the same scenario, one with each scheduler.
    let scenario = Scenario::new(&mut Rng::with_seed(mixed(batch / 2)));
    let (seed, iterations) = (mixed(batch), usize::try_from(schedules).expect("few"));
    let (bases, next) = (Arc::clone(bases), AtomicU64::new(batch * BATCH));
    let kind =
        if batch % 2 == 0 { "schedules at random" } else { "schedules with few preemptions (PCT)" };
    let one = move || {
        count(kind);
        CASE.set(next.fetch_add(1, Ordering::Relaxed));
        TRIED.fetch_add(1, Ordering::Relaxed);
        run_one(&scenario, &bases);
    };
    if batch % 2 == 0 {
        Runner::new(RandomScheduler::new_from_seed(seed, iterations), config()).run(one);
    } else {
        Runner::new(PctScheduler::new_from_seed(seed, 4, iterations), config()).run(one);
    }
}

fn run_one(scenario: &Scenario, bases: &Bases) {
    let base = if scenario.nearly_full { &bases.nearly_full } else { &bases.small };
    let disk = base.fork();
    let log = Arc::new(open(&disk));
    scenario.fault.plant(&disk);
    let seen = Arc::new(Seen::new(disk.clone()));
    let callers = scenario.callers.iter().cloned().map(|acts| {
        let (log, seen) = (Arc::clone(&log), Arc::clone(&seen));
        shuttle::thread::spawn(move || caller::run(&log, &acts, &seen))
    });
    let callers: Vec<_> = callers.collect();
    for caller in callers {
        caller.join().expect("a panic has ended the program");
    }
    let closed = log.close();
    if closed.is_err() && disk.faults_struck() == 0 {
        seen.wrong(format!("closing: {closed:?}"));
    }
    if log.halted().is_some() {
        count("halts");
    }
    seen.end(scenario);
    if scenario.reopens {
        count("logs opened again");
        reopened(&disk, &seen);
    }
}

/// After a power cut, each acknowledged event with an `event_id` is known.
fn reopened(disk: &SimulatedDisk, seen: &Seen) {
    let log = open(&disk.after_crash(&disk.only_synced()));
    for (made, receipt) in seen.acknowledged().into_iter().filter(|(made, _)| made.id.is_some()) {
        match log.append(event(&made)) {
            Ok(again) if again.seq == receipt.seq && again.hash == receipt.hash => {}
            other => seen.wrong(format!("{made:?}: {receipt}, and after a power cut: {other:?}")),
        }
    }
    log.close().unwrap_or_else(|error| seen.wrong(format!("closing again: {error}")));
}

fn open(disk: &SimulatedDisk) -> AuditLog {
    let opened = AuditLog::open_on(Arc::new(disk.clone()), FOLDER, options());
    opened.unwrap_or_else(|error| violation(&format!("the log does not open: {error}")))
}
