//! Reads the tree rows, hash by hash, in memory that does not grow with them.
//!
//! Invariant: what it hands out is what the file holds; whether it is right is for [`tree`](super::tree) to say.

use indelible_format::chain::Hash;

use crate::io::{IoFailure, Operation};
use crate::layout::Layout;
use crate::segment::read_range;
use crate::storage::{Access, Storage, StorageFile};

/// Bytes of one hash.
pub(super) const HASH_SIZE: u64 = 32;
/// Bytes read at once: tiles of 8 KiB, a few of them.
const CHUNK: u64 = 64 * 1024;

/// One row of the tree, read mostly from the beginning to the end.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) number: u8,
    file: Option<Box<dyn StorageFile>>,
    /// Bytes when it was opened, 0 where there is no such file.
    pub(super) size: u64,
    buf: Vec<u8>,
    base: u64,
    failed: bool,
}

/// Why a row has no hash at some index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Gap {
    /// The file ends before.
    Short,
    /// The bytes can't be read; the reason.
    Unreadable(String),
}

impl Row {
    pub(super) fn open(
        storage: &dyn Storage,
        layout: &Layout,
        number: u8,
    ) -> Result<Self, IoFailure> {
        let path = layout.row(number);
        let mut row = Self { number, file: None, size: 0, buf: Vec::new(), base: 0, failed: false };
        match storage.open(&path, Access::Read) {
            Ok(file) => {
                row.size = file.stat().map_err(IoFailure::of(Operation::Stat, &path))?.size;
                row.file = Some(file);
            }
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
            Err(e) => {
                let failure = IoFailure::new(Operation::Open, &path, e);
                // What stands there is no row: as good as absent.
                if !failure.is_no_file() {
                    return Err(failure);
                }
            }
        }
        Ok(row)
    }

    /// Its name in the folder.
    pub(super) fn name(&self) -> String {
        format!("tree/{}", self.number)
    }

    /// The hash at `index`.
    pub(super) fn hash(&mut self, index: u64) -> Result<Hash, Gap> {
        let at = index.saturating_mul(HASH_SIZE);
        let end = at.saturating_add(HASH_SIZE);
        if end > self.size {
            return Err(Gap::Short);
        }
        if let Some(hash) = self.loaded(at) {
            return Ok(hash);
        }
        self.load(at)?;
        self.loaded(at).ok_or(Gap::Short)
    }

    /// The hash that begins at byte `at`, where it is in memory.
    fn loaded(&self, at: u64) -> Option<Hash> {
        let from = usize::try_from(at.checked_sub(self.base)?).ok()?;
        self.buf.get(from..)?.first_chunk().copied().map(Hash::from_bytes)
    }

    fn load(&mut self, at: u64) -> Result<(), Gap> {
        let Some(file) = &self.file else { return Err(Gap::Short) };
        let end = if self.failed { at + HASH_SIZE } else { self.size.min(at + CHUNK) };
        match read_range(file.as_ref(), at, end) {
            Ok(bytes) => {
                self.buf = bytes;
                self.base = at;
                Ok(())
            }
            // A chunk may reach into bytes that can't be read while the hash itself can.
            Err(_) if !self.failed => {
                self.failed = true;
                self.load(at)
            }
            Err(e) => Err(Gap::Unreadable(e.to_string())),
        }
    }
}
