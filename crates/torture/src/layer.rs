//! A layer: one thing that is broken, in many ways.

use std::collections::BTreeMap;

use crate::need::Need;
use crate::plan::Plan;

/// One thing that is broken, in many ways.
#[derive(Debug)]
pub(crate) struct Layer {
    pub(crate) name: &'static str,
    /// What it breaks and what must hold, in one sentence.
    pub(crate) about: &'static str,
    /// What a case is called, many of them.
    pub(crate) cases: &'static str,
    /// How many the short form tries at least.
    pub(crate) short: u64,
    pub(crate) long: u64,
    pub(crate) needs: &'static [Need],
    /// Tries them; an error where it could not, findings in what it returns.
    pub(crate) run: fn(&Plan) -> anyhow::Result<Outcome>,
}

/// What a layer tried, and what it found.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// How many cases.
    pub(crate) cases: u64,
    /// What else there is to count: kinds of cases, of faults, of verdicts.
    pub(crate) counts: BTreeMap<String, u64>,
    pub(crate) violations: Vec<Violation>,
}

/// Something that must not be.
#[derive(Debug)]
pub(crate) struct Violation {
    /// Where the case can be replayed alone; `None` where only the whole run can.
    pub(crate) case: Option<u64>,
    /// What was done, what must hold, what was seen.
    pub(crate) what: String,
}

impl Outcome {
    pub(crate) fn count(&mut self, what: impl Into<String>, how_many: u64) {
        *self.counts.entry(what.into()).or_default() += how_many;
    }

    pub(crate) fn violation(&mut self, case: impl Into<Option<u64>>, what: impl Into<String>) {
        self.violations.push(Violation { case: case.into(), what: what.into() });
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.cases += other.cases;
        for (what, how_many) in other.counts {
            self.count(what, how_many);
        }
        self.violations.extend(other.violations);
    }
}
