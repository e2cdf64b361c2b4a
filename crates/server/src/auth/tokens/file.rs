//! The file of token digests: [`TokenFile`], JSON Lines, one [`TokenEntry`] a line.
//!
//! Invariants:
//! - reading refuses a file that group or others may write, or that belongs to neither root nor the user who reads it:
//!   who can write it can let anybody in;
//! - a change is whole or not there: a new file is written beside the old one, synced, and renamed over it, and one process
//!   changes it at a time.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use indelible::format::chain::Hash;
use indelible::storage::local::LocalStorage;
use indelible::storage::{LockError, Privacy, Storage as _, StorageFile};
use rustix::fs::Mode;
use sha2::{Digest as _, Sha256};

use crate::auth::tokens::entry::{TokenEntry, TokenEntryError};

/// Most bytes of the file: some 10,000 tokens.
const FILE_SIZE_MAX: u64 = 4 << 20;
/// Permission bits of a file that others could write.
const WRITABLE: u32 = 0o022;

/// A token file that was read.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TokenFile {
    /// Its tokens, in order.
    pub entries: Vec<TokenEntry>,
    /// The SHA-256 of the whole file.
    pub digest: Hash,
}

/// Why a token file was not read or not changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TokenFileError {
    /// There is none.
    #[error("there is no token file at {}", path.display())]
    Missing {
        /// Where.
        path: PathBuf,
    },
    /// The system said no.
    #[error("token file {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// It is something else.
    #[error("{}: this is no plain file", path.display())]
    NotAFile {
        /// What it is.
        path: PathBuf,
    },
    /// Somebody else could let anybody in.
    #[error("token file {}: its group or others may write it (mode {mode:04o})", path.display())]
    Writable {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// It is somebody else's.
    #[error("token file {}: it belongs to the user {owner}, and neither to root nor to the user who reads it", path.display())]
    Owner {
        /// The file.
        path: PathBuf,
        /// Whose it is.
        owner: u32,
    },
    /// It is too large.
    #[error("token file {}: it has over {limit} bytes", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The most.
        limit: u64,
    },
    /// A line is no entry.
    #[error("{}:{line}: {source}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// Why not.
        source: TokenEntryError,
    },
    /// A name or a digest stands there twice.
    #[error("{}:{line}: the token {name:?} has the name or the digest of another one", path.display())]
    Twice {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// The name of the second.
        name: String,
    },
    /// Another process changes it.
    #[error("token file {}: somebody else changes it just now ({holder})", path.display())]
    Locked {
        /// The file.
        path: PathBuf,
        /// Who.
        holder: String,
    },
}

impl TokenFile {
    /// Reads the file at `path`, following links, as volumes with secrets have them.
    ///
    /// # Errors
    /// [`TokenFileError`]: it is not there, somebody else could have written it, or a line is none.
    pub fn read(path: &Path) -> Result<Self, TokenFileError> {
        let failed = |source: io::Error| {
            let path = path.to_path_buf();
            if source.kind() == io::ErrorKind::NotFound {
                return TokenFileError::Missing { path };
            }
            TokenFileError::Io { path, source }
        };
        let at = std::fs::metadata(path).map_err(failed)?;
        // Before it is opened: a pipe that stands there would block.
        if !at.is_file() {
            return Err(TokenFileError::NotAFile { path: path.to_path_buf() });
        }
        let file = File::open(path).map_err(failed)?;
        let found = file.metadata().map_err(failed)?;
        check(path, found.mode(), found.uid())?;
        let mut text = String::new();
        let size = file.take(FILE_SIZE_MAX + 1).read_to_string(&mut text).map_err(failed)?;
        if u64::try_from(size).is_ok_and(|size| size > FILE_SIZE_MAX) {
            return Err(TokenFileError::TooLarge {
                path: path.to_path_buf(),
                limit: FILE_SIZE_MAX,
            });
        }
        Self::parse(path, &text)
    }

    fn parse(path: &Path, text: &str) -> Result<Self, TokenFileError> {
        let mut entries: Vec<TokenEntry> = Vec::new();
        let (mut names, mut digests) = (HashSet::new(), HashSet::new());
        for (index, line) in text.lines().enumerate() {
            if line.trim().is_empty() {
                continue;
            }
            let number = index + 1;
            let entry = TokenEntry::from_line(line).map_err(|source| TokenFileError::Line {
                path: path.to_path_buf(),
                line: number,
                source,
            })?;
            let is_new = names.insert(entry.name.clone());
            if !(digests.insert(*entry.digest.as_bytes()) && is_new) {
                let (path, name) = (path.to_path_buf(), entry.name);
                return Err(TokenFileError::Twice { path, line: number, name });
            }
            entries.push(entry);
        }
        let digest = Hash::from_bytes(Sha256::digest(text.as_bytes()).into());
        Ok(Self { entries, digest })
    }

