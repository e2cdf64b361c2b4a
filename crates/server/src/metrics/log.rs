//! What is measured of one log: [`LogMetrics`].

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indelible::{
    CheckpointError, CommittedGroup, MadeCheckpoint, Observer, PrunedSegment, RotatedSegment,
    Stored, Waiting,
};
use metrics::{Counter, Gauge, Histogram};

use super::{AppendOutcome, Protocol, Registry, approximate, names};

/// Of one log.
pub(crate) struct LogMetrics {
    /// By protocol, then by outcome.
    appends: [[Counter; 3]; 2],
    append_duration: [Histogram; 2],
    sync_duration: Histogram,
    write_duration: Histogram,
    group_records: Histogram,
    written: Counter,
    records: Gauge,
    queue_bytes: Gauge,
    queue_events: Gauge,
    log_bytes: Gauge,
    log_segments: Gauge,
    rotations: Counter,
    pruned: Counter,
    checkpoints_made: Counter,
    checkpoints_refused: Counter,
    checkpoint_age: Gauge,
    checkpoint_size: Gauge,
    appendable: Gauge,
    free_space: Gauge,
    min_free_space: Gauge,
    /// When the newest checkpoint was made.
    checkpoint_made: Mutex<Option<Instant>>,
}

impl fmt::Debug for LogMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogMetrics").finish_non_exhaustive()
    }
}

impl LogMetrics {
    pub(super) fn new(registry: &Registry, log: &str) -> Self {
        let own = &[("log", log)];
        let appends = Protocol::ALL.map(|protocol| {
            AppendOutcome::ALL.map(|outcome| {
                let labels =
                    [("log", log), ("protocol", protocol.as_str()), ("outcome", outcome.as_str())];
                registry.counter(names::APPENDS, &labels)
            })
        });
        let append_duration = Protocol::ALL.map(|protocol| {
            let labels = [("log", log), ("protocol", protocol.as_str())];
            registry.histogram(names::APPEND_DURATION, &labels)
        });
        let checkpoints =
            |result| registry.counter(names::CHECKPOINTS, &[("log", log), ("result", result)]);
        Self {
            appends,
            append_duration,
            sync_duration: registry.histogram(names::SYNC_DURATION, own),
            write_duration: registry.histogram(names::WRITE_DURATION, own),
            group_records: registry.histogram(names::GROUP_RECORDS, own),
            written: registry.counter(names::WRITTEN_BYTES, own),
            records: registry.gauge(names::RECORDS_DURABLE, own),
            queue_bytes: registry.gauge(names::QUEUE_BYTES, own),
            queue_events: registry.gauge(names::QUEUE_EVENTS, own),
            log_bytes: registry.gauge(names::LOG_BYTES, own),
            log_segments: registry.gauge(names::LOG_SEGMENTS, own),
            rotations: registry.counter(names::ROTATIONS, own),
            pruned: registry.counter(names::PRUNED_SEGMENTS, own),
            checkpoints_made: checkpoints("made"),
            checkpoints_refused: checkpoints("refused"),
            checkpoint_age: registry.gauge(names::CHECKPOINT_AGE, own),
            checkpoint_size: registry.gauge(names::CHECKPOINT_SIZE, own),
            appendable: registry.gauge(names::APPENDABLE, own),
            free_space: registry.gauge(names::FREE_SPACE, own),
            min_free_space: registry.gauge(names::MIN_FREE_SPACE, own),
            checkpoint_made: Mutex::new(None),
        }
    }

    /// An event was answered, so long after it was queued.
    pub(crate) fn appended(&self, protocol: Protocol, outcome: AppendOutcome, took: Duration) {
        let [grpc, http] = &self.appends;
        let [over_grpc, over_http] = &self.append_duration;
        let (outcomes, duration) = match protocol {
            Protocol::Grpc => (grpc, over_grpc),
            Protocol::Http => (http, over_http),
        };
        let [committed, rejected, indeterminate] = outcomes;
        match outcome {
            AppendOutcome::Committed => {
                committed.increment(1);
                duration.record(took.as_secs_f64());
            }
            AppendOutcome::Rejected => rejected.increment(1),
            AppendOutcome::Indeterminate => indeterminate.increment(1),
        }
    }

    /// Events were refused before they were queued.
    pub(crate) fn rejected(&self, protocol: Protocol, count: u64) {
        let [[_, grpc, _], [_, http, _]] = &self.appends;
        match protocol {
            Protocol::Grpc => grpc.increment(count),
            Protocol::Http => http.increment(count),
        }
    }

    /// How much space there is, and how much there must be.
    pub(crate) fn space(&self, free: u64, needed: u64) {
        self.free_space.set(approximate(free));
        self.min_free_space.set(approximate(needed));
    }

    /// Whether the log takes appends.
    pub(crate) fn appendable(&self, appendable: bool) {
        self.appendable.set(if appendable { 1.0 } else { 0.0 });
    }

    /// What is on the disk.
    pub(crate) fn stored(&self, records: u64, stored: Stored) {
        self.records.set(approximate(records));
        self.log_bytes.set(approximate(stored.size));
        self.log_segments.set(approximate(stored.segments));
    }

    /// What waits to be written.
    pub(crate) fn waiting(&self, waiting: Waiting) {
        let count = |count: usize| approximate(u64::try_from(count).unwrap_or(u64::MAX));
        self.queue_bytes.set(count(waiting.size));
        self.queue_events.set(count(waiting.events));
    }

    /// Sets the age of the newest checkpoint to what it is now.
    pub(super) fn age(&self) {
        let made = *self.checkpoint_made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(made) = made {
            self.checkpoint_age.set(made.elapsed().as_secs_f64());
        }
    }
}

impl Observer for LogMetrics {
    fn committed(&self, group: &CommittedGroup) {
        self.sync_duration.record(group.sync.as_secs_f64());
        self.write_duration.record(group.write.as_secs_f64());
        self.group_records.record(approximate(group.records));
        self.written.increment(group.size);
    }

    fn rotated(&self, _segment: &RotatedSegment) {
        self.rotations.increment(1);
    }

    fn pruned(&self, _segment: &PrunedSegment) {
        self.pruned.increment(1);
    }

    fn checkpoint_made(&self, checkpoint: &MadeCheckpoint) {
        self.checkpoints_made.increment(1);
        self.checkpoint_size.set(approximate(checkpoint.size));
        let mut made = self.checkpoint_made.lock().unwrap_or_else(PoisonError::into_inner);
        *made = Some(checkpoint.at);
    }

    fn checkpoint_refused(&self, _error: &CheckpointError) {
        self.checkpoints_refused.increment(1);
    }
}
