//! A disk in memory that loses, tears, reorders and fails, always in the same way: for tests.
//!
//! [`SimulatedDisk`] is a [`Storage`]. Every call of a method is one [`Operation`], numbered from 0 and written down.
//! A [`FaultPlan`] makes one of them fail; [`SimulatedDisk::crash_at`] stops the machine at one of them, and
//! [`SimulatedDisk::crash_states`] tells what may be on the medium then, each of which
//! [`SimulatedDisk::after_crash`] turns into a disk to start again from.
//!
//! # What a crash can leave
//! - Of each folder, what was synced and the first so many of the unsynced creations, renames, replacements and
//!   removals: a suffix of them is lost, never one from their midst. How far one folder got says nothing about
//!   another, but a rename from one into another happened in both or in neither.
//! - Of each file, what was synced and the first so many of the unsynced appends and cuts, the last append torn at any
//!   byte; the size may have grown before the bytes came, so any of the sectors of 512 bytes (hence also any page)
//!   in the unsynced part may read as NULs, in any order, up to a new end at any byte.
//! - A file's content is its own, whatever name it has by then: a rename makes nothing of it durable, and a name can be
//!   durable while the content is not.
//! - Locks are gone.
//!
//! # What it never leaves
//! Bytes that nobody wrote, other than those NULs; stale bytes of a file that was removed or cut; a change to a byte
//! that was synced; a sync that returned success and did nothing, but for the one that follows a sync that failed as
//! [`FaultPlan::dropping_dirty_data`] or [`FaultPlan::dropping_whole_cache`] says; entry operations of one folder out of order; a torn holder's name in a
//! lock (it is durable at once, its file's name is not). Planted damage ([`SimulatedDisk::flip_byte`],
//! [`SimulatedDisk::write_file`]) is how tests get the rest.
//!
//! It does not know permissions (modes and owners are told, not enforced), free space, or devices and pipes.

mod crash;
mod fault;
mod file;
mod open_file;
mod operate;
mod plant;
#[cfg(test)]
mod tests;
mod tree;

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use self::fault::Moment;
use self::open_file::SimulatedFile;
use self::operate::Call;
use self::tree::{Inode, Node, Place, Tree};
use super::local::NotAFile;
use super::{Access, Kind, Lock, LockError, Medium, Privacy, Stat, Storage, StorageFile};

pub use self::crash::CrashState;
pub use self::fault::{FaultPlan, Operation, OperationKind, is_crash};
pub use rustix::io::Errno;

/// A disk in memory; a clone is the same disk. Its root exists, and a relative path begins there too.
///
/// ```
/// use indelible::storage::simulated::SimulatedDisk;
/// use indelible::storage::{Privacy, Storage};
/// use std::path::Path;
///
/// let disk = SimulatedDisk::new();
/// let file = disk.create_new(Path::new("audit.log"), Privacy::Group)?;
/// disk.sync_folder(Path::new(""))?;
/// file.append(b"one\n")?;
/// file.sync_data()?;
/// file.append(b"two\n")?;
/// for state in disk.crash_states(1000) {
///     let found = disk.after_crash(&state).read_file("audit.log")?;
///     assert!(found.starts_with(b"one\n"), "{state:?}");
/// }
/// # std::io::Result::Ok(())
/// ```
#[derive(Clone, Debug)]
pub struct SimulatedDisk {
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    tree: Tree,
    medium: Medium,
    /// Files that are locked, as long as the token lives.
    locks: Vec<(Inode, Weak<()>)>,
    operations: Vec<Operation>,
    faults: Vec<FaultPlan>,
    faults_struck: u64,
    crash: Option<(u64, Moment)>,
    crashed: bool,
    /// What was there right before each operation that changes the disk, where that is to be remembered.
    remembered: Option<Vec<(u64, Tree)>>,
}

impl SimulatedDisk {
    /// Makes an empty disk.
    pub fn new() -> Self {
        Self::from_tree(Tree::new(), Medium::Local)
    }

    fn from_tree(tree: Tree, medium: Medium) -> Self {
        let state = State {
            tree,
            medium,
            locks: Vec::new(),
            operations: Vec::new(),
            faults: Vec::new(),
            faults_struck: 0,
            crash: None,
            crashed: false,
            remembered: None,
        };
        Self { state: Arc::new(Mutex::new(state)) }
    }

    /// Copies the disk as it is, cache and unsynced operations too, without locks, faults, crash or what was written
    /// down: what a new process finds after this one was killed while the machine went on.
    #[must_use]
    pub fn fork(&self) -> Self {
        let state = self.state();
        Self::from_tree(state.tree.clone(), state.medium)
    }

    /// Remembers, from now on, what is there right before each operation that [changes the
    /// disk](OperationKind::changes_disk).
    pub fn remember(&self) {
        self.state().remembered.get_or_insert_default();
    }

