//! The Unix socket: [`Socket`], and who is at its other end.
//!
//! Invariants:
//! - nothing is ever removed but a socket that nobody answers on;
//! - the socket has its mode before it has its name: nobody connects to it with another;
//! - at the end it is removed only if it is still this service's.

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::UnixStream as BlockingStream;
use std::path::{Path, PathBuf};

use tokio::net::UnixListener;

use crate::config::UnixListen;

/// Why the Unix socket could not be listened on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SocketError {
    /// Something other than a socket stands at its path.
    #[error("something that is no socket is here; nothing is removed for it")]
    NotASocket,
    /// Another process listens on it.
    #[error("another process listens on this socket")]
    InUse,
    /// The system refused it.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// A Unix socket, and its file.
#[derive(Debug)]
pub(super) struct Socket {
    pub(super) listener: UnixListener,
    pub(super) file: SocketFile,
}

/// The file of a socket: removed when this is dropped.
#[derive(Debug)]
pub(crate) struct SocketFile {
    path: PathBuf,
    device: u64,
    inode: u64,
}

impl Socket {
    /// Listens on it.
    pub(super) fn bind(listen: &UnixListen) -> Result<Self, SocketError> {
        look_at(&listen.path)?;
        let mut making = listen.path.clone().into_os_string();
        making.push(format!(".{}", std::process::id()));
        let making = PathBuf::from(making);
        // Left by a process of the same id that was killed here.
        remove_if_socket(&making)?;
        let listener = UnixListener::bind(&making)?;
        let file = named(&making, listen).inspect_err(|_| drop(fs::remove_file(&making)))?;
        Ok(Self { listener, file })
    }
}

/// Gives a socket its mode and then its name.
fn named(making: &Path, listen: &UnixListen) -> io::Result<SocketFile> {
    fs::set_permissions(making, fs::Permissions::from_mode(listen.mode))?;
    let made = fs::symlink_metadata(making)?;
    rustix::fs::rename(making, &listen.path)?;
    Ok(SocketFile { path: listen.path.clone(), device: made.dev(), inode: made.ino() })
}

/// Whether the path may be taken: nothing is there, or a socket on which nobody answers.
fn look_at(path: &Path) -> Result<(), SocketError> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error.into()),
        Ok(found) if !found.file_type().is_socket() => return Err(SocketError::NotASocket),
        Ok(_) => {}
    }
    match BlockingStream::connect(path) {
        Ok(_) => Err(SocketError::InUse),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Ok(()),
        // It answers, but its queue is full.
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Err(SocketError::InUse),
        Err(error) => Err(error.into()),
    }
}

fn remove_if_socket(path: &Path) -> Result<(), SocketError> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error.into()),
        Ok(found) if !found.file_type().is_socket() => Err(SocketError::NotASocket),
        Ok(_) => Ok(fs::remove_file(path)?),
    }
}

impl SocketFile {
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let Ok(found) = fs::symlink_metadata(&self.path) else { return };
        if (found.dev(), found.ino()) == (self.device, self.inode) {
            // What is left over is replaced by the next start.
            drop(fs::remove_file(&self.path));
        }
    }
}
