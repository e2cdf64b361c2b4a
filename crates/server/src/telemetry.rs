//! What the service tells its operator on stderr, and under which id: [`start`], [`Trace`].
//!
//! Invariants:
//! - every request has an id, made here, which stands in each line about it and in the header `x-request-id` of its answer;
//! - why a request failed inside is told once, where its answer is made ([`answered`]), at the level of whose fault it was;
//! - no record's body, actor, token or header is told.

use std::fmt;
use std::io::stderr;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use http::HeaderValue;
use tracing::level_filters::LevelFilter;
use tracing::{debug, error, warn};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer as _, fmt as format};

use crate::config::{LogFormat, Telemetry};
use crate::error::{ApiError, Code};
use crate::metrics::{Protocol, RequestMetrics};
use crate::service::Service;

tokio::task_local! {
    /// The request that is answered here.
    static ANSWERING: Trace;
}

/// Begins to write to stderr, as configured; where the process has a subscriber already, that one stays.
pub(crate) fn start(telemetry: &Telemetry) {
    let told = told(telemetry);
    let layer = format::layer().with_writer(stderr).with_target(false);
    let layer = match telemetry.format {
        LogFormat::Text => layer.with_ansi(false).boxed(),
        LogFormat::Json => layer.json().flatten_event(true).with_span_list(false).boxed(),
    };
    let registry = tracing_subscriber::registry().with(layer.with_filter(told));
    if registry.try_init().is_err() {
        debug!("the process has a subscriber of its own");
    }
}

/// This program's lines at the configured level. Of other crates errors alone: what a client does wrong they take for a
/// warning, and anybody could fill the operator's disk with them.
fn told(telemetry: &Telemetry) -> Targets {
    let level = LevelFilter::from_level(telemetry.level);
    Targets::new().with_target("indelible", level).with_default(LevelFilter::ERROR)
}

/// The id of a request, 32 hex digits: 64 random bits of this process, and how many requests it had before, mixed. No two
/// requests of a process have the same, and none costs a system call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct RequestId(u128);

impl RequestId {
    fn new() -> Self {
        static PROCESS: LazyLock<u64> = LazyLock::new(|| {
            let mut bytes = [0; 8];
            // Without randomness it is zero: a request is not refused for its log lines' sake.
            if getrandom::fill(&mut bytes).is_err() {
                bytes = [0; 8];
            }
            u64::from_be_bytes(bytes)
        });
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        Self::of(*PROCESS, count)
    }

    fn of(process: u64, count: u64) -> Self {
        // An odd factor maps each count to another number, so that nobody reads off how busy the service is.
        let mixed = (count ^ process).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        Self(u128::from(process) << 64 | u128::from(mixed))
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// A request that is answered, and under which id it is told of.
#[derive(Clone, Debug)]
pub(crate) struct Trace {
    id: RequestId,
    service: Service,
    protocol: Protocol,
}

impl Trace {
    /// For a request that came just now.
    pub(crate) fn begin(service: Service, protocol: Protocol) -> Self {
        Self { id: RequestId::new(), service, protocol }
    }

    /// How the request came.
    pub(crate) fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// Where the request is counted.
    pub(crate) fn metrics(&self) -> &RequestMetrics {
        &self.service.metrics.requests
    }

    /// Runs what answers the request.
    pub(crate) async fn follow<F: Future>(&self, answering: F) -> F::Output {
        ANSWERING.scope(self.clone(), answering).await
    }

    /// Runs a piece of what answers the request.
    pub(crate) fn enter<T>(&self, piece: impl FnOnce() -> T) -> T {
        ANSWERING.sync_scope(self.clone(), piece)
    }

    /// The header `x-request-id`.
    pub(crate) fn header(&self) -> Option<HeaderValue> {
        HeaderValue::try_from(self.id.to_string()).ok()
    }
}

/// How the request came that is answered here.
pub(crate) fn protocol() -> Option<Protocol> {
    ANSWERING.try_with(|answering| answering.protocol).ok()
}

/// The id of the request that is answered here.
pub(crate) fn request_id() -> Option<String> {
    ANSWERING.try_with(|answering| answering.id.to_string()).ok()
}

/// An error is answered with: counts it, and tells the operator what only they may know. To be called once for each, where
/// it becomes the answer.
pub(crate) fn answered(error: &ApiError) {
    // Outside of a request (a task that it started) there is nobody to count for.
    let answering = ANSWERING.try_with(Clone::clone).ok();
    if let Some(answering) = &answering {
        answering.service.metrics.refused(error.code);
    }
    let request = answering.map(|answering| answering.id.to_string());
    let request = request.as_deref();
    let (code, cause) = (error.code.as_str(), error.cause.as_deref());
    match (error.code, cause) {
        (Code::Internal | Code::Indeterminate | Code::DataLoss, cause) => {
            error!(request, code, cause, "a request failed");
        }
        // Every request would say so; readiness has said it once.
        (Code::Halted | Code::ReadOnly | Code::DiskSpace, cause) => {
            debug!(request, code, cause, "a request was refused");
        }
        (_, Some(cause)) => warn!(request, code, cause, "a request was refused"),
        (_, None) => debug!(request, code, "a request was refused"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_can_not_make_other_crates_write_warnings() {
        let told = told(&crate::Config::default().telemetry);
        for (target, level, is_told) in [
            ("h2::codec", tracing::Level::WARN, false),
            ("hyper::proto", tracing::Level::ERROR, true),
            ("indelible_server::telemetry", tracing::Level::WARN, true),
        ] {
            assert_eq!(told.would_enable(target, &level), is_told, "{target}");
        }
    }

    #[test]
    fn each_request_has_an_id_of_its_own_of_32_hex_digits() {
        let ids: std::collections::HashSet<_> =
            (0..1000).map(|count| RequestId::of(0x1234_5678_9abc_def0, count).0).collect();
        assert_eq!(ids.len(), 1000);
        assert_ne!(RequestId::new(), RequestId::new());
        let id = RequestId::new();
        assert_eq!(id.to_string().len(), 32);
        assert!(id.to_string().bytes().all(|b| b.is_ascii_hexdigit() && !b.is_ascii_uppercase()));
    }
}