    /// Changes the entries of the file at `path`, which is made where there is none: `change` says what they are from now
    /// on, or that nothing is to be changed.
    ///
    /// # Durability
    /// When it returns, the new file is on the disk; until then the old one stands there.
    ///
    /// # Errors
    /// As [`TokenFile::read`]; the file could not be written; what `change` says.
    pub fn change<E: From<TokenFileError>>(
        path: &Path,
        change: impl FnOnce(&mut Vec<TokenEntry>) -> Result<(), E>,
    ) -> Result<(), E> {
        let failed = |source| TokenFileError::Io { path: path.to_path_buf(), source };
        let storage = LocalStorage::new().map_err(failed)?;
        let holder = format!("pid {}", rustix::process::getpid().as_raw_nonzero());
        let lock = storage.lock(&beside(path, ".lock"), &holder).map_err(|error| match error {
            LockError::Held { holder } => {
                TokenFileError::Locked { path: path.to_path_buf(), holder }
            }
            LockError::Io(source) => failed(source),
            other => failed(io::Error::other(other)),
        })?;
        let mut entries = match Self::read(path) {
            Ok(file) => file.entries,
            Err(TokenFileError::Missing { .. }) => Vec::new(),
            Err(error) => return Err(error.into()),
        };
        change(&mut entries)?;
        write(&storage, path, &entries)?;
        drop(lock);
        Ok(())
    }
}

/// Refuses a file that somebody else could have written.
fn check(path: &Path, mode: u32, owner: u32) -> Result<(), TokenFileError> {
    let path = path.to_path_buf();
    if mode & WRITABLE != 0 {
        return Err(TokenFileError::Writable { path, mode: mode & 0o7777 });
    }
    if owner != 0 && owner != rustix::process::geteuid().as_raw() {
        return Err(TokenFileError::Owner { path, owner });
    }
    Ok(())
}

/// Writes all entries in the place of the file.
fn write(
    storage: &LocalStorage,
    path: &Path,
    entries: &[TokenEntry],
) -> Result<(), TokenFileError> {
    let mut text = String::new();
    for entry in entries {
        let line = entry.to_line().map_err(|source| TokenFileError::Line {
            path: path.to_path_buf(),
            line: 0,
            source,
        })?;
        text.extend([line.as_str(), "\n"]);
    }
    let failed = |source| TokenFileError::Io { path: path.to_path_buf(), source };
    let old = std::fs::symlink_metadata(path).ok();
    if old.as_ref().is_some_and(|old| !old.is_file()) {
        return Err(TokenFileError::NotAFile { path: path.to_path_buf() });
    }
    let new = beside(path, ".new");
    match storage.unlink(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
        // Of a change that was interrupted; the lock says that nobody is at it.
        Ok(()) | Err(_) => {}
    }
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        Some(_) | None => Path::new("."),
    };
    let done = || {
        let file = storage.create_new(&new, Privacy::Group)?;
        whole(file.as_ref(), text.as_bytes())?;
        keep_readers(&new, old.as_ref(), folder)?;
        storage.replace(&new, path)?;
        storage.sync_folder(folder)
    };
    done().map_err(failed)
}

fn whole(file: &dyn StorageFile, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        let taken = file.append(bytes)?;
        if taken == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        bytes = bytes.get(taken..).unwrap_or_default();
    }
    file.sync_data()
}

/// Gives the new file the owner, group and mode of the old one, so that root can make a token for a service that runs as
/// somebody else; the first file gets the group of its folder.
fn keep_readers(new: &Path, old: Option<&std::fs::Metadata>, folder: &Path) -> io::Result<()> {
    let is_root = rustix::process::geteuid().is_root();
    let (owner, group, mode) = match old {
        Some(old) => (old.uid(), old.gid(), old.mode() & 0o777),
        None => (0, std::fs::metadata(folder)?.gid(), 0o640),
    };
    if is_root {
        let owner = rustix::fs::Uid::from_raw(owner);
        let group = rustix::fs::Gid::from_raw(group);
        rustix::fs::chown(new, Some(owner), Some(group))?;
    }
    Ok(rustix::fs::chmod(new, Mode::from_raw_mode(mode))?)
}

/// A name right beside the file's.
fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}
