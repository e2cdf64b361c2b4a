//! Reads records back: [`Reader`].
//!
//! Invariants:
//! - it reads no further than it may: to `checkpoint` in another process, to the last sync in the one that appends, to
//!   the last line feed where it was told to;
//! - it keeps no index; what it keeps open between calls is at most the segment under way and the last one, so that
//!   segments may be renamed and removed under it;
//! - a record by seq or by time, and where a range begins and ends, is found by bisection on the files; of a line only the
//!   beginning is parsed for that;
//! - a query takes only lines whose form and hash are right, and parses only lines that may match.
//!
//! It does not check the chain or signatures: that is [`verify`](crate::verify).

mod backward;
mod blocks;
mod error;
mod forward;
mod glob;
mod locate;
mod matcher;
mod matches;
mod needle;
mod places;
mod query;
mod records;
mod scan;
#[cfg(test)]
mod tests;

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use indelible_format::checkpoint::Checkpoint;
use indelible_format::note::Note;
use indelible_format::record::Head;
use indelible_format::time::Timestamp;

use self::backward::Backward;
pub use self::error::ReadError;
use self::forward::Forward;
pub use self::glob::{Glob, GlobError};
use self::locate::Search;
use self::matcher::Matcher;
use self::matches::Scan;
pub use self::matches::{Counted, Follow, Matches};
pub use self::query::{Order, Query, SessionPath, SessionPathError};
pub use self::records::Records;
use self::scan::{End, Source};
use crate::history;
use crate::layout::Layout;
use crate::lines::Line;
use crate::segment::{Segment, intact_head};
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

    /// The log's folder.
    pub(crate) fn folder(&self) -> &Path {
        self.layout.folder()
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

    /// The first record with a timestamp at or after `time`; `None` where there is none that this reader may read.
    ///
    /// # Errors
    /// A file can't be read, or there is no `checkpoint`.
    pub fn first_since(&self, time: Timestamp) -> Result<Option<StoredRecord>, ReadError> {
        let found = self.first_where(&|head| head.timestamp >= time)?;
        let before = match self.limit {
            Limit::LineFeed => u64::MAX,
            Limit::Checkpoint | Limit::Told(_) => self.records()?,
        };
        Ok(found.filter(|record| record.seq < before))
    }

    /// The records that `query` finds among those that this reader may read now. What is added, rotated or pruned while
    /// they are taken changes nothing, but for one thing: records that retention removes before their turn are absent.
    ///
    /// A query looks for bytes first, and parses only lines that may match. It hands out records whose form and hash are
    /// right; of a damaged line it says so, as an item that is an error, if its bytes may match. It says nothing of lines
    /// that can't match, and does not follow the chain: that takes [`Verifier`](crate::Verifier).
    ///
    /// # Examples
    /// ```no_run
    /// use indelible::{Order, Query, Reader};
    ///
    /// let last_denied = Query::new()
    ///     .with_outcome("denied".parse()?)
    ///     .with_order(Order::NewestFirst)
    ///     .with_limit(10);
    /// for record in Reader::open("audit")?.query(&last_denied)? {
    ///     match record {
    ///         Ok(record) => println!("{}", String::from_utf8_lossy(&record.line)),
    ///         Err(fault) if fault.is_local() => eprintln!("passed over: {fault}"),
    ///         Err(error) => return Err(error.into()),
    ///     }
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// A file can't be read, or there is no `checkpoint`.
    pub fn query(&self, query: &Query) -> Result<Matches, ReadError> {
        let nothing = || Ok(Matches::new(Scan::Nothing, None, None));
        let (mut from, mut before) = (query.from_seq, u64::MAX);
        if let Some(to) = query.to_seq {
            before = to.saturating_add(1);
        }
        if let Some(since) = query.since {
            let Some(first) = self.first_where(&|head| head.timestamp >= since)? else {
                return nothing();
            };
            from = from.max(first.seq);
        }
        if let Some(until) = query.until
            && let Some(first) = self.first_where(&|head| head.timestamp >= until)?
        {
            before = before.min(first.seq);
        }
        let (end, last) = match self.limit {
            Limit::LineFeed => {
                let newest = places::newest(self.storage.as_ref(), &self.layout)?;
                let Some(newest) = newest else { return nothing() };
                (End::Place { newest: newest.id, size: newest.size, before }, Some(newest))
            }
            Limit::Checkpoint | Limit::Told(_) => {
                let seq = self.records()?.min(before);
                (End::Before { seq, must_exist: true }, None)
            }
        };
        let source = self.source(query);
        let scan = match query.order {
            Order::OldestFirst => Scan::Forward(Box::new(Forward::new(source, from, end))),
            Order::NewestFirst => Scan::Backward(Box::new(Backward::new(source, from, end))),
        };
        Ok(Matches::new(scan, query.limit, last))
    }

    /// How often a follower asks again where nothing came. A checkpoint comes about once a second.
    pub const FOLLOW_INTERVAL: Duration = Duration::from_millis(200);

    /// The records from `seq` on that `query` finds, those that are there and those that come; oldest first, without
    /// limit. It goes as far as this reader may read: to each new `checkpoint`, and in the process that appends to each
    /// sync.
    pub fn follow(&self, query: &Query, seq: u64) -> Follow {
        let from = seq.max(query.from_seq);
        let query = Query { from_seq: from, ..query.clone() };
        // Where it ends is asked at the first call that finds nothing.
        let end = End::Before { seq: 0, must_exist: false };
        let forward = Forward::new(self.source(&query), from, end).telling_of_pruned();
        Follow::new(self.clone(), forward)
    }

    fn source(&self, query: &Query) -> Source {
        let (storage, layout) = (Arc::clone(&self.storage), self.layout.clone());
        Source { storage, layout, matcher: Arc::new(Matcher::new(query)) }
    }

    /// The first intact record whose head `is_after`, which must not turn false again along the log.
    fn first_where(
        &self,
        is_after: &dyn Fn(&Head) -> bool,
    ) -> Result<Option<StoredRecord>, ReadError> {
        let storage = self.storage.as_ref();
        let Some(place) = places::behind_last_before(storage, &self.layout, is_after)? else {
            return Ok(None);
        };
        let (mut segment, mut offset) = (place.segment, place.offset);
        loop {
            if let Some(found) = first_in(&segment, offset, is_after)? {
                return Ok(Some(found));
            }
            let Some(next) = places::newer(storage, &self.layout, &segment)? else {
                return Ok(None);
            };
            (segment, offset) = (next, 0);
        }
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

/// The first intact record of `segment` from `offset` on whose head `is_after`.
fn first_in(
    segment: &Segment,
    offset: u64,
    is_after: &dyn Fn(&Head) -> bool,
) -> Result<Option<StoredRecord>, ReadError> {
    let mut lines = segment.lines(offset);
    while let Some(line) = lines.next_line().map_err(|e| segment.read_failure(e))? {
        let Line::Whole { offset, bytes } = line else { break };
        if let Some(head) = intact_head(bytes).filter(is_after) {
            return Ok(Some(locate::stored(segment, head.seq, offset, bytes)));
        }
    }
    Ok(None)
}
