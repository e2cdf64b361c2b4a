//! The fuzz targets of `fuzz/`: builds them, gives them seeds, and runs them two at a time.
//!
//! They are built without a sanitizer: the crates forbid `unsafe`, so that what a target can find is a panic, an overflow,
//! a failed assertion, a hang or too much memory; all of these are found without one, at twice the speed.

mod seeds;
mod target;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::time::Instant;

use anyhow::{Context, bail, ensure};

use self::target::{Ran, TARGETS, Target};
use crate::layer::{Layer, Outcome};
use crate::need::Need;
use crate::plan::Plan;
use crate::threads;

pub(crate) const LAYER: Layer = Layer {
    name: "fuzz",
    about: "Arbitrary bytes as a line, a note, a checkpoint, a proof, a configuration, a body, a folder: no panic, no hang, \
            bounded memory, and what each target says of its own.",
    cases: "runs",
    short: 3_000_000,
    long: 300_000_000,
    needs: &[Need::Program("cargo-fuzz")],
    run,
};

/// How many targets run at a time.
const AT_A_TIME: usize = 2;

fn run(plan: &Plan) -> anyhow::Result<Outcome> {
    if plan.only.is_some() {
        bail!("a run is no case of its own: the artifact that it leaves is what replays it");
    }
    let repository = repository()?;
    let began = Instant::now();
    build(&repository)?;
    println!("  building took {:.0} s", began.elapsed().as_secs_f64());
    let corpora = plan.folder()?;
    let queue = Mutex::new(TARGETS.iter().collect::<Vec<&Target>>());
    let next = || queue.lock().ok().and_then(|mut left| left.pop());
    let outcome = Mutex::new(Outcome::default());
    let work = || -> anyhow::Result<()> {
        while let Some(target) = next() {
            let corpus = corpora.path().join(target.name);
            seeds::write(&repository, target.name, &corpus)?;
            let ran = target.run(&repository, &corpus, plan)?;
            if let Ok(mut outcome) = outcome.lock() {
                tell(target, &ran, &mut outcome);
            }
        }
        Ok(())
    };
    threads::on(AT_A_TIME, work)?;
    outcome.into_inner().context("a thread of the layer panicked")
}

fn tell(target: &Target, ran: &Ran, outcome: &mut Outcome) {
    let milliseconds = u64::try_from(ran.took.as_millis()).unwrap_or(u64::MAX).max(1);
    let rate = ran.runs.saturating_mul(1_000) / milliseconds;
    println!(
        "  {}: {} runs in {:.1} s, {rate} a second, from {} seeds to {} inputs, at most {} MiB",
        target.name,
        ran.runs,
        ran.took.as_secs_f64(),
        ran.seeds,
        ran.inputs,
        ran.memory_mb
    );
    outcome.cases += ran.runs;
    outcome.count(target.name, ran.runs);
    if let Some(what) = &ran.found {
        outcome.violation(None, what);
    }
}

/// The folder of the repository.
fn repository() -> anyhow::Result<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    folder.canonicalize().context("the sources are not where they were")
}

fn build(repository: &Path) -> anyhow::Result<()> {
    let mut command = Command::new("cargo");
    command.args(["fuzz", "build", "--sanitizer", "none"]).current_dir(repository);
    let output = command.output().context("cargo could not be started")?;
    let told = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "the fuzz targets do not build:\n{told}");
    Ok(())
}
