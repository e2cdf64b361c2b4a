//! A client that sends an event until it holds a receipt.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use indelible::Receipt;

use crate::command;
use crate::http::{Answer, Connection, is_hung_up};
use crate::threads::text_of;

/// A service that takes so long to answer, or to come back, has a fault.
const PATIENCE: Duration = Duration::from_secs(20);
/// How often a service that is not there is tried.
const PAUSE: Duration = Duration::from_micros(300);
/// How many of its own events a client may ask for again, and how many records later: what is pruned is forgotten at the
/// next start.
const REMEMBERED: usize = 20;
const RECORDS_LATER: u64 = 150;
/// What a client may be told while a service comes and goes.
const AGAIN: [&str; 5] =
    ["not_ready", "queue_full", "indeterminate", "shutting_down", "not_written"];

/// What all clients of a service have together.
#[derive(Debug, Default)]
pub(super) struct Shared {
    pub(super) stop: AtomicBool,
    /// How many receipts came.
    pub(super) answered: AtomicU64,
    /// Events that were sent more than once until an answer came.
    pub(super) retried: AtomicU64,
    /// First answers that said `duplicate`: the event was recorded, and the service died before it could say so.
    pub(super) found_recorded: AtomicU64,
    /// Receipts that were asked for again.
    pub(super) asked_again: AtomicU64,
    pub(super) kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
pub(super) struct Kept {
    /// Each is its event's `event_id` and `resource`.
    pub(super) sent: Vec<String>,
    pub(super) receipts: Vec<(Receipt, String)>,
    pub(super) violations: Vec<String>,
}

impl Shared {
    pub(super) fn kept(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn violation(&self, what: impl Into<String>) {
        self.kept().violations.push(what.into());
        self.stop.store(true, Ordering::Relaxed);
    }
}

#[derive(Clone, Debug)]
struct Event {
    id: String,
    json: String,
}

/// One client.
pub(super) struct Client<'a> {
    pub(super) shared: &'a Shared,
    pub(super) address: SocketAddr,
    pub(super) random: fastrand::Rng,
    connection: Option<Connection>,
    recent: VecDeque<(Event, Receipt)>,
}

impl<'a> Client<'a> {
    pub(super) fn new(shared: &'a Shared, address: SocketAddr, random: fastrand::Rng) -> Self {
        Self { shared, address, random, connection: None, recent: VecDeque::new() }
    }

    /// Sends until it is told to stop; what was begun is ended. A client that panics ends the others.
    pub(super) fn run(mut self, name: usize) {
        let ended = catch_unwind(AssertUnwindSafe(|| self.send_all(name)));
        if let Err(panic) = ended {
            self.shared.violation(format!("client {name} panicked: {}", text_of(&*panic)));
        }
    }

    fn send_all(&mut self, name: usize) {
        let mut count = 0_u64;
        while !self.shared.stop.load(Ordering::Relaxed) {
            let size = if self.random.u8(..4) == 0 { self.random.u64(2..9) } else { 1 };
            let mut events = Vec::new();
            for _ in 0..size {
                events.push(self.event(name, count));
                count += 1;
            }
            let ids = events.iter().map(|event| event.id.clone());
            self.shared.kept().sent.extend(ids);
            if let Err(what) = self.send(events) {
                return self.shared.violation(format!("client {name}: {what}"));
            }
            if self.random.u8(..6) == 0
                && let Err(what) = self.ask_again()
            {
                return self.shared.violation(format!("client {name}: {what}"));
            }
        }
    }

    fn event(&mut self, name: usize, count: u64) -> Event {
        let id = format!("{name}-{count}");
        let filler = "z".repeat(self.random.usize(..1_000));
        let json = format!(
            "{{\"event_id\":\"{id}\",\"actor\":\"client:{name}\",\"action\":\"send\",\"resource\":\"{id}\",\
             \"metadata\":{{\"z\":\"{filler}\"}}}}"
        );
        Event { id, json }
    }

