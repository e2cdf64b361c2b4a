//! The lock that whoever appends holds on a log's folder, and what is said of its holder.

use std::path::Path;

use crate::error::OpenError;
use crate::io::{IoFailure, Operation};
use crate::layout::Layout;
use crate::storage::{Lock, LockError, Storage};

/// What the lock file says of its holder.
pub(crate) fn holder(purpose: Option<&str>) -> String {
    let program = std::env::args_os().next().unwrap_or_default();
    let name = Path::new(&program).file_name().unwrap_or_default().to_string_lossy().into_owned();
    let purpose = purpose.map(|purpose| format!(", {purpose}")).unwrap_or_default();
    format!("process {} ({name}){purpose}", std::process::id())
}

/// Takes the log's lock, or says who holds it.
pub(crate) fn take_lock(
    storage: &dyn Storage,
    layout: &Layout,
    holder: &str,
) -> Result<Box<dyn Lock>, OpenError> {
    storage.lock(&layout.lock(), holder).map_err(|error| not_locked(layout, error))
}

/// Why the lock was not taken.
pub(crate) fn not_locked(layout: &Layout, error: LockError) -> OpenError {
    match error {
        LockError::Held { holder } => {
            OpenError::Locked { folder: layout.folder().to_path_buf(), holder }
        }
        LockError::Io(e) => OpenError::Io(IoFailure::new(Operation::Lock, &layout.lock(), e)),
    }
}
