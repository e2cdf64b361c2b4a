//! Finds a record in the segments, by bisection over their first records and then over the bytes of one.
//!
//! Invariant: what is found is told by its own beginning, never by a file's name, so a rename in between can't give
//! another record; what is not found is looked for again where files moved meanwhile.

use std::cmp::Ordering;

use indelible_format::record::parse_head;

use super::{ReadError, StoredRecord};
use crate::io::{IoFailure, Operation};
use crate::layout::Layout;
use crate::lines::Line;
use crate::segment::{Segment, numbers};
use crate::storage::{Access, FileId, Storage};

/// How often it looks again where segments moved.
const ATTEMPTS_MAX: u32 = 100;

/// A record, and the segment that it stands in.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) record: StoredRecord,
    pub(super) segment: Segment,
}

/// What came of looking for a record.
#[derive(Debug)]
pub(super) enum Search {
    Found(Found),
    /// It was before the oldest.
    Pruned,
    /// It is behind the last one.
    Behind,
    /// It should stand in that file, and does not.
    Lost {
        file: String,
    },
}

/// Looks for record `seq`.
pub(super) fn find(storage: &dyn Storage, layout: &Layout, seq: u64) -> Result<Search, ReadError> {
    steadily(storage, layout, |numbers| {
        let Some(segment) = segment_of(storage, layout, numbers, seq)? else {
            return Ok(Settled::Unless(Search::Pruned));
        };
        match record_in(&segment, seq)? {
            Inside::Found(record) => Ok(Settled::Surely(Search::Found(Found { record, segment }))),
            Inside::Behind => {
                let newest = newest(storage, layout, numbers)?;
                let is_newest = newest.is_none_or(|newest| newest.id == segment.id);
                Ok(Settled::Unless(if is_newest {
                    Search::Behind
                } else {
                    Search::Lost { file: segment.name() }
                }))
            }
            Inside::Lost => Ok(Settled::Unless(Search::Lost { file: segment.name() })),
        }
    })
}

/// Seq of the oldest record.
pub(super) fn first_seq(storage: &dyn Storage, layout: &Layout) -> Result<Option<u64>, ReadError> {
    steadily(storage, layout, |numbers| {
        for number in numbers {
            let segment = Segment::open(storage, layout, *number, Access::Read)?;
            if let Some(first) = &segment.first {
                return Ok(Settled::Unless(Some(first.seq)));
            }
        }
        Ok(Settled::Unless(None))
    })
}

/// Seq of the last line whose beginning is that of a record.
pub(super) fn last_seq(storage: &dyn Storage, layout: &Layout) -> Result<Option<u64>, ReadError> {
    steadily(storage, layout, |numbers| {
        let Some(segment) = newest(storage, layout, numbers)? else {
            return Ok(Settled::Unless(None));
        };
        let offset = segment.seek(segment.size, |_| Ordering::Less)?;
        let mut lines = segment.lines(offset);
        let line = lines.next_line().map_err(|e| segment.read_failure(e))?;
        let head = match line {
            Some(Line::Whole { bytes, .. }) => parse_head(bytes).ok(),
            Some(Line::Unterminated { .. } | Line::TooLong { .. }) | None => None,
        };
        Ok(Settled::Unless(head.map(|head| head.seq)))
    })
}

/// An answer, and whether it holds even where files moved while it was found.
pub(super) enum Settled<T> {
    Surely(T),
    Unless(T),
}

/// Asks `look` until the segments have not moved while it looked.
pub(super) fn steadily<T>(
    storage: &dyn Storage,
    layout: &Layout,
    mut look: impl FnMut(&[u64]) -> Result<Settled<T>, ReadError>,
) -> Result<T, ReadError> {
    for _ in 0..ATTEMPTS_MAX {
        let before = places(storage, layout)?;
        match look(&before.numbers) {
            Ok(Settled::Surely(answer)) => return Ok(answer),
            Ok(Settled::Unless(answer)) if places(storage, layout)? == before => return Ok(answer),
            Ok(Settled::Unless(_)) => {}
            Err(ReadError::Io(failure)) if failure.is_not_found() => {
                if places(storage, layout)? == before {
                    return Err(failure.into());
                }
            }
            Err(e) => return Err(e),
        }
    }
    Err(ReadError::KeepsChanging { folder: layout.folder().to_path_buf(), attempts: ATTEMPTS_MAX })
}

