//! What the service manager (systemd) is told, where there is one: it says so in `NOTIFY_SOCKET`.
//!
//! A manager that can't be told is none of the service's troubles: it goes on, and the manager's own deadlines decide.

use std::time::Duration;

use sd_notify::NotifyState;
use tokio::time::Instant;
use tracing::{error, warn};

/// The service answers requests.
pub(crate) fn ready(status: &str) {
    tell(&[NotifyState::Ready, NotifyState::Status(status)]);
}

/// It reads again what can change; [`ready`] says that it has.
pub(crate) fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(error) => warn!(%error, "no monotonic time for the service manager"),
    }
}

/// It ends, within that time.
pub(crate) fn stopping(limit: Duration) {
    let limit = u32::try_from(limit.as_micros()).unwrap_or(u32::MAX);
    tell(&[NotifyState::Stopping, NotifyState::ExtendTimeoutUsec(limit)]);
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        warn!(%error, "could not tell the service manager");
    }
}

/// Tells the manager, as often as it wants, that the service is alive.
#[derive(Debug)]
pub(crate) struct Watchdog {
    /// Within what the manager wants to hear; `None` where it does not watch.
    limit: Option<Duration>,
    told: Option<Instant>,
    stuck: bool,
}

impl Watchdog {
    pub(crate) fn new() -> Self {
        Self { limit: sd_notify::watchdog_enabled(), told: None, stuck: false }
    }

    /// Tells it, if it is time and the service `is_alive`.
    pub(crate) fn tell(&mut self, now: Instant, is_alive: impl FnOnce() -> bool) {
        let Some(limit) = self.limit else { return };
        if self.told.is_some_and(|told| now.duration_since(told) < limit / 4) {
            return;
        }
        let stuck = !is_alive();
        if stuck && !self.stuck {
            error!(
                "a log's writer has not moved for long: the service manager is not told that all is well"
            );
        }
        self.stuck = stuck;
        if !stuck {
            self.told = Some(now);
            tell(&[NotifyState::Watchdog]);
        }
    }
}
