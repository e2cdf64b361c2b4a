//! The seam for whoever watches a log at work: metrics, most of all.
//!
//! Owns [`Observer`] and what it is told. Invariants:
//! - it is told of what has happened, and changes nothing: of a group after those who waited for it, of a checkpoint after
//!   it is on the disk;
//! - no lock is held meanwhile that appending, reading or asking takes;
//! - a panic in it ends there;
//! - without one nothing is measured.
//!
//! It decides nothing, and is no way to refuse anything.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::error::{CheckpointError, Halt};

/// Is told what a log does, by the thread that did it.
///
/// It must be quick and must not block: the next group, or the next checkpoint, waits for it, and so does a caller that
/// commits on its own thread. It may ask the log ([`AuditLog::waiting`](crate::AuditLog::waiting),
/// [`AuditLog::records`](crate::AuditLog::records)) and queue events without waiting; appending, waiting for a
/// [`Pending`](crate::Pending), making a checkpoint and closing would wait for themselves.
///
/// A panic in it is caught, and changes nothing of what was acknowledged or comes after: a log does not stop because it
/// could not be counted. What one thread does is told in order; between threads there is none.
pub trait Observer: fmt::Debug + Send + Sync {
    /// A group is durable, and those who waited for it were told.
    fn committed(&self, _group: &CommittedGroup) {}

    /// `audit.log` was full: it is `audit.log.1` now.
    fn rotated(&self, _segment: &RotatedSegment) {}

    /// Retention removed the oldest segment.
    fn pruned(&self, _segment: &PrunedSegment) {}

    /// A checkpoint is on the disk.
    fn checkpoint_made(&self, _checkpoint: &MadeCheckpoint) {}

    /// A checkpoint could not be made; it is tried again.
    fn checkpoint_refused(&self, _error: &CheckpointError) {}

    /// The log takes no more events until it is opened again. Told once.
    fn halted(&self, _halt: &Halt) {}
}

/// Records that were written and synced together, those of the log's own among them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CommittedGroup {
    /// How many records.
    pub records: u64,
    /// Bytes that were written.
    pub size: u64,
    /// How long the write took.
    pub write: Duration,
    /// How long the `fdatasync` took.
    pub sync: Duration,
    /// How many records of the log are durable with them.
    pub durable: u64,
}

/// A segment that is written to no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RotatedSegment {
    /// Its first record.
    pub first_seq: u64,
    /// How many records it has: the next segment begins behind them.
    pub records: u64,
    /// Its bytes.
    pub size: u64,
}

/// A segment that retention removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PrunedSegment {
    /// Its first record.
    pub first_seq: u64,
    /// Its bytes.
    pub size: u64,
}

/// A checkpoint that was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MadeCheckpoint {
    /// How many records it covers.
    pub size: u64,
    /// Whether it was noted in `checkpoints.jsonl` too.
    pub noted: bool,
    /// When it was on the disk.
    pub at: Instant,
    /// How long it took to make, tree rows included.
    pub took: Duration,
}

/// The observer of a log, if it has one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Watch(Option<Arc<dyn Observer>>);

impl Watch {
    pub(crate) fn new(observer: Option<Arc<dyn Observer>>) -> Self {
        Self(observer)
    }

    pub(crate) fn is_absent(&self) -> bool {
        self.0.is_none()
    }

    /// Tells the observer, if there is one.
    pub(crate) fn tell(&self, what: impl FnOnce(&dyn Observer)) {
        if let Some(observer) = &self.0 {
            // The panic hook has told of it by then; nothing of the log is behind the reference that could be broken.
            drop(catch_unwind(AssertUnwindSafe(|| what(observer.as_ref()))));
        }
    }

    /// Begins to measure, where somebody wants to know.
    pub(crate) fn stopwatch(&self) -> Stopwatch {
        Stopwatch(self.0.as_ref().map(|_| Instant::now()))
    }
}

/// Measures times, or nothing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stopwatch(Option<Instant>);

impl Stopwatch {
    /// The time since it was begun or last asked.
    pub(crate) fn lap(&mut self) -> Duration {
        let Some(begun) = &mut self.0 else { return Duration::ZERO };
        let now = Instant::now();
        now.saturating_duration_since(std::mem::replace(begun, now))
    }
}

/// What the committer has to tell, once those who wait were told.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Observation {
    Committed(CommittedGroup),
    Rotated(RotatedSegment),
    Pruned(PrunedSegment),
}

impl Observation {
    pub(crate) fn tell(&self, observer: &dyn Observer) {
        match self {
            Self::Committed(group) => observer.committed(group),
            Self::Rotated(segment) => observer.rotated(segment),
            Self::Pruned(segment) => observer.pruned(segment),
        }
    }
}
