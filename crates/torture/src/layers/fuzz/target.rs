//! One fuzz target: its share of the runs, running it, and what it tells.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};

use crate::plan::Plan;

/// A fuzz target, and how many of a million runs are its.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) name: &'static str,
    share: u64,
}

/// What became of a run.
#[derive(Debug)]
pub(super) struct Ran {
    pub(super) runs: u64,
    pub(super) took: Duration,
    pub(super) seeds: u64,
    /// How many inputs the corpus had at the end: each reached something that no other did.
    pub(super) inputs: u64,
    pub(super) memory_mb: u64,
    /// What was found, with how to see it again.
    pub(super) found: Option<String>,
}

/// A target may take so much memory, the fuzzer and its inputs included.
const MEMORY_MAX_MB: u64 = 512;

/// Runs a program as a child of the shell. Linux hands the highest memory of a process down to what it starts in its own
/// place: begun by the bench, a fuzzer would be charged with what the layers before it took.
const FORKED: &str = "\"$@\"; exit $?";

const MILLION: u64 = 1_000_000;

/// All of them, those that take longest last: they are begun first. Shares are such that none has much more than 30 s of
/// the short form: one run of `recovery` opens and verifies a whole log, one of `line` takes microseconds.
pub(super) const TARGETS: [Target; 8] = [
    Target { name: "body", share: 330_000 },
    Target { name: "proof", share: 111_000 },
    Target { name: "configuration", share: 20_000 },
    Target { name: "checkpoint", share: 40_000 },
    Target { name: "note", share: 30_000 },
    Target { name: "verifier", share: 4_000 },
    Target { name: "line", share: 462_000 },
    Target { name: "recovery", share: 3_000 },
];

impl Target {
    /// Runs it on the corpus in that folder.
    pub(super) fn run(&self, repository: &Path, corpus: &Path, plan: &Plan) -> anyhow::Result<Ran> {
        let wanted = (plan.cases.saturating_mul(self.share) / MILLION).max(1);
        let artifacts = repository.join("fuzz/artifacts").join(self.name);
        std::fs::create_dir_all(&artifacts).context("no folder for artifacts")?;
        let seeds = files(corpus)?;
        let program = repository.join(format!("fuzz/target/{TRIPLE}/release/{}", self.name));
        ensure!(program.is_file(), "{} was not built", program.display());
        let mut command = Command::new("sh");
        command.args(["-c", FORKED, "sh"]).arg(&program);
        command.args([
            // The fuzzer takes 0 for a random one.
            format!("-seed={}", plan.seed % u64::from(u32::MAX) + 1),
            format!("-runs={wanted}"),
            format!("-artifact_prefix={}/", artifacts.display()),
        ]);
        command.args([
            // Of the whole process, and of one allocation where the fuzzer sees those: with a sanitizer.
            format!("-rss_limit_mb={MEMORY_MAX_MB}"),
            format!("-malloc_limit_mb={MEMORY_MAX_MB}"),
        ]);
        command.args(["-timeout=10", "-print_final_stats=1", "-detect_leaks=0"]);
        command.arg(corpus);
        let began = Instant::now();
        let output = command
            .output()
            .with_context(|| format!("{} could not be started", program.display()))?;
        let took = began.elapsed();
        let told = String::from_utf8_lossy(&output.stderr);
        let runs = stat(&told, "number_of_executed_units").unwrap_or(0);
        let found = (!output.status.success()).then(|| self.found(repository, &told));
        ensure!(found.is_some() || runs >= wanted, "{} ended early: {}", self.name, tail(&told));
        let inputs = files(corpus)?;
        let memory_mb = stat(&told, "peak_rss_mb").unwrap_or(0);
        Ok(Ran { runs, took, seeds, inputs, memory_mb, found })
    }

    /// What a fuzzer that failed told, and the command that shows it again.
    fn found(&self, repository: &Path, told: &str) -> String {
        let artifact = told.lines().find_map(|line| line.split("Test unit written to ").nth(1));
        let again = artifact.map(|path| {
            let path = Path::new(path.trim());
            let path = path.strip_prefix(repository).unwrap_or(path).display();
            format!("\n  replay: cargo fuzz run --sanitizer none {} {path}", self.name)
        });
        let again = again.unwrap_or_default();
        let panic = told.lines().skip_while(|line| !line.contains("panicked at"));
        let panic: Vec<&str> = panic.take(3).collect();
        let why = if panic.is_empty() { tail(told) } else { panic.join("\n") };
        format!("{}: {why}{again}", self.name)
    }
}

/// For which machine `cargo fuzz` builds.
const TRIPLE: &str = if cfg!(target_arch = "aarch64") {
    "aarch64-unknown-linux-gnu"
} else {
    "x86_64-unknown-linux-gnu"
};

fn files(folder: &Path) -> anyhow::Result<u64> {
    let files = std::fs::read_dir(folder).context("no folder for a corpus")?.count();
    Ok(u64::try_from(files)?)
}

/// A number that the fuzzer tells at its end.
fn stat(told: &str, name: &str) -> Option<u64> {
    let line = told.lines().rev().find(|line| line.starts_with(&format!("stat::{name}:")))?;
    line.rsplit(' ').next()?.parse().ok()
}

/// The last lines of what a program told.
fn tail(told: &str) -> String {
    let lines: Vec<&str> = told.lines().collect();
    lines.get(lines.len().saturating_sub(8)..).unwrap_or_default().join("\n")
}
