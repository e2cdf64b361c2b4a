//! Whether a sync that succeeded can be believed, where the file system keeps a jbd2 journal (ext4, and ext3 by it).
//!
//! When such a journal can't be written it is given up: nothing that waits in it comes to the disk any more. The sync
//! that waits for the transaction is told. One that comes *after* the transaction has ended (somebody else's sync, or
//! the kernel's own every five seconds, took it along) finds that there is nothing left to wait for, and returns success:
//! the bytes are in their blocks, and no inode says so. Seen on Linux 6.18; the layer `failing-device` of
//! `crates/torture` stages it.
//!
//! What can't be hidden is that the journal is gone: "any attempt to get a new transaction handle on a journal which is in
//! ABORT state will just result in an -EROFS error return" (`jbd2_journal_abort`, Linux kernel documentation). So behind each
//! sync a handle is asked for, by setting the file's times to now; twice, since ext4 keeps the answer to the first to
//! itself (`ext4_dirty_inode` returns nothing), but refuses everything from then on. It does not make the next sync slower: a
//! write sets the times anyway, and `fdatasync` does not wait for them.

use std::io;
use std::os::fd::AsFd;

use indelible_format::seeded::{self, Bug};
use rustix::fs::{Timespec, Timestamps, UTIME_NOW};
use rustix::io::{Errno, retry_on_intr};

/// `EXT4_SUPER_MAGIC` of Linux `magic.h`, which ext2 and ext3 share.
const EXT4: u64 = 0xEF53;
/// `OVERLAYFS_SUPER_MAGIC`: what a container's own folders lie on, with ext4 below it or not.
const OVERLAY: u64 = 0x794C_7630;

/// Whether the file system that `file` is on may have such a journal.
pub(super) fn may_be_under(file: impl AsFd) -> io::Result<bool> {
    Ok(matches!(u64::try_from(rustix::fs::fstatfs(file)?.f_type), Ok(EXT4 | OVERLAY)))
}

/// Fails where the journal under `file` was given up: what was synced before may not be on the disk.
pub(super) fn check_alive(file: impl AsFd) -> io::Result<()> {
    if seeded::is(Bug::BelievesDeadJournal) {
        return Ok(());
    }
    let now = Timespec { tv_sec: 0, tv_nsec: UTIME_NOW };
    let now = Timestamps { last_access: now, last_modification: now };
    // The first makes ext4 look, the second makes it tell.
    for _ in 0..2 {
        match retry_on_intr(|| rustix::fs::futimens(&file, &now)) {
            // A file of somebody else's, or a sealed one: that says nothing of the journal.
            Err(Errno::PERM | Errno::ACCESS) => return Ok(()),
            answer => answer?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::{check_alive, may_be_under};

    #[test]
    fn a_file_on_a_disk_that_works_passes_whoever_may_write_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = File::create(folder.path().join("file")).unwrap();
        check_alive(&file).unwrap();
        check_alive(File::open(folder.path()).unwrap()).unwrap();
    }

    #[test]
    fn no_journal_of_that_kind_is_under_proc() {
        assert!(!may_be_under(File::open("/proc/self/stat").unwrap()).unwrap());
    }
}
