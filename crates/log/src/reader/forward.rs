//! Scans from the oldest record to the newest, over rotation and pruning: [`Forward`].
//!
//! Invariants:
//! - the segment under way stays open, so that it may be renamed and removed; the one behind it is looked for only when
//!   it is read to its end;
//! - a segment is left for the next one only after its size was asked again: from the moment that a newer one exists,
//!   nothing is added to it. So nothing is missed, and nothing comes twice;
//! - records that are gone are told of also where the end stood before them when that was found.

use super::ReadError;
use super::blocks::Blocks;
use super::places::{behind_last_before, newer};
use super::scan::{End, Hit, Source, Step, absent_between, last_seq_of, search};
use crate::io::{IoFailure, Operation};
use crate::segment::Segment;

/// How often a gap between two segments is looked at again: files may have moved twice while one looked.
const GAP_ATTEMPTS: u32 = 3;

/// A scan under way.
#[derive(Debug)]
pub(super) struct Forward {
    source: Source,
    /// The first record to read.
    from: u64,
    end: End,
    at: Option<At>,
    /// The last record of the segments behind it.
    last_left: Option<u64>,
    /// Absent records, the first and the last, that stand behind the end: told of once it is further on.
    owed: Option<(u64, u64)>,
    blocks: Blocks,
    /// Whether records that are absent before the first one are told of.
    tells_of_pruned: bool,
}

#[derive(Debug)]
struct At {
    segment: Segment,
    offset: u64,
    /// Where the end stands, or the size of the segment.
    end: u64,
}

impl Forward {
    pub(super) fn new(source: Source, from: u64, end: End) -> Self {
        let blocks = Blocks::default();
        let (at, last_left, owed) = (None, None, None);
        Self { source, from, end, at, last_left, owed, blocks, tells_of_pruned: false }
    }

    /// Tells also of records that are absent before the first one.
    pub(super) fn telling_of_pruned(mut self) -> Self {
        self.tells_of_pruned = true;
        self
    }

    /// Goes on to another end than before.
    pub(super) fn extend(&mut self, end: End) -> Result<(), ReadError> {
        self.end = end;
        if let Some(at) = &mut self.at {
            at.grow(end)?;
        }
        Ok(())
    }

    /// Reads a block, or moves to the next segment, and hands over what matches.
    pub(super) fn step(&mut self, sink: &mut dyn FnMut(Hit<'_>)) -> Result<Step, ReadError> {
        if self.from >= self.end.before() {
            return Ok(Step::Ended);
        }
        if let Some((first, last)) = self.owed.take_if(|(first, _)| *first < self.end.before()) {
            self.tell_absent(first, last, sink);
            return Ok(Step::GoesOn);
        }
        let Some(at) = &mut self.at else { return self.begin(sink) };
        if at.offset < at.end {
            let (block, next) = self.blocks.forward(&at.segment, at.offset, at.end)?;
            search(&self.source.matcher, &at.segment, &block, sink);
            if next > at.offset {
                at.offset = next;
                return Ok(Step::GoesOn);
            }
        }
        self.leave(sink)
    }

    fn begin(&mut self, sink: &mut dyn FnMut(Hit<'_>)) -> Result<Step, ReadError> {
        let Source { storage, layout, .. } = &self.source;
        let from = self.from;
        let place = behind_last_before(storage.as_ref(), layout, &|head| head.seq >= from)?;
        let Some(place) = place else { return Ok(Step::Ended) };
        if let Some(first) = place.segment.intact_first()
            && self.tells_of_pruned
            && first.seq > from
        {
            self.tell_absent(from, first.seq - 1, sink);
        }
        let end = self.end.offset_in(&place.segment, place.offset)?;
        self.at = Some(At { segment: place.segment, offset: place.offset, end });
        Ok(Step::GoesOn)
    }

    /// Tells that the records from `first` to `last` are absent, as far as the end lets it; the rest is owed.
    fn tell_absent(&mut self, first: u64, last: u64, sink: &mut dyn FnMut(Hit<'_>)) {
        let before = self.end.before();
        if first < before {
            sink(Err(ReadError::Absent { from: first, to: last.min(before - 1) }));
        }
        self.owed = (last >= before).then_some((first.max(before), last));
    }

    /// Goes on behind what is read: in a segment that has grown, or in the next one.
    fn leave(&mut self, sink: &mut dyn FnMut(Hit<'_>)) -> Result<Step, ReadError> {
        let Some(at) = &mut self.at else { return Ok(Step::Ended) };
        if at.end < at.segment.size || self.end.is_in(&at.segment) {
            return Ok(Step::Ended);
        }
        let Source { storage, layout, .. } = &self.source;
        let next = newer(storage.as_ref(), layout, &at.segment)?;
        // Only now: what was added before the next one was made is there.
        if at.grow(self.end)? {
            return Ok(Step::GoesOn);
        }
        if at.end < at.segment.size {
            return Ok(Step::Ended);
        }
        // A last line that is damaged says nothing, and neither does the segment before.
        let last = if at.segment.size == 0 { self.last_left } else { last_seq_of(&at.segment)? };
        let Some(mut segment) = next else {
            if let (End::Before { seq, must_exist: true }, Some(last)) = (self.end, last)
                && last + 1 < seq
            {
                let folder = layout.folder().to_path_buf();
                sink(Err(ReadError::Missing { seq: last + 1, folder }));
            }
            return Ok(Step::Ended);
        };
        if at.offset < at.segment.size {
            sink(Err(ReadError::Unended { file: at.segment.name(), offset: at.offset }));
        }
        let from = self.from;
        let absent = |segment: &Segment| absent_between(last, segment, from, u64::MAX);
        let mut gap = absent(&segment);
        for _ in 1..GAP_ATTEMPTS {
            if gap.is_none() {
                break;
            }
            let again = newer(storage.as_ref(), layout, &at.segment)?;
            segment = again.unwrap_or(segment);
            gap = absent(&segment);
        }
        if let Some((first, last)) = gap {
            self.tell_absent(first, last, sink);
        }
        self.last_left = last;
        let end = self.end.offset_in(&segment, 0)?;
        self.at = Some(At { segment, offset: 0, end });
        Ok(Step::GoesOn)
    }
}

impl At {
    /// Asks the segment's size again, and where `end` stands in it now; says whether there is more to read.
    fn grow(&mut self, end: End) -> Result<bool, IoFailure> {
        let stat = self.segment.file.stat();
        let stat = stat.map_err(IoFailure::of(Operation::Stat, &self.segment.path))?;
        let had = self.segment.size;
        self.segment.size = stat.size;
        // What was read beyond the last sync may have been cut off since.
        self.offset = self.offset.min(stat.size);
        self.end = end.offset_in(&self.segment, self.offset)?;
        Ok(stat.size > had && self.end > self.offset)
    }
}
