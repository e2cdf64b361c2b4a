//! `indelible prove`: makes proofs that need no log to be checked.

use std::fmt;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use clap::Args;
use indelible::format::checkpoint::Checkpoint;
use indelible::format::note::{Note, VerifierKey};
use indelible::format::proof::bundle::{Bundle, BundleError};
use indelible::{AuditLog, OpenError, ProveError, Prover};

use super::verify_proof::is_of_another_key;
use super::{proof_file, recovery};
use crate::exit::Exit;
use crate::flags::Opening;
use crate::hint::{self, quote};
use crate::render::{self, Output};
use crate::value;

/// How long to sleep before looking again whether a checkpoint covers the record.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

const EXAMPLES: &str = "\
Examples:
  indelible prove audit 42 -o 42.tlog-proof            record 42 is in the log
  indelible prove audit 42 --record kept-42.json       … though it was pruned or redacted since
  indelible prove audit --from checkpoint-2026-01.txt -o growth.txt
                                                       the log only grew since that checkpoint

Exit status: 0 proven; 1 could not; 3 the log is not what was signed, or not a continuation of what
was kept.";

/// Prove that a record is in the log, or that the log only grew
///
/// With SEQ: writes a C2SP .tlog-proof of record SEQ, with the record itself in it. Whoever has the log's verifier key can
/// check it with `indelible verify-proof`, without the log, or with any other C2SP program.
///
/// The proof leads to the latest checkpoint. Where none covers the record yet, one is made, which needs the log's private
/// key; while another process appends, that process makes one within its checkpoint interval, and this waits for it.
///
/// With --from: shows that the log went on from a checkpoint that you kept, and changed nothing before it. The bytes are
/// those of the request add-checkpoint of C2SP tlog-witness.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Prove {
    /// The log's folder
    #[arg(value_name = "DIR")]
    dir: PathBuf,

    /// The record's sequence number; the first record is 0
    #[arg(
        value_name = "SEQ",
        value_parser = value::seq,
        allow_negative_numbers = true,
        required_unless_present = "from",
        conflicts_with = "from"
    )]
    seq: Option<u64>,

    /// Prove growth since this checkpoint, a file that you kept; - reads stdin
    #[arg(long, value_name = "CHECKPOINT")]
    from: Option<PathBuf>,

    /// The stored line of record SEQ, a file that you kept: for a record that was pruned or redacted; - reads stdin
    #[arg(long, value_name = "FILE", conflicts_with = "from")]
    record: Option<PathBuf>,

    /// Write the proof to this new file instead of stdout; a file that exists is not written over
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,

    /// A verifier key of the log, kept outside of it; without it, the one that the log names itself
    #[arg(long = "key", value_name = "KEY")]
    keys: Vec<VerifierKey>,

    /// How long to wait for a checkpoint that another process makes
    #[arg(long, value_name = "TIME", value_parser = value::duration, default_value = "1500ms")]
    wait: Duration,

    #[command(flatten)]
    opening: Opening,
}

impl Prove {
    /// Writes the proof, and says what was proven.
    pub(crate) fn run(self) -> anyhow::Result<Exit> {
        super::must_exist(&self.dir)?;
        let prover = Prover::open(&self.dir)?;
        let prover = self.keys.iter().cloned().fold(prover, Prover::with_key);
        match self.make(&prover) {
            Err(error) if speaks_against_the_log(&error) => {
                render::error(&error);
                if let Some(hint) = hint::of(&error, &self.dir) {
                    render::hint(hint);
                }
                Ok(Exit::NotSound)
            }
            made => made.map(|()| Exit::Fine),
        }
    }

