//! Clients that take their time: they are hung up on when theirs is over, and cost nothing meanwhile.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::ensure;

use crate::http::{Connection, is_hung_up};
use crate::layer::Outcome;
use crate::threads::StopsOthers;

/// The timeouts of the service are a second or two; an idle connection is closed after two, one that takes nothing after
/// three. What is beyond is for a machine where others work, too.
const HANGS_UP_WITHIN: Duration = Duration::from_secs(15);
/// So many at one time, so that there is room for others.
const HELD_MAX: usize = 200;
const PACE: Duration = Duration::from_millis(50);

/// A connection on which bytes come slowly, or not at all.
struct Held {
    case: u64,
    kind: &'static str,
    connection: Connection,
    began: Instant,
    /// What it still sends, a byte at a time.
    drips: Vec<u8>,
    sent: usize,
    /// What it was answered, if anything.
    answer: Vec<u8>,
}

#[derive(Default)]
pub(super) struct Slow {
    pub(super) stop: AtomicBool,
    held: Mutex<Vec<Held>>,
    told: Mutex<Outcome>,
}

impl Slow {
    /// Holds a connection, and sends these bytes over it, one at a time.
    pub(super) fn hold(
        &self,
        case: u64,
        kind: &'static str,
        connection: Connection,
        drips: Vec<u8>,
    ) {
        while self.lock().len() >= HELD_MAX && !self.stop.load(Ordering::Relaxed) {
            thread::sleep(PACE);
        }
        let (began, answer) = (Instant::now(), Vec::new());
        self.lock().push(Held { case, kind, connection, began, drips, sent: 0, answer });
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Until all of them were hung up on.
    pub(super) fn drained(&self) -> anyhow::Result<()> {
        let began = Instant::now();
        while !self.lock().is_empty() {
            ensure!(began.elapsed() < 2 * HANGS_UP_WITHIN, "slow clients are not hung up on");
            thread::sleep(PACE);
        }
        Ok(())
    }

    /// Moves each of them on, until it is told to stop.
    pub(super) fn run(&self) {
        let _stop = StopsOthers(&self.stop);
        while !self.stop.load(Ordering::Relaxed) {
            self.lock().retain_mut(|held| !self.is_over(held));
            thread::sleep(PACE);
        }
    }

    fn is_over(&self, held: &mut Held) -> bool {
        if let Some(byte) = held.drips.get(held.sent) {
            held.sent += 1;
            match held.connection.send(&[*byte]) {
                Ok(()) => {}
                Err(error) if is_hung_up(&error) => return self.over(held),
                Err(error) => return self.odd(held, &error),
            }
        }
        let mut buffer = [0; 1_024];
        match held.connection.read_now(&mut buffer) {
            Ok(None) if held.began.elapsed() < HANGS_UP_WITHIN => false,
            Ok(None) => {
                let what = format!("{}: not hung up on in {HANGS_UP_WITHIN:?}", held.kind);
                self.told().violation(held.case, what);
                true
            }
            Ok(Some(0)) => self.over(held),
            Err(error) if is_hung_up(&error) => self.over(held),
            Err(error) => self.odd(held, &error),
            Ok(Some(count)) => {
                held.answer.extend(buffer.iter().take(count));
                false
            }
        }
    }

    /// It was hung up on: with an answer that refuses, or without.
    fn over(&self, held: &Held) -> bool {
        let answer = String::from_utf8_lossy(&held.answer);
        let status = answer.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3));
        let status = status.unwrap_or("no answer");
        if status.starts_with('2') {
            self.told().violation(held.case, format!("{}: answered {answer}", held.kind));
        }
        self.told().count(format!("{}: hung up on, {status}", held.kind), 1);
        true
    }

    fn odd(&self, held: &Held, error: &io::Error) -> bool {
        self.told().violation(held.case, format!("{}: no hanging up is: {error}", held.kind));
        true
    }

    fn told(&self) -> std::sync::MutexGuard<'_, Outcome> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn tell(&self, outcome: &mut Outcome) {
        outcome.add(std::mem::take(&mut *self.told()));
    }
}
