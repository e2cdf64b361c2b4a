//! What was sent to a log, what it answered, and whether what it holds agrees.

use std::collections::{HashMap, HashSet};
use std::ops::RangeInclusive;

use indelible::{AppendError, Receipt};

use super::GOES_ON;
use super::folder::{Line, Records, What};

/// What was sent to a log, and what it answered. An event is known by its `resource`, which no other has.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sent {
    is_created: bool,
    /// In the order of acknowledgement.
    acknowledged: Vec<(Receipt, String)>,
    /// Sent, and not answered, or answered by "perhaps".
    perhaps: HashSet<String>,
    /// The log said that they are not written.
    not_written: HashSet<String>,
    /// Whether one sender waited for each answer, so that receipts come in the order of `seq`.
    is_concurrent: bool,
    /// How many rotated segments are kept; none is removed where it is not said.
    kept: Option<RangeInclusive<u32>>,
}

impl Sent {
    /// For several senders at once: the order of answers says nothing.
    pub(crate) fn by_many() -> Self {
        Self { is_concurrent: true, ..Self::default() }
    }

    /// The log keeps so many rotated segments, and removes others.
    pub(crate) fn prunes(&mut self, kept: RangeInclusive<u32>) {
        self.kept = Some(kept);
    }

    /// Creation returned success: from now on the log must be there.
    pub(crate) fn created(&mut self) {
        self.is_created = true;
    }

    /// An event is on its way: it may be there from now on.
    pub(crate) fn send(&mut self, resource: impl Into<String>) {
        self.perhaps.insert(resource.into());
    }

    /// What the log answered; the event must have been [sent](Sent::send).
    pub(crate) fn answer(&mut self, resource: &str, answer: &Result<Receipt, AppendError>) {
        match answer {
            Ok(receipt) => self.acknowledge(resource, *receipt),
            Err(AppendError::Indeterminate(_)) => {}
            Err(_) => self.not_written(resource),
        }
    }

    /// The log, or a command in front of it, said that the event is not written.
    pub(crate) fn not_written(&mut self, resource: &str) {
        self.perhaps.remove(resource);
        self.not_written.insert(resource.to_owned());
    }

    /// The log, or a service or command in front of it, gave a receipt.
    pub(crate) fn acknowledge(&mut self, resource: &str, receipt: Receipt) {
        self.perhaps.remove(resource);
        self.acknowledged.push((receipt, resource.to_owned()));
    }

    pub(crate) fn is_created(&self) -> bool {
        self.is_created
    }

    pub(crate) fn is_acknowledged(&self) -> bool {
        !self.acknowledged.is_empty()
    }

    /// Holds what the log has against what was sent.
    pub(super) fn hold(&self, records: &Records, violations: &mut Vec<String>) {
        if !self.is_concurrent {
            self.hold_order(violations);
        }
        violations.extend(records.judge_pruning(self.kept.as_ref()));
        self.hold_acknowledged(&records.lines, violations);
        self.hold_against_sent(&records.lines, violations);
    }

    /// Whether each event that was acknowledged is among `records`, in whatever order they are.
    pub(super) fn is_held(&self, records: &Records) -> bool {
        let first = if records.is_beginning_told() { records.first_seq() } else { 0 };
        let there: HashSet<_> = records.lines.iter().map(|line| (line.seq, line.hash)).collect();
        let mut receipts = self.acknowledged.iter().map(|(receipt, _)| receipt);
        receipts.all(|receipt| receipt.seq < first || there.contains(&(receipt.seq, receipt.hash)))
    }

    /// Each event that was acknowledged stands at its receipt's place. Those before the first record were pruned, or that is
    /// told already.
    fn hold_acknowledged(&self, records: &[Line], violations: &mut Vec<String>) {
        let first = records.first().map_or(0, |line| line.seq);
        for (receipt, resource) in &self.acknowledged {
            let Some(index) = receipt.seq.checked_sub(first) else { continue };
            let line = usize::try_from(index).ok().and_then(|index| records.get(index));
            match line {
                None => violations.push(format!(
                    "record {} ({resource}) was acknowledged, and the log ends before it",
                    receipt.seq
                )),
                Some(line) if line.hash != receipt.hash => violations.push(format!(
                    "record {} ({resource}) was acknowledged with the hash {}, and has {}",
                    receipt.seq, receipt.hash, line.hash
                )),
                Some(Line { what: What::Event { resource: found }, .. }) if found == resource => {}
                Some(Line { what, .. }) => violations.push(format!(
                    "record {} was acknowledged for {resource}, and is {what:?}",
                    receipt.seq
                )),
            }
        }
    }

    /// Order of acknowledgement is order of `seq`.
    fn hold_order(&self, violations: &mut Vec<String>) {
        for pair in self.acknowledged.windows(2) {
            let [(one, _), (next, _)] = pair else { continue };
            if one.seq >= next.seq && !next.duplicate {
                violations
                    .push(format!("record {} was acknowledged after record {}", next.seq, one.seq));
            }
        }
    }

    /// Each event was sent, stands there once, and is none that the log said it did not write.
    fn hold_against_sent(&self, records: &[Line], violations: &mut Vec<String>) {
        let acknowledged: HashSet<&str> =
            self.acknowledged.iter().map(|(_, resource)| resource.as_str()).collect();
        let mut found: HashMap<&str, u64> = HashMap::new();
        for line in records {
            let What::Event { resource } = &line.what else { continue };
            let (seq, resource) = (line.seq, resource.as_str());
            if let Some(before) = found.insert(resource, seq)
                && resource != GOES_ON
            {
                violations.push(format!("{resource} is record {before}, and record {seq} too"));
            }
            if self.not_written.contains(resource) {
                violations
                    .push(format!("{resource} was told to be not written, and is record {seq}"));
            } else if !acknowledged.contains(resource)
                && !self.perhaps.contains(resource)
                && resource != GOES_ON
            {
                violations.push(format!("record {seq} ({resource}) was sent by nobody"));
            }
        }
    }
}
