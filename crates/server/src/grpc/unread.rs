//! The body of an answer of `AuditService` that is counted while its client has not taken it: [`UnreadBody`].

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http_body::{Frame, SizeHint};

use crate::unread::{Held, Unread};

/// Says, in the extensions of an answer, that it is counted.
#[derive(Clone, Debug)]
pub(super) struct Counting {
    unread: Unread,
    /// Counts a message from when it is made to when it is encoded.
    made: Option<Arc<Held>>,
}

impl Counting {
    /// An answer of messages that are counted once they are encoded.
    pub(super) fn encoded(unread: &Unread) -> Self {
        Self { unread: unread.clone(), made: None }
    }

    /// An answer of one message of that size.
    pub(super) fn made(unread: &Unread, size: usize) -> Self {
        Self { unread: unread.clone(), made: unread.hold(size).map(Arc::new) }
    }
}

/// The body of an answer: what it has encoded is counted until it is freed.
#[derive(Debug)]
struct UnreadBody<B> {
    body: B,
    counting: Counting,
}

/// The answer, counted if it says so.
pub(super) fn counted<B>(mut answer: http::Response<B>) -> Response
where
    B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<axum::BoxError>,
{
    match answer.extensions_mut().remove::<Counting>() {
        Some(counting) => answer.map(|body| Body::new(UnreadBody { body, counting })),
        None => answer.map(Body::new),
    }
}

impl<B: http_body::Body<Data = Bytes> + Unpin> http_body::Body for UnreadBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let this = self.get_mut();
        Pin::new(&mut this.body).poll_frame(context).map_ok(|frame| {
            let frame = frame.map_data(|bytes| this.counting.unread.counted(bytes));
            this.counting.made = None;
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
