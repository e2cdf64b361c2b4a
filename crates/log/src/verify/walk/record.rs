//! Takes a record that is whole: its order, its link, what it says, its leaf.
//!
//! Invariant: a record is judged against the one before it, and then stands for the next to be judged against.

use std::cmp::Ordering;
use std::sync::Arc;

use indelible_format::chain::{Hash, Link};
use indelible_format::own::action;
use indelible_format::record::{Content, Record, parse_head};
use indelible_format::seeded::{self, Bug};
use indelible_format::tree::leaf_hash;

use super::super::collect::Findings;
use super::super::finding::Problem;
use super::super::ground::Ground;
use super::super::place::Place;
use super::super::plan::{Plan, Planned};
use super::super::policy::Own;
use super::{Current, Last, Walk};
use crate::lines::Line;

impl Walk<'_> {
    /// Takes a record: its order, its link, what it says, its leaf.
    pub(super) fn accept(
        &mut self,
        current: &Current<'_>,
        offset: u64,
        record: &Record<'_>,
        out: &mut Findings,
    ) {
        let place = Place { file: Arc::clone(&current.file), offset, seq: record.seq() };
        if offset == 0 {
            self.starts.insert(record.seq(), record.prev_hash());
        }
        self.tell_lost(record.seq(), out);
        match self.last {
            Some(last) => self.follow(last, record, &place, out),
            None => self.begin(&place, &record.prev_hash(), Some(record), out),
        }
        if let Content::Own(own) = record.content() {
            let first_of_segment = offset == 0;
            let own = Own { record, said: own, place: &place, first_of_segment };
            let Self { ground, tree, policy, first, starts, .. } = self;
            let first = first.as_ref().map_or(0, |first| first.seq);
            // Of the segment that held it, retention may have removed the file since.
            let mut leaf_of = |seq: u64| {
                let told = starts.get(&seq.saturating_add(1)).copied();
                let told = told.or_else(|| (seq >= first).then(|| hash_of(ground, seq)).flatten());
                told.map(|hash| leaf_hash(&hash)).or_else(|| tree.stored_leaf(seq))
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
    pub(super) fn begin(
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
            own.action() == action::CREATE
        });
        if !is_genesis {
            out.add(place.finding(Problem::GenesisInvalid).found("another record"));
        }
    }

    /// Checks that `record` follows `last`.
    fn follow(&mut self, last: Last, record: &Record<'_>, place: &Place, out: &mut Findings) {
        if place.offset == 0 && seeded::is(Bug::GapAtBoundary) {
            return;
        }
        let expected = last.seq.saturating_add(1);
        let order = record.seq().cmp(&expected);
        let passed_over = self.gap && order.is_gt();
        if order.is_ne() && !passed_over {
            // Where the file begins at no noted boundary but should, it is its own first lines that are not there.
            let roots = self.ground.roots;
            let at_boundary = roots.at(record.seq()).is_some() || roots.at(expected).is_none();
            let gone = place.offset == 0 && order.is_gt() && at_boundary;
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
        } else if !self.gap && record.prev_hash() != last.hash && !seeded::is(Bug::ComparesSeqsOnly)
        {
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
}

/// The hash of record `seq`, by bisection; `None` where it is not to be had.
fn hash_of(ground: &Ground<'_>, seq: u64) -> Option<Hash> {
    let holds = |planned: &&Planned| planned.first_seq.is_some_and(|first| first <= seq);
    let planned = ground.plan.segments.iter().rev().find(holds)?;
    let segment = Plan::open(ground.storage, ground.layout, planned).ok()??;
    let offset = segment.seek(planned.size, |head| head.seq.cmp(&seq)).ok()?;
    let mut lines = segment.lines(offset);
    let Ok(Some(Line::Whole { bytes, .. })) = lines.next_line() else { return None };
    // Where sectors are lost, the link may be of a later record than the head.
    if memchr::memchr(0, bytes).is_some() {
        return None;
    }
    let head = parse_head(bytes).ok()?;
    (head.seq.cmp(&seq) == Ordering::Equal)
        .then(|| Link::split(bytes).ok().map(|link| link.hash))?
}
