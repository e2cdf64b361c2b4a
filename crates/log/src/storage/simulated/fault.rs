//! What is asked of the disk, one operation after another, and which of them are to fail.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use super::Errno;

/// One call of a method of [`Storage`](crate::storage::Storage) or [`StorageFile`](crate::storage::StorageFile).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Operation {
    /// 0-based position among all operations of this disk.
    pub index: u64,
    /// Which method.
    pub kind: OperationKind,
    /// The path as it was given; for an open file, the one that it was opened by.
    pub path: PathBuf,
    /// The new path of a rename or replacement.
    pub to: Option<PathBuf>,
    /// How many bytes are appended, allocated or read, or the size that a file is cut to; 0 for everything else.
    pub size: u64,
}

/// A method of [`Storage`](crate::storage::Storage) or [`StorageFile`](crate::storage::StorageFile).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[expect(missing_docs, reason = "named like the methods")]
pub enum OperationKind {
    List,
    Stat,
    Open,
    CreateNew,
    CreateFolder,
    SyncFolder,
    Rename,
    Replace,
    Unlink,
    RemoveFolder,
    Lock,
    Medium,
    Append,
    Allocate,
    SyncData,
    Truncate,
    ReadAt,
    ReadMediumAt,
    /// `StorageFile::stat`.
    StatOpen,
}

impl OperationKind {
    /// Tells whether it can change what a crash leaves; the others only look.
    pub fn changes_disk(self) -> bool {
        match self {
            Self::CreateNew
            | Self::CreateFolder
            | Self::SyncFolder
            | Self::Rename
            | Self::Replace
            | Self::Unlink
            | Self::RemoveFolder
            | Self::Lock
            | Self::Append
            | Self::SyncData
            | Self::Truncate => true,
            Self::List
            | Self::Stat
            | Self::Open
            | Self::Medium
            | Self::Allocate
            | Self::ReadAt
            | Self::ReadMediumAt
            | Self::StatOpen => false,
        }
    }
}

/// Which operation fails, how, and how often.
///
/// As it is made, the operation fails once with `EIO`, without effect.
///
/// ```
/// use indelible::storage::simulated::{Errno, FaultPlan, OperationKind, SimulatedDisk};
/// let disk = SimulatedDisk::new();
/// // The disk is full from the third append to the active segment on.
/// let third = FaultPlan::nth(2).of_kind(OperationKind::Append).on_path("audit.log");
/// disk.fail(third.with(Errno::NOSPC).from_then_on());
/// ```
#[derive(Clone)]
pub struct FaultPlan {
    nth: u64,
    matches: Vec<Predicate>,
    errno: Errno,
    outcome: Outcome,
    lasting: bool,
    /// How many operations have matched since the plan was given to a disk.
    seen: u64,
}

type Predicate = Arc<dyn Fn(&Operation) -> bool + Send + Sync>;

impl FaultPlan {
    /// Fails the `n`-th operation (from 0) of those that match, counted from when the plan is given to a disk.
    pub fn nth(n: u64) -> Self {
        Self {
            nth: n,
            matches: Vec::new(),
            errno: Errno::IO,
            outcome: Outcome::NoEffect,
            lasting: false,
            seen: 0,
        }
    }

    /// Fails the operation with this [`Operation::index`].
    pub fn at(index: u64) -> Self {
        Self::nth(0).matching(move |operation| operation.index >= index)
    }

    /// Counts only operations of this kind.
    #[must_use]
    pub fn of_kind(self, kind: OperationKind) -> Self {
        self.matching(move |operation| operation.kind == kind)
    }

    /// Counts only operations whose path ends in `end`, which is one or more whole names.
    #[must_use]
    pub fn on_path(self, end: impl Into<PathBuf>) -> Self {
        let end = end.into();
        self.matching(move |operation| operation.path.ends_with(&end))
    }

    /// Counts only operations for which `predicate` holds, besides what was demanded before. It must not call
    /// the disk, which waits for it.
    #[must_use]
    pub fn matching(
        mut self,
        predicate: impl Fn(&Operation) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.matches.push(Arc::new(predicate));
        self
    }

    /// Fails with this error.
    #[must_use]
    pub fn with(mut self, errno: Errno) -> Self {
        self.errno = errno;
        self
    }

    /// Fails every matching operation after that one too.
    #[must_use]
    pub fn from_then_on(mut self) -> Self {
        self.lasting = true;
        self
    }

    /// Lets the operation take its whole effect, and then fail: a failed sync that did persist everything, a failed
    /// rename that was made.
    #[must_use]
    pub fn after_effect(mut self) -> Self {
        self.outcome = Outcome::Effect;
        self
    }

    /// Lets a write or read succeed, with at most `size` bytes. No other operation is changed by it.
    #[must_use]
    pub fn short(mut self, size: usize) -> Self {
        self.outcome = Outcome::Short(size);
        self
    }

    /// Lets `sync_data` fail as Linux does: what was written since the last sync stays in the cache, marked as clean,
    /// so that the next sync succeeds and a crash loses it all the same. Any other operation fails without effect.
    #[must_use]
    pub fn dropping_dirty_data(mut self) -> Self {
        self.outcome = Outcome::Dropped(Drop::All);
        self
    }

    /// As [`FaultPlan::dropping_dirty_data`], but only some of the sectors of 512 bytes are lost, chosen by `seed`; the
    /// others are written to the medium.
    #[must_use]
    pub fn dropping_some_dirty_data(mut self, seed: u64) -> Self {
        self.outcome = Outcome::Dropped(Drop::Some(seed));
        self
    }

    /// Lets a sync, of a file or of a folder, fail as on a device that loses its cache with a flush that fails, all of which
    /// had just been written back: [`FaultPlan::dropping_dirty_data`] of every file at once. Any other operation fails
    /// without effect.
    #[must_use]
    pub fn dropping_whole_cache(mut self) -> Self {
        self.outcome = Outcome::CacheLost;
        self
    }

    /// Counts `operation`, and tells whether it is to fail.
    pub(super) fn strikes(&mut self, operation: &Operation) -> Option<(Outcome, Errno)> {
        if !self.matches.iter().all(|predicate| predicate(operation)) {
            return None;
        }
        let position = self.seen;
        self.seen += 1;
        let due = if self.lasting { position >= self.nth } else { position == self.nth };
        due.then_some((self.outcome, self.errno))
    }
}

impl fmt::Debug for FaultPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FaultPlan")
            .field("nth", &self.nth)
            .field("predicates", &self.matches.len())
            .field("errno", &self.errno)
            .field("outcome", &self.outcome)
            .field("lasting", &self.lasting)
            .field("seen", &self.seen)
            .finish()
    }
}

/// What an operation that fails does before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    NoEffect,
    Effect,
    Short(usize),
    Dropped(Drop),
    CacheLost,
}

/// What a failed sync loses of what was written since the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Drop {
    All,
    /// Sectors, by this seed.
    Some(u64),
}

/// Before or after its effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moment {
    Before,
    After,
}

/// The machine stopped.
#[derive(Debug, thiserror::Error)]
#[error("the simulated machine has crashed")]
struct Crashed;

/// The error of every operation after the crash.
pub(super) fn crashed() -> io::Error {
    io::Error::other(Crashed)
}

/// Tells whether an error is that of a disk that has crashed.
pub fn is_crash(error: &io::Error) -> bool {
    error.get_ref().is_some_and(<dyn Error + Send + Sync>::is::<Crashed>)
}
