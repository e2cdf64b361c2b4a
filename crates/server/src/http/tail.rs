//! `GET …/tail`: server-sent events.
//!
//! A record is one event whose id is its seq, so that a browser that lost the connection says by itself where it was.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, stream};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri};
use indelible::StoredRecord;
use utoipa::openapi::{ContentBuilder, ResponseBuilder};

use crate::auth::lasting;
use crate::auth::role::Role;
use crate::error::{ApiError, Code};
use crate::http::document::{Operation, header, optional, schemas};
use crate::http::parameters::{Known, Parameters};
use crate::http::problem::Problem;
use crate::http::records::find::filter_text;
use crate::http::request::{OfLog, number};
use crate::read::follow::follow;
use crate::service::Service;
use crate::telemetry;

/// A comment is sent where nothing came for so long, so that nobody between takes the connection for dead.
const HEARTBEAT: Duration = Duration::from_secs(15);

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

const KNOWN: Known = Known {
    once: &["actor", "action", "resource", "outcome", "event_id", "recorded_by", "from_seq"],
    repeated: &["session"],
};

/// The records that match, those that are there and those that come, until the client ends it.
pub(super) async fn tail(
    State(service): State<Service>,
    OfLog { log, caller }: OfLog,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    caller.require(Role::Read, log.name())?;
    let parameters = Parameters::of(&uri, KNOWN)?;
    let filter = filter_text(&parameters)?.check()?;
    let asked = parameters.number("from_seq")?;
    let from = behind_last_event(&headers)?.or(asked);
    let batches = follow(&service, &log, filter, from).await?;
    let batches =
        lasting::while_readable(&service, &caller, log.name(), from, batches, |records| {
            lasting::last_seq(records)
        });
    let mut response =
        Response::new(Body::from_stream(events(batches, HEARTBEAT).map(Ok::<_, Infallible>)));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // Proxies that gather an answer before they pass it on leave this one alone.
    headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    Ok(response)
}

/// Where a client goes on that had an event before.
fn behind_last_event(headers: &HeaderMap) -> Result<Option<u64>, ApiError> {
    let Some(value) = headers.get(LAST_EVENT_ID).filter(|value| !value.is_empty()) else {
        return Ok(None);
    };
    let seq = number(LAST_EVENT_ID.as_str(), value.to_str().unwrap_or_default())?;
    Ok(Some(seq.saturating_add(1)))
}

/// The events as they are sent; after an error nothing comes.
fn events(
    batches: impl Stream<Item = Result<Vec<StoredRecord>, ApiError>> + Send,
    heartbeat: Duration,
) -> impl Stream<Item = Bytes> + Send {
    stream::unfold(Some(Box::pin(batches)), move |batches| async move {
        let mut batches = batches?;
        match tokio::time::timeout(heartbeat, batches.next()).await {
            Ok(Some(Ok(records))) => Some((records_as_events(&records), Some(batches))),
            Ok(Some(Err(error))) => Some((error_as_event(&error), None)),
            Ok(None) => None,
            Err(_elapsed) => Some((Bytes::from_static(b":\n\n"), Some(batches))),
        }
    })
}

fn records_as_events(records: &[StoredRecord]) -> Bytes {
    let size: usize = records.iter().map(|record| record.line.len() + 64).sum();
    let mut events = Vec::with_capacity(size);
    for record in records {
        events.extend_from_slice(format!("id: {}\nevent: record\ndata: ", record.seq).as_bytes());
        events.extend_from_slice(&record.line);
        events.extend_from_slice(b"\n\n");
    }
    events.into()
}

fn error_as_event(error: &ApiError) -> Bytes {
    telemetry::answered(error);
    let problem = serde_json::to_string(&Problem::of(error));
    // A problem has a JSON form whatever it says; without one, its code is left.
    let problem = problem.unwrap_or_else(|_| format!("{{\"code\":\"{}\"}}", Code::Internal));
    format!("event: error\ndata: {problem}\n\n").into()
}

/// For the document.
pub(super) fn describe() -> Operation {
    let events = schemas::json_lines().description(Some(
        "`event: record` with the seq as `id` and the stored line as `data`; `event: error` with a `Problem` as `data`, whose \
         `resume_seq` says where to go on, and then the end. A comment comes where nothing else came for 15 seconds.",
    ));
    let last = "The seq of the last record that the client had; goes before `from_seq`.";
    Operation::new(
        "tail",
        "Returns the records that match, and those that come",
        "Server-sent events, until the client ends it. A client that takes nothing for too long (timeouts.write), and one that \
         follows while the service stops, gets an `error` that says where to go on.",
    )
    .filters()
    .parameter(optional(
        "from_seq",
        "From this sequence number on; absent begins with the next record that becomes durable.",
        schemas::any_seq(),
    ))
    .parameter(header("Last-Event-ID", last, schemas::any_seq()))
    .answer(
        StatusCode::OK,
        ResponseBuilder::new()
            .description("Records as they come.")
            .content("text/event-stream", ContentBuilder::new().schema(Some(events)).build()),
    )
    .problems(&[Code::Pruned, Code::TooMany, Code::DataLoss, Code::ShuttingDown])
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc;
    use tokio_stream::wrappers::ReceiverStream;

    use super::*;

    #[tokio::test]
    async fn a_silent_log_is_told_from_a_dead_connection() {
        let (sender, receiver) = mpsc::channel(1);
        let mut events = Box::pin(events(ReceiverStream::new(receiver), Duration::from_millis(1)));
        assert_eq!(events.next().await.unwrap(), ":\n\n");
        let mut error = ApiError::new(Code::Lagging, "too slow");
        error.resume = Some(7);
        sender.send(Err(error)).await.unwrap();
        let last = loop {
            let event = events.next().await.unwrap();
            if event != ":\n\n" {
                break event;
            }
        };
        assert!(last.starts_with(b"event: error\ndata: {"), "{last:?}");
        assert!(last.ends_with(b"\"resume_seq\":7}\n\n"), "{last:?}");
        assert_eq!(events.next().await, None, "although the sender is still there");
        drop(sender);
    }
}
