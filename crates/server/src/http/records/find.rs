//! `GET …/records`.

use axum::extract::State;
use axum::response::Response;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, LINK};
use http::{HeaderName, HeaderValue, StatusCode, Uri};
use indelible::Order;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::{ContentBuilder, ResponseBuilder};

use crate::error::{ApiError, Code};
use crate::http::document::{Operation, optional, schemas};
use crate::http::parameters::{Known, Parameters};
use crate::http::records::batch::JSON_LINES;
use crate::http::request::Readable;
use crate::read::cursor::CURSOR_SIZE_MAX;
use crate::read::filter::FilterText;
use crate::read::page::{Page, PageLimit, Range, page};
use crate::service::Service;
use crate::unread::UnreadAnswers;

/// Bytes of lines that one answer has, but for a single larger one.
pub(in crate::http) const PAGE_SIZE: usize = 1 << 20;

/// Where the next page begins.
const CURSOR: HeaderName = HeaderName::from_static("indelible-cursor");

/// What always depends on what was appended meanwhile.
pub(in crate::http) const CHANGING: HeaderValue = HeaderValue::from_static("private, no-cache");

const KNOWN: Known = Known {
    once: &[
        "actor",
        "action",
        "resource",
        "outcome",
        "event_id",
        "recorded_by",
        "since",
        "until",
        "first_seq",
        "last_seq",
        "order",
        "limit",
        "cursor",
    ],
    repeated: &["session"],
};

/// The stored lines of the records that match, a page of them.
pub(in crate::http) async fn find(
    State(service): State<Service>,
    Readable(log): Readable,
    uri: Uri,
) -> Result<Response, ApiError> {
    let parameters = Parameters::of(&uri, KNOWN)?;
    let mut text = filter_text(&parameters)?;
    text.since = time(&parameters, "since")?;
    text.until = time(&parameters, "until")?;
    let filter = text.check()?;
    let range = range(&parameters)?;
    let records = limit(&parameters, service.config.limits.page_records_max)?;
    let limit = PageLimit { records, size: PAGE_SIZE, time: service.config.timeouts.query };
    let page = log.scan(move |reader, stop| page(reader, &filter, &range, &limit, stop)).await?;
    Ok(answer(&uri, &page, log.unread()))
}

/// The conditions that hold for what is there as for what comes.
pub(in crate::http) fn filter_text(parameters: &Parameters) -> Result<FilterText, ApiError> {
    let text = |name| parameters.text(name).unwrap_or_default().to_owned();
    let session = parameters.all("session").map(|condition| {
        let (path, glob) = divided(condition).ok_or_else(|| {
            ApiError::field("session", "it is not PATH=GLOB, such as user.id=mia_*")
        })?;
        Ok((path.to_owned(), glob.to_owned()))
    });
    Ok(FilterText {
        actor: text("actor"),
        action: text("action"),
        resource: text("resource"),
        outcome: text("outcome"),
        event_id: text("event_id"),
        recorded_by: text("recorded_by"),
        session: session.collect::<Result<_, ApiError>>()?,
        ..FilterText::default()
    })
}

/// Path and glob, at the first `=` that no backslash takes as it is.
fn divided(condition: &str) -> Option<(&str, &str)> {
    let mut taken = false;
    condition.split_once(|c: char| {
        let is_divider = c == '=' && !taken;
        taken = c == '\\' && !taken;
        is_divider
    })
}

/// Unlike a glob, a time that is empty is a mistake: half of a range is gone.
fn time(parameters: &Parameters, name: &str) -> Result<String, ApiError> {
    match parameters.text(name) {
        Some("") => {
            Err(ApiError::field(name, "it is empty: leave it out, or give a time in RFC 3339"))
        }
        text => Ok(text.unwrap_or_default().to_owned()),
    }
}

fn range(parameters: &Parameters) -> Result<Range, ApiError> {
    let order = match parameters.text("order") {
        None | Some("asc") => Order::OldestFirst,
        Some("desc") => Order::NewestFirst,
        Some(_) => return Err(ApiError::field("order", "it is neither asc nor desc")),
    };
    let first = parameters.number("first_seq")?.unwrap_or_default();
    let last = parameters.number("last_seq")?;
    Range::of(first, last, order, parameters.text("cursor").unwrap_or_default())
}

