//! Verifies the log of a running service by its records, its newest checkpoint and what was kept, all over the wire.
//!
//! It trusts nothing that the service says but what hashes and signatures show, and says what it could not look at.

use std::path::Path;

use anyhow::Context as _;
use indelible::format::chain::Hash;
use indelible::format::checkpoint::{Checkpoint, Opened};
use indelible::format::note::VerifierKey;
use indelible::format::proof::{Growth, Inclusion, check_consistency, check_inclusion};
use indelible::format::tree::leaf_hash;
use indelible_server::Code;
use indelible_server::client::{Client, ClientError, ServerUrl};
use indelible_server::proto::v1;

use super::lines::{Held, LineCheck, NEWEST};
use super::{Verify, outside};
use crate::exit::Exit;
use crate::remote::Session;
use crate::render::{self, Output};

/// What the records alone can't show.
const NOT_CHECKED: &str = "not looked at: the files themselves, tree rows, earlier notes in checkpoints.jsonl, segment \
                           boundaries, quarantine; `indelible verify DIR` does, where the folder is";

/// What was found.
struct Findings {
    check: LineCheck,
    /// Size of the newest checkpoint, and whether a key from outside signed it.
    size: u64,
    anchored: bool,
}

impl Verify {
    /// Prints what was found; the exit status is the verdict.
    pub(super) fn over_the_wire(self, url: &ServerUrl) -> anyhow::Result<Exit> {
        let session = Session::new(url, &self.remote)?;
        let found = session.wait(self.look(&session.client))?;
        let require_anchor = self.outside.require_anchor;
        let is_sound = found.check.findings.count == 0 && (found.anchored || !require_anchor);
        let text = if self.json { json(url, &found) } else { text(url, &found) };
        let mut output = Output::stdout();
        output.text(&text)?;
        output.flush()?;
        if require_anchor && !found.anchored {
            render::note(
                "nothing from outside was held against the log, which --require-anchor does not take for sound",
            );
        }
        Ok(if is_sound { Exit::Fine } else { Exit::NotSound })
    }

    async fn look(&self, client: &Client) -> anyhow::Result<Findings> {
        let mut check = LineCheck::default().with_keys(self.outside.keys.clone());
        for path in &self.outside.checkpoints {
            for kept in outside::checkpoints(path)? {
                check.with_checkpoint(
                    &format!("the kept checkpoint in {}", path.display()),
                    kept.checkpoint(),
                );
            }
        }
        for path in &self.outside.receipts {
            read_receipts(path, &mut check)?;
        }
        // First, so that all that it covers is among the records that follow.
        let note = client.checkpoint().await?;
        let newest = Checkpoint::open(note.as_bytes(), &[])
            .context("the service's checkpoint can't be understood")?
            .checkpoint;
        check.with_checkpoint(NEWEST, &newest);
        let mut found = client.query(v1::QueryRequest::default());
        let mut last_covered = None;
        loop {
            match found.next().await {
                Ok(None) => break,
                Ok(Some(record)) => check.line(&record.line),
                Err(fault) if is_data_loss(&fault) => {
                    look_closer(client, &mut check, &fault).await?;
                }
                Err(error) => return Err(error.into()),
            }
            if check.end() == newest.size {
                last_covered = check.last_hash();
            }
        }
        let kept = self.outside.checkpoints.len() + self.outside.receipts.len();
        for (name, size, root) in check.finish() {
            let holds = if size == newest.size && root == newest.root {
                ends_in(client, &newest, last_covered).await
            } else {
                grew(client, size, &root, &newest).await
            };
            match holds {
                Ok(true) => check.held.checkpoint(&name),
                Ok(false) => {
                    check.findings.add(format!("{name}: the log is no continuation of it"));
                }
                Err(fault) if is_data_loss(&fault) => check.findings.add(format!(
                    "{name}: the service could not prove that the log continues it: {fault}"
                )),
                Err(error) => return Err(error.into()),
            }
        }
        let keys = check.keys().to_vec();
        check_signature(&mut check, &note, &keys);
        if let Some(origin) =
            self.outside.origin.as_ref().filter(|origin| **origin != newest.origin)
        {
            let found = &newest.origin;
            check.findings.add(format!("the log is called {found}, not {origin}"));
        }
        let anchored = !self.outside.keys.is_empty() || kept > 0;
        Ok(Findings { check, size: newest.size, anchored })
    }
}

/// So many lines at which the service stopped are looked at one by one.
const CLOSER_MAX: u64 = 100;

fn is_data_loss(error: &ClientError) -> bool {
    error.code() == Some(Code::DataLoss.as_str())
}

