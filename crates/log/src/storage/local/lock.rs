//! The lock of a log folder: `flock` on a file that names its holder.
//!
//! Invariant: who holds it holds the file that stands at its path; one that was unlinked or replaced does not count.
//! A lock is the open file's, so two handles of one process exclude each other too.

use std::io;
use std::path::Path;

use rustix::fs::{AtFlags, CWD, FlockOperation, Mode, OFlags};
use rustix::io::{Errno, retry_on_intr};

use super::descriptor::{Descriptor, Descriptors};
use super::{GROUP_FILE_MODE, NotAFile, stat};
use crate::storage::{Kind, Lock, LockError};

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
        descriptors: &Descriptors,
        path: &Path,
        holder: &str,
    ) -> Result<Self, LockError> {
        for _ in 0..ATTEMPTS_MAX {
            let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NONBLOCK;
            let mode = Mode::from_raw_mode(GROUP_FILE_MODE);
            let descriptor = descriptors.open(path, flags, mode)?;
            let opened = stat(&rustix::fs::fstat(&descriptor).map_err(io::Error::from)?);
            if opened.kind != Kind::File {
                return Err(io::Error::from(NotAFile { kind: opened.kind }).into());
            }
            let operation = FlockOperation::NonBlockingLockExclusive;
            match retry_on_intr(|| rustix::fs::flock(&descriptor, operation)) {
                Err(Errno::WOULDBLOCK) => {
                    return Err(LockError::Held { holder: read_holder(&descriptor)? });
                }
                taken => taken.map_err(io::Error::from)?,
            }
            let lock = Self { descriptor };
            // Another process may have unlinked it between the opening and the locking.
            match rustix::fs::statat(CWD, path, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(standing) if stat(&standing).id == opened.id => {
                    lock.write_holder(holder)?;
                    return Ok(lock);
                }
                Ok(_) | Err(Errno::NOENT) => {}
                Err(error) => return Err(io::Error::from(error).into()),
            }
        }
        Err(io::Error::from(LockFileReplaced).into())
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

/// What the holder wrote into the lock.
fn read_holder(descriptor: &Descriptor) -> io::Result<String> {
    let mut buf = [0; HOLDER_SIZE_MAX];
    let count = retry_on_intr(|| rustix::io::pread(descriptor, &mut buf, 0))?;
    Ok(clean(buf.get(..count).unwrap_or_default()))
}

/// Makes what another process wrote fit for a terminal.
fn clean(holder: &[u8]) -> String {
    let text = String::from_utf8_lossy(holder);
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
    use super::clean;

    #[test]
    fn holder_text_never_steers_a_terminal() {
        assert_eq!(clean(b"pid 7 (\x1b[2Jsvc)\nsince\x00\n"), "pid 7 ( [2Jsvc) since");
        assert_eq!(clean("a\u{202e}b\u{2066}c".as_bytes()), "a b c");
        assert_eq!(clean(b"\xff\xfe"), "\u{fffd}\u{fffd}");
    }

    #[test]
    fn holder_who_wrote_nothing_is_unnamed() {
        assert_eq!(clean(b" \n\0"), "an unnamed process");
    }
}