    /// The disk as it was right before each operation that changed it, with the index of that, since
    /// [`SimulatedDisk::remember`]: each is what [`SimulatedDisk::crash_at`] of that index would have left, so one run
    /// shows every crash point.
    pub fn remembered(&self) -> Vec<(u64, Self)> {
        let state = self.state();
        let trees = state.remembered.iter().flatten();
        trees.map(|(index, tree)| (*index, Self::from_tree(tree.clone(), state.medium))).collect()
    }

    /// Every operation so far.
    pub fn operations(&self) -> Vec<Operation> {
        self.state().operations.clone()
    }

    /// How many operations there were so far: the index of the next.
    pub fn operation_count(&self) -> u64 {
        count(self.state().operations.len())
    }

    /// Plans a fault, besides those that are planned already; of two that strike at once the older one counts.
    pub fn fail(&self, plan: FaultPlan) {
        self.state().faults.push(plan);
    }

    /// Forgets all planned faults.
    pub fn clear_faults(&self) {
        self.state().faults.clear();
    }

    /// How many operations a planned fault has changed so far: none means that a run needed no fault any more.
    pub fn faults_struck(&self) -> u64 {
        self.state().faults_struck
    }

    /// Stops the machine before the operation with this [`Operation::index`] takes effect: that one and all later
    /// ones fail with an error that [`is_crash`] knows.
    pub fn crash_at(&self, index: u64) {
        self.state().crash = Some((index, Moment::Before));
    }

    /// Stops the machine after the operation with this index took effect, before its caller hears of it.
    pub fn crash_after(&self, index: u64) {
        self.state().crash = Some((index, Moment::After));
    }

    /// Stops the machine now.
    pub fn crash(&self) {
        self.state().crashed = true;
    }

    /// Tells whether the machine has stopped.
    pub fn has_crashed(&self) -> bool {
        self.state().crashed
    }

    /// Sets what kind of file system every folder is on.
    pub fn set_medium(&self, medium: Medium) {
        self.state().medium = medium;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn open_file(&self, inode: Inode, path: &Path, access: Access) -> Box<dyn StorageFile> {
        let path = path.to_path_buf();
        Box::new(SimulatedFile { disk: self.clone(), inode, path, access })
    }
}

impl Default for SimulatedDisk {
    fn default() -> Self {
        Self::new()
    }
}

impl State {
    fn open(&self, path: &Path, access: Access) -> io::Result<Inode> {
        let inode = self.tree.find(path)?;
        match (self.tree.stat(inode)?.kind, access) {
            (Kind::File, _) => Ok(inode),
            (Kind::Link, _) => Err(Errno::LOOP.into()),
            (Kind::Folder, Access::Append) => Err(Errno::ISDIR.into()),
            (kind @ (Kind::Folder | Kind::Other), _) => Err(NotAFile { kind }.into()),
        }
    }

    /// Where both ends of a rename are.
    fn ends(&self, from: &Path, to: &Path) -> io::Result<(Place, Place)> {
        let ends = (self.tree.locate(from)?, self.tree.locate(to)?);
        if ends.0.found.is_none() { Err(Errno::NOENT.into()) } else { Ok(ends) }
    }

    /// Refuses to put `from` in the place of `to` where Linux does.
    fn check_replacement(&self, from: Inode, to: Inode) -> io::Result<()> {
        match (self.tree.stat(from)?.kind, self.tree.folder(to)) {
            (Kind::Folder, Ok(folder)) if !folder.entries.is_empty() => Err(Errno::NOTEMPTY.into()),
            (Kind::Folder, Ok(_)) => Ok(()),
            (Kind::Folder, Err(_)) => Err(Errno::NOTDIR.into()),
            (_, Ok(_)) => Err(Errno::ISDIR.into()),
            (_, Err(_)) => Ok(()),
        }
    }

    /// The token of the lock at `path`, or what its holder wrote.
    /// Locks the file at `path`; with a `holder`, makes it where it is absent, and writes that into it.
    fn lock(&mut self, path: &Path, holder: Option<&str>) -> io::Result<Result<Arc<()>, String>> {
        let place = self.tree.locate(path)?;
        let inode = match (place.found, holder) {
            (Some(inode), _) => inode,
            (None, Some(_)) => {
                self.tree.add(&place, Node::file(file::Content::default(), 0o640))?
            }
            (None, None) => return Err(io::ErrorKind::NotFound.into()),
        };
        let content = self.tree.content_mut(inode)?;
        self.locks.retain(|(_, token)| token.strong_count() > 0);
        if self.locks.iter().any(|(locked, _)| *locked == inode) {
            return Ok(Err(super::local::clean_holder(content.cached())));
        }
        if let Some(holder) = holder {
            *content = file::Content::synced(holder.into());
        }
        let token = Arc::new(());
        self.locks.push((inode, Arc::downgrade(&token)));
        Ok(Ok(token))
    }
}

impl Storage for SimulatedDisk {
    fn list(&self, folder: &Path) -> io::Result<Vec<String>> {
        self.operate(Call::new(OperationKind::List, folder), |state, _| {
            let inode = state.tree.find_folder(folder)?;
            Ok(state.tree.folder(inode)?.entries.keys().cloned().collect())
        })
    }

