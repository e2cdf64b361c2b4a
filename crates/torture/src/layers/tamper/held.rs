//! What a healthy log must not be taken for: it is not opened behind a cut below its checkpoint, and its growth is proven
//! from its own past only.

use std::sync::Arc;

use anyhow::{Context as _, ensure};
use fastrand::Rng;
use indelible::format::record::Record;
use indelible::storage::simulated::SimulatedDisk;
use indelible::{AuditLog, OpenError, Options, Prover};
use indelible_format::checkpoint::Checkpoint;

use super::memory::{FOLDER, Memory};
use super::specimen::checkpoint;
use super::workload::Made;

/// What was taken that must be refused, or refused that holds.
pub(crate) fn judge(made: &Made, rng: &mut Rng) -> Option<String> {
    match try_judge(made, rng) {
        Ok(wrong) => wrong,
        Err(error) => Some(format!("{}: {error:#}", made.steps.join(", "))),
    }
}

fn try_judge(made: &Made, rng: &mut Rng) -> anyhow::Result<Option<String>> {
    let key = made.log.key.verifier_key();
    let latest = made.folder.find("checkpoint").context("it has no checkpoint")?;
    let latest = Checkpoint::open(latest, &[key]).context("its checkpoint is none")?.checkpoint;
    let cut = cut_below(made, latest.size, rng)?;
    if cut.is_some() { Ok(cut) } else { growth(made, latest.size, rng) }
}

/// Cuts the active segment within what the checkpoint covers of it, and opens.
fn cut_below(made: &Made, size: u64, rng: &mut Rng) -> anyhow::Result<Option<String>> {
    // A rotation may have been cut short before it was made anew.
    let Some(active) = made.folder.find("audit.log") else { return Ok(None) };
    let rotated = made.folder.find("audit.log.1").unwrap_or_default();
    let next = match rotated.split_inclusive(|byte| *byte == b'\n').next_back() {
        Some(line) => seq_of(line).context("the last rotated line is no record")? + 1,
        None => 0,
    };
    let mut covered = 0;
    // A tail that was torn is beyond what is covered.
    for (next, line) in (next..size).zip(active.split_inclusive(|byte| *byte == b'\n')) {
        let seq = seq_of(line).with_context(|| format!("record {next} of {size} is none"))?;
        ensure!(seq == next, "record {next} is record {seq}");
        covered += line.len();
    }
    if covered < 2 {
        return Ok(None);
    }
    let cut = rng.usize(1..covered);
    let disk = disk_of(&made.folder.with("audit.log", &active[..cut]));
    let options = Options::default().with_signer(made.log.key.clone());
    Ok(match AuditLog::open_on(Arc::new(disk), FOLDER, options) {
        Err(OpenError::Refused(_)) => None,
        Err(error) => Some(format!("cut to {cut} below its checkpoint, opening said: {error}")),
        Ok(log) => Some(format!(
            "cut to {cut} below its checkpoint of {size}, it was opened with {} records",
            log.records()
        )),
    })
}

fn seq_of(line: &[u8]) -> anyhow::Result<u64> {
    Ok(Record::parse(line.strip_suffix(b"\n").context("it has no end")?)?.seq())
}

/// Proves growth from a checkpoint of the past, and holds the proof against that and against one of another past.
fn growth(made: &Made, size: u64, rng: &mut Rng) -> anyhow::Result<Option<String>> {
    let from = rng.u64(1..=size);
    let leaves = made.folder.find("tree/0").context("it has no leaves")?;
    let own = checkpoint(&made.log, leaves, from);
    let other: Vec<u8> = leaves.iter().map(|byte| byte ^ 1).collect();
    let other = checkpoint(&made.log, &other, from);
    let keys = [made.log.key.verifier_key()];
    let prover = Prover::open_on(Arc::new(disk_of(&made.folder)), FOLDER)?;
    let proof = prover.with_key(keys[0].clone()).growth(&own);
    let proof = proof.with_context(|| format!("growth from {from} to {size} can't be proven"))?;
    let held = proof.check(&own, &keys);
    held.with_context(|| format!("the proof of growth from {from} to {size} does not hold"))?;
    let forked = proof.check(&other, &keys).is_ok();
    Ok(forked.then(|| format!("another log of {from} records has grown to {size}")))
}

fn disk_of(folder: &Memory) -> SimulatedDisk {
    let disk = SimulatedDisk::new();
    for place in ["/logs", FOLDER, "/logs/audit/tree", "/logs/audit/quarantine"] {
        disk.plant_folder(place).unwrap();
    }
    for name in folder.names() {
        disk.write_file(format!("{FOLDER}/{name}"), folder.get(name)).unwrap();
    }
    disk
}