fn limit(parameters: &Parameters, limit_max: u64) -> Result<u64, ApiError> {
    match parameters.number("limit")? {
        None => Ok(limit_max),
        Some(limit) if (1..=limit_max).contains(&limit) => Ok(limit),
        Some(limit) => Err(ApiError::field(
            "limit",
            format_args!(
                "it is {limit}, and 1 to {limit_max} are allowed (limits.page_records_max); the cursor leads on"
            ),
        )),
    }
}

fn answer(uri: &Uri, page: &Page, unread: &UnreadAnswers) -> Response {
    let size: usize = page.records.iter().map(|record| record.line.len() + 1).sum();
    let mut body = Vec::with_capacity(size);
    for record in &page.records {
        body.extend_from_slice(&record.line);
        body.push(b'\n');
    }
    let mut response = Response::new(unread.reads.counted(body).into());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, JSON_LINES);
    headers.insert(CACHE_CONTROL, CHANGING);
    if let Some(next) = page.next {
        let cursor = next.to_string();
        let link = format!("<{}>; rel=\"next\"", with_cursor(uri, &cursor));
        if let (Ok(cursor), Ok(link)) = (HeaderValue::try_from(cursor), HeaderValue::try_from(link))
        {
            headers.insert(CURSOR, cursor);
            headers.insert(LINK, link);
        }
    }
    response
}

/// The same address with that cursor; the rest of the query stays as it was sent.
fn with_cursor(uri: &Uri, cursor: &str) -> String {
    let kept = uri.query().unwrap_or_default().split('&').filter(|pair| {
        !pair.is_empty() && pair.split('=').next().is_some_and(|name| name != "cursor")
    });
    let query: String = kept.flat_map(|pair| [pair, "&"]).collect();
    format!("{}?{query}cursor={cursor}", uri.path())
}

/// For the document.
pub(in crate::http) fn describe() -> Operation {
    let limits = schemas::limits();
    let lines = schemas::json_lines().description(Some("The stored lines, each with a line feed."));
    let header = |what: &str| {
        HeaderBuilder::new()
            .description(Some(what))
            .schema(Some(schemas::text(1, 16_384, None)))
            .build()
    };
    let found = ResponseBuilder::new()
        .description(
            "A page of the records that match: at most `limit`, and about 1 MiB. It may be empty and still lead on, where a \
             query looked at much and found little.",
        )
        .content("application/x-ndjson", ContentBuilder::new().schema(Some(lines)).build())
        .header("indelible-cursor", header("Where to go on with the same filter and order; absent where nothing is left."))
        .header("Link", header("The address of the next page, with `rel=\"next\"`; absent where nothing is left."));
    let order = schemas::one_of(&["asc", "desc"]);
    Operation::new(
        "find",
        "Returns the records that match",
        "All conditions together; an empty glob is no condition. Any other parameter, and one that stands twice, is refused.",
    )
    .filters()
    .parameter(optional("since", "At or after this time, RFC 3339.", schemas::time()))
    .parameter(optional("until", "Before this time, RFC 3339.", schemas::time()))
    .parameter(optional("first_seq", "From this sequence number on.", schemas::any_seq()))
    .parameter(optional("last_seq", "Up to this sequence number, itself included; not before first_seq.", schemas::any_seq()))
    .parameter(optional("order", "By sequence number, ascending unless given.", order))
    .parameter(optional(
        "limit",
        "At most so many records in this answer.",
        schemas::whole_number(1, Some(limits.page_records_max)),
    ))
    .parameter(optional(
        "cursor",
        "Where an earlier answer with the same filter and order ended; empty begins anew.",
        schemas::text(0, CURSOR_SIZE_MAX, Some("^([on](0|[1-9][0-9]{0,17}))?$")),
    ))
    .answer(StatusCode::OK, found)
    .problems(&[Code::TooMany, Code::DataLoss])
}
