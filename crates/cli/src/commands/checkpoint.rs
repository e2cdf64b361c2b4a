//! `indelible checkpoint`: makes a checkpoint, or prints the latest.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;
use indelible::format::note::Note;
use indelible::{AuditLog, OpenError};

use super::recovery;
use crate::exit::Exit;
use crate::flags::Opening;
use crate::render::{self, Output};

/// More bytes than any note has that a parser accepts.
const NOTE_SIZE_MAX: u64 = 1 << 20;

const EXAMPLES: &str = "\
Examples:
  indelible checkpoint audit > kept.txt
  indelible checkpoint audit > checkpoint-$(date +%F).txt
  indelible checkpoint audit | mail -s 'audit checkpoint' auditor@example.com
  indelible verify audit --key \"$(cat audit.vkey)\" --checkpoint kept.txt

Exit status: 0 printed; 1 could not do it; 2 wrong usage.";

/// Sign a checkpoint over everything recorded so far, and print it
///
/// A checkpoint is a few lines of text: the log's name, how many records it has, one hash that stands for all of them, and
/// a signature. Who keeps one can later show that the log up to there was changed, cut or rewritten. So keep one
/// elsewhere from time to time.
///
/// Needs the log's private key. While another process appends to the log, that process makes the checkpoints: then the
/// latest one of those is printed.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct TakeCheckpoint {
    /// The log's folder
    #[arg(value_name = "DIR")]
    dir: PathBuf,

    #[command(flatten)]
    opening: Opening,
}

impl TakeCheckpoint {
    /// Prints the note.
    pub(crate) fn run(self) -> anyhow::Result<Exit> {
        let note = match AuditLog::open(&self.dir, self.opening.options()) {
            Ok(log) => {
                recovery::tell(log.recovery());
                let note = log.checkpoint()?;
                log.close()?;
                note
            }
            Err(OpenError::Locked { holder, .. }) => {
                render::note(format_args!(
                    "the log is in use, held by {holder}: this is the latest checkpoint that it made"
                ));
                latest(&self.dir)?
            }
            Err(error) => return Err(error.into()),
        };
        let mut output = Output::of("the checkpoint");
        output.text(&note)?;
        output.flush()?;
        Ok(Exit::Fine)
    }
}

/// The note that stands in the log's file `checkpoint`, which is replaced as a whole each time.
fn latest(dir: &Path) -> anyhow::Result<String> {
    let path = dir.join("checkpoint");
    let mut note = Vec::new();
    File::open(&path)
        .and_then(|file| file.take(NOTE_SIZE_MAX).read_to_end(&mut note))
        .with_context(|| format!("could not read {}", path.display()))?;
    Note::parse(&note).with_context(|| path.display().to_string()).map(|note| note.to_string())
}
