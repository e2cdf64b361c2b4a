//! Takes the body of a request in, within its limit of size. In which time it must come is up to whoever listens.

use std::future::Future;

use axum::body::Body;
use bytes::Bytes;
use futures_util::FutureExt as _;
use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};

use crate::error::{ApiError, Code};
use crate::service::Service;

/// What a body holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// `application/json`: one event.
    Json,
    /// `application/x-ndjson`: an event a line.
    JsonLines,
}

/// What the headers say that the body holds.
///
/// # Errors
/// [`Code::UnsupportedMediaType`] where that is something else, or compressed.
pub(super) fn content(headers: &HeaderMap) -> Result<Content, ApiError> {
    let unsupported = |field: &str, what: &str| {
        let mut error = ApiError::new(Code::UnsupportedMediaType, format!("{field}: {what}"));
        error.field = Some(field.to_owned());
        error
    };
    if headers.get_all(CONTENT_ENCODING).iter().any(|coding| !is(coding.as_bytes(), b"identity")) {
        let what = "only identity is taken: send the body as it is";
        return Err(unsupported("content-encoding", what));
    }
    let kind = headers.get(CONTENT_TYPE).map_or(&b""[..], |kind| kind.as_bytes());
    let (essence, parameters) = split_at_semicolon(kind);
    let charset = !parameters.is_empty()
        && !is(parameters, b"charset=utf-8")
        && !is(parameters, b"charset=\"utf-8\"");
    if charset {
        return Err(unsupported(
            "content-type",
            "the only parameter that it may have is charset=utf-8",
        ));
    }
    if is(essence, b"application/json") {
        Ok(Content::Json)
    } else if is(essence, b"application/x-ndjson") {
        Ok(Content::JsonLines)
    } else {
        let what = "application/json is one event, application/x-ndjson an event a line; it must be one of them";
        Err(unsupported("content-type", what))
    }
}

fn split_at_semicolon(value: &[u8]) -> (&[u8], &[u8]) {
    match value.iter().position(|byte| *byte == b';') {
        Some(at) => value.split_at_checked(at).map_or((value, &[]), |(essence, rest)| {
            (essence, rest.strip_prefix(b";").unwrap_or(rest))
        }),
        None => (value, &[]),
    }
}

fn is(value: &[u8], expected: &[u8]) -> bool {
    value.trim_ascii().eq_ignore_ascii_case(expected)
}

/// The whole body, to be waited for.
///
/// # Errors
/// [`Code::TooLarge`], before it is read where its length is told.
pub(super) fn whole(
    service: &Service,
    headers: &HeaderMap,
    body: Body,
) -> Result<impl Future<Output = Result<Bytes, ApiError>> + Send + use<>, ApiError> {
    let limit = service.config.limits.request_size_max;
    let told =
        headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if let Some(size) = told
        && usize::try_from(size).map_or(true, |size| size > limit)
    {
        return Err(too_large(format_args!("{size} bytes"), limit));
    }
    let collecting = Limited::new(body, limit).collect();
    Ok(collecting.map(move |collected| match collected {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => {
            Err(too_large(format_args!("more than {limit} bytes"), limit))
        }
        Err(_broken) => Err(ApiError::field("body", "it broke off; nothing was recorded")),
    }))
}

fn too_large(size: std::fmt::Arguments<'_>, limit: usize) -> ApiError {
    let mut error = ApiError::new(
        Code::TooLarge,
        format!("body: it has {size}, at most {limit} are allowed (limits.request_size_max)"),
    );
    error.field = Some("body".to_owned());
    error
}
