//! Scans from the newest record to the oldest, block by block from the end: [`Backward`].
//!
//! Invariant: the segment under way stays open; the one before it is looked for when it is read to its beginning. One
//! that retention has removed by then is as if it had been removed before.

use super::ReadError;
use super::blocks::Blocks;
use super::places::{behind_last_before, newer, newest, older};
use super::scan::{End, Hit, Source, Step, absent_between, last_seq_of, search};
use crate::io::IoFailure;
use crate::segment::Segment;

/// A scan under way.
#[derive(Debug)]
pub(super) struct Backward {
    source: Source,
    /// The last record to read.
    from: u64,
    end: End,
    at: Option<At>,
    blocks: Blocks,
}

#[derive(Debug)]
struct At {
    segment: Segment,
    /// Nothing before it is read.
    floor: u64,
    /// All behind it is read.
    offset: u64,
}

impl Backward {
    pub(super) fn new(source: Source, from: u64, end: End) -> Self {
        Self { source, from, end, at: None, blocks: Blocks::default() }
    }

    /// Reads a block, or moves to the segment before, and hands over what matches, in the order of lines.
    pub(super) fn step(&mut self, sink: &mut dyn FnMut(Hit<'_>)) -> Result<Step, ReadError> {
        if self.from >= self.end.before() {
            return Ok(Step::Ended);
        }
        let Some(at) = &mut self.at else { return self.begin(sink) };
        if at.offset > at.floor {
            let (block, next) = self.blocks.backward(&at.segment, at.floor, at.offset)?;
            search(&self.source.matcher, &at.segment, &block, sink);
            at.offset = next;
            return Ok(Step::GoesOn);
        }
        if at.floor > 0 || at.segment.intact_first().is_some_and(|first| first.seq <= self.from) {
            return Ok(Step::Ended);
        }
        let Source { storage, layout, .. } = &self.source;
        let Some(segment) = older(storage.as_ref(), layout, &at.segment)? else {
            return Ok(Step::Ended);
        };
        let last = last_seq_of(&segment)?;
        let absent = absent_between(last, &at.segment, self.from, self.end.before());
        if let Some((from, to)) = absent {
            sink(Err(ReadError::Absent { from, to }));
        }
        let end = segment.last_line_start(segment.size)?;
        if end < segment.size {
            sink(Err(ReadError::Unended { file: segment.name(), offset: end }));
        }
        self.at = Some(At::new(segment, self.from, end)?);
        Ok(Step::GoesOn)
    }

    fn begin(&mut self, sink: &mut dyn FnMut(Hit<'_>)) -> Result<Step, ReadError> {
        let Source { storage, layout, .. } = &self.source;
        let before = self.end.before();
        let segment = if before == u64::MAX {
            newest(storage.as_ref(), layout)?
        } else {
            let place = behind_last_before(storage.as_ref(), layout, &|head| head.seq >= before)?;
            place.map(|place| place.segment)
        };
        let Some(mut segment) = segment else { return Ok(Step::Ended) };
        let mut end = self.end.offset_in(&segment, 0)?;
        let mut next = None;
        while end == segment.size {
            next = newer(storage.as_ref(), layout, &segment)?;
            // One that begins with a damaged line may hold records before the end all the same.
            let Some(holding) = next.take_if(|next| next.intact_first().is_none()) else { break };
            let end_there = self.end.offset_in(&holding, 0)?;
            if end_there == 0 {
                break;
            }
            (segment, end) = (holding, end_there);
        }
        if let End::Before { seq, must_exist: true } = self.end
            && end == segment.size
            && next.is_none()
            && let Some(last) = last_seq_of(&segment)?
            && last + 1 < seq
        {
            let folder = layout.folder().to_path_buf();
            sink(Err(ReadError::Missing { seq: last + 1, folder }));
        }
        let end = segment.last_line_start(end)?;
        self.at = Some(At::new(segment, self.from, end)?);
        Ok(Step::GoesOn)
    }
}

impl At {
    fn new(segment: Segment, from: u64, offset: u64) -> Result<Self, IoFailure> {
        let floor = match segment.intact_first() {
            Some(first) if first.seq >= from => 0,
            Some(_) | None => segment.split(0, offset, &|head| head.seq >= from)?.before,
        };
        Ok(Self { segment, floor, offset })
    }
}
