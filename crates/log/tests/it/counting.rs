//! A disk of this machine that counts how often a file is read. Shared with the bench of queries.

use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use indelible::storage::in_hand::{Hand, InHand};
use indelible::storage::local::LocalStorage;

/// A disk that counts reads.
pub(crate) type Counting = InHand<Reads>;

/// How often a file was read.
#[derive(Debug, Default)]
pub(crate) struct Reads(AtomicU64);

impl Reads {
    /// A disk whose reads it counts.
    pub(crate) fn of_this_machine() -> io::Result<Counting> {
        Ok(InHand::new(Arc::new(LocalStorage::new()?), &Arc::default()))
    }

    /// So far.
    pub(crate) fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Hand for Reads {
    fn reads(&self, _path: &Path, _bytes: Range<u64>) -> io::Result<()> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}
