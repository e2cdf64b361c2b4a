//! Goes over every record, from the oldest to the newest: form, hash, link, order; and what crashes and disks leave.
//!
//! Invariants:
//! - the first finding of a segment is at the first byte that is wrong; later ones may follow from it;
//! - after a line that is no record it goes on with the next, and takes the leaves in between from the rows, so that
//!   the signed roots still say whether everything else is as it was;
//! - memory does not grow with the log.

use std::cmp::Ordering;
use std::sync::Arc;

use indelible_format::chain::{Hash, Link};
use indelible_format::own::TailKind;
use indelible_format::record::{Content, DecodeError, Record, parse_head};
use indelible_format::time::Timestamp;
use indelible_format::tree::leaf_hash;

use super::VerifyError;
use super::collect::Findings;
use super::evidence::{MENDED_SIZE_MAX, one_flipped_bit};
use super::finding::{Finding, FindingClass, Problem};
use super::notes::SignedRoots;
use super::place::Place;
use super::plan::{Plan, Planned};
use super::policy::{Own, Policy};
use super::tree::Tree;
use crate::layout::Layout;
use crate::lines::{Line, Lines, Source};
use crate::segment::{Segment, to_u64};
use crate::storage::Storage;
use crate::tail::{TAIL_READ_SIZE, Tail, classify};

/// Lines whose every bit is tried, to see whether a disk explains them.
const MENDED_MAX: u32 = 8;

/// The folder, as the walk sees it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ground<'a> {
    pub(super) storage: &'a dyn Storage,
    pub(super) layout: &'a Layout,
    pub(super) plan: &'a Plan,
    pub(super) roots: &'a SignedRoots,
}

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
    file: Arc<str>,
    size: u64,
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
    first: Option<Place>,
    /// Intact records.
    pub(super) records: u64,
    pub(super) boundaries: Vec<Boundary>,
    mended: u32,
}

impl<'a> Walk<'a> {
    pub(super) fn new(ground: Ground<'a>, tree: Tree<'a>, policy: Policy<'a>) -> Self {
        Self {
            ground,
            tree,
            policy,
            last: None,
            gap: false,
            first: None,
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

    /// Walks all segments. `false` where one was gone, which retention explains: everything has to begin again.
    pub(super) fn run(&mut self, out: &mut Findings) -> Result<bool, VerifyError> {
        let Ground { storage, layout, plan, .. } = self.ground;
        for (index, planned) in plan.segments.iter().enumerate() {
            let Some(segment) = Plan::open(storage, layout, planned)? else { return Ok(false) };
            if index > 0
                && !self.gap
                && let Some(size) = self.next_seq()
                && self.ground.roots.at(size).is_none()
            {
                self.boundaries.push(Boundary { size, file: planned.name() });
            }
            let current = Current {
                segment: &segment,
                file: planned.name().into(),
                size: planned.size.min(segment.size),
                newest: index + 1 == plan.segments.len(),
            };
            self.segment(&current, out)?;
        }
        Ok(true)
    }

    fn segment(&mut self, current: &Current<'_>, out: &mut Findings) -> Result<(), VerifyError> {
        let mut from = 0;
        while from < current.size {
            match self.span(current, from, current.size, out)? {
                Span::End => return Ok(()),
                Span::At(offset) => from = offset,
                Span::Unreadable { at, why } => {
                    let bad = unreadable_range(current, at);
                    // What stands before the bytes that can't be read.
                    let mut at = at;
                    while at < bad.start
                        && let Span::At(offset) = self.span(current, at, bad.start, out)?
                    {
                        at = offset;
                    }
                    let mut finding = Finding::new(Problem::Unreadable)
                        .at(&*current.file, bad.start)
                        .found(format_args!("{} bytes: {why}", bad.end - bad.start));
                    finding.seq = self.next_seq();
                    out.add(finding);
                    self.gap = true;
                    from = next_line(current, bad.end);
                }
            }
        }
        Ok(())
    }

    /// Walks the lines that begin at `from`, up to `end`.
    fn span(
        &mut self,
        current: &Current<'_>,
        from: u64,
        end: u64,
        out: &mut Findings,
    ) -> Result<Span, VerifyError> {
        let mut lines = Lines::new(current.segment.file.as_ref(), Source::Cache, from, end);
        let mut next = from;
        loop {
            let line = match lines.next_line() {
                Ok(Some(line)) => line,
                Ok(None) => return Ok(Span::End),
                Err(e) => return Ok(Span::Unreadable { at: next, why: e.to_string() }),
            };
            match line {
                Line::Whole { offset, bytes } => {
                    next = offset + to_u64(bytes.len()) + 1;
                    match self.line(current, offset, bytes, out)? {
                        Next::Line => {}
                        Next::At(offset) => return Ok(Span::At(offset)),
                        Next::Segment => return Ok(Span::End),
                    }
                }
                Line::Unterminated { offset, bytes } => {
                    if end == current.size {
                        self.unterminated(current, offset, bytes, out)?;
                    }
                    return Ok(Span::End);
                }
                Line::TooLong { offset } => {
                    if self.torn(current, offset, out)? {
                        return Ok(Span::End);
                    }
                    let window = current.segment.read_range(offset, offset + 4096)?;
                    out.add(
                        self.no_record(current, offset, &window).found("a line without an end"),
                    );
                    self.gap = true;
                    return Ok(Span::At(next_line(current, offset)));
                }
            }
        }
    }

    fn parse<'l>(&self, line: &'l [u8]) -> Result<Record<'l>, DecodeError> {
        if self.policy.form_known() { Record::parse(line) } else { Record::parse_newer(line) }
    }

