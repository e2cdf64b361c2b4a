//! Serves one connection, HTTP/1.1 or HTTP/2, until it ends.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt as _, StreamExt as _};
use http::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, sleep_until};
use tracing::debug;

use super::accept::Door;
use super::activity::Activity;
use super::exchange::exchange;
use super::pace::Paced;
use super::streams::{Streams, UnderWay};
use crate::auth::Peer;
use crate::metrics::Step;
use crate::service::Service;

/// Bytes that a client may send on one stream before the handler takes them.
const STREAM_WINDOW_SIZE: u32 = 64 << 10;

/// Bytes that a client may send on all streams of a connection before the handlers take them: what a connection can
/// make the service hold beyond bodies that are read.
///
/// h2 ends a connection on which more than half as many bytes are needed for what small frames lack of 256 bytes each
/// (RUSTSEC-2026-0258), and an event in a frame of its own, as clients in Go send it, is small. So that events of 64 bytes
/// may fill the windows of two streams at once, it is 16 times a stream's, and not twice.
const CONNECTION_WINDOW_SIZE: u32 = 16 * STREAM_WINDOW_SIZE;

const _: () = {
    let (event, streams) = (64, 2);
    assert!(streams * (STREAM_WINDOW_SIZE / event) * (256 - event) <= CONNECTION_WINDOW_SIZE / 2);
};

/// Bytes of one stream's answer that wait for the client.
const SEND_BUFFER_SIZE: usize = 64 << 10;

/// hyper takes no less for HTTP/1.
const HTTP1_BUFFER_SIZE_MIN: usize = 8 << 10;

/// Streams that a client reset before they were taken, after which the connection ends: a flood of resets costs no more.
const RESET_BEFORE_TAKEN_MAX: usize = 20;

/// Streams that were reset for a client's errors, after which the connection ends. Those over the limit of streams are
/// among them, of which an honest client may send many before it knows the limit.
const RESET_FOR_ERRORS_MAX: usize = 1024;

/// Serves one connection until it ends, or the service stops.
pub(super) async fn serve<S>(stream: S, peer: Peer, door: Door)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let Door { service, routes, closing, .. } = door;
    let activity = Activity::new();
    let stream = TokioIo::new(Paced::new(stream, service.clone(), Arc::clone(&activity)));
    let streams = Streams::new(service.clone());
    let builder = builder(&service, streams.clone());
    let answering = service.clone();
    let requests = Arc::clone(&activity);
    // In a box from the beginning: hyper and what runs streams move it several times.
    let answer = service_fn(move |request: Request<Incoming>| {
        Box::pin(exchange(request, peer.clone(), &routes, &answering, requests.begin()))
    });
    let connection = builder.serve_connection(stream, answer);
    tokio::pin!(connection);
    let mut under_way = UnderWay::new();
    // A connection is polled for every few bytes: what seldom happens is polled only when it was woken.
    let mut events: FuturesUnordered<BoxFuture<'_, Event>> = FuturesUnordered::new();
    events.push(Box::pin(service.aborting.cancelled().map(|()| Event::Abort)));
    events.push(Box::pin(closing.cancelled().map(|()| Event::End)));
    events.push(Box::pin(idle(&activity, &service).map(|()| Event::Idle)));
    let mut ending = false;
    let ended = loop {
        let event = tokio::select! {
            biased;
            Some(event) = events.next() => event,
            ended = streams.run(connection.as_mut(), &mut under_way) => break ended,
        };
        match event {
            Event::Abort | Event::Gone => return,
            Event::End | Event::Idle if ending => continue,
            Event::Idle => service.metrics.requests.timed_out(Step::Idle),
            Event::End => {}
        }
        ending = true;
        connection.as_mut().graceful_shutdown();
        // It was told to end and has nothing under way: a client that is there has read that by now.
        let gone = idle_since(&activity, service.config.timeouts.write);
        events.push(Box::pin(gone.map(|()| Event::Gone)));
    };
    drop(events);
    if let Err(error) = ended {
        debug!(error, "a connection ended with an error");
    }
}

/// What ends a connection from outside of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Event {
    /// Whatever it waits for.
    Abort,
    /// Once what is under way is done.
    End,
    /// The same, since it was without a request for too long.
    Idle,
    /// It has been without a request since it was told to end.
    Gone,
}

/// Waits until the connection was without a request for as long as it may be.
async fn idle(activity: &Activity, service: &Service) {
    idle_since(activity, service.config.timeouts.idle).await;
}

async fn idle_since(activity: &Activity, limit: std::time::Duration) {
    let now = Instant::now();
    loop {
        let since = activity.quiet_since().map(|since| since.max(now));
        let until = since.unwrap_or_else(Instant::now) + limit;
        if since.is_some() && until <= Instant::now() {
            return;
        }
        sleep_until(until).await;
    }
}

fn builder(service: &Service, streams: Streams) -> Builder<Streams> {
    let (limits, timeouts) = (&service.config.limits, &service.config.timeouts);
    let mut builder = Builder::new(streams);
    // The deadline of headers is `pace`'s: hyper's would end a connection that waits between two requests.
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(None)
        .max_buf_size(limits.header_size_max.max(HTTP1_BUFFER_SIZE_MIN));
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.streams_per_connection_max)
        .max_header_list_size(u32::try_from(limits.header_size_max).unwrap_or(u32::MAX))
        .initial_stream_window_size(STREAM_WINDOW_SIZE)
        .initial_connection_window_size(CONNECTION_WINDOW_SIZE)
        .max_send_buf_size(SEND_BUFFER_SIZE)
        .max_pending_accept_reset_streams(RESET_BEFORE_TAKEN_MAX)
        .max_local_error_reset_streams(RESET_FOR_ERRORS_MAX)
        .keep_alive_interval(timeouts.keep_alive)
        .keep_alive_timeout(timeouts.keep_alive);
    builder
}
