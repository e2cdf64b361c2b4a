//! What is measured of connections and requests: [`RequestMetrics`].

use metrics::{Counter, Gauge};

use super::{Protocol, Registry, names};

/// What a client was too slow with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// The TLS handshake.
    Handshake,
    /// The first bytes of a connection.
    FirstByte,
    /// The headers of a request.
    Headers,
    /// The body of a request.
    Body,
    /// Taking what it was sent.
    Write,
    /// Sending any request.
    Idle,
}

impl Step {
    const ALL: [Self; 6] =
        [Self::Handshake, Self::FirstByte, Self::Headers, Self::Body, Self::Write, Self::Idle];

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Handshake => "handshake",
            Self::FirstByte => "first_byte",
            Self::Headers => "headers",
            Self::Body => "body",
            Self::Write => "write",
            Self::Idle => "idle",
        }
    }
}

/// A request that lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StreamKind {
    Append,
    Query,
    Tail,
}

impl StreamKind {
    const ALL: [Self; 3] = [Self::Append, Self::Query, Self::Tail];

    /// By the path of a request.
    pub(crate) fn of(path: &str) -> Option<Self> {
        match path.rsplit('/').next()? {
            "AppendStream" => Some(Self::Append),
            "Query" => Some(Self::Query),
            "Tail" | "tail" => Some(Self::Tail),
            _ => None,
        }
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::Append => "append",
            Self::Query => "query",
            Self::Tail => "tail",
        }
    }
}

/// Of connections and requests.
pub(crate) struct RequestMetrics {
    pub(crate) connections: Gauge,
    pub(crate) connections_taken: Counter,
    pub(crate) refused_over_limit: Counter,
    pub(crate) refused_handshake: Counter,
    pub(crate) refused_accept: Counter,
    pub(crate) panics: Counter,
    under_way: [Gauge; 2],
    streams: [Gauge; 3],
    timeouts: [Counter; 6],
    /// By protocol, then by the first digit of the status (HTTP), or fine and not (gRPC).
    answered: [[Counter; 2]; 2],
}

impl RequestMetrics {
    pub(super) fn new(registry: &Registry) -> Self {
        let refused = |reason| registry.counter(names::CONNECTIONS_REFUSED, &[("reason", reason)]);
        let answered = Protocol::ALL.map(|protocol| {
            ["ok", "error"].map(|status| {
                let labels = [("protocol", protocol.as_str()), ("status", status)];
                registry.counter(names::REQUESTS, &labels)
            })
        });
        Self {
            connections: registry.gauge(names::CONNECTIONS, &[]),
            connections_taken: registry.counter(names::CONNECTIONS_TAKEN, &[]),
            refused_over_limit: refused("over_limit"),
            refused_handshake: refused("handshake"),
            refused_accept: refused("accept"),
            panics: registry.counter(names::PANICS, &[]),
            under_way: Protocol::ALL.map(|protocol| {
                registry.gauge(names::REQUESTS_UNDER_WAY, &[("protocol", protocol.as_str())])
            }),
            streams: StreamKind::ALL
                .map(|kind| registry.gauge(names::STREAMS, &[("kind", kind.as_str())])),
            timeouts: Step::ALL
                .map(|step| registry.counter(names::TIMEOUTS, &[("step", step.as_str())])),
            answered,
        }
    }

    /// Requests of that protocol that are under way.
    pub(crate) fn under_way(&self, protocol: Protocol) -> &Gauge {
        let [grpc, http] = &self.under_way;
        match protocol {
            Protocol::Grpc => grpc,
            Protocol::Http => http,
        }
    }

    /// Streams of that kind that are open.
    pub(crate) fn streams(&self, kind: StreamKind) -> &Gauge {
        let [append, query, tail] = &self.streams;
        match kind {
            StreamKind::Append => append,
            StreamKind::Query => query,
            StreamKind::Tail => tail,
        }
    }

    /// A client was too slow.
    pub(crate) fn timed_out(&self, step: Step) {
        let [handshake, first_byte, headers, body, write, idle] = &self.timeouts;
        let counter = match step {
            Step::Handshake => handshake,
            Step::FirstByte => first_byte,
            Step::Headers => headers,
            Step::Body => body,
            Step::Write => write,
            Step::Idle => idle,
        };
        counter.increment(1);
    }

    /// The head of a request's answer was made. (What a gRPC stream ends with is known later: refusals count it.)
    pub(crate) fn answered(&self, protocol: Protocol, fine: bool) {
        let [grpc, http] = &self.answered;
        let [ok, error] = match protocol {
            Protocol::Grpc => grpc,
            Protocol::Http => http,
        };
        if fine { ok.increment(1) } else { error.increment(1) }
    }
}
