//! Why a log was not copied.

use std::path::PathBuf;

use crate::io::IoFailure;

/// Why a log was not copied.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackupError {
    /// A path has no name of its own, such as `/` or `..`.
    #[error("{} names no folder of its own", folder.display())]
    NoName {
        /// The path.
        folder: PathBuf,
    },
    /// This machine's files can't be worked on.
    #[error("could not prepare to copy files: {0}")]
    Storage(#[source] std::io::Error),
    /// There is no log to copy.
    #[error("{}: there is no log here", folder.display())]
    NotFound {
        /// Where it was looked for.
        folder: PathBuf,
    },
    /// There is a folder at the path, but none of a log's files in it.
    #[error("{}: there is no log in this folder: it has none of the files that a log has", folder.display())]
    NotALog {
        /// The folder.
        folder: PathBuf,
    },
    /// There is something at the destination.
    #[error("{}: something is here already, and a backup is never made over it", folder.display())]
    AlreadyExists {
        /// The destination.
        folder: PathBuf,
    },
    /// The destination is in the log itself.
    #[error("{}: a backup can't stand inside of its log", folder.display())]
    Inside {
        /// The destination.
        folder: PathBuf,
    },
    /// A backup that was cut short, or is being made right now, stands beside the destination.
    #[error(
        "{}: a backup that was cut short; if none is being made now, remove it and begin again",
        folder.display()
    )]
    LeftOver {
        /// What was left.
        folder: PathBuf,
    },
    /// Segments were pruned each time before they were copied.
    #[error("{} keeps changing: its files moved in each of {attempts} attempts", folder.display())]
    KeepsChanging {
        /// The log's folder.
        folder: PathBuf,
        /// How often it began.
        attempts: u32,
    },
    /// A file operation failed.
    #[error(transparent)]
    Io(#[from] IoFailure),
}
