//! A disk with sectors that can't be read.

use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use indelible::storage::{Access, Lock, LockError, Medium, Privacy, Stat, Storage, StorageFile};

/// A disk of which one file has bytes that can't be read.
#[derive(Debug)]
pub(crate) struct BadSectors {
    disk: Arc<dyn Storage>,
    path: PathBuf,
    bad: Vec<Range<u64>>,
    refused: Arc<AtomicU64>,
}

impl BadSectors {
    /// `disk`, with these bytes of the file at `path` lost.
    pub(crate) fn of(disk: Arc<dyn Storage>, path: impl Into<PathBuf>, bad: Range<u64>) -> Self {
        Self { disk, path: path.into(), bad: vec![bad], refused: Arc::default() }
    }

    /// More of them.
    pub(crate) fn and(mut self, bad: Range<u64>) -> Self {
        self.bad.push(bad);
        self
    }

    /// How many reads failed so far.
    pub(crate) fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }
}

#[derive(Debug)]
struct BadFile {
    file: Box<dyn StorageFile>,
    bad: Vec<Range<u64>>,
    refused: Arc<AtomicU64>,
}

impl Storage for BadSectors {
    fn list(&self, folder: &Path) -> io::Result<Vec<String>> {
        self.disk.list(folder)
    }
    fn stat(&self, path: &Path) -> io::Result<Stat> {
        self.disk.stat(path)
    }
    fn open(&self, path: &Path, access: Access) -> io::Result<Box<dyn StorageFile>> {
        let file = self.disk.open(path, access)?;
        if path != self.path {
            return Ok(file);
        }
        Ok(Box::new(BadFile { file, bad: self.bad.clone(), refused: Arc::clone(&self.refused) }))
    }
    fn create_new(&self, path: &Path, privacy: Privacy) -> io::Result<Box<dyn StorageFile>> {
        self.disk.create_new(path, privacy)
    }
    fn create_folder(&self, path: &Path) -> io::Result<()> {
        self.disk.create_folder(path)
    }
    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        self.disk.sync_folder(folder)
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

impl StorageFile for BadFile {
    fn append(&self, bytes: &[u8]) -> io::Result<usize> {
        self.file.append(bytes)
    }
    fn allocate(&self, offset: u64, size: u64) -> io::Result<()> {
        self.file.allocate(offset, size)
    }
    fn sync_data(&self) -> io::Result<()> {
        self.file.sync_data()
    }
    fn truncate(&self, size: u64) -> io::Result<()> {
        self.file.truncate(size)
    }
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        let end = offset + u64::try_from(buf.len()).unwrap();
        if self.bad.iter().any(|bad| offset < bad.end && bad.start < end) {
            self.refused.fetch_add(1, Ordering::Relaxed);
            return Err(io::Error::from_raw_os_error(5));
        }
        self.file.read_at(buf, offset)
    }
    fn read_medium_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        self.read_at(buf, offset)
    }
    fn stat(&self) -> io::Result<Stat> {
        self.file.stat()
    }
}