    fn line(
        &mut self,
        current: &Current<'_>,
        offset: u64,
        line: &[u8],
        out: &mut Findings,
    ) -> Result<Next, VerifyError> {
        match self.parse(line) {
            Ok(record) => {
                self.accept(current, offset, &record, out);
                self.records += 1;
                Ok(Next::Line)
            }
            Err(error) => {
                if self.torn(current, offset, out)? {
                    return Ok(Next::Segment);
                }
                self.bad(current, offset, line, &error, out)
            }
        }
    }

    /// Takes a record: its order, its link, what it says, its leaf.
    fn accept(
        &mut self,
        current: &Current<'_>,
        offset: u64,
        record: &Record<'_>,
        out: &mut Findings,
    ) {
        let place = Place { file: Arc::clone(&current.file), offset, seq: record.seq() };
        match self.last {
            Some(last) => self.follow(last, record, &place, out),
            None => self.begin(&place, &record.prev_hash(), Some(record), out),
        }
        if let Content::Own(own) = record.content() {
            let first_of_segment = offset == 0;
            let own = Own { record, said: own, place: &place, first_of_segment };
            let Self { ground, tree, policy, last, first, .. } = self;
            let first = first.as_ref().map_or(0, |first| first.seq);
            let mut leaf_of = |seq| match last {
                Some(last) if last.seq == seq => Some(leaf_hash(&last.hash)),
                _ if seq >= first => hash_of(ground, seq).map(|hash| leaf_hash(&hash)),
                _ => tree.stored_leaf(seq),
            };
            policy.own(&own, &mut leaf_of, out);
        } else if let Content::Redacted = record.content() {
            self.policy.redacted(record, &place);
        }
        self.tree.push(record.seq(), &record.hash(), &place, out);
        self.last = Some(Last {
            seq: record.seq(),
            hash: record.hash(),
            timestamp: record.timestamp(),
            redacted: matches!(record.content(), Content::Redacted),
        });
        self.gap = false;
    }

    /// Takes the first record; `record` is there where it is intact.
    fn begin(
        &mut self,
        place: &Place,
        prev_hash: &Hash,
        record: Option<&Record<'_>>,
        out: &mut Findings,
    ) {
        if self.gap {
            self.tree.borrow_up_to(place.seq, out);
            return;
        }
        self.first = Some(place.clone());
        if place.seq > 0 {
            return self.tree.begin(place.seq, prev_hash, place, out);
        }
        let is_genesis = record.is_none_or(|record| {
            let Content::Own(own) = record.content() else { return false };
            own.action() == indelible_format::own::action::CREATE
        });
        if !is_genesis {
            out.add(place.finding(Problem::GenesisInvalid).found("another record"));
        }
    }

