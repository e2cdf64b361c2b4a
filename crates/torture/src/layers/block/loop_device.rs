//! A loop device, given back when dropped.

use std::path::{Path, PathBuf};

use super::program::run;

/// A block device over a file.
#[derive(Debug)]
pub(crate) struct LoopDevice {
    path: PathBuf,
}

impl LoopDevice {
    /// Attaches the next free one to `file`. `losetup` tries again where another run takes that one first.
    pub(crate) fn attach(file: &Path) -> anyhow::Result<Self> {
        let path = run("losetup", [Path::new("--find"), Path::new("--show"), file])?;
        Ok(Self { path: path.into() })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for LoopDevice {
    fn drop(&mut self) {
        // One that is still in use goes with its last user.
        drop(run("losetup", [Path::new("--detach"), &self.path]));
    }
}
