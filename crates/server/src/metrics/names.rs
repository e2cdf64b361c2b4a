//! What is measured, by name: the one list, which `docs/operate/metrics.md` is held against.

use metrics::Unit;

/// One metric.
#[derive(Clone, Copy, Debug)]
pub(super) struct Metric {
    /// As Prometheus knows it, without the suffixes that it adds to histograms.
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) help: &'static str,
}

/// What can be done with it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    Counter,
    Gauge,
    /// With the buckets of what it measures.
    Histogram(&'static [f64], Unit),
}

const fn counter(name: &'static str, help: &'static str) -> Metric {
    Metric { name, kind: Kind::Counter, help }
}

const fn gauge(name: &'static str, help: &'static str) -> Metric {
    Metric { name, kind: Kind::Gauge, help }
}

const fn seconds(name: &'static str, help: &'static str) -> Metric {
    Metric { name, kind: Kind::Histogram(SECONDS, Unit::Seconds), help }
}

/// From a fast disk's sync to a request that gave up.
const SECONDS: &[f64] = &[
    0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0,
    10.0, 30.0,
];

/// Records of one group.
const RECORDS: &[f64] =
    &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0, 2048.0, 4096.0, 8192.0];

pub(super) const APPENDS: Metric =
    counter("indelible_appends_total", "Events of callers who may append, by what became of them.");
pub(super) const APPEND_DURATION: Metric =
    seconds("indelible_append_duration_seconds", "From queueing an event to its receipt.");
pub(super) const REFUSALS: Metric =
    counter("indelible_refusals_total", "Requests and events that were refused, by stable code.");
pub(super) const SYNC_DURATION: Metric =
    seconds("indelible_sync_duration_seconds", "One fdatasync of a log.");
pub(super) const WRITE_DURATION: Metric =
    seconds("indelible_write_duration_seconds", "One write of a log, before its sync.");
pub(super) const GROUP_RECORDS: Metric = Metric {
    name: "indelible_group_records",
    kind: Kind::Histogram(RECORDS, Unit::Count),
    help: "Records that were written and synced together.",
};
pub(super) const WRITTEN_BYTES: Metric =
    counter("indelible_written_bytes_total", "Bytes of records that were written.");
pub(super) const RECORDS_DURABLE: Metric =
    gauge("indelible_records", "Records that are durable, pruned ones included.");
pub(super) const QUEUE_BYTES: Metric =
    gauge("indelible_queue_bytes", "Bytes that wait to be written.");
pub(super) const QUEUE_EVENTS: Metric =
    gauge("indelible_queue_events", "Events that wait to be written.");
pub(super) const LOG_BYTES: Metric = gauge("indelible_log_bytes", "Bytes of all segments.");
pub(super) const LOG_SEGMENTS: Metric = gauge("indelible_log_segments", "Segments that are kept.");
pub(super) const ROTATIONS: Metric =
    counter("indelible_rotations_total", "Segments that were full and were closed.");
pub(super) const PRUNED_SEGMENTS: Metric =
    counter("indelible_pruned_segments_total", "Segments that retention removed.");
pub(super) const CHECKPOINTS: Metric =
    counter("indelible_checkpoints_total", "Checkpoints, by whether they could be made.");
pub(super) const CHECKPOINT_AGE: Metric =
    gauge("indelible_checkpoint_age_seconds", "Since the newest checkpoint of this run was made.");
pub(super) const CHECKPOINT_SIZE: Metric =
    gauge("indelible_checkpoint_size_records", "Records that the newest checkpoint covers.");
pub(super) const APPENDABLE: Metric =
    gauge("indelible_log_appendable", "1 while the log takes appends, else 0.");
pub(super) const FREE_SPACE: Metric =
    gauge("indelible_free_space_bytes", "Free bytes where the log is.");
pub(super) const MIN_FREE_SPACE: Metric =
    gauge("indelible_min_free_space_bytes", "Free bytes below which appends are refused.");
pub(super) const READY: Metric = gauge("indelible_ready", "1 while /readyz says ready, else 0.");
pub(super) const CONNECTIONS: Metric = gauge("indelible_connections", "Open connections.");
pub(super) const CONNECTIONS_TAKEN: Metric =
    counter("indelible_connections_total", "Connections that were taken.");
pub(super) const CONNECTIONS_REFUSED: Metric =
    counter("indelible_connections_refused_total", "Connections that were not served, by reason.");
pub(super) const REQUESTS: Metric =
    counter("indelible_requests_total", "Requests, by protocol and status.");
pub(super) const REQUESTS_UNDER_WAY: Metric =
    gauge("indelible_requests_under_way", "Requests and streams under way.");
pub(super) const STREAMS: Metric = gauge("indelible_streams", "Open streams, by kind.");
pub(super) const TIMEOUTS: Metric =
    counter("indelible_timeouts_total", "Times that a client was too slow, by step.");
pub(super) const PANICS: Metric =
    counter("indelible_panics_total", "Requests that failed by a fault of the program.");
pub(super) const CERTIFICATE_EXPIRY: Metric = gauge(
    "indelible_tls_certificate_expiry_timestamp_seconds",
    "When the certificate in use expires, as Unix time.",
);
pub(super) const CERTIFICATE_LOADS: Metric =
    counter("indelible_tls_loads_total", "Times that certificates were loaded, by result.");

/// All of them.
pub(super) const ALL: &[Metric] = &[
    APPENDS,
    APPEND_DURATION,
    REFUSALS,
    SYNC_DURATION,
    WRITE_DURATION,
    GROUP_RECORDS,
    WRITTEN_BYTES,
    RECORDS_DURABLE,
    QUEUE_BYTES,
    QUEUE_EVENTS,
    LOG_BYTES,
    LOG_SEGMENTS,
    ROTATIONS,
    PRUNED_SEGMENTS,
    CHECKPOINTS,
    CHECKPOINT_AGE,
    CHECKPOINT_SIZE,
    APPENDABLE,
    FREE_SPACE,
    MIN_FREE_SPACE,
    READY,
    CONNECTIONS,
    CONNECTIONS_TAKEN,
    CONNECTIONS_REFUSED,
    REQUESTS,
    REQUESTS_UNDER_WAY,
    STREAMS,
    TIMEOUTS,
    PANICS,
    CERTIFICATE_EXPIRY,
    CERTIFICATE_LOADS,
];
