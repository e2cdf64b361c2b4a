//! A disk with sectors that can't be read.

use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use indelible::storage::Storage;

use crate::in_hand::{Hand, InHand};

/// A disk of which one file has bytes that can't be read.
pub(crate) type BadSectors = InHand<Bad>;

pub(crate) struct Bad {
    path: PathBuf,
    ranges: Vec<Range<u64>>,
    refused: AtomicU64,
}

impl BadSectors {
    /// `disk`, with these bytes of the file at `path` lost.
    pub(crate) fn of(disk: Arc<dyn Storage>, path: impl Into<PathBuf>, bad: Range<u64>) -> Self {
        let bad = Bad { path: path.into(), ranges: vec![bad], refused: AtomicU64::new(0) };
        Self::new(disk, &Arc::new(bad))
    }

    /// More of them.
    pub(crate) fn and(mut self, bad: Range<u64>) -> Self {
        self.hand_mut().ranges.push(bad);
        self
    }

    /// How many reads failed so far.
    pub(crate) fn refused(&self) -> u64 {
        self.hand().refused.load(Ordering::Relaxed)
    }
}

impl Hand for Bad {
    fn reads(&self, path: &Path, bytes: Range<u64>) -> io::Result<()> {
        let is_bad = |bad: &Range<u64>| bytes.start < bad.end && bad.start < bytes.end;
        if path == self.path && self.ranges.iter().any(is_bad) {
            self.refused.fetch_add(1, Ordering::Relaxed);
            return Err(io::Error::from_raw_os_error(5));
        }
        Ok(())
    }
}
