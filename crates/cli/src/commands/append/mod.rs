//! `indelible append`: records one event, or as many as a file or a pipe has.

mod account;
mod advice;
mod field;
mod input;
mod over_the_wire;
mod stream;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::Args;
use indelible::format::identity::Origin;
use indelible::{AuditLog, Event, OpenError, Options, Outcome};

use self::advice::Way;
use self::input::Source;
use super::{init, recovery};
use crate::exit::Exit;
use crate::flags::Opening;
use crate::flags::remote::Remote;
use crate::hint::quote;
use crate::render::{self, Output};
use crate::value;

const EXAMPLES: &str = "\
Examples:
  indelible append audit --actor user:mia --action login \\
    --resource app:console --outcome success
  indelible append audit --file events.jsonl
  my-program | indelible append audit --file - --receipts > receipts.jsonl
  indelible append audit --file events.jsonl \\
    --max-file-size 64MiB --max-files 20
  indelible append --server http://127.0.0.1:8600 --file events.jsonl

A line of events.jsonl, with all that must be in it:
  {\"actor\":\"user:mia\",\"action\":\"login\",\"resource\":\"app:console\"}

And with all that may be in it (on one line):
  {\"event_id\":\"e-7\",\"event_time\":\"2026-01-02T03:04:05Z\",\"actor\":\"agent:7\",
   \"action\":\"tool.call:read_file\",\"resource\":\"file:/etc/hosts\",
   \"outcome\":\"success\",\"parent_id\":\"e-6\",\"session\":{\"id\":\"s-1\"},
   \"metadata\":{\"bytes\":220}}

Where something goes wrong half-way, the same file can be sent again: an event
whose event_id was recorded with the same content in the last ten minutes, or
among the last 100,000 records, is not recorded twice. The memory for ids is
bounded; it is told when some had to be forgotten earlier.

With --server, what a service does not take is tried again for a minute, and
for five seconds where it has not answered at all; stderr says so at once. A
full disk of the service is not waited for.

Exit status: 0 all is recorded; 1 could not do it, or not all of it: stderr
says which lines are recorded; 2 wrong usage, nothing is recorded.";

/// Record events; when it returns, they are on the disk
///
/// Takes one event from flags, or many from a file or a pipe, as JSON Lines: one JSON object a line, empty lines skipped.
/// Lines are recorded in order. At the first line that is no event it stops, and says which lines are recorded and which are
/// not.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Append {
    /// The log's folder
    #[arg(value_name = "DIR", required_unless_present = "server")]
    dir: Option<PathBuf>,

    #[command(flatten)]
    event: OneEvent,

    #[command(flatten)]
    stream: Streaming,

    #[command(flatten)]
    growth: Growth,

    #[command(flatten)]
    opening: Opening,

    #[command(flatten)]
    remote: Remote,
}

/// One event, field by field.
#[derive(Debug, Args)]
#[command(next_help_heading = "One event")]
struct OneEvent {
    /// Who did it, such as user:mia
    #[arg(long, value_name = "WHO", value_parser = field::actor, required_unless_present = "file", conflicts_with = "file")]
    actor: Option<String>,

    /// What was done, such as login
    #[arg(long, value_name = "WHAT", value_parser = field::action, required_unless_present = "file", conflicts_with = "file")]
    action: Option<String>,

    /// To what, such as app:console
    #[arg(long, value_name = "TO-WHAT", value_parser = field::resource, required_unless_present = "file", conflicts_with = "file")]
    resource: Option<String>,

    /// How it went: success, failure, denied or unknown
    #[arg(long, value_name = "OUTCOME", conflicts_with = "file")]
    outcome: Option<Outcome>,

    /// The event's own id: the same id with the same content is recorded once
    #[arg(long, value_name = "ID", value_parser = field::event_id, conflicts_with = "file")]
    event_id: Option<String>,

    /// When it happened, as RFC 3339 (2026-01-02T03:04:05Z); when it is recorded is the log's to say
    #[arg(long, value_name = "TIME", value_parser = field::event_time, conflicts_with = "file")]
    event_time: Option<String>,

    /// The id of the event that caused this one
    #[arg(long, value_name = "ID", value_parser = field::parent_id, conflicts_with = "file")]
    parent_id: Option<String>,

    /// The session in which it happened, a JSON object
    #[arg(long, value_name = "JSON", value_parser = field::session, conflicts_with = "file")]
    session: Option<String>,

    /// Anything else, a JSON object
    #[arg(long, value_name = "JSON", value_parser = field::metadata, conflicts_with = "file")]
    metadata: Option<String>,
}

/// Many events.
#[derive(Debug, Args)]
#[command(next_help_heading = "Many events")]
struct Streaming {
    /// Read events from FILE, or from stdin with `-`, one JSON object a line
    #[arg(long, value_name = "FILE|-")]
    file: Option<PathBuf>,

    /// Print a receipt for each event as soon as it is durable, one JSON line each
    ///
    /// It says which log, which seq, when and under which hash, and "duplicate":true where the event had been recorded
    /// before. Who keeps receipts can show later that an event was in the log.
    #[arg(long)]
    receipts: bool,

    /// Append from N threads, each waiting for its own event; with more than 1, the order of lines is not kept
    #[arg(
        long,
        value_name = "N",
        default_value_t = 1,
        value_parser = value::threads,
        allow_negative_numbers = true,
        requires = "file",
        conflicts_with_all = ["actor", "action", "resource"]
    )]
    threads: u16,
}

