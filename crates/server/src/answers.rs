//! How many bytes of answers wait for clients to take them, over all connections: [`Answers`].
//!
//! Invariants:
//! - bytes are counted until they are freed, wherever they wait: with who made them, in hyper, in what a stream has to send;
//! - while they are over the limit nothing more is read for an answer. What was read by then is sent: an answer is never
//!   taken back.
//!
//! Answers of less than [`COUNTED_FROM`] are not counted: they take no more than the streams that they come on, of which
//! each connection has a bounded number. What followers wait for is bounded by how many may follow.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;

use crate::error::{ApiError, Code};

/// Bytes of the least answer that is counted.
const COUNTED_FROM: usize = 4 << 10;

/// Counts the bytes of answers; clones count together.
#[derive(Clone, Debug)]
pub(crate) struct Answers(Arc<Waiting>);

#[derive(Debug)]
struct Waiting {
    size: AtomicUsize,
    limit: usize,
}

/// Bytes that are counted as long as this lives.
#[derive(Debug)]
pub(crate) struct Held {
    size: usize,
    waiting: Arc<Waiting>,
}

/// Bytes, and what counts them.
struct Counted {
    bytes: Bytes,
    _held: Held,
}

impl Answers {
    /// None wait yet.
    pub(crate) fn new(limit: usize) -> Self {
        Self(Arc::new(Waiting { size: AtomicUsize::new(0), limit }))
    }

    /// Whether more may be read.
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
                "the answers that clients have not taken yet have {} bytes or more (limits.answers_size_max); try again",
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
            Some(held) => Bytes::from_owner(Counted { bytes, _held: held }),
            None => bytes,
        }
    }
}

impl AsRef<[u8]> for Counted {
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

    #[test]
    fn bytes_are_counted_until_the_last_part_of_them_is_freed() {
        let answers = Answers::new(10_000);
        let whole = answers.counted(vec![7; 10_000]);
        let part = whole.slice(9_999..);
        let refused = answers.check().unwrap_err();
        assert_eq!(refused.code, Code::TooMany);
        assert!(refused.retry_after.is_some());
        drop(whole);
        assert!(answers.check().is_err(), "a part of it keeps all of it");
        assert_eq!(part, [7_u8].as_slice());
        drop(part);
        answers.check().unwrap();
    }

    #[test]
    fn small_answers_are_not_counted() {
        let answers = Answers::new(1);
        let small = answers.counted(vec![7; COUNTED_FROM - 1]);
        answers.check().unwrap();
        assert_eq!(small.len(), COUNTED_FROM - 1);
    }
}
