//! A disk on which something happens before one of the operations that a reader asks of it.

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use indelible::storage::{Access, Lock, LockError, Medium, Privacy, Stat, Storage, StorageFile};

/// Does something once, before the operation with a given number.
pub(crate) struct Interleaved {
    disk: Arc<dyn Storage>,
    turn: Turn,
}

#[derive(Clone)]
struct Turn {
    /// Only operations of this thread count, where one is named.
    thread: Option<&'static str>,
    left: Arc<AtomicU64>,
    act: Arc<Mutex<Box<dyn FnMut() + Send>>>,
}

impl Interleaved {
    /// `act` is done before operation `number`, from 0.
    pub(crate) fn before(
        number: u64,
        disk: Arc<dyn Storage>,
        act: impl FnMut() + Send + 'static,
    ) -> Self {
        let turn = Turn {
            thread: None,
            left: Arc::new(AtomicU64::new(number + 1)),
            act: Arc::new(Mutex::new(Box::new(act))),
        };
        Self { disk, turn }
    }

    /// Counts only the operations of the thread of this name.
    pub(crate) fn on_thread(mut self, name: &'static str) -> Self {
        self.turn.thread = Some(name);
        self
    }

    /// Whether there were as many operations.
    pub(crate) fn has_acted(&self) -> bool {
        self.turn.left.load(Ordering::Relaxed) == 0
    }
}

impl Turn {
    fn comes(&self) {
        if self.thread.is_some() && std::thread::current().name() != self.thread {
            return;
        }
        let less = |left: u64| left.checked_sub(1);
        if self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less) == Ok(1) {
            (self.act.lock().unwrap())();
        }
    }
}

impl fmt::Debug for Interleaved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Interleaved").field("disk", &self.disk).finish_non_exhaustive()
    }
}

struct InterleavedFile {
    file: Box<dyn StorageFile>,
    turn: Turn,
}

impl fmt::Debug for InterleavedFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.file.fmt(f)
    }
}

impl Interleaved {
    fn file(&self, file: Box<dyn StorageFile>) -> Box<dyn StorageFile> {
        Box::new(InterleavedFile { file, turn: self.turn.clone() })
    }
}

impl Storage for Interleaved {
    fn list(&self, folder: &Path) -> io::Result<Vec<String>> {
        self.turn.comes();
        self.disk.list(folder)
    }
    fn stat(&self, path: &Path) -> io::Result<Stat> {
        self.turn.comes();
        self.disk.stat(path)
    }
    fn open(&self, path: &Path, access: Access) -> io::Result<Box<dyn StorageFile>> {
        self.turn.comes();
        Ok(self.file(self.disk.open(path, access)?))
    }
    fn create_new(&self, path: &Path, privacy: Privacy) -> io::Result<Box<dyn StorageFile>> {
        Ok(self.file(self.disk.create_new(path, privacy)?))
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

impl StorageFile for InterleavedFile {
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
        self.turn.comes();
        self.file.read_at(buf, offset)
    }
    fn read_medium_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        self.turn.comes();
        self.file.read_medium_at(buf, offset)
    }
    fn stat(&self) -> io::Result<Stat> {
        self.turn.comes();
        self.file.stat()
    }
}