/// How the log grows, and whether it may begin here.
#[derive(Debug, Args)]
#[command(next_help_heading = "The log")]
struct Growth {
    /// Rotate audit.log at this size: bytes, or 256KiB, 64MiB …; at least 192KiB [default: 64MiB]
    #[arg(long, value_name = "SIZE", env = "INDELIBLE_MAX_FILE_SIZE", value_parser = value::max_file_size)]
    max_file_size: Option<u64>,

    /// Keep so many rotated files, and remove older ones, with a signed record of it [default: keep all]
    #[arg(long, value_name = "N", env = "INDELIBLE_MAX_FILES", value_parser = value::max_files)]
    max_files: Option<u32>,

    /// Sign a checkpoint at most so long after a record: 500ms, 1s, 2m [default: 1s]
    #[arg(long, value_name = "TIME", env = "INDELIBLE_CHECKPOINT_INTERVAL", value_parser = value::checkpoint_interval)]
    checkpoint_interval: Option<Duration>,

    /// Make the log if there is none, as `init` does
    ///
    /// Without it a missing folder is an error, since a volume that isn't mounted must not begin a new history.
    #[arg(long)]
    create: bool,

    /// The name of a log that --create makes, as for `init`; a log of another name is not appended to
    #[arg(long, value_name = "NAME", env = "INDELIBLE_ORIGIN")]
    origin: Option<Origin>,
}

impl Append {
    /// Opens the log, records what came, closes it.
    pub(crate) fn run(self: Box<Self>) -> anyhow::Result<Exit> {
        let source = self.stream.file.as_deref().map(Source::named);
        // A file that is not there is told before a log is opened for it.
        let lines = match &source {
            Some(source) => {
                Some(source.open().with_context(|| format!("could not open {source}"))?)
            }
            None => None,
        };
        if let Some(url) = self.remote.server.clone() {
            return self.over_the_wire(&url, source, lines);
        }
        let dir = self.dir.clone().unwrap_or_default();
        let log = self.open(&dir)?;
        let records = log.records();
        let (exit, recorded) = match (source, lines) {
            (Some(source), Some(lines)) => {
                let receipts = self.stream.receipts.then(|| Output::of("the receipts"));
                let way = Way { dir: &dir, source: &source };
                if source.is_a_terminal() {
                    render::note(
                        "reading events from the terminal, one JSON object a line; end with Ctrl-D",
                    );
                }
                stream::append(&log, way, lines, receipts, self.stream.threads)
            }
            (_, _) => one(&log, &dir, &self.event.event(), self.stream.receipts)?,
        };
        let forgotten = log.idempotency_forgotten_early();
        if forgotten > 0 {
            render::note(format_args!(
                "{forgotten} event ids were forgotten before their time, since the memory for them is full: \
                 those events would be recorded again if they were sent again"
            ));
        }
        if let Some(left) = log.not_removed() {
            render::note(format_args!(
                "old segments that were pruned are still there, {} of them: {}; it is tried again at the next rotation \
                 and the next opening",
                left.segments, left.failure
            ));
        }
        match log.close() {
            Ok(()) => Ok(exit),
            // Why it halted was told with the event that met it.
            Err(_) if exit == Exit::CouldNot && log.halted().is_some() => Ok(exit),
            Err(error) if exit == Exit::Fine => {
                render::error(&error.into());
                if log.records() == records {
                    return Ok(Exit::CouldNot);
                }
                // Who gets receipts was not told yet.
                let recorded = if self.stream.receipts { recorded } else { "recorded".to_owned() };
                render::note(format_args!(
                    "{recorded}: all of it is durable, and only the last checkpoint failed"
                ));
                render::hint(format_args!(
                    "don't send it again; once the cause is mended, `indelible checkpoint {}` or the next append makes \
                     the checkpoint",
                    quote(&dir)
                ));
                Ok(Exit::CouldNot)
            }
            Err(error) => Err(error.into()),
        }
    }

