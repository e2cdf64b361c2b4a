//! Limits on what callers send, and how long things may take.

use std::time::Duration;

/// Limits on what callers send. What one log may hold in its queue, and how large its entries are, is the log's own
/// ([`LogConfig`](super::LogConfig)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Bytes of one request body over HTTP, and of one message over gRPC.
    pub request_size_max: usize,
    /// Bytes of all request bodies that are on their way, over all connections.
    pub bodies_size_max: usize,
    /// Bytes of all answers that were read from logs and that clients have not taken, over all connections; what followers
    /// wait for is not among them. Answers to batches have a quarter of it beyond it, and so have public trees.
    pub answers_size_max: usize,
    /// Events of one batch.
    pub batch_events_max: usize,
    /// Bytes of all headers of one request.
    pub header_size_max: usize,
    /// Connections at one time, over all listeners.
    pub connections_max: usize,
    /// Requests and streams at one time on one connection.
    pub streams_per_connection_max: u32,
    /// Queries, tails and proofs at one time.
    pub reads_max: usize,
    /// Followers (`Tail`) at one time.
    pub tails_max: usize,
    /// Events that one `AppendStream` may have in flight.
    pub stream_in_flight_max: usize,
    /// Records of one answer to `GET /v1/records`.
    pub page_records_max: u64,
    /// Events a second for each principal; `None` is no limit.
    pub events_per_second: Option<u32>,
    /// Events that a principal may send at once beyond its rate.
    pub events_burst: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            request_size_max: 4 << 20,
            bodies_size_max: 256 << 20,
            answers_size_max: 256 << 20,
            batch_events_max: 1000,
            header_size_max: 16 << 10,
            connections_max: 4096,
            streams_per_connection_max: 256,
            reads_max: 64,
            tails_max: 1024,
            stream_in_flight_max: 1024,
            page_records_max: 1000,
            events_per_second: None,
            events_burst: 1000,
        }
    }
}

/// How long things may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Timeouts {
    /// A TLS handshake, and until the first byte of a request.
    pub handshake: Duration,
    /// All headers of a request.
    pub headers: Duration,
    /// The body of a request.
    pub body: Duration,
    /// Until a client that is sent something takes it: a follower is told then that it lags. Who takes nothing for `idle`
    /// more is cut off.
    pub write: Duration,
    /// A connection without any request.
    pub idle: Duration,
    /// Between pings on an HTTP/2 connection, and until one is answered.
    pub keep_alive: Duration,
    /// One query.
    pub query: Duration,
    /// Shutdown: until requests under way have ended.
    pub drain: Duration,
    /// Shutdown: until the logs are closed.
    pub close: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            handshake: Duration::from_secs(10),
            headers: Duration::from_secs(10),
            body: Duration::from_secs(30),
            write: Duration::from_secs(30),
            idle: Duration::from_mins(5),
            keep_alive: Duration::from_secs(30),
            query: Duration::from_mins(1),
            drain: Duration::from_secs(10),
            close: Duration::from_secs(20),
        }
    }
}
