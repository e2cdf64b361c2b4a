//! The body of a request as it comes in: [`Received`].
//!
//! Invariants:
//! - it is there within `timeouts.body`; of a stream of messages each message is, counted from its first byte, and
//!   between messages it may be silent as long as the connection lives;
//! - all bodies of the service that are not whole yet have at most `limits.bodies_size_max` bytes.
//!
//! How large one body or message may be is for who reads it (axum, tonic).

use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::Instant;

use super::deadline::Deadline;
use crate::error::{ApiError, Code};
use crate::metrics::Step;
use crate::service::Service;

/// How many bytes all bodies that are not whole have together.
#[derive(Debug, Default)]
pub(crate) struct Bodies(AtomicUsize);

/// Why a body ended before its end: set by the body, looked at where the answer is made.
pub(super) type Fault = Arc<OnceLock<ApiError>>;

/// The body of a request.
#[derive(Debug)]
pub(super) struct Received {
    body: Incoming,
    service: Service,
    shape: Shape,
    deadline: Deadline,
    /// Its bytes that count towards the limit.
    held: usize,
    fault: Fault,
}

/// What has to arrive in time.
#[derive(Debug)]
enum Shape {
    /// The whole, begun at the time.
    Whole(Instant),
    /// Each message of a stream.
    Messages(Messages),
}

impl Received {
    pub(super) fn new(body: Incoming, service: Service, streaming: bool, fault: Fault) -> Self {
        let shape = if streaming {
            Shape::Messages(Messages::default())
        } else {
            Shape::Whole(Instant::now())
        };
        Self { body, service, shape, deadline: Deadline::default(), held: 0, fault }
    }

    fn hold(&mut self, size: usize) -> Result<(), ApiError> {
        let held = self.service.bodies.0.fetch_add(size, Ordering::AcqRel).saturating_add(size);
        self.held += size;
        let limit = self.service.config.limits.bodies_size_max;
        if held <= limit {
            return Ok(());
        }
        Err(ApiError::new(
            Code::TooMany,
            format!(
                "the bodies of all requests that are on their way have more than {limit} bytes \
                 (limits.bodies_size_max); try again"
            ),
        ))
    }

    fn release(&mut self) {
        self.service.bodies.0.fetch_sub(std::mem::take(&mut self.held), Ordering::AcqRel);
    }

    fn took(&mut self, frame: &Frame<Bytes>) -> Result<(), ApiError> {
        let Some(data) = frame.data_ref() else { return Ok(()) };
        match &mut self.shape {
            Shape::Whole(_) => self.hold(data.len()),
            Shape::Messages(messages) => {
                let partial = messages.take(data);
                if messages.ended {
                    self.deadline.lift();
                    self.release();
                }
                self.hold(partial)
            }
        }
    }

    fn late(&mut self, context: &mut Context<'_>) -> Poll<ApiError> {
        let limit = self.service.config.timeouts.body;
        let until = match &self.shape {
            Shape::Whole(begun) => *begun + limit,
            Shape::Messages(messages) if messages.is_partial() => Instant::now() + limit,
            Shape::Messages(_) => {
                self.deadline.lift();
                return Poll::Pending;
            }
        };
        if self.deadline.poll(context, || until).is_pending() {
            return Poll::Pending;
        }
        self.service.metrics.requests.timed_out(Step::Body);
        Poll::Ready(ApiError::new(
            Code::Timeout,
            format!("the request's body was not there within {limit:?} (timeouts.body)"),
        ))
    }
}

impl Drop for Received {
    fn drop(&mut self) {
        self.release();
    }
}

impl Body for Received {
    type Data = Bytes;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let this = self.get_mut();
        let fault = match Pin::new(&mut this.body).poll_frame(context) {
            Poll::Ready(Some(Ok(frame))) => match this.took(&frame) {
                Ok(()) => return Poll::Ready(Some(Ok(frame))),
                Err(error) => error,
            },
            Poll::Ready(Some(Err(error))) => return Poll::Ready(Some(Err(error.into()))),
            Poll::Ready(None) => {
                this.release();
                return Poll::Ready(None);
            }
            Poll::Pending => match this.late(context) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(error) => error,
            },
        };
        // A stream's handler answers with it itself: the head of its answer is gone by then.
        let streaming = matches!(this.shape, Shape::Messages(_));
        let fault = this.fault.get_or_init(|| fault);
        let told = if streaming {
            Self::Error::from(tonic::Status::from(fault.clone()))
        } else {
            fault.to_string().into()
        };
        Poll::Ready(Some(Err(told)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Where gRPC's messages begin and end: a byte, their length in four, then so many bytes.
#[derive(Debug, Default)]
struct Messages {
    /// Bytes of the prefix that were seen.
    prefix_size: usize,
    /// The length so far, as its bytes come.
    length: usize,
    /// Bytes of the message that are still to come, once its prefix is whole.
    missing: usize,
    /// Whether the bytes that were taken last ended one.
    ended: bool,
}

impl Messages {
    const PREFIX_SIZE: usize = 5;

    /// Takes bytes; returns how many of them belong to a message that is not whole.
    fn take(&mut self, bytes: &[u8]) -> usize {
        self.ended = false;
        let mut partial = 0;
        let mut rest = bytes;
        while let Some((&byte, tail)) = rest.split_first() {
            if self.prefix_size < Self::PREFIX_SIZE {
                // The first byte says whether the message is compressed.
                if self.prefix_size > 0 {
                    self.length = self.length << 8 | usize::from(byte);
                }
                self.prefix_size += 1;
                self.missing = self.length;
                rest = tail;
                partial += 1;
            } else {
                let count = self.missing.min(rest.len());
                self.missing -= count;
                rest = rest.get(count..).unwrap_or_default();
                partial += count;
            }
            if self.prefix_size == Self::PREFIX_SIZE && self.missing == 0 {
                *self = Self { ended: true, ..Self::default() };
                partial = 0;
            }
        }
        partial
    }

    /// Whether a message has begun and not ended.
    fn is_partial(&self) -> bool {
        self.prefix_size > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_partial_from_its_first_byte_to_its_last() {
        let mut messages = Messages::default();
        assert!(!messages.is_partial());
        assert_eq!(messages.take(&[0, 0]), 2);
        assert!(messages.is_partial() && !messages.ended);
        assert_eq!(messages.take(&[0, 0, 3, 7, 7]), 5);
        assert!(messages.is_partial() && !messages.ended);
        assert_eq!(messages.take(&[7]), 0);
        assert!(!messages.is_partial() && messages.ended);
    }

    #[test]
    fn messages_may_begin_and_end_within_the_same_bytes() {
        let mut messages = Messages::default();
        let two_and_a_half = [0, 0, 0, 0, 1, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 8];
        assert_eq!(messages.take(&two_and_a_half), 6);
        assert!(messages.is_partial() && messages.ended);
        assert_eq!(messages.take(&[8]), 0);
        assert!(!messages.is_partial());
    }

    #[test]
    fn the_length_is_read_over_all_four_bytes() {
        let mut messages = Messages::default();
        assert_eq!(messages.take(&[0, 0, 1, 0, 2]), 5);
        assert_eq!(messages.missing, 0x1_0002);
    }
}
