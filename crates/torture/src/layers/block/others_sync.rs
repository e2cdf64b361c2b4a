//! A disk on which somebody else's sync always comes just before ours.
//!
//! On any machine the kernel writes back by itself every few seconds, and other programs sync their own files of the same
//! file system. What such a sync meets, an error of the journal above all, it is told; our own sync, coming after it,
//! must not answer as if nothing had been.
//!
//! That one of ours failed is told; where that is asked for, of each when it begins and how it ends.

use std::io;
use std::path::Path;
use std::sync::Arc;

use indelible::storage::local::LocalStorage;
use indelible::storage::{Access, Lock, LockError, Medium, Privacy, Stat, Storage, StorageFile};
use rustix::fd::OwnedFd;
use rustix::fs::{Mode, OFlags};

use super::stage::Stage;
use super::teller::Teller;
use super::told::word;

/// The segment that is appended to.
const RECORDS: &str = "audit.log";

/// The file system of this machine, which may be synced as a whole before each sync.
#[derive(Debug)]
pub(super) struct OthersSync {
    local: LocalStorage,
    before_us: bool,
    stage: Option<Arc<Stage>>,
    ours: Ours,
}

impl OthersSync {
    /// Nobody else syncs, or not through this.
    pub(super) fn new(teller: &Arc<Teller>) -> io::Result<Self> {
        let ours = Ours { teller: Arc::clone(teller), tells_all: false };
        Ok(Self { local: LocalStorage::new()?, before_us: false, stage: None, ours })
    }

    /// Somebody else syncs the file system before each sync.
    pub(super) fn before_us(self) -> Self {
        Self { before_us: true, ..self }
    }

    /// Somebody else syncs as `stage` says, and at no other time.
    pub(super) fn staged(self, stage: &Arc<Stage>) -> Self {
        Self { stage: Some(Arc::clone(stage)), ..self }
    }

    /// Tells of each sync when it begins and how it ends.
    pub(super) fn telling_all(self) -> Self {
        Self { ours: Ours { tells_all: true, ..self.ours }, ..self }
    }

    fn file(&self, path: &Path, file: Box<dyn StorageFile>) -> io::Result<Box<dyn StorageFile>> {
        let stage = self.stage.clone().filter(|_| path.ends_with(RECORDS));
        let is_beside = self.before_us || stage.is_some();
        let somebody = is_beside.then(|| Somebody::beside(path)).transpose()?;
        Ok(Box::new(SyncedFile { file, somebody, stage, ours: self.ours.clone() }))
    }
}

/// What is told of our syncs.
#[derive(Clone, Debug)]
struct Ours {
    teller: Arc<Teller>,
    /// Also of those that succeed.
    tells_all: bool,
}

impl Ours {
    fn told(&self, sync: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        if self.tells_all {
            self.teller.tell(word::SYNCING, &"")?;
        }
        let synced = sync();
        match &synced {
            Ok(()) if self.tells_all => self.teller.tell(word::SYNCED, &"")?,
            Ok(()) => {}
            Err(error) => self.teller.tell(word::SYNC_FAILED, error)?,
        }
        synced
    }
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
    ours: Ours,
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
        self.ours.told(|| self.local.sync_folder(folder))
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
        self.ours.told(|| self.file.sync_data())
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
