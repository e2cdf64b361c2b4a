//! Reads on in a segment, over what can't be read and what is no line of a log.
//!
//! Invariant: it goes forward only, but for lines before bytes that can't be read, once each time, so that however a file is
//! made it comes to its end.

use indelible_format::chain::{Hash, Link};
use indelible_format::record::{Head, parse_head};

use super::super::medium::{next_line, unreadable_range};
use crate::io::IoFailure;
use crate::lines::{Line, Lines, Source};
use crate::segment::Segment;

/// A line, and what it says.
#[derive(Debug)]
pub(super) struct Read {
    pub(super) offset: u64,
    pub(super) head: Option<Head>,
    /// Where it is the record that is wanted, or a later one; none where its link may be another's, since sectors of the
    /// line are lost.
    pub(super) hash: Option<Hash>,
}

impl Read {
    fn of(offset: u64, line: &[u8], wanted: u64) -> Self {
        let head = parse_head(line).ok();
        let is_wanted = head.as_ref().is_some_and(|head| head.seq >= wanted);
        let whole = is_wanted && memchr::memchr(0, line).is_none();
        let hash = whole.then(|| Link::split(line).ok()).flatten().map(|tied| tied.hash);
        Self { offset, head, hash }
    }
}

/// How far a segment was read.
#[derive(Debug)]
pub(super) struct Reading<'s> {
    segment: &'s Segment,
    size: u64,
    lines: Lines<'s>,
    /// Where the last line begins that was read.
    at: u64,
    /// Where to go on at the end of these lines, which is before bytes that can't be read.
    behind: Option<u64>,
}

impl<'s> Reading<'s> {
    /// From the beginning of a segment, of which `size` bytes count.
    pub(super) fn of(segment: &'s Segment, size: u64) -> Self {
        let lines = Lines::new(segment.file.as_ref(), Source::Cache, 0, size);
        Self { segment, size, lines, at: 0, behind: None }
    }

    /// Goes on at the record `seq`, or before it, where that is further on. Only where the walk has found no fault: in a
    /// log whose heads are out of order, a search passes records over.
    pub(super) fn seek(&mut self, seq: u64) -> Result<(), IoFailure> {
        let at = self.segment.seek(self.size, |head| head.seq.cmp(&seq))?;
        if at > self.at {
            self.go_on(at, self.size, None);
        }
        Ok(())
    }

    /// The next line; `None` at the end. After an error [`pass_over`](Self::pass_over) goes on.
    pub(super) fn next_line(&mut self, wanted: u64) -> Result<Option<Read>, IoFailure> {
        loop {
            let line = self.lines.next_line().map_err(|e| self.segment.read_failure(e))?;
            let next = match line {
                Some(Line::Whole { offset, bytes } | Line::Unterminated { offset, bytes }) => {
                    self.at = offset;
                    return Ok(Some(Read::of(offset, bytes, wanted)));
                }
                Some(Line::TooLong { offset }) => next_line(self.segment, self.size, offset),
                None => match self.behind {
                    Some(behind) => behind,
                    None => return Ok(None),
                },
            };
            self.go_on(next, self.size, None);
        }
    }

    /// Goes on with the lines before bytes that can't be read, and then behind those.
    pub(super) fn pass_over(&mut self) {
        if let Some(behind) = self.behind {
            // They could be read a moment ago.
            return self.go_on(behind, self.size, None);
        }
        let bad = unreadable_range(self.segment, self.size, self.at);
        let behind = next_line(self.segment, self.size, bad.end);
        self.go_on(self.at, bad.start, Some(behind));
    }

    fn go_on(&mut self, at: u64, end: u64, behind: Option<u64>) {
        self.lines = Lines::new(self.segment.file.as_ref(), Source::Cache, at, end);
        (self.at, self.behind) = (at, behind);
    }
}
