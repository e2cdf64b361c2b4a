//! Writes the rows that a survey found wrong, beside the old ones, and puts them in place.
//!
//! A crash at any step leaves, for each row, the old file or the new one, and perhaps `*.tmp` files, which the next
//! repair and the next opening remove.

use std::path::{Path, PathBuf};

use super::error::RepairError;
use super::survey::Survey;
use super::walk::{Stopped, walk};
use crate::io::{IoFailure, Operation, exists, write_whole};
use crate::layout::Layout;
use crate::storage::{Privacy, Storage, StorageFile};
use crate::tree_store::is_row_tmp;
use crate::verify::{Finding, Problem};

/// Bytes of a row that are gathered before they are written.
const BUFFER_SIZE: usize = 64 * 1024;

/// Rebuilds the rows that `survey` found wrong.
///
/// # Durability
/// On success they are on the disk, under their names.
pub(super) fn rebuild(
    storage: &dyn Storage,
    layout: &Layout,
    survey: &Survey,
) -> Result<(), RepairError> {
    let tree = layout.tree();
    if !exists(storage, &tree)? {
        storage.create_folder(&tree).map_err(IoFailure::of(Operation::Create, &tree))?;
        let folder = layout.folder();
        storage.sync_folder(folder).map_err(IoFailure::of(Operation::Sync, folder))?;
    }
    remove_left_over(storage, &tree)?;
    let mut written = Vec::new();
    for row in survey.wrong_rows() {
        written.push(NewRow::create(storage, layout, row)?);
    }
    let walked = walk(storage, layout, survey.checkpoint(), &mut |place, hash| match written
        .iter_mut()
        .find(|row| row.row == place.row)
    {
        Some(row) => row.push(hash.as_bytes()),
        None => Ok(()),
    });
    let root = match walked {
        Ok(walked) => walked.frontier.root(),
        Err(Stopped::Finding(finding)) => return Err(RepairError::Changed(finding)),
        Err(Stopped::Io(failure)) => return Err(failure.into()),
    };
    // The records were right a moment ago; rows are never written on a root that was not signed.
    if root != survey.checkpoint().root {
        let finding = Finding::new(Problem::RootMismatch).found(root);
        return Err(RepairError::Changed(Box::new(finding)));
    }
    for row in &mut written {
        row.finish()?;
    }
    for row in &written {
        storage.replace(&row.tmp, &row.path).map_err(IoFailure::of(Operation::Rename, &row.tmp))?;
    }
    storage.sync_folder(&tree).map_err(IoFailure::of(Operation::Sync, &tree))?;
    Ok(())
}

fn remove_left_over(storage: &dyn Storage, tree: &Path) -> Result<(), IoFailure> {
    let names = storage.list(tree).map_err(IoFailure::of(Operation::List, tree))?;
    for name in names.iter().filter(|name| is_row_tmp(name)) {
        let path = tree.join(name);
        storage.unlink(&path).map_err(IoFailure::of(Operation::Remove, &path))?;
    }
    Ok(())
}

/// A row that is being written beside its place.
struct NewRow {
    row: u8,
    path: PathBuf,
    tmp: PathBuf,
    file: Box<dyn StorageFile>,
    buffer: Vec<u8>,
}

impl NewRow {
    fn create(storage: &dyn Storage, layout: &Layout, row: u8) -> Result<Self, IoFailure> {
        let (path, tmp) = (layout.row(row), layout.row_tmp(row));
        let file = storage
            .create_new(&tmp, Privacy::Group)
            .map_err(IoFailure::of(Operation::Create, &tmp))?;
        Ok(Self { row, path, tmp, file, buffer: Vec::new() })
    }

    fn push(&mut self, hash: &[u8; 32]) -> Result<(), IoFailure> {
        self.buffer.extend_from_slice(hash);
        if self.buffer.len() >= BUFFER_SIZE { self.write() } else { Ok(()) }
    }

    fn write(&mut self) -> Result<(), IoFailure> {
        write_whole(self.file.as_ref(), &self.buffer)
            .map_err(IoFailure::of(Operation::Write, &self.tmp))?;
        self.buffer.clear();
        Ok(())
    }

    fn finish(&mut self) -> Result<(), IoFailure> {
        if !self.buffer.is_empty() {
            self.write()?;
        }
        self.file.sync_data().map_err(IoFailure::of(Operation::Sync, &self.tmp))
    }
}
