//! The command `indelible`: keeps, shows and verifies a tamper-evident audit log.
//!
//! The only crate that reads flags, prints and exits. Everything it knows about logs it asks the library `indelible`.

mod args;
mod commands;
mod escape;
mod exit;
mod flags;
mod hint;
mod remote;
mod render;
mod table;
mod value;

use std::path::Path;
use std::process::ExitCode;

use crate::args::{Cli, Command};
use crate::exit::Exit;

fn main() -> ExitCode {
    if indelible_format::seeded::ARE_PLANTED {
        render::warning(
            "this build has seeded bugs, for tests of the tests alone: it is not for use",
        );
    }
    let exit = match Cli::read() {
        Ok(cli) => run(cli.command).unwrap_or_else(|error| fail(&error, &cli.dir)),
        Err(error) => render::usage(&error),
    };
    exit.into()
}

fn run(command: Command) -> anyhow::Result<Exit> {
    match command {
        Command::Init(init) => init.run(),
        Command::Append(append) => append.run(),
        Command::Serve(serve) => serve.run(),
        Command::Config(config) => config.run(),
        Command::Token(token) => token.run(),
        Command::Show(show) => show.run(),
        Command::Tail(tail) => tail.run(),
        Command::Query(query) => query.run(),
        Command::Verify(verify) => verify.run(),
        Command::Checkpoint(checkpoint) => checkpoint.run(),
        Command::Prove(prove) => prove.run(),
        Command::VerifyProof(verify) => verify.run(),
        Command::Repair(repair) => repair.run(),
        Command::Backup(backup) => backup.run(),
        Command::Completions(completions) => completions.run(),
        Command::Man(man) => man.run(),
    }
}

/// Says what could not be done; nobody is told that nobody reads any more.
fn fail(error: &anyhow::Error, dir: &Path) -> Exit {
    if render::is_broken_pipe(error) {
        return Exit::Fine;
    }
    render::error(error);
    if let Some(hint) = hint::of(error, dir) {
        render::hint(hint);
    }
    Exit::CouldNot
}
