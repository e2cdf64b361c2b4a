//! The command line: which commands there are, and what is said where it makes no sense.
//!
//! What one command takes stands beside that command, what several take in `flags`. It does not act on anything.

use std::path::PathBuf;

use clap::builder::Resettable;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use indelible_format::seeded::ARE_PLANTED;

use crate::commands::append::Append;
use crate::commands::backup::Backup;
use crate::commands::checkpoint::TakeCheckpoint;
use crate::commands::completions::Completions;
use crate::commands::config::Configure;
use crate::commands::init::Init;
use crate::commands::man::Man;
use crate::commands::prove::Prove;
use crate::commands::query::Find;
use crate::commands::repair::Repair;
use crate::commands::serve::Serve;
use crate::commands::show::Show;
use crate::commands::tail::Tail;
use crate::commands::token::Tokens;
use crate::commands::verify::Verify;
use crate::commands::verify_proof::VerifyProof;
use crate::value;

const EXAMPLES: &str = "\
Example, from nothing to a verified log:
  indelible init audit --origin example.com/audit | tee audit.vkey
  indelible append audit --actor user:mia --action login \\
    --resource app:console
  indelible tail audit
  indelible checkpoint audit > kept.txt
  indelible verify audit --key \"$(cat audit.vkey)\" --checkpoint kept.txt

Exit status: 0 fine; 1 could not do it; 2 wrong usage; 3 it could, and what it
found is bad: verify found tampering, damage or something missing, prove and
verify-proof that something is not as it was signed or kept, repair something
that it can't repair; 4 verify: sound, but with a torn tail that the next
append repairs; repair: there is something that --yes repairs.";

/// A build with bugs in it says so.
const VERSION: &str = if ARE_PLANTED {
    concat!(env!("CARGO_PKG_VERSION"), " (seeded bugs: not for use)")
} else {
    env!("CARGO_PKG_VERSION")
};

/// Keeps a log of who did what, in plain files, so that a later change to it can be found.
#[derive(Debug, Parser)]
#[command(
    name = "indelible",
    version = VERSION,
    after_help = EXAMPLES,
    max_term_width = 100,
    subcommand_required = true,
    arg_required_else_help = true
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,

    /// The log's folder, for those who say what to do next: `DIR` where the command takes none.
    #[arg(skip = "DIR")]
    pub(crate) dir: PathBuf,
}

impl Cli {
    /// Reads the command line and the environment, in which an empty variable is as good as none.
    pub(crate) fn read() -> Result<Self, clap::Error> {
        let mut command = without_empty_variables(Self::command());
        let matches = match command.try_get_matches_from_mut(std::env::args_os()) {
            Ok(matches) => matches,
            Err(error) => return Err(explained(error, &mut command)),
        };
        let mut read =
            Self::from_arg_matches(&matches).map_err(|error| error.format(&mut command))?;
        let verb = matches.subcommand().map(|(_name, verb)| verb);
        if let Some(Ok(Some(dir))) = verb.map(|verb| verb.try_get_one::<PathBuf>("dir")) {
            read.dir.clone_from(dir);
        }
        Ok(read)
    }
}

/// A command whose flags take no empty variable, nor do those of its commands.
fn without_empty_variables(command: clap::Command) -> clap::Command {
    let command = command.mut_args(|arg| {
        let empty = arg.get_env().and_then(std::env::var_os).is_some_and(|v| v.is_empty());
        if empty { arg.env(Resettable::Reset) } else { arg }
    });
    command.mut_subcommands(without_empty_variables)
}

/// Says what the parser can't know: that a value came from the environment, that it is a secret, that there is another
/// way to hand over events.
fn explained(mut error: clap::Error, command: &mut clap::Command) -> clap::Error {
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.clone()),
        Some(_) | None => None,
    };
    let (flag, given) = (text(ContextKind::InvalidArg), text(ContextKind::InvalidValue));
    if [&flag, &given].into_iter().flatten().any(|text| value::is_private_key(text)) {
        let place = given.and(flag).map(|flag| format!(" for '{flag}'")).unwrap_or_default();
        return command.error(
            ErrorKind::ValueValidation,
            format!(
                "this is the private key (PRIVATE+KEY…){place}: never give it away; the verifier key is the line that \
                 init printed"
            ),
        );
    }
    if let (Some(flag), Some(given)) = (flag, given)
        && let Some(variable) = variable_of(command, &flag, &given)
    {
        let place = format!("{variable} (in the environment, for {flag})");
        error.insert(ContextKind::InvalidArg, ContextValue::String(place));
    }
    if error.kind() == ErrorKind::UnknownArgument
        && let Some(ContextValue::String(flag)) = error.get(ContextKind::InvalidArg)
        && flag.starts_with("--server")
        && let Some(tip) = over_http(&std::env::args_os().nth(1).unwrap_or_default())
    {
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip.into()]));
    }
    if error.kind() == ErrorKind::MissingRequiredArgument
        && error.to_string().contains("--resource <TO-WHAT>")
    {
        let tip = "many events come from a file, or from a pipe: --file <FILE|->";
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip.into()]));
    }
    error
}

/// How a running service gives what a command makes that works on folders alone.
fn over_http(command: &std::ffi::OsStr) -> Option<&'static str> {
    match command.to_str()? {
        "checkpoint" => Some(
            "a service gives its latest checkpoint at GET /v1/checkpoint: curl -sS http://127.0.0.1:8600/v1/checkpoint",
        ),
        "prove" => Some(
            "a service gives the proof of a record at GET /v1/records/{seq}/proof: curl -sS \
             http://127.0.0.1:8600/v1/records/1/proof -o 1.tlog-proof",
        ),
        _ => None,
    }
}

/// The environment variable that gave `flag`, as the parser writes it, the value `given`; `None` where the command line
/// did.
fn variable_of(command: &clap::Command, flag: &str, given: &str) -> Option<String> {
    let long = flag.split(' ').next()?;
    let arg = command
        .get_subcommands()
        .flat_map(clap::Command::get_arguments)
        .filter(|arg| arg.get_env().is_some())
        .find(|arg| arg.get_long().is_some_and(|name| long.strip_prefix("--") == Some(name)))?;
    let on_command_line = std::env::args_os().any(|word| {
        let word = word.to_string_lossy();
        word.strip_prefix(long).is_some_and(|rest| rest.is_empty() || rest.starts_with('='))
    });
    let variable = arg.get_env()?;
    let set = std::env::var_os(variable).is_some_and(|value| value == given);
    (set && !on_command_line).then(|| variable.to_string_lossy().into_owned())
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Init(Init),
    Append(Box<Append>),
    Serve(Box<Serve>),
    #[command(subcommand)]
    Config(Configure),
    #[command(subcommand)]
    Token(Tokens),
    Show(Show),
    Tail(Tail),
    Query(Box<Find>),
    Verify(Verify),
    Checkpoint(TakeCheckpoint),
    Prove(Box<Prove>),
    VerifyProof(VerifyProof),
    Repair(Repair),
    Backup(Backup),
    Completions(Completions),
    Man(Man),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
