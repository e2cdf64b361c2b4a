//! Why records could not be read.

use std::path::PathBuf;

use indelible_format::decode_error::DecodeError;
use indelible_format::note::NoteError;

use crate::io::IoFailure;

/// Why records could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The path has no name of its own.
    #[error("{} names no folder of its own", folder.display())]
    NoFolder {
        /// The path.
        folder: PathBuf,
    },
    /// This machine's files can't be worked on.
    #[error("could not prepare to read files: {0}")]
    Storage(#[source] std::io::Error),
    /// A file or the folder could not be opened or read.
    #[error(transparent)]
    Io(#[from] IoFailure),
    /// Without a checkpoint nothing says how far to read.
    #[error("{}: there is no checkpoint, which says how far to read", path.display())]
    NoCheckpoint {
        /// Where it should be.
        path: PathBuf,
    },
    /// The checkpoint can't be understood.
    #[error("{}: {source}", path.display())]
    Checkpoint {
        /// Where it is.
        path: PathBuf,
        /// Why not.
        source: NoteError,
    },
    /// There is no record at all.
    #[error("{}: there is no record", folder.display())]
    NoRecord {
        /// The log's folder.
        folder: PathBuf,
    },
    /// The log ends before the record, though it should have it.
    #[error("{}: the log ends before record {seq}, which its checkpoint covers", folder.display())]
    Missing {
        /// The record.
        seq: u64,
        /// The log's folder.
        folder: PathBuf,
    },
    /// The segment in which the record should stand does not have it.
    #[error("{file}: record {seq} should stand here and does not; verify the log")]
    Lost {
        /// The record.
        seq: u64,
        /// The segment.
        file: String,
    },
    /// Another line stands where the record should.
    #[error(
        "{file} at byte {offset}: expected record {expected}, found another line; verify the log"
    )]
    OutOfPlace {
        /// The segment.
        file: String,
        /// Where in it.
        offset: u64,
        /// The record that should stand there.
        expected: u64,
    },
    /// A line that should be looked at is no record. What stands behind it is read all the same.
    #[error("{file} at byte {offset}: this line is no record: {source}")]
    Unreadable {
        /// The segment.
        file: String,
        /// Where in it the line begins.
        offset: u64,
        /// Why it is none.
        source: DecodeError,
    },
    /// A line goes on longer than any record, or its segment ends without its line feed. What stands behind it is read
    /// all the same.
    #[error("{file} at byte {offset}: this line does not end as a record does")]
    Unended {
        /// The segment.
        file: String,
        /// Where in it the line begins.
        offset: u64,
    },
    /// Between two segments records are absent. What stands behind them is read all the same.
    #[error(
        "records {from} to {to} are not in the folder: retention removed them during the reading, or they are lost"
    )]
    Absent {
        /// The first of them.
        from: u64,
        /// The last of them.
        to: u64,
    },
    /// Segments were renamed or removed each time it looked.
    #[error("{} keeps changing: its files moved in each of {attempts} attempts", folder.display())]
    KeepsChanging {
        /// The log's folder.
        folder: PathBuf,
        /// How often it looked.
        attempts: u32,
    },
}

impl ReadError {
    /// Says whether it concerns one place alone: a query or a follower that hands it out has read, or goes on to read,
    /// all the rest.
    pub fn is_local(&self) -> bool {
        matches!(
            self,
            Self::Unreadable { .. }
                | Self::Unended { .. }
                | Self::Absent { .. }
                | Self::Missing { .. }
        )
    }
}
