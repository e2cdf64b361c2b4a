//! What the service measures of itself: [`Metrics`], and the text that Prometheus reads.
//!
//! Invariants:
//! - no global recorder: each service has its own, so that several run in one process;
//! - no label's value comes from a caller;
//! - what was measured and not read yet takes bounded memory ([`Metrics::upkeep`]).

mod log;
mod names;
mod requests;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use http::HeaderMap;
use http::header::CONTENT_TYPE;
use metrics::{Counter, Gauge, Histogram, Key, Label, Level, Metadata, Recorder as _};
use metrics_exporter_prometheus::{
    Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder,
};

pub(crate) use self::log::LogMetrics;
use self::names::{Kind, Metric};
pub(crate) use self::requests::{RequestMetrics, Step, StreamKind};
use crate::error::Code;

const METADATA: Metadata<'_> = Metadata::new("indelible", Level::INFO, None);

/// How a request came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    Grpc,
    Http,
}

impl Protocol {
    pub(crate) const ALL: [Self; 2] = [Self::Grpc, Self::Http];

    /// That of a request with these headers.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        match headers.get(CONTENT_TYPE) {
            Some(kind) if kind.as_bytes().starts_with(b"application/grpc") => Self::Grpc,
            Some(_) | None => Self::Http,
        }
    }

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Grpc => "grpc",
            Self::Http => "http",
        }
    }
}

/// What became of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AppendOutcome {
    /// It is on the disk.
    Committed,
    /// It was not written.
    Rejected,
    /// Nobody can tell.
    Indeterminate,
}

impl AppendOutcome {
    pub(crate) const ALL: [Self; 3] = [Self::Committed, Self::Rejected, Self::Indeterminate];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Committed => "committed",
            Self::Rejected => "rejected",
            Self::Indeterminate => "indeterminate",
        }
    }
}

/// What the service measures.
pub(crate) struct Metrics {
    registry: Registry,
    rendering: PrometheusHandle,
    logs: BTreeMap<String, Arc<LogMetrics>>,
    pub(crate) requests: RequestMetrics,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

impl Metrics {
    /// For a service with these logs.
    pub(crate) fn new<'n>(logs: impl Iterator<Item = &'n str>) -> Self {
        let registry = Registry::new();
        let rendering = registry.recorder.handle();
        let logs = logs
            .map(|name| (name.to_owned(), Arc::new(LogMetrics::new(&registry, name))))
            .collect();
        let requests = RequestMetrics::new(&registry);
        Self { registry, rendering, logs, requests }
    }

    /// Those of one log.
    pub(crate) fn log(&self, name: &str) -> Option<&Arc<LogMetrics>> {
        self.logs.get(name)
    }

    /// A request, or an event of a batch or a stream, was refused. Errors that become a response are counted where that is
    /// made ([`telemetry::answered`](crate::telemetry::answered)).
    pub(crate) fn refused(&self, code: Code) {
        self.registry.counter(names::REFUSALS, &[("code", code.as_str())]).increment(1);
    }

    /// Whether the service as a whole is ready.
    pub(crate) fn ready(&self, ready: bool) {
        self.registry.gauge(names::READY, &[]).set(if ready { 1.0 } else { 0.0 });
    }

    /// Certificates were loaded, or could not be.
    pub(crate) fn certificates_loaded(&self, expiry: Option<i64>) {
        let result = if expiry.is_some() { "loaded" } else { "refused" };
        self.registry.counter(names::CERTIFICATE_LOADS, &[("result", result)]).increment(1);
        if let Some(expiry) = expiry {
            self.registry.gauge(names::CERTIFICATE_EXPIRY, &[]).set(approximate_signed(expiry));
        }
    }

    /// As Prometheus reads it.
    pub(crate) fn render(&self) -> String {
        for log in self.logs.values() {
            log.age();
        }
        self.rendering.render()
    }

    /// Sorts what was measured into its buckets, so that it takes no more memory: about once a second.
    pub(crate) fn upkeep(&self) {
        self.rendering.run_upkeep();
    }
}

/// Where metrics are registered.
struct Registry {
    recorder: PrometheusRecorder,
}

