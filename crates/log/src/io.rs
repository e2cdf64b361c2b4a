//! The one helper that builds I/O failures (which operation, on which path, why), and the steps on files that several
//! modules take.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use indelible_format::seeded::{self, Bug};
use rustix::io::Errno;

use crate::storage::{Storage, StorageFile};

/// An operation on a file that failed.
#[derive(Clone, Debug, thiserror::Error)]
#[error("could not {operation} {}: {}{source}", path.display(), meaning(source))]
#[non_exhaustive]
pub struct IoFailure {
    /// What was tried.
    pub operation: Operation,
    /// On which file or folder.
    pub path: PathBuf,
    /// Why it failed; shared, since one failure may answer many appends.
    pub source: Arc<io::Error>,
}

impl IoFailure {
    /// The failure of `operation` on `path`.
    pub(crate) fn new(operation: Operation, path: &Path, source: io::Error) -> Self {
        Self { operation, path: path.to_path_buf(), source: Arc::new(source) }
    }

    /// A closure for `map_err`.
    pub(crate) fn of(operation: Operation, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::new(operation, path, source)
    }

    /// Whether something else than a regular file stands at the path: a link, a folder, a device.
    pub(crate) fn is_no_file(&self) -> bool {
        let codes =
            [Errno::LOOP, Errno::NOTDIR, Errno::ISDIR, Errno::NXIO].map(Errno::raw_os_error);
        let code = self.source.raw_os_error();
        self.operation == Operation::Open
            && (self.source.kind() == io::ErrorKind::InvalidInput
                || code.is_some_and(|code| codes.contains(&code)))
    }

    /// Whether something else than a folder stands at the path that was to be listed.
    pub(crate) fn is_no_folder(&self) -> bool {
        let codes = [Errno::LOOP, Errno::NOTDIR].map(Errno::raw_os_error);
        let code = self.source.raw_os_error();
        self.operation == Operation::List && code.is_some_and(|code| codes.contains(&code))
    }

    /// Whether there is nothing at the path.
    pub(crate) fn is_not_found(&self) -> bool {
        self.source.kind() == io::ErrorKind::NotFound
    }
}

/// What a failure means here, where the system's own words don't say it.
fn meaning(source: &io::Error) -> &'static str {
    match source.raw_os_error().map(Errno::from_raw_os_error) {
        Some(Errno::LOOP) => "it is a symbolic link, and links are not followed: ",
        Some(Errno::NOTDIR) => "it is no folder, or a link to one, and links are not followed: ",
        _ => "",
    }
}

/// What was tried on a file or folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Operation {
    /// Listing a folder.
    List,
    /// Looking at what stands at a path.
    Stat,
    /// Opening a file.
    Open,
    /// Creating a file or folder.
    Create,
    /// Reading.
    Read,
    /// Writing.
    Write,
    /// `fdatasync` of a file or `fsync` of a folder.
    Sync,
    /// Cutting a file back.
    Truncate,
    /// Renaming.
    Rename,
    /// Removing.
    Remove,
    /// Taking the lock.
    Lock,
    /// Starting a thread.
    StartThread,
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::List => "list",
            Self::Stat => "look at",
            Self::Open => "open",
            Self::Create => "create",
            Self::Read => "read",
            Self::Write => "write to",
            Self::Sync => "sync",
            Self::Truncate => "cut back",
            Self::Rename => "rename",
            Self::Remove => "remove",
            Self::Lock => "lock",
            Self::StartThread => "start a thread for",
        })
    }
}

/// Whether anything stands at `path`.
pub(crate) fn exists(storage: &dyn Storage, path: &Path) -> Result<bool, IoFailure> {
    match storage.stat(path) {
        Ok(_) => Ok(true),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(e) => Err(IoFailure::new(Operation::Stat, path, e)),
    }
}

/// Syncs a folder.
///
/// # Durability
/// As [`Storage::sync_folder`].
pub(crate) fn sync_folder(storage: &dyn Storage, path: &Path) -> Result<(), IoFailure> {
    storage.sync_folder(path).map_err(IoFailure::of(Operation::Sync, path))
}

/// Appends all of `bytes` with one write; a short write is an error.
///
/// # Durability
/// None before the file is synced.
pub(crate) fn write_whole(file: &dyn StorageFile, bytes: &[u8]) -> io::Result<()> {
    let taken = file.append(bytes)?;
    if taken == bytes.len() || seeded::is(Bug::ShortWriteWhole) {
        return Ok(());
    }
    Err(io::Error::new(
        io::ErrorKind::WriteZero,
        format!(
            "only {taken} of {} bytes were taken: is the disk full, or a file size limit (ulimit -f) reached?",
            bytes.len()
        ),
    ))
}
