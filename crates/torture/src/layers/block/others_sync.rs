//! Somebody else, whose sync always comes just before ours.
//!
//! On any machine the kernel writes back by itself every few seconds, and other programs sync their own files of the same
//! file system. What such a sync meets, an error of the journal above all, it is told; our own sync, coming after it,
//! must not answer as if nothing had been.
//!
//! That one of ours failed is told; where that is asked for, of each when it begins and how it ends.

use std::io;
use std::path::Path;
use std::sync::Arc;

use indelible::storage::in_hand::Hand;
use rustix::fd::OwnedFd;
use rustix::fs::{Mode, OFlags};

use super::stage::Stage;
use super::teller::Teller;
use super::told::word;

/// The segment that is appended to.
const RECORDS: &str = "audit.log";

/// Has the syncs of the log in hand.
#[derive(Debug)]
pub(super) struct OthersSync {
    before_us: Option<Somebody>,
    stage: Option<Arc<Stage>>,
    teller: Arc<Teller>,
    tells_all: bool,
}

impl OthersSync {
    /// Nobody else syncs, or not through this.
    pub(super) fn nobody(teller: &Arc<Teller>) -> Self {
        Self { before_us: None, stage: None, teller: Arc::clone(teller), tells_all: false }
    }

    /// Somebody else syncs the file system that `folder` is on before each sync.
    pub(super) fn before_us(self, folder: &Path) -> io::Result<Self> {
        Ok(Self { before_us: Some(Somebody::beside(folder)?), ..self })
    }

    /// Somebody else syncs as `stage` says, and at no other time.
    pub(super) fn staged(self, stage: &Arc<Stage>) -> Self {
        Self { stage: Some(Arc::clone(stage)), ..self }
    }

    /// Tells of each sync when it begins and how it ends.
    pub(super) fn telling_all(self) -> Self {
        Self { tells_all: true, ..self }
    }
}

impl Hand for OthersSync {
    fn sync(&self, path: &Path, sync: &dyn Fn() -> io::Result<()>) -> io::Result<()> {
        if let Some(stage) = self.stage.as_ref().filter(|_| path.ends_with(RECORDS)) {
            stage.comes(path)?;
        }
        if let Some(somebody) = &self.before_us {
            let _told_to_them = somebody.syncs();
        }
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

/// Somebody else, with a descriptor of their own of a file or folder.
#[derive(Debug)]
pub(super) struct Somebody(OwnedFd);

impl Somebody {
    pub(super) fn beside(path: &Path) -> io::Result<Self> {
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
