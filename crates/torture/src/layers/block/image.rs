//! The content of a block device, as an anonymous file in memory: a flush costs nothing there, it has no name that could
//! collide, and it is gone with the last who holds it, however this process ends.

use std::fs::File;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;

use anyhow::Context as _;
use rustix::fs::{MemfdFlags, memfd_create};

/// Bytes that are compared and copied at once.
const BLOCK_SIZE: usize = 4096;

/// The content of a block device.
#[derive(Debug)]
pub(crate) struct Image {
    file: File,
    size: usize,
}

impl Image {
    /// One of `size` zeros.
    pub(crate) fn empty(size: usize) -> anyhow::Result<Self> {
        let file = memfd_create("indelible-torture", MemfdFlags::CLOEXEC);
        let file = File::from(file.context("no anonymous file")?);
        file.set_len(u64::try_from(size)?).context("no room in memory")?;
        Ok(Self { file, size })
    }

    /// One that holds `content`.
    pub(crate) fn of(content: &[u8]) -> anyhow::Result<Self> {
        let image = Self::empty(content.len())?;
        image.become_content(&vec![0; content.len()], content)?;
        Ok(image)
    }

    /// The name by which a child process opens it.
    pub(crate) fn path(&self) -> PathBuf {
        format!("/proc/{}/fd/{}", std::process::id(), self.file.as_raw_fd()).into()
    }

    /// All of it.
    pub(crate) fn content(&self) -> anyhow::Result<Vec<u8>> {
        let mut content = vec![0; self.size];
        self.file.read_exact_at(&mut content, 0)?;
        Ok(content)
    }

    /// Makes it hold `to`, where it held `from`: writes only blocks that differ.
    fn become_content(&self, from: &[u8], to: &[u8]) -> anyhow::Result<()> {
        for (index, (from, to)) in from.chunks(BLOCK_SIZE).zip(to.chunks(BLOCK_SIZE)).enumerate() {
            if from != to {
                self.file.write_all_at(to, u64::try_from(index * BLOCK_SIZE)?)?;
            }
        }
        Ok(())
    }

    /// Makes it hold `content`, whatever it held: writes only blocks that differ.
    pub(crate) fn set(&self, content: &[u8]) -> anyhow::Result<()> {
        self.become_content(&self.content()?, content)
    }
}
