//! `indelible show`: prints one record.

use std::path::PathBuf;

use anyhow::bail;
use clap::Args;
use indelible::format::record::{DecodeError, Record};
use indelible::{Reader, find_log};
use indelible_server::client::ServerUrl;

use crate::exit::Exit;
use crate::flags::remote::Remote;
use crate::hint::quote;
use crate::remote::Session;
use crate::render::{self, Output};
use crate::value;

const EXAMPLES: &str = "\
Examples:
  indelible show audit 0                   the record that began the log
  indelible show audit 42 | jq .metadata   one record, as stored, into another program
  indelible show audit 42 --unsynced       also when no checkpoint covers it yet
  indelible show --server http://127.0.0.1:8600 42

Exit status: 0 printed; 1 no such record, or one that does not hold: it is printed all the same; 2 wrong
usage.";

/// Print one record, as stored
///
/// Prints the line of the record with sequence number SEQ. On a terminal, characters that could act on it are shown as
/// \u…; into a file or a pipe go the exact bytes.
///
/// Holds the record against its own hash: where that does not match, prints it with a warning. That it is the record that was
/// signed is for `indelible verify` to say.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, allow_missing_positional = true)]
pub(crate) struct Show {
    /// The log's folder
    #[arg(value_name = "DIR", required_unless_present = "server", allow_negative_numbers = true)]
    dir: Option<PathBuf>,

    /// The record's sequence number; the first record is 0
    #[arg(value_name = "SEQ", value_parser = value::seq, allow_negative_numbers = true)]
    seq: u64,

    #[command(flatten)]
    reading: Reading,

    #[command(flatten)]
    remote: Remote,
}

/// How far a log is read.
#[derive(Clone, Copy, Debug, Args)]
pub(super) struct Reading {
    /// Read on past the last checkpoint
    ///
    /// What lies there may not be on the disk yet, and may be gone after a crash.
    #[arg(long, conflicts_with = "server")]
    unsynced: bool,
}

impl Reading {
    /// A reader of the log at `dir`, which reads so far.
    pub(super) fn open(self, dir: &std::path::Path) -> anyhow::Result<Reader> {
        find_log(dir)?;
        let reader = Reader::open(dir)?;
        Ok(if self.unsynced { reader.unsynced() } else { reader })
    }
}

impl Show {
    /// Prints the line, or says which records there are.
    pub(crate) fn run(self) -> anyhow::Result<Exit> {
        if let Some(url) = &self.remote.server {
            return self.over_the_wire(url);
        }
        let dir = self.dir.unwrap_or_default();
        let reader = self.reading.open(&dir)?;
        let Some(record) = reader.record(self.seq)? else {
            let more = if self.reading.unsynced {
                ""
            } else {
                " up to its last checkpoint (--unsynced reads on)"
            };
            let (first, last) = (reader.first_seq()?, reader.records()?.saturating_sub(1));
            bail!(
                "{}: no record {}: the log has records {first} to {last}{more}",
                dir.display(),
                self.seq
            );
        };
        print(&record.line)?;
        let Some(fault) = fault_of(&record.line) else { return Ok(Exit::Fine) };
        render::warning(format_args!(
            "record {}, in {} at byte {}, is not as it was written: {fault}",
            self.seq, record.file, record.offset
        ));
        render::hint(format_args!("`indelible verify {}` says more", quote(&dir)));
        Ok(Exit::CouldNot)
    }

    fn over_the_wire(&self, url: &ServerUrl) -> anyhow::Result<Exit> {
        let session = Session::new(url, &self.remote)?;
        let record = session.wait(session.client.record(self.seq))?;
        print(&record.line)?;
        let Some(fault) = fault_of(&record.line) else { return Ok(Exit::Fine) };
        render::warning(format_args!("record {} is not as it was written: {fault}", self.seq));
        render::hint(format_args!("`indelible verify --server {url}` says more"));
        Ok(Exit::CouldNot)
    }
}

fn print(line: &[u8]) -> std::io::Result<()> {
    let mut output = Output::stdout();
    output.line(line)?;
    output.flush()
}

/// What is wrong with a record; one of a newer format has its hash, too.
fn fault_of(line: &[u8]) -> Option<DecodeError> {
    Record::parse_newer(line).or_else(|_| Record::parse(line)).err()
}
