//! What can go wrong, one enum per operation; each variant says where, what, and by how much.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use indelible_format::event::EventError;
use indelible_format::note::NoteError;
use indelible_format::time::Timestamp;

pub use crate::io::{IoFailure, Operation};
use crate::signer::SignError;
use crate::storage::Kind;
use crate::verify::Finding;

/// Why a log was not created or opened for appending.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// There is no folder at the path.
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
    /// Something stands where a log was to be created.
    #[error("{}: something is here already, and a log is never made over it", folder.display())]
    AlreadyExists {
        /// Where it was to be made.
        folder: PathBuf,
    },
    /// There is a key file but no folder: a log was here.
    #[error(
        "{}: there is a key file but no log folder beside it: a log was here; put the folder back, or move the key \
         away to begin a new log", key.display()
    )]
    KeyWithoutFolder {
        /// The key file.
        key: PathBuf,
    },
    /// Something stands where a log is made before it takes its name, and no creation left it there.
    #[error(
        "{}: a new log is made under this folder's name first, and this is nothing that an interrupted creation left; \
         move it away", path.display()
    )]
    NotALeftOver {
        /// What is not a creation's own.
        path: PathBuf,
    },
    /// A key file stands where the new log's key was to be made.
    #[error(
        "{}: this key file exists, and making a log never replaces a key: if its log's folder was beside it, put the \
         folder back; otherwise have the key made elsewhere", key.display()
    )]
    KeyExists {
        /// The key file.
        key: PathBuf,
    },
    /// There is no folder in which the log's own could be made.
    #[error("{}: there is no such folder to make a log in", parent.display())]
    NoParent {
        /// The folder around the log's.
        parent: PathBuf,
    },
    /// The folder in which the log's own was to be made is the folder of another log.
    #[error("{}: this is the folder of a log, and no other log is made inside it", parent.display())]
    InsideALog {
        /// The folder around the new log's.
        parent: PathBuf,
    },
    /// Another process makes the same log just now.
    #[error(
        "{}: another process is making this log just now{}", folder.display(),
        holder.as_ref().map(|holder| format!(": {holder}")).unwrap_or_default()
    )]
    BeingMade {
        /// Where it is made.
        folder: PathBuf,
        /// What that process says of itself, where it was met.
        holder: Option<String>,
    },
    /// The path has no name of its own, such as `/` or `..`.
    #[error("{}: a log needs a folder with a name", folder.display())]
    NoName {
        /// The path as given.
        folder: PathBuf,
    },
    /// Another process appends to the log, or makes it just now.
    #[error("{}: the log is in use, held by {holder}", folder.display())]
    Locked {
        /// The log's folder.
        folder: PathBuf,
        /// What the holder says of itself.
        holder: String,
    },
    /// A file or folder could be changed, or the key read, by somebody else.
    #[error("{}: {what}", path.display())]
    Insecure {
        /// The file or folder.
        path: PathBuf,
        /// What is wrong with it.
        what: Insecurity,
    },
    /// The folder is on a file system whose promises can't be judged.
    #[error(
        "{}: this is a network file system ({kind}), where a sync may promise nothing; it is refused unless allowed \
         in so many words", folder.display()
    )]
    NetworkFileSystem {
        /// The folder.
        folder: PathBuf,
        /// What kind of file system.
        kind: &'static str,
    },
    /// An option is outside its limits.
    #[error("option {option} is {value}: it must be {limit}")]
    InvalidOption {
        /// Its name.
        option: &'static str,
        /// What was given.
        value: u64,
        /// What is allowed.
        limit: OptionLimit,
    },
    /// The key file is missing.
    #[error("{}: the log's key is missing; without it no checkpoint can be signed", key.display())]
    KeyMissing {
        /// Where it should be.
        key: PathBuf,
    },
    /// The key file holds no signer key.
    #[error("{}: not a signer key: {source}", key.display())]
    KeyMalformed {
        /// The key file.
        key: PathBuf,
        /// What is wrong with it.
        source: NoteError,
    },
    /// The key is not the one that the log names.
    #[error(
        "{} is of another log: it is the private key of {found}, and this log's is that of {expected}",
        key.as_ref().map_or_else(|| "the signer's key".to_owned(), |key| key.display().to_string())
    )]
    KeyOfAnotherLog {
        /// The key file; `None` where the signer was given.
        key: Option<PathBuf>,
        /// Verifier key that the log names.
        expected: String,
        /// Verifier key of the signer that was given.
        found: String,
    },
    /// The last timestamp is over an hour ahead of the clock.
    #[error(
        "the last record is of {last}, but the clock says {wall}: over an hour earlier; set the clock right, or \
         accept it in so many words and the log's time stands still until then"
    )]
    LastTimestampAhead {
        /// Timestamp of the last record.
        last: Timestamp,
        /// What the clock says.
        wall: Timestamp,
    },
    /// The log can be read and verified, but not appended to.
    #[error("{0}")]
    Refused(Box<Refusal>),
    /// The log to continue has no checkpoint that its own key signed.
    #[error("{}: no checkpoint that the log's own key signed, so it can't be continued", folder.display())]
    NothingToContinue {
        /// The old log's folder.
        folder: PathBuf,
    },
    /// The reason for continuing a log in a new one is too long.
    #[error("the reason has {size} bytes: it must have at most {limit}")]
    ReasonTooLong {
        /// The most bytes.
        limit: usize,
        /// Its bytes.
        size: usize,
    },
    /// The first record of a new log would be larger than its records may be.
    #[error("the log's first record has {size} bytes: a record may have {limit}")]
    GenesisTooLarge {
        /// The most bytes of an entry.
        limit: usize,
        /// Bytes of this one.
        size: usize,
    },
    /// The signer did not sign.
    #[error("the signer failed: {0}")]
    Signer(SignError),
    /// A file operation failed.
    #[error(transparent)]
    Io(#[from] IoFailure),
    /// The log could be opened, and what had to be recorded is, but its checkpoint could not be made.
    #[error(
        "what opening had to record is recorded, but its checkpoint is still to be made: {cause}"
    )]
    Checkpoint {
        /// Why not.
        cause: CheckpointError,
    },
    /// The log could be opened, but its first records (repair, adoption) could not be written.
    #[error("could not write the log's own records on opening: {0}")]
    Append(#[from] AppendError),
}