/// Which segments there are; another one after every rotation and prune.
#[derive(Debug, PartialEq, Eq)]
struct Places {
    numbers: Vec<u64>,
    newest: Option<FileId>,
}

fn places(storage: &dyn Storage, layout: &Layout) -> Result<Places, IoFailure> {
    let numbers = numbers(storage, layout)?;
    let Some(newest) = numbers.last() else { return Ok(Places { numbers, newest: None }) };
    let path = layout.segment(*newest);
    let newest = match storage.stat(&path) {
        Ok(stat) => Some(stat.id),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => None,
        Err(e) => return Err(IoFailure::new(Operation::Stat, &path, e)),
    };
    Ok(Places { numbers, newest })
}

/// The newest segment whose first record can be told.
fn newest(
    storage: &dyn Storage,
    layout: &Layout,
    numbers: &[u64],
) -> Result<Option<Segment>, IoFailure> {
    for number in numbers.iter().rev() {
        let segment = Segment::open(storage, layout, *number, Access::Read)?;
        if segment.first.is_some() {
            return Ok(Some(segment));
        }
    }
    Ok(None)
}

/// The segment that begins at or last before `seq`. `numbers` is from the oldest to the newest.
fn segment_of(
    storage: &dyn Storage,
    layout: &Layout,
    numbers: &[u64],
    seq: u64,
) -> Result<Option<Segment>, IoFailure> {
    let mut best = None;
    let mut rest = numbers;
    while !rest.is_empty() {
        let (older, newer) = rest.split_at(rest.len() / 2);
        let Some((middle, newer)) = newer.split_first() else { break };
        let segment = Segment::open(storage, layout, *middle, Access::Read)?;
        match &segment.first {
            Some(first) if first.seq <= seq => {
                best = Some(segment);
                rest = newer;
            }
            Some(_) => rest = older,
            // The active one may be empty, or torn at its beginning.
            None if newer.is_empty() => rest = older,
            None => return segment_of_damaged(storage, layout, numbers, seq),
        }
    }
    Ok(best)
}

/// As [`segment_of`], where some segment's beginning can't be told: looks at each.
fn segment_of_damaged(
    storage: &dyn Storage,
    layout: &Layout,
    numbers: &[u64],
    seq: u64,
) -> Result<Option<Segment>, IoFailure> {
    let mut best: Option<(u64, Segment)> = None;
    for number in numbers {
        let segment = Segment::open(storage, layout, *number, Access::Read)?;
        let Some(first) = segment.first.as_ref().map(|head| head.seq) else { continue };
        if first <= seq && best.as_ref().is_none_or(|(most, _)| *most <= first) {
            best = Some((first, segment));
        }
    }
    Ok(best.map(|(_, segment)| segment))
}

enum Inside {
    Found(StoredRecord),
    /// All its records are before.
    Behind,
    /// Records behind it are there, or lines that are none.
    Lost,
}

/// Looks for record `seq` in the one segment that can have it.
fn record_in(segment: &Segment, seq: u64) -> Result<Inside, IoFailure> {
    let offset = segment.seek(segment.size, |head| head.seq.cmp(&seq))?;
    let mut lines = segment.lines(offset);
    let line = lines.next_line().map_err(|e| segment.read_failure(e))?;
    if let Some(Line::Whole { offset, bytes }) = line
        && parse_head(bytes).is_ok_and(|head| head.seq == seq)
    {
        return Ok(Inside::Found(stored(segment, seq, offset, bytes)));
    }
    scan(segment, seq)
}

/// Looks at each line: bytes that are no record lead a bisection astray.
fn scan(segment: &Segment, seq: u64) -> Result<Inside, IoFailure> {
    let mut lines = segment.lines(0);
    let mut behind = true;
    while let Some(line) = lines.next_line().map_err(|e| segment.read_failure(e))? {
        let Line::Whole { offset, bytes } = line else { break };
        match parse_head(bytes) {
            Ok(head) if head.seq == seq => {
                return Ok(Inside::Found(stored(segment, seq, offset, bytes)));
            }
            Ok(head) => behind &= head.seq < seq,
            Err(_) => behind = false,
        }
    }
    Ok(if behind { Inside::Behind } else { Inside::Lost })
}

pub(super) fn stored(segment: &Segment, seq: u64, offset: u64, line: &[u8]) -> StoredRecord {
    StoredRecord { seq, line: line.to_vec(), file: segment.name(), offset }
}
