//! Watches a verification: a bar where it takes long, and Ctrl-C, which ends it with what it knows.
//!
//! Invariants:
//! - the first Ctrl-C asks it to end, a second one ends the process; before and after, Ctrl-C does what it always does;
//! - a bar is drawn only on a terminal, and only after a second.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use indelible::Progress;
use signal_hook::consts::SIGINT;
use signal_hook::flag::{register, register_conditional_shutdown};

use crate::render::Bar;

/// How often it looks.
const INTERVAL: Duration = Duration::from_millis(100);
/// How long a verification may take before there is a bar.
const PATIENCE: Duration = Duration::from_secs(1);
/// As `exit` has it for what could not be done.
const COULD_NOT: i32 = 1;

/// Runs `verify`, which tells `progress` how far it has come, and stops it at Ctrl-C.
pub(super) fn watched<T>(progress: &Progress, verify: impl FnOnce() -> T) -> io::Result<T> {
    let interrupted = Arc::new(AtomicBool::new(false));
    // In this order: the second signal finds the flag set.
    register_conditional_shutdown(SIGINT, COULD_NOT, Arc::clone(&interrupted))?;
    register(SIGINT, Arc::clone(&interrupted))?;
    let done = AtomicBool::new(false);
    let verified = thread::scope(|scope| {
        let watcher = scope.spawn(|| watch(progress, &interrupted, &done));
        let verified = verify();
        done.store(true, Ordering::Relaxed);
        watcher.thread().unpark();
        verified
    });
    // From now on the first Ctrl-C ends the process.
    interrupted.store(true, Ordering::Relaxed);
    Ok(verified)
}

fn watch(progress: &Progress, interrupted: &AtomicBool, done: &AtomicBool) {
    let begun = Instant::now();
    let mut bar = None;
    while !done.load(Ordering::Relaxed) {
        if interrupted.load(Ordering::Relaxed) {
            progress.stop();
        }
        if begun.elapsed() > PATIENCE {
            let bar = bar.get_or_insert_with(Bar::new);
            bar.at(progress.done(), progress.total());
        }
        thread::park_timeout(INTERVAL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interrupt_stops_the_verification_and_not_the_process() {
        let progress = Progress::default();
        let stopped = watched(&progress, || {
            signal_hook::low_level::raise(SIGINT).expect("raised");
            let begun = Instant::now();
            while !progress.is_stopped() && begun.elapsed() < Duration::from_secs(20) {
                thread::yield_now();
            }
            progress.is_stopped()
        });
        assert!(stopped.expect("registered"));
    }
}
