//! What both directions of a scan share: how far it goes, what it hands out, and what stands between two segments.

use std::sync::Arc;

use indelible_format::record::Head;

use super::blocks::Block;
use super::matcher::Matcher;
use super::{ReadError, StoredRecord};
use crate::io::IoFailure;
use crate::layout::Layout;
use crate::segment::{Segment, intact_head, to_u64};
use crate::storage::{FileId, Storage};

/// Where records are read from, and which.
#[derive(Clone, Debug)]
pub(super) struct Source {
    pub(super) storage: Arc<dyn Storage>,
    pub(super) layout: Layout,
    pub(super) matcher: Arc<Matcher>,
}

/// How far a scan reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// To the record before this seq, which is there unless the log was cut off, or something lower was asked for.
    Before { seq: u64, must_exist: bool },
    /// To the last line feed of the newest segment when the scan began; and before the seq, if one is given.
    Place { newest: FileId, size: u64, before: u64 },
    /// To the last line feed that there is.
    LineFeed,
}

impl End {
    /// The seq that is not read any more.
    pub(super) fn before(self) -> u64 {
        match self {
            Self::Before { seq, .. } => seq,
            Self::Place { before, .. } => before,
            Self::LineFeed => u64::MAX,
        }
    }

    /// Whether nothing behind `segment` is read.
    pub(super) fn is_in(self, segment: &Segment) -> bool {
        matches!(self, Self::Place { newest, .. } if newest == segment.id)
    }

    /// Where in `segment` it stands, looking from `from` on; the segment's size where it stands further on.
    pub(super) fn offset_in(self, segment: &Segment, from: u64) -> Result<u64, IoFailure> {
        let size = match self {
            Self::Place { newest, size, .. } if newest == segment.id => size.min(segment.size),
            Self::Before { .. } | Self::Place { .. } | Self::LineFeed => segment.size,
        };
        let before = self.before();
        if before == u64::MAX {
            return Ok(size);
        }
        Ok(segment.split(from.min(size), size, &|head: &Head| head.seq >= before)?.after)
    }
}

/// Whether there is more to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    GoesOn,
    Ended,
}

/// A line that matches, or what is wrong at some place.
pub(super) type Hit<'h> = Result<Matching<'h>, ReadError>;

/// A line that matches.
#[derive(Clone, Copy, Debug)]
pub(super) struct Matching<'h> {
    seq: u64,
    line: &'h [u8],
    segment: &'h Segment,
    offset: u64,
}

impl Matching<'_> {
    pub(super) fn to_record(self) -> StoredRecord {
        let (line, file) = (self.line.to_vec(), self.segment.name());
        StoredRecord { seq: self.seq, line, file, offset: self.offset }
    }
}

/// Hands over what matches in a block, in the order of lines.
pub(super) fn search(
    matcher: &Matcher,
    segment: &Segment,
    block: &Block<'_>,
    sink: &mut dyn FnMut(Hit<'_>),
) {
    match block {
        Block::Lines { offset: start, bytes } => matcher.search(bytes, |at, line, judged| {
            let offset = start + to_u64(at);
            sink(match judged {
                Ok(seq) => Ok(Matching { seq, line, segment, offset }),
                Err(source) => Err(ReadError::Unreadable { file: segment.name(), offset, source }),
            });
        }),
        Block::Unended { offset } => {
            sink(Err(ReadError::Unended { file: segment.name(), offset: *offset }));
        }
        Block::End => {}
    }
}

/// Seq of the last line of a segment, where it can be told.
pub(super) fn last_seq_of(segment: &Segment) -> Result<Option<u64>, IoFailure> {
    let last = segment.last_line(segment.size)?;
    Ok(last.and_then(|(_, line)| intact_head(&line)).map(|head| head.seq))
}

/// The first and the last of the records from `from` on and before `before` that stand neither by `last`, the last one
/// of a segment, nor in `newer`, the segment behind it; nothing where one can't tell.
pub(super) fn absent_between(
    last: Option<u64>,
    newer: &Segment,
    from: u64,
    before: u64,
) -> Option<(u64, u64)> {
    let from = last?.saturating_add(1).max(from);
    let before = newer.intact_first()?.seq.min(before);
    (from < before).then(|| (from, before.saturating_sub(1)))
}
