//! Writes the files of a copy, each synced, and counts their bytes.

use std::path::Path;

use indelible_format::record::parse_head;
use indelible_format::tile::{row_count, rows};

use super::snapshot::Notes;
use crate::io::write_whole;
use crate::io::{IoFailure, Operation};
use crate::layout::Layout;
use crate::recovery::quarantine::is_tmp;
use crate::segment::{Segment, read_range, to_u64};
use crate::storage::{Access, Kind, Privacy, Storage, StorageFile};

const CHUNK: u64 = 1 << 20;
const HASH_SIZE: u64 = 32;

/// A copy in the making.
#[derive(Debug)]
pub(super) struct Target<'a> {
    storage: &'a dyn Storage,
    from: &'a Layout,
    to: &'a Layout,
    bytes: u64,
}

/// What was copied of a segment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Copied {
    /// Seq of its last record.
    pub(super) last: Option<u64>,
    /// Bytes behind its last line feed.
    pub(super) behind: u64,
}

impl<'a> Target<'a> {
    /// Makes the folders.
    pub(super) fn create(
        storage: &'a dyn Storage,
        from: &'a Layout,
        to: &'a Layout,
    ) -> Result<Self, IoFailure> {
        for folder in [to.folder(), &to.tree(), &to.quarantine()] {
            storage.create_folder(folder).map_err(IoFailure::of(Operation::Create, folder))?;
        }
        Ok(Self { storage, from, to, bytes: 0 })
    }

    pub(super) fn notes(&mut self, notes: &Notes) -> Result<(), IoFailure> {
        let files =
            [(self.to.history(), &notes.history), (self.to.checkpoint(), &notes.checkpoint)];
        for (path, bytes) in files {
            let Some(bytes) = bytes else { continue };
            let file = self.create_file(&path)?;
            self.write(file.as_ref(), &path, bytes)?;
            file.sync_data().map_err(IoFailure::of(Operation::Sync, &path))?;
        }
        Ok(())
    }

    /// Copies a segment as number `number`; the newest up to its last line feed, the others whole.
    pub(super) fn segment(
        &mut self,
        segment: &Segment,
        number: usize,
        newest: bool,
    ) -> Result<Copied, IoFailure> {
        let size = if newest { whole_size(segment)? } else { segment.size };
        self.file(segment.file.as_ref(), &segment.path, &self.to.segment(to_u64(number)), size)?;
        let last_line = segment.last_line(size)?;
        let last = last_line.and_then(|(_, line)| parse_head(&line).ok()).map(|head| head.seq);
        Ok(Copied { last, behind: segment.size - size })
    }

    /// Copies the rows, up to what `mark` records need.
    pub(super) fn rows(&mut self, mark: Option<u64>) -> Result<(), IoFailure> {
        for row in 0..mark.map_or(8, rows) {
            let path = self.from.row(row);
            let file = match self.storage.open(&path, Access::Read) {
                Ok(file) => file,
                Err(e) if e.kind() == std::io::ErrorKind::NotFound => continue,
                Err(e) => return Err(IoFailure::new(Operation::Open, &path, e)),
            };
            let size = file.stat().map_err(IoFailure::of(Operation::Stat, &path))?.size;
            let covered = mark.map_or(size, |mark| row_count(row, mark) * HASH_SIZE);
            self.file(file.as_ref(), &path, &self.to.row(row), size.min(covered))?;
        }
        Ok(())
    }

    pub(super) fn quarantine(&mut self) -> Result<(), IoFailure> {
        let folder = self.from.quarantine();
        let names = match self.storage.list(&folder) {
            Ok(names) => names,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(e) => return Err(IoFailure::new(Operation::List, &folder, e)),
        };
        for name in names.iter().filter(|name| !is_tmp(name)) {
            let path = folder.join(name);
            let stat = self.storage.stat(&path).map_err(IoFailure::of(Operation::Stat, &path))?;
            if stat.kind != Kind::File {
                continue;
            }
            let file = self
                .storage
                .open(&path, Access::Read)
                .map_err(IoFailure::of(Operation::Open, &path))?;
            let size = file.stat().map_err(IoFailure::of(Operation::Stat, &path))?.size;
            self.file(file.as_ref(), &path, &self.to.quarantine().join(name), size)?;
        }
        Ok(())
    }

    /// Syncs the folders; returns how many bytes were copied.
    pub(super) fn finish(self) -> Result<u64, IoFailure> {
        for folder in [&self.to.tree(), &self.to.quarantine(), self.to.folder()] {
            self.storage.sync_folder(folder).map_err(IoFailure::of(Operation::Sync, folder))?;
        }
        Ok(self.bytes)
    }

    fn file(
        &mut self,
        source: &dyn StorageFile,
        from: &Path,
        to: &Path,
        size: u64,
    ) -> Result<(), IoFailure> {
        let file = self.create_file(to)?;
        let mut at = 0;
        while at < size {
            let bytes = read_range(source, at, size.min(at + CHUNK))
                .map_err(IoFailure::of(Operation::Read, from))?;
            if bytes.is_empty() {
                break;
            }
            self.write(file.as_ref(), to, &bytes)?;
            at += to_u64(bytes.len());
        }
        file.sync_data().map_err(IoFailure::of(Operation::Sync, to))
    }

    fn create_file(&self, path: &Path) -> Result<Box<dyn StorageFile>, IoFailure> {
        self.storage
            .create_new(path, Privacy::Group)
            .map_err(IoFailure::of(Operation::Create, path))
    }

    fn write(
        &mut self,
        file: &dyn StorageFile,
        path: &Path,
        bytes: &[u8],
    ) -> Result<(), IoFailure> {
        self.bytes += to_u64(bytes.len());
        if bytes.is_empty() {
            return Ok(());
        }
        write_whole(file, bytes).map_err(IoFailure::of(Operation::Write, path))
    }
}

/// Where the last line that ends in a line feed ends; 0 where there is none.
fn whole_size(segment: &Segment) -> Result<u64, IoFailure> {
    let mut end = segment.size;
    while end > 0 {
        let from = end.saturating_sub(CHUNK);
        if let Some(at) = memchr::memrchr(b'\n', &segment.read_range(from, end)?) {
            return Ok(from + to_u64(at) + 1);
        }
        end = from;
    }
    Ok(0)
}

/// Removes a copy in the making, with its files.
pub(super) fn remove(storage: &dyn Storage, to: &Layout) -> Result<(), IoFailure> {
    for folder in [&to.tree(), &to.quarantine(), to.folder()] {
        let names = match storage.list(folder) {
            Ok(names) => names,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => continue,
            Err(e) => return Err(IoFailure::new(Operation::List, folder, e)),
        };
        for name in names {
            let path = folder.join(name);
            storage.unlink(&path).map_err(IoFailure::of(Operation::Remove, &path))?;
        }
        storage.remove_folder(folder).map_err(IoFailure::of(Operation::Remove, folder))?;
    }
    Ok(())
}
