//! The order in which the threads of a log run: tries many, on a scheduler that says who is next.
//!
//! The log must be built anew for it, so the cases are run by a program of its own, `crates/torture/schedules`, which says
//! what it looks at.

use std::process::Command;

use anyhow::{Context, bail};

use crate::layer::{Layer, Outcome};
use crate::plan::Plan;
use crate::variant::Variant;

pub(crate) const LAYER: Layer = Layer {
    name: "schedules",
    about: "Threads append, close and fail in every order: each event has one outcome, in order, and none but what is \
            synced is acknowledged; nobody waits for ever.",
    cases: "schedules",
    short: 200_000,
    long: 20_000_000,
    needs: &[],
    run,
};

/// The program that runs schedules; it has the seeded bugs too.
pub(crate) const PROGRAM: Variant = Variant { name: "schedules", package: "indelible-schedules" };

fn run(plan: &Plan) -> anyhow::Result<Outcome> {
    let program = PROGRAM.build()?;
    let (first, cases) = plan.only.map_or((0, plan.cases), |case| (case, 1));
    let ran = Command::new(program)
        .args([plan.seed, first, cases].map(|number| number.to_string()))
        .env_remove("INDELIBLE_SEEDED_BUG")
        .output()
        .context("the program of schedules does not run")?;
    let mut outcome = Outcome::default();
    for line in String::from_utf8_lossy(&ran.stdout).lines() {
        let mut words = line.splitn(3, ' ');
        match (words.next(), words.next().and_then(|word| word.parse().ok()), words.next()) {
            (Some("tried"), Some(count), _) => outcome.cases = count,
            (Some("count"), Some(count), Some(what)) => outcome.count(what, count),
            (Some("violation"), Some(case), Some(what)) => outcome.violation(case, what),
            _ => bail!("the program of schedules said: {line}"),
        }
    }
    if outcome.violations.is_empty() && ran.status.success() && outcome.cases != cases {
        bail!("{} of {cases} schedules were tried", outcome.cases);
    }
    if outcome.violations.is_empty() && !ran.status.success() {
        let why = String::from_utf8_lossy(&ran.stderr);
        bail!("the program of schedules ended with {}: {}", ran.status, why.trim());
    }
    Ok(outcome)
}
