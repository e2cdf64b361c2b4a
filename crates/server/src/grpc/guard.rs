//! The step in front of every gRPC method: takes only what is gRPC, and gives the gRPC library's own refusals the stable
//! codes.
//!
//! Invariant: a request whose content type a web page may send without asking (`text/plain`, a form) reaches no method.
//! `scan` counts what a message has many of before it is decoded.

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use http::header::{ALLOW, CONTENT_TYPE};
use http::{HeaderValue, Method};
use tonic::Status;
use tonic::codegen::Service as _;

use crate::auth::layer::let_in;
use crate::error::{ApiError, Code};
use crate::grpc::scan::Many;
use crate::grpc::{Audit, scan, status, unread};
use crate::metrics::Protocol;
use crate::proto::v1::audit_service_server::{AuditServiceServer, SERVICE_NAME};
use crate::service::Service;

/// The methods of `AuditService`, and what is in front of them. Not behind a router: with one path to look for, its boxes
/// cost every append more than they give.
#[derive(Clone, Debug)]
pub(crate) struct Methods {
    service: Service,
    server: AuditServiceServer<Audit>,
}

impl Methods {
    pub(super) fn new(service: &Service, server: AuditServiceServer<Audit>) -> Self {
        Self { service: service.clone(), server }
    }

    /// Whether a path is that of a method of `AuditService`, be there such a method or not.
    pub(crate) fn take(path: &str) -> bool {
        let path = path.strip_prefix('/').and_then(|path| path.strip_prefix(SERVICE_NAME));
        path.and_then(|path| path.strip_prefix('/')).is_some_and(|method| !method.is_empty())
    }

    /// Answers a request, if it is let in, is gRPC, and its message has not too many of something.
    pub(crate) async fn answer(self, request: Request) -> Response {
        let is_head = request.method() == Method::HEAD;
        let mut answer = self.answer_with_body(request).await;
        if is_head {
            // Of a refusal, there is nothing else; a router would do the same.
            *answer.body_mut() = Body::empty();
        }
        answer
    }

    async fn answer_with_body(mut self, mut request: Request) -> Response {
        if let Err(error) = let_in(&self.service, &mut request) {
            return crate::http::answer(&request, error);
        }
        if request.method() != Method::POST {
            return not_posted();
        }
        if let Err(error) = check_kind(&request) {
            return crate::http::answer(&request, error);
        }
        if let Some(many) = Many::of(request.uri().path()) {
            request = match with_few(&self.service, many, request).await {
                Ok(request) => request,
                Err(error) => return Status::from(error).into_http(),
            };
        }
        let Ok(response) = self.server.call(request).await;
        explained(unread::counted(response))
    }
}

/// As a middleware of axum, for services that are behind a router.
pub(super) async fn guard(request: Request, next: Next) -> Response {
    if request.method() != Method::POST {
        return not_posted();
    }
    match check_kind(&request) {
        Ok(()) => explained(next.run(request).await),
        Err(error) => crate::http::answer(&request, error),
    }
}

/// gRPC is POST alone. What comes with another method is none, whatever its content type says, and is answered over HTTP.
fn not_posted() -> Response {
    let error = ApiError::new(Code::MethodNotAllowed, "this path takes gRPC, which is POST alone");
    let mut answer = crate::http::answer_as(Protocol::Http, error);
    answer.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
    answer
}

/// The answer, with the stable code where it is a refusal of the gRPC library's.
fn explained(answer: Response) -> Response {
    match Status::from_header_map(answer.headers()) {
        // A refusal before any answer has its status among the headers.
        Some(refused) if refused.code() != tonic::Code::Ok && refused.details().is_empty() => {
            status::explained(refused).into_http()
        }
        Some(_) | None => answer,
    }
}

/// The request with its whole body, where that has not too many of something.
async fn with_few(service: &Service, many: Many, request: Request) -> Result<Request, ApiError> {
    let (parts, body) = request.into_parts();
    let limit = service.config.limits.request_size_max;
    let body = to_bytes(body, limit.saturating_add(scan::PREFIX_SIZE)).await.map_err(|error| {
        // Why a body ended before its end is known to who answers; else it was over the limit.
        ApiError::new(
            Code::TooLarge,
            format!("the message is over its limit (limits.request_size_max): {error}"),
        )
    })?;
    scan::refuse_many(service, parts.extensions.get(), many, &body)?;
    Ok(Request::from_parts(parts, Body::from(body)))
}

/// Checks the content type: `application/grpc`, perhaps with `+proto`, since no other encoding is known.
fn check_kind(request: &Request) -> Result<(), ApiError> {
    let kind = request.headers().get(CONTENT_TYPE).map(HeaderValue::as_bytes);
    let kind = kind.and_then(|kind| kind.split(|byte| *byte == b';').next()).unwrap_or_default();
    match kind.trim_ascii() {
        b"application/grpc" | b"application/grpc+proto" => Ok(()),
        other if other.starts_with(b"application/grpc") => Err(ApiError::new(
            Code::Unimplemented,
            "content-type: messages are protobuf here, application/grpc or application/grpc+proto",
        )),
        _ => Err(ApiError::new(
            Code::UnsupportedMediaType,
            "content-type: this path takes application/grpc; over HTTP see /openapi.json",
        )),
    }
}
