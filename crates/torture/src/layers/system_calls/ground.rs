//! Where the command is run: on ext4 where that can be had, since the log makes calls there that it makes nowhere else.

use std::path::{Path, PathBuf};

use anyhow::ensure;
use tempfile::TempDir;

use crate::command;
use crate::layers::block::{FileSystem, Image, LoopDevice, Mount};
use crate::need::{self, Need};
use crate::plan::Plan;

/// Room for all templates and what is run at once.
const SIZE: usize = 512 << 20;

/// A folder, and what it lies on; what is mounted goes first.
#[derive(Debug)]
pub(super) struct Ground {
    _ext4: Option<(Mount, LoopDevice, Image)>,
    folder: TempDir,
}

impl Ground {
    /// On ext4 in memory; where the folder is to be kept, or without the rights for that, of which it tells, on what there is.
    pub(super) fn new(plan: &Plan) -> anyhow::Result<Self> {
        let needs = [Need::Root, Need::LoopDevices, Need::Program("mkfs.ext4")];
        let missing: Vec<String> = needs.iter().filter_map(|need| need.missing()).collect();
        if !missing.is_empty() {
            let what = format!("an ext4 to run on needs {}", missing.join(", "));
            ensure!(!need::is_strict(), "{what}, and nothing may be skipped when CI=true");
            println!("  SKIPPED: the calls that ask after the journal of ext4: {what}");
        }
        if plan.keep || !missing.is_empty() {
            return Ok(Self { _ext4: None, folder: command::fast_folder(plan)? });
        }
        let folder = plan.folder()?;
        let image = FileSystem::Ext4.make_of(SIZE)?;
        let device = LoopDevice::attach(&image.path())?;
        let mount = Mount::new(device.path(), FileSystem::Ext4, folder.path())?;
        Ok(Self { _ext4: Some((mount, device, image)), folder })
    }

    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Leaves it where it is.
    pub(super) fn keep(self) -> PathBuf {
        self.folder.keep()
    }
}
