//! The client that behaves, and must be served whatever others do.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use indelible::Receipt;

use super::service::{Caller, Service};
use crate::command;
use crate::http::{Answer, Connection};
use crate::layer::Outcome;

/// Longer than this it must not wait, on a machine where many others work too.
const PATIENCE: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(4);

#[derive(Debug, Default)]
pub(super) struct Good {
    pub(super) stop: AtomicBool,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    acknowledged: Vec<(String, Receipt, String)>,
    latencies: Vec<Duration>,
    readiness: u64,
    violations: Vec<String>,
}

impl Good {
    fn kept(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn take_acknowledged(&self) -> Vec<(String, Receipt, String)> {
        std::mem::take(&mut self.kept().acknowledged)
    }

    /// One connection, an event or a read at a time.
    pub(super) fn run(&self, service: &Service) {
        let bearer = service.bearer(Caller::Admin);
        let mut connection = match Connection::open(service.address, PATIENCE) {
            Ok(connection) => connection,
            Err(error) => return self.kept().violations.push(format!("it can't connect: {error}")),
        };
        let mut count = 0_u64;
        while !self.stop.load(Ordering::Relaxed) {
            let began = Instant::now();
            let done = self.one(&mut connection, &bearer, count);
            let took = began.elapsed();
            let mut kept = self.kept();
            kept.latencies.push(took);
            if let Err(what) = done {
                kept.violations.push(what);
                return;
            }
            drop(kept);
            if count.is_multiple_of(10) {
                if !service.is_ready(PATIENCE) && !self.stop.load(Ordering::Relaxed) {
                    self.kept().violations.push("/readyz is not 200".to_owned());
                }
                self.kept().readiness += 1;
            }
            count += 1;
            thread::sleep(PAUSE);
        }
    }

    fn one(&self, connection: &mut Connection, bearer: &str, count: u64) -> Result<(), String> {
        let ask = |connection: &mut Connection, line: &str, body: &str| -> Result<Answer, String> {
            let headers = [("authorization", bearer), ("content-type", "application/json")];
            connection.ask(line, &headers, body).map_err(|e| format!("{line}: {e}"))
        };
        let id = format!("good:{count}");
        let event = format!(
            "{{\"event_id\":\"{id}\",\"actor\":\"good\",\"action\":\"append\",\"resource\":\"{id}\"}}"
        );
        let answer = ask(connection, "POST /v1/records", &event)?;
        if answer.status != 201 {
            return Err(format!("its event is answered {}: {}", answer.status, answer.body));
        }
        let receipt = command::receipt(answer.body.trim_end()).map_err(|e| e.to_string())?;
        self.kept().acknowledged.push(("default".to_owned(), receipt, id.clone()));
        let line = format!("GET /v1/records/{}", receipt.seq);
        let answer = ask(connection, &line, "")?;
        if answer.status != 200 || !answer.body.contains(&id) {
            return Err(format!("{line} is answered {}: {}", answer.status, answer.body));
        }
        Ok(())
    }

    pub(super) fn tell(&self, outcome: &mut Outcome) {
        let mut kept = self.kept();
        kept.latencies.sort_unstable();
        let at = |share: usize| {
            let index =
                (kept.latencies.len() * share / 1_000).min(kept.latencies.len().saturating_sub(1));
            kept.latencies.get(index).copied().unwrap_or_default()
        };
        let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        outcome.count("good client: append and read, median µs", micros(at(500)));
        outcome.count("good client: append and read, 99th percentile µs", micros(at(990)));
        outcome.count("good client: append and read, longest µs", micros(at(1_000)));
        outcome
            .count("good client: times", u64::try_from(kept.latencies.len()).unwrap_or(u64::MAX));
        outcome.count("times that it was asked whether it is ready", kept.readiness);
        if at(1_000) > PATIENCE {
            outcome.violation(None, format!("the good client waited {:?}", at(1_000)));
        }
        for what in std::mem::take(&mut kept.violations) {
            outcome.violation(None, format!("the good client: {what}"));
        }
    }
}
