//! Holds a client to the pace that it must keep: [`Paced`], around the bytes of a connection.
//!
//! hyper has no deadline for the first bytes of a connection whose protocol it does not know yet, and none for what a
//! client doesn't take. Invariants:
//! - from accepting to the first bytes by which the protocol is known it takes `handshake` at most;
//! - from the first byte of an HTTP/1 request to its last header it takes `headers` at most;
//! - a write that the client doesn't take ends the connection after [`cut_off_after`].
//!
//! How long a connection may be without requests is `connection`'s, how long a body may take is `received`'s. An HTTP/2
//! client that sends half of its headers can't send anything else, so it ends by the pings that it does not answer.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use super::activity::Activity;
use super::deadline::Deadline;
use crate::config::Timeouts;
use crate::metrics::Step;
use crate::service::Service;

/// What an HTTP/2 client sends first; whoever sends something else speaks HTTP/1.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A connection's bytes.
pub(super) struct Paced<S> {
    stream: S,
    service: Service,
    activity: Arc<Activity>,
    opened: Instant,
    reading: Reading,
    read: Deadline,
    write: Deadline,
    flush: Deadline,
}

/// What is being read.
#[derive(Clone, Copy, Debug)]
enum Reading {
    /// The first bytes, of which so many were those of the preface.
    Opening {
        seen: usize,
    },
    Http1,
    /// The headers of an HTTP/1 request, since the time, when so many requests had begun.
    Headers {
        since: Instant,
        begun: u64,
    },
    Http2,
}

impl<S> Paced<S> {
    pub(super) fn new(stream: S, service: Service, activity: Arc<Activity>) -> Self {
        Self {
            stream,
            service,
            activity,
            opened: Instant::now(),
            reading: Reading::Opening { seen: 0 },
            read: Deadline::default(),
            write: Deadline::default(),
            flush: Deadline::default(),
        }
    }

    /// These bytes were read.
    fn took(&mut self, bytes: &[u8]) {
        self.read.lift();
        if bytes.is_empty() {
            return;
        }
        if let Reading::Opening { seen } = self.reading {
            let rest = PREFACE.get(seen..).unwrap_or_default();
            let compared = rest.len().min(bytes.len());
            self.reading = if bytes.get(..compared) != rest.get(..compared) {
                Reading::Http1
            } else if compared == rest.len() {
                Reading::Http2
            } else {
                Reading::Opening { seen: seen + compared }
            };
        }
        if matches!(self.reading, Reading::Http1) && self.activity.quiet_since().is_some() {
            let begun = self.activity.begun();
            self.reading = Reading::Headers { since: Instant::now(), begun };
        }
    }

    /// Nothing is there to read: for how long may that be?
    fn wait_for_bytes(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Reading::Headers { begun, .. } = self.reading
            && self.activity.begun() != begun
        {
            self.reading = Reading::Http1;
        }
        let timeouts = &self.service.config.timeouts;
        let (until, step) = match self.reading {
            Reading::Opening { .. } => (self.opened + timeouts.handshake, Step::FirstByte),
            Reading::Headers { since, .. } => (since + timeouts.headers, Step::Headers),
            Reading::Http1 | Reading::Http2 => {
                self.read.lift();
                return Poll::Pending;
            }
        };
        if self.read.poll(context, || until).is_pending() {
            return Poll::Pending;
        }
        self.service.metrics.requests.timed_out(step);
        Poll::Ready(Err(io::Error::from(io::ErrorKind::TimedOut)))
    }
}

/// After how long a client is cut off that takes nothing of what it is sent. Who follows a log is told after
/// `timeouts.write` that it lags, and where to go on: it must have the time to take that, too.
pub(super) fn cut_off_after(timeouts: &Timeouts) -> Duration {
    timeouts.write.saturating_add(timeouts.idle)
}

/// Ends what a client doesn't take in time.
fn within<T>(
    polled: Poll<io::Result<T>>,
    deadline: &mut Deadline,
    service: &Service,
    context: &mut Context<'_>,
) -> Poll<io::Result<T>> {
    if polled.is_ready() {
        deadline.lift();
        return polled;
    }
    let until = || Instant::now() + cut_off_after(&service.config.timeouts);
    if deadline.poll(context, until).is_pending() {
        return Poll::Pending;
    }
    service.metrics.requests.timed_out(Step::Write);
    Poll::Ready(Err(io::Error::from(io::ErrorKind::TimedOut)))
}

impl<S: AsyncRead + Unpin> AsyncRead for Paced<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        match Pin::new(&mut this.stream).poll_read(context, buffer) {
            Poll::Pending => this.wait_for_bytes(context),
            Poll::Ready(read) => {
                this.took(buffer.filled().get(before..).unwrap_or_default());
                Poll::Ready(read)
            }
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Paced<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.stream).poll_write(context, bytes);
        within(polled, &mut this.write, &this.service, context)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.stream).poll_write_vectored(context, bytes);
        within(polled, &mut this.write, &this.service, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.stream).poll_flush(context);
        within(polled, &mut this.flush, &this.service, context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.stream).poll_shutdown(context);
        within(polled, &mut this.flush, &this.service, context)
    }
}
