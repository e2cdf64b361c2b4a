//! A disk that passes every call on, with somebody beside it: what a test or a bench changes about a disk stands in its
//! [`Hand`] alone.

use std::fmt;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Access, Lock, LockError, Medium, Privacy, Stat, Storage, StorageFile};

/// Who has the calls of a disk in hand.
#[expect(clippy::missing_errors_doc, reason = "each fails as the hand wants it")]
pub trait Hand: Send + Sync + 'static {
    /// Comes before the disk is asked what it holds: for names, for what a file is, for a file, for bytes.
    fn looks(&self) {}
    /// Comes before these bytes of a file are read, or in the place of that.
    fn reads(&self, _path: &Path, _bytes: Range<u64>) -> io::Result<()> {
        Ok(())
    }
    /// Comes after bytes were written to the end of a file, or were not.
    fn was_written(&self, _path: &Path) {}
    /// Makes the sync of a file or folder, or does not.
    fn sync(&self, _path: &Path, sync: &dyn Fn() -> io::Result<()>) -> io::Result<()> {
        sync()
    }
}

/// A disk whose calls a [`Hand`] sees.
pub struct InHand<H> {
    disk: Arc<dyn Storage>,
    hand: Arc<H>,
}

impl<H: Hand> InHand<H> {
    /// Puts `disk` in `hand`.
    pub fn new(disk: Arc<dyn Storage>, hand: &Arc<H>) -> Self {
        Self { disk, hand: Arc::clone(hand) }
    }

    /// Whoever has it.
    pub fn hand(&self) -> &H {
        &self.hand
    }

    fn file(&self, path: &Path, file: Box<dyn StorageFile>) -> Box<dyn StorageFile> {
        let (path, hand) = (path.to_path_buf(), Arc::clone(&self.hand));
        Box::new(FileInHand { file, path, hand })
    }
}

struct FileInHand<H> {
    file: Box<dyn StorageFile>,
    path: PathBuf,
    hand: Arc<H>,
}

impl<H> fmt::Debug for InHand<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.disk.fmt(f)
    }
}

impl<H> fmt::Debug for FileInHand<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.file.fmt(f)
    }
}

impl<H: Hand> Storage for InHand<H> {
    fn list(&self, folder: &Path) -> io::Result<Vec<String>> {
        self.hand.looks();
        self.disk.list(folder)
    }
    fn stat(&self, path: &Path) -> io::Result<Stat> {
        self.hand.looks();
        self.disk.stat(path)
    }
    fn open(&self, path: &Path, access: Access) -> io::Result<Box<dyn StorageFile>> {
        self.hand.looks();
        Ok(self.file(path, self.disk.open(path, access)?))
    }
    fn create_new(&self, path: &Path, privacy: Privacy) -> io::Result<Box<dyn StorageFile>> {
        Ok(self.file(path, self.disk.create_new(path, privacy)?))
    }
    fn create_folder(&self, path: &Path) -> io::Result<()> {
        self.disk.create_folder(path)
    }
    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        self.hand.sync(folder, &|| self.disk.sync_folder(folder))
    }
    fn sync_outer_folder(&self, folder: &Path) -> io::Result<()> {
        self.hand.sync(folder, &|| self.disk.sync_outer_folder(folder))
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.disk.rename(from, to)
    }
    fn replace(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.disk.replace(from, to)
    }
    fn unlink(&self, path: &Path) -> io::Result<()> {
        self.disk.unlink(path)
    }
    fn remove_folder(&self, path: &Path) -> io::Result<()> {
        self.disk.remove_folder(path)
    }
    fn lock(&self, path: &Path, holder: &str) -> Result<Box<dyn Lock>, LockError> {
        self.disk.lock(path, holder)
    }
    fn lock_untouched(&self, path: &Path) -> Result<Option<Box<dyn Lock>>, LockError> {
        self.disk.lock_untouched(path)
    }
    fn medium(&self, folder: &Path) -> io::Result<Medium> {
        self.disk.medium(folder)
    }
}

impl<H: Hand> StorageFile for FileInHand<H> {
    fn append(&self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.append(bytes);
        self.hand.was_written(&self.path);
        written
    }
    fn allocate(&self, offset: u64, size: u64) -> io::Result<()> {
        self.file.allocate(offset, size)
    }
    fn sync_data(&self) -> io::Result<()> {
        self.hand.sync(&self.path, &|| self.file.sync_data())
    }
    fn truncate(&self, size: u64) -> io::Result<()> {
        self.file.truncate(size)
    }
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        self.reads(buf, offset)?;
        self.file.read_at(buf, offset)
    }
    fn read_medium_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        self.reads(buf, offset)?;
        self.file.read_medium_at(buf, offset)
    }
    fn stat(&self) -> io::Result<Stat> {
        self.hand.looks();
        self.file.stat()
    }
}

impl<H: Hand> FileInHand<H> {
    fn reads(&self, buf: &[u8], offset: u64) -> io::Result<()> {
        self.hand.looks();
        let end = offset.saturating_add(u64::try_from(buf.len()).unwrap_or(u64::MAX));
        self.hand.reads(&self.path, offset..end)
    }
}
