//! `indelible query`: finds records by what they say and by when they were written.

mod over_the_wire;
mod time;

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use indelible::{Glob, Matches, Order, Query, ReadError, Reader, SessionPath};

use super::show::Reading;
use crate::exit::Exit;
use crate::flags::remote::Remote;
use crate::hint::quote;
use crate::render::{self, Output, RecordTable};
use crate::table::Shown;
use crate::value;

const EXAMPLES: &str = "\
Examples:
  indelible query audit --actor 'agent:*' --outcome denied --since 2h
  indelible query audit --session user=mia_li_3668 --reverse --limit 20
  indelible query audit --since 2026-11-01 --until 2026-12-01 --count
  indelible query audit --seq 100..199 | jq -c '[.seq,.actor,.action]'
  indelible query --server http://127.0.0.1:8600 --actor 'agent:*' --limit 20

Patterns: * stands for any run of characters, ? for one, \\ takes the character
after it as it is; everything else stands for itself, case counts, and a
pattern is held against the whole value. All that is given must hold.

A query reads, it does not verify: of a damaged line that might match, and of
records that are absent, it tells on stderr and goes on; lines that can't
match it does not look at.

Exit status: 0 done, also where nothing matches; 1 could not do it, or
something could not be read; 2 wrong usage.";

/// Find records by what they say and by when they were written
///
/// On a terminal the records come as a table, in which long values are cut with …; into a file or a pipe go the stored
/// lines, byte for byte, one a line.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Find {
    /// The log's folder
    #[arg(value_name = "DIR", required_unless_present = "server")]
    dir: Option<PathBuf>,

    /// Newest first; what lies before the last match is not read
    #[arg(long)]
    reverse: bool,

    /// No more than so many records
    #[arg(long, value_name = "N", value_parser = value::limit, allow_negative_numbers = true)]
    limit: Option<u64>,

    /// Print only how many there are
    #[arg(long, conflicts_with = "output")]
    count: bool,

    /// How to print: a table for people, or the stored lines; by default a table on a terminal only
    #[arg(long, value_name = "FORM")]
    output: Option<Form>,

    #[command(flatten)]
    reading: Reading,

    // Last, since their headings hold for what follows.
    #[command(flatten)]
    filters: Filters,

    #[command(flatten)]
    range: Range,

    #[command(flatten)]
    remote: Remote,
}

/// What records must say.
#[derive(Debug, Args)]
#[command(next_help_heading = "What records say")]
struct Filters {
    /// Who did it
    #[arg(long, value_name = "PATTERN", value_parser = value::pattern)]
    actor: Option<Glob>,

    /// What was done
    #[arg(long, value_name = "PATTERN", value_parser = value::pattern)]
    action: Option<Glob>,

    /// To what it was done
    #[arg(long, value_name = "PATTERN", value_parser = value::pattern)]
    resource: Option<Glob>,

    /// How it ended: success, failure, denied or unknown
    #[arg(long, value_name = "PATTERN", value_parser = value::outcome_pattern)]
    outcome: Option<Glob>,

    /// The client's id of the event
    #[arg(long, value_name = "PATTERN", value_parser = value::pattern)]
    event_id: Option<Glob>,

    /// The authenticated principal that the service wrote down
    #[arg(long, value_name = "PATTERN", value_parser = value::pattern)]
    recorded_by: Option<Glob>,

    /// A member of the session, as PATH=PATTERN: user=mia*, user.id=7; may be given several times
    ///
    /// PATH is names divided by dots; a \ before a dot that belongs to a name. Strings match by what they say, numbers, true
    /// and false by how they are written: 1.0 is not 1.
    #[arg(long, value_name = "PATH=PATTERN", value_parser = value::session_member)]
    session: Vec<(SessionPath, Glob)>,
}

/// When records were written.
#[derive(Debug, Args)]
#[command(next_help_heading = "When they were written")]
struct Range {
    /// At or after: a time ago (2h, 3d, 1w 2d), a day (2026-11-24, in UTC), or a time (2026-11-24T10:00:00Z)
    #[arg(long, value_name = "TIME", value_parser = time::parse, allow_hyphen_values = true)]
    since: Option<time::Moment>,

    /// Before: in the same forms
    #[arg(long, value_name = "TIME", value_parser = time::parse, allow_hyphen_values = true)]
    until: Option<time::Moment>,

    /// Sequence numbers, both ends included: 100..199, 100.., ..199, or one alone
    #[arg(long, value_name = "A..B", value_parser = value::seq_range, allow_hyphen_values = true)]
    seq: Option<(u64, Option<u64>)>,
}

/// How records are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Form {
    /// A table, as wide as the terminal
    Table,
    /// The stored lines (JSON Lines)
    Jsonl,
}

