//! Whether a log's writer moves: [`Progress`].

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// For how long a writer may have events and write none of them: longer than any disk that still answers takes.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a writer had done when it was seen moving last.
#[derive(Debug, Default)]
pub(super) struct Progress(Mutex<Option<Moved>>);

#[derive(Clone, Copy, Debug)]
struct Moved {
    records: u64,
    at: Instant,
}

impl Progress {
    /// Whether it moves, or has nothing to do: `records` are durable, `events` wait.
    pub(super) fn look(&self, records: u64, events: usize) -> bool {
        self.look_at(records, events, Instant::now())
    }

    fn look_at(&self, records: u64, events: usize, now: Instant) -> bool {
        let mut moved = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match *moved {
            Some(last) if last.records == records && events > 0 => {
                now.saturating_duration_since(last.at) < PATIENCE
            }
            _ => {
                *moved = Some(Moved { records, at: now });
                true
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_writer_with_events_that_writes_none_is_stuck_after_a_while() {
        let (progress, start) = (Progress::default(), Instant::now());
        assert!(progress.look_at(7, 1, start));
        assert!(progress.look_at(7, 1, start + PATIENCE / 2));
        assert!(!progress.look_at(7, 1, start + PATIENCE));
        assert!(progress.look_at(8, 1, start + PATIENCE), "it moved");
    }

    #[test]
    fn a_writer_with_nothing_to_do_is_not_stuck() {
        let (progress, start) = (Progress::default(), Instant::now());
        assert!(progress.look_at(7, 0, start));
        assert!(progress.look_at(7, 0, start + 3 * PATIENCE));
        assert!(progress.look_at(7, 5, start + 3 * PATIENCE + PATIENCE / 2), "they came just now");
    }
}
