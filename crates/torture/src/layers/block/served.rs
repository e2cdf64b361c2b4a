//! The device as a file that the loop driver can stand on: a FUSE file system with two files, the disk and the ear.
//!
//! One thread serves all requests, so that they have one order. Both files are opened past the page cache, so that each
//! write of the loop driver is one request, answered before the driver says that it is done, and reads show what the
//! device holds. The ear takes what the appending process says: its lines stand in the device's history at the place
//! where they were said, between the writes and flushes before and after.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, UNIX_EPOCH};

use anyhow::Context as _;
use fuser::{
    BackgroundSession, Config, Errno, FileAttr, FileHandle, FileType, Filesystem, FopenFlags,
    Generation, INodeNo, LockOwner, MountOption, OpenFlags, ReplyAttr, ReplyData, ReplyEmpty,
    ReplyEntry, ReplyOpen, ReplyWrite, Request, WriteFlags,
};

use super::device::Device;

const DISK: (u64, &str) = (2, "disk");
const EAR: (u64, &str) = (3, "ear");
/// How long the kernel may remember names and attributes: they don't change.
const FOR_LONG: Duration = Duration::from_hours(1);

/// A device that is served as a file, until dropped.
#[derive(Debug)]
pub(crate) struct Served {
    device: Arc<Mutex<Device>>,
    folder: PathBuf,
    session: Option<BackgroundSession>,
}

impl Served {
    /// Serves `device` in `folder`, which is empty.
    pub(crate) fn start(device: Device, folder: &Path) -> anyhow::Result<Self> {
        let device = Arc::new(Mutex::new(device));
        let files = Files { device: Arc::clone(&device) };
        let mut config = Config::default();
        config.mount_options = vec![MountOption::FSName("indelible-torture".to_owned())];
        let session = fuser::spawn_mount(files, folder, &config).context("FUSE does not mount")?;
        Ok(Self { device, folder: folder.to_path_buf(), session: Some(session) })
    }

    pub(crate) fn disk(&self) -> PathBuf {
        self.folder.join(DISK.1)
    }

    /// Where the appending process says things.
    pub(crate) fn ear(&self) -> PathBuf {
        self.folder.join(EAR.1)
    }

    pub(crate) fn device(&self) -> MutexGuard<'_, Device> {
        lock(&self.device)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        if let Some(session) = self.session.take() {
            // What can't be unmounted is let go: the loop device still holds it.
            drop(
                super::program::run("umount", [&self.folder]).or_else(|_| {
                    super::program::run("umount", [Path::new("--lazy"), &self.folder])
                }),
            );
            drop(session);
        }
    }
}

fn lock(device: &Mutex<Device>) -> MutexGuard<'_, Device> {
    device.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Files {
    device: Arc<Mutex<Device>>,
}

impl Files {
    fn attributes(&self, ino: u64) -> Option<FileAttr> {
        let (kind, size) = match ino {
            1 => (FileType::Directory, 0),
            ino if ino == DISK.0 => (FileType::RegularFile, lock(&self.device).size()),
            ino if ino == EAR.0 => (FileType::RegularFile, 0),
            _ => return None,
        };
        let size = u64::try_from(size).ok()?;
        Some(FileAttr {
            ino: INodeNo(ino),
            size,
            blocks: size / 512,
            atime: UNIX_EPOCH,
            mtime: UNIX_EPOCH,
            ctime: UNIX_EPOCH,
            crtime: UNIX_EPOCH,
            kind,
            perm: 0o700,
            nlink: 1,
            uid: 0,
            gid: 0,
            rdev: 0,
            blksize: 4096,
            flags: 0,
        })
    }
}

impl Filesystem for Files {
    fn lookup(&self, _req: &Request, _parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let file = [DISK, EAR].into_iter().find(|(_, known)| name == *known);
        match file.and_then(|(ino, _)| self.attributes(ino)) {
            Some(attributes) => reply.entry(&FOR_LONG, &attributes, Generation(0)),
            None => reply.error(Errno::ENOENT),
        }
    }

    fn getattr(&self, _req: &Request, ino: INodeNo, _fh: Option<FileHandle>, reply: ReplyAttr) {
        match self.attributes(ino.0) {
            Some(attributes) => reply.attr(&FOR_LONG, &attributes),
            None => reply.error(Errno::ENOENT),
        }
    }

    fn open(&self, _req: &Request, _ino: INodeNo, _flags: OpenFlags, reply: ReplyOpen) {
        reply.opened(FileHandle(0), FopenFlags::FOPEN_DIRECT_IO);
    }

    fn read(
        &self,
        _req: &Request,
        _ino: INodeNo,
        _fh: FileHandle,
        offset: u64,
        size: u32,
        _flags: OpenFlags,
        _lock_owner: Option<LockOwner>,
        reply: ReplyData,
    ) {
        match (usize::try_from(offset), usize::try_from(size)) {
            (Ok(offset), Ok(size)) => reply.data(lock(&self.device).read(offset, size)),
            _ => reply.error(Errno::EINVAL),
        }
    }

    fn write(
        &self,
        _req: &Request,
        ino: INodeNo,
        _fh: FileHandle,
        offset: u64,
        data: &[u8],
        _write_flags: WriteFlags,
        _flags: OpenFlags,
        _lock_owner: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        let (Ok(offset), Ok(size)) = (usize::try_from(offset), u32::try_from(data.len())) else {
            return reply.error(Errno::EINVAL);
        };
        let mut device = lock(&self.device);
        if ino.0 == EAR.0 {
            device.say(&String::from_utf8_lossy(data));
            return reply.written(size);
        }
        match device.write(offset, data) {
            Ok(()) => reply.written(size),
            Err(error) => reply.error(Errno::from_i32(error)),
        }
    }

    fn flush(
        &self,
        _req: &Request,
        _ino: INodeNo,
        _fh: FileHandle,
        _lock_owner: LockOwner,
        reply: ReplyEmpty,
    ) {
        // That somebody closes the file says nothing to the medium.
        reply.ok();
    }

    fn fsync(
        &self,
        _req: &Request,
        ino: INodeNo,
        _fh: FileHandle,
        _datasync: bool,
        reply: ReplyEmpty,
    ) {
        if ino.0 != DISK.0 {
            return reply.ok();
        }
        match lock(&self.device).flush() {
            Ok(()) => reply.ok(),
            Err(error) => reply.error(Errno::from_i32(error)),
        }
    }

    fn fallocate(
        &self,
        _req: &Request,
        _ino: INodeNo,
        _fh: FileHandle,
        _offset: u64,
        _length: u64,
        _mode: i32,
        reply: ReplyEmpty,
    ) {
        // No discarding and no zeroing in place: the kernel writes zeros instead, and these are recorded.
        reply.error(Errno::EOPNOTSUPP);
    }
}
