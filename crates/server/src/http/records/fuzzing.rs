//! What a body is made into, without a request around it: for fuzz targets.

use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue};
use indelible::Event;

use super::append::event;
use super::batch;
use crate::error::ApiError;
use crate::http::body::{Content, content};
use crate::http::problem::Problem;

/// The events of a body of at most `count_max`, or the problem that is answered.
pub(crate) fn take(
    content_type: &[u8],
    content_encoding: Option<&[u8]>,
    body: &[u8],
    count_max: usize,
) -> Result<Vec<Event>, Vec<u8>> {
    let mut headers = HeaderMap::new();
    let told = [(CONTENT_TYPE, Some(content_type)), (CONTENT_ENCODING, content_encoding)];
    for (name, value) in told {
        // What is no header's value never comes as far as this.
        if let Some(Ok(value)) = value.map(HeaderValue::from_bytes) {
            headers.insert(name, value);
        }
    }
    let events = content(&headers).and_then(|content| match content {
        Content::Json => event(body).map(|event| vec![event]),
        Content::JsonLines => batch::read(body, count_max).map(|lines| lines.events),
    });
    events.map_err(|error| spell(&error))
}

fn spell(error: &ApiError) -> Vec<u8> {
    serde_json::to_vec(&Problem::of(error)).unwrap_or_default()
}
