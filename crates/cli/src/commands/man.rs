//! `indelible man`: writes the manual pages.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::{Args, Command, CommandFactory as _};
use clap_mangen::Man as Page;

use super::proof_file::replace;
use crate::args::Cli;
use crate::exit::Exit;
use crate::render::{self, Output};

const EXAMPLES: &str = "\
Examples:
  indelible man ~/.local/share/man/man1    one page a command, in a folder that exists
  indelible man | man -l -                 the page of indelible itself, to read";

/// Write the manual pages
///
/// Writes one page a command into the folder, over those that an older version wrote there; without a folder, prints the
/// page of indelible itself.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Man {
    /// The folder to write the pages into
    #[arg(value_name = "FOLDER")]
    folder: Option<PathBuf>,
}

impl Man {
    /// Prints one page, or writes all.
    pub(crate) fn run(self) -> anyhow::Result<Exit> {
        let mut program = Cli::command();
        program.build();
        let Some(folder) = &self.folder else {
            let mut output = Output::stdout();
            output.text(&String::from_utf8_lossy(&page(program)?))?;
            output.flush()?;
            return Ok(Exit::Fine);
        };
        let count = write_all(&program, folder)?;
        render::note(format_args!("{count} pages written to {}", folder.display()));
        Ok(Exit::Fine)
    }
}

fn write_all(program: &Command, folder: &Path) -> anyhow::Result<usize> {
    let mut pages = vec![program.clone()];
    push_all(&mut pages, program);
    let count = pages.len();
    for command in pages {
        let name = command.get_display_name().unwrap_or_else(|| command.get_name()).to_owned();
        let page = page(command)?;
        replace(&folder.join(format!("{name}.1")), &page)?;
    }
    Ok(count)
}

/// All commands of a command, and theirs.
fn push_all(pages: &mut Vec<Command>, command: &Command) {
    let shown = |command: &&Command| !command.is_hide_set() && command.get_name() != "help";
    for command in command.get_subcommands().filter(shown) {
        pages.push(command.clone());
        push_all(pages, command);
    }
}

fn page(command: Command) -> anyhow::Result<Vec<u8>> {
    let mut page = Vec::new();
    Page::new(command).render(&mut page).context("could not make a page")?;
    Ok(page)
}
