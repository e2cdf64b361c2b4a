//! `indelible init`: makes a log.

use std::fmt;
use std::path::{Path, PathBuf};

use clap::Args;
use indelible::format::identity::Origin;
use indelible::{AuditLog, OpenError, Options, Problem, continue_from};

use crate::exit::Exit;
use crate::flags::Medium;
use crate::hint::{key_beside, quote};
use crate::render::{self, Output};

const EXAMPLES: &str = "\
Examples:
  indelible init audit --origin example.com/audit | tee audit.vkey
  indelible verify audit --key \"$(cat audit.vkey)\"
  indelible init audit-2 --origin example.com/audit --continues audit \\
    --reason 'disk failed' | tee audit-2.vkey

Stdout gets the verifier key and nothing else. audit.vkey is yours to keep:
the log itself does not need it. The private key audit.key is made beside the
folder.

Exit status: 0 made; 1 could not do it; 2 wrong usage.";

/// Make a new log, and print its verifier key
///
/// Makes the folder DIR, which must not exist, and beside it the private key DIR.key, which only you can read. The key signs
/// a checkpoint about once a second while events are appended.
///
/// Prints one line: the verifier key. Keep it where whoever can change the log can't change it: on another machine, in a
/// safe, in the auditor's mail. `indelible verify DIR --key …` then tells your log from one that somebody made up.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Init {
    /// The folder to make
    #[arg(value_name = "DIR")]
    dir: PathBuf,

    /// The log's name, such as example.com/audit; it can't be changed later
    ///
    /// It names the key, and stands in every checkpoint. Use a name that nobody else uses; a domain of yours is a good
    /// beginning. No spaces, no plus sign.
    #[arg(long, value_name = "NAME", env = "INDELIBLE_ORIGIN")]
    origin: Option<Origin>,

    /// Take over from OLD, a log that can't go on
    ///
    /// The first record of the new log then names the old one, its last checkpoint and the reason, so that the two can be
    /// verified as one history.
    #[arg(long, value_name = "OLD")]
    continues: Option<PathBuf>,

    /// Why the old log can't go on
    #[arg(
        long,
        value_name = "TEXT",
        requires = "continues",
        default_value = "not given",
        hide_default_value = true
    )]
    reason: String,

    /// Make the private key at PATH, and not beside the folder as `DIR.key`; what is there is never replaced
    #[arg(long, env = "INDELIBLE_KEY_FILE", value_name = "PATH", help_heading = "The log")]
    key_file: Option<PathBuf>,

    #[command(flatten)]
    medium: Medium,
}

impl Init {
    /// Makes the log; its verifier key is what goes to stdout.
    pub(crate) fn run(self) -> anyhow::Result<Exit> {
        let mut options = self.medium.options();
        if let Some(path) = &self.key_file {
            options = options.with_key_file(path.clone());
        }
        if let Some(old) = self.continues {
            let continues = continue_from(&old, &self.reason)
                .map_err(|source| CannotContinue { old, source })?;
            if self.origin.is_none() {
                let name = continues.checkpoint.lines().next().unwrap_or_default();
                render::note(format_args!(
                    "the old log's name, {name}, is not taken over: --origin {name} would have given it to the new one"
                ));
            }
            options = options.with_continues(continues);
        }
        let log = create(&self.dir, options, self.origin)?;
        let key = log.identity().verifier_key().to_string();
        // First of all, since nothing else shows the key; whoever can't be shown it on stdout reads it on stderr.
        let printed = print(&key);
        explain(&self.dir, self.key_file.as_deref(), &key);
        log.close()?;
        if let Err(error) = printed
            && !render::is_broken_pipe(&error)
        {
            render::error(&error);
            render::hint(format_args!(
                "the log is made all the same, and its verifier key is the one above; `indelible show {} 0` shows it \
                 again",
                quote(&self.dir)
            ));
            return Ok(Exit::CouldNot);
        }
        Ok(Exit::Fine)
    }
}

fn print(key: &str) -> anyhow::Result<()> {
    let mut output = Output::of("the verifier key");
    output.line(key.as_bytes())?;
    Ok(output.flush()?)
}

/// The log that the new one was to take over from does not say what it was.
#[derive(Debug)]
pub(crate) struct CannotContinue {
    old: PathBuf,
    source: OpenError,
}

impl CannotContinue {
    /// What to do instead; `None` where the cause has a hint of its own.
    #[expect(clippy::wildcard_enum_match_arm, reason = "only what has a hint is named")]
    pub(crate) fn hint(&self) -> Option<String> {
        let old = quote(&self.old);
        let gone = || {
            format!(
                "is that the path of the old log, and is its volume mounted? if its records are gone, make the new log \
                 without --continues, and keep what is left in {old}"
            )
        };
        match &self.source {
            OpenError::NotFound { .. } => {
                Some("is that the path of the old log, and is its volume mounted?".to_owned())
            }
            OpenError::NotALog { .. } => Some(gone()),
            OpenError::Refused(refusal)
                if refusal.findings.iter().any(|finding| finding.problem == Problem::NoRecord) =>
            {
                Some(gone())
            }
            OpenError::Refused(_) | OpenError::NothingToContinue { .. } => Some(format!(
                "a log can only be continued by what it signed of itself: make the new log without --continues, keep \
                 {old} as it is, and say in the new log's first event what it takes over from; \
                 `indelible verify {old}` says what is left"
            )),
            _ => None,
        }
    }
}

impl fmt::Display for CannotContinue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.source.fmt(f)
    }
}

impl std::error::Error for CannotContinue {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}

/// Makes a log, and warns where nobody named it.
pub(super) fn create(
    dir: &Path,
    options: Options,
    origin: Option<Origin>,
) -> anyhow::Result<AuditLog> {
    let unnamed = origin.is_none();
    let options = match origin {
        Some(origin) => options.with_origin(origin),
        None => options,
    };
    let log = AuditLog::create(dir, options)?;
    render::note(format_args!(
        "made the log {} (id {}), origin {}",
        dir.display(),
        log.identity().log_id(),
        log.identity().origin()
    ));
    if unnamed {
        render::warning(
            "no --origin was given, so the log has a name that means nothing to others",
        );
    }
    Ok(log)
}

/// Says what the two keys are for, and who must have them.
pub(super) fn explain(dir: &Path, key_file: Option<&Path>, key: &str) {
    let private = key_file.map_or_else(|| key_beside(dir), Path::to_path_buf);
    render::note(format_args!(
        "its verifier key is the one in this command, which checks the log:\n\
         \n  indelible verify {} --key {}\n\n\
         Keep that key where whoever can change the log can't change it, such as with the auditor.\n\
         The private key is in {}: whoever reads it can forge checkpoints. It is no part of\n\
         the log: never copy it with the folder, keep one backup of it locked away, give it to nobody.",
        quote(dir),
        quote(Path::new(key)),
        private.display()
    ));
}