    /// Checks that `record` follows `last`.
    fn follow(&mut self, last: Last, record: &Record<'_>, place: &Place, out: &mut Findings) {
        let expected = last.seq.saturating_add(1);
        let passed_over = self.gap && record.seq() > expected;
        if record.seq() != expected && !passed_over {
            let gone = place.offset == 0 && record.seq() > expected;
            let problem = if gone { Problem::SegmentMissing } else { Problem::SeqOutOfOrder };
            let mut finding = place.finding(problem).expected(expected).found(record.seq());
            let empty = &self.ground.plan.empty;
            if gone && let Some(name) = empty.iter().find(|name| *name != crate::layout::ACTIVE) {
                finding = finding.evidence(format!("{name} is empty"));
            }
            if record.prev_hash() == last.hash {
                finding =
                    finding.evidence(format!("it names record {} as the one before it", last.seq));
            }
            out.add(finding);
        } else if !self.gap && record.prev_hash() != last.hash {
            let mut finding = place.finding(Problem::ChainBroken);
            finding = finding.expected(last.hash).found(record.prev_hash());
            if let Some(leaf) = self.tree.row_leaf(last.seq) {
                if leaf == leaf_hash(&record.prev_hash()) {
                    finding = finding.evidence(format!(
                        "tree/0 has the hash that this record names, so record {} was changed and hashed again",
                        last.seq
                    ));
                } else if leaf == leaf_hash(&last.hash) {
                    finding = finding.evidence(format!(
                        "tree/0 has record {} as it stands, so this record was changed and hashed again",
                        last.seq
                    ));
                }
            }
            out.add(finding);
        } else if record.timestamp() < last.timestamp {
            let finding = place
                .finding(Problem::TimeDecreases)
                .expected(format_args!("{} or later", last.timestamp))
                .found(record.timestamp());
            out.add(if last.redacted {
                finding.evidence(format!(
                    "record {} is redacted, so its timestamp is under no hash and may be what was changed",
                    last.seq
                ))
            } else {
                finding
            });
        }
    }

    /// Judges a whole line that is no record, and finds out how to go on.
    fn bad(
        &mut self,
        current: &Current<'_>,
        offset: u64,
        line: &[u8],
        error: &DecodeError,
        out: &mut Findings,
    ) -> Result<Next, VerifyError> {
        let finding = self.finding_of(current, offset, line, error);
        if self.policy.form_known() && line.len() <= MENDED_SIZE_MAX && self.mended < MENDED_MAX {
            self.mended += 1;
            let end = offset + to_u64(line.len() + 2 + MENDED_SIZE_MAX);
            let window = current.segment.read_range(offset, end.min(current.size))?;
            if let Some(mended) = one_flipped_bit(&window, line.len())
                && let Ok(record) = Record::parse(&mended.line)
            {
                out.add(finding.class(FindingClass::Damage).evidence(format!(
                    "one flipped bit in the byte at {} repairs it",
                    offset + to_u64(mended.at)
                )));
                self.accept(current, offset, &record, out);
                return Ok(Next::At(offset + to_u64(mended.line.len()) + 1));
            }
        }
        out.add(finding);
        self.stand_in(current, offset, line, out);
        Ok(Next::Line)
    }

