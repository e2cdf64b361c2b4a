//! `indelible completions`: prints what a shell needs to complete command lines.

use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

use crate::args::Cli;
use crate::exit::Exit;
use crate::render::Output;

const EXAMPLES: &str = "\
Examples:
  indelible completions bash \\
    > ~/.local/share/bash-completion/completions/indelible
  indelible completions zsh > ~/.zfunc/_indelible     (with ~/.zfunc in fpath)
  indelible completions fish > ~/.config/fish/completions/indelible.fish

Exit status: 0 printed; 1 could not do it; 2 wrong usage.";

/// Print completions for a shell
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Completions {
    /// For which shell
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

impl Completions {
    /// Prints the script.
    pub(crate) fn run(self) -> anyhow::Result<Exit> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "indelible", &mut script);
        let mut output = Output::stdout();
        output.text(&String::from_utf8_lossy(&script))?;
        output.flush()?;
        Ok(Exit::Fine)
    }
}
