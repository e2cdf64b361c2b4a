//! A disk with sectors that can't be read.

use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use indelible::storage::Storage;
use indelible::storage::in_hand::{Hand, InHand};

/// A disk of which one file has bytes that can't be read.
pub(crate) type BadSectors = InHand<Bad>;

pub(crate) struct Bad {
    path: PathBuf,
    ranges: Vec<Range<u64>>,
    refused: AtomicU64,
}

impl Bad {
    /// These bytes of the file at `path` are lost.
    pub(crate) fn at(path: impl Into<PathBuf>, bytes: Range<u64>) -> Self {
        Self { path: path.into(), ranges: vec![bytes], refused: AtomicU64::new(0) }
    }

    /// And these.
    pub(crate) fn and(mut self, bytes: Range<u64>) -> Self {
        self.ranges.push(bytes);
        self
    }

    /// The file is one of `disk`.
    pub(crate) fn of(self, disk: Arc<dyn Storage>) -> BadSectors {
        InHand::new(disk, &Arc::new(self))
    }

    /// How many reads failed so far.
    pub(crate) fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
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
