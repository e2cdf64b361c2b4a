//! How far a verification has come, and how to end it early: [`Progress`].

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Tells another thread how far a verification has come, and lets it end it.
///
/// The numbers are for a progress bar: they are not exact, and go back to 0 where segments were removed under the
/// verifier and it begins again.
#[derive(Debug, Default)]
pub struct Progress {
    done: AtomicU64,
    total: AtomicU64,
    stopped: AtomicBool,
}

impl Progress {
    /// Says how many bytes of segments were looked at.
    pub fn done(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }

    /// Says how many bytes of segments there are; 0 before that is known.
    pub fn total(&self) -> u64 {
        self.total.load(Ordering::Relaxed)
    }

    /// Ends the verification soon. Its report says what is known by then, and that it is not
    /// [`complete`](super::Report::complete).
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    /// Says whether [`stop`](Self::stop) was called.
    pub fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }

    pub(super) fn begin(&self, total: u64) {
        self.done.store(0, Ordering::Relaxed);
        self.total.store(total, Ordering::Relaxed);
    }

    pub(super) fn reach(&self, done: u64) {
        self.done.store(done, Ordering::Relaxed);
    }
}
