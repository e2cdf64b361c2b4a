//! Judges bytes that are no record: a torn tail, lost sectors, a flipped bit, or what no crash and no disk explains.
//!
//! Invariant: whatever it finds, the walk goes on from the next byte that can be the beginning of a record.

use std::sync::Arc;

use indelible_format::chain::Link;
use indelible_format::own::TailKind;
use indelible_format::record::{DecodeError, Record, parse_head};
use indelible_format::seeded::{self, Bug};
use indelible_format::tree::leaf_hash;

use super::super::collect::Findings;
use super::super::count::records;
use super::super::evidence::{MENDED_SIZE_MAX, one_flipped_bit};
use super::super::finding::{Finding, FindingClass, Problem};
use super::super::medium::unreadable_range;
use super::super::place::Place;
use super::{Current, Last, Next, Walk};
use crate::segment::to_u64;
use crate::tail::{TAIL_READ_SIZE, Tail, classify};

/// Lines whose every bit is tried, to see whether a disk explains them.
const MENDED_MAX: u32 = 8;

impl Walk<'_> {
    /// Judges a whole line that is no record, and finds out how to go on.
    pub(super) fn bad(
        &mut self,
        current: &Current<'_>,
        offset: u64,
        line: &[u8],
        error: &DecodeError,
        out: &mut Findings,
    ) -> Next {
        if self.lost(current, offset, line, out) {
            return Next::Line;
        }
        self.stretches.end();
        let finding = self.finding_of(current, offset, line, error);
        if line.len() <= MENDED_SIZE_MAX && self.mended < MENDED_MAX {
            self.mended += 1;
            // The line may go on behind what is a line feed now, as far as that can be read.
            let end = current.size.min(offset + to_u64(MENDED_SIZE_MAX + 1));
            let window = current.segment.read_range(offset, end).or_else(|_| {
                let end = unreadable_range(current.segment, current.size, offset).start;
                current.segment.read_range(offset, end)
            });
            let window = window.unwrap_or_else(|_| line.to_vec());
            if let Some(mended) = one_flipped_bit(&window, line.len())
                && let Ok(record) = Record::parse(&mended.line)
            {
                out.add(finding.record(record.seq()).class(FindingClass::Damage).evidence(
                    format!(
                        "one flipped bit in the byte at {} repairs it",
                        offset + to_u64(mended.at)
                    ),
                ));
                self.accept(current, offset, &record, out);
                return Next::At(offset + to_u64(mended.line.len()) + 1);
            }
        }
        out.add(finding);
        self.stand_in(current, offset, line, out);
        Next::Line
    }

    /// Takes what can still be told of a line that is no record, so that the next one has something to follow.
    fn stand_in(&mut self, current: &Current<'_>, offset: u64, line: &[u8], out: &mut Findings) {
        let (Ok(tied), Ok(head)) = (Link::split(line), parse_head(line)) else {
            return self.lose(Problem::NotARecord, current, offset);
        };
        let seq = self.seq_of_line(current, offset).unwrap_or(head.seq);
        let place = Place { file: Arc::clone(&current.file), offset, seq };
        if self.last.is_none() {
            self.begin(&place, &tied.prev_hash, None, out);
        }
        // Either the entry was changed, or the hash: the rows know which hash it had.
        let computed = tied.computed_hash();
        let leaf = self.tree.row_leaf(seq);
        let hash = match leaf {
            Some(leaf) if leaf == leaf_hash(&computed) => computed,
            Some(_) | None => tied.hash,
        };
        // Which record it is may be what was changed, unless the rows bear it out.
        if leaf == Some(leaf_hash(&hash)) {
            self.tell_lost(seq, out);
        }
        self.lost_at = None;
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
        let seq = self.seq_or_head(current, offset, line);
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

    /// The finding for bytes that have not the form of a record, and no lost sectors.
    pub(super) fn no_record(&self, current: &Current<'_>, offset: u64, bytes: &[u8]) -> Finding {
        let mut finding = Finding::new(Problem::NotARecord).at(&*current.file, offset);
        finding.seq = self.seq_or_head(current, offset, bytes);
        if memchr::memchr(0, bytes).is_some() {
            finding = finding.evidence("it holds NUL bytes, but not as whole sectors");
        }
        finding
    }

    /// Judges the bytes behind the last line feed of a segment.
    pub(super) fn unterminated(
        &mut self,
        current: &Current<'_>,
        offset: u64,
        bytes: &[u8],
        out: &mut Findings,
    ) {
        if current.newest {
            let stat = current.segment.file.stat();
            // Somebody is appending: the bytes are in flight.
            if stat.is_ok_and(|stat| stat.size > current.size) {
                self.torn_at = Some(offset);
                return;
            }
            if self.torn(current, offset, out) {
                return;
            }
        }
        if self.lost(current, offset, bytes, out) {
            return;
        }
        self.stretches.end();
        let seq = self.seq_or_head(current, offset, bytes);
        let mark = self.ground.roots.tail_mark();
        // Of what stands behind lost records nobody may know whether it is covered.
        let covered = current.newest && seq.is_some_and(|seq| seq < mark);
        let problem = if covered { Problem::BelowMark } else { Problem::LineUnterminated };
        let mut finding = Finding::new(problem).at(&*current.file, offset);
        finding.seq = seq;
        finding = finding.found(format_args!("{} bytes without a line feed", bytes.len()));
        if covered {
            finding = finding.evidence(format!("a checkpoint covers {}", records(mark)));
        }
        let mut parsed = self.parse(bytes);
        if parsed.is_ok() {
            finding = finding.evidence("the record is whole but for its line feed");
        } else if let Some((last, line)) = bytes.split_last()
            && let Ok(record) = self.parse(line)
        {
            parsed = Ok(record);
            finding = finding.evidence("another byte stands where the record's line feed was");
            let one_bit = (last ^ b'\n').is_power_of_two();
            finding =
                finding.class(if one_bit { FindingClass::Damage } else { FindingClass::Tampering });
        }
        out.add(finding);
        match parsed {
            Ok(record) => self.accept(current, offset, &record, out),
            Err(_) => self.lose(problem, current, offset),
        }
    }

    /// Seq of the record that a line at `offset` is, or was: by the one before it, or by those behind it where it is the
    /// first of its file; `None` behind lost records, of which nobody knows how many they were. It goes before what the
    /// line says itself, which may be what was changed.
    pub(super) fn seq_of_line(&self, current: &Current<'_>, offset: u64) -> Option<u64> {
        let next = self.next_seq().filter(|_| !self.gap);
        next.or_else(|| current.first_seq.filter(|_| offset == 0))
    }

    /// The same, or else what the line says itself.
    pub(super) fn seq_or_head(
        &self,
        current: &Current<'_>,
        offset: u64,
        line: &[u8],
    ) -> Option<u64> {
        let told = self.seq_of_line(current, offset);
        told.or_else(|| parse_head(line).ok().map(|head| head.seq))
    }

    /// Whether what begins at `offset` is the tail of the newest segment, as the table of tails has it, and beyond the
    /// mark. Then it is reported, and the log ends here.
    pub(super) fn torn(&mut self, current: &Current<'_>, offset: u64, out: &mut Findings) -> bool {
        let Some(next) = self.next_seq().filter(|_| current.newest) else { return false };
        if self.gap || next < self.ground.roots.tail_mark() {
            return false;
        }
        let end = (offset + to_u64(TAIL_READ_SIZE)).min(current.size);
        // Where not all of it can be read nobody can tell that it is one: then it is judged like any other line.
        let Ok(rest) = current.segment.read_range(offset, end) else { return false };
        let place = Place { file: Arc::clone(&current.file), offset, seq: next };
        let size = current.size - offset;
        match classify(&rest, offset) {
            Tail::NotTorn => false,
            Tail::TooLong => {
                self.torn_at = Some(offset);
                let finding = place.finding(Problem::TailTooLong);
                out.add(finding.expected("at most 4 MiB").found(format_args!("{size} bytes")));
                true
            }
            Tail::Torn(_) if seeded::is(Bug::TornTailSound) => true,
            Tail::Torn(kind) => {
                // Whether the record is whole but for its line feed.
                let follows = Record::parse(&rest).is_ok_and(|record| {
                    let hash = self.last.map(|last| last.hash);
                    record.seq() == next && Some(record.prev_hash()) == hash
                });
                let kind = if follows { TailKind::NoLf } else { kind };
                self.torn_at = (!follows).then_some(offset);
                let finding = place.finding(Problem::TailTorn);
                let finding = finding.found(format_args!("{size} bytes, {kind}"));
                out.add(if out.has_fault() {
                    finding
                } else {
                    finding.evidence(
                        "no signed checkpoint covers them; the next open for appending repairs it and says so in the log",
                    )
                });
                true
            }
        }
    }
}
