//! Runs cases that don't depend on each other, on all processors.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use anyhow::{bail, ensure};

use crate::layer::Outcome;
use crate::plan::Plan;
use crate::threads::{self, text_of};

/// After so many violations a layer ends: they have one cause most of the time.
const VIOLATIONS_MAX: usize = 20;

/// How the text of a case begins that could not be tried to its end.
pub(crate) const COULD_NOT: &str = "could not go on: ";

/// Tries case 0, 1, 2 … of the plan, or the one that it replays; `try_case` adds to the outcome what it counted and found. A
/// panic is a violation, and so is an error.
pub(crate) fn run(
    plan: &Plan,
    try_case: impl Fn(u64, &mut Outcome) -> anyhow::Result<()> + Sync,
) -> anyhow::Result<Outcome> {
    run_groups(plan, |case| case, try_case)
}

/// The same where what is tried at once is a group of cases: a panic and an error are told with the case that `replayed_by`
/// names, which is one of the group's.
pub(crate) fn run_groups(
    plan: &Plan,
    replayed_by: impl Fn(u64) -> u64 + Sync,
    try_group: impl Fn(u64, &mut Outcome) -> anyhow::Result<()> + Sync,
) -> anyhow::Result<Outcome> {
    let (first, end) = plan.only.map_or((0, plan.cases), |case| (case, case + 1));
    let (next, enough) = (AtomicU64::new(first), AtomicBool::new(false));
    // Of a seeded bug one is enough.
    let is_seeded = std::env::var("INDELIBLE_SEEDED_BUG").is_ok_and(|bug| !bug.is_empty());
    let violations_max = if is_seeded { 1 } else { VIOLATIONS_MAX };
    let work = || {
        let mut outcome = Outcome::default();
        while !enough.load(Ordering::Relaxed) {
            let group = next.fetch_add(1, Ordering::Relaxed);
            if group >= end {
                break;
            }
            outcome.cases += 1;
            let what = match catch_unwind(AssertUnwindSafe(|| try_group(group, &mut outcome))) {
                Ok(Ok(())) => None,
                // What the others found is not thrown away for it.
                Ok(Err(error)) => Some(format!("{COULD_NOT}{error:#}")),
                Err(panic) => Some(format!("panicked: {}", text_of(&*panic))),
            };
            if let Some(what) = what {
                outcome.violation(replayed_by(group), what);
            }
            if outcome.violations.len() >= violations_max {
                enough.store(true, Ordering::Relaxed);
            }
        }
        Ok(outcome)
    };
    let mut all = Outcome::default();
    for outcome in threads::on_all_processors(work)? {
        all.add(outcome);
    }
    all.violations.sort_by_key(|violation| violation.case);
    Ok(all)
}

/// Does `work`; a panic of it is an error that says so.
pub(crate) fn caught<T>(work: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<T> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(ended) => ended,
        Err(panic) => bail!("panicked: {}", text_of(&*panic)),
    }
}

/// The outcome of a layer of which not all that was tried counts: so many did. Too few are an error, where nothing was found.
pub(crate) fn counted(plan: &Plan, mut outcome: Outcome, count: u64) -> anyhow::Result<Outcome> {
    if plan.only.is_some() {
        return Ok(outcome);
    }
    let is_enough = count >= plan.cases || !outcome.violations.is_empty();
    ensure!(is_enough, "only {count} count of what was tried, and {} were to", plan.cases);
    outcome.cases = count;
    Ok(outcome)
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::args::Args;

    #[test]
    fn an_error_and_a_panic_of_a_group_are_told_with_a_case_that_replays_it() {
        let plan = Plan::new(&Args::parse_from(["torture"]), 3).unwrap();
        let try_group = |group, _: &mut Outcome| match group {
            0 => Ok(()),
            1 => anyhow::bail!("the file system is lost"),
            _ => panic!("odd"),
        };
        let outcome = run_groups(&plan, |group| group * 10 + 9, try_group).unwrap();
        let told = outcome.violations.iter().map(|it| (it.case.unwrap(), it.what.as_str()));
        let expected = [(19, "could not go on: the file system is lost"), (29, "panicked: odd")];
        assert_eq!(told.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_panic_is_an_error_of_what_was_done() {
        let done: anyhow::Result<u8> = caught(|| panic!("odd"));
        assert_eq!(done.unwrap_err().to_string(), "panicked: odd");
        assert_eq!(caught(|| Ok(7)).unwrap(), 7);
    }

    #[test]
    fn too_few_that_count_are_an_error_unless_something_was_found_or_one_is_replayed() {
        let plan = Plan::new(&Args::parse_from(["torture"]), 3).unwrap();
        assert_eq!(counted(&plan, Outcome::default(), 4).unwrap().cases, 4);
        let told = counted(&plan, Outcome::default(), 2).unwrap_err().to_string();
        assert_eq!(told, "only 2 count of what was tried, and 3 were to");
        let mut found = Outcome::default();
        found.violation(1, "lost");
        assert_eq!(counted(&plan, found, 2).unwrap().cases, 2);
        assert_eq!(counted(&plan.replaying(Some(7)), Outcome::default(), 0).unwrap().cases, 0);
    }
}
