//! What one run of a layer is to do.

use std::path::PathBuf;

use anyhow::Context;
use tempfile::TempDir;

use crate::args::Args;

/// The seed of the short form: the same cases each time, so that a change is what makes a difference.
const SEED_SHORT: u64 = 1;

/// How many cases, from which seed, with what.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    pub(crate) cases: u64,
    /// The one case to replay.
    pub(crate) only: Option<u64>,
    pub(crate) long: bool,
    pub(crate) keep: bool,
    scratch: PathBuf,
    binary: Option<PathBuf>,
}

impl Plan {
    pub(crate) fn new(args: &Args, cases: u64) -> anyhow::Result<Self> {
        let seed = match args.seed {
            Some(seed) => seed,
            None if args.long => getrandom::u64().context("no random numbers for a seed")?,
            None => SEED_SHORT,
        };
        Ok(Self {
            seed,
            cases: args.cases.unwrap_or(cases),
            only: args.case,
            long: args.long,
            keep: args.keep,
            scratch: args.scratch.clone(),
            binary: args.binary.clone(),
        })
    }

    /// The same with so many cases, for a layer that counts otherwise.
    pub(crate) fn with_cases(&self, cases: u64) -> Self {
        Self { cases, ..self.clone() }
    }

    /// The same for a layer that replays something else than a case.
    pub(crate) fn replaying(&self, only: Option<u64>) -> Self {
        Self { only, ..self.clone() }
    }

    /// The numbers that case `case` is made from.
    pub(crate) fn random(&self, case: u64) -> fastrand::Rng {
        // Neighbours must not look alike: the first draws of near seeds do.
        let mut mixed =
            fastrand::Rng::with_seed(self.seed ^ case.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        fastrand::Rng::with_seed(mixed.u64(..))
    }

    /// A folder of its own, removed when dropped unless it was to be kept.
    pub(crate) fn folder(&self) -> anyhow::Result<TempDir> {
        let prefix = "indelible-torture-";
        let folder = tempfile::Builder::new().prefix(prefix).tempdir_in(&self.scratch);
        folder.with_context(|| format!("no folder in {}", self.scratch.display()))
    }

    /// The command `indelible` to drive.
    pub(crate) fn binary(&self) -> anyhow::Result<PathBuf> {
        let beside = || Ok(std::env::current_exe()?.with_file_name("indelible"));
        let binary = self.binary.clone().map_or_else(beside, anyhow::Ok)?;
        anyhow::ensure!(
            binary.is_file(),
            "{} is not there; cargo build --release -p indelible-cli makes it, --binary names another",
            binary.display()
        );
        Ok(binary)
    }
}