/// Why appending to a log is refused, as a report; reading and verifying it work.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refusal {
    /// The log's folder.
    pub folder: PathBuf,
    /// What was found, most important first.
    pub findings: Vec<Finding>,
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{}: refused for appending, since a crash alone can't have left it so",
            self.folder.display()
        )?;
        for finding in &self.findings {
            write!(f, "\n  {}: {finding}", finding.class)?;
        }
        Ok(())
    }
}

/// What is wrong with the owner, mode or kind of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Insecurity {
    /// Owned by another user.
    #[error("owned by user {owner}, not by the user who appends")]
    Owner {
        /// The owner's user id.
        owner: u32,
    },
    /// Group or others may write.
    #[error("mode {mode:04o}: group or others may write to it (chmod go-w)")]
    Writable {
        /// Permission bits.
        mode: u32,
    },
    /// Group or others may read a key.
    #[error("mode {mode:04o}: group or others may read the key (chmod 600)")]
    KeyReadable {
        /// Permission bits.
        mode: u32,
    },
    /// A symbolic link, device or other thing instead of a file or folder.
    #[error("{} instead of {}, and links are not followed", name_of(*found), name_of(*expected))]
    Kind {
        /// What should be there.
        expected: Kind,
        /// What is.
        found: Kind,
    },
}

fn name_of(kind: Kind) -> &'static str {
    match kind {
        Kind::File => "a file",
        Kind::Folder => "a folder",
        Kind::Link => "a symbolic link",
        Kind::Other => "a device, socket or pipe",
    }
}

/// What an option may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OptionLimit {
    /// At least so much.
    #[error("at least {0}")]
    AtLeast(u64),
    /// At least and at most so much.
    #[error("from {from} to {to}")]
    Between {
        /// The least.
        from: u64,
        /// The most.
        to: u64,
    },
}

/// Why an event was not acknowledged. Never ambiguous: [`AppendError::is_indeterminate`] says whether it may have
/// been recorded all the same.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AppendError {
    /// Rejected: the event is outside the limits. Nothing was queued.
    #[error(transparent)]
    Event(#[from] EventError),
    /// Rejected: the queue has no room, and the caller did not want to wait.
    #[error(
        "the queue is full: {waiting} of {limit} bytes are waiting, {size} more were to be queued"
    )]
    QueueFull {
        /// Bytes that wait.
        waiting: usize,
        /// Most that may wait.
        limit: usize,
        /// Bytes that the event, or all events of the batch, need: over `limit`, they never fit together.
        size: usize,
    },
    /// Rejected: the log was opened just now and is still reading which `event_id`s it has, and the caller did not want
    /// to wait.
    #[error("the event_ids of the log's last records are still being read; try again")]
    NotReady,
    /// Rejected: the `event_id` was used with other content.
    #[error("event_id is already used by a record with other content{}", in_record(*seq))]
    Conflict {
        /// The record that has it; `None` while that one is still in flight.
        seq: Option<u64>,
    },
    /// Not written: the disk refused the bytes, and they were cut back. It may be tried again.
    #[error("not written: {cause}")]
    NotWritten {
        /// What stood in the way.
        cause: Obstacle,
    },
    /// Perhaps written: open the log again and retry with the same `event_id`.
    #[error("indeterminate, perhaps written: {0}")]
    Indeterminate(Halt),
    /// Not written: the log halted before, and only opening it again can go on.
    #[error("not written, the log has halted: {0}")]
    Halted(Halt),
    /// Not written: the log is closed.
    #[error("not written, the log is closed")]
    Closed,
}

