//! Between messages and the domain; the only place that knows both.

use indelible::{AppendError, Event, Order, Outcome, Receipt, StoredRecord};

use crate::error::{ApiError, Code};
use crate::proto::v1;
use crate::proto::v1::append_result::Outcome as ResultOutcome;
use crate::proto::v1::append_stream_response::Outcome as StreamOutcome;
use crate::read::filter::FilterText;
use crate::telemetry;

/// Most bytes of a [`v1::Failure`]'s text.
const FAILURE_TEXT_SIZE_MAX: usize = 1024;

/// The event of a request.
pub(crate) fn event(message: Option<v1::Event>) -> Result<Event, ApiError> {
    let Some(message) = message else {
        return Err(ApiError::field("event", "it is missing"));
    };
    required("actor", &message.actor)?;
    required("action", &message.action)?;
    required("resource", &message.resource)?;
    let outcome = match v1::Outcome::try_from(message.outcome) {
        Ok(v1::Outcome::Unspecified) => None,
        Ok(v1::Outcome::Success) => Some(Outcome::Success),
        Ok(v1::Outcome::Failure) => Some(Outcome::Failure),
        Ok(v1::Outcome::Denied) => Some(Outcome::Denied),
        Ok(v1::Outcome::Unknown) => Some(Outcome::Unknown),
        Err(_) => {
            return Err(ApiError::field(
                "outcome",
                format_args!("{} is none of 0 to 4", message.outcome),
            ));
        }
    };
    let mut event = Event::new(message.actor, message.action, message.resource);
    if let Some(outcome) = outcome {
        event = event.outcome(outcome);
    }
    if !message.event_id.is_empty() {
        event = event.event_id(message.event_id);
    }
    if !message.event_time.is_empty() {
        event = event.event_time(message.event_time);
    }
    if !message.parent_id.is_empty() {
        event = event.parent_id(message.parent_id);
    }
    if !message.session_json.is_empty() {
        event = event.session_raw(message.session_json);
    }
    if !message.metadata_json.is_empty() {
        event = event.metadata_raw(message.metadata_json);
    }
    Ok(event)
}

/// In proto3 a string that is not there is an empty one: both are told as missing.
fn required(field: &str, value: &str) -> Result<(), ApiError> {
    if !value.is_empty() {
        return Ok(());
    }
    let mut error = ApiError::new(Code::InvalidEvent, format!("{field} is missing, or empty"));
    error.field = Some(field.to_owned());
    Err(error)
}

/// A receipt as a message.
pub(crate) fn receipt(receipt: &Receipt) -> v1::Receipt {
    v1::Receipt {
        log_id: receipt.log_id.to_string(),
        seq: receipt.seq,
        timestamp: receipt.timestamp.to_string(),
        hash: receipt.hash.to_string(),
        duplicate: receipt.duplicate,
    }
}

/// What became of an event of a batch.
pub(crate) fn result(outcome: Result<Receipt, AppendError>) -> v1::AppendResult {
    let outcome = match outcome {
        Ok(appended) => ResultOutcome::Receipt(receipt(&appended)),
        Err(error) if error.is_indeterminate() => {
            ResultOutcome::Indeterminate(failure(&error.into()))
        }
        Err(error) => ResultOutcome::Rejected(failure(&error.into())),
    };
    v1::AppendResult { outcome: Some(outcome) }
}

/// What became of an event of a stream.
pub(crate) fn answer(
    request_id: u64,
    outcome: Result<Receipt, ApiError>,
) -> v1::AppendStreamResponse {
    let outcome = match outcome {
        Ok(appended) => StreamOutcome::Receipt(receipt(&appended)),
        Err(error) if error.code.is_indeterminate() => {
            StreamOutcome::Indeterminate(failure(&error))
        }
        Err(error) => StreamOutcome::Rejected(failure(&error)),
    };
    v1::AppendStreamResponse { request_id, outcome: Some(outcome) }
}

fn failure(error: &ApiError) -> v1::Failure {
    telemetry::answered(error);
    let mut message = error.message.clone();
    message.truncate(message.floor_char_boundary(FAILURE_TEXT_SIZE_MAX));
    let pause = error.retry_after.map_or(0, |pause| pause.as_millis());
    v1::Failure {
        code: error.code.as_str().to_owned(),
        message,
        retry_after_ms: u64::try_from(pause).unwrap_or(u64::MAX),
    }
}

/// A record as a message.
pub(crate) fn record(stored: StoredRecord) -> v1::Record {
    v1::Record { seq: stored.seq, line: stored.line.into() }
}

/// The filter of a request; none finds everything.
pub(crate) fn filter(message: Option<v1::Filter>) -> FilterText {
    let message = message.unwrap_or_default();
    FilterText {
        actor: message.actor,
        action: message.action,
        resource: message.resource,
        outcome: message.outcome,
        event_id: message.event_id,
        recorded_by: message.recorded_by,
        session: message.session.into_iter().map(|member| (member.path, member.glob)).collect(),
        since: message.since,
        until: message.until,
    }
}

/// The order of a request.
pub(crate) fn order(message: i32) -> Result<Order, ApiError> {
    match v1::Order::try_from(message) {
        Ok(v1::Order::Unspecified | v1::Order::OldestFirst) => Ok(Order::OldestFirst),
        Ok(v1::Order::NewestFirst) => Ok(Order::NewestFirst),
        Err(_) => Err(ApiError::field("order", format_args!("{message} is none of 0 to 2"))),
    }
}
