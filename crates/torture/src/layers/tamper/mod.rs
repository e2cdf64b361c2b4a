//! Whatever is done to a log's files is found, at the first byte that is wrong, as what it is; and of a healthy log
//! nothing worse is said than what happened to it.
//!
//! A case is one mutant or one healthy log. One mutant in three is one of all those of a small log: every byte of every
//! file, in every way. The others are made by chance, of logs made by chance.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a bench: what it made itself it knows, and a panic is told as a violation"
)]

pub(crate) mod expected;
#[cfg(test)]
mod healthy;
mod held;
pub(crate) mod kinds;
pub(crate) mod memory;
pub(crate) mod seeded;
pub(crate) mod specimen;
pub(crate) mod steady;
pub(crate) mod workload;
pub(crate) mod workshop;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use fastrand::Rng;

use self::expected::Mutant;
use self::kinds::every::Every;
use self::kinds::{KINDS, Stand};
use self::specimen::Whose;
use crate::cases;
use crate::layer::{Layer, Outcome};
use crate::plan::Plan;

pub(crate) const LAYER: Layer = Layer {
    name: "tamper",
    about: "Changes a log's files in every way: the first finding has the right file, line, offset, class and verdict. \
            Of healthy logs nothing is said.",
    cases: "mutants and healthy logs",
    short: 305_000,
    long: 6_100_000,
    needs: &[],
    run,
};

/// One case in so many is a healthy log.
const HEALTHY_EVERY: u64 = 61;
/// One mutant in so many is one of the small log.
const SMALL_EVERY: u64 = 3;
/// Mutants of one specimen.
const MUTANTS_EACH: u64 = 250;
/// Coprime to how many mutants the small log has, so that all of them are tried, in an order that looks like none.
const STRIDE: u64 = 1_000_003;

fn run(plan: &Plan) -> anyhow::Result<Outcome> {
    let mutants = Mutants::new(plan);
    cases::run(plan, |case, outcome| {
        if case % HEALTHY_EVERY == HEALTHY_EVERY - 1 {
            outcome.count("healthy logs", 1);
            let made = workload::made(&mut plan.random(case), 1);
            if let Some(difference) = made.judge() {
                outcome.violation(case, format!("a healthy log, {difference}"));
            }
            if let Some(difference) = held::judge(&made, &mut plan.random(case)) {
                outcome.violation(case, format!("a healthy log: {difference}"));
            }
            return Ok(());
        }
        let (kind, mutant) = mutants.mutant(case);
        outcome.count("mutants", 1);
        outcome.count(format!("mutants: {kind}"), 1);
        if let Some(difference) = mutant.judge(case.is_multiple_of(16)) {
            outcome.violation(case, format!("{kind}: {difference}"));
        }
        Ok(())
    })
}

/// Makes the mutants of a plan, and keeps the specimens that they are made of.
#[derive(Debug)]
pub(crate) struct Mutants<'a> {
    plan: &'a Plan,
    small: Stand,
    every: Every,
    stands: Mutex<BTreeMap<u64, Arc<OnceLock<Stand>>>>,
}

impl<'a> Mutants<'a> {
    pub(crate) fn new(plan: &'a Plan) -> Self {
        let small = Stand::small(&mut Rng::with_seed(plan.seed));
        let every = Every::of(&small.specimen);
        Self { plan, small, every, stands: Mutex::default() }
    }

    /// The mutant of a case, and its kind.
    pub(crate) fn mutant(&self, case: u64) -> (&'static str, Mutant) {
        if case.is_multiple_of(SMALL_EVERY) {
            return ("each byte of a small log", self.of_small(case / SMALL_EVERY));
        }
        let mut rng = self.plan.random(case);
        let stand = self.stand(case / MUTANTS_EACH);
        let stand = stand.get_or_init(|| self.made(case / MUTANTS_EACH));
        draw(stand, &mut rng)
    }

