//! A query to a running service.

use anyhow::Context as _;
use indelible_server::Code;
use indelible_server::client::{ClientError, Found, ServerUrl};
use indelible_server::proto::v1;

use super::{Faults, Filters, Find, Form};
use crate::exit::Exit;
use crate::remote::Session;
use crate::render::{self, Output, RecordTable};
use crate::table::Shown;

impl Find {
    /// Prints what the service finds.
    pub(super) fn over_the_wire(self, url: &ServerUrl) -> anyhow::Result<Exit> {
        let session = Session::new(url, &self.remote)?;
        let (first_seq, last_seq) = self.range.seq.unwrap_or((0, None));
        let mut filter = self.filters.message();
        if let Some(since) = &self.range.since {
            filter.since = since.timestamp.to_string();
        }
        if let Some(until) = &self.range.until {
            filter.until = until.timestamp.to_string();
        }
        let order = if self.reverse { v1::Order::NewestFirst } else { v1::Order::OldestFirst };
        if self.limit == Some(0) {
            return print_nothing(self.count);
        }
        let found = session.client.query(v1::QueryRequest {
            filter: Some(filter),
            first_seq,
            last_seq,
            order: order.into(),
            limit: self.limit.unwrap_or(0),
            ..v1::QueryRequest::default()
        });
        let form = self
            .output
            .unwrap_or_else(|| if render::is_terminal() { Form::Table } else { Form::Jsonl });
        let mut found = Readable { found, faults: 0 };
        session.wait(async {
            match (self.count, form) {
                (true, _) => print_count(&mut found).await,
                (false, Form::Table) => print_table(&mut found).await,
                (false, Form::Jsonl) => print_lines(&mut found).await,
            }
        })?;
        Ok(found.exit(url))
    }
}

/// What is found, but for places that the service could not read: it tells of these and goes on behind them.
struct Readable {
    found: Found,
    faults: u64,
}

impl Readable {
    async fn next(&mut self) -> Result<Option<v1::Record>, ClientError> {
        loop {
            match self.found.next().await {
                Err(fault) if fault.code() == Some(Code::DataLoss.as_str()) => {
                    self.faults += 1;
                    if self.faults <= Faults::TOLD_MAX {
                        render::warning(fault);
                    }
                }
                other => return other,
            }
        }
    }

    fn exit(&self, url: &ServerUrl) -> Exit {
        if self.faults == 0 {
            return Exit::Fine;
        }
        let places = if self.faults == 1 { "place" } else { "places" };
        render::note(format_args!(
            "{} {places} could not be read as they should; what could be is printed",
            self.faults
        ));
        render::hint(format_args!("`indelible verify --server {url}` says what is wrong"));
        Exit::CouldNot
    }
}

/// No record was asked for, which on the wire would mean all of them.
fn print_nothing(count: bool) -> anyhow::Result<Exit> {
    if count {
        let mut output = Output::stdout();
        output.text("0")?;
        output.flush()?;
    }
    Ok(Exit::Fine)
}

async fn print_count(found: &mut Readable) -> anyhow::Result<()> {
    let mut count: u64 = 0;
    while found.next().await?.is_some() {
        count += 1;
    }
    let mut output = Output::stdout();
    output.text(&count.to_string())?;
    output.flush()?;
    Ok(())
}

async fn print_lines(found: &mut Readable) -> anyhow::Result<()> {
    let mut output = Output::stdout();
    let ended = loop {
        match found.next().await {
            Ok(Some(record)) => output.line(&record.line)?,
            Ok(None) => break Ok(()),
            Err(error) => break Err(error),
        }
    };
    // What came before an error is printed all the same.
    output.flush()?;
    Ok(ended?)
}

async fn print_table(found: &mut Readable) -> anyhow::Result<()> {
    let mut table = RecordTable::stdout();
    while let Some(record) = found.next().await? {
        let shown = Shown::of(&record.line);
        table.record(shown.with_context(|| format!("record {}", record.seq))?)?;
    }
    if !table.finish()? {
        render::note("nothing matches");
    }
    Ok(())
}

impl Filters {
    fn message(&self) -> v1::Filter {
        let text = |glob: &Option<indelible::Glob>| {
            glob.as_ref().map(ToString::to_string).unwrap_or_default()
        };
        let member = |(path, glob): &(indelible::SessionPath, indelible::Glob)| v1::SessionFilter {
            path: path.to_string(),
            glob: glob.to_string(),
        };
        v1::Filter {
            actor: text(&self.actor),
            action: text(&self.action),
            resource: text(&self.resource),
            outcome: text(&self.outcome),
            event_id: text(&self.event_id),
            recorded_by: text(&self.recorded_by),
            session: self.session.iter().map(member).collect(),
            ..v1::Filter::default()
        }
    }
}
