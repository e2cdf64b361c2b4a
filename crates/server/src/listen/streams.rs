//! Where hyper runs each HTTP/2 request: [`Streams`], in the task of its connection.
//!
//! Invariants:
//! - when the connection ends, every one of them ends, whatever it waits for;
//! - one whose answer the client doesn't take (it gives no flow-control window) ends after
//!   [`cut_off_after`](super::pace::cut_off_after), alone: the other streams of its connection go on.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use hyper::rt::Executor;
use tokio::time::Instant;

use super::deadline::Deadline;
use super::pace::cut_off_after;
use crate::metrics::Step;
use crate::service::Service;

tokio::task_local! {
    /// Whether the client takes the answer of the stream that runs here.
    static TAKING: Arc<Taking>;
}

/// Whether a client takes an answer: hyper asks for the next piece once the last one is on its way.
#[derive(Debug, Default)]
pub(super) struct Taking(Mutex<Option<Instant>>);

impl Taking {
    /// That of the stream that runs here, if it is one.
    pub(super) fn current() -> Option<Arc<Self>> {
        TAKING.try_with(Arc::clone).ok()
    }

    /// A piece was handed over, and the next is not asked for yet.
    pub(super) fn handed_over(&self) {
        *self.since() = Some(Instant::now());
    }

    /// The next piece is asked for.
    pub(super) fn asked(&self) {
        *self.since() = None;
    }

    fn since(&self) -> std::sync::MutexGuard<'_, Option<Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// As [`Executor`], for one connection: what it is given is run by [`Streams::run`], in the task of the connection.
///
/// Each answer of a task of its own would wake the connection, and be written by itself; here those that are ready
/// together are written together.
#[derive(Clone)]
pub(super) struct Streams {
    service: Service,
    begun: Arc<Mutex<Vec<Stream>>>,
}

type Stream = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The streams of a connection that are under way.
pub(super) type UnderWay = FuturesUnordered<Stream>;

impl Streams {
    pub(super) fn new(service: Service) -> Self {
        Self { service, begun: Arc::default() }
    }

    /// Runs a connection and its streams until the connection ends. What is under way stays so where this is dropped, and
    /// ends with `under_way`.
    pub(super) async fn run<C: Future>(
        &self,
        connection: C,
        under_way: &mut UnderWay,
    ) -> C::Output {
        let mut connection = pin!(connection);
        std::future::poll_fn(|context| {
            if let Poll::Ready(ended) = connection.as_mut().poll(context) {
                return Poll::Ready(ended);
            }
            under_way.extend(self.begun.lock().unwrap_or_else(PoisonError::into_inner).drain(..));
            // Whatever a stream has to send wakes the connection, which is this task.
            while let Poll::Ready(Some(())) = under_way.poll_next_unpin(context) {}
            Poll::Pending
        })
        .await
    }
}

impl std::fmt::Debug for Streams {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Streams").finish_non_exhaustive()
    }
}

impl<F> Executor<F> for Streams
where
    F: Future + Send + 'static,
    F::Output: Send,
{
    fn execute(&self, stream: F) {
        let stream = Box::pin(run(stream, self.service.clone()));
        self.begun.lock().unwrap_or_else(PoisonError::into_inner).push(stream);
    }
}

async fn run<F: Future>(stream: F, service: Service) {
    let taking = Arc::new(Taking::default());
    let mut stream = pin!(TAKING.scope(Arc::clone(&taking), stream));
    let mut deadline = Deadline::default();
    std::future::poll_fn(|context: &mut Context<'_>| {
        if stream.as_mut().poll(context).is_ready() {
            return Poll::Ready(());
        }
        let Some(since) = *taking.since() else {
            deadline.lift();
            return Poll::Pending;
        };
        let until = since + cut_off_after(&service.config.timeouts);
        if deadline.poll(context, || until).is_pending() {
            return Poll::Pending;
        }
        service.metrics.requests.timed_out(Step::Write);
        Poll::Ready(())
    })
    .await;
}
