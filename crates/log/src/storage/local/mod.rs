//! The file system of this machine: [`LocalStorage`].
//!
//! Owns every system call that the log makes on files, all through rustix's safe calls.
//!
//! Invariants:
//! - every descriptor is opened with `O_CLOEXEC`, and never through a link in the last component of its path; slashes
//!   at the end of a path, which would make the kernel follow one, are taken off first;
//! - nothing but a regular file is ever read or written, and looking at what is something else never blocks;
//! - a failed sync is returned as it is, an interrupted one too: it is never tried again, since the kernel may have
//!   forgotten by then what it could not write;
//! - a sync that succeeded counts only where the journal under it is alive (`journal.rs`);
//! - only calls that an interruption leaves without effect are repeated after it.
//!
//! It does not judge owners and modes, and does not decide whether a network file system will do: its callers do.

mod descriptor;
mod file;
mod journal;
mod lock;
mod medium;
mod signal;
#[cfg(test)]
mod tests;

use std::io;
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, RenameFlags};
use rustix::io::Errno;

use self::descriptor::Descriptors;
use self::file::LocalFile;
use super::{Access, FileId, Kind, Lock, LockError, Medium, Privacy, Stat, Storage, StorageFile};

#[cfg(feature = "simulated-disk")]
pub(super) use self::lock::clean_holder;
pub use self::signal::ignore_file_size_signal;

/// Mode of a new folder, less the umask.
const FOLDER_MODE: u32 = 0o750;
/// Mode of a new file that the owner's group may read, less the umask; of the lock too.
const GROUP_FILE_MODE: u32 = 0o640;
/// Mode of a new file that only its owner may read.
const OWNER_FILE_MODE: u32 = 0o600;

/// The file system of this machine.
///
/// It keeps one descriptor in reserve, and gives it up when an open fails because there is none left, so that a log
/// that shares its process with a leak can still open one more file. Clones share that reserve.
#[derive(Clone, Debug)]
pub struct LocalStorage {
    descriptors: Descriptors,
    /// The user that this process acted as when it began: asked once, since a stat follows every commit.
    user: u32,
}

impl LocalStorage {
    /// Prepares to work on this machine's files, and sees to it that a write beyond the process's file size limit
    /// fails with `EFBIG` instead of ending the process (see [`ignore_file_size_signal`]).
    ///
    /// # Errors
    /// The signal's handler could not be set, or no descriptor is left.
    pub fn new() -> io::Result<Self> {
        ignore_file_size_signal()?;
        let user = rustix::process::geteuid().as_raw();
        Ok(Self { descriptors: Descriptors::new()?, user })
    }

    fn open_folder(&self, folder: &Path) -> io::Result<descriptor::Descriptor> {
        self.descriptors.open(entry(folder), OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty())
    }
}

