//! Opening files with one descriptor in reserve.
//!
//! Invariant: while none of the process's descriptors are missing, one is held in reserve. It is given up for the open
//! that finds none left, and taken again when one of ours is closed.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

/// Where descriptors come from.
#[derive(Clone, Debug)]
pub(super) struct Descriptors {
    reserve: Arc<Mutex<Option<OwnedFd>>>,
}

impl Descriptors {
    /// Takes the reserve.
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self { reserve: Arc::new(Mutex::new(Some(open_reserve()?))) })
    }

    /// Opens `path`, closed on exec, not following a link; with the reserve if there is no other descriptor left.
    pub(super) fn open(&self, path: &Path, flags: OFlags, mode: Mode) -> io::Result<Descriptor> {
        self.open_following(path, flags | OFlags::NOFOLLOW, mode)
    }

    /// As [`Descriptors::open`], but follows a link: for those of `/proc` alone.
    pub(super) fn open_following(
        &self,
        path: &Path,
        flags: OFlags,
        mode: Mode,
    ) -> io::Result<Descriptor> {
        let attempt = || {
            let flags = flags | OFlags::CLOEXEC;
            rustix::io::retry_on_intr(|| rustix::fs::open(path, flags, mode))
        };
        let fd = match attempt() {
            // The kernel finds out that there is none left before it creates anything.
            Err(error @ (Errno::MFILE | Errno::NFILE)) => {
                let reserve = self.lock_reserve().take().ok_or(error)?;
                drop(reserve);
                attempt()?
            }
            result => result?,
        };
        self.refill();
        Ok(Descriptor { fd, refill: Refill(self.clone()) })
    }

    fn refill(&self) {
        let mut reserve = self.lock_reserve();
        if reserve.is_none() {
            *reserve = open_reserve().ok();
        }
    }

    fn lock_reserve(&self) -> MutexGuard<'_, Option<OwnedFd>> {
        self.reserve.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Opens a descriptor of something that is always there, and asks nothing of a disk.
fn open_reserve() -> io::Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Ok(rustix::fs::open("/", flags, Mode::empty())?)
}

/// A descriptor that gives the reserve a chance to be refilled when it is closed.
#[derive(Debug)]
pub(super) struct Descriptor {
    fd: OwnedFd,
    // Fields are dropped in this order: by then the descriptor is closed.
    refill: Refill,
}

impl Descriptor {
    /// Takes it apart; the second part is to be dropped after the first was closed.
    pub(super) fn into_parts(self) -> (OwnedFd, Refill) {
        (self.fd, self.refill)
    }
}

impl AsFd for Descriptor {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// Takes the reserve again, where it is missing, when it is dropped.
#[derive(Debug)]
pub(super) struct Refill(Descriptors);

impl Drop for Refill {
    fn drop(&mut self) {
        self.0.refill();
    }
}
