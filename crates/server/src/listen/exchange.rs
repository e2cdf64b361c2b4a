//! One request and its answer: what surrounds the routes, on every listener.
//!
//! Invariants:
//! - a handler that panics is answered for like any other fault, and counted;
//! - each answer carries the id under which the request is told of.

use std::any::Any;
use std::convert::Infallible;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::body::Body;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use http::{HeaderName, Request, Response};
use hyper::body::Incoming;
use metrics::Gauge;
use tower::ServiceExt as _;

use super::activity::UnderWay;
use super::received::{Fault, Received};
use super::sent::Sent;
use crate::auth::Peer;
use crate::error::ApiError;
use crate::grpc::Methods;
use crate::http::answer_as;
use crate::metrics::{Protocol, StreamKind};
use crate::service::Service;
use crate::telemetry::Trace;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What lasts until an answer's last byte was taken.
#[derive(Debug)]
pub(super) struct Lasting {
    _under_way: UnderWay,
    _counted: Counted,
    _stream: Option<Counted>,
}

/// A gauge that is one higher as long as this lives.
pub(super) struct Counted(Gauge);

impl Counted {
    pub(super) fn new(gauge: &Gauge) -> Self {
        gauge.increment(1.0);
        Self(gauge.clone())
    }
}

impl std::fmt::Debug for Counted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Counted")
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.decrement(1.0);
    }
}

/// What answers the requests of a listener.
#[derive(Clone, Debug)]
pub(crate) struct Routes {
    /// The methods of `AuditService`, where they are behind it.
    pub(crate) methods: Option<Methods>,
    pub(crate) paths: Router,
}

impl Routes {
    /// Each way in a box of its own, which is as large as that way needs.
    fn answer(&self, request: Request<Body>) -> BoxFuture<'static, Response<Body>> {
        match &self.methods {
            Some(methods) if Methods::take(request.uri().path()) => {
                Box::pin(methods.clone().answer(request))
            }
            Some(_) | None => {
                Box::pin(self.paths.clone().oneshot(request).map(|Ok(answer)| answer))
            }
        }
    }
}

/// Answers a request.
///
/// What the answer no longer needs is dropped before it is waited for: what is returned lies in a box of its own for each
/// request, and a large one costs more than it holds.
pub(super) fn exchange(
    request: Request<Incoming>,
    peer: Peer,
    routes: &Routes,
    service: &Service,
    under_way: UnderWay,
) -> impl Future<Output = Result<Response<Sent<Lasting>>, Infallible>> + Send + use<> {
    let protocol = Protocol::of(request.headers());
    let stream = StreamKind::of(request.uri().path());
    let measured = &service.metrics.requests;
    let lasting = Lasting {
        _under_way: under_way,
        _counted: Counted::new(measured.under_way(protocol)),
        _stream: stream.map(|kind| Counted::new(measured.streams(kind))),
    };
    let trace = Trace::begin(service.clone(), protocol);
    let fault = Fault::new(OnceLock::new());
    let streaming = stream == Some(StreamKind::Append);
    let (mut head, body) = request.into_parts();
    head.extensions.insert(peer);
    let body = Body::new(Received::new(body, service.clone(), streaming, Arc::clone(&fault)));
    let answering = routes.answer(Request::from_parts(head, body));
    answer(answering, fault, trace, lasting)
}

/// Waits for the answer, and sees to it that it is told of and counted.
async fn answer(
    answering: BoxFuture<'static, Response<Body>>,
    fault: Fault,
    trace: Trace,
    lasting: Lasting,
) -> Result<Response<Sent<Lasting>>, Infallible> {
    let (protocol, measured) = (trace.protocol(), trace.metrics());
    let answered = trace.follow(caught(answering)).await;
    let mut answer = trace.enter(|| match (fault.get(), answered) {
        (Some(fault), _) => answer_as(protocol, fault.clone()),
        (None, Ok(answer)) => answer,
        (None, Err(panic)) => {
            measured.panics.increment(1);
            answer_as(protocol, ApiError::internal(text_of(panic.as_ref())))
        }
    });
    if let Some(id) = trace.header() {
        answer.headers_mut().insert(REQUEST_ID, id);
    }
    measured.answered(protocol, is_fine(protocol, &answer));
    Ok(answer.map(|body| Sent::new(body, trace, lasting)))
}

/// What the routes answer, or what they panicked with. They share nothing that a panic could leave half done: the logs
/// have their own threads, and halt by themselves.
async fn caught(
    mut answering: BoxFuture<'static, Response<Body>>,
) -> Result<Response<Body>, Box<dyn Any + Send>> {
    std::future::poll_fn(|context| {
        let polled = catch_unwind(AssertUnwindSafe(|| answering.as_mut().poll(context)));
        match polled {
            Ok(polled) => polled.map(Ok),
            Err(panic) => std::task::Poll::Ready(Err(panic)),
        }
    })
    .await
}

fn text_of(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("a panic")
}

/// Whether the head of an answer says that all is well. gRPC says in its head what failed before anything was sent.
fn is_fine(protocol: Protocol, answer: &Response<Body>) -> bool {
    let grpc_fine = answer.headers().get("grpc-status").is_none_or(|status| status == "0");
    match protocol {
        Protocol::Grpc => answer.status().is_success() && grpc_fine,
        Protocol::Http => answer.status().is_success(),
    }
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use http::StatusCode;

    use super::*;

    #[tokio::test]
    async fn a_panic_ends_its_request_alone() {
        async fn fails() -> StatusCode {
            panic!("no record of {}", 7)
        }
        let paths = Router::new().route("/", get(fails)).route("/fine", get(|| async { "" }));
        let routes = Routes { methods: None, paths };
        let ask = |path: &str| Request::get(path).body(Body::empty()).unwrap();
        let panic = caught(routes.answer(ask("/"))).await.unwrap_err();
        assert_eq!(text_of(panic.as_ref()), "no record of 7");
        let answer = answer_as(Protocol::Http, ApiError::internal(text_of(panic.as_ref())));
        assert_eq!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert!(!is_fine(Protocol::Http, &answer));
        let answer = answer_as(Protocol::Grpc, ApiError::internal(""));
        assert_eq!(answer.headers()["grpc-status"], "13");
        assert!(!is_fine(Protocol::Grpc, &answer));
        assert_eq!(caught(routes.answer(ask("/fine"))).await.unwrap().status(), StatusCode::OK);
    }
}
