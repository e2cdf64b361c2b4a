//! The tokens that are let in while the service runs: [`Tokens`], which follows its file.
//!
//! Invariant: there is always a whole set. A file that can't be read, or is broken, changes nothing: the set before stays,
//! and the operator is told once.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use indelible::format::chain::Hash;
use tokio::sync::watch;
use tracing::{info, warn};

use crate::auth::caller::Caller;
use crate::auth::tokens::entry::TokenEntry;
use crate::auth::tokens::file::{TokenFile, TokenFileError};
use crate::auth::tokens::set::TokenSet;

/// Gives the caller that a token stands for.
pub(crate) type Callers = Box<dyn Fn(&TokenEntry) -> Caller + Send + Sync>;

/// The tokens of a file, as it is now.
pub(crate) struct Tokens {
    path: PathBuf,
    callers: Callers,
    set: RwLock<Arc<TokenSet>>,
    /// That of the set; told to those who follow it after the set is another.
    generation: watch::Sender<u64>,
    /// What the file looked like when it was last looked at.
    seen: Mutex<Option<Stamp>>,
}

/// What tells one version of a file from the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    /// Changes with owner and mode, too, which decide whether the file is taken in.
    changed: (i64, i64),
}

impl Stamp {
    fn of(path: &Path) -> Option<Self> {
        let found = std::fs::metadata(path).ok()?;
        Some(Self {
            device: found.dev(),
            inode: found.ino(),
            size: found.size(),
            modified: (found.mtime(), found.mtime_nsec()),
            changed: (found.ctime(), found.ctime_nsec()),
        })
    }
}

/// That the tokens are others than before: the SHA-256 of the file, before and now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Changed {
    pub(crate) before: Hash,
    pub(crate) after: Hash,
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tokens").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Tokens {
    /// Reads the file for the first time.
    ///
    /// # Errors
    /// As [`TokenFile::read`].
    pub(crate) fn open(path: &Path, callers: Callers) -> Result<Self, TokenFileError> {
        let seen = Stamp::of(path);
        let file = TokenFile::read(path)?;
        let set = TokenSet::new(file.entries, file.digest, 0, &callers);
        Ok(Self {
            path: path.to_path_buf(),
            callers,
            set: RwLock::new(Arc::new(set)),
            generation: watch::Sender::new(0),
            seen: Mutex::new(seen),
        })
    }

    /// The tokens of now.
    pub(crate) fn set(&self) -> Arc<TokenSet> {
        Arc::clone(&self.set.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Told of each new set, by its generation.
    pub(crate) fn generations(&self) -> watch::Receiver<u64> {
        self.generation.subscribe()
    }

    /// Looks whether the file is another one than it was, and takes it in; blocks.
    pub(crate) fn look(&self) -> Option<Changed> {
        let stamp = Stamp::of(&self.path);
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if *seen == stamp {
            return None;
        }
        // Noted before it is read: what changes in between is seen the next time. Also where it is broken, so that this is
        // told once.
        *seen = stamp;
        self.reload()
    }

    /// Takes the file in as it is; blocks.
    pub(crate) fn reload(&self) -> Option<Changed> {
        let file = match TokenFile::read(&self.path) {
            Ok(file) => file,
            Err(error) => {
                warn!(%error, "the token file is not taken in; the tokens from before stay in force");
                return None;
            }
        };
        let (after, count) = (file.digest, file.entries.len());
        let mut current = self.set.write().unwrap_or_else(PoisonError::into_inner);
        let generation = current.generation().saturating_add(1);
        let set = Arc::new(TokenSet::new(file.entries, after, generation, &self.callers));
        let before = std::mem::replace(&mut *current, set).digest();
        drop(current);
        self.generation.send_replace(generation);
        let before = before?;
        if before == after {
            return None;
        }
        info!(tokens = count, "the token file has changed and is taken in");
        Some(Changed { before, after })
    }
}