    fn make(&self, prover: &Prover) -> anyhow::Result<()> {
        if let Some(path) = &self.from {
            let kept = proof_file::read_checkpoint(path)?;
            let proof = prover.growth(&kept).map_err(|error| self.with_keys(error, Some(&kept)))?;
            self.write(&proof)?;
            render::note(format_args!(
                "the log went on from {} to {} records, and changed nothing before",
                proof.from,
                Checkpoint::parse_text(&proof.checkpoint.text)?.size
            ));
            self.explain("growth.txt", &format!("--checkpoint {}", quote(path)));
            return Ok(());
        }
        let Some(seq) = self.seq else { bail!("neither SEQ nor --from was given") };
        let kept = self.record.as_deref().map(proof_file::read).transpose()?;
        let attempt = || match &kept {
            Some(line) => prover.kept_record(seq, line.strip_suffix(b"\n").unwrap_or(line)),
            None => prover.record(seq),
        };
        let proof = match attempt() {
            Err(ProveError::NotCovered { .. }) => self.cover(seq, attempt)?,
            made => made.map_err(|error| self.with_keys(error, None))?,
        };
        self.write(&proof)?;
        render::note(format_args!("record {seq} is in the log"));
        self.explain(&format!("{seq}.tlog-proof"), "");
        Ok(())
    }

    /// Has a checkpoint cover the record, and proves it then.
    fn cover(
        &self,
        seq: u64,
        attempt: impl Fn() -> Result<Bundle, ProveError>,
    ) -> anyhow::Result<Bundle> {
        let deadline = Instant::now() + self.wait;
        loop {
            match AuditLog::open(&self.dir, self.opening.options()) {
                Ok(log) => {
                    recovery::tell(log.recovery());
                    log.checkpoint()?;
                    log.close()?;
                    return Ok(attempt()?);
                }
                Err(OpenError::Locked { holder, .. }) => match attempt() {
                    Err(ProveError::NotCovered { .. }) if Instant::now() >= deadline => bail!(
                        "record {seq} is recorded, but no checkpoint covers it yet; the log is held by {holder}, which \
                         makes one within its checkpoint interval: try again then, or wait longer with --wait"
                    ),
                    Err(ProveError::NotCovered { .. }) => sleep(LOOK_AGAIN),
                    proven => return Ok(proven?),
                },
                Err(error) => {
                    return Err(error).context(format!(
                        "no checkpoint covers record {seq} yet, and none could be made"
                    ));
                }
            }
        }
    }

    /// Names the keys, where another one was given than the one that signed.
    #[expect(clippy::wildcard_enum_match_arm, reason = "only what speaks of keys is named")]
    fn with_keys(&self, error: ProveError, kept: Option<&[u8]>) -> anyhow::Error {
        let note = match &error {
            _ if self.keys.is_empty() => None,
            ProveError::NoCheckpoint { .. } => {
                Prover::open(&self.dir).and_then(|own| own.checkpoint()).ok().map(|own| own.note)
            }
            ProveError::Kept(BundleError::Kept(fault)) if is_of_another_key(fault) => {
                kept.and_then(|kept| Note::parse(kept).ok())
            }
            _ => None,
        };
        match note {
            Some(note) => {
                OfAnotherKey { whose: proof_file::whose(&note, &self.keys), fault: error }.into()
            }
            None => error.into(),
        }
    }

    fn write(&self, proof: &impl fmt::Display) -> anyhow::Result<()> {
        if let Some(path) = &self.output {
            return proof_file::write_new(path, proof.to_string().as_bytes());
        }
        let mut output = Output::stdout();
        output.text(&proof.to_string())?;
        Ok(output.flush()?)
    }

    /// Says under which name a proof is usually kept, and how it is checked.
    fn explain(&self, usual: &str, more: &str) {
        let path = self.output.as_deref().unwrap_or(Path::new(usual));
        let space = if more.is_empty() { "" } else { " " };
        let save = match &self.output {
            Some(_) => "check it".to_owned(),
            None => format!("save it as {usual}, and check it"),
        };
        render::hint(format_args!(
            "{save} anywhere, without the log: indelible verify-proof {} --key '…'{space}{more}   (the key that init \
             printed)",
            quote(path)
        ));
    }
}

/// None of the keys that were given signed it.
#[derive(Debug)]
pub(crate) struct OfAnotherKey {
    fault: ProveError,
    whose: String,
}

impl fmt::Display for OfAnotherKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; {}", self.fault, self.whose)
    }
}

impl std::error::Error for OfAnotherKey {}

fn speaks_against_the_log(error: &anyhow::Error) -> bool {
    let fault = error.downcast_ref::<OfAnotherKey>().map(|error| &error.fault);
    fault.or(error.downcast_ref()).is_some_and(ProveError::speaks_against_the_log)
}
