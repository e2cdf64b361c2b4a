//! Whether the service should be sent requests: [`Readiness`], and the watch that keeps it true.
//!
//! Invariants:
//! - it is ready only while every log takes appends; a log that does not is told with its reason, and reads go on;
//! - a log whose disk refuses what is written is not ready, and appends are tried all the same;
//! - a disk that hangs does not hang the watch, nor what asks it;
//! - the watchdog of the service manager is told only as long as the runtime turns and every log can write.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior};
use tracing::{info, warn};

use crate::engine::Unready;
use crate::service::Service;
use crate::shutdown::manager;

/// How often the logs and their disks are looked at.
const PERIOD: Duration = Duration::from_millis(500);

/// Whether the service should be sent requests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Readiness {
    /// It was not looked at yet.
    #[default]
    Starting,
    /// Every log takes appends.
    Ready,
    /// Some log does not: its name and why.
    NotReady(Arc<[(String, Unready)]>),
    /// It ends.
    Stopping,
}

impl Readiness {
    pub(crate) fn is_ready(&self) -> bool {
        *self == Self::Ready
    }

    /// Why that log does not take appends.
    pub(crate) fn of_log(&self, name: &str) -> Option<Unready> {
        let Self::NotReady(logs) = self else { return None };
        logs.iter().find(|(log, _)| log == name).map(|(_, reason)| *reason)
    }
}

impl fmt::Display for Readiness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Starting => "starting",
            Self::Ready => "ready",
            Self::NotReady(_) => "not ready",
            Self::Stopping => "stopping",
        })
    }
}

/// Looks at the logs once, and tells who waits for it.
pub(crate) fn look(service: &Service) {
    let mut unready = Vec::new();
    for log in service.logs.all() {
        let reason = log.unready();
        if let Some(metrics) = service.metrics.log(log.name()) {
            metrics.appendable(reason.is_none());
            log.measure(metrics);
        }
        unready.extend(reason.map(|reason| (log.name().to_owned(), reason)));
    }
    let found =
        if unready.is_empty() { Readiness::Ready } else { Readiness::NotReady(unready.into()) };
    service.readiness.send_if_modified(|readiness| {
        // Who stops does not become ready again.
        if *readiness == Readiness::Stopping || *readiness == found {
            return false;
        }
        tell(readiness, &found);
        *readiness = found;
        true
    });
    service.metrics.ready(service.readiness.borrow().is_ready());
}

/// Ends readiness for good.
pub(crate) fn stop(service: &Service) {
    service.readiness.send_replace(Readiness::Stopping);
    service.metrics.ready(false);
}

fn tell(before: &Readiness, now: &Readiness) {
    let Readiness::NotReady(logs) = now else {
        if matches!(before, Readiness::NotReady(_)) {
            info!("every log takes appends again");
        }
        return;
    };
    for (log, reason) in logs.iter() {
        if before.of_log(log) != Some(*reason) {
            warn!(log, reason = reason.as_str(), "{reason}: appends to this log are refused");
        }
    }
}

/// Looks at the logs again and again until the service has ended.
pub(crate) async fn watch(service: Service) {
    let mut watchdog = manager::Watchdog::new();
    let mut ticks = tokio::time::interval(PERIOD);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        for log in service.logs.all() {
            log.measure_space();
        }
        look(&service);
        service.metrics.upkeep();
        watchdog.tell(Instant::now(), || service.logs.all().all(|log| log.can_write()));
    }
}
