//! One layer, run against one bug, in a process of its own.

use std::io::Read as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::Context;

use super::hunts::Try;
use crate::cases::COULD_NOT;
use crate::command::{Guarded, wait};
use crate::layers::schedules;
use crate::plan::Plan;
use crate::variant::Variant;

/// The bench with the bugs in it.
const BENCH: Variant = Variant { name: "seeded-bugs", package: "indelible-torture" };
/// A bug may make a layer wait for ever.
const PATIENCE: Duration = Duration::from_mins(1);
/// How much is told of what was found.
const TOLD_MAX: usize = 120;

/// What came of it.
#[derive(Debug)]
pub(super) enum Attempt {
    Found(String),
    Nothing,
    /// It did not end, or not as it should; why.
    Broke(String),
}

/// The programs with the bugs in them.
#[derive(Debug)]
pub(super) struct Programs {
    bench: PathBuf,
    schedules: PathBuf,
}

impl Programs {
    pub(super) fn build() -> anyhow::Result<Self> {
        Ok(Self { bench: BENCH.build()?, schedules: schedules::PROGRAM.build()? })
    }

    /// Runs a layer with `bug`, or with none.
    pub(super) fn run(&self, plan: &Plan, one: Try, bug: Option<&str>) -> anyhow::Result<Attempt> {
        let (seed, cases) = (plan.seed.to_string(), one.cases.to_string());
        let mut command = if one.layer == schedules::LAYER.name {
            let mut command = Command::new(&self.schedules);
            command.args([seed.as_str(), "0", cases.as_str()]);
            command
        } else {
            let mut command = Command::new(&self.bench);
            command.args([one.layer, "--seed", &seed, "--cases", &cases]);
            command
        };
        command.env("INDELIBLE_SEEDED_BUG", bug.unwrap_or_default()).env("RUST_BACKTRACE", "0");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = Guarded::spawn(&mut command)?;
        let mut stdout = child.stdout.take().context("its output is not to be had")?;
        let reader = thread::spawn(move || {
            let mut said = Vec::new();
            stdout.read_to_end(&mut said).map(|_| said)
        });
        let ended = wait(&mut child, PATIENCE)?;
        if ended.is_none() {
            child.kill()?;
            child.wait()?;
        }
        let said =
            reader.join().map_err(|_panic| anyhow::anyhow!("reading its output failed"))??;
        let said = String::from_utf8_lossy(&said);
        // A layer that found something says so, and fails; one that could not go on found nothing.
        let found = said.lines().filter(|line| !line.contains(COULD_NOT)).find_map(|line| {
            let what = line.strip_prefix("violation ").or_else(|| line.strip_prefix("FAILED: "))?;
            Some(what.chars().take(TOLD_MAX).collect())
        });
        Ok(match (ended, found) {
            (Some(status), Some(what)) if !status.success() => Attempt::Found(what),
            (Some(status), None) if status.success() => Attempt::Nothing,
            (Some(status), _) => Attempt::Broke(format!("ended with {status}")),
            (None, _) => Attempt::Broke(format!("did not end in {} s", PATIENCE.as_secs())),
        })
    }
}
