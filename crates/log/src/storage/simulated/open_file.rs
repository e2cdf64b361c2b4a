//! An open file of the simulated disk.

use std::io;
use std::path::PathBuf;

use super::fault::OperationKind;
use super::operate::{Call, Manner};
use super::tree::Inode;
use super::{Errno, SimulatedDisk, count};
use crate::storage::{Access, Stat, StorageFile};

/// An open file, whatever became of its name.
#[derive(Debug)]
pub(super) struct SimulatedFile {
    pub(super) disk: SimulatedDisk,
    pub(super) inode: Inode,
    pub(super) path: PathBuf,
    pub(super) access: Access,
}

impl SimulatedFile {
    fn call(&self, kind: OperationKind) -> Call<'_> {
        Call::new(kind, &self.path)
    }

    /// Refuses what a file that is open for reading alone refuses.
    fn check_writable(&self, refusal: Errno) -> io::Result<()> {
        match self.access {
            Access::Append => Ok(()),
            Access::Read => Err(refusal.into()),
        }
    }
}

impl StorageFile for SimulatedFile {
    fn append(&self, bytes: &[u8]) -> io::Result<usize> {
        let call = self.call(OperationKind::Append).size(count(bytes.len()));
        self.disk.operate(call, |state, manner| {
            self.check_writable(Errno::BADF)?;
            let taken = bytes.get(..manner.size(bytes.len())).unwrap_or(bytes);
            state.tree.content_mut(self.inode)?.append(taken);
            Ok(taken.len())
        })
    }

    fn allocate(&self, _offset: u64, size: u64) -> io::Result<()> {
        let call = self.call(OperationKind::Allocate).size(size);
        // Space that was reserved is not seen by reads, so there is nothing to keep.
        self.disk.operate(call, |_, _| self.check_writable(Errno::BADF))
    }

    fn sync_data(&self) -> io::Result<()> {
        self.disk.operate(self.call(OperationKind::SyncData), |state, manner| {
            let content = state.tree.content_mut(self.inode)?;
            match manner.drops {
                Some(drop) => content.drop_dirty_data(drop),
                None => content.sync(),
            }
            Ok(())
        })
    }

    fn truncate(&self, size: u64) -> io::Result<()> {
        self.disk.operate(self.call(OperationKind::Truncate).size(size), |state, _| {
            self.check_writable(Errno::INVAL)?;
            let Ok(size) = usize::try_from(size) else { return Err(Errno::FBIG.into()) };
            state.tree.content_mut(self.inode)?.resize(size);
            Ok(())
        })
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        let call = self.call(OperationKind::ReadAt).size(count(buf.len()));
        self.disk.operate(call, |state, manner| {
            let content = state.tree.content(self.inode)?;
            Ok(copy(content.cached(), offset, buf, manner))
        })
    }

    fn read_medium_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        let call = self.call(OperationKind::ReadMediumAt).size(count(buf.len()));
        self.disk.operate(call, |state, manner| {
            let content = state.tree.content(self.inode)?;
            Ok(copy(&content.on_medium(), offset, buf, manner))
        })
    }

    fn stat(&self) -> io::Result<Stat> {
        self.disk
            .operate(self.call(OperationKind::StatOpen), |state, _| state.tree.stat(self.inode))
    }
}

/// Copies what stands at `offset` into `buf`, and tells how much.
fn copy(content: &[u8], offset: u64, buf: &mut [u8], manner: Manner) -> usize {
    let rest = usize::try_from(offset).ok().and_then(|offset| content.get(offset..));
    let rest = rest.unwrap_or_default();
    let size = manner.size(rest.len().min(buf.len()));
    for (to, from) in buf.iter_mut().zip(rest).take(size) {
        *to = *from;
    }
    size
}
