//! Goes over every record, from the oldest to the newest: form, hash, link, order; and what crashes and disks leave.
//!
//! Invariants:
//! - the first finding of a segment is at the first byte that is wrong; later ones may follow from it;
//! - after a line that is no record it goes on with the next, and takes the leaves in between from the rows, so that
//!   the signed roots still say whether everything else is as it was;
//! - memory does not grow with the log.

mod lost;
mod record;
mod runs;
mod unfit;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use indelible_format::chain::Hash;
use indelible_format::record::{DecodeError, Depth, LINE_SIZE_MAX, Record};
use indelible_format::time::Timestamp;

use self::lost::Lost;
use super::VerifyError;
use super::collect::Findings;
use super::finding::{Finding, Problem};
use super::ground::{End, Ground};
use super::medium::{next_line, unreadable_range};
use super::place::Place;
use super::plan::Plan;
use super::policy::Policy;
use super::progress::Progress;
use super::scan::Feed;
use super::stretches::Stretches;
use super::tree::Tree;
use crate::lines::{Line, Lines, Source};
use crate::segment::{Segment, to_u64};
use crate::tail::{Tail, classify};

/// The record before.
#[derive(Clone, Copy, Debug)]
struct Last {
    seq: u64,
    hash: Hash,
    timestamp: Timestamp,
    /// A redacted record's timestamp is under no hash.
    redacted: bool,
}

/// A segment boundary that needs a note of exactly the records before it.
#[derive(Clone, Debug)]
pub(super) struct Boundary {
    pub(super) size: u64,
    pub(super) file: String,
}

/// The segment under way.
struct Current<'s> {
    segment: &'s Segment,
    /// Which one, in the order of the plan.
    index: usize,
    /// Bytes of the segments before it.
    before: u64,
    file: Arc<str>,
    size: u64,
    /// Seq of its first record, as far as that can be told.
    first_seq: Option<u64>,
    newest: bool,
}

/// How to go on after a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    /// With the next line.
    Line,
    /// With the line that begins there.
    At(u64),
    /// With the next segment.
    Segment,
}

/// The walk, and what it has learnt.
#[derive(Debug)]
pub(super) struct Walk<'a> {
    ground: Ground<'a>,
    pub(super) tree: Tree<'a>,
    pub(super) policy: Policy<'a>,
    last: Option<Last>,
    /// Whether lines since the last record were no records.
    gap: bool,
    /// What was reported where the gap begins: the next record says which records stood there.
    lost_at: Option<Lost>,
    /// Where in the newest segment its records end, and bytes begin that no opening keeps.
    torn_at: Option<u64>,
    /// Segments with bytes that can't be read, in the order of the plan.
    unreadable_in: BTreeSet<usize>,
    first: Option<Place>,
    /// The hash before each segment, by the segment's first seq.
    starts: BTreeMap<u64, Hash>,
    /// Intact records.
    pub(super) records: u64,
    pub(super) boundaries: Vec<Boundary>,
    pub(super) stretches: Stretches,
    mended: u32,
    depth: Depth,
    feed: Feed<'a>,
    progress: &'a Progress,
}

impl<'a> Walk<'a> {
    pub(super) fn new(
        ground: Ground<'a>,
        tree: Tree<'a>,
        policy: Policy<'a>,
        ahead: Ahead<'a>,
    ) -> Self {
        let Ahead { depth, feed, progress } = ahead;
        Self {
            ground,
            depth,
            feed,
            progress,
            stretches: Stretches::default(),
            tree,
            policy,
            last: None,
            gap: false,
            lost_at: None,
            torn_at: None,
            unreadable_in: BTreeSet::new(),
            first: None,
            starts: BTreeMap::new(),
            records: 0,
            boundaries: Vec::new(),
            mended: 0,
        }
    }

    /// The first record, where the segments begin with one.
    pub(super) fn first(&self) -> Option<&Place> {
        self.first.as_ref()
    }

    /// Hash of the last record.
    pub(super) fn head(&self) -> Option<Hash> {
        self.last.map(|last| last.hash)
    }

    /// Seq of the next record: how many the log has had.
    pub(super) fn next_seq(&self) -> Option<u64> {
        self.last.map(|last| last.seq.saturating_add(1))
    }

    /// Whether something stands behind the last record that is none.
    pub(super) fn ends_lost(&self) -> bool {
        self.gap
    }

    /// Where in the newest segment its records end, and a torn tail begins, unless all of that is kept.
    pub(super) fn torn_at(&self) -> Option<u64> {
        self.torn_at
    }

    /// Segments, in the order of the plan, with bytes that can't be read.
    pub(super) fn unreadable_in(&self) -> &BTreeSet<usize> {
        &self.unreadable_in
    }

    /// Says what nothing has decided or explained by the end.
    pub(super) fn finish(&mut self, out: &mut Findings) {
        self.tree.finish(out);
        self.policy.finish(self.first.as_ref(), out);
    }

    /// Walks all segments.
    pub(super) fn run(&mut self, out: &mut Findings) -> Result<End, VerifyError> {
        let Ground { storage, layout, plan, .. } = self.ground;
        self.progress.begin(plan.segments.iter().map(|planned| planned.size).sum());
        let mut before = 0;
        for (index, planned) in plan.segments.iter().enumerate() {
            let Some(segment) = Plan::open(storage, layout, planned)? else { return Ok(End::Gone) };
            if !self.gap
                && let Some(size) = self.next_seq()
                && !self.ground.roots.is_noted(size)
            {
                self.boundaries.push(Boundary { size, file: planned.name() });
            }
            let current = Current {
                segment: &segment,
                index,
                before,
                file: planned.name().into(),
                size: planned.size.min(segment.size),
                first_seq: planned.first_seq,
                newest: index + 1 == plan.segments.len(),
            };
            self.segment(&current, out);
            if self.progress.is_stopped() {
                return Ok(End::Stopped);
            }
            before += planned.size;
            self.progress.reach(before);
        }
        Ok(End::Complete)
    }

