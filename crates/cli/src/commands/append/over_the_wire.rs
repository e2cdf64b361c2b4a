//! Appends to a running service: one event, or many of which many are in flight.
//!
//! Invariants as in `stream`: a receipt is printed whole; every line that was taken is accounted for on every way out.

use std::io::BufRead;
use std::thread;

use indelible::{Event, Receipt};
use indelible_server::client::{Appending, ClientError, ServerUrl};
use tokio::sync::mpsc::{self, error::TryRecvError};

use super::Append;
use super::account::{Account, Fate};
use super::input::{LineError, Lines, Source};
use crate::exit::Exit;
use crate::remote::Session;
use crate::render::{self, Output};

/// Lines that are read ahead.
const AHEAD_MAX: usize = 1_024;

impl Append {
    /// Records what came, over the service at `url`.
    pub(super) fn over_the_wire(
        self,
        url: &ServerUrl,
        source: Option<Source>,
        lines: Option<Lines<Box<dyn BufRead + Send>>>,
    ) -> anyhow::Result<Exit> {
        let session = Session::new(url, &self.remote)?;
        if let (Some(source), Some(lines)) = (source, lines) {
            let receipts = self.stream.receipts.then(|| Output::of("the receipts"));
            return Ok(many(&session, &source, lines, receipts));
        }
        let receipt = match session.wait(session.client.append(&self.event.event())) {
            Ok(receipt) => receipt,
            Err(error) => {
                let written = if error.is_indeterminate() {
                    "the event may or may not be recorded"
                } else {
                    "the event was not written"
                };
                return Err(anyhow::Error::new(error).context(written));
            }
        };
        let seq = receipt.seq;
        if self.stream.receipts {
            let mut output = Output::of("the receipt");
            output.line(receipt.to_string().as_bytes())?;
            output.flush()?;
        } else if receipt.duplicate {
            render::note(format_args!("1 event had been recorded before, as seq {seq}"));
        } else {
            render::note(format_args!("recorded 1 event as seq {seq}"));
        }
        Ok(Exit::Fine)
    }
}

/// What is read from the input: a line that holds an event, an empty one, or why it went no further.
type Read = (u64, Result<Option<Event>, anyhow::Error>);

fn many(
    session: &Session,
    source: &Source,
    lines: Lines<impl BufRead + Send + 'static>,
    receipts: Option<Output>,
) -> Exit {
    let (sender, read) = mpsc::channel(AHEAD_MAX);
    // Not waited for: it may sit in a read that never ends.
    drop(thread::spawn(move || read_all(lines, &sender)));
    let mut run = Run { account: Account::default(), receipts, unread: None };
    let lost = session.wait(run.append(session.client.append_many(), read));
    run.conclude(source, lost.err())
}

/// Reads lines until there is none, one is no event, or nobody wants more.
fn read_all(mut lines: Lines<impl BufRead>, sender: &mpsc::Sender<Read>) {
    let mut text = Vec::new();
    loop {
        let read = match lines.next(&mut text) {
            Ok(None) => return,
            Ok(Some(number)) if text.trim_ascii().is_empty() => (number, Ok(None)),
            Ok(Some(number)) => {
                let event = Event::from_json(&text);
                (number, event.map(Some).map_err(|error| LineError::of(&text, error)))
            }
            Err(error) => (lines.number(), Err(error.into())),
        };
        let is_last = read.1.is_err();
        if sender.blocking_send(read).is_err() || is_last {
            return;
        }
    }
}

struct Run {
    account: Account,
    receipts: Option<Output>,
    /// Why the receipts reach nobody any more.
    unread: Option<std::io::Error>,
}

impl Run {
    /// Appends what is read until it ends or something fails.
    async fn append(
        &mut self,
        mut appending: Appending,
        mut read: mpsc::Receiver<Read>,
    ) -> Result<(), ClientError> {
        let mut at_end = false;
        loop {
            while !at_end && appending.has_room() {
                let next = if appending.in_flight() > 0 {
                    match read.try_recv() {
                        Ok(next) => Some(next),
                        Err(TryRecvError::Empty) => break,
                        Err(TryRecvError::Disconnected) => None,
                    }
                } else {
                    self.flush();
                    read.recv().await
                };
                at_end = next.is_none_or(|(line, what)| !self.send(&mut appending, line, what));
            }
            match appending.next().await? {
                Some((line, outcome)) => at_end |= !self.settle(line, outcome),
                None if at_end => return Ok(()),
                None => {}
            }
        }
    }

    /// Sends the event on a line; false where no further line is to be taken.
    fn send(
        &mut self,
        appending: &mut Appending,
        line: u64,
        what: Result<Option<Event>, anyhow::Error>,
    ) -> bool {
        let failed = match what {
            Ok(None) => {
                self.account.settle(line, Fate::Blank);
                return true;
            }
            Ok(Some(event)) => match appending.send(line, &event) {
                Ok(()) => return true,
                Err(error) => error.into(),
            },
            Err(error) => error,
        };
        self.account.fail(line, Fate::Refused, failed);
        false
    }

    /// Takes note of what became of a line; false where no further line is to be taken.
    fn settle(&mut self, line: u64, outcome: Result<Receipt, ClientError>) -> bool {
        let receipt = match outcome {
            Ok(receipt) => receipt,
            Err(error) => {
                let fate = if error.is_indeterminate() { Fate::Unknown } else { Fate::Refused };
                self.account.fail(line, fate, error.into());
                return false;
            }
        };
        let seq = receipt.seq;
        let fate = if receipt.duplicate { Fate::Known { seq } } else { Fate::Recorded { seq } };
        self.account.settle(line, fate);
        if let Some(output) = &mut self.receipts
            && self.unread.is_none()
        {
            self.unread = output.line(receipt.to_string().as_bytes()).err();
        }
        self.unread.is_none()
    }

    fn flush(&mut self) {
        if let Some(output) = &mut self.receipts
            && self.unread.is_none()
        {
            self.unread = output.flush().err();
        }
    }

    /// Says what became of the lines.
    fn conclude(mut self, source: &Source, lost: Option<ClientError>) -> Exit {
        self.flush();
        if let Some(error) = lost {
            render::error(&error.into());
            render::note(self.account.to_string());
            render::hint(format_args!(
                "lines that were on their way may or may not be recorded: {}; those with an event_id are not recorded \
                 twice",
                source.go_on(self.account.rest())
            ));
            return Exit::CouldNot;
        }
        if let Some((line, why)) = self.account.take_fault() {
            let hint = crate::hint::of(&why, std::path::Path::new("DIR"));
            render::error(&why.context(format!("{source} line {line}")));
            render::note(self.account.to_string());
            render::hint(hint.unwrap_or_else(|| source.resume(self.account.rest())));
            return Exit::CouldNot;
        }
        if let Some(why) = self.unread.filter(|why| why.kind() != std::io::ErrorKind::BrokenPipe) {
            render::error(&why.into());
            render::note(self.account.to_string());
            return Exit::CouldNot;
        }
        if self.receipts.is_none() {
            render::note(self.account.summary());
        }
        Exit::Fine
    }
}
