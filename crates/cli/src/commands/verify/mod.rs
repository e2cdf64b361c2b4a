//! `indelible verify`: checks a whole log, and holds it against what was kept outside of it.

mod lines;
mod outside;
mod over_the_wire;
mod watch;

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use indelible::format::identity::Origin;
use indelible::format::note::VerifierKey;
use indelible::{FindingClass, Progress, Report, Verdict, Verifier};

pub(crate) use self::outside::Mistake;
use crate::exit::Exit;
use crate::flags::remote::Remote;
use crate::render::{self, Output};

const EXAMPLES: &str = "\
Examples:
  indelible verify audit --key 'example.com/audit+…'
  indelible verify audit --key 'example.com/audit+…' --checkpoint kept.txt
  indelible verify audit --receipts receipts.jsonl --strict
  ssh elsewhere cat checkpoints-of-audit \\
    | indelible verify audit --checkpoint - --require-anchor
  indelible verify /mnt/backup/audit --key \"$(cat audit.vkey)\" --json \\
    | jq .verdict
  indelible verify --server https://audit.example.com --key 'example.com/audit+…'

With --server it fetches every record and checks form, hash, chain, tree and
the newest checkpoint, and holds all against what was kept; it says what of the
folder it could not look at.

What each rules out:
  nothing given  that a record was changed and the rest left as it is
  --key          also a rewrite, hashes and all, by anybody who has not the
                 private key; not that the end was cut off or an older signed
                 copy put back
  --checkpoint   also cutting off, rolling back and rewriting, by anybody, up
                 to where it was made; you vouch for it where no key is given
  --receipts     the same, up to the last record of which there is a receipt

Exit status: 0 sound; 3 tampering, damage or something missing, or with
--require-anchor nothing to hold it against; 4 sound, but with a torn tail, as
a crash leaves it, that the next append repairs; 1 could not look, or was
stopped before it had looked at everything; 2 wrong usage. A log that was held
against nothing is \"sound, but not anchored\", which is 0. Ctrl-C stops it:
the report then says what is known.";

/// Check a whole log: every byte, hash, signature and boundary
///
/// Reads only. Works on a log that is being written, on a copy and on a backup, and needs no private key.
///
/// A log can't vouch for itself: whoever rewrites all of it puts a key of theirs into it. So give what was kept elsewhere:
/// the verifier key that `init` printed, a checkpoint, receipts. The report says in one sentence what was not ruled out.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Verify {
    /// The log's folder
    #[arg(value_name = "DIR", required_unless_present = "server")]
    dir: Option<PathBuf>,

    #[command(flatten)]
    outside: Outside,

    /// Check the whole form of every record, field by field
    ///
    /// Without this, of a client's event it checks where it stands, its link and its hash: that it is what the log wrote.
    /// Only a faulty writer could put a line below the last checkpoint that passes these and is no record; what no
    /// signature covers is always checked in full.
    #[arg(long)]
    strict: bool,

    /// Print the report as JSON (docs/operate/verify-report.md)
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    remote: Remote,
}

/// What came from outside of the log.
#[derive(Debug, Args)]
#[command(next_help_heading = "Kept outside of the log")]
struct Outside {
    /// A verifier key of the log; may be given several times
    ///
    /// With it, only signatures by these keys count.
    #[arg(long = "key", value_name = "KEY")]
    keys: Vec<VerifierKey>,

    /// A file with one checkpoint, or with many one behind the other; may be given several times; - reads stdin
    ///
    /// Each as `indelible checkpoint` printed it, or as lines of a checkpoints.jsonl. The log must still have the records
    /// that it covers, and the root. With --key, one that none of these keys signed is not compared. Without, its holder
    /// vouches for it: it is compared also where the log names another key than signed it, as a log does that somebody
    /// rewrote as a whole.
    #[arg(long = "checkpoint", value_name = "FILE")]
    checkpoints: Vec<PathBuf>,

    /// A file of receipts, as `append --receipts` prints them; may be given several times; - reads stdin
    ///
    /// Each record must be there, with the hash and timestamp that its receipt says. Takes 64 bytes of memory a receipt.
    #[arg(long, value_name = "FILE")]
    receipts: Vec<PathBuf>,

    /// The origin that the log must have; by itself this proves nothing
    #[arg(long, value_name = "ORIGIN")]
    origin: Option<Origin>,

    /// Call a log not sound that could be held against nothing from outside, or has notes by unknown keys
    #[arg(long)]
    require_anchor: bool,
}

impl Verify {
    /// Prints the report; the exit status is its verdict, whether or not somebody reads it.
    pub(crate) fn run(self) -> anyhow::Result<Exit> {
        let require_anchor = self.outside.require_anchor;
        if self.outside.reads_stdin_twice() {
            render::note(Mistake::StdinTwice);
            return Ok(Exit::Usage);
        }
        if let Some(url) = self.remote.server.clone() {
            return self.over_the_wire(&url);
        }
        let dir = self.dir.unwrap_or_default();
        super::must_exist(&dir)?;
        let progress = Arc::new(Progress::default());
        let mut verifier = self.outside.hold(Verifier::new(&dir)?)?;
        if self.strict {
            verifier = verifier.strict();
        }
        let verifier = verifier.with_progress(Arc::clone(&progress));
        let report = watch::watched(&progress, || verifier.verify())??;
        let unanchored = if require_anchor { why_not_anchored(&report) } else { None };
        let exit = match report.verdict() {
            Verdict::Unfinished => Exit::CouldNot,
            _ if unanchored.is_some() => Exit::NotSound,
            Verdict::Sound => Exit::Fine,
            Verdict::Torn => Exit::Torn,
            // A verdict that this program does not know is none that it may call sound.
            Verdict::Broken | _ => Exit::NotSound,
        };
        let text = if self.json { report.to_json() } else { report.text(render::columns()) };
        let mut output = Output::stdout();
        let printed = output.text(&text).and_then(|()| output.flush());
        if let Some(why) = unanchored {
            render::note(format_args!("{why}, which --require-anchor does not take for sound"));
        }
        match printed {
            Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error.into()),
            Ok(()) | Err(_) => Ok(exit),
        }
    }
}

impl Outside {
    fn reads_stdin_twice(&self) -> bool {
        let paths: Vec<&PathBuf> = self.checkpoints.iter().chain(&self.receipts).collect();
        outside::reads_stdin_twice(&paths)
    }

    /// Gives all of it to the verifier.
    fn hold(self, verifier: Verifier) -> anyhow::Result<Verifier> {
        let mut verifier = self.keys.into_iter().fold(verifier, Verifier::with_key);
        for path in &self.checkpoints {
            let kept = outside::checkpoints(path)?;
            verifier = kept.into_iter().fold(verifier, Verifier::with_checkpoint);
        }
        if !self.receipts.is_empty() {
            verifier = verifier.with_receipts(outside::receipts(&self.receipts)?);
        }
        Ok(match self.origin {
            Some(origin) => verifier.with_origin(origin),
            None => verifier,
        })
    }
}

/// What leaves a log that is sound by itself without something to hold it against.
fn why_not_anchored(report: &Report) -> Option<&'static str> {
    let has = |class| report.findings.iter().any(|finding| finding.class == class);
    if !report.anchored {
        Some("nothing from outside was held against the log")
    } else if has(FindingClass::KeyUnknown) {
        Some("there are checkpoints by keys that are not known")
    } else if report.rests_on_its_own_key() {
        Some(
            "records were pruned or redacted, and the key that announced it is known only from the log: give --key",
        )
    } else {
        None
    }
}
