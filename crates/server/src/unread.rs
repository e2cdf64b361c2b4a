//! How many bytes of answers wait for clients to take them, over all connections: [`Unread`], and
//! [`UnreadAnswers`] for those of the logs.
//!
//! Invariants:
//! - bytes are counted until they are freed, wherever they wait: with who made them, in hyper, in what a stream has to send;
//! - while they are over the limit nothing more is read for an answer, or queued for one to a batch. What was made by then is
//!   sent: an answer is never taken back.
//!
//! Answers to reads, to batches and of public trees each have a count of their own, so that who leaves those of one kind
//! keeps out nobody who asks for another: [`Kind`].
//!
//! Answers of less than [`COUNTED_FROM`] are not counted: they take no more than the streams that they come on, of which
//! each connection has a bounded number. What followers wait for is bounded by how many may follow, and what an
//! `AppendStream` answers by how many events it may have in flight and by the window that its client gives.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;

use crate::config::Limits;
use crate::error::{ApiError, Code};

/// Bytes of the least answer that is counted.
const COUNTED_FROM: usize = 4 << 10;

/// What part of what reads may have is for public trees, and in bytes of answers for batches too.
pub(crate) const SHARE: usize = 4;

/// What is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Records and proofs, for who has a name.
    Reads,
    Batches,
    PublicTrees,
}

/// Counts the bytes of answers; clones count together.
#[derive(Clone, Debug)]
pub(crate) struct Unread(Arc<Waiting>);

/// Counts the bytes of the answers of the logs, apart by their kind; clones count together.
#[derive(Clone, Debug)]
pub(crate) struct UnreadAnswers {
    /// What was read.
    pub(crate) reads: Unread,
    /// What is answered to batches.
    pub(crate) batches: Unread,
}

#[derive(Debug)]
struct Waiting {
    size: AtomicUsize,
    kind: Kind,
    limit: usize,
}

/// Bytes that are counted as long as this lives.
#[derive(Debug)]
pub(crate) struct Held {
    size: usize,
    waiting: Arc<Waiting>,
}

/// Bytes, and what counts them.
struct CountedBytes {
    bytes: Bytes,
    _held: Held,
}

impl Kind {
    /// How they are told of.
    fn name(self) -> &'static str {
        match self {
            Self::Reads => "the answers",
            Self::Batches => "the answers to batches",
            Self::PublicTrees => "the answers of public trees",
        }
    }
}

impl Unread {
    /// None wait yet.
    pub(crate) fn new(kind: Kind, limits: &Limits) -> Self {
        let limit = match kind {
            Kind::Reads => limits.answers_size_max,
            Kind::Batches | Kind::PublicTrees => limits.answers_size_max / SHARE,
        };
        Self(Arc::new(Waiting { size: AtomicUsize::new(0), kind, limit }))
    }

    /// Whether more may be made.
    ///
    /// # Errors
    /// [`Code::TooMany`], with the limit.
    pub(crate) fn check(&self) -> Result<(), ApiError> {
        if self.0.size.load(Ordering::Acquire) < self.0.limit {
            return Ok(());
        }
        Err(ApiError::new(
            Code::TooMany,
            format!(
                "{} that clients have not taken yet have {} bytes or more (limits.answers_size_max); try again",
                self.0.kind.name(),
                self.0.limit
            ),
        ))
    }

    /// Counts so many bytes, if they are enough to be counted.
    pub(crate) fn hold(&self, size: usize) -> Option<Held> {
        (size >= COUNTED_FROM).then(|| {
            self.0.size.fetch_add(size, Ordering::AcqRel);
            Held { size, waiting: Arc::clone(&self.0) }
        })
    }

    /// The same bytes, counted until the last of them is freed.
    pub(crate) fn counted(&self, bytes: impl Into<Bytes>) -> Bytes {
        let bytes = bytes.into();
        match self.hold(bytes.len()) {
            Some(held) => Bytes::from_owner(CountedBytes { bytes, _held: held }),
            None => bytes,
        }
    }
}

impl UnreadAnswers {
    /// None wait yet.
    pub(crate) fn new(limits: &Limits) -> Self {
        let [reads, batches] = [Kind::Reads, Kind::Batches].map(|kind| Unread::new(kind, limits));
        Self { reads, batches }
    }
}

impl AsRef<[u8]> for CountedBytes {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.waiting.size.fetch_sub(self.size, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn up_to(answers_size_max: usize) -> Unread {
        Unread::new(Kind::Reads, &Limits { answers_size_max, ..Limits::default() })
    }

    #[test]
    fn bytes_are_counted_until_the_last_part_of_them_is_freed() {
        let unread = up_to(10_000);
        let whole = unread.counted(vec![7; 10_000]);
        let part = whole.slice(9_999..);
        let refused = unread.check().unwrap_err();
        assert_eq!(refused.code, Code::TooMany);
        assert!(refused.retry_after.is_some());
        drop(whole);
        assert!(unread.check().is_err(), "a part of it keeps all of it");
        assert_eq!(part, [7_u8].as_slice());
        drop(part);
        unread.check().unwrap();
    }

    #[test]
    fn small_answers_are_not_counted() {
        let unread = up_to(1);
        let small = unread.counted(vec![7; COUNTED_FROM - 1]);
        unread.check().unwrap();
        assert_eq!(small.len(), COUNTED_FROM - 1);
    }
}
