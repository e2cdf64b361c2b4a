//! Appends many events: reads lines, keeps many in flight so that they share writes and syncs, prints receipts.
//!
//! Invariants:
//! - a receipt is printed, whole and flushed, before anything is waited for that it does not need;
//! - every line that was taken is accounted for, on every way out;
//! - what is in flight is bounded, in lines here and in bytes by the log.
//!
//! It does not read the disk's answers: the log says what an append came to.

use std::io::{self, BufRead};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use indelible::{AppendError, AuditLog, Event, Pending, Receipt};

use super::account::{Account, Fate};
use super::advice::{Stop, Way};
use super::input::{LineError, Lines};
use crate::exit::Exit;
use crate::render::{self, Output};

/// Lines that may be in flight.
const IN_FLIGHT_MAX: usize = 4_096;

/// Appends every line, and says on stderr what became of them; gives what is recorded, in a sentence.
pub(super) fn append(
    log: &AuditLog,
    way: Way<'_>,
    lines: Lines<impl BufRead + Send>,
    receipts: Option<Output>,
    threads: u16,
) -> (Exit, String) {
    let run = Run {
        log,
        stopped: AtomicBool::new(false),
        at_end: AtomicBool::new(false),
        unnamed_in_doubt: AtomicBool::new(false),
        account: Mutex::default(),
        receipts: receipts.map(|output| Mutex::new(Receipts { output, failure: None })),
    };
    if threads > 1 {
        run.at_once(lines, threads);
    } else {
        run.in_order(lines);
    }
    let recorded = lock(&run.account).summary();
    (run.conclude(way), recorded)
}

struct Run<'a> {
    log: &'a AuditLog,
    /// Set once something failed: no further line is taken.
    stopped: AtomicBool,
    /// Set once there is no further line.
    at_end: AtomicBool,
    /// Set once an event without an `event_id` may or may not be recorded.
    unnamed_in_doubt: AtomicBool,
    account: Mutex<Account>,
    receipts: Option<Mutex<Receipts>>,
}

/// A line that was handed to the log.
struct Sent {
    line: Line,
    pending: Pending,
}

/// A line that holds an event.
#[derive(Clone, Copy)]
struct Line {
    number: u64,
    /// Whether its event has an `event_id`.
    named: bool,
}

