//! The seam to the disk: every file that the log touches is reached through [`Storage`].
//!
//! Two implementations: [`local`], the file system of this machine, and `simulated` (feature `simulated-disk`), a
//! disk in memory that loses, tears, reorders and fails, for tests. With that feature comes `in_hand`, too: any disk, with
//! somebody who has its calls in hand.
//!
//! Invariants that every implementation keeps:
//! - no call follows a symbolic link in the last component of a path;
//! - nothing but [`Storage::replace`] ever replaces a file that exists;
//! - what a method's `# Durability` section does not promise may be gone after a crash, and folder operations of one
//!   folder become durable in the order in which they were made.
//!
//! `SyncGate` stands between a log and its disk, from before it is made or opened: a failed sync is the last one.
//!
//! It does not know what a segment, a row or a checkpoint is.

use std::fmt;
use std::io;
use std::path::Path;

#[cfg(feature = "simulated-disk")]
pub mod in_hand;
pub mod local;
#[cfg(feature = "simulated-disk")]
pub mod simulated;
mod sync_gate;

pub(crate) use self::sync_gate::SyncGate;

/// A file system, as far as a log needs one.
#[expect(clippy::missing_errors_doc, reason = "each fails as the system call that its name tells")]
pub trait Storage: fmt::Debug + Send + Sync {
    /// Names of the entries of `folder`, in no order, without `.` and `..`; names that are not UTF-8 are left out.
    fn list(&self, folder: &Path) -> io::Result<Vec<String>>;
    /// What stands at `path`, not following a link.
    fn stat(&self, path: &Path) -> io::Result<Stat>;
    /// Opens an existing regular file; a link, a folder or a device is an error.
    fn open(&self, path: &Path, access: Access) -> io::Result<Box<dyn StorageFile>>;
    /// Creates a file that must not exist, for appending.
    ///
    /// # Durability
    /// None: the name is durable after [`Storage::sync_folder`] of its folder.
    fn create_new(&self, path: &Path, privacy: Privacy) -> io::Result<Box<dyn StorageFile>>;
    /// Creates a folder that must not exist (mode 0750).
    fn create_folder(&self, path: &Path) -> io::Result<()>;
    /// Syncs a folder.
    ///
    /// # Durability
    /// When it returns, every creation, rename and removal made in `folder` before the call is on the disk.
    fn sync_folder(&self, folder: &Path) -> io::Result<()>;
    /// Syncs a folder that the log lies in and does not own: as [`Storage::sync_folder`], but nothing of the folder may be
    /// changed for it, its times neither. One that this user may not look into, or whose file system knows no sync, is none
    /// that this user can have made anything in: that is no failure.
    ///
    /// # Durability
    /// As [`Storage::sync_folder`]. That the file system has lost its journal may be told only by the next sync of a file.
    fn sync_outer_folder(&self, folder: &Path) -> io::Result<()> {
        self.sync_folder(folder)
    }
    /// Renames `from` to `to`; fails with `AlreadyExists` where `to` exists. One folder, or two siblings.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Renames `from` over `to`, atomically: the one rename that replaces (for `checkpoint`, and for rows that an explicit
    /// repair rebuilt).
    fn replace(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file.
    fn unlink(&self, path: &Path) -> io::Result<()>;
    /// Removes an empty folder.
    fn remove_folder(&self, path: &Path) -> io::Result<()>;
    /// Takes the exclusive lock on the file at `path` (made if absent), and writes `holder` into it.
    /// Held until the returned value is dropped, or the process ends.
    fn lock(&self, path: &Path, holder: &str) -> Result<Box<dyn Lock>, LockError>;
    /// Takes the exclusive lock on the file at `path` and writes nothing; nothing where there is no such file.
    fn lock_untouched(&self, path: &Path) -> Result<Option<Box<dyn Lock>>, LockError>;
    /// What kind of file system `folder` is on.
    fn medium(&self, folder: &Path) -> io::Result<Medium>;
}

/// An open file.
#[expect(clippy::missing_errors_doc, reason = "each fails as the system call that its name tells")]
pub trait StorageFile: fmt::Debug + Send + Sync {
    /// Writes at the end of the file with one write; returns how many bytes were taken, which may be fewer.
    ///
    /// # Durability
    /// None before [`StorageFile::sync_data`].
    fn append(&self, bytes: &[u8]) -> io::Result<usize>;
    /// Reserves disk space for `size` bytes from `offset` on without changing the file's size.
    fn allocate(&self, offset: u64, size: u64) -> io::Result<()>;
    /// `fdatasync`: after a failure the caller must treat everything since the last success as unknown.
    ///
    /// # Durability
    /// When it returns, all bytes appended, and the size set, before the call are on the disk.
    fn sync_data(&self) -> io::Result<()>;
    /// Cuts the file to `size` bytes (durable after [`StorageFile::sync_data`]).
    fn truncate(&self, size: u64) -> io::Result<()>;
    /// Reads up to `buf.len()` bytes at `offset`; 0 means the end of the file.
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize>;
    /// Reads as [`StorageFile::read_at`] does, but from the medium and not from a cache (`O_DIRECT`; where that is
    /// refused, after dropping the cache).
    fn read_medium_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize>;
    /// What this open file is, wherever its name went.
    fn stat(&self) -> io::Result<Stat>;
}

/// The exclusive lock of a log folder; dropping it releases it.
pub trait Lock: fmt::Debug + Send + Sync {}

/// How [`Storage::open`] opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Access {
    /// Only reading.
    Read,
    /// Reading, and writing at the end.
    Append,
}

/// Who may read a new file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Privacy {
    /// Mode 0640 (less the umask): the owner's group may read.
    Group,
    /// Mode 0600: a key.
    Owner,
}

/// What stands at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "a plain answer that implementations outside build too"
)]
pub struct Stat {
    /// File, folder or something else.
    pub kind: Kind,
    /// Bytes.
    pub size: u64,
    /// Which file it is, whatever its name.
    pub id: FileId,
    /// Permission bits (`0o7777`).
    pub mode: u32,
    /// Owner's user id.
    pub owner: u32,
    /// Whether the owner is the user that this process acts as.
    pub owned: bool,
}

/// Tells two files apart that stood at the same path at different times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "a plain answer that implementations outside build too"
)]
pub struct FileId {
    /// Device number.
    pub device: u64,
    /// Inode number.
    pub inode: u64,
}

/// What kind of thing stands at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// A regular file.
    File,
    /// A folder.
    Folder,
    /// A symbolic link.
    Link,
    /// A device, socket or pipe.
    Other,
}

/// What kind of file system a folder is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Medium {
    /// Of this machine.
    Local,
    /// Over a network, or one whose syncs can't be judged (FUSE): its name.
    Network(&'static str),
}

/// Why the lock was not taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LockError {
    /// Somebody else holds it; `holder` is what they wrote into it, cleaned of control characters and cut.
    #[error("held by {holder}")]
    Held {
        /// As written by the holder.
        holder: String,
    },
    /// The lock file could not be made, opened or locked.
    #[error(transparent)]
    Io(#[from] io::Error),
}