    /// Takes what can still be told of a line that is no record, so that the next one has something to follow.
    fn stand_in(&mut self, current: &Current<'_>, offset: u64, line: &[u8], out: &mut Findings) {
        let (Ok(tied), Ok(head)) = (Link::split(line), parse_head(line)) else {
            self.gap = true;
            return;
        };
        // Its own seq may be what was changed.
        let seq = self.next_seq().filter(|_| !self.gap).unwrap_or(head.seq);
        let place = Place { file: Arc::clone(&current.file), offset, seq };
        if self.last.is_none() {
            self.begin(&place, &tied.prev_hash, None, out);
        }
        // Either the entry was changed, or the hash: the rows know which hash it had.
        let computed = tied.computed_hash();
        let hash = match self.tree.row_leaf(seq) {
            Some(leaf) if leaf == leaf_hash(&computed) => computed,
            Some(_) | None => tied.hash,
        };
        self.tree.borrow_up_to(seq.saturating_add(1), out);
        let timestamp = self.last.map_or(head.timestamp, |last| last.timestamp);
        self.last = Some(Last { seq, hash, timestamp, redacted: false });
        self.gap = false;
    }

    fn finding_of(
        &mut self,
        current: &Current<'_>,
        offset: u64,
        line: &[u8],
        error: &DecodeError,
    ) -> Finding {
        let DecodeError::HashMismatch { stated, computed, .. } = error else {
            return self.no_record(current, offset, line).found(error);
        };
        let seq = self.next_seq().or_else(|| parse_head(line).ok().map(|head| head.seq));
        let mut finding = Finding::new(Problem::HashMismatch)
            .at(&*current.file, offset)
            .expected(computed)
            .found(stated);
        finding.seq = seq;
        if let Some(leaf) = seq.and_then(|seq| self.tree.row_leaf(seq)) {
            if leaf == leaf_hash(stated) {
                finding = finding
                    .evidence("tree/0 has the hash that the line states, so the entry was changed");
            } else if leaf == leaf_hash(computed) {
                finding = finding.evidence(
                    "tree/0 has the hash of the entry as it stands, so only _hash was changed",
                );
            }
        }
        finding
    }

    /// The finding for bytes that have not the form of a record.
    fn no_record(&self, current: &Current<'_>, offset: u64, bytes: &[u8]) -> Finding {
        let lost_pages = matches!(classify(bytes, offset), Tail::Torn(TailKind::Nul));
        let problem = if lost_pages { Problem::NulRun } else { Problem::NotARecord };
        let mut finding = Finding::new(problem).at(&*current.file, offset);
        finding.seq = self.next_seq();
        if !lost_pages && memchr::memchr(0, bytes).is_some() {
            finding = finding.evidence("it holds NUL bytes, but not as whole sectors");
        }
        finding
    }

    /// Judges the bytes behind the last line feed of a segment.
    fn unterminated(
        &mut self,
        current: &Current<'_>,
        offset: u64,
        bytes: &[u8],
        out: &mut Findings,
    ) -> Result<(), VerifyError> {
        if current.newest {
            let stat = current.segment.file.stat();
            // Somebody is appending: the bytes are in flight.
            if stat.is_ok_and(|stat| stat.size > current.size) {
                return Ok(());
            }
            if self.torn(current, offset, out)? {
                return Ok(());
            }
        }
        let covered = current.newest && self.next_seq().is_some();
        let problem = if covered { Problem::BelowMark } else { Problem::LineUnterminated };
        let mut finding = Finding::new(problem).at(&*current.file, offset);
        finding.seq = self.next_seq();
        finding = finding.found(format_args!("{} bytes without a line feed", bytes.len()));
        let parsed = self.parse(bytes);
        if covered {
            finding = finding.evidence(format!(
                "a signed checkpoint covers {} records",
                self.ground.roots.mark()
            ));
        }
        if parsed.is_ok() {
            finding = finding.evidence("the record is whole but for its line feed");
        }
        out.add(finding);
        match parsed {
            Ok(record) => self.accept(current, offset, &record, out),
            Err(_) => self.gap = true,
        }
        Ok(())
    }