impl Run<'_> {
    /// This thread reads and submits, another one waits and prints.
    fn in_order(&self, mut lines: Lines<impl BufRead>) {
        let (sender, receiver) = sync_channel(IN_FLIGHT_MAX);
        thread::scope(|scope| {
            scope.spawn(move || self.settle_all(&receiver));
            // Takes the sender with it, or the other thread would wait for ever.
            self.submit_all(&mut lines, sender);
        });
    }

    #[expect(
        clippy::needless_pass_by_value,
        reason = "dropping the sender tells the receiver that all was sent"
    )]
    fn submit_all(&self, lines: &mut Lines<impl BufRead>, sender: SyncSender<Sent>) {
        let mut text = Vec::new();
        while let Some(line) = self.take(lines, &mut text) {
            let Some((line, event)) = self.event(line, &text) else { continue };
            match self.log.submit(&event) {
                // The receiver is there until the sender is gone.
                Ok(pending) => drop(sender.send(Sent { line, pending })),
                Err(error) => self.failed(line, error),
            }
        }
    }

    fn settle_all(&self, receiver: &Receiver<Sent>) {
        loop {
            let sent = match receiver.try_recv() {
                Ok(sent) => sent,
                Err(TryRecvError::Disconnected) => break,
                Err(TryRecvError::Empty) => {
                    self.flush();
                    match receiver.recv() {
                        Ok(sent) => sent,
                        Err(_all_were_sent) => break,
                    }
                }
            };
            let outcome = sent.pending.try_get().unwrap_or_else(|| {
                self.flush();
                sent.pending.wait()
            });
            self.settled(sent.line, outcome);
        }
        self.flush();
    }

    /// Each of several threads takes a line, appends it, waits for it and prints its receipt.
    fn at_once(&self, lines: Lines<impl BufRead + Send>, threads: u16) {
        let lines = Mutex::new(lines);
        thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    let mut text = Vec::new();
                    while let Some(line) = self.take(&mut lock(&lines), &mut text) {
                        let Some((line, event)) = self.event(line, &text) else { continue };
                        self.settled(line, self.log.append(&event));
                        self.flush();
                    }
                });
            }
        });
    }

    /// Reads the next line; `None` at the end, where it can't be read, and once something failed.
    fn take(&self, lines: &mut Lines<impl BufRead>, text: &mut Vec<u8>) -> Option<u64> {
        if self.stopped.load(Ordering::Relaxed) {
            // Then there is nothing left to go on with.
            if lines.are_at_end() {
                self.at_end.store(true, Ordering::Relaxed);
            }
            return None;
        }
        match lines.next(text) {
            Ok(Some(line)) => Some(line),
            Ok(None) => {
                self.at_end.store(true, Ordering::Relaxed);
                None
            }
            Err(error) => {
                self.fail(lines.number(), Fate::Refused, error.into());
                None
            }
        }
    }

    /// The event on a line; `None` where there is none, which is accounted for.
    fn event(&self, number: u64, text: &[u8]) -> Option<(Line, Event)> {
        if text.trim_ascii().is_empty() {
            lock(&self.account).settle(number, Fate::Blank);
            return None;
        }
        match Event::from_json(text) {
            Ok(event) => Some((Line { number, named: event.has_event_id() }, event)),
            Err(error) => {
                self.fail(number, Fate::Refused, LineError::of(text, error));
                None
            }
        }
    }

    fn settled(&self, line: Line, outcome: Result<Receipt, AppendError>) {
        let receipt = match outcome {
            Ok(receipt) => receipt,
            Err(error) => return self.failed(line, error),
        };
        let seq = receipt.seq;
        let fate = if receipt.duplicate { Fate::Known { seq } } else { Fate::Recorded { seq } };
        lock(&self.account).settle(line.number, fate);
        self.with_receipts(|receipts| receipts.print(&receipt));
    }

    fn failed(&self, line: Line, error: AppendError) {
        let fate = if error.is_indeterminate() { Fate::Unknown } else { Fate::Refused };
        if fate == Fate::Unknown && !line.named {
            self.unnamed_in_doubt.store(true, Ordering::Relaxed);
        }
        self.fail(line.number, fate, error.into());
    }

    fn fail(&self, line: u64, fate: Fate, why: anyhow::Error) {
        lock(&self.account).fail(line, fate, why);
        self.stopped.store(true, Ordering::Relaxed);
    }

    fn flush(&self) {
        self.with_receipts(Receipts::flush);
    }

    /// Does something with the receipts; where they reach nobody any more, no further line is taken.
    fn with_receipts(&self, act: impl FnOnce(&mut Receipts)) {
        let Some(receipts) = &self.receipts else { return };
        let mut receipts = lock(receipts);
        act(&mut receipts);
        if receipts.failure.is_some() {
            self.stopped.store(true, Ordering::Relaxed);
        }
    }

    /// Says what became of the lines.
    fn conclude(self, way: Way<'_>) -> Exit {
        let mut account = self.account.into_inner().unwrap_or_else(PoisonError::into_inner);
        let receipts = self
            .receipts
            .map(|receipts| receipts.into_inner().unwrap_or_else(PoisonError::into_inner));
        let quiet = receipts.is_some();
        let failure = receipts.and_then(|receipts| receipts.failure);
        let unread =
            failure.as_ref().is_some_and(|failure| failure.kind() == io::ErrorKind::BrokenPipe);

        if let Some((line, why)) = account.take_fault() {
            let stop = Stop {
                line,
                rest: account.rest(),
                in_doubt: account.in_doubt(),
                all_named: !self.unnamed_in_doubt.into_inner(),
            };
            let advice = way.advice(&why, stop);
            render::error(&why.context(format!("{} line {line}", way.source)));
            render::note(&account);
            render::hint(advice);
            return Exit::CouldNot;
        }
        let at_end = self.at_end.into_inner();
        if let Some(failure) = failure.filter(|_| !(unread && at_end)) {
            if unread {
                render::note("nobody reads the receipts any more, so no further line was taken");
            } else {
                render::error(&failure.into());
            }
            if at_end {
                render::note(account.summary());
                render::hint("all of it is in the log: don't send it again");
            } else {
                render::note(account.to_string());
                render::hint(way.source.go_on(account.rest()));
            }
            return Exit::CouldNot;
        }
        if !quiet {
            render::note(account.summary());
        }
        Exit::Fine
    }
}

/// Where receipts go, and why they do not any more.
struct Receipts {
    output: Output,
    failure: Option<io::Error>,
}

impl Receipts {
    fn print(&mut self, receipt: &Receipt) {
        if self.failure.is_none() {
            self.failure = self.output.line(receipt.to_string().as_bytes()).err();
        }
    }

    fn flush(&mut self) {
        if self.failure.is_none() {
            self.failure = self.output.flush().err();
        }
    }
}

/// Locks, whatever a thread that panicked left: what is behind each lock is whole between statements.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
