//! `POST …/records`.

use std::fmt::Write as _;
use std::future::Future;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, LOCATION};
use http::{HeaderMap, HeaderValue, StatusCode};
use indelible::{Event, Receipt};
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::schema::Schema;
use utoipa::openapi::{ContentBuilder, Ref, RefOr, Required, ResponseBuilder};

use crate::append;
use crate::auth::role::Role;
use crate::engine::Queued;
use crate::error::{ApiError, Code};
use crate::http::body::{self, Content};
use crate::http::document::{Operation, schemas};
use crate::http::records::batch;
use crate::http::request::{NoParameters, OfLog};
use crate::service::Service;

pub(super) const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// Room for a receipt and its line feed, which have 207 bytes at most.
const RECEIPT_SIZE: usize = 224;

/// What some editors put before a text.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Appends one event, or an event a line.
///
/// # Durability
/// With a receipt the record is on the disk. Where the client is gone after its event was queued, it is written all the
/// same.
pub(in crate::http) fn append(
    State(service): State<Service>,
    of: OfLog,
    _: NoParameters,
    request: Request,
) -> impl Future<Output = Result<Response, ApiError>> + Send {
    // The request is taken apart before anything is waited for: what waits is kept for each request, and its parts are
    // large.
    let (head, body) = request.into_parts();
    let begun = begin(&service, &of, &head.headers, body);
    let uri = head.uri;
    async move {
        let (content, body) = begun?;
        let body = body.await?;
        match content {
            Content::Json => one(&of, uri.path(), &body).await,
            Content::JsonLines => batch::append(&service, &of, &body).await,
        }
    }
}

/// Who may not append is told before the body is taken in.
fn begin(
    service: &Service,
    of: &OfLog,
    headers: &HeaderMap,
    body: Body,
) -> Result<(Content, impl Future<Output = Result<Bytes, ApiError>> + Send + use<>), ApiError> {
    of.caller.require(Role::Append, of.log.name())?;
    Ok((body::content(headers)?, body::whole(service, headers, body)?))
}

async fn one(of: &OfLog, path: &str, body: &[u8]) -> Result<Response, ApiError> {
    let receipt = submit(of, body)?.await?;
    let mut text = String::with_capacity(RECEIPT_SIZE);
    writeln!(text, "{receipt}").map_err(ApiError::internal)?;
    let mut response = Response::new(text.into());
    *response.status_mut() = status(&receipt);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, JSON);
    if let Ok(location) = HeaderValue::try_from(format!("{path}/{}", receipt.seq)) {
        headers.insert(LOCATION, location);
    }
    Ok(response)
}

/// Queues the event of a body.
fn submit(of: &OfLog, body: &[u8]) -> Result<Queued, ApiError> {
    let event = event(body).inspect_err(|_| of.log.rejected(1))?;
    append::submit(&of.caller, &of.log, &event)
}

/// Whether something new came to be.
pub(super) fn status(receipt: &Receipt) -> StatusCode {
    if receipt.duplicate { StatusCode::OK } else { StatusCode::CREATED }
}

/// The event of a body or of a line.
///
/// # Errors
/// Says what is wrong with it, and what it seems to be instead.
pub(super) fn event(text: &[u8]) -> Result<Event, ApiError> {
    Event::from_json(text).map_err(|error| {
        let trimmed = text.trim_ascii();
        let mut error = ApiError::from(error);
        if trimmed.is_empty() {
            ApiError::field("body", "it is empty: an event is a JSON object")
        } else if trimmed.starts_with(BYTE_ORDER_MARK) {
            let what = "it begins with a byte order mark (EF BB BF), which no JSON has: send UTF-8 without one";
            ApiError::field("body", what)
        } else if trimmed.starts_with(b"[") {
            let what = "it is an array: several events go as application/x-ndjson, one JSON object a line";
            ApiError::field("body", what)
        } else if is_single_quoted(trimmed) {
            error.message.push_str("; JSON takes double quotes, \"\u{2026}\", and no single ones");
            error
        } else {
            error
        }
    })
}

/// Whether an object's first name stands in single quotes, as in the literals of some languages.
fn is_single_quoted(text: &[u8]) -> bool {
    text.strip_prefix(b"{").is_some_and(|rest| rest.trim_ascii_start().starts_with(b"'"))
}

/// For the document.
pub(in crate::http) fn describe() -> Operation {
    let content = |schema: RefOr<Schema>| ContentBuilder::new().schema(Some(schema)).build();
    let lines = schemas::json_lines().description(Some(
        "An `Event` a line, as JSON; lines end in LF or CR LF, blank ones are passed over. At most 1000 events \
         (limits.batch_events_max). All are checked before any is queued.",
    ));
    let body = RequestBodyBuilder::new()
        .description(Some("At most 4 MiB (limits.request_size_max), not compressed."))
        .content("application/json", content(Ref::from_schema_name("Event").into()))
        .content("application/x-ndjson", content(lines.into()))
        .required(Some(Required::True))
        .build();
    let answer = |what: &str| {
        let results = schemas::json_lines()
            .description(Some("A `LineResult` a line, in the order of the request."));
        let location = HeaderBuilder::new()
            .description(Some("The path of the record; of a single event only."))
            .schema(Some(schemas::text(1, 256, None)))
            .build();
        ResponseBuilder::new()
            .description(what)
            .content("application/json", content(Ref::from_schema_name("Receipt").into()))
            .content("application/x-ndjson", content(results.into()))
            .header("Location", location)
    };
    Operation::new(
        "append",
        "Appends one event, or an event a line",
        "Answers when all of it is durable, or known not to be. A client that goes away does not take back what was queued. \
         Not atomic over a crash, which may keep the first events of a request and not the last.\n\n\
         Many events: an answer that is a problem means that nothing was recorded. Else there is an `x-ndjson` answer with \
         a result for each, whose status is 201 where all are recorded, 200 where all of them were before, and otherwise that \
         of the first one in doubt, or of the first that was rejected: an error status with `x-ndjson` means that some are \
         recorded and some are not.",
    )
    .body(body)
    .answer(StatusCode::CREATED, answer("Everything is durable."))
    .answer(StatusCode::OK, answer("Everything had been recorded before, with the same `event_id` and content."))
    .problems(&[
        Code::InvalidEvent,
        Code::TooLarge,
        Code::UnsupportedMediaType,
        Code::Conflict,
        Code::QueueFull,
        Code::DiskSpace,
        Code::NotReady,
        Code::NotWritten,
        Code::Halted,
        Code::ReadOnly,
        Code::ShuttingDown,
        Code::Indeterminate,
        Code::Timeout,
    ])
    .or_instead_of_problem("application/x-ndjson")
}