    /// A mutant by chance of the specimen with this number, whose it is, and its kind.
    pub(crate) fn any_of(&self, number: u64, rng: &mut Rng) -> (Whose, &'static str, Mutant) {
        let stand = self.stand(number);
        let stand = stand.get_or_init(|| self.made(number));
        let (kind, mutant) = draw(stand, rng);
        (stand.specimen.log.clone(), kind, mutant)
    }

    fn of_small(&self, number: u64) -> Mutant {
        let count = u64::try_from(self.every.count()).unwrap();
        let index = (number * STRIDE + self.plan.seed % count) % count;
        self.every.mutant(&self.small.specimen, usize::try_from(index).unwrap())
    }

    fn made(&self, number: u64) -> Stand {
        // Not the numbers of any case.
        Stand::seeded(&self.plan.random(u64::MAX - number))
    }

    /// The place of one specimen; those of long ago are forgotten.
    fn stand(&self, number: u64) -> Arc<OnceLock<Stand>> {
        let mut stands = self.stands.lock().unwrap_or_else(PoisonError::into_inner);
        let stand = Arc::clone(stands.entry(number).or_default());
        while stands.len() > 8 {
            stands.pop_first();
        }
        stand
    }
}

/// A mutant of this specimen by chance, and its kind.
pub(crate) fn draw(stand: &Stand, rng: &mut Rng) -> (&'static str, Mutant) {
    let all: u32 = KINDS.iter().map(|(_, weight, _)| u32::from(*weight)).sum();
    loop {
        let mut at = rng.u32(..all);
        for (kind, weight, draw) in KINDS {
            let weight = u32::from(*weight);
            if at < weight {
                if let Some(mutant) = draw(stand, rng) {
                    return (kind, mutant);
                }
                break;
            }
            at -= weight;
        }
    }
}

#[cfg(test)]
mod tests {
    use indelible::{FindingClass, Verdict};

    use super::*;
    use expected::verify_strictly;

    #[test]
    fn the_specimens_are_sound_and_have_the_past_that_they_should() {
        for specimen in [specimen::small(), specimen::large()] {
            let report = verify_strictly(&specimen.folder);
            assert_eq!(report.verdict(), Verdict::Sound, "{}:\n{report}", specimen.name);
            let classes: Vec<FindingClass> = report.findings.iter().map(|f| f.class).collect();
            let expected = [FindingClass::NotAnchored, FindingClass::Adopted, FindingClass::Pruned];
            assert_eq!(classes, expected, "{}", specimen.name);
            assert_eq!(specimen.segments.len(), 3, "{}", specimen.name);
            assert!(specimen.segments[0].lines[0].seq > 0);
            let end = specimen.newest().lines.last().unwrap().seq + 1;
            assert!(specimen.mark + 3 <= end, "{} {end}", specimen.mark);
            assert!(specimen.newest().lines[1].seq < specimen.mark);
            assert!(specimen.folder.names().any(|name| name.starts_with("quarantine/")));
            let mut segments = specimen.folder.names().filter(|name| name.starts_with("audit.log"));
            let recovered = segments.any(|name| {
                String::from_utf8_lossy(specimen.folder.get(name)).contains("indelible.log.recover")
            });
            assert!(recovered, "{}", specimen.name);
        }
    }

    #[test]
    fn specimens_by_chance_are_sound_at_every_moment_and_the_same_each_time() {
        for seed in 0..60 {
            let one = seeded::seeded(&mut Rng::with_seed(seed), 1);
            let again = seeded::seeded(&mut Rng::with_seed(seed), 1);
            assert_eq!(one.segments.len(), 3, "{seed}");
            for folder in one.earlier.iter().chain([&one.folder]) {
                let report = verify_strictly(folder);
                assert_eq!(report.verdict(), Verdict::Sound, "{seed}: {report}");
            }
            for name in one.folder.names() {
                let (one, again) = (one.folder.get(name), again.folder.get(name));
                let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
                assert_eq!(text(one), text(again), "{seed}: {name}");
            }
        }
    }
}
