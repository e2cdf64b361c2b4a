//! How the service ends: [`stop`], [`Stopped`].
//!
//! In this order, each within its deadline: it is not ready; it takes no more connections; what is under way ends by
//! itself (`timeouts.drain`) or is cut off; each log makes its last checkpoint and is closed (`timeouts.close`).
//!
//! Invariants:
//! - no client can hold it up, whatever it sends or leaves unsent: what waits for one is dropped at the deadline;
//! - everything acknowledged is durable whichever way it ends.

pub(crate) mod manager;
pub(crate) mod signals;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use indelible::CloseError;
use indelible::format::own::StopReason;
use tokio::time::{Instant, timeout, timeout_at};
use tracing::{error, info, warn};

use crate::readiness;
use crate::service::Service;

/// Until what was cut off is gone: it has nothing more to wait for.
const CUT_OFF: Duration = Duration::from_secs(1);

/// What happened when the service ended.
#[derive(Debug)]
#[non_exhaustive]
pub struct Stopped {
    /// What became of the requests that were under way.
    pub drained: Drained,
    /// What became of each log, by its name.
    pub logs: Vec<(String, Closed)>,
}

/// What became of the requests that were under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Drained {
    /// They ended by themselves.
    Ended,
    /// So many connections and streams had not when their time was over, and were cut off.
    CutOff(usize),
}

/// What became of a log.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Closed {
    /// It was closed, under a last checkpoint.
    InOrder,
    /// It was closed without one; the next start makes it.
    WithoutCheckpoint(CloseError),
    /// It was not closed when its time was over, or nobody waited for it; the next start mends it as after a crash.
    LeftOpen,
}

impl Stopped {
    /// Whether every log was closed in order. Requests that were cut off have their answer in the log all the same.
    pub fn is_in_order(&self) -> bool {
        self.logs.iter().all(|(_, closed)| matches!(closed, Closed::InOrder))
    }

    /// What there is to say where nobody waited.
    pub(crate) fn at_once(service: &Service) -> Self {
        let names = service.logs.all().map(|log| log.name().to_owned());
        Self {
            drained: Drained::CutOff(service.tasks.len()),
            logs: names.map(|name| (name, Closed::LeftOpen)).collect(),
        }
    }
}

impl fmt::Display for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.drained {
            Drained::Ended => f.write_str("every request had ended")?,
            Drained::CutOff(1) => f.write_str("1 connection or stream was cut off")?,
            Drained::CutOff(count) => write!(f, "{count} connections and streams were cut off")?,
        }
        for (log, closed) in &self.logs {
            match closed {
                Closed::InOrder => write!(f, "; log {log}: closed")?,
                Closed::WithoutCheckpoint(error) => write!(f, "; log {log}: {error}")?,
                Closed::LeftOpen => write!(
                    f,
                    "; log {log}: not closed; everything acknowledged is durable, and the next start mends the rest"
                )?,
            }
        }
        Ok(())
    }
}

/// Ends the service.
///
/// # Durability
/// Everything acknowledged is durable in any case; a last checkpoint covers it, where the log was closed in order.
pub(crate) async fn stop(service: &Service, reason: StopReason) -> Stopped {
    let timeouts = service.config.timeouts;
    readiness::stop(service);
    manager::stopping(timeouts.drain + timeouts.close + 2 * CUT_OFF);
    info!("stopping: no more connections are taken");
    service.stopping.cancel();
    service.tasks.close();
    let drained = match timeout(timeouts.drain, service.tasks.wait()).await {
        Ok(()) => Drained::Ended,
        Err(_) => Drained::CutOff(service.tasks.len()),
    };
    service.aborting.cancel();
    if let Drained::CutOff(count) = drained {
        warn!(count, limit = ?timeouts.drain, "connections and streams did not end in time (timeouts.drain): cut off");
        // One that does not even end now is in the middle of a computation; its log is closed regardless.
        drop(timeout(CUT_OFF, service.tasks.wait()).await);
    }
    let stopped = Stopped {
        drained,
        logs: close(service, service.config.record_lifecycle.then_some(reason)).await,
    };
    if stopped.is_in_order() {
        info!("stopped: {stopped}");
    } else {
        error!("stopped: {stopped}");
    }
    stopped
}

/// Closes the logs, all at once.
async fn close(service: &Service, reason: Option<StopReason>) -> Vec<(String, Closed)> {
    let closing: Vec<_> = service
        .logs
        .all()
        .map(|log| {
            let closing = Arc::clone(log);
            (log.name().to_owned(), tokio::task::spawn_blocking(move || closing.close(reason)))
        })
        .collect();
    let deadline = Instant::now() + service.config.timeouts.close;
    let mut logs = Vec::new();
    for (name, closing) in closing {
        let closed = match timeout_at(deadline, closing).await {
            Ok(Ok(Ok(()))) => Closed::InOrder,
            Ok(Ok(Err(error))) => Closed::WithoutCheckpoint(error),
            Ok(Err(_)) | Err(_) => Closed::LeftOpen,
        };
        logs.push((name, closed));
    }
    if logs.iter().any(|(_, closed)| matches!(closed, Closed::LeftOpen)) {
        leave_open(service);
    }
    logs
}

/// Keeps what is not closed from being closed by being dropped, which would wait for the disk without a deadline.
pub(crate) fn leave_open(service: &Service) {
    std::mem::forget(service.clone());
}
