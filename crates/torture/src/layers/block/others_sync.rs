//! A disk on which somebody else's sync always comes just before ours.
//!
//! On any machine the kernel writes back by itself every few seconds, and other programs sync their own files of the same
//! file system. What such a sync meets, an error of the journal above all, it is told; our own sync, coming after it,
//! must not answer as if nothing had been. Whether one of ours failed is noted.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use indelible::storage::local::LocalStorage;
use indelible::storage::{Access, Lock, LockError, Medium, Privacy, Stat, Storage, StorageFile};
use rustix::fd::OwnedFd;
use rustix::fs::{Mode, OFlags};

use super::stage::Stage;

/// The segment that is appended to.
const RECORDS: &str = "audit.log";

/// The file system of this machine, which may be synced as a whole before each sync.
#[derive(Debug)]
pub(super) struct OthersSync {
    local: LocalStorage,
    before_us: bool,
    stage: Option<Arc<Stage>>,
    failed: Arc<AtomicBool>,
}

impl OthersSync {
    pub(super) fn new(before_us: bool) -> io::Result<Self> {
        Ok(Self { local: LocalStorage::new()?, before_us, stage: None, failed: Arc::default() })
    }

    /// Somebody else syncs as `stage` says, and at no other time.
    pub(super) fn staged(stage: &Arc<Stage>) -> io::Result<Self> {
        Ok(Self { stage: Some(Arc::clone(stage)), ..Self::new(false)? })
    }

    /// Set once a sync of ours has failed.
    pub(super) fn failed(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.failed)
    }

    fn file(&self, path: &Path, file: Box<dyn StorageFile>) -> io::Result<Box<dyn StorageFile>> {
        let stage = self.stage.clone().filter(|_| path.ends_with(RECORDS));
        let is_beside = self.before_us || stage.is_some();
        let somebody = is_beside.then(|| Somebody::beside(path)).transpose()?;
        Ok(Box::new(SyncedFile { file, somebody, stage, failed: self.failed() }))
    }
}

fn noted(failed: &AtomicBool, synced: io::Result<()>) -> io::Result<()> {
    synced.inspect_err(|_| failed.store(true, Ordering::Relaxed))
}

/// Somebody else, with a descriptor of their own of the file or folder.
#[derive(Debug)]
pub(super) struct Somebody(OwnedFd);

impl Somebody {
    fn beside(path: &Path) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        Ok(Self(rustix::fs::open(path, flags, Mode::empty())?))
    }

    /// Syncs the whole file system. Where that fails, they are told, and not we.
    pub(super) fn syncs(&self) -> io::Result<()> {
        Ok(rustix::fs::syncfs(&self.0)?)
    }

    /// Syncs what they hold.
    pub(super) fn syncs_file(&self) -> io::Result<()> {
        Ok(rustix::fs::fdatasync(&self.0)?)
    }
}

#[derive(Debug)]
struct SyncedFile {
    file: Box<dyn StorageFile>,
    somebody: Option<Somebody>,
    stage: Option<Arc<Stage>>,
    failed: Arc<AtomicBool>,
}

impl Storage for OthersSync {
    fn list(&self, folder: &Path) -> io::Result<Vec<String>> {
        self.local.list(folder)
    }

    fn stat(&self, path: &Path) -> io::Result<Stat> {
        self.local.stat(path)
    }

    fn open(&self, path: &Path, access: Access) -> io::Result<Box<dyn StorageFile>> {
        self.file(path, self.local.open(path, access)?)
    }

    fn create_new(&self, path: &Path, privacy: Privacy) -> io::Result<Box<dyn StorageFile>> {
        self.file(path, self.local.create_new(path, privacy)?)
    }

    fn create_folder(&self, path: &Path) -> io::Result<()> {
        self.local.create_folder(path)
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        if self.before_us {
            let _told_to_them = Somebody::beside(folder)?.syncs();
        }
        noted(&self.failed, self.local.sync_folder(folder))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.local.rename(from, to)
    }

    fn replace(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.local.replace(from, to)
    }

    fn unlink(&self, path: &Path) -> io::Result<()> {
        self.local.unlink(path)
    }

    fn remove_folder(&self, path: &Path) -> io::Result<()> {
        self.local.remove_folder(path)
    }

    fn lock(&self, path: &Path, holder: &str) -> Result<Box<dyn Lock>, LockError> {
        self.local.lock(path, holder)
    }

    fn lock_untouched(&self, path: &Path) -> Result<Option<Box<dyn Lock>>, LockError> {
        self.local.lock_untouched(path)
    }

    fn medium(&self, folder: &Path) -> io::Result<Medium> {
        self.local.medium(folder)
    }
}

impl StorageFile for SyncedFile {
    fn append(&self, bytes: &[u8]) -> io::Result<usize> {
        self.file.append(bytes)
    }

    fn allocate(&self, offset: u64, size: u64) -> io::Result<()> {
        self.file.allocate(offset, size)
    }

    fn sync_data(&self) -> io::Result<()> {
        match (&self.somebody, &self.stage) {
            (Some(somebody), Some(stage)) => stage.comes(somebody)?,
            (Some(somebody), None) => {
                let _told_to_them = somebody.syncs();
            }
            (None, _) => {}
        }
        noted(&self.failed, self.file.sync_data())
    }

    fn truncate(&self, size: u64) -> io::Result<()> {
        self.file.truncate(size)
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        self.file.read_at(buf, offset)
    }

    fn read_medium_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        self.file.read_medium_at(buf, offset)
    }

    fn stat(&self) -> io::Result<Stat> {
        self.file.stat()
    }
}