/// Why events that were handed over together were not queued: none of them was.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{}{error}", of_batch(*index))]
#[non_exhaustive]
pub struct BatchError {
    /// Which of the events is at fault, counted from 0; `None` where none is: the log does not take events just now,
    /// or not so many.
    pub index: Option<usize>,
    /// Why.
    pub error: AppendError,
}

impl From<AppendError> for BatchError {
    fn from(error: AppendError) -> Self {
        Self { index: None, error }
    }
}

fn of_batch(index: Option<usize>) -> String {
    index.map(|index| format!("event {index} of the batch: ")).unwrap_or_default()
}

/// What stood in the way of something that may be tried again.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Obstacle {
    /// The disk refused.
    #[error(transparent)]
    Io(IoFailure),
    /// The signer did not sign.
    #[error(transparent)]
    Signer(SignError),
    /// The log was closed meanwhile.
    #[error("the log is closed")]
    Closed,
}

fn in_record(seq: Option<u64>) -> String {
    seq.map(|seq| format!(" (record {seq})")).unwrap_or_default()
}

impl AppendError {
    /// Whether the event may have been recorded although no receipt was given.
    pub const fn is_indeterminate(&self) -> bool {
        matches!(self, Self::Indeterminate(_))
    }
}

/// Why the log stopped taking appends until it is opened again. `docs/design/durability.md` tells why it is final.
#[derive(Clone, Debug, thiserror::Error)]
#[error(transparent)]
pub struct Halt(Arc<HaltCause>);

impl Halt {
    pub(crate) fn new(cause: impl Into<Arc<HaltCause>>) -> Self {
        Self(cause.into())
    }

    /// What happened.
    pub fn cause(&self) -> &HaltCause {
        &self.0
    }
}

impl From<HaltCause> for Halt {
    fn from(cause: HaltCause) -> Self {
        Self::new(cause)
    }
}

/// What made a log halt.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HaltCause {
    /// A sync, a rename or another step that can't be taken back failed.
    #[error("{0}; the log must be opened again")]
    Io(IoFailure),
    /// A write failed, and so did cutting its bytes back.
    #[error("{write}, and then {cut}; the log must be opened again")]
    CutBack {
        /// The write that failed.
        write: IoFailure,
        /// The cut that failed.
        cut: IoFailure,
    },
    /// The file at the path is no longer the one that is written to.
    #[error("{}: somebody moved or replaced the file while the log was open", path.display())]
    Replaced {
        /// The active segment.
        path: PathBuf,
    },
    /// The file has another size than what was written to it.
    #[error(
        "{}: somebody else cut or wrote to the file while the log was open (expected {expected} bytes, found {found})",
        path.display()
    )]
    SizeChanged {
        /// The active segment.
        path: PathBuf,
        /// Bytes that were written.
        expected: u64,
        /// Bytes that are there.
        found: u64,
    },
    /// A program error: a thread of the log panicked.
    #[error("a thread of the log panicked; please report it")]
    Panicked,
}

/// Segments that retention announced as pruned, under a signed checkpoint, and that the disk did not let go.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct NotRemoved {
    /// How many are still there.
    pub segments: u64,
    /// Why the oldest of them is.
    pub failure: IoFailure,
}

/// Why a checkpoint was not made.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// Not made, nothing was changed; it is tried again at the next interval.
    #[error("no checkpoint made: {0}")]
    Refused(Obstacle),
    /// The log has halted.
    #[error("no checkpoint made, the log has halted: {0}")]
    Halted(Halt),
    /// The log is closed.
    #[error("no checkpoint made, the log is closed")]
    Closed,
}

/// Why a log was not closed in order. Everything acknowledged is kept all the same.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CloseError {
    /// The last checkpoint could not be made; the next open makes it.
    #[error("closed without a last checkpoint: {0}")]
    Checkpoint(#[from] CheckpointError),
}

/// Why waiting for a checkpoint ended without one.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PublishedError {
    /// The event was not recorded.
    #[error(transparent)]
    Append(#[from] AppendError),
    /// It is recorded, but no checkpoint covered it in that time.
    #[error("recorded, but no checkpoint covers it after {0:?}")]
    TimedOut(Duration),
    /// It is recorded, but the log was closed or halted before a checkpoint covered it.
    #[error("recorded, but the log ended before a checkpoint covered it")]
    Ended,
}