    fn stat(&self, path: &Path) -> io::Result<Stat> {
        self.operate(Call::new(OperationKind::Stat, path), |state, _| {
            state.tree.stat(state.tree.find(path)?)
        })
    }

    fn open(&self, path: &Path, access: Access) -> io::Result<Box<dyn StorageFile>> {
        let call = Call::new(OperationKind::Open, path);
        let inode = self.operate(call, |state, _| state.open(path, access))?;
        Ok(self.open_file(inode, path, access))
    }

    fn create_new(&self, path: &Path, privacy: Privacy) -> io::Result<Box<dyn StorageFile>> {
        let mode = match privacy {
            Privacy::Group => 0o640,
            Privacy::Owner => 0o600,
        };
        let inode = self.operate(Call::new(OperationKind::CreateNew, path), |state, _| {
            let place = state.tree.locate(path)?;
            state.tree.add(&place, Node::file(file::Content::default(), mode))
        })?;
        Ok(self.open_file(inode, path, Access::Append))
    }

    fn create_folder(&self, path: &Path) -> io::Result<()> {
        self.operate(Call::new(OperationKind::CreateFolder, path), |state, _| {
            let place = state.tree.locate(path)?;
            state.tree.add(&place, Node::folder(0o750)).map(drop)
        })
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        self.operate(Call::new(OperationKind::SyncFolder, folder), |state, _| {
            state.tree.sync_folder(state.tree.find_folder(folder)?)
        })
    }

    /// Where it fails with EACCES, or EINVAL, it stands for a folder that may not be opened, or knows no sync.
    fn sync_outer_folder(&self, folder: &Path) -> io::Result<()> {
        match self.sync_folder(folder) {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => Ok(()),
            synced => synced,
        }
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.operate(Call::new(OperationKind::Rename, from).to(to), |state, _| {
            let (from, to) = state.ends(from, to)?;
            match to.found {
                Some(_) => Err(Errno::EXIST.into()),
                None => state.tree.rename(&from, &to),
            }
        })
    }

    fn replace(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.operate(Call::new(OperationKind::Replace, from).to(to), |state, _| {
            let (from, to) = state.ends(from, to)?;
            match (from.found, to.found) {
                (Some(inode), Some(replaced)) if inode == replaced => return Ok(()),
                (Some(inode), Some(replaced)) => state.check_replacement(inode, replaced)?,
                _ => {}
            }
            state.tree.rename(&from, &to)
        })
    }

    fn unlink(&self, path: &Path) -> io::Result<()> {
        self.operate(Call::new(OperationKind::Unlink, path), |state, _| {
            let place = state.tree.locate(path)?;
            let inode = place.found.ok_or(Errno::NOENT)?;
            if state.tree.folder(inode).is_ok() {
                return Err(Errno::ISDIR.into());
            }
            state.tree.remove(&place)
        })
    }

    fn remove_folder(&self, path: &Path) -> io::Result<()> {
        self.operate(Call::new(OperationKind::RemoveFolder, path), |state, _| {
            let place = state.tree.locate(path)?;
            let inode = place.found.ok_or(Errno::NOENT)?;
            if !state.tree.folder(inode)?.entries.is_empty() {
                return Err(Errno::NOTEMPTY.into());
            }
            if place.name.is_empty() {
                return Err(Errno::BUSY.into());
            }
            state.tree.remove(&place)
        })
    }

    fn lock(&self, path: &Path, holder: &str) -> Result<Box<dyn Lock>, LockError> {
        let call = Call::new(OperationKind::Lock, path);
        match self.operate(call, |state, _| state.lock(path, Some(holder)))? {
            Ok(token) => Ok(Box::new(SimulatedLock { _token: token })),
            Err(holder) => Err(LockError::Held { holder }),
        }
    }

    fn lock_untouched(&self, path: &Path) -> Result<Option<Box<dyn Lock>>, LockError> {
        let call = Call::new(OperationKind::Lock, path);
        match self.operate(call, |state, _| state.lock(path, None)) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(e.into()),
            Ok(Ok(token)) => Ok(Some(Box::new(SimulatedLock { _token: token }))),
            Ok(Err(holder)) => Err(LockError::Held { holder }),
        }
    }

    fn medium(&self, folder: &Path) -> io::Result<Medium> {
        self.operate(Call::new(OperationKind::Medium, folder), |state, _| {
            state.tree.find_folder(folder)?;
            Ok(state.medium)
        })
    }
}

/// A lock, held as long as its token lives.
#[derive(Debug)]
struct SimulatedLock {
    _token: Arc<()>,
}

impl Lock for SimulatedLock {}

fn count(size: usize) -> u64 {
    u64::try_from(size).unwrap_or(u64::MAX)
}
