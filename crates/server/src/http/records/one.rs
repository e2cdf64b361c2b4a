//! `GET …/records/{seq}`.

use axum::response::Response;
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use http::{HeaderMap, HeaderValue, StatusCode};
use indelible::format::record::Record;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::{ContentBuilder, Ref, ResponseBuilder};

use crate::error::{ApiError, Code};
use crate::http::document::{Operation, schemas};
use crate::http::records::append::JSON;
use crate::http::records::find::CHANGING;
use crate::http::request::{NoParameters, Readable, RecordSeq};
use crate::read::record as of_log;

/// The stored line of a record, and a line feed.
pub(in crate::http) async fn record(
    Readable(log): Readable,
    RecordSeq(seq): RecordSeq,
    _: NoParameters,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let stored = log.read(move |reader, _| of_log::record(reader, seq)).await?;
    let tag = tag(&stored.line);
    let known = tag.as_ref().is_some_and(|tag| is_known(&headers, tag));
    let mut line = stored.line;
    line.push(b'\n');
    let body = if known { Bytes::new() } else { log.unread().reads.counted(line) };
    let mut response = Response::new(body.into());
    let headers = response.headers_mut();
    // It may be redacted, and nothing here has checked it.
    headers.insert(CACHE_CONTROL, CHANGING);
    if let Some(tag) = tag {
        headers.insert(ETAG, tag);
    }
    if known {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    } else {
        headers.insert(CONTENT_TYPE, JSON);
    }
    Ok(response)
}

/// The record's hash, which stands for all its bytes; none where the line is no record.
fn tag(line: &[u8]) -> Option<HeaderValue> {
    let hash = Record::parse(line).ok()?.hash();
    HeaderValue::try_from(format!("\"{hash}\"")).ok()
}

fn is_known(headers: &HeaderMap, tag: &HeaderValue) -> bool {
    let known = headers.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let mut known = known.flat_map(|value| value.split(',').map(str::trim));
    known.any(|known| known == "*" || known.trim_start_matches("W/").as_bytes() == tag.as_bytes())
}

/// For the document.
pub(in crate::http) fn describe() -> Operation {
    let record = ContentBuilder::new().schema(Some(Ref::from_schema_name("Record"))).build();
    let tag = || {
        HeaderBuilder::new()
            .description(Some("The record's `_hash`, quoted."))
            .schema(Some(schemas::text(66, 66, None)))
            .build()
    };
    Operation::new(
        "record",
        "Returns one record",
        "The stored line and a line feed, as it is on the disk: the service checks nothing, the client does, by the hash or a \
         proof. `If-None-Match` is understood.",
    )
    .record()
    .answer(
        StatusCode::OK,
        ResponseBuilder::new().description("The record.").content("application/json", record).header("ETag", tag()),
    )
    .answer(
        StatusCode::NOT_MODIFIED,
        ResponseBuilder::new().description("The client has it.").header("ETag", tag()),
    )
    .problems(&[Code::Pruned, Code::TooMany, Code::DataLoss])
}
