//! An open file of this machine.
//!
//! It owns the ways in which bytes are written, synced and read, and the reading past the cache. It does not know the
//! file's name but for opening it a second time.

use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::path::{Path, PathBuf};

use indelible_format::seeded::{self, Bug};
use rustix::fs::{Advice, FallocateFlags, Mode, OFlags};
use rustix::io::{Errno, retry_on_intr};

use super::LocalStorage;
use super::descriptor::Descriptor;
use super::journal;
use crate::storage::{FileId, Stat, StorageFile};

/// What memory, offset and size of a read with `O_DIRECT` are multiples of: enough for sectors of 512 and of 4096.
const DIRECT_ALIGNMENT: usize = 4096;
/// The most that one read with `O_DIRECT` asks for.
const DIRECT_READ_SIZE_MAX: usize = 1 << 20;

/// An open regular file.
#[derive(Debug)]
pub(super) struct LocalFile {
    descriptor: Descriptor,
    storage: LocalStorage,
    path: PathBuf,
    /// Whether a sync of ours is believed only where the journal is alive behind it.
    journalled: bool,
}

impl LocalFile {
    /// Wraps `descriptor`, which was opened at `path` for reading.
    pub(super) fn for_reading(descriptor: Descriptor, storage: &LocalStorage, path: &Path) -> Self {
        Self { descriptor, storage: storage.clone(), path: path.to_path_buf(), journalled: false }
    }

    /// Wraps `descriptor`, which was opened at `path` for writing.
    pub(super) fn for_writing(
        descriptor: Descriptor,
        storage: &LocalStorage,
        path: &Path,
    ) -> io::Result<Self> {
        let journalled = journal::may_be_under(&descriptor)?;
        Ok(Self { journalled, ..Self::for_reading(descriptor, storage, path) })
    }

    fn id(&self) -> io::Result<FileId> {
        Ok(self.stat()?.id)
    }

    /// Opens this file again with `O_DIRECT`; nothing where the file system has no such reads.
    fn open_direct(&self) -> io::Result<Option<Descriptor>> {
        let flags = OFlags::RDONLY | OFlags::DIRECT | OFlags::NONBLOCK;
        let own = format!("/proc/self/fd/{}", self.descriptor.as_fd().as_raw_fd());
        let opened =
            match self.storage.descriptors.open_following(Path::new(&own), flags, Mode::empty()) {
                // No /proc: by name, where it still leads to this file.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    self.storage.descriptors.open(&self.path, flags, Mode::empty())
                }
                opened => opened,
            };
        match opened {
            Ok(direct) => {
                let same =
                    super::stat(&rustix::fs::fstat(&direct)?, self.storage.user).id == self.id()?;
                Ok(same.then_some(direct))
            }
            Err(error) if no_descriptor_left(&error) => Err(error),
            Err(_) => Ok(None),
        }
    }

    /// Reads past the cache; nothing where the file system refuses such reads.
    fn read_direct(&self, buf: &mut [u8], offset: u64) -> io::Result<Option<usize>> {
        let Some(direct) = self.open_direct()? else { return Ok(None) };
        let (start, skipped) = align_down(offset);
        let size =
            (skipped + buf.len().min(DIRECT_READ_SIZE_MAX)).next_multiple_of(DIRECT_ALIGNMENT);
        let mut room = vec![0; size + DIRECT_ALIGNMENT];
        let unaligned = room.as_ptr().align_offset(DIRECT_ALIGNMENT);
        let Some(aligned) = room.get_mut(unaligned..unaligned.saturating_add(size)) else {
            return Ok(None);
        };
        let taken = match retry_on_intr(|| rustix::io::pread(&direct, &mut *aligned, start)) {
            Err(Errno::INVAL) => return Ok(None),
            taken => taken?,
        };
        let read = aligned.get(skipped..taken).unwrap_or_default();
        let count = read.len().min(buf.len());
        for (to, from) in buf.iter_mut().zip(read) {
            *to = *from;
        }
        Ok(Some(count))
    }
}

impl StorageFile for LocalFile {
    fn append(&self, bytes: &[u8]) -> io::Result<usize> {
        // An interrupted write took nothing; one that took something returns how much.
        Ok(retry_on_intr(|| rustix::io::write(&self.descriptor, bytes))?)
    }

    fn allocate(&self, offset: u64, size: u64) -> io::Result<()> {
        if size == 0 {
            return Ok(());
        }
        let flags = FallocateFlags::KEEP_SIZE;
        Ok(retry_on_intr(|| rustix::fs::fallocate(&self.descriptor, flags, offset, size))?)
    }

    fn sync_data(&self) -> io::Result<()> {
        let swallows = seeded::is(Bug::SwallowsSyncError);
        let synced = rustix::fs::fdatasync(&self.descriptor);
        synced.or_else(|e| if swallows { Ok(()) } else { Err(e) })?;
        if self.journalled { journal::check_alive(&self.descriptor) } else { Ok(()) }
    }

    fn truncate(&self, size: u64) -> io::Result<()> {
        Ok(retry_on_intr(|| rustix::fs::ftruncate(&self.descriptor, size))?)
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        Ok(retry_on_intr(|| rustix::io::pread(&self.descriptor, &mut *buf, offset))?)
    }

    fn read_medium_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        if buf.is_empty() || offset >= self.stat()?.size {
            return Ok(0);
        }
        match self.read_direct(buf, offset)? {
            // The file reaches further than that: its end must not be found here.
            Some(0) => Err(io::ErrorKind::UnexpectedEof.into()),
            Some(count) => Ok(count),
            None => {
                // Pages that are not yet written would stay in the cache.
                self.sync_data()?;
                rustix::fs::fadvise(&self.descriptor, 0, None, Advice::DontNeed)?;
                self.read_at(buf, offset)
            }
        }
    }

    fn stat(&self) -> io::Result<Stat> {
        Ok(super::stat(&rustix::fs::fstat(&self.descriptor)?, self.storage.user))
    }
}

/// The multiple of [`DIRECT_ALIGNMENT`] at or before `offset`, and how far before it that is.
fn align_down(offset: u64) -> (u64, usize) {
    let alignment = u64::try_from(DIRECT_ALIGNMENT).unwrap_or(u64::MAX);
    let skipped = offset % alignment;
    (offset - skipped, usize::try_from(skipped).unwrap_or(0))
}

fn no_descriptor_left(error: &io::Error) -> bool {
    let code = error.raw_os_error();
    code == Some(Errno::MFILE.raw_os_error()) || code == Some(Errno::NFILE.raw_os_error())
}
