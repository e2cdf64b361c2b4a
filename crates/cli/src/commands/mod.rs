//! One module a command: its flags, and what it does with the library.
//!
//! None of them prints: `render` does.

pub(crate) mod append;
pub(crate) mod backup;
pub(crate) mod checkpoint;
pub(crate) mod completions;
pub(crate) mod config;
pub(crate) mod init;
pub(crate) mod man;
pub(crate) mod proof_file;
pub(crate) mod prove;
pub(crate) mod query;
mod recovery;
pub(crate) mod repair;
pub(crate) mod serve;
pub(crate) mod show;
pub(crate) mod tail;
pub(crate) mod token;
pub(crate) mod verify;
pub(crate) mod verify_proof;

use std::path::Path;

use indelible::OpenError;

/// Tells a folder that is not there from one in which files are missing.
fn must_exist(dir: &Path) -> Result<(), OpenError> {
    if dir.exists() { Ok(()) } else { Err(OpenError::NotFound { folder: dir.to_path_buf() }) }
}
