//! The segment that is written to: its file, and how far it is durable.
//!
//! Invariants:
//! - `size` is that of the last byte that is durable;
//! - a sync counts only where the file is then still the one at its path, with nothing in it but what was written.

use std::path::PathBuf;

use indelible_format::seeded::{self, Bug};

use crate::error::HaltCause;
use crate::in_place::stat_in_place;
use crate::io::write_whole;
use crate::io::{IoFailure, Operation};
use crate::storage::{FileId, Stat, Storage, StorageFile};

/// Disk space is reserved in steps as large as the file, within these bounds: a small log takes little, and a large
/// one asks seldom.
const RESERVE_SIZE_MIN: u64 = 64 << 10;
const RESERVE_SIZE_MAX: u64 = 1 << 20;

/// The segment that is written to.
#[derive(Debug)]
pub(crate) struct Active {
    path: PathBuf,
    file: Box<dyn StorageFile>,
    id: FileId,
    /// Bytes that are durable.
    size: u64,
    /// Up to where disk space is reserved; [`u64::MAX`] where the file system does not reserve.
    reserved: u64,
}

impl Active {
    /// The file at `path`, all of it durable.
    pub(crate) fn new(path: PathBuf, file: Box<dyn StorageFile>, stat: &Stat) -> Self {
        Self { path, file, id: stat.id, size: stat.size, reserved: stat.size }
    }

    /// Bytes that are durable.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// Reserves disk space for the next `more` bytes, and some behind them where the file may become so large: a sync
    /// that need not find space is a few hundredths faster. Where space can't be reserved, the write itself will say
    /// whether there is any.
    ///
    /// # Durability
    /// None is needed: the file's size and content stay as they are.
    pub(crate) fn reserve(&mut self, more: u64, size_max: u64) {
        let needed = self.size + more;
        if needed <= self.reserved {
            return;
        }
        let step = self.size.clamp(RESERVE_SIZE_MIN, RESERVE_SIZE_MAX);
        let wanted = (needed + step).min(size_max).max(needed);
        let reserved = self.file.allocate(self.size, wanted - self.size);
        self.reserved = if reserved.is_ok() { wanted } else { u64::MAX };
    }

    /// Writes `bytes` at the end, with one write; a short one is an error.
    ///
    /// # Durability
    /// None before [`Active::sync`].
    pub(crate) fn write(&self, bytes: &[u8]) -> Result<(), IoFailure> {
        write_whole(self.file.as_ref(), bytes).map_err(IoFailure::of(Operation::Write, &self.path))
    }

    /// Syncs `more` bytes that were written, and makes sure that they are in the file at the path; `synced` is called in
    /// between.
    ///
    /// # Durability
    /// On success they are on the disk.
    pub(crate) fn sync(
        &mut self,
        storage: &dyn Storage,
        more: u64,
        synced: impl FnOnce(),
    ) -> Result<(), HaltCause> {
        let expected = self.size + more;
        let unsynced = seeded::is(Bug::AckBeforeSync)
            || (self.size == 0 && seeded::is(Bug::FirstGroupUnsynced));
        seeded::unless(unsynced, || self.file.sync_data())
            .or_else(|e| if seeded::is(Bug::RetriedSync) { self.file.sync_data() } else { Err(e) })
            .map_err(|e| HaltCause::Io(IoFailure::new(Operation::Sync, &self.path, e)))?;
        synced();
        let stat = stat_in_place(storage, &self.path, self.id)?;
        if stat.size != expected {
            let path = self.path.clone();
            return Err(HaltCause::SizeChanged { path, expected, found: stat.size });
        }
        self.size = expected;
        Ok(())
    }

    /// Cuts the file back to what is durable of it.
    ///
    /// # Durability
    /// On success the cut is synced.
    pub(crate) fn cut_back(&mut self) -> Result<(), IoFailure> {
        self.file.truncate(self.size).map_err(self.failure(Operation::Truncate))?;
        self.reserved = self.size;
        self.file.sync_data().map_err(self.failure(Operation::Sync))
    }

    fn failure(&self, operation: Operation) -> impl FnOnce(std::io::Error) -> IoFailure {
        IoFailure::of(operation, &self.path)
    }
}