    /// Whether what begins at `offset` is the tail of the newest segment, as the table of tails has it, and beyond the
    /// mark. Then it is reported, and the log ends here.
    fn torn(
        &self,
        current: &Current<'_>,
        offset: u64,
        out: &mut Findings,
    ) -> Result<bool, VerifyError> {
        let Some(next) = self.next_seq().filter(|_| current.newest) else { return Ok(false) };
        if self.gap || next < self.ground.roots.mark() {
            return Ok(false);
        }
        let end = (offset + to_u64(TAIL_READ_SIZE)).min(current.size);
        let rest = current.segment.read_range(offset, end)?;
        let place = Place { file: Arc::clone(&current.file), offset, seq: next };
        let size = current.size - offset;
        match classify(&rest, offset) {
            Tail::NotTorn => Ok(false),
            Tail::TooLong => {
                let finding = place.finding(Problem::TailTooLong);
                out.add(finding.expected("at most 4 MiB").found(format_args!("{size} bytes")));
                Ok(true)
            }
            Tail::Torn(kind) => {
                // Whether the record is whole but for its line feed.
                let follows = Record::parse(&rest).is_ok_and(|record| {
                    let hash = self.last.map(|last| last.hash);
                    record.seq() == next && Some(record.prev_hash()) == hash
                });
                let kind = if follows { TailKind::NoLf } else { kind };
                let finding = place.finding(Problem::TailTorn);
                let finding = finding.found(format_args!("{size} bytes, {kind}"));
                out.add(if out.has_fault() {
                    finding
                } else {
                    finding.evidence(
                        "no signed checkpoint covers them; the next open for appending repairs it and says so in the log",
                    )
                });
                Ok(true)
            }
        }
    }
}

/// What became of a run of lines.
#[derive(Debug)]
enum Span {
    /// The segment is done.
    End,
    /// Goes on with the line that begins there.
    At(u64),
    /// Bytes at or behind `at` can't be read.
    Unreadable { at: u64, why: String },
}

/// Bytes that are probed at once.
const PROBE_SIZE: u64 = 4096;
/// Probes that may fail before the rest of a file is given up.
const PROBES_MAX: u32 = 4096;

/// The first bytes at or behind `at` that can't be read, to the probe.
fn unreadable_range(current: &Current<'_>, at: u64) -> std::ops::Range<u64> {
    let readable = |from: u64| {
        let mut probe = [0; 4096];
        current.segment.file.read_at(&mut probe, from).is_ok()
    };
    let mut start = at - at % PROBE_SIZE;
    while start < current.size && readable(start) {
        start += PROBE_SIZE;
    }
    let mut end = start;
    for _ in 0..PROBES_MAX {
        if end >= current.size || (end > start && readable(end)) {
            return start.max(at)..end.max(at + 1).min(current.size);
        }
        end += PROBE_SIZE;
    }
    start.max(at)..current.size
}

/// Where the line behind the one that `from` stands in begins; the end where there is none, or it can't be read.
fn next_line(current: &Current<'_>, from: u64) -> u64 {
    let mut at = from;
    while at < current.size {
        let Ok(bytes) = current.segment.read_range(at, (at + 64 * 1024).min(current.size)) else {
            // The next pass over it reports what can't be read.
            return if at > from { at } else { current.size };
        };
        if bytes.is_empty() {
            break;
        }
        if let Some(found) = memchr::memchr(b'\n', &bytes) {
            return at + to_u64(found) + 1;
        }
        at += to_u64(bytes.len());
    }
    current.size
}

/// The hash of record `seq`, by bisection; `None` where it is not to be had.
fn hash_of(ground: &Ground<'_>, seq: u64) -> Option<Hash> {
    let holds = |planned: &&Planned| planned.first_seq.is_some_and(|first| first <= seq);
    let planned = ground.plan.segments.iter().rev().find(holds)?;
    let segment = Plan::open(ground.storage, ground.layout, planned).ok()??;
    let offset = segment.seek(planned.size, |head| head.seq.cmp(&seq)).ok()?;
    let mut lines = segment.lines(offset);
    let Ok(Some(Line::Whole { bytes, .. })) = lines.next_line() else { return None };
    let head = parse_head(bytes).ok()?;
    (head.seq.cmp(&seq) == Ordering::Equal)
        .then(|| Link::split(bytes).ok().map(|link| link.hash))?
}
