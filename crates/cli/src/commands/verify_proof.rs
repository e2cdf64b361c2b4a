//! `indelible verify-proof`: checks a proof, without any log.

use std::path::{Path, PathBuf};

use clap::Args;
use indelible::format::checkpoint::Checkpoint;
use indelible::format::note::{Note, VerifierKey};
use indelible::format::proof::bundle::{Bundle, BundleError};
use indelible::format::proof::growth::{Grown, GrowthBundle};
use indelible::format::record::{Content, Record};
use serde_json::{Value, json};

use super::proof_file;
use crate::escape::escape;
use crate::exit::Exit;
use crate::render::{self, Output};

const EXAMPLES: &str = "\
Examples:
  indelible verify-proof 42.tlog-proof --key 'example.com/audit+…'
  indelible verify-proof growth.txt --key \"$(cat audit.vkey)\" --checkpoint checkpoint-2026-01.txt

Exit status: 0 proven; 3 not proven, and why; 1 could not read, or no proof but a file of another
kind; 2 wrong usage.";

/// Check a proof that `prove` or another C2SP program made, without the log
///
/// Needs the proof and the log's verifier key, from somewhere that the proof's maker does not control. Of a .tlog-proof it
/// checks the record in it, its own hash included, the signature under the checkpoint, and that the record is in the tree
/// that was signed. Of a proof of growth it checks both checkpoints, and that the newer one goes on from the one you kept.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct VerifyProof {
    /// The proof; - reads stdin
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// A verifier key of the log, kept outside of it; may be given several times
    #[arg(long = "key", value_name = "KEY", required = true)]
    keys: Vec<VerifierKey>,

    /// The checkpoint that you kept, which a proof of growth is held against
    #[arg(long, value_name = "FILE")]
    checkpoint: Option<PathBuf>,

    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

/// What a proof shows: for people, and for programs.
struct Shown {
    text: String,
    json: Value,
}

impl VerifyProof {
    /// Prints what was proven, or what failed; the exit status says it too, whether or not somebody reads.
    pub(crate) fn run(self) -> anyhow::Result<Exit> {
        let bytes = proof_file::read_proof(&self.file)?;
        let growth = GrowthBundle::is_begun_by(&bytes);
        if growth != self.checkpoint.is_some() {
            render::note(if growth {
                "this is a proof of growth: give the checkpoint that you kept with --checkpoint"
            } else {
                "--checkpoint is for proofs of growth, and this is none"
            });
            return Ok(Exit::Usage);
        }
        let kept = self.checkpoint.as_deref().map(proof_file::read_checkpoint).transpose()?;
        let checked = match &kept {
            Some(kept) => check_growth(&bytes, kept, &self.keys),
            None => check_record(&bytes, &self.keys),
        };
        let (shown, exit) = match &checked {
            Ok(shown) => (shown, Exit::Fine),
            Err(fault) => (&not_proven(&self.file, growth, fault), Exit::NotSound),
        };
        let json = self.json.then(|| shown.json.to_string());
        let mut output = Output::stdout();
        let printed = output.text(json.as_deref().unwrap_or(&shown.text));
        if let Err(error) = printed.and_then(|()| output.flush())
            && error.kind() != std::io::ErrorKind::BrokenPipe
        {
            return Err(error.into());
        }
        if let Err(fault) = &checked {
            self.tell_whose(&bytes, kept.as_deref(), fault);
        }
        Ok(exit)
    }

    /// Names the keys, where another one was given than the one that signed.
    fn tell_whose(&self, proof: &[u8], kept: Option<&[u8]>, fault: &BundleError) {
        let note = match (fault, kept) {
            (BundleError::Kept(fault), Some(kept)) if is_of_another_key(fault) => {
                Note::parse(kept).ok()
            }
            (fault, Some(_)) if is_of_another_key(fault) => {
                GrowthBundle::parse(proof).ok().map(|bundle| bundle.checkpoint)
            }
            (fault, None) if is_of_another_key(fault) => {
                Bundle::parse(proof).ok().map(|bundle| bundle.checkpoint)
            }
            _ => None,
        };
        if let Some(note) = note {
            render::note(proof_file::whose(&note, &self.keys));
            render::hint(proof_file::IS_IT_THE_KEY);
        }
    }
}

/// Whether it says that none of the keys is one that signed.
pub(super) const fn is_of_another_key(fault: &BundleError) -> bool {
    matches!(fault, BundleError::Unsigned | BundleError::NoKeyOfLog { .. })
}