    fn segment(&mut self, current: &Current<'_>, out: &mut Findings) {
        let mut from = 0;
        while !self.progress.is_stopped() {
            if let Some(end) = self.take_run(current, from, out) {
                from = end;
                continue;
            }
            match self.span(current, from, current.size, out) {
                Span::End => return,
                Span::At(offset) => from = offset,
                Span::Unreadable { at, why } => {
                    let bad = unreadable_range(current.segment, current.size, at);
                    // What stands before the bytes that can't be read.
                    let mut at = at;
                    while let Span::At(offset) = self.span(current, at, bad.start, out) {
                        at = offset;
                    }
                    out.add(self.unreadable(current, &bad, why));
                    self.unreadable_in.insert(current.index);
                    self.lose(Problem::Unreadable, current, bad.start);
                    from = next_line(current.segment, current.size, bad.end);
                }
            }
        }
    }

    fn unreadable(
        &self,
        current: &Current<'_>,
        bytes: &Range<u64>,
        why: impl fmt::Display,
    ) -> Finding {
        let mut finding = Finding::new(Problem::Unreadable)
            .at(&*current.file, bytes.start)
            .found(format_args!("{} bytes: {why}", bytes.end - bytes.start));
        finding.seq = self.seq_of_line(current, bytes.start);
        finding
    }

    /// Walks the lines that begin at `from`, up to `end`.
    fn span(&mut self, current: &Current<'_>, from: u64, end: u64, out: &mut Findings) -> Span {
        let mut lines = Lines::new(current.segment.file.as_ref(), Source::Cache, from, end);
        let mut next = from;
        loop {
            let line = match lines.next_line() {
                Ok(Some(line)) => line,
                Ok(None) => return Span::End,
                Err(e) => return Span::Unreadable { at: next, why: e.to_string() },
            };
            match line {
                Line::Whole { offset, bytes } => {
                    next = offset + to_u64(bytes.len()) + 1;
                    if bytes.len() > LINE_SIZE_MAX {
                        return self.too_long(current, offset, out);
                    }
                    match self.line(current, offset, bytes, out) {
                        Next::Line if self.run_begins(current, next) => return Span::At(next),
                        Next::Line => {}
                        Next::At(offset) => return Span::At(offset),
                        Next::Segment => return Span::End,
                    }
                }
                Line::Unterminated { offset, bytes } => {
                    if end == current.size {
                        self.unterminated(current, offset, bytes, out);
                    }
                    return Span::End;
                }
                Line::TooLong { offset } => return self.too_long(current, offset, out),
            }
            if self.progress.is_stopped() {
                return Span::End;
            }
        }
    }

    /// Judges more bytes without a line feed than any record has.
    fn too_long(&mut self, current: &Current<'_>, offset: u64, out: &mut Findings) -> Span {
        if self.torn(current, offset, out) {
            return Span::End;
        }
        let next = next_line(current.segment, current.size, offset);
        // Of two records whose border is lost, neither is longer than the longest.
        let end = next.min(offset + 2 * to_u64(LINE_SIZE_MAX));
        let window = match current.segment.read_range(offset, end) {
            Ok(window) => window,
            Err(failure) => {
                return Span::Unreadable { at: offset, why: failure.source.to_string() };
            }
        };
        if !self.lost(current, offset, &window, out) {
            out.add(self.no_record(current, offset, &window).found("a line without an end"));
            self.stretches.end();
            self.lose(Problem::NotARecord, current, offset);
        }
        Span::At(next)
    }

    fn parse<'l>(&self, line: &'l [u8]) -> Result<Record<'l>, DecodeError> {
        if self.policy.form_known() {
            // What no signature covers anybody who can write may have written.
            let covered = !self.gap && self.next_seq().unwrap_or(0) < self.ground.roots.mark();
            Record::parse_to(line, if covered { self.depth } else { Depth::Form })
        } else {
            Record::parse_newer(line)
        }
    }

    fn line(
        &mut self,
        current: &Current<'_>,
        offset: u64,
        line: &[u8],
        out: &mut Findings,
    ) -> Next {
        match self.parse(line) {
            Ok(record) => {
                self.stretch(current, offset, &record);
                self.accept(current, offset, &record, out);
                self.records += 1;
                self.progress.reach(current.before + offset);
                Next::Line
            }
            Err(error) => {
                if may_be_torn(line, offset) && self.torn(current, offset, out) {
                    return Next::Segment;
                }
                self.bad(current, offset, line, &error, out)
            }
        }
    }
}

/// Whether a whole line can be the beginning of a torn tail, as its own bytes tell: only then is the tail read, so that
/// many bad lines don't cost many tails.
fn may_be_torn(line: &[u8], offset: u64) -> bool {
    memchr::memchr(0, line).is_some() && classify(&[line, b"\n"].concat(), offset) != Tail::NotTorn
}

/// How much is checked, what was scanned ahead of the walk, and who watches.
#[derive(Debug)]
pub(super) struct Ahead<'a> {
    pub(super) depth: Depth,
    pub(super) feed: Feed<'a>,
    pub(super) progress: &'a Progress,
}

/// What became of lines.
#[derive(Debug)]
enum Span {
    /// The segment is done.
    End,
    /// Goes on with the line that begins there.
    At(u64),
    /// Bytes at or behind `at` can't be read.
    Unreadable { at: u64, why: String },
}
