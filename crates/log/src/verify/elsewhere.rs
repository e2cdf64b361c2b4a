//! Evidence for records that stand where others should: the same line elsewhere, the one that should be here elsewhere,
//! or gone while the rows still have its leaf.
//!
//! Invariant: it reads a bounded stretch for a bounded number of findings, and judges nothing.

use std::cmp::Ordering;

use indelible_format::chain::Link;
use indelible_format::record::{Content, Record, parse_head};
use indelible_format::tree::leaf_hash;

use super::anchors::Held;
use super::collect::Findings;
use super::count::{self, records};
use super::finding::{Finding, Problem};
use super::plan::{Plan, Planned};
use super::policy::with_log_id;
use super::rows::Row;
use crate::lines::{Line, Lines, Source};
use crate::segment::Segment;

/// Findings that are looked into.
const EXPLAINED_MAX: usize = 4;
/// Bytes behind a finding in which a record is looked for.
const NEAR: u64 = 1 << 20;

/// A line, and where it stands.
struct Stands {
    file: String,
    offset: u64,
    line: Vec<u8>,
}

/// Adds what it finds out about records that are out of order, and about an end that comes too early.
pub(super) fn explain(held: &Held<'_>, out: &mut Findings) {
    for finding in out.of(Problem::SeqOutOfOrder).take(EXPLAINED_MAX) {
        finding.evidence.extend(evidence(held, finding));
    }
    for problem in [Problem::CutOff, Problem::KeptBeyond] {
        for finding in out.of(problem) {
            finding.evidence.extend(if held.ends_lost {
                Some("what stands behind them is no record, and may be what is missing".to_owned())
            } else {
                rolled_back(held)
            });
        }
    }
}

fn evidence(held: &Held<'_>, finding: &Finding) -> Vec<String> {
    let mut told = Vec::new();
    let place = finding.file.as_deref().zip(finding.offset).zip(finding.seq);
    let Some(((file, offset), seq)) = place else { return told };
    let Some(expected) = finding.expected.as_deref().and_then(|text| text.parse::<u64>().ok())
    else {
        return told;
    };
    let named = |planned: &&Planned| planned.name() == file;
    let Some(planned) = held.ground.plan.segments.iter().find(named) else { return told };
    let Some(here) = open(held, planned) else { return told };
    let Some(this) = first_line(&here, offset, |_| true) else { return told };
    if let Some(other) = in_place(held, seq)
        && (other.file.as_str(), other.offset) != (file, offset)
    {
        let place = format!("{} at byte {}", other.file, other.offset);
        told.push(if other.line == this.line {
            format!("the same line stands in {place}, where it belongs: this one is a copy")
        } else {
            format!("another record {seq} stands in {place}")
        });
        told.extend(names_another_log(held, &this.line));
        return told;
    }
    if let Some(moved) = first_line(&here, offset, |found| found == expected) {
        told.push(format!("record {expected} stands further on, at byte {}", moved.offset));
    } else if let Some(before) = seq.checked_sub(1).filter(|before| *before >= expected)
        && let Ok(link) = Link::split(&this.line)
        && let Ok(mut row) = Row::open(held.ground.storage, held.ground.layout, 0)
        && row.hash(before) == Ok(leaf_hash(&link.prev_hash))
        && in_place(held, before).is_none()
    {
        let removed = match before {
            before if before == expected => format!("record {expected} was"),
            before => format!("records {expected} to {before} were"),
        };
        told.push(format!(
            "tree/0 has the record that this one names as the one before it: {removed} removed"
        ));
    }
    told
}

/// Whose record of the log's own it is, where it names another log than this.
fn names_another_log(held: &Held<'_>, line: &[u8]) -> Vec<String> {
    let said = Record::parse(line);
    let said = said.as_ref().map(Record::content);
    let (Ok(Content::Own(said)), Some(identity)) = (said, &held.ground.plan.identity) else {
        return Vec::new();
    };
    with_log_id(Finding::new(Problem::AnotherLogsRecord), said, identity).evidence
}

/// The first record `seq` in the segment that should have it.
fn in_place(held: &Held<'_>, seq: u64) -> Option<Stands> {
    let holds = |planned: &&Planned| planned.first_seq.is_some_and(|first| first <= seq);
    let planned = held.ground.plan.segments.iter().rev().find(holds)?;
    let segment = open(held, planned)?;
    let before = |found: u64| if found < seq { Ordering::Less } else { Ordering::Greater };
    let from = segment.seek(planned.size, |head| before(head.seq)).ok()?;
    let mut stands = first_line(&segment, from, |found| found == seq)?;
    stands.file = planned.name();
    Some(stands)
}

/// The first line at or a little behind `from` whose seq is sought.
fn first_line(segment: &Segment, from: u64, sought: impl Fn(u64) -> bool) -> Option<Stands> {
    let end = segment.size.min(from.saturating_add(NEAR));
    let mut lines = Lines::new(segment.file.as_ref(), Source::Cache, from, end);
    while let Ok(Some(Line::Whole { offset, bytes })) = lines.next_line() {
        if parse_head(bytes).is_ok_and(|head| sought(head.seq)) {
            return Some(Stands { file: segment.name(), offset, line: bytes.to_vec() });
        }
    }
    None
}

fn open(held: &Held<'_>, planned: &Planned) -> Option<Segment> {
    Plan::open(held.ground.storage, held.ground.layout, planned).ok().flatten()
}

/// Says whether rows and `checkpoint` are as old as a log that ends too early, with `next_seq` records: then an older
/// copy was put back, rather than the end cut off.
fn rolled_back(held: &Held<'_>) -> Option<String> {
    let row = Row::open(held.ground.storage, held.ground.layout, 0).ok()?;
    let leaves = row.size / super::rows::HASH_SIZE;
    let next = held.next_seq;
    Some(match held.ground.roots.checkpoint {
        _ if leaves > next => {
            format!("tree/0 has {}: the rows were not cut with the records", count::leaves(leaves))
        }
        Some(size) if size <= next => {
            let where_they_end = if (size, leaves) == (next, next) {
                format!("`checkpoint` and the tree rows also end at {}", records(next))
            } else {
                format!(
                    "`checkpoint` also ends at {} and the tree rows at {}",
                    records(size),
                    records(leaves)
                )
            };
            format!("{where_they_end}: an older copy was put back, rather than the end cut off")
        }
        Some(_) | None => return None,
    })
}
