//! The lock of a log folder: `flock` on a file that names its holder.
//!
//! Invariant: who holds it holds the file that stands at its path; one that was unlinked or replaced does not count.
//! A lock is the open file's, so two handles of one process exclude each other too.

use std::io;
use std::path::Path;

use rustix::fs::{AtFlags, CWD, FlockOperation, Mode, OFlags};
use rustix::io::{Errno, retry_on_intr};

use super::descriptor::Descriptor;
use super::{GROUP_FILE_MODE, LocalStorage, NotAFile, stat};
use crate::storage::{Kind, Lock, LockError, Stat};

/// How much is read of what the holder wrote.
const HOLDER_SIZE_MAX: usize = 200;
/// How often a lock is tried again whose file was taken from under us.
const ATTEMPTS_MAX: usize = 10;

/// The lock, as long as it lives.
#[derive(Debug)]
pub(super) struct LocalLock {
    descriptor: Descriptor,
}

impl Lock for LocalLock {}

impl LocalLock {
    /// Takes the lock at `path`, or says who has it.
    pub(super) fn take(
        storage: &LocalStorage,
        path: &Path,
        holder: &str,
    ) -> Result<Self, LockError> {
        for _ in 0..ATTEMPTS_MAX {
            if let Some(lock) = Self::take_opened(storage, open(storage, path)?, path)? {
                lock.write_holder(holder)?;
                return Ok(lock);
            }
        }
        Err(io::Error::from(LockFileReplaced).into())
    }

    /// Takes the lock at `path` without a trace, also where nothing can be written; nothing where there is none.
    pub(super) fn take_untouched(
        storage: &LocalStorage,
        path: &Path,
    ) -> Result<Option<Self>, LockError> {
        let flags = OFlags::RDONLY | OFlags::NONBLOCK;
        match storage.descriptors.open(path, flags, Mode::empty()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            opened => Self::take_opened(storage, opened?, path),
        }
    }

    /// Locks what was opened at `path`; nothing where another process has unlinked or replaced it since then.
    fn take_opened(
        storage: &LocalStorage,
        descriptor: Descriptor,
        path: &Path,
    ) -> Result<Option<Self>, LockError> {
        let operation = FlockOperation::NonBlockingLockExclusive;
        match retry_on_intr(|| rustix::fs::flock(&descriptor, operation)) {
            Err(Errno::WOULDBLOCK) => {
                return Err(LockError::Held { holder: read_holder(&descriptor)? });
            }
            taken => taken.map_err(io::Error::from)?,
        }
        let lock = Self { descriptor };
        let opened = fstat(storage, &lock.descriptor)?;
        match rustix::fs::statat(CWD, path, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(standing) => Ok((stat(&standing, storage.user).id == opened.id).then_some(lock)),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(io::Error::from(error).into()),
        }
    }

    fn write_holder(&self, holder: &str) -> io::Result<()> {
        let mut rest = holder.as_bytes();
        let mut offset = 0;
        // Over the old name, which is cut off afterwards: that needs no space on a full disk.
        while !rest.is_empty() {
            let count = retry_on_intr(|| rustix::io::pwrite(&self.descriptor, rest, offset))?;
            rest = rest.get(count..).unwrap_or_default();
            offset += u64::try_from(count).unwrap_or(0);
            if count == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
        }
        Ok(retry_on_intr(|| rustix::fs::ftruncate(&self.descriptor, offset))?)
    }
}

impl Drop for LocalLock {
    fn drop(&mut self) {
        // A child process that is about to exec may still share the open file, so closing ours is not enough.
        if rustix::fs::flock(&self.descriptor, FlockOperation::Unlock).is_err() {
            // Closing is all that is left, and it follows.
        }
    }
}

/// Opens the lock file, making it where it is absent.
fn open(storage: &LocalStorage, path: &Path) -> io::Result<Descriptor> {
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NONBLOCK;
    let descriptor = storage.descriptors.open(path, flags, Mode::from_raw_mode(GROUP_FILE_MODE))?;
    match fstat(storage, &descriptor)?.kind {
        Kind::File => Ok(descriptor),
        kind @ (Kind::Folder | Kind::Link | Kind::Other) => Err(NotAFile { kind }.into()),
    }
}

fn fstat(storage: &LocalStorage, descriptor: &Descriptor) -> io::Result<Stat> {
    Ok(stat(&rustix::fs::fstat(descriptor)?, storage.user))
}

/// What the holder wrote into the lock.
fn read_holder(descriptor: &Descriptor) -> io::Result<String> {
    let mut buf = [0; HOLDER_SIZE_MAX];
    let count = retry_on_intr(|| rustix::io::pread(descriptor, &mut buf, 0))?;
    Ok(clean_holder(buf.get(..count).unwrap_or_default()))
}

/// Makes what another process wrote fit for a terminal.
pub(crate) fn clean_holder(holder: &[u8]) -> String {
    let text = String::from_utf8_lossy(holder.get(..HOLDER_SIZE_MAX).unwrap_or(holder));
    let shown: String = text.chars().map(|c| if is_steering(c) { ' ' } else { c }).collect();
    match shown.trim() {
        "" => "an unnamed process".to_owned(),
        name => name.to_owned(),
    }
}

/// Whether a character steers a terminal or the direction of text.
fn is_steering(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The lock file was unlinked or replaced again and again.
#[derive(Debug, thiserror::Error)]
#[error("the lock file is replaced again and again while it is being locked")]
struct LockFileReplaced;

impl From<LockFileReplaced> for io::Error {
    fn from(error: LockFileReplaced) -> Self {
        Self::new(io::ErrorKind::ResourceBusy, error)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn holder_text_never_steers_a_terminal() {
        assert_eq!(clean_holder(b"pid 7 (\x1b[2Jsvc)\nsince\x00\n"), "pid 7 ( [2Jsvc) since");
        assert_eq!(clean_holder("a\u{202e}b\u{2066}c".as_bytes()), "a b c");
        assert_eq!(clean_holder(b"\xff\xfe"), "\u{fffd}\u{fffd}");
    }

    #[test]
    fn holder_who_wrote_nothing_is_unnamed() {
        assert_eq!(clean_holder(b" \n\0"), "an unnamed process");
    }

    #[test]
    fn file_that_was_unlinked_or_replaced_before_it_was_locked_does_not_count() {
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join("lock");
        let storage = LocalStorage::new().unwrap();
        let [gone, replaced, also_replaced] = [(); 3].map(|()| {
            let opened = open(&storage, &path).unwrap();
            fs::remove_file(&path).unwrap();
            opened
        });
        assert!(LocalLock::take_opened(&storage, gone, &path).unwrap().is_none());
        let current = open(&storage, &path).unwrap();
        for old in [replaced, also_replaced] {
            assert!(LocalLock::take_opened(&storage, old, &path).unwrap().is_none());
        }
        assert!(LocalLock::take_opened(&storage, current, &path).unwrap().is_some());
    }
}
