//! Holds the log against receipts: each record must be there, with the hash and the timestamp that its receipt says.
//!
//! It reads the records themselves, by bisection and then line by line, or, where the log is broken, each line, in the
//! segment that should have them and then, for those that nothing there and no leaf tells of, in all; and of pruned records
//! their leaves in `tree/0`, which the signed roots cover. Whether records agree with their hashes is for
//! [`walk`](super::super::walk) to say.
//!
//! Invariants:
//! - lines in a torn tail, which the next opening cuts off, stand for no record, however whole they are;
//! - what many receipts show is one finding of each problem, at the first record, with how many more there are.

use indelible_format::chain::Hash;
use indelible_format::seeded::{self, Bug};
use indelible_format::time::Timestamp;
use indelible_format::tree::leaf_hash;

use super::super::VerifyError;
use super::super::collect::Findings;
use super::super::count::records;
use super::super::finding::{Finding, MIXED_UP, Problem};
use super::super::ground::End;
use super::super::plan::{Plan, Planned};
use super::super::rows::{HASH_SIZE, Row};
use super::reading::{Read, Reading};
use super::receipts::{Kept, Receipts};
use super::{Anchoring, Held};

/// Records that it reads over rather than seeks past.
const NEAR: u64 = 4_096;

/// Compares all receipts of this log. It ends early where it is stopped; then nothing counts as compared.
pub(super) fn compare(
    receipts: &Receipts,
    held: &Held<'_>,
    told: &mut Anchoring,
    out: &mut Findings,
) -> Result<End, VerifyError> {
    let mut comparison = Comparison {
        receipts,
        held,
        leaves: Row::open(held.ground.storage, held.ground.layout, 0)?,
        foreign: foreign(receipts, held, out),
        broken: out.has_fault(),
        unreadable: false,
        astray: Vec::new(),
        shown: Vec::new(),
        told: *told,
    };
    let all = receipts.kept();
    let mut from = 0;
    for (index, planned) in held.ground.plan.segments.iter().enumerate() {
        let next = held.ground.plan.segments.get(index + 1).and_then(|next| next.first_seq);
        let first = planned.first_seq.unwrap_or(0);
        let start = from + before(all.get(from..).unwrap_or_default(), first);
        comparison.all_absent(all.get(from..start).unwrap_or_default());
        let rest = all.get(start..).unwrap_or_default();
        from = start + next.map_or(rest.len(), |next| before(rest, next));
        let wanted = all.get(start..from).unwrap_or_default();
        if wanted.is_empty() {
            continue;
        }
        let name = planned.name();
        let end = comparison.read_in(index, planned, |comparison, reading| {
            comparison.segment(&name, reading, wanted)
        })?;
        if end != End::Complete {
            return Ok(end);
        }
    }
    comparison.all_absent(all.get(from..).unwrap_or_default());
    let end = comparison.find_astray()?;
    if end != End::Complete {
        return Ok(end);
    }
    *told = comparison.told;
    for shown in comparison.shown {
        out.add(shown.finding());
    }
    Ok(End::Complete)
}

/// Which logs, by their position, are others than this one; each is a finding.
fn foreign(receipts: &Receipts, held: &Held<'_>, out: &mut Findings) -> Vec<bool> {
    let Some(identity) = &held.ground.plan.identity else { return Vec::new() };
    let foreign: Vec<bool> = receipts.logs().iter().map(|log| *log != identity.log_id).collect();
    for (position, log) in receipts.logs().iter().enumerate() {
        if foreign.get(position) != Some(&true) {
            continue;
        }
        let of_it = || receipts.kept().iter().filter(|kept| usize::from(kept.log) == position);
        let first = of_it().next().map_or_else(String::new, |kept| receipts.place(kept));
        out.add(
            Finding::new(Problem::ReceiptOfAnotherLog)
                .expected(format_args!("log id {}", identity.log_id))
                .found(format_args!("log id {log}"))
                .evidence(format!("receipts of it: {}, such as {first}", of_it().count()))
                .evidence(MIXED_UP),
        );
    }
    foreign
}

/// How many of `kept` are of records before `seq`.
fn before(kept: &[Kept], seq: u64) -> usize {
    kept.partition_point(|kept| kept.seq < seq)
}

struct Comparison<'a> {
    receipts: &'a Receipts,
    held: &'a Held<'a>,
    leaves: Row,
    /// By log, whether it is another one; empty where this log does not say which it is.
    foreign: Vec<bool>,
    /// Whether a fault was found, which may explain that a record is not to be had, or not in its place.
    broken: bool,
    /// Whether it is told that bytes of the segment under way can't be read.
    unreadable: bool,
    /// Receipts whose records are not in the segment that should have them, of a broken log: by rising seq.
    astray: Vec<Kept>,
    shown: Vec<Shown>,
    told: Anchoring,
}

/// The first receipt that shows a problem, and the others.
struct Shown {
    first: Finding,
    more: u64,
    last_seq: u64,
}