impl Filters {
    fn add_to(self, query: Query) -> Query {
        type With = fn(Query, Glob) -> Query;
        let given: [(Option<Glob>, With); 6] = [
            (self.actor, Query::with_actor),
            (self.action, Query::with_action),
            (self.resource, Query::with_resource),
            (self.outcome, Query::with_outcome),
            (self.event_id, Query::with_event_id),
            (self.recorded_by, Query::with_recorded_by),
        ];
        let query = given.into_iter().fold(query, |query, (glob, with)| match glob {
            Some(glob) => with(query, glob),
            None => query,
        });
        self.session.into_iter().fold(query, |query, (path, glob)| query.with_session(path, glob))
    }
}

impl Range {
    /// Says why no record can be in it.
    fn contradiction(&self) -> Option<String> {
        let (since, until) = (self.since.as_ref()?, self.until.as_ref()?);
        (since.timestamp >= until.timestamp).then(|| {
            format!(
                "nothing is at or after --since {since} and before --until {until}: these are {} and {}",
                since.timestamp, until.timestamp
            )
        })
    }

    fn add_to(&self, mut query: Query) -> Query {
        if let Some(since) = &self.since {
            query = query.with_since(since.timestamp);
        }
        if let Some(until) = &self.until {
            query = query.with_until(until.timestamp);
        }
        if let Some((first, last)) = self.seq {
            query = query.with_seq(first, last);
        }
        query
    }

    /// Says where records that were asked for are no more.
    fn tell_of_pruned(&self, reader: &Reader) {
        let Some((asked, _)) = self.seq else { return };
        // Whatever stands in the way of an answer is told by the query itself.
        if let Ok(first) = reader.first_seq()
            && asked < first
        {
            render::note(format_args!("records before {first} were pruned"));
        }
    }
}

impl Find {
    /// Prints what is found; the exit status says whether all could be read.
    pub(crate) fn run(self) -> anyhow::Result<Exit> {
        if let Some(why) = self.range.contradiction() {
            render::note(why);
            return Ok(Exit::Usage);
        }
        if let Some(url) = self.remote.server.clone() {
            return self.over_the_wire(&url);
        }
        let dir = self.dir.unwrap_or_default();
        let reader = self.reading.open(&dir)?;
        self.range.tell_of_pruned(&reader);
        let mut query = self.range.add_to(self.filters.add_to(Query::new()));
        if self.reverse {
            query = query.with_order(Order::NewestFirst);
        }
        if let Some(limit) = self.limit {
            query = query.with_limit(limit);
        }
        let matches = reader.query(&query)?;
        let mut faults = Faults::default();
        if self.count {
            let counted = matches.count_all()?;
            faults.count = counted.faults;
            if let Some(fault) = counted.first_fault {
                render::warning(fault);
            }
            let mut output = Output::stdout();
            output.text(&counted.matching.to_string())?;
            output.flush()?;
            return Ok(faults.exit(&dir));
        }
        let form = self
            .output
            .unwrap_or_else(|| if render::is_terminal() { Form::Table } else { Form::Jsonl });
        match form {
            Form::Table => print_table(matches, &mut faults)?,
            Form::Jsonl => print_lines(matches, &mut faults)?,
        }
        Ok(faults.exit(&dir))
    }
}

fn print_lines(matches: Matches, faults: &mut Faults) -> anyhow::Result<()> {
    let mut output = Output::stdout();
    for item in matches {
        match item {
            Ok(record) => output.line(&record.line)?,
            Err(fault) => faults.tell(fault)?,
        }
    }
    output.flush()?;
    Ok(())
}

fn print_table(matches: Matches, faults: &mut Faults) -> anyhow::Result<()> {
    let mut table = RecordTable::stdout();
    for item in matches {
        match item {
            Ok(record) => {
                let shown = Shown::of(&record.line);
                table.record(shown.with_context(|| format!("record {}", record.seq))?)?;
            }
            Err(fault) => faults.tell(fault)?,
        }
    }
    if !table.finish()? {
        render::note("nothing matches");
    }
    Ok(())
}

/// What could not be read and was passed over.
#[derive(Debug, Default)]
struct Faults {
    count: u64,
}

impl Faults {
    /// So many are told one by one.
    const TOLD_MAX: u64 = 10;

    /// Tells of a fault behind which the query goes on; any other ends it.
    fn tell(&mut self, fault: ReadError) -> Result<(), ReadError> {
        if !fault.is_local() {
            return Err(fault);
        }
        self.count += 1;
        if self.count <= Self::TOLD_MAX {
            render::warning(fault);
        }
        Ok(())
    }

    fn exit(&self, dir: &Path) -> Exit {
        if self.count == 0 {
            return Exit::Fine;
        }
        let places = if self.count == 1 { "place" } else { "places" };
        render::note(format_args!(
            "{} {places} could not be read as they should; what could be is printed",
            self.count
        ));
        render::hint(format_args!("`indelible verify {}` says what is wrong", quote(dir)));
        Exit::CouldNot
    }
}
