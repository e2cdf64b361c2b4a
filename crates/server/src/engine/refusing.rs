//! Whether a log's disk refuses what is written: [`Refusing`].
//!
//! Invariants:
//! - appends are tried all the same: nothing but one that the disk takes shows that it takes them again;
//! - who is not sent any, since it said that it is not ready, says so no longer than [`PATIENCE`], and is tried then.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// For how long after the last refusal the log is not ready.
const PATIENCE: Duration = Duration::from_secs(30);

/// Whether the last appends were refused by the disk.
#[derive(Debug)]
pub(super) struct Refusing {
    began: Instant,
    /// Milliseconds from the beginning to the last refusal, plus 1; 0 where the disk took something since.
    last: AtomicU64,
}

impl Refusing {
    pub(super) fn new() -> Self {
        Self { began: Instant::now(), last: AtomicU64::new(0) }
    }

    /// The disk refused something.
    pub(super) fn refused(&self) {
        self.refused_at(Instant::now());
    }

    /// The disk took something.
    pub(super) fn took(&self) {
        // Most of the time it says so already, and a store would take the line from the other cores.
        if self.last.load(Ordering::Relaxed) != 0 {
            self.last.store(0, Ordering::Relaxed);
        }
    }

    /// Whether it refused what was written last, and not long ago.
    pub(super) fn is_refusing(&self) -> bool {
        self.is_refusing_at(Instant::now())
    }

    fn refused_at(&self, now: Instant) {
        self.last.store(self.since_beginning(now).saturating_add(1), Ordering::Relaxed);
    }

    fn is_refusing_at(&self, now: Instant) -> bool {
        let last = self.last.load(Ordering::Relaxed);
        last != 0 && self.since_beginning(now).saturating_sub(last) < millis(PATIENCE)
    }

    fn since_beginning(&self, now: Instant) -> u64 {
        millis(now.saturating_duration_since(self.began))
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_refuses_until_it_takes_something() {
        let (refusing, now) = (Refusing::new(), Instant::now());
        assert!(!refusing.is_refusing_at(now));
        refusing.refused_at(now);
        assert!(refusing.is_refusing_at(now));
        refusing.took();
        assert!(!refusing.is_refusing_at(now));
    }

    #[test]
    fn who_is_sent_nothing_more_is_tried_again_after_a_while() {
        let (refusing, now) = (Refusing::new(), Instant::now());
        refusing.refused_at(now);
        assert!(refusing.is_refusing_at(now + PATIENCE / 2));
        assert!(!refusing.is_refusing_at(now + 2 * PATIENCE));
    }
}