impl Shown {
    fn finding(self) -> Finding {
        match self.more {
            0 => self.first,
            1 => {
                self.first.evidence(format!("one more shows the same, of record {}", self.last_seq))
            }
            more => self.first.evidence(format!(
                "{more} more receipts show the same, up to record {}",
                self.last_seq
            )),
        }
    }
}

/// What stands where a record should.
#[derive(Clone, Copy, Debug)]
struct Stood {
    offset: u64,
    seq: u64,
    timestamp: Timestamp,
    hash: Hash,
}

impl Stood {
    /// `None` where the line has not both head and link.
    fn of(line: &Read) -> Option<Self> {
        let (head, hash) = line.head.as_ref().zip(line.hash)?;
        Some(Self { offset: line.offset, seq: head.seq, timestamp: head.timestamp, hash })
    }

    /// Whether it is what the receipt was given for.
    fn is_as(&self, kept: &Kept) -> bool {
        self.hash == kept.hash && self.timestamp == kept.timestamp
    }
}

impl Comparison<'_> {
    /// Lets `read` read a segment, the `index`th of the plan; `false` from it is that it was stopped.
    fn read_in(
        &mut self,
        index: usize,
        planned: &Planned,
        read: impl FnOnce(&mut Self, Reading<'_>) -> Result<bool, VerifyError>,
    ) -> Result<End, VerifyError> {
        let Held { ground, torn_at, unreadable_in, .. } = self.held;
        let Some(segment) = Plan::open(ground.storage, ground.layout, planned)? else {
            return Ok(End::Gone);
        };
        self.unreadable = unreadable_in.contains(&index);
        let is_newest = index + 1 == ground.plan.segments.len();
        let end = torn_at.filter(|_| is_newest).unwrap_or(planned.size);
        let whole = read(self, Reading::of(&segment, end.min(segment.size)))?;
        Ok(if whole { End::Complete } else { End::Stopped })
    }

    /// Compares the receipts of records that one segment should hold. `false` where it was stopped.
    fn segment(
        &mut self,
        file: &str,
        mut reading: Reading<'_>,
        wanted: &[Kept],
    ) -> Result<bool, VerifyError> {
        let Some(first) = wanted.first() else { return Ok(true) };
        if self.broken {
            return self.wherever(file, reading, wanted);
        }
        let mut wanted = wanted;
        reading.seek(first.seq)?;
        while let Some(next) = wanted.first() {
            if self.held.progress.is_stopped() {
                return Ok(false);
            }
            let Some(line) = reading.next_line(next.seq)? else { break };
            let Some(head) = &line.head else { continue };
            if head.seq < next.seq {
                if next.seq - head.seq > NEAR {
                    reading.seek(next.seq)?;
                }
                continue;
            }
            let (of_it, rest) = wanted.split_at(before(wanted, head.seq.saturating_add(1)));
            wanted = rest;
            for kept in of_it {
                let stood = Stood::of(&line).filter(|stood| stood.seq == kept.seq);
                self.line(file, stood, kept);
            }
        }
        self.all_absent(wanted);
        Ok(true)
    }

    /// Compares receipts with their records wherever in the segment these stand: where the walk has found a fault they may
    /// be out of order, a head may be what was changed, and another record may have the number.
    fn wherever(
        &mut self,
        file: &str,
        reading: Reading<'_>,
        wanted: &[Kept],
    ) -> Result<bool, VerifyError> {
        let Some(found) = self.standing(reading, wanted)? else { return Ok(false) };
        for (kept, found) in wanted.iter().zip(found) {
            self.line(file, found, kept);
        }
        Ok(true)
    }

    /// What stands in a segment for each of these receipts: what it was given for, or else the first with its number.
    /// `None` where it was stopped.
    fn standing(
        &self,
        reading: Reading<'_>,
        wanted: &[Kept],
    ) -> Result<Option<Vec<Option<Stood>>>, VerifyError> {
        let mut found: Vec<Option<Stood>> = vec![None; wanted.len()];
        let whole = self.each(reading, wanted, |index, kept, stood| {
            if let Some(found) = found.get_mut(index).filter(|it| it.is_none() || stood.is_as(kept))
            {
                *found = Some(*stood);
            }
        })?;
        Ok(whole.then_some(found))
    }

    /// Gives each line of a segment that has the number of one of these receipts, with which of them it is. `false` where it
    /// was stopped.
    ///
    /// What can't be read is for the walk to report, and no error where it did.
    fn each(
        &self,
        mut reading: Reading<'_>,
        wanted: &[Kept],
        mut stands: impl FnMut(usize, &Kept, &Stood),
    ) -> Result<bool, VerifyError> {
        let from = wanted.first().map_or(0, |first| first.seq);
        while !self.held.progress.is_stopped() {
            let line = match reading.next_line(from) {
                Err(failure) if !self.unreadable => return Err(failure.into()),
                Err(_) => {
                    reading.pass_over();
                    continue;
                }
                Ok(None) => return Ok(true),
                Ok(Some(line)) => line,
            };
            let Some(stood) = Stood::of(&line) else { continue };
            let of_it = before(wanted, stood.seq)..before(wanted, stood.seq.saturating_add(1));
            for (index, kept) in of_it.clone().zip(wanted.get(of_it).into_iter().flatten()) {
                stands(index, kept, &stood);
            }
        }
        Ok(false)
    }

    /// Looks in every segment for the records that are not in their own: who moved one to another has not taken it out of
    /// the log. Only the record that a receipt was given for counts there: another with its number may have it from a bit
    /// that was flipped. Such a receipt covers nothing.
    fn find_astray(&mut self) -> Result<End, VerifyError> {
        let astray = std::mem::take(&mut self.astray);
        let (mut left, mut is_there) = (astray.len(), vec![false; astray.len()]);
        for (index, planned) in self.held.ground.plan.segments.iter().enumerate() {
            if left == 0 {
                break;
            }
            let end = self.read_in(index, planned, |comparison, reading| {
                comparison.each(reading, &astray, |index, kept, stood| {
                    let is_there = is_there.get_mut(index).filter(|there| !**there);
                    if let Some(is_there) = is_there.filter(|_| stood.is_as(kept)) {
                        *is_there = true;
                        left -= 1;
                    }
                })
            })?;
            if end != End::Complete {
                return Ok(end);
            }
        }
        for (kept, is_there) in astray.iter().zip(is_there) {
            if !is_there {
                self.missing(kept);
            }
        }
        Ok(End::Complete)
    }

    /// Compares one receipt with its record, where one stands.
    fn line(&mut self, file: &str, stood: Option<Stood>, kept: &Kept) {
        match stood {
            Some(stood) => self.record(file, &stood, kept),
            None => self.all_absent(std::slice::from_ref(kept)),
        }
    }

    /// Compares one receipt with its record.
    fn record(&mut self, file: &str, stood: &Stood, kept: &Kept) {
        if self.is_foreign(kept) {
            return;
        }
        let Stood { offset, hash, timestamp, .. } = *stood;
        if hash != kept.hash && !seeded::is(Bug::ReceiptHashUncompared) {
            let finding = Finding::new(Problem::ReceiptHashDiffers).at(file, offset);
            self.show(finding.record(kept.seq).expected(kept.hash).found(hash), kept);
        } else if timestamp != kept.timestamp {
            let finding = Finding::new(Problem::ReceiptTimeDiffers).at(file, offset);
            let finding = finding.record(kept.seq).expected(kept.timestamp).found(timestamp);
            self.show(
                finding.evidence(
                    "the hashes are the same, so it is the receipt that was changed, or a redacted record",
                ),
                kept,
            );
        }
        self.hold(kept);
    }

    fn all_absent(&mut self, kept: &[Kept]) {
        for kept in kept {
            if !self.is_foreign(kept) {
                self.absent(kept);
                self.told.receipts += 1;
            }
        }
    }

    /// Judges a receipt whose record is not in the segments.
    fn absent(&mut self, kept: &Kept) {
        let leaf = self.leaves.hash(kept.seq).ok();
        let expected = leaf_hash(&kept.hash);
        let pruned = kept.seq < self.held.pruned_before;
        let beyond = kept.seq >= self.held.next_seq;
        match leaf {
            Some(leaf) if leaf == expected && pruned => self.told.receipts_pruned += 1,
            Some(leaf) if pruned => {
                let at = kept.seq.saturating_mul(HASH_SIZE);
                let finding = Finding::new(Problem::ReceiptHashDiffers).at("tree/0", at);
                let finding = finding.record(kept.seq);
                let finding = finding.expected(format_args!("leaf {expected}")).found(leaf);
                self.show(finding.evidence("the record itself was pruned"), kept);
            }
            // The walk has said what became of it.
            Some(leaf) if leaf == expected && self.broken && !beyond => {}
            _ if self.broken => self.astray.push(*kept),
            _ => self.missing(kept),
        }
    }

    /// Tells of a receipt whose record is nowhere in the log.
    fn missing(&mut self, kept: &Kept) {
        let mut finding = Finding::new(Problem::ReceiptRecordMissing).record(kept.seq);
        finding = finding.expected(kept.hash);
        if kept.seq >= self.held.next_seq {
            let log = format_args!("a log that ends with {}", records(self.held.next_seq));
            finding = finding.found(log);
        }
        if self.leaves.hash(kept.seq) == Ok(leaf_hash(&kept.hash)) {
            finding = finding.evidence("tree/0 still has its leaf");
        }
        self.show(finding, kept);
    }

    fn is_foreign(&self, kept: &Kept) -> bool {
        self.foreign.get(usize::from(kept.log)).copied().unwrap_or(false)
    }

    fn hold(&mut self, kept: &Kept) {
        self.told.receipts += 1;
        self.told.covered = self.told.covered.max(Some(kept.seq.saturating_add(1)));
    }

    fn show(&mut self, finding: Finding, kept: &Kept) {
        let known = self.shown.iter_mut().find(|shown| shown.first.problem == finding.problem);
        if let Some(shown) = known {
            shown.more += 1;
            shown.last_seq = kept.seq;
            return;
        }
        let first = finding.evidence(format!("the receipt is {}", self.receipts.place(kept)));
        self.shown.push(Shown { first, more: 0, last_seq: kept.seq });
    }
}
