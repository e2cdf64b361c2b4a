//! `indelible tail`: prints the last records.

use std::path::PathBuf;

use clap::Args;

use super::show::Reading;
use crate::exit::Exit;
use crate::render::Output;

const EXAMPLES: &str = "\
Examples:
  indelible tail audit                     the last 10 records
  indelible tail audit -n 100 | jq -c '[.timestamp,.actor,.action]'";

/// Print the last records, as stored
///
/// Oldest first. On a terminal, characters that could act on it are shown as \u…; into a file or a pipe go the exact
/// bytes.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Tail {
    /// The log's folder
    #[arg(value_name = "DIR")]
    dir: PathBuf,

    /// How many
    #[arg(short = 'n', long = "lines", value_name = "N", default_value_t = 10)]
    count: u64,

    #[command(flatten)]
    reading: Reading,
}

impl Tail {
    /// Prints the lines.
    pub(crate) fn run(self) -> anyhow::Result<Exit> {
        let reader = self.reading.open(&self.dir)?;
        let mut output = Output::stdout();
        let from = reader.records()?.saturating_sub(self.count);
        for record in reader.lines_from(from)? {
            output.line(&record?.line)?;
        }
        output.flush()?;
        Ok(Exit::Fine)
    }
}
