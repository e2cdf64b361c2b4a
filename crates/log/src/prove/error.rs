//! Why no proof was made.

use std::path::PathBuf;

use indelible_format::chain::Hash;
use indelible_format::note::NoteError;
use indelible_format::proof::ProofError;
use indelible_format::proof::bundle::BundleError;
use indelible_format::record::DecodeError;

use crate::reader::ReadError;

/// Why no proof was made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProveError {
    /// A file can't be read, or does not hold the record that it should.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// There is a folder at the path, but none of a log's files in it.
    #[error("{}: there is no log in this folder: it has none of the files that a log has", folder.display())]
    NotALog {
        /// The folder.
        folder: PathBuf,
    },
    /// Nothing in the log says which key is its own.
    #[error(
        "{}: neither a genesis nor a prune record says whose log this is; give its verifier key",
        folder.display()
    )]
    IdentityUnknown {
        /// The log's folder.
        folder: PathBuf,
    },
    /// No checkpoint is signed by a known key of the log.
    #[error("{}: no checkpoint is signed by a known key of the log", folder.display())]
    NoCheckpoint {
        /// The log's folder.
        folder: PathBuf,
    },
    /// The log has no such record.
    #[error("there is no record {seq}: the log has records {first} to {last}")]
    NoRecord {
        /// The record.
        seq: u64,
        /// The oldest that is left.
        first: u64,
        /// The newest.
        last: u64,
    },
    /// The record is there, but no checkpoint covers it.
    #[error("no checkpoint covers record {seq} yet: the latest covers {size} records")]
    NotCovered {
        /// The record.
        seq: u64,
        /// Records that the latest checkpoint covers.
        size: u64,
    },
    /// No checkpoint covers a tree of that many records.
    #[error("no checkpoint covers {size} records yet: the latest covers {covered}")]
    SizeNotCovered {
        /// Records of the tree that was asked for.
        size: u64,
        /// Records that the latest checkpoint covers.
        covered: u64,
    },
    /// The record is not in the tree that was asked for.
    #[error("record {seq} is not among the first {size} records")]
    OutsideTree {
        /// The record.
        seq: u64,
        /// Records of the tree.
        size: u64,
    },
    /// The older tree that was asked for has more records than the newer one.
    #[error("a log does not grow from {from} records to {to}")]
    Backwards {
        /// Records of the older tree.
        from: u64,
        /// Records of the newer tree.
        to: u64,
    },
    /// Retention removed the line; its leaf is still in the tree.
    #[error(
        "record {seq} was pruned, the oldest that is left is {first}: the tree still proves it, but only to who kept \
         its line"
    )]
    Pruned {
        /// The record.
        seq: u64,
        /// The oldest record that is left.
        first: u64,
    },
    /// The line was redacted; its leaf is still in the tree.
    #[error(
        "record {seq} was redacted: the tree still proves it, but only to who kept its line from before"
    )]
    Redacted {
        /// The record.
        seq: u64,
    },
    /// The line that stands where the record should is none.
    #[error("record {seq} is not whole: {source}")]
    NotARecord {
        /// The record.
        seq: u64,
        /// What is wrong with it.
        source: DecodeError,
    },
    /// The line that was given is no record.
    #[error("the line that was given is no record: {source}")]
    KeptLine {
        /// What is wrong with it.
        source: DecodeError,
    },
    /// The line that was given is of another record.
    #[error("the line that was given is that of record {found}, not of record {seq}")]
    KeptLineOfAnother {
        /// The record.
        seq: u64,
        /// As the line says.
        found: u64,
    },
    /// The line is not that of the record that was signed.
    #[error(
        "record {seq} is not the one that the signed checkpoint covers: its leaf is {found}, expected {expected}"
    )]
    RecordChanged {
        /// The record.
        seq: u64,
        /// The leaf that leads to the signed root.
        expected: Hash,
        /// The leaf of the line.
        found: Hash,
    },
    /// The tree rows end before the signed checkpoint does.
    #[error("the tree rows end before the {size} records that the signed checkpoint covers")]
    RowsShort {
        /// Records that the checkpoint covers.
        size: u64,
    },
    /// The tree rows do not give the signed root.
    #[error("the tree rows do not give the root that was signed: {0}")]
    Rows(#[source] ProofError),
    /// What was given as a kept checkpoint is none: that says nothing about the log.
    #[error("what was given as the kept checkpoint is none: {source}")]
    NotACheckpoint {
        /// What is wrong with it.
        source: NoteError,
    },
    /// The kept checkpoint is not of this log, or not signed by its key.
    #[error(transparent)]
    Kept(BundleError),
    /// The kept checkpoint covers more records than the log has.
    #[error(
        "the kept checkpoint covers {kept} records, the latest of the log only {size}: the log was cut off or rolled \
         back, or this is an older copy of it"
    )]
    Shorter {
        /// Records that the kept checkpoint covers.
        kept: u64,
        /// Records that the log's latest checkpoint covers.
        size: u64,
    },
    /// The log has another root at the kept checkpoint's size.
    #[error(
        "the log is no continuation of the kept checkpoint: the root over its first {size} records is {found}, the \
         kept checkpoint says {expected}"
    )]
    NotAContinuation {
        /// Records that the kept checkpoint covers.
        size: u64,
        /// Its root.
        expected: Hash,
        /// The root that the log's own signed tree has there.
        found: Hash,
    },
}

impl ProveError {
    /// Tells whether it says that the log is not what was signed or kept, and not only that no proof could be made.
    pub const fn speaks_against_the_log(&self) -> bool {
        matches!(
            self,
            Self::NotARecord { .. }
                | Self::RecordChanged { .. }
                | Self::RowsShort { .. }
                | Self::Rows(_)
                | Self::Kept(_)
                | Self::Shorter { .. }
                | Self::NotAContinuation { .. }
        )
    }
}
