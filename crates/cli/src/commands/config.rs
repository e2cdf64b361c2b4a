//! `indelible config`: checks and shows how the service is configured.

use clap::{Args, Subcommand};

use crate::exit::Exit;
use crate::flags::serving::Serving;
use crate::render::{self, Output};

const CHECK_EXAMPLES: &str = "\
Examples:
  indelible config check
  indelible config check --config /etc/indelible/indelible.toml && systemctl restart indelible

It opens no log, no certificate and no token file: whether those are there is
found out when the service starts.

Exit status: 0 nothing is wrong; 1 something is, each on a line; 2 wrong usage.";

const SHOW_EXAMPLES: &str = "\
Examples:
  indelible config show
  indelible config show | grep -v '# default'        what was set, and where
  indelible config show --config old.toml > all.toml  a file with every key

Exit status: 0 printed; 1 something is wrong with it; 2 wrong usage.";

const EXAMPLES: &str = "\
Examples:
  indelible config check
  indelible config show";

/// Check or show how the service is configured
#[derive(Debug, Subcommand)]
#[command(after_help = EXAMPLES)]
pub(crate) enum Configure {
    Check(Check),
    Show(Show),
}

/// Say what is wrong with the configuration, all of it
#[derive(Debug, Args)]
#[command(after_help = CHECK_EXAMPLES)]
pub(crate) struct Check {
    #[command(flatten)]
    serving: Serving,
}

/// Print every key with its value, and where it came from
///
/// What it prints is a configuration file that says the same.
#[derive(Debug, Args)]
#[command(after_help = SHOW_EXAMPLES)]
pub(crate) struct Show {
    #[command(flatten)]
    serving: Serving,
}

impl Configure {
    /// Does what was asked for.
    pub(crate) fn run(self) -> anyhow::Result<Exit> {
        match self {
            Self::Check(check) => {
                let loaded = check.serving.load()?;
                loaded.config.warnings().into_iter().for_each(render::warning);
                match &loaded.file {
                    Some(file) => {
                        render::note(format_args!("{}: nothing is wrong", file.display()));
                    }
                    None => render::note("nothing is wrong, and there is no configuration file"),
                }
            }
            Self::Show(show) => {
                let mut output = Output::of("the configuration");
                output.text(&show.serving.load()?.show())?;
                output.flush()?;
            }
        }
        Ok(Exit::Fine)
    }
}