fn check_record(bytes: &[u8], keys: &[VerifierKey]) -> Result<Shown, BundleError> {
    let bundle = Bundle::parse(bytes)?;
    let (record, opened) = bundle.check_record(keys)?;
    Ok(shown_record(&record, &opened.checkpoint))
}

fn check_growth(bytes: &[u8], kept: &[u8], keys: &[VerifierKey]) -> Result<Shown, BundleError> {
    let grown = GrowthBundle::parse(bytes)?.check(kept, keys)?;
    Ok(shown_growth(&grown))
}

fn not_proven(file: &Path, growth: bool, fault: &BundleError) -> Shown {
    let text = format!("NOT PROVEN: {}: {fault}", file.display());
    Shown {
        text: escape(text.as_bytes()) + "\n",
        json: json!({
            "schema": 1,
            "proven": false,
            "kind": if growth { "growth" } else { "record" },
            "error": fault.to_string(),
        }),
    }
}

/// Who did what to what, where the record says it.
struct Told {
    actor: String,
    action: String,
    resource: String,
    outcome: Option<&'static str>,
    recorded_by: Option<String>,
}

fn told(record: &Record<'_>) -> Option<Told> {
    let resource = record.resource()?.into_owned();
    match record.content() {
        Content::Event(fields) => Some(Told {
            actor: fields.actor().into_owned(),
            action: fields.action().into_owned(),
            resource,
            outcome: fields.outcome().map(indelible::Outcome::as_str),
            recorded_by: fields.recorded_by().map(std::borrow::Cow::into_owned),
        }),
        Content::Own(own) => Some(Told {
            actor: "indelible".to_owned(),
            action: own.action().to_owned(),
            resource,
            outcome: None,
            recorded_by: None,
        }),
        Content::Redacted | Content::Unchecked | _ => None,
    }
}

fn shown_record(record: &Record<'_>, checkpoint: &Checkpoint) -> Shown {
    let seq = record.seq();
    let origin = escape(checkpoint.origin.as_str().as_bytes());
    let mut text = format!("PROVEN: record {seq} is in the log {origin}\n\n");
    let mut fact = |name: &str, value: &str| {
        text.extend([&format!("{name:<13}"), &escape(value.as_bytes()), "\n"]);
    };
    fact("record", &seq.to_string());
    fact("timestamp", &record.timestamp().to_string());
    let told = told(record);
    if let Some(told) = &told {
        fact("actor", &told.actor);
        fact("action", &told.action);
        fact("resource", &told.resource);
        if let Some(outcome) = told.outcome {
            fact("outcome", outcome);
        }
        if let Some(recorded_by) = &told.recorded_by {
            fact("recorded by", recorded_by);
        }
    }
    fact("hash", &record.hash().to_string());
    fact("checkpoint", &format!("{} records", checkpoint.size));
    text.push_str(
        "\nThe record was in the log when the checkpoint was signed, at that place and with exactly these bytes.\n\
         That what it says is true, a proof can't show.\n",
    );
    let json = json!({
        "schema": 1,
        "proven": true,
        "kind": "record",
        "origin": checkpoint.origin.as_str(),
        "seq": seq,
        "timestamp": record.timestamp().to_string(),
        "actor": told.as_ref().map(|told| &told.actor),
        "action": told.as_ref().map(|told| &told.action),
        "resource": told.as_ref().map(|told| &told.resource),
        "outcome": told.as_ref().and_then(|told| told.outcome),
        "recorded_by": told.as_ref().and_then(|told| told.recorded_by.as_ref()),
        "hash": record.hash().to_string(),
        "size": checkpoint.size,
        "root": root(checkpoint),
    });
    Shown { text, json }
}

fn shown_growth(grown: &Grown) -> Shown {
    let (kept, newer) = (&grown.kept.checkpoint, &grown.newer.checkpoint);
    let text = format!(
        "PROVEN: the log {} went on from {} to {} records, and changed nothing before\n\n\
         kept         {} records, root {}\n\
         newer        {} records, root {}\n",
        escape(newer.origin.as_str().as_bytes()),
        kept.size,
        newer.size,
        kept.size,
        root(kept),
        newer.size,
        root(newer)
    );
    let json = json!({
        "schema": 1,
        "proven": true,
        "kind": "growth",
        "origin": newer.origin.as_str(),
        "old_size": kept.size,
        "old_root": root(kept),
        "size": newer.size,
        "root": root(newer),
    });
    Shown { text, json }
}

/// The root as the checkpoint spells it.
fn root(checkpoint: &Checkpoint) -> String {
    checkpoint.text().lines().nth(2).unwrap_or_default().to_owned()
}
