//! The file systems that are tried: how they are made, mounted and cut.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::Context as _;

use super::image::Image;
use super::program::{run, run_to};

/// Blocks of a group of ext4, and so the block of the first superblock's copy: small, that there is one.
const EXT4_BACKUP: &str = "2048";
/// Everything is in place before it is mounted.
const EXT4_LAYOUT: &str = "lazy_itable_init=0,nodiscard";

/// A file system that is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FileSystem {
    Ext4,
    Xfs,
    /// ext4 that finds the place of what is written at once, so that files grow before they are synced: a group that was
    /// on its way is then there in part.
    Ext4AtOnce,
    /// ext4 that writes all data through its journal.
    Ext4Journalled,
}

impl FileSystem {
    /// Half of what is tried is XFS.
    pub(crate) const ALL: [Self; 6] =
        [Self::Ext4, Self::Xfs, Self::Ext4AtOnce, Self::Xfs, Self::Ext4Journalled, Self::Xfs];

    /// The one whose turn it is.
    pub(crate) fn of_turn(turn: u64) -> Self {
        let count = u64::try_from(Self::ALL.len()).unwrap_or(1);
        let index = usize::try_from(turn % count).unwrap_or(0);
        Self::ALL[index]
    }

    /// For people.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Ext4 => "ext4",
            Self::Ext4AtOnce => "ext4 (nodelalloc)",
            Self::Ext4Journalled => "ext4 (data=journal)",
            Self::Xfs => "XFS",
        }
    }

    /// As `mount` and `mkfs` know it.
    pub(super) fn kind(self) -> &'static str {
        match self {
            Self::Ext4 | Self::Ext4AtOnce | Self::Ext4Journalled => "ext4",
            Self::Xfs => "xfs",
        }
    }

    /// As small as it takes, for copying.
    fn size(self) -> usize {
        match self {
            Self::Ext4 | Self::Ext4AtOnce | Self::Ext4Journalled => 16 << 20,
            Self::Xfs => 32 << 20,
        }
    }

    /// A new one, as small as it takes.
    pub(crate) fn make(self) -> anyhow::Result<Image> {
        self.make_of(self.size())
    }

    /// A new one of so many bytes.
    pub(crate) fn make_of(self, size: usize) -> anyhow::Result<Image> {
        let image = Image::empty(size)?;
        let path = image.path();
        // With blocks of 4096, as on any disk that logs are kept on.
        let words: &[&str] = match self {
            Self::Ext4 | Self::Ext4AtOnce | Self::Ext4Journalled => {
                &["-q", "-F", "-b", "4096", "-g", EXT4_BACKUP, "-J", "size=4", "-E", EXT4_LAYOUT]
            }
            // Below 300 MB only for tests, such as this.
            Self::Xfs => &["-q", "-f", "-K", "--unsupported"],
        };
        let words = words.iter().map(OsStr::new).chain([path.as_os_str()]);
        run(&format!("mkfs.{}", self.kind()), words)?;
        Ok(image)
    }

    /// Repairs the one on `device`, as an operator does where it does not mount.
    pub(crate) fn repair(self, device: &Path) -> anyhow::Result<()> {
        // Up to 2: there was something to correct, and it was.
        let check = |from: &[&str]| {
            let words = ["-f", "-y"].iter().chain(from).map(OsStr::new);
            run_to("e2fsck", words.chain([device.as_os_str()]), 2)
        };
        let repaired = match self {
            Self::Ext4 | Self::Ext4AtOnce | Self::Ext4Journalled => {
                check(&[]).or_else(|_| check(&["-b", EXT4_BACKUP, "-B", "4096"]))
            }
            // Without -L: a journal that was not replayed is not thrown away.
            Self::Xfs => run("xfs_repair", [device]),
        };
        repaired.map(drop)
    }

    pub(super) fn mount_options(self) -> &'static str {
        match self {
            // After an error as on most machines: no more writes.
            Self::Ext4 => "errors=remount-ro",
            Self::Ext4AtOnce => "errors=remount-ro,nodelalloc",
            Self::Ext4Journalled => "errors=remount-ro,data=journal",
            // Copies of one image have one id.
            Self::Xfs => "nouuid",
        }
    }
}

/// A finger on the switch: `xfs_io`, started and waiting, so that nothing but the call itself is left to do.
#[derive(Debug)]
pub(crate) struct PowerSwitch {
    shutter: Child,
}

impl PowerSwitch {
    /// For the file system that is mounted at `mount`.
    pub(crate) fn ready(mount: &Path) -> anyhow::Result<Self> {
        let mut command = Command::new("xfs_io");
        // -x: the commands of experts. -F: also on what is not XFS; without effect on what is.
        command.args(["-x", "-F"]).arg(mount);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        Ok(Self { shutter: command.spawn().context("xfs_io does not run")? })
    }

    /// Shuts the file system down at once: what is not on the device by now never comes there, the journal included (no
    /// `-f`, which would write it first).
    pub(crate) fn cut(mut self) -> anyhow::Result<()> {
        use std::io::Write as _;
        let mut input = self.shutter.stdin.take().context("xfs_io has no input")?;
        input.write_all(b"shutdown\nquit\n")?;
        drop(input);
        let output = self.shutter.wait_with_output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        anyhow::ensure!(output.status.success() && said.is_empty(), "xfs_io: {}", said.trim());
        Ok(())
    }
}
