//! Runs cases that don't depend on each other, on all processors.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

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
    let (first, end) = plan.only.map_or((0, plan.cases), |case| (case, case + 1));
    let (next, enough) = (AtomicU64::new(first), AtomicBool::new(false));
    // Of a seeded bug one is enough.
    let is_seeded = std::env::var("INDELIBLE_SEEDED_BUG").is_ok_and(|bug| !bug.is_empty());
    let violations_max = if is_seeded { 1 } else { VIOLATIONS_MAX };
    let work = || {
        let mut outcome = Outcome::default();
        while !enough.load(Ordering::Relaxed) {
            let case = next.fetch_add(1, Ordering::Relaxed);
            if case >= end {
                break;
            }
            outcome.cases += 1;
            match catch_unwind(AssertUnwindSafe(|| try_case(case, &mut outcome))) {
                Ok(Ok(())) => {}
                // What the others found is not thrown away for it.
                Ok(Err(error)) => outcome.violation(case, format!("{COULD_NOT}{error:#}")),
                Err(panic) => outcome.violation(case, format!("panicked: {}", text_of(&*panic))),
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