    /// Until each has its receipt.
    fn send(&mut self, mut events: Vec<Event>) -> Result<(), String> {
        let began = Instant::now();
        let mut tries = 0_u64;
        while !events.is_empty() {
            tries += 1;
            let receipts = self.post(&events)?;
            let mut waiting = Vec::new();
            for (event, receipt) in events.into_iter().zip(receipts) {
                let Some(receipt) = receipt else {
                    waiting.push(event);
                    continue;
                };
                if receipt.duplicate {
                    if tries == 1 {
                        return Err(format!("{} was sent once, and is a duplicate", event.id));
                    }
                    self.shared.found_recorded.fetch_add(1, Ordering::Relaxed);
                }
                self.shared.kept().receipts.push((receipt, event.id.clone()));
                self.recent.push_back((event, receipt));
                self.shared.answered.fetch_add(1, Ordering::Relaxed);
            }
            events = waiting;
            if began.elapsed() > PATIENCE {
                return Err(format!("no receipt in {PATIENCE:?}"));
            }
        }
        while self.recent.len() > REMEMBERED {
            self.recent.pop_front();
        }
        self.shared.retried.fetch_add(u64::from(tries > 1), Ordering::Relaxed);
        Ok(())
    }

    /// An event that has its receipt gets the same again.
    fn ask_again(&mut self) -> Result<(), String> {
        let at = self.random.usize(..self.recent.len().max(1));
        let newest = self.recent.iter().map(|(_, receipt)| receipt.seq).max().unwrap_or(0);
        let Some((event, first)) = self.recent.get(at).cloned() else { return Ok(()) };
        if newest - first.seq > RECORDS_LATER {
            return Ok(());
        }
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            let [Some(receipt)] =
                self.post(std::slice::from_ref(&event))?.as_slice().to_owned()[..]
            else {
                continue;
            };
            self.shared.asked_again.fetch_add(1, Ordering::Relaxed);
            if receipt.duplicate && command::is_same(&first, &receipt) {
                return Ok(());
            }
            return Err(format!("{}: the first receipt is {first}, another {receipt}", event.id));
        }
        Err(format!("no receipt in {PATIENCE:?}"))
    }

    /// One request; no receipts where none came.
    fn post(&mut self, events: &[Event]) -> Result<Vec<Option<Receipt>>, String> {
        let nothing = || vec![None; events.len()];
        let answer = match self.connected().and_then(|connection| ask(connection, events)) {
            Ok(answer) => answer,
            Err(error) if is_of_a_killed(&error) => {
                self.connection = None;
                thread::sleep(PAUSE);
                return Ok(nothing());
            }
            Err(error) => return Err(format!("no server that is killed leaves this: {error}")),
        };
        let is_lines = answer.header("content-type") == Some("application/x-ndjson");
        if !is_lines && answer.status != 200 && answer.status != 201 {
            let code = answer.code();
            if !AGAIN.contains(&code.as_str()) {
                return Err(format!("{} {code}: {}", answer.status, answer.body));
            }
            thread::sleep(PAUSE);
            return Ok(nothing());
        }
        let receipts: Vec<_> = answer.body.lines().map(one).collect::<Result<_, _>>()?;
        if receipts.len() == events.len() {
            Ok(receipts)
        } else {
            Err(format!("{} events, and {} answers", events.len(), receipts.len()))
        }
    }

    fn connected(&mut self) -> io::Result<&mut Connection> {
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => Connection::open(self.address, PATIENCE)?,
        };
        Ok(self.connection.insert(connection))
    }
}

/// Whether a client gets this from a server that is dead, or dies. One that is not heard of for long gives the last two; the
/// client's own patience ends then, too.
fn is_of_a_killed(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionRefused, TimedOut, WouldBlock};
    is_hung_up(error) || [ConnectionRefused, TimedOut, WouldBlock].contains(&error.kind())
}

fn ask(connection: &mut Connection, events: &[Event]) -> io::Result<Answer> {
    let (kind, body) = if let [event] = events {
        ("application/json", event.json.clone())
    } else {
        let lines = events.iter().flat_map(|event| [event.json.as_str(), "\n"]);
        ("application/x-ndjson", lines.collect())
    };
    connection.ask("POST /v1/records", &[("content-type", kind)], &body)
}

/// One line of an answer: a receipt, or why there is none yet.
fn one(line: &str) -> Result<Option<Receipt>, String> {
    if line.starts_with("{\"outcome\"") {
        let again = AGAIN.iter().any(|code| line.contains(&format!("\"code\":\"{code}\"")));
        return if again { Ok(None) } else { Err(line.to_owned()) };
    }
    command::receipt(line).map(Some).map_err(|e| e.to_string())
}
