//! The free space where a log is: [`Space`]. Appends are refused before it runs out, so that the log never has to halt on
//! a full disk, and its last checkpoint can still be written.
//!
//! Invariants:
//! - what was refused for space is taken again only once there is an eighth more than must be, so that it does not swing;
//! - asking ([`Space::check`]) touches no disk; measuring does, on a thread of its own, one at a time.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use rustix::io::Errno;
use tracing::warn;

use crate::error::{ApiError, Code};

/// The free space where a log is.
#[derive(Debug)]
pub(crate) struct Space {
    folder: PathBuf,
    /// Bytes below which appends are refused.
    needed: u64,
    /// As measured last.
    free: AtomicU64,
    low: AtomicBool,
    measuring: AtomicBool,
    failed: AtomicBool,
}

impl Space {
    /// Of the file system with that folder; measured once.
    pub(crate) fn new(folder: PathBuf, needed: u64) -> Arc<Self> {
        let space = Arc::new(Self {
            folder,
            needed,
            free: AtomicU64::new(u64::MAX),
            low: AtomicBool::new(false),
            measuring: AtomicBool::new(false),
            failed: AtomicBool::new(false),
        });
        space.measure_here();
        space
    }

    /// Measures it on a thread that may block, unless one does already.
    pub(crate) fn measure(self: &Arc<Self>) {
        if self.measuring.swap(true, Ordering::AcqRel) {
            return;
        }
        let space = Arc::clone(self);
        tokio::task::spawn_blocking(move || {
            space.measure_here();
            space.measuring.store(false, Ordering::Release);
        });
    }

    fn measure_here(&self) {
        match rustix::fs::statvfs(&self.folder) {
            Ok(found) => {
                self.failed.store(false, Ordering::Release);
                self.observe(found.f_bavail.saturating_mul(found.f_frsize));
            }
            // A disk that is not one of this machine's (in tests) has no space to measure.
            Err(Errno::NOENT) => {}
            Err(error) => {
                if !self.failed.swap(true, Ordering::AcqRel) {
                    let folder = self.folder.display();
                    warn!(%folder, %error, "could not measure free space; the last figure stands");
                }
            }
        }
    }

    /// So many bytes are free.
    fn observe(&self, free: u64) {
        self.free.store(free, Ordering::Release);
        let enough =
            if self.is_low() { self.needed.saturating_add(self.needed / 8) } else { self.needed };
        self.low.store(free < enough, Ordering::Release);
    }

    pub(crate) fn is_low(&self) -> bool {
        self.low.load(Ordering::Acquire)
    }

    /// Bytes that were free when it was measured, where it could be.
    pub(crate) fn free(&self) -> Option<u64> {
        let free = self.free.load(Ordering::Acquire);
        (free != u64::MAX).then_some(free)
    }

    pub(crate) fn needed(&self) -> u64 {
        self.needed
    }

    /// Whether there is enough to take an event.
    ///
    /// # Errors
    /// [`Code::DiskSpace`].
    pub(crate) fn check(&self) -> Result<(), ApiError> {
        if !self.is_low() {
            return Ok(());
        }
        let error = ApiError::new(
            Code::DiskSpace,
            "the log's disk has too little free space left (min_free_space), so nothing more is taken; its operator has \
             to make room; try again then",
        );
        let free = self.free.load(Ordering::Acquire);
        Err(error.caused(format_args!("{free} bytes are free, {} must be", self.needed)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn space(needed: u64) -> Arc<Space> {
        Space::new(PathBuf::from("/nonexistent/folder"), needed)
    }

    #[test]
    fn appends_are_refused_below_the_limit_and_not_at_it() {
        let space = space(800);
        space.observe(800);
        assert!(space.check().is_ok());
        space.observe(799);
        assert_eq!(space.check().unwrap_err().code, Code::DiskSpace);
    }

    #[test]
    fn they_are_taken_again_only_with_an_eighth_more() {
        let space = space(800);
        space.observe(799);
        for free in [800, 899] {
            space.observe(free);
            assert!(space.is_low(), "{free}");
        }
        space.observe(900);
        assert!(!space.is_low());
        space.observe(800);
        assert!(!space.is_low());
    }

    #[test]
    fn a_limit_of_nothing_refuses_nothing() {
        let space = space(0);
        space.observe(0);
        assert!(space.check().is_ok());
    }

    #[test]
    fn what_can_t_be_measured_is_not_low() {
        let space = space(800);
        assert_eq!(space.free(), None);
        assert!(space.check().is_ok());
    }
}
