//! What a new log says of the one that it takes over from.

use std::path::Path;
use std::sync::Arc;

use indelible_format::checkpoint::Checkpoint;
use indelible_format::own::Continues;

use crate::error::OpenError;
use crate::history;
use crate::io::{IoFailure, Operation, exists};
use crate::lock_file::not_locked;
use crate::opening::{is_log, layout_of};
use crate::recovery::inspect::identity_of;
use crate::storage::Storage;
use crate::storage::local::LocalStorage;

/// Most bytes of a reason: it stands in a record for ever.
const REASON_SIZE_MAX: usize = 1_024;

/// Reads from the log in `folder`, which can't go on, what a new log says of it: its id and its last checkpoint, with
/// that log's own signature only. `reason` is why it can't go on, in at most 1,024 bytes. Nothing is written, so that
/// evidence stays as it is and a disk that takes no more writes will do.
///
/// # Errors
/// [`OpenError::ReasonTooLong`]; [`OpenError::NotFound`] and [`OpenError::NotALog`] where there is no log; [`OpenError::Locked`] while somebody appends to it; [`OpenError::NothingToContinue`] where no checkpoint is signed by
/// its key; [`OpenError::Refused`] where nothing says whose log it is.
pub fn continue_from(folder: impl AsRef<Path>, reason: &str) -> Result<Continues, OpenError> {
    let folder = folder.as_ref();
    if reason.len() > REASON_SIZE_MAX {
        return Err(OpenError::ReasonTooLong { limit: REASON_SIZE_MAX, size: reason.len() });
    }
    let layout = layout_of(folder)?;
    let storage: Arc<dyn Storage> =
        Arc::new(LocalStorage::new().map_err(IoFailure::of(Operation::Open, folder))?);
    if !exists(storage.as_ref(), layout.folder())? {
        return Err(OpenError::NotFound { folder: layout.folder().to_path_buf() });
    }
    if !is_log(storage.as_ref(), &layout)? {
        return Err(OpenError::NotALog { folder: layout.folder().to_path_buf() });
    }
    // The old folder is evidence, and its disk may take no more writes: nothing is left in it.
    let path = layout.lock();
    let lock = storage.lock_untouched(&path).map_err(|e| not_locked(&layout, e))?;
    let identity = identity_of(storage.as_ref(), &layout)?;
    let key = identity.verifier_key();
    let mut notes = history::read_all(storage.as_ref(), &layout)?;
    notes.extend(history::read_latest(storage.as_ref(), &layout)?);
    let last = notes
        .into_iter()
        .filter_map(|stored| Checkpoint::open(&stored.note?, std::slice::from_ref(key)).ok())
        .filter(|opened| opened.good > 0)
        .max_by_key(|opened| opened.checkpoint.size);
    drop(lock);
    let Some(last) = last else {
        return Err(OpenError::NothingToContinue { folder: layout.folder().to_path_buf() });
    };
    let checkpoint = last.note.only_by(key).to_string();
    Ok(Continues { log_id: identity.log_id(), checkpoint, reason: reason.to_owned() })
}
