//! The HTTP side: one operation a function, each in the module of its kind.
//!
//! Invariants:
//! - routes and document are made from one list, [`OPERATIONS`], and beside it from that of [`tree`]: what is routed is
//!   documented;
//! - every path of a log exists as `/v1/logs/{log}/…`, and as `/v1/…` for the default log, with the same handler;
//! - every answer that is no success is a problem ([`problem`]).
//!
//! It decides nothing about records: what both protocols share is in `append`, `read` and `engine`.

mod body;
mod document;
mod parameters;
pub(crate) mod problem;
mod proofs;
mod records;
mod request;
mod tail;
mod tree;

use axum::Router;
use axum::extract::Request;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{MethodRouter, get, post};
use tonic::Status;
use utoipa::openapi::Paths;
use utoipa::openapi::path::HttpMethod;

use self::document::{Operation, Prefix};
#[cfg(fuzzing)]
pub(crate) use self::records::fuzzing::take as take_body;
use self::request::NoParameters;
use crate::auth::layer::Authenticating;
use crate::error::{ApiError, Code};
use crate::metrics::Protocol;
use crate::service::Service;

/// One operation on a log, for callers that are known.
struct OnLog {
    /// Below `/v1` and `/v1/logs/{log}`.
    path: &'static str,
    method: HttpMethod,
    handler: fn() -> MethodRouter<Service>,
    describe: fn() -> Operation,
}

/// All of them.
const OPERATIONS: [OnLog; 6] = [
    OnLog {
        path: "/records",
        method: HttpMethod::Post,
        handler: || post(records::append::append),
        describe: records::append::describe,
    },
    OnLog {
        path: "/records",
        method: HttpMethod::Get,
        handler: || get(records::find::find),
        describe: records::find::describe,
    },
    OnLog {
        path: "/records/{seq}",
        method: HttpMethod::Get,
        handler: || get(records::one::record),
        describe: records::one::describe,
    },
    OnLog {
        path: "/records/{seq}/proof",
        method: HttpMethod::Get,
        handler: || get(proofs::record),
        describe: proofs::describe_record,
    },
    OnLog {
        path: "/consistency",
        method: HttpMethod::Get,
        handler: || get(proofs::consistency),
        describe: proofs::describe_consistency,
    },
    OnLog {
        path: "/tail",
        method: HttpMethod::Get,
        handler: || get(tail::tail),
        describe: tail::describe,
    },
];

/// The paths of a log's operations.
const PREFIXES: [Prefix; 2] = [Prefix::DEFAULT, Prefix::NAMED];

/// The paths that need a [`Caller`](crate::auth::Caller), each behind the step that finds out who calls: a method that a
/// path lacks is nobody's, and refused as that before anybody is asked for a name.
pub(crate) fn routes(service: &Service) -> Router<Service> {
    OPERATIONS
        .iter()
        .flat_map(|on_log| PREFIXES.map(|prefix| (prefix.path, on_log)))
        .fold(Router::new(), |router, (prefix, on_log)| {
            let known = Authenticating::before_routes(service);
            let handler = (on_log.handler)().route_layer(known);
            router.route(&format!("{prefix}{}", on_log.path), handler)
        })
        .method_not_allowed_fallback(no_such_method)
}

/// The paths that need none: the document, and what everybody may see of logs whose tree is public.
pub(crate) fn open_routes(service: &Service) -> Router<Service> {
    let document = document::served(&document::document(paths()));
    let describing = move |_: NoParameters| {
        let document = document.clone();
        async move { document::answer(document) }
    };
    tree::routes(service)
        .route("/openapi.json", get(describing))
        .method_not_allowed_fallback(no_such_method)
}

/// All operations, described.
fn paths() -> Paths {
    let mut paths = Paths::new();
    for on_log in &OPERATIONS {
        for prefix in PREFIXES {
            let operation = (on_log.describe)().build(prefix);
            let path = format!("{}{}", prefix.path, on_log.path);
            document::add(&mut paths, &path, on_log.method.clone(), operation);
        }
    }
    tree::describe(&mut paths);
    document::add(&mut paths, "/openapi.json", HttpMethod::Get, document::describe());
    paths
}

/// An error as the protocol of the request has it.
pub(crate) fn answer(request: &Request, error: ApiError) -> Response {
    answer_as(Protocol::of(request.headers()), error)
}

/// An error as that protocol has it.
pub(crate) fn answer_as(protocol: Protocol, error: ApiError) -> Response {
    match protocol {
        Protocol::Grpc => Status::from(error).into_http(),
        Protocol::Http => error.into_response(),
    }
}

/// What is answered where there is no such path.
pub(crate) async fn unknown(request: Request) -> Response {
    let code = match Protocol::of(request.headers()) {
        Protocol::Grpc => Code::Unimplemented,
        Protocol::Http => Code::NotFound,
    };
    answer(&request, ApiError::new(code, "there is nothing at this path; see /openapi.json"))
}

/// What is answered where the path has other methods; they stand in `Allow`.
async fn no_such_method(request: Request) -> Response {
    let text = "the path has no such method; see `Allow`, and /openapi.json";
    answer(&request, ApiError::new(Code::MethodNotAllowed, text))
}
