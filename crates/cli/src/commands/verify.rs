//! `indelible verify`: checks a whole log.

use std::path::PathBuf;

use clap::Args;
use indelible::format::note::VerifierKey;
use indelible::{Verdict, Verifier};

use crate::exit::Exit;
use crate::render::Output;

const EXAMPLES: &str = "\
Examples:
  indelible verify audit --key 'example.com/audit+…'
  indelible verify /mnt/backup/audit --key \"$(cat audit.vkey)\" --json | jq .verdict

Exit status: 0 sound; 3 tampering, damage or something missing; 4 sound, but with a torn tail, as a
crash leaves it, that the next append repairs; 1 could not look.";

/// Check a whole log: every byte, hash, signature and boundary
///
/// Reads only. Works on a log that is being written, on a copy and on a backup, and needs no private key.
///
/// Give the verifier key that `init` printed with --key. Without it the log is held against the key that it names itself,
/// which shows only that it agrees with itself: whoever rewrote all of it would have put a key of theirs there.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Verify {
    /// The log's folder
    #[arg(value_name = "DIR")]
    dir: PathBuf,

    /// A verifier key of the log, kept outside of it; may be given several times
    #[arg(long = "key", value_name = "KEY")]
    keys: Vec<VerifierKey>,

    /// Print the report as JSON
    #[arg(long)]
    json: bool,
}

impl Verify {
    /// Prints the report; the exit status is its verdict, whether or not somebody reads it.
    pub(crate) fn run(self) -> anyhow::Result<Exit> {
        super::must_exist(&self.dir)?;
        let verifier = self.keys.into_iter().fold(Verifier::new(&self.dir)?, Verifier::with_key);
        let report = verifier.verify()?;
        let exit = match report.verdict() {
            Verdict::Sound => Exit::Fine,
            Verdict::Torn => Exit::Torn,
            // A verdict that this program does not know is none that it may call sound.
            Verdict::Broken | _ => Exit::NotSound,
        };
        let text = if self.json { report.to_json() } else { report.to_string() };
        let mut output = Output::stdout();
        match output.text(&text).and_then(|()| output.flush()) {
            Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error.into()),
            Ok(()) | Err(_) => Ok(exit),
        }
    }
}
