//! A disk of this machine that counts how often a file is read. Shared with the bench of queries.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use indelible::storage::local::LocalStorage;
use indelible::storage::{Access, Lock, LockError, Medium, Privacy, Stat, Storage, StorageFile};

/// Counts reads.
#[derive(Debug)]
pub(crate) struct Counting {
    inner: LocalStorage,
    reads: Arc<AtomicU64>,
}

impl Counting {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self { inner: LocalStorage::new()?, reads: Arc::default() })
    }

    /// How often a file was read so far.
    pub(crate) fn reads(&self) -> u64 {
        self.reads.load(Ordering::Relaxed)
    }
}

#[derive(Debug)]
struct CountingFile {
    inner: Box<dyn StorageFile>,
    reads: Arc<AtomicU64>,
}

impl Storage for Counting {
    fn list(&self, folder: &Path) -> io::Result<Vec<String>> {
        self.inner.list(folder)
    }
    fn stat(&self, path: &Path) -> io::Result<Stat> {
        self.inner.stat(path)
    }
    fn open(&self, path: &Path, access: Access) -> io::Result<Box<dyn StorageFile>> {
        let inner = self.inner.open(path, access)?;
        Ok(Box::new(CountingFile { inner, reads: Arc::clone(&self.reads) }))
    }
    fn create_new(&self, path: &Path, privacy: Privacy) -> io::Result<Box<dyn StorageFile>> {
        self.inner.create_new(path, privacy)
    }
    fn create_folder(&self, path: &Path) -> io::Result<()> {
        self.inner.create_folder(path)
    }
    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        self.inner.sync_folder(folder)
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.inner.rename(from, to)
    }
    fn replace(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.inner.replace(from, to)
    }
    fn unlink(&self, path: &Path) -> io::Result<()> {
        self.inner.unlink(path)
    }
    fn remove_folder(&self, path: &Path) -> io::Result<()> {
        self.inner.remove_folder(path)
    }
    fn lock(&self, path: &Path, holder: &str) -> Result<Box<dyn Lock>, LockError> {
        self.inner.lock(path, holder)
    }
    fn lock_untouched(&self, path: &Path) -> Result<Option<Box<dyn Lock>>, LockError> {
        self.inner.lock_untouched(path)
    }
    fn medium(&self, folder: &Path) -> io::Result<Medium> {
        self.inner.medium(folder)
    }
}

impl StorageFile for CountingFile {
    fn append(&self, bytes: &[u8]) -> io::Result<usize> {
        self.inner.append(bytes)
    }
    fn allocate(&self, offset: u64, size: u64) -> io::Result<()> {
        self.inner.allocate(offset, size)
    }
    fn sync_data(&self) -> io::Result<()> {
        self.inner.sync_data()
    }
    fn truncate(&self, size: u64) -> io::Result<()> {
        self.inner.truncate(size)
    }
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        self.inner.read_at(buf, offset)
    }
    fn read_medium_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        self.inner.read_medium_at(buf, offset)
    }
    fn stat(&self) -> io::Result<Stat> {
        self.inner.stat()
    }
}