    fn open(&self, dir: &Path) -> anyhow::Result<AuditLog> {
        let options = self.growth.apply(self.opening.options());
        match AuditLog::open(dir, options.clone()) {
            Ok(log) => {
                recovery::tell(log.recovery());
                let (asked, origin) = (self.growth.origin.as_ref(), log.identity().origin());
                if let Some(asked) = asked.filter(|asked| *asked != origin) {
                    bail!(
                        "{}: this log is called {origin}, not {asked} (--origin or INDELIBLE_ORIGIN): nothing was appended",
                        dir.display()
                    );
                }
                Ok(log)
            }
            Err(OpenError::NotFound { .. }) if self.growth.create => {
                let log = init::create(dir, options, self.growth.origin.clone())?;
                let key = log.identity().verifier_key().to_string();
                init::explain(dir, self.opening.placing.key_file.as_deref(), &key);
                Ok(log)
            }
            Err(error) => Err(error.into()),
        }
    }
}

impl Growth {
    fn apply(&self, mut options: Options) -> Options {
        if let Some(bytes) = self.max_file_size {
            options = options.with_max_file_size(bytes);
        }
        if let Some(count) = self.max_files {
            options = options.with_max_files(count);
        }
        if let Some(interval) = self.checkpoint_interval {
            options = options.with_checkpoint_interval(interval);
        }
        options
    }
}

impl OneEvent {
    fn event(self) -> Event {
        // The three are there: clap asks for them wherever there is no --file.
        let mut event = Event::new(
            self.actor.unwrap_or_default(),
            self.action.unwrap_or_default(),
            self.resource.unwrap_or_default(),
        );
        if let Some(outcome) = self.outcome {
            event = event.outcome(outcome);
        }
        if let Some(id) = self.event_id {
            event = event.event_id(id);
        }
        if let Some(time) = self.event_time {
            event = event.event_time(time);
        }
        if let Some(id) = self.parent_id {
            event = event.parent_id(id);
        }
        if let Some(json) = self.session {
            event = event.session_raw(json);
        }
        if let Some(json) = self.metadata {
            event = event.metadata_raw(json);
        }
        event
    }
}

/// Records one event; gives what is recorded, in a sentence.
fn one(
    log: &AuditLog,
    dir: &Path,
    event: &Event,
    with_receipt: bool,
) -> anyhow::Result<(Exit, String)> {
    let receipt = match log.append(event) {
        Ok(receipt) => receipt,
        Err(error) if error.is_indeterminate() => {
            render::error(&error.into());
            render::hint(advice::in_doubt(dir, 1, event.has_event_id()));
            return Ok((Exit::CouldNot, String::new()));
        }
        Err(error) => return Err(error.into()),
    };
    let told = if receipt.duplicate {
        format!("1 event had been recorded before, as seq {}", receipt.seq)
    } else {
        format!("recorded 1 event as seq {}", receipt.seq)
    };
    if !with_receipt {
        render::note(&told);
        return Ok((Exit::Fine, told));
    }
    let mut output = Output::of("the receipt");
    let printed = output.line(receipt.to_string().as_bytes()).and_then(|()| output.flush());
    match printed {
        Err(why) if why.kind() != std::io::ErrorKind::BrokenPipe => {
            render::error(&why.into());
            render::note(&told);
            render::hint(format_args!(
                "it is in the log: don't send it again; `indelible show {} {}` shows it",
                quote(dir),
                receipt.seq
            ));
            Ok((Exit::CouldNot, told))
        }
        Ok(()) | Err(_) => Ok((Exit::Fine, told)),
    }
}
