//! `indelible tail`: prints the last records, and those that come.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use indelible::{Query, Reader};
use indelible_server::Code;
use indelible_server::client::{Client, ClientError, Following};
use indelible_server::proto::v1;
use signal_hook::consts::SIGINT;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::show::Reading;
use crate::exit::Exit;
use crate::flags::remote::Remote;
use crate::remote::Session;
use crate::render::{self, Output};
use crate::value;

const EXAMPLES: &str = "\
Examples:
  indelible tail audit                     the last 10 records
  indelible tail audit -n 100 | jq -c '[.timestamp,.actor,.action]'
  indelible tail audit -f -n 0             only what comes from now on
  indelible tail --server http://127.0.0.1:8600 -f

With -f it looks five times a second, over rotation and retention: each record
comes once, as soon as a checkpoint covers it, about a second after it was
written (--unsynced: at once). Records that retention removed before they
could be printed are told of on stderr. Ctrl-C ends it. With --server, a
service that is lost is tried again for a minute; stderr says so, and when it
is back.

Exit status: 0 done, also by Ctrl-C; 1 could not do it; 2 wrong usage.";

/// Print the last records, as stored, and with -f those that come
///
/// Oldest first. On a terminal, characters that could act on it are shown as \u…; into a file or a pipe go the exact
/// bytes.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Tail {
    /// The log's folder
    #[arg(value_name = "DIR", required_unless_present = "server")]
    dir: Option<PathBuf>,

    /// How many
    #[arg(
        short = 'n',
        long = "lines",
        value_name = "N",
        default_value_t = 10,
        value_parser = value::records,
        allow_negative_numbers = true
    )]
    count: u64,

    /// Go on with the records that come, until Ctrl-C
    #[arg(short = 'f', long)]
    follow: bool,

    #[command(flatten)]
    reading: Reading,

    #[command(flatten)]
    remote: Remote,
}

impl Tail {
    /// Prints the lines.
    pub(crate) fn run(self) -> anyhow::Result<Exit> {
        if let Some(url) = &self.remote.server {
            let session = Session::new(url, &self.remote)?;
            return session.wait(over_the_wire(&session.client, self.count, self.follow));
        }
        let reader = self.reading.open(&self.dir.unwrap_or_default())?;
        if self.follow {
            return follow(&reader, self.count);
        }
        let mut output = Output::stdout();
        let from = reader.records()?.saturating_sub(self.count);
        for record in reader.lines_from(from)? {
            output.line(&record?.line)?;
        }
        output.flush()?;
        Ok(Exit::Fine)
    }
}

/// As below, from a service.
async fn over_the_wire(client: &Client, count: u64, follow: bool) -> anyhow::Result<Exit> {
    let newest = v1::QueryRequest {
        order: v1::Order::NewestFirst.into(),
        limit: 1,
        ..v1::QueryRequest::default()
    };
    let newest = client.query(newest).next().await?;
    let end = newest.map_or(0, |record| record.seq.saturating_add(1));
    let from = end.saturating_sub(count);
    let mut output = Output::stdout();
    if count > 0 && end > 0 {
        let last = v1::QueryRequest {
            first_seq: from,
            last_seq: Some(end.saturating_sub(1)),
            ..v1::QueryRequest::default()
        };
        let mut found = client.query(last);
        loop {
            match found.next().await {
                Ok(Some(record)) => output.line(&record.line)?,
                Ok(None) => break,
                // Behind a fault that it can't go on behind, it has nothing more.
                Err(fault) if follow && is_data_loss(&fault) => {
                    output.flush()?;
                    render::warning(fault);
                }
                Err(error) => {
                    output.flush()?;
                    return Err(error.into());
                }
            }
        }
    }
    if follow {
        // Before the last line is out: who has seen it may interrupt.
        let interrupted =
            signal(SignalKind::interrupt()).context("could not prepare for Ctrl-C")?;
        output.flush()?;
        let request = v1::TailRequest { from_seq: Some(end), ..v1::TailRequest::default() };
        print_what_comes(client.tail(request), &mut output, interrupted).await?;
    }
    output.flush()?;
    Ok(Exit::Fine)
}

/// Whether a place of the log could not be read.
fn is_data_loss(error: &ClientError) -> bool {
    error.code() == Some(Code::DataLoss.as_str())
}

/// Prints records until somebody interrupts or nobody reads; what can't be read is told, once for each place.
async fn print_what_comes(
    mut following: Following,
    output: &mut Output,
    mut interrupted: Signal,
) -> anyhow::Result<()> {
    let mut looks = tokio::time::interval(Reader::FOLLOW_INTERVAL);
    let mut behind = None;
    loop {
        let mut next = std::pin::pin!(following.next());
        let record = loop {
            tokio::select! {
                record = &mut next => break record,
                _ = interrupted.recv() => return Ok(()),
                _ = looks.tick() => {
                    if !render::wait(Duration::ZERO) {
                        return Ok(());
                    }
                }
            }
        };
        match record {
            Ok(record) => output.line(&record.line)?,
            // Each time that is further on, whatever the service says.
            Err(fault) if is_data_loss(&fault) && fault.resume() > behind => {
                behind = fault.resume();
                render::warning(fault);
            }
            Err(error) => return Err(error.into()),
        }
        output.flush()?;
    }
}

/// Prints the last `count` records and what comes, until somebody interrupts or nobody reads.
fn follow(reader: &Reader, count: u64) -> anyhow::Result<Exit> {
    let interrupted = Arc::new(AtomicBool::new(false));
    // A second Ctrl-C ends it the hard way, should the first not be heard.
    signal_hook::flag::register_conditional_default(SIGINT, Arc::clone(&interrupted))
        .and_then(|_| signal_hook::flag::register(SIGINT, Arc::clone(&interrupted)))
        .context("could not prepare for Ctrl-C")?;
    let from = reader.records()?.saturating_sub(count).max(reader.first_seq()?);
    let mut following = reader.follow(&Query::new(), from);
    let mut output = Output::stdout();
    while !interrupted.load(Ordering::Relaxed) {
        match following.next_ready() {
            Some(Ok(record)) => output.line(&record.line)?,
            Some(Err(fault)) if fault.is_local() => {
                output.flush()?;
                render::warning(fault);
            }
            Some(Err(error)) => {
                output.flush()?;
                return Err(error.into());
            }
            None => {
                output.flush()?;
                if !render::wait(Reader::FOLLOW_INTERVAL) {
                    break;
                }
            }
        }
    }
    output.flush()?;
    Ok(Exit::Fine)
}