/// The service stopped at a place that it could not read. Single records it hands out as they are stored: what is wrong with
/// these can be said.
async fn look_closer(
    client: &Client,
    check: &mut LineCheck,
    fault: &ClientError,
) -> anyhow::Result<()> {
    let first = check.end();
    let resume = fault.resume().filter(|resume| *resume > first);
    let resume = resume.unwrap_or_else(|| first.saturating_add(1));
    let closer_end = resume.min(first.saturating_add(CLOSER_MAX));
    for seq in first..closer_end {
        match client.record(seq).await {
            Ok(record) => check.line(&record.line),
            // Retention may have removed what is before the first record.
            Err(error) if error.code() == Some(Code::Pruned.as_str()) => {}
            Err(error) if is_data_loss(&error) || error.code() == Some(Code::NotFound.as_str()) => {
                check.unreadable(seq, seq.saturating_add(1), &error.to_string());
            }
            Err(error) => return Err(error.into()),
        }
    }
    if closer_end < resume {
        check.unreadable(closer_end, resume, &fault.to_string());
    }
    Ok(())
}

fn check_signature(check: &mut LineCheck, note: &str, keys: &[VerifierKey]) {
    match Checkpoint::open(note.as_bytes(), keys) {
        Ok(Opened { good: 0, .. }) => {
            check.findings.add("the newest checkpoint is signed by none of the keys".to_owned());
        }
        Ok(_) => {}
        Err(fault) => check.findings.add(format!("the newest checkpoint: {fault}")),
    }
}

/// Whether the last record that a checkpoint covers is the last leaf of its tree: by the chain that binds all before it.
async fn ends_in(
    client: &Client,
    newest: &Checkpoint,
    last: Option<Hash>,
) -> Result<bool, ClientError> {
    let Some(last) = last else { return Ok(false) };
    let index = newest.size.saturating_sub(1);
    let proof = client.inclusion_proof(index, newest.size).await?;
    let Some(hashes) = hashes(&proof.hashes) else { return Ok(false) };
    let what = Inclusion { index, size: newest.size };
    Ok(check_inclusion(&hashes, what, &leaf_hash(&last), &newest.root).is_ok())
}

/// Whether a log grew from a tree to the newest one.
async fn grew(
    client: &Client,
    size: u64,
    root: &Hash,
    newest: &Checkpoint,
) -> Result<bool, ClientError> {
    if size > newest.size {
        return Ok(false);
    }
    let proof = client.consistency_proof(size, newest.size).await?;
    let Some(hashes) = hashes(&proof.hashes) else { return Ok(false) };
    let growth = Growth { from: size, to: newest.size };
    Ok(check_consistency(&hashes, growth, root, &newest.root).is_ok())
}

fn hashes<B: AsRef<[u8]>>(proof: &[B]) -> Option<Vec<Hash>> {
    let hash = |bytes: &B| bytes.as_ref().try_into().ok().map(Hash::from_bytes);
    proof.iter().map(hash).collect()
}

/// Takes the receipts of a file, one a line.
fn read_receipts(path: &Path, check: &mut LineCheck) -> anyhow::Result<()> {
    for line in outside::receipt_lines(path)?.split(|byte| *byte == b'\n') {
        let Ok(receipt) = serde_json::from_slice::<serde_json::Value>(line) else { continue };
        let hash = receipt.get("hash").and_then(|hash| Hash::parse_hex(hash.as_str()?.as_bytes()));
        let seq = receipt.get("seq").and_then(serde_json::Value::as_u64);
        if let (Some(seq), Some(hash)) = (seq, hash) {
            check.with_receipt(seq, hash);
        }
    }
    Ok(())
}

fn text(url: &ServerUrl, found: &Findings) -> String {
    let Findings { check, size, anchored } = found;
    let verdict = match (check.findings.count, anchored) {
        (0, true) => "sound, as far as its records show",
        (0, false) => "sound, as far as its records show, but not anchored",
        _ => "NOT SOUND",
    };
    let (first, last) = (check.first().unwrap_or_default(), check.end().saturating_sub(1));
    let mut lines = vec![
        format!("{url}: {verdict}"),
        format!("records {first} to {last}; the newest checkpoint covers {size}"),
    ];
    if first > 0 {
        lines.push(format!("records before {first} were pruned"));
    }
    if check.held != Held::default() {
        lines.push(check.held.to_string());
    }
    lines.extend(check.findings.told.iter().cloned());
    let told = u64::try_from(check.findings.told.len()).unwrap_or(u64::MAX);
    if check.findings.count > told {
        lines.push(format!("and {} more", check.findings.count - told));
    }
    if !anchored {
        lines.push(
            "nothing from outside was held against it: give --key, --checkpoint or --receipts"
                .to_owned(),
        );
    }
    lines.push(NOT_CHECKED.to_owned());
    lines.join("\n  ")
}

fn json(url: &ServerUrl, found: &Findings) -> String {
    let Findings { check, size, anchored } = found;
    serde_json::json!({
        "server": url.to_string(),
        "verdict": if check.findings.count == 0 { "sound" } else { "broken" },
        "anchored": anchored,
        "first_seq": check.first(),
        "records_end": check.end(),
        "checkpoint_size": size,
        "held_checkpoints": check.held.checkpoints,
        "held_receipts": check.held.receipts,
        "findings_count": check.findings.count,
        "findings": check.findings.told,
        "not_checked": NOT_CHECKED,
    })
    .to_string()
}
