//! How an [`ApiError`] looks in HTTP: problem details (RFC 9457).
//!
//! Invariant: whatever goes wrong on a route of this crate is answered so, with the same code as in gRPC; `title` depends
//! on the code alone.

use std::time::Duration;

use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use serde::Serialize;

use crate::error::{ApiError, Code};
use crate::telemetry;

/// The content type of an error.
pub(crate) const PROBLEM_JSON: HeaderValue = HeaderValue::from_static("application/problem+json");

/// The body of an error.
#[derive(Debug, Serialize)]
pub(super) struct Problem<'e> {
    r#type: String,
    title: &'static str,
    status: u16,
    code: &'static str,
    detail: &'e str,
    #[serde(skip_serializing_if = "Option::is_none")]
    instance: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<&'e str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resume_seq: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    index: Option<usize>,
}

impl<'e> Problem<'e> {
    pub(super) fn of(error: &'e ApiError) -> Self {
        Self {
            r#type: format!("urn:indelible:problem:{}", error.code),
            title: title(error.code),
            status: error.code.http().as_u16(),
            code: error.code.as_str(),
            detail: &error.message,
            instance: telemetry::request_id().map(|id| format!("urn:indelible:request:{id}")),
            field: error.field.as_deref(),
            resume_seq: error.resume,
            index: error.index,
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        telemetry::answered(&self);
        let Ok(body) = serde_json::to_vec(&Problem::of(&self)) else {
            return StatusCode::INTERNAL_SERVER_ERROR.into_response();
        };
        let mut response = (self.code.http(), body).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, PROBLEM_JSON);
        if let Some(pause) = self.retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from(whole_seconds(pause)));
        }
        if self.code == Code::Unauthenticated {
            let scheme = HeaderValue::from_static("Bearer realm=\"indelible\"");
            headers.insert(WWW_AUTHENTICATE, scheme);
        }
        response
    }
}

/// An error as the bytes of HTTP/1.1, where nothing that speaks HTTP is behind a connection yet; it ends with them.
pub(crate) fn last_answer(error: &ApiError) -> Vec<u8> {
    let body = serde_json::to_string(&Problem::of(error)).unwrap_or_default();
    let retry_after =
        error.retry_after.map(|pause| format!("{RETRY_AFTER}: {}\r\n", whole_seconds(pause)));
    format!(
        "HTTP/1.1 {}\r\n{CONTENT_TYPE}: application/problem+json\r\n{}content-length: {}\r\nconnection: close\r\n\r\n\
         {body}",
        error.code.http(),
        retry_after.unwrap_or_default(),
        body.len(),
    )
    .into_bytes()
}

/// Rounded up: who comes a little too early is refused again.
fn whole_seconds(pause: Duration) -> u64 {
    let seconds = pause.as_secs();
    if pause.subsec_nanos() > 0 || seconds == 0 { seconds.saturating_add(1) } else { seconds }
}

/// What all problems of a code have in common, for people.
const fn title(code: Code) -> &'static str {
    match code {
        Code::InvalidArgument => "The request is not what it must be",
        Code::InvalidEvent => "The event is outside the limits of events",
        Code::TooLarge => "Something is larger than its limit",
        Code::Unauthenticated => "Nobody knows who calls",
        Code::PermissionDenied => "Who calls may not do that",
        Code::NotFound => "There is no such log, record or path",
        Code::Pruned => "The record was removed by retention",
        Code::NotCovered => "No checkpoint covers the record yet",
        Code::MethodNotAllowed => "The path has no such method",
        Code::UnsupportedMediaType => "The path takes no such content",
        Code::Conflict => "The event_id was used with other content",
        Code::QueueFull => "The log's queue is full",
        Code::RateLimited => "The caller sends more than it may",
        Code::TooMany => "As many requests of that kind are under way as may be",
        Code::DiskSpace => "The disk has too little space left",
        Code::NotReady => "The log was opened just now",
        Code::NotWritten => "Nothing was written",
        Code::Halted => "The log takes no appends until its operator has looked at it",
        Code::ReadOnly => "The log can be read only",
        Code::ShuttingDown => "The service is stopping",
        Code::Indeterminate => "The event may or may not be recorded",
        Code::Lagging => "The client read too slowly",
        Code::Timeout => "It took longer than it may",
        Code::DataLoss => "The log could not be read as it should",
        Code::Unimplemented => "There is no such operation",
        Code::Internal => "The service failed",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_is_told_in_whole_seconds_that_are_enough() {
        for (pause, seconds) in [(0, 1), (1, 1), (1_000, 1), (1_001, 2), (60_000, 60)] {
            assert_eq!(whole_seconds(Duration::from_millis(pause)), seconds, "{pause} ms");
        }
    }

    #[test]
    fn a_problem_says_what_it_has_to_say_and_nothing_of_the_inside() {
        let mut error = ApiError::new(Code::Lagging, "too slow").caused("/var/lib/audit is full");
        (error.field, error.resume, error.index) = (Some("f".to_owned()), Some(7), Some(3));
        let text = serde_json::to_string(&Problem::of(&error)).unwrap();
        assert_eq!(
            text,
            "{\"type\":\"urn:indelible:problem:lagging\",\"title\":\"The client read too slowly\",\"status\":429,\
             \"code\":\"lagging\",\"detail\":\"too slow\",\"field\":\"f\",\"resume_seq\":7,\"index\":3}"
        );
    }
}
