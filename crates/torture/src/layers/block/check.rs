//! The look at a log that a fault has left: that it recovers, and that everything that was acknowledged is there.
//!
//! It is the look that every layer takes (`invariants`), and one more with what was kept outside: the log's key, each
//! receipt, each checkpoint.

use std::path::Path;
use std::sync::Arc;

use indelible::storage::Storage;
use indelible::storage::local::LocalStorage;
use indelible::{KeptCheckpoint, Receipts, Report, Verdict, Verifier};

use super::told::Told;
use super::worker::options;
use crate::invariants::{self, Left};
use crate::layer::Outcome;

/// How many violations of one case are told.
const TOLD_MAX: usize = 4;

/// Holds the log in `folder` against what was told, read-only.
pub(crate) fn held_against(folder: &Path, told: &Told) -> anyhow::Result<Report> {
    let mut verifier = Verifier::new(folder)?.strict();
    if let Some(key) = &told.key {
        verifier = verifier.with_key(key.clone());
    }
    for note in &told.checkpoints {
        for kept in KeptCheckpoint::read_all("kept", note.as_bytes())? {
            verifier = verifier.with_checkpoint(kept);
        }
    }
    let mut receipts = Receipts::default();
    receipts.read("receipts", told.receipts.as_bytes())?;
    Ok(verifier.with_receipts(receipts).verify()?)
}

/// Recovers the log in `folder` of a file system that is mounted, and checks that nothing is lost and nothing lies.
pub(crate) fn check(
    folder: &Path,
    told: &mut Told,
    random: &mut fastrand::Rng,
    outcome: &mut Outcome,
) -> anyhow::Result<()> {
    anyhow::ensure!(told.lies.is_empty(), "{}", told.lies.join("; "));
    outcome.count(format!("left {}", state(folder, told)), 1);
    let storage: Arc<dyn Storage> = Arc::new(LocalStorage::new()?);
    let left = Left { storage: &storage, folder, options: &options(random), needs_repair: false };
    let violations = invariants::check(left, &told.sent);
    if !violations.is_empty() {
        let more = violations.len().saturating_sub(TOLD_MAX);
        let shown = violations.iter().take(TOLD_MAX).map(String::as_str).collect::<Vec<_>>();
        anyhow::bail!("{} ({more} more)", shown.join("; "));
    }
    let report = held_against(folder, told)?;
    anyhow::ensure!(
        report.verdict() == Verdict::Sound,
        "not sound, held against what was kept outside:\n{report}"
    );
    Ok(())
}

/// What a fault has left, in a word, for counting.
fn state(folder: &Path, told: &Told) -> &'static str {
    if !folder.exists() {
        return "without a log";
    }
    if !folder.join("audit.log").exists() {
        return "amid a rotation";
    }
    match held_against(folder, told) {
        Ok(report) if report.verdict() == Verdict::Torn => "with a torn tail",
        Ok(report) if report.next_seq > report.checkpoint_size => "with records to adopt",
        Ok(_) => "with nothing to do",
        Err(_) => "such that it can't be read",
    }
}

/// Whether everything that was acknowledged is in the log, or was pruned.
pub(crate) fn is_held(folder: &Path, told: &Told) -> anyhow::Result<bool> {
    let storage: Arc<dyn Storage> = Arc::new(LocalStorage::new()?);
    invariants::is_held(&storage, folder, &told.sent).map_err(anyhow::Error::msg)
}
