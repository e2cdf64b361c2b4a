//! A mounted file system, unmounted when dropped.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use super::file_system::FileSystem;
use super::program::run;

/// How often unmounting is tried before it is left to the kernel.
const ATTEMPTS: u32 = 50;

/// A mounted file system.
#[derive(Debug)]
pub(crate) struct Mount {
    target: PathBuf,
    mounted: bool,
}

impl Mount {
    /// Mounts the `file_system` on `device` at `target`, an empty folder. An error where the file system refuses.
    pub(crate) fn new(
        device: &Path,
        file_system: FileSystem,
        target: &Path,
    ) -> anyhow::Result<Self> {
        let options = file_system.mount_options();
        let words: [&OsStr; 6] = [
            "-t".as_ref(),
            file_system.kind().as_ref(),
            "-o".as_ref(),
            options.as_ref(),
            device.as_ref(),
            target.as_ref(),
        ];
        run("mount", words)?;
        Ok(Self { target: target.to_path_buf(), mounted: true })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.target
    }

    /// Unmounts it; whoever just ended may hold it for a moment.
    pub(crate) fn unmount(mut self) -> anyhow::Result<()> {
        self.try_unmount()
    }

    fn try_unmount(&mut self) -> anyhow::Result<()> {
        let mut tried = run("umount", [&self.target]);
        for _ in 1..ATTEMPTS {
            if tried.is_ok() {
                break;
            }
            thread::sleep(Duration::from_millis(10));
            tried = run("umount", [&self.target]);
        }
        self.mounted = tried.is_err();
        tried.map(drop)
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        if self.mounted && self.try_unmount().is_err() {
            drop(run("umount", [Path::new("--lazy"), &self.target]));
        }
    }
}
