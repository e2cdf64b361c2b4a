//! Whether a file that is open for appending is still the one at its path: what goes into an unlinked one is lost.

use std::path::Path;

use crate::error::HaltCause;
use crate::io::{IoFailure, Operation};
use crate::storage::{FileId, Stat, Storage};

/// What stands at `path`; fails where that is not the file `id`.
pub(crate) fn stat_in_place(
    storage: &dyn Storage,
    path: &Path,
    id: FileId,
) -> Result<Stat, HaltCause> {
    match storage.stat(path) {
        Ok(stat) if stat.id == id => Ok(stat),
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
            Err(HaltCause::Io(IoFailure::new(Operation::Stat, path, e)))
        }
        Ok(_) | Err(_) => Err(HaltCause::Replaced { path: path.to_path_buf() }),
    }
}
