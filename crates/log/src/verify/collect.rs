//! Gathers findings, a limited number of each problem, and says how many were left out.
//!
//! Invariant: memory does not grow with the damage.

use std::collections::HashMap;

use super::finding::{Finding, FindingClass, Problem};

/// Findings of one problem and class that are kept; more are counted. So none is left out of which there is no like, and
/// the verdict, which follows from those that are kept, follows from all.
const KEPT_PER_KIND: u64 = 50;

/// Findings in the order in which they were made.
#[derive(Debug, Default)]
pub(super) struct Findings {
    kept: Vec<Finding>,
    counts: HashMap<(Problem, FindingClass), u64>,
}

impl Findings {
    pub(super) fn add(&mut self, finding: Finding) {
        let count = self.counts.entry((finding.problem, finding.class)).or_default();
        *count += 1;
        if *count <= KEPT_PER_KIND {
            self.kept.push(finding);
        }
    }

    /// Adds what everything else follows from.
    pub(super) fn put_first(&mut self, finding: Finding) {
        *self.counts.entry((finding.problem, finding.class)).or_default() += 1;
        self.kept.insert(0, finding);
    }

    /// Puts what `other` found behind what is here.
    pub(super) fn append(&mut self, other: Self) {
        let mut left_out = other.counts;
        for finding in other.kept {
            if let Some(count) = left_out.get_mut(&(finding.problem, finding.class)) {
                *count = count.saturating_sub(1);
            }
            self.add(finding);
        }
        // Only now: what is counted as left out must not keep out what is here.
        for (kind, count) in left_out {
            *self.counts.entry(kind).or_default() += count;
        }
    }

    /// What was found of one problem and kept, to add evidence.
    pub(super) fn of(&mut self, problem: Problem) -> impl Iterator<Item = &mut Finding> {
        self.kept.iter_mut().filter(move |finding| finding.problem == problem)
    }

    /// Whether anything found so far is a fault.
    pub(super) fn has_fault(&self) -> bool {
        self.kept.iter().any(|finding| finding.class.is_fault())
    }

    /// Everything found: faults first, then a torn tail, then what is only worth knowing; and how many were left out.
    pub(super) fn finish(mut self) -> (Vec<Finding>, u64) {
        let found: u64 = self.counts.values().sum();
        let left_out = found.saturating_sub(u64::try_from(self.kept.len()).unwrap_or(u64::MAX));
        // Stable: within a rank the order of finding stays.
        self.kept.sort_by_key(|finding| rank(finding.class));
        (self.kept, left_out)
    }
}

fn rank(class: FindingClass) -> u8 {
    match class {
        FindingClass::Damage | FindingClass::Missing | FindingClass::Tampering => 0,
        FindingClass::TornTail => 1,
        FindingClass::FormNotChecked | FindingClass::KeyUnknown | FindingClass::NotAnchored => 2,
        FindingClass::Adopted | FindingClass::Pruned | FindingClass::Redacted => 3,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_come_first_in_the_order_of_finding_and_many_are_counted() {
        let mut findings = Findings::default();
        findings.add(Finding::new(Problem::NotAnchored));
        findings.add(Finding::new(Problem::TailTorn));
        for seq in 0..60 {
            findings.add(Finding::new(Problem::HashMismatch).record(seq));
        }
        findings.add(Finding::new(Problem::CutOff));
        let (kept, left_out) = findings.finish();
        assert_eq!(left_out, 10);
        assert_eq!(kept.first().and_then(|f| f.seq), Some(0));
        let tail: Vec<_> = kept.iter().rev().take(3).map(|f| f.problem).collect();
        assert_eq!(tail, [Problem::NotAnchored, Problem::TailTorn, Problem::CutOff]);
    }

    #[test]
    fn what_everything_follows_from_stands_first_and_is_counted() {
        let mut findings = Findings::default();
        for seq in 0..60 {
            findings.add(Finding::new(Problem::HashMismatch).record(seq));
        }
        findings.put_first(Finding::new(Problem::KeyOfAnotherLog));
        let (kept, left_out) = findings.finish();
        assert_eq!((kept[0].problem, kept.len()), (Problem::KeyOfAnotherLog, 51));
        assert_eq!(left_out, 10);
    }

    #[test]
    fn however_many_there_are_of_a_problem_the_first_of_each_class_is_kept() {
        for count in [1, 49, 50, 51, 99, 100, 101, 1_000] {
            let mut notes = Findings::default();
            for _ in 0..count {
                notes.add(Finding::new(Problem::Forked));
                notes.add(Finding::new(Problem::Forked).class(FindingClass::Damage));
            }
            let mut all = Findings::default();
            all.add(Finding::new(Problem::NotAnchored));
            all.append(notes);
            assert!(all.has_fault(), "{count}");
            let (kept, left_out) = all.finish();
            let of = |class| kept.iter().filter(|finding| finding.class == class).count();
            assert_eq!(of(FindingClass::Tampering), count.min(50), "{count}");
            assert_eq!(of(FindingClass::Damage), count.min(50), "{count}");
            let total = u64::try_from(kept.len()).unwrap() + left_out;
            assert_eq!(total, u64::try_from(2 * count + 1).unwrap(), "{count}");
        }
    }
}