impl Storage for LocalStorage {
    fn list(&self, folder: &Path) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        let (fd, _refill) = self.open_folder(folder)?.into_parts();
        for found in Dir::new(fd)? {
            let found = found?;
            match found.file_name().to_str() {
                Ok("." | "..") | Err(_) => {}
                Ok(name) => names.push(name.to_owned()),
            }
        }
        Ok(names)
    }

    fn stat(&self, path: &Path) -> io::Result<Stat> {
        Ok(stat(&rustix::fs::statat(CWD, entry(path), AtFlags::SYMLINK_NOFOLLOW)?, self.user))
    }

    fn open(&self, path: &Path, access: Access) -> io::Result<Box<dyn StorageFile>> {
        let flags = match access {
            Access::Read => OFlags::RDONLY,
            Access::Append => OFlags::RDWR | OFlags::APPEND,
        };
        let path = entry(path);
        // Without O_NONBLOCK a pipe that stands there would block until somebody writes into it.
        let descriptor = self.descriptors.open(path, flags | OFlags::NONBLOCK, Mode::empty())?;
        let file = match access {
            Access::Read => LocalFile::for_reading(descriptor, self, path),
            Access::Append => LocalFile::for_writing(descriptor, self, path)?,
        };
        match file.stat()?.kind {
            Kind::File => Ok(Box::new(file)),
            kind @ (Kind::Folder | Kind::Link | Kind::Other) => Err(NotAFile { kind }.into()),
        }
    }

    fn create_new(&self, path: &Path, privacy: Privacy) -> io::Result<Box<dyn StorageFile>> {
        let mode = match privacy {
            Privacy::Group => GROUP_FILE_MODE,
            Privacy::Owner => OWNER_FILE_MODE,
        };
        let path = entry(path);
        let flags = OFlags::RDWR | OFlags::APPEND | OFlags::CREATE | OFlags::EXCL;
        let descriptor = self.descriptors.open(path, flags, Mode::from_raw_mode(mode))?;
        Ok(Box::new(LocalFile::for_writing(descriptor, self, path)?))
    }

    fn create_folder(&self, path: &Path) -> io::Result<()> {
        Ok(rustix::fs::mkdirat(CWD, entry(path), Mode::from_raw_mode(FOLDER_MODE))?)
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        let folder = self.open_folder(folder)?;
        rustix::fs::fsync(&folder)?;
        if journal::may_be_under(&folder)? { journal::check_alive(&folder) } else { Ok(()) }
    }

    fn sync_outer_folder(&self, folder: &Path) -> io::Result<()> {
        let folder = match self.open_folder(folder) {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Ok(()),
            opened => opened?,
        };
        match rustix::fs::fsync(folder) {
            // As of file systems that are only read.
            Err(Errno::INVAL) => Ok(()),
            synced => Ok(synced?),
        }
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let flags = RenameFlags::NOREPLACE;
        match rustix::fs::renameat_with(CWD, entry(from), CWD, entry(to), flags) {
            Err(Errno::INVAL | Errno::NOSYS) => Err(NoExclusiveRename.into()),
            result => Ok(result?),
        }
    }

    fn replace(&self, from: &Path, to: &Path) -> io::Result<()> {
        Ok(rustix::fs::renameat(CWD, entry(from), CWD, entry(to))?)
    }

    fn unlink(&self, path: &Path) -> io::Result<()> {
        Ok(rustix::fs::unlinkat(CWD, entry(path), AtFlags::empty())?)
    }

    fn remove_folder(&self, path: &Path) -> io::Result<()> {
        Ok(rustix::fs::unlinkat(CWD, entry(path), AtFlags::REMOVEDIR)?)
    }

    fn lock(&self, path: &Path, holder: &str) -> Result<Box<dyn Lock>, LockError> {
        Ok(Box::new(lock::LocalLock::take(self, entry(path), holder)?))
    }

    fn lock_untouched(&self, path: &Path) -> Result<Option<Box<dyn Lock>>, LockError> {
        let lock = lock::LocalLock::take_untouched(self, entry(path))?;
        Ok(lock.map(|lock| -> Box<dyn Lock> { Box::new(lock) }))
    }

    fn medium(&self, folder: &Path) -> io::Result<Medium> {
        Ok(medium::of(&rustix::fs::fstatfs(self.open_folder(folder)?)?))
    }
}

/// What stands at a path is not a regular file.
#[derive(Debug, thiserror::Error)]
#[error("not a regular file but {}", match kind {
    Kind::File => "a file",
    Kind::Folder => "a folder",
    Kind::Link => "a symbolic link",
    Kind::Other => "a device, socket or pipe",
})]
pub(super) struct NotAFile {
    /// What it is.
    pub(super) kind: Kind,
}

impl From<NotAFile> for io::Error {
    fn from(error: NotAFile) -> Self {
        Self::new(io::ErrorKind::InvalidInput, error)
    }
}

/// The file system can't promise that a rename replaces nothing.
#[derive(Debug, thiserror::Error)]
#[error("this file system can't rename without replacing (renameat2 with RENAME_NOREPLACE)")]
struct NoExclusiveRename;

impl From<NoExclusiveRename> for io::Error {
    fn from(error: NoExclusiveRename) -> Self {
        Self::new(io::ErrorKind::Unsupported, error)
    }
}

/// `path` without what would make the kernel follow a link that stands there (`link/`, `link/.`); the folder that a
/// process works in where nothing is left, so that the parent of `audit` can be named.
fn entry(path: &Path) -> &Path {
    let trimmed = path.components().as_path();
    if trimmed.as_os_str().is_empty() { Path::new(".") } else { trimmed }
}

/// Puts the kernel's answer in our words; `user` is whom this process acts as.
fn stat(raw: &rustix::fs::Stat, user: u32) -> Stat {
    let kind = match FileType::from_raw_mode(raw.st_mode) {
        FileType::RegularFile => Kind::File,
        FileType::Directory => Kind::Folder,
        FileType::Symlink => Kind::Link,
        FileType::Fifo
        | FileType::Socket
        | FileType::CharacterDevice
        | FileType::BlockDevice
        | FileType::Unknown => Kind::Other,
    };
    Stat {
        kind,
        // The kernel knows no negative size.
        size: u64::try_from(raw.st_size).unwrap_or(0),
        id: FileId { device: raw.st_dev, inode: raw.st_ino },
        mode: Mode::from_raw_mode(raw.st_mode).as_raw_mode(),
        owner: raw.st_uid,
        owned: raw.st_uid == user,
    }
}
