//! What all attackers share: whom they attack, as whom, and what was acknowledged to them all the same.

use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use indelible::Receipt;
use tokio::runtime::Runtime;

use super::service::{CONNECTIONS_MAX, Caller, Service};
use super::slow::Slow;
use crate::http::{Connection, is_hung_up};
use crate::layer::Outcome;

/// Everything is answered, or hung up on, within it.
pub(super) const PATIENCE: Duration = Duration::from_secs(15);

/// How many connections of a flood are more than there may be.
const BEYOND: usize = 50;
/// On a busy machine the first ones of a flood are hung up on before the last ones come: none is too many then, and it is
/// tried again.
const FLOODS_MAX: u32 = 10;
const PAUSE: Duration = Duration::from_millis(10);

pub(super) struct Field<'a> {
    pub(super) service: &'a Service,
    pub(super) address: SocketAddr,
    pub(super) slow: Slow,
    /// What gRPC runs on.
    pub(super) runtime: Runtime,
    acknowledged: Mutex<Vec<(String, Receipt, String)>>,
}

impl<'a> Field<'a> {
    pub(super) fn new(service: &'a Service) -> anyhow::Result<Self> {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        Ok(Self {
            service,
            address: service.address,
            slow: Slow::default(),
            runtime,
            acknowledged: Mutex::default(),
        })
    }

    pub(super) fn connect(&self) -> std::io::Result<Connection> {
        Connection::open(self.address, PATIENCE)
    }

    pub(super) fn bearer(&self, caller: Caller) -> String {
        self.service.bearer(caller)
    }

    /// Somebody who may append did.
    pub(super) fn acknowledge(&self, log: &str, receipt: Receipt, resource: &str) {
        let mut all = self.acknowledged.lock().unwrap_or_else(PoisonError::into_inner);
        all.push((log.to_owned(), receipt, resource.to_owned()));
    }

    pub(super) fn take_acknowledged(&self) -> Vec<(String, Receipt, String)> {
        let mut all = self.acknowledged.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut all)
    }

    /// More connections than there may be: the last are refused, and a moment after they are gone others are taken.
    pub(super) fn flood(&self, outcome: &mut Outcome) {
        for _ in 0..FLOODS_MAX {
            if self.flood_once(outcome) {
                return;
            }
            outcome.count("floods that were over the limit at no time, which don't count", 1);
        }
        outcome
            .violation(None, format!("no connection of {FLOODS_MAX} floods is told of the limit"));
    }

    /// Whether one of them was told that there are too many; if not, none of them counts.
    fn flood_once(&self, outcome: &mut Outcome) -> bool {
        let (mut is_told, mut hung_up) = (false, 0);
        let mut held = Vec::new();
        for _ in 0..CONNECTIONS_MAX + BEYOND {
            match self.connect() {
                Ok(connection) => held.push(connection),
                Err(error) => {
                    outcome.violation(None, format!("a connection of many is not taken: {error}"));
                }
            }
        }
        for connection in held.iter_mut().rev().take(BEYOND) {
            match connection.answer() {
                Ok(answer) if answer.status == 429 => {
                    is_told = true;
                    outcome.count("connections beyond the limit, answered 429", 1);
                }
                Ok(answer) => {
                    outcome.violation(None, format!("one too many gets {}", answer.status));
                }
                // It may be reset before its answer is read, or have its turn and be hung up on.
                Err(error) if is_hung_up(&error) => hung_up += 1,
                Err(error) => {
                    outcome.violation(None, format!("one too many is not refused: {error}"));
                }
            }
        }
        drop(held);
        if is_told {
            outcome.count("connections beyond the limit, hung up on", hung_up);
        }
        if let Err(what) = self.taken_again() {
            outcome.violation(None, format!("after a flood: {what}"));
        }
        is_told
    }

    /// Until a new connection is served.
    fn taken_again(&self) -> Result<(), String> {
        let began = Instant::now();
        let headers = [("authorization", &*self.bearer(Caller::Admin))];
        loop {
            let asked = self.connect().and_then(|mut it| it.ask("GET /v1/records/0", &headers, ""));
            let told = match asked {
                Ok(answer) if answer.status == 200 => return Ok(()),
                Ok(answer) if answer.status == 429 => "still too many".to_owned(),
                Ok(answer) => return Err(format!("answered {}", answer.status)),
                Err(error) if is_hung_up(&error) => error.to_string(),
                Err(error) => return Err(error.to_string()),
            };
            if began.elapsed() > PATIENCE {
                return Err(told);
            }
            thread::sleep(PAUSE);
        }
    }
}
