//! The body of an answer as it goes out: [`Sent`].
//!
//! Invariants: a request is under way until its answer's last byte was taken; what happens while it is made is logged
//! and counted as that request's.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use super::streams::Taking;
use crate::telemetry::Trace;

/// The body of an answer.
#[derive(Debug)]
pub(super) struct Sent<G> {
    body: axum::body::Body,
    trace: Trace,
    taking: Option<Arc<Taking>>,
    _under_way: G,
}

impl<G> Sent<G> {
    /// `under_way` is dropped with it.
    pub(super) fn new(body: axum::body::Body, trace: Trace, under_way: G) -> Self {
        let taking = Taking::current();
        if let Some(taking) = &taking {
            taking.handed_over();
        }
        Self { body, trace, taking, _under_way: under_way }
    }
}

impl<G: Unpin> Body for Sent<G> {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let this = self.get_mut();
        if let Some(taking) = &this.taking {
            taking.asked();
        }
        let polled = this.trace.enter(|| Pin::new(&mut this.body).poll_frame(context));
        if let (Some(taking), Poll::Ready(Some(_))) = (&this.taking, &polled) {
            taking.handed_over();
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
