//! What every request needs: the logs, who may use them, and the limits; shared by both protocols.

use std::sync::Arc;

use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::auth::{Authenticator, Oversight};
use crate::config::Config;
use crate::engine::Logs;
use crate::listen::Bodies;
use crate::metrics::Metrics;
use crate::readiness::Readiness;

/// Shared by all requests; cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Service(Arc<Parts>);

/// The parts of a [`Service`].
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) config: Config,
    pub(crate) logs: Logs,
    pub(crate) authenticator: Authenticator,
    /// Whom the service refused, and how much each appends.
    pub(crate) oversight: Arc<Oversight>,
    /// Told, by SIGHUP, to read anew what can change while the service runs.
    pub(crate) reloads: watch::Sender<()>,
    /// Followers, bounded by `limits.tails_max`.
    pub(crate) tails: Arc<Semaphore>,
    pub(crate) metrics: Metrics,
    /// Whether it should be sent requests: changes are seen by whoever subscribes.
    pub(crate) readiness: watch::Sender<Readiness>,
    /// Cancelled when the service begins to stop: streams that would go on for ever end then.
    pub(crate) stopping: CancellationToken,
    /// Cancelled when what is still under way is ended, whatever it waits for.
    pub(crate) aborting: CancellationToken,
    /// Connections and HTTP/2 streams.
    pub(crate) tasks: TaskTracker,
    /// As many connections as may still be opened.
    pub(crate) slots: Arc<Semaphore>,
    /// Bodies that are on their way.
    pub(crate) bodies: Bodies,
}

impl Service {
    pub(crate) fn new(
        config: Config,
        logs: Logs,
        authenticator: Authenticator,
        oversight: Arc<Oversight>,
        metrics: Metrics,
    ) -> Self {
        let semaphore = |count: usize| Arc::new(Semaphore::new(count.min(Semaphore::MAX_PERMITS)));
        let (tails, slots) =
            (semaphore(config.limits.tails_max), semaphore(config.limits.connections_max));
        Self(Arc::new(Parts {
            logs,
            authenticator,
            oversight,
            reloads: watch::Sender::new(()),
            tails,
            metrics,
            readiness: watch::Sender::new(Readiness::default()),
            stopping: CancellationToken::new(),
            aborting: CancellationToken::new(),
            tasks: TaskTracker::new(),
            slots,
            bodies: Bodies::default(),
            config,
        }))
    }
}

impl std::ops::Deref for Service {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}