impl Registry {
    fn new() -> Self {
        let mut builder = PrometheusBuilder::new();
        for metric in names::ALL {
            if let Kind::Histogram(buckets, _) = metric.kind {
                let matcher = Matcher::Full(metric.name.to_owned());
                // It fails on an empty list alone, and then the metric is a summary.
                builder = match builder.set_buckets_for_metric(matcher, buckets) {
                    Ok(builder) => builder,
                    Err(_) => PrometheusBuilder::new(),
                };
            }
        }
        let recorder = builder.build_recorder();
        for metric in names::ALL {
            let (name, help) = (metric.name.into(), metric.help.into());
            match metric.kind {
                Kind::Counter => recorder.describe_counter(name, None, help),
                Kind::Gauge => recorder.describe_gauge(name, None, help),
                Kind::Histogram(_, unit) => recorder.describe_histogram(name, Some(unit), help),
            }
        }
        Self { recorder }
    }

    fn counter(&self, metric: Metric, labels: &[(&'static str, &str)]) -> Counter {
        self.recorder.register_counter(&key(metric, labels), &METADATA)
    }

    fn gauge(&self, metric: Metric, labels: &[(&'static str, &str)]) -> Gauge {
        self.recorder.register_gauge(&key(metric, labels), &METADATA)
    }

    fn histogram(&self, metric: Metric, labels: &[(&'static str, &str)]) -> Histogram {
        self.recorder.register_histogram(&key(metric, labels), &METADATA)
    }
}

fn key(metric: Metric, labels: &[(&'static str, &str)]) -> Key {
    let labels: Vec<_> =
        labels.iter().map(|(name, value)| Label::new(*name, (*value).to_owned())).collect();
    Key::from_parts(metric.name, labels)
}

/// A count as a gauge has it, exact below 2^53.
#[expect(
    clippy::as_conversions,
    clippy::cast_precision_loss,
    reason = "a gauge is a double, and nobody reads more digits of it"
)]
fn approximate(count: u64) -> f64 {
    count as f64
}

/// As [`approximate`].
#[expect(
    clippy::as_conversions,
    clippy::cast_precision_loss,
    reason = "a gauge is a double, and nobody reads more digits of it"
)]
fn approximate_signed(count: i64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_page_names_every_metric_with_its_kind_and_no_other() {
        let page = include_str!("../../../../docs/operate/metrics.md");
        let table = page.split("## All metrics").nth(1).unwrap();
        let named: BTreeSet<String> = table
            .lines()
            .filter_map(|line| line.strip_prefix("| `indelible_"))
            .filter_map(|row| {
                let mut cells = row.split('|');
                let name = cells.next()?.trim().trim_end_matches('`');
                let name = name.split('{').next()?;
                Some(format!("indelible_{name} {}", cells.next()?.trim()))
            })
            .collect();
        let made: BTreeSet<String> = names::ALL
            .iter()
            .map(|metric| {
                let kind = match metric.kind {
                    Kind::Counter => "counter",
                    Kind::Gauge => "gauge",
                    Kind::Histogram(..) => "histogram",
                };
                format!("{} {kind}", metric.name)
            })
            .collect();
        assert_eq!(named, made);
    }

    #[test]
    fn appends_are_counted_by_log_protocol_and_outcome_and_timed_in_buckets() {
        let metrics = Metrics::new(["a"].into_iter());
        let took = Duration::from_millis(3);
        metrics.log("a").unwrap().appended(Protocol::Grpc, AppendOutcome::Committed, took);
        metrics.refused(Code::QueueFull);
        let text = metrics.render();
        let count =
            "indelible_appends_total{log=\"a\",protocol=\"grpc\",outcome=\"committed\"} 1\n";
        assert!(text.contains(count), "{text}");
        let bucket = "indelible_append_duration_seconds_bucket{log=\"a\",protocol=\"grpc\",le=\"0.005\"} 1\n";
        assert!(text.contains(bucket), "{text}");
        assert!(text.contains("indelible_refusals_total{code=\"queue_full\"} 1\n"), "{text}");
    }
}
