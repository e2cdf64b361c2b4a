//! Copies a log, also one that is being appended to, so that the copy verifies: [`backup`].
//!
//! The order is that of `docs/spec/append.md`, *Reading*: `checkpoints.jsonl`, `checkpoint`, segments from the oldest to the
//! newest, rows, quarantine; from the start again where a segment was pruned meanwhile.
//!
//! Invariants:
//! - the source is only read; nothing of the destination is written over;
//! - the key is never copied, nor is anything that is no part of a log;
//! - the copy stands under its name only once it is whole and on the disk;
//! - whole lines beyond the copied checkpoint are kept, as a crash at that moment would keep them; what follows the last
//!   line feed is left out, and so is a segment that a rotation began after the notes were copied.
//!
//! It does not judge what it copies: damage is copied as it is. Verify the copy.

mod copy;
mod error;
mod snapshot;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use self::copy::{Copied, Target, remove};
pub use self::error::BackupError;
use self::snapshot::{Notes, Part, first_seq, snapshot};
use crate::io::{IoFailure, Operation, exists};
use crate::layout::Layout;
use crate::opening::is_log;
use crate::storage::Storage;
use crate::storage::local::LocalStorage;

/// How often it begins again where segments are pruned under it.
const ATTEMPTS_MAX: u32 = 100;

/// What a backup holds.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Backup {
    /// Where it is.
    pub folder: PathBuf,
    /// Records that its newest checkpoint covers; `None` where there is none that can be read.
    pub checkpoint_size: Option<u64>,
    /// Seq of its oldest record.
    pub first_seq: Option<u64>,
    /// Seq of its last record.
    pub last_seq: Option<u64>,
    /// How many segments.
    pub segments: u64,
    /// How many bytes in all files.
    pub bytes: u64,
    /// Bytes after the last line feed that were left out: in flight, or torn by a crash.
    pub left_out: u64,
}

/// Copies the log in `folder` to `destination`, which must not exist, or be an empty folder.
///
/// # Durability
/// On `Ok` the copy is on the disk, whole, under its name. Before that it stands beside it, with the suffix `.partial`.
///
/// # Errors
/// Nothing is left of a copy that was not made, but for what a crash leaves.
pub fn backup(
    folder: impl AsRef<Path>,
    destination: impl AsRef<Path>,
) -> Result<Backup, BackupError> {
    let storage: Arc<dyn Storage> = Arc::new(LocalStorage::new().map_err(BackupError::Storage)?);
    backup_on(&storage, folder, destination)
}

/// As [`backup`], on another disk.
///
/// # Durability
/// As [`backup`].
///
/// # Errors
/// As [`backup`].
pub fn backup_on(
    storage: &Arc<dyn Storage>,
    folder: impl AsRef<Path>,
    destination: impl AsRef<Path>,
) -> Result<Backup, BackupError> {
    let (from, to) = (layout_of(folder.as_ref())?, layout_of(destination.as_ref())?);
    let storage = storage.as_ref();
    if !exists(storage, from.folder())? {
        return Err(BackupError::NotFound { folder: from.folder().to_path_buf() });
    }
    if !is_log(storage, &from)? {
        return Err(BackupError::NotALog { folder: from.folder().to_path_buf() });
    }
    let empty = check_destination(storage, &from, &to)?;
    let partial = to.partial();
    if exists(storage, partial.folder())? {
        return Err(BackupError::LeftOver { folder: partial.folder().to_path_buf() });
    }
    let placed = copy_all(storage, &from, &partial).and_then(|copied| {
        if empty {
            let folder = to.folder();
            storage.remove_folder(folder).map_err(IoFailure::of(Operation::Remove, folder))?;
        }
        storage
            .rename(partial.folder(), to.folder())
            .map_err(IoFailure::of(Operation::Rename, partial.folder()))?;
        Ok(copied)
    });
    let copied = placed.inspect_err(|_| {
        // Half a copy is of no use, and takes space that may be what was missing.
        drop(remove(storage, &partial));
    })?;
    storage.sync_folder(to.parent()).map_err(IoFailure::of(Operation::Sync, to.parent()))?;
    Ok(Backup { folder: to.folder().to_path_buf(), ..copied })
}

fn layout_of(folder: &Path) -> Result<Layout, BackupError> {
    Layout::of(folder).ok_or_else(|| BackupError::NoName { folder: folder.to_path_buf() })
}

/// Whether the destination is an empty folder, which makes way at the end.
fn check_destination(
    storage: &dyn Storage,
    from: &Layout,
    to: &Layout,
) -> Result<bool, BackupError> {
    let folder = to.folder();
    let log =
        storage.stat(from.folder()).map_err(IoFailure::of(Operation::Stat, from.folder()))?.id;
    // Each folder on the way by what it is, since one has many spellings.
    for above in folder.ancestors() {
        if storage.stat(above).is_ok_and(|stat| stat.id == log) {
            return Err(BackupError::Inside { folder: folder.to_path_buf() });
        }
    }
    // At once, and not when all is copied: a link there is not followed.
    if exists(storage, to.parent())? {
        storage.sync_folder(to.parent()).map_err(IoFailure::of(Operation::Sync, to.parent()))?;
    }
    match storage.list(folder) {
        Ok(names) if names.is_empty() => Ok(true),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Ok(_) | Err(_) => Err(BackupError::AlreadyExists { folder: folder.to_path_buf() }),
    }
}

fn copy_all(storage: &dyn Storage, from: &Layout, partial: &Layout) -> Result<Backup, BackupError> {
    for _ in 0..ATTEMPTS_MAX {
        let target = Target::create(storage, from, partial)?;
        if let Some(backup) = attempt(storage, from, target)? {
            return Ok(backup);
        }
        remove(storage, partial)?;
    }
    Err(BackupError::KeepsChanging { folder: from.folder().to_path_buf(), attempts: ATTEMPTS_MAX })
}

/// One copy; `None` where a segment was gone when it was its turn, or the record that announces it.
fn attempt(
    storage: &dyn Storage,
    from: &Layout,
    mut target: Target<'_>,
) -> Result<Option<Backup>, BackupError> {
    let first_seq = first_seq(storage, from)?;
    let Some(notes) = Notes::read(storage, from)? else { return Ok(None) };
    let Some(mut parts) = snapshot(storage, from)? else { return Ok(None) };
    let left_out_later = notes.leave_out_later(storage, from, &mut parts)?;
    // What was pruned since is announced in a segment that is left out: the copy would begin nobody knows why.
    if left_out_later && parts.first().and_then(Part::first_seq) != first_seq {
        return Ok(None);
    }
    target.notes(&notes)?;
    let (mut last_seq, mut left_out) = (None, 0);
    let count = parts.len();
    for (index, part) in parts.iter().enumerate() {
        let Some(segment) = part.find(storage, from)? else { return Ok(None) };
        let newest = index + 1 == count;
        let Copied { last, behind } = target.segment(&segment, count - 1 - index, newest)?;
        last_seq = last.or(last_seq);
        left_out += behind;
    }
    target.rows(notes.mark())?;
    target.quarantine()?;
    let bytes = target.finish()?;
    Ok(Some(Backup {
        folder: PathBuf::new(),
        checkpoint_size: notes.mark(),
        first_seq: parts.first().and_then(Part::first_seq),
        last_seq,
        segments: u64::try_from(count).unwrap_or(u64::MAX),
        bytes,
        left_out,
    }))
}
