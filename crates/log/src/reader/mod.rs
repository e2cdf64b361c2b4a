//! Reads records back: [`Reader`].
//!
//! Invariants:
//! - it reads no further than it may: to `checkpoint` in another process, to the last sync in the one that appends, to
//!   the last line feed where it was told to;
//! - it keeps no index and no file open between calls, so that segments may be renamed and removed under it;
//! - of a line it parses only the beginning.
//!
//! It does not check hashes or signatures: that is [`verify`](crate::verify).

mod error;
mod locate;
mod records;
#[cfg(test)]
mod tests;

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use indelible_format::checkpoint::Checkpoint;
use indelible_format::note::Note;

pub use self::error::ReadError;
use self::locate::Search;
pub use self::records::Records;
use crate::history;
use crate::layout::Layout;
use crate::storage::Storage;
use crate::storage::local::LocalStorage;

/// One line as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoredRecord {
    /// Its sequence number.
    pub seq: u64,
    /// Its bytes, without the line feed.
    pub line: Vec<u8>,
    /// The segment that holds it, by the name that it had when it was read.
    pub file: String,
    /// Where in that segment it begins.
    pub offset: u64,
}

/// How far a reader may read.
#[derive(Clone)]
enum Limit {
    /// To what `checkpoint` covers.
    Checkpoint,
    /// To the last line feed.
    LineFeed,
    /// To what somebody says, each time anew.
    Told(Arc<dyn Fn() -> u64 + Send + Sync>),
}

impl fmt::Debug for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Checkpoint => "Checkpoint",
            Self::LineFeed => "LineFeed",
            Self::Told(_) => "Told",
        })
    }
}

/// Reads the records of one log, also while it is being appended to, rotated and pruned.
///
/// # Examples
/// ```no_run
/// let reader = indelible::Reader::open("audit")?;
/// for record in reader.last(10)? {
///     println!("{}", String::from_utf8_lossy(&record.line));
/// }
/// # Ok::<(), indelible::ReadError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Reader {
    storage: Arc<dyn Storage>,
    layout: Layout,
    limit: Limit,
}

impl Reader {
    /// A reader of the log at `folder` on this machine, up to its `checkpoint`.
    ///
    /// # Errors
    /// This machine's files can't be worked on, or `folder` has no name of its own.
    pub fn open(folder: impl AsRef<Path>) -> Result<Self, ReadError> {
        let storage = LocalStorage::new().map_err(ReadError::Storage)?;
        Self::open_on(Arc::new(storage), folder)
    }

    /// A reader of the log at `folder` on another disk, up to its `checkpoint`.
    ///
    /// # Errors
    /// `folder` has no name of its own.
    pub fn open_on(storage: Arc<dyn Storage>, folder: impl AsRef<Path>) -> Result<Self, ReadError> {
        let folder = folder.as_ref();
        let layout = Layout::of(folder)
            .ok_or_else(|| ReadError::NoFolder { folder: folder.to_path_buf() })?;
        Ok(Self { storage, layout, limit: Limit::Checkpoint })
    }

    /// A reader that reads the records before the seq that `limit` says, each time anew.
    pub(crate) fn with_limit(
        storage: Arc<dyn Storage>,
        layout: Layout,
        limit: Arc<dyn Fn() -> u64 + Send + Sync>,
    ) -> Self {
        Self { storage, layout, limit: Limit::Told(limit) }
    }

    /// Reads on beyond `checkpoint`, up to the last line feed: what stands there may be gone after a crash.
    #[must_use]
    pub fn unsynced(mut self) -> Self {
        self.limit = Limit::LineFeed;
        self
    }

    /// Seq of the oldest record in the folder; above 0 once records were pruned.
    ///
    /// # Errors
    /// A file can't be read, or there is no record.
    pub fn first_seq(&self) -> Result<u64, ReadError> {
        let first = locate::first_seq(self.storage.as_ref(), &self.layout)?;
        first.ok_or_else(|| ReadError::NoRecord { folder: self.layout.folder().to_path_buf() })
    }

    /// How many records the log has had, as far as this reader may read: the seq behind the last one.
    ///
    /// # Errors
    /// A file can't be read; there is no `checkpoint`, or it can't be understood.
    pub fn records(&self) -> Result<u64, ReadError> {
        match &self.limit {
            Limit::Checkpoint => self.checkpoint_size(),
            Limit::LineFeed => self.end(),
            Limit::Told(limit) => Ok(limit()),
        }
    }

    /// Record `seq`; `None` where it was pruned, or is beyond what this reader may read.
    ///
    /// # Errors
    /// A file can't be read, or the record is not where it must be.
    pub fn record(&self, seq: u64) -> Result<Option<StoredRecord>, ReadError> {
        if !matches!(self.limit, Limit::LineFeed) && seq >= self.records()? {
            return Ok(None);
        }
        match self.find(seq)? {
            Search::Found(found) => Ok(Some(found.record)),
            Search::Pruned => Ok(None),
            Search::Behind if matches!(self.limit, Limit::LineFeed) => Ok(None),
            Search::Behind => Err(self.missing(seq)),
            Search::Lost { file } => Err(ReadError::Lost { seq, file }),
        }
    }

    /// The last `count` records, oldest first; fewer where there are fewer.
    ///
    /// # Errors
    /// As [`Reader::lines_from`].
    pub fn last(&self, count: u64) -> Result<Vec<StoredRecord>, ReadError> {
        // Where the log was cut off before its checkpoint, what is left can still be read.
        let end = self.records()?.min(self.end()?);
        let records = Records::new(self, end.saturating_sub(count), Some(end))?;
        records.collect()
    }

    /// The records from `seq` on, or from the oldest one where that was pruned; up to what this reader may read now.
    ///
    /// # Errors
    /// A file can't be read, or there is no `checkpoint`. The iterator's items fail where a record is not where it must
    /// be; it ends there.
    pub fn lines_from(&self, seq: u64) -> Result<Records, ReadError> {
        let end = match self.limit {
            Limit::LineFeed => None,
            Limit::Checkpoint | Limit::Told(_) => Some(self.records()?),
        };
        Records::new(self, seq, end)
    }

    fn find(&self, seq: u64) -> Result<Search, ReadError> {
        locate::find(self.storage.as_ref(), &self.layout, seq)
    }

    fn missing(&self, seq: u64) -> ReadError {
        ReadError::Missing { seq, folder: self.layout.folder().to_path_buf() }
    }

    /// The seq behind the last line whose beginning is that of a record.
    fn end(&self) -> Result<u64, ReadError> {
        let last = locate::last_seq(self.storage.as_ref(), &self.layout)?;
        Ok(last.map_or(0, |seq| seq.saturating_add(1)))
    }

    fn checkpoint_size(&self) -> Result<u64, ReadError> {
        let path = self.layout.checkpoint();
        let stored = history::read_latest(self.storage.as_ref(), &self.layout)?;
        let Some(note) = stored.and_then(|stored| stored.note) else {
            return Err(ReadError::NoCheckpoint { path });
        };
        Note::parse(&note)
            .and_then(|note| Checkpoint::parse_text(&note.text))
            .map(|checkpoint| checkpoint.size)
            .map_err(|source| ReadError::Checkpoint { path, source })
    }
}
