//! The body of an answer of `AuditService`, counted while its client has not taken it: [`Counted`].

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::Response;
use http_body::{Body, Frame, SizeHint};

use crate::answers::{Answers, Held};

/// Counts a message from when it is made to when it is encoded; in the extensions of an answer.
pub(super) type Made = Arc<Held>;

/// The body of an answer: what it has encoded is counted until it is freed.
#[derive(Debug)]
pub(super) struct Counted<B> {
    body: B,
    answers: Answers,
    made: Option<Made>,
}

impl<B> Counted<B> {
    /// The body of that answer.
    pub(super) fn of(answer: Response<B>, answers: &Answers) -> Response<Self> {
        let (mut parts, body) = answer.into_parts();
        let made = parts.extensions.remove();
        Response::from_parts(parts, Self { body, answers: answers.clone(), made })
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for Counted<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let this = self.get_mut();
        Pin::new(&mut this.body).poll_frame(context).map_ok(|frame| {
            let frame = frame.map_data(|bytes| this.answers.counted(bytes));
            this.made = None;
            frame
        })
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
