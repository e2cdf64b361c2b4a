//! Many events in one request, a JSON object a line.
//!
//! Invariants:
//! - all lines are checked before any is queued: an answer that is a problem means that nothing was recorded;
//! - once they are queued, each line has an answer of its own, in the same order, and the status is a success only where
//!   every one of them is recorded, so that who looks at nothing but the status loses no event.

use axum::response::Response;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, StatusCode};
use indelible::{Event, Receipt};
use serde::Serialize;

use crate::append;
use crate::error::{ApiError, Code};
use crate::http::problem::Problem;
use crate::http::records::append::{event, status};
use crate::http::request::OfLog;
use crate::service::Service;
use crate::telemetry;
use crate::unread::UnreadAnswers;

pub(super) const JSON_LINES: HeaderValue = HeaderValue::from_static("application/x-ndjson");

/// Appends an event a line.
///
/// # Durability
/// As one event, each on its own: a crash may keep the first of them and not the last.
pub(super) async fn append(
    service: &Service,
    of: &OfLog,
    body: &[u8],
) -> Result<Response, ApiError> {
    let Lines { numbers, events } = read(body, service.config.limits.batch_events_max)
        .inspect_err(|_| of.log.rejected(filled(body).count()))?;
    let pending = append::submit_all(&of.caller, &of.log, &events)
        .map_err(|error| on_line(error, &numbers))?;
    drop(events);
    let mut outcomes = Vec::with_capacity(pending.len());
    // They resolve in the order of the queue, so this waits no longer than for the last one.
    for pending in pending {
        outcomes.push(pending.await.map_err(ApiError::from));
    }
    answer(&outcomes, of.log.unread())
}

/// The events of a body, and on which lines they stand.
#[derive(Debug)]
pub(super) struct Lines {
    numbers: Vec<usize>,
    pub(super) events: Vec<Event>,
}

/// The lines that hold something, with their numbers.
fn filled(body: &[u8]) -> impl Iterator<Item = (&[u8], usize)> {
    // A line ends in LF, or in CR LF; the last one may end in nothing. Lines of nothing but white space count, and hold no
    // event.
    let lines = body.split(|byte| *byte == b'\n').zip(1..);
    lines.filter(|(line, _)| !line.trim_ascii().is_empty())
}

/// Reads all of them.
///
/// # Errors
/// Says which line is at fault, or that there are too many.
pub(super) fn read(body: &[u8], count_max: usize) -> Result<Lines, ApiError> {
    let count = filled(body).count();
    if count == 0 {
        return Err(ApiError::field(
            "body",
            "it holds no event: one JSON object a line is expected",
        ));
    }
    if count > count_max {
        let mut error = ApiError::new(
            Code::TooLarge,
            format!(
                "body: it has {count} events, at most {count_max} are allowed (limits.batch_events_max); nothing was recorded"
            ),
        );
        error.field = Some("body".to_owned());
        return Err(error);
    }
    let (mut numbers, mut events) = (Vec::with_capacity(count), Vec::with_capacity(count));
    for (line, number) in filled(body) {
        numbers.push(number);
        events.push(event(line).map_err(|error| on_line(error.at(events.len()), &numbers))?);
    }
    Ok(Lines { numbers, events })
}

/// Says on which line the event at fault stands, where one is.
fn on_line(mut error: ApiError, numbers: &[usize]) -> ApiError {
    if let Some(index) = error.index
        && let Some(number) = numbers.get(index)
    {
        let what =
            error.message.strip_prefix(&format!("event {index}: ")).unwrap_or(&error.message);
        error.message = format!("line {number}: {what} (nothing of the request was recorded)");
    }
    error
}

/// What became of one line that is not recorded, or perhaps not.
#[derive(Debug, Serialize)]
struct Failed<'e> {
    outcome: &'static str,
    error: Problem<'e>,
}

fn answer(
    outcomes: &[Result<Receipt, ApiError>],
    unread: &UnreadAnswers,
) -> Result<Response, ApiError> {
    let mut response = Response::new(unread.batches.counted(lines(outcomes)?).into());
    *response.status_mut() = overall(outcomes);
    response.headers_mut().insert(CONTENT_TYPE, JSON_LINES);
    Ok(response)
}

fn lines(outcomes: &[Result<Receipt, ApiError>]) -> Result<Vec<u8>, ApiError> {
    let mut body = Vec::with_capacity(outcomes.len() * 192);
    for outcome in outcomes {
        match outcome {
            Ok(receipt) => body.extend_from_slice(receipt.to_string().as_bytes()),
            Err(error) => {
                telemetry::answered(error);
                let outcome =
                    if error.code.is_indeterminate() { "indeterminate" } else { "rejected" };
                let failed = Failed { outcome, error: Problem::of(error) };
                serde_json::to_writer(&mut body, &failed).map_err(ApiError::internal)?;
            }
        }
        body.push(b'\n');
    }
    Ok(body)
}

/// 201 where all are recorded, 200 where all of them were before; else that of the first line in doubt, or of the first
/// that was rejected.
fn overall(outcomes: &[Result<Receipt, ApiError>]) -> StatusCode {
    let failed = || outcomes.iter().filter_map(|outcome| outcome.as_ref().err());
    let gravest = failed().find(|error| error.code.is_indeterminate()).or_else(|| failed().next());
    if let Some(error) = gravest {
        return error.code.http();
    }
    outcomes.iter().flatten().map(status).max().unwrap_or(StatusCode::OK)
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVENT: &str = r#"{"actor":"a","action":"b","resource":"c"}"#;

    #[test]
    fn lines_may_end_as_any_editor_ends_them() {
        for (body, numbers) in [
            (format!("{EVENT}\n{EVENT}\n"), vec![1, 2]),
            (format!("{EVENT}\r\n{EVENT}\r\n"), vec![1, 2]),
            (format!("{EVENT}\n{EVENT}"), vec![1, 2]),
            (format!("\n  \n{EVENT}\n\r\n {EVENT} \n\n"), vec![3, 5]),
        ] {
            let lines = read(body.as_bytes(), 2).unwrap();
            assert_eq!((lines.numbers, lines.events.len()), (numbers, 2), "{body:?}");
        }
    }

    #[test]
    fn what_is_wrong_is_told_by_its_line() {
        for (body, text) in [
            (format!("{EVENT}\n\n{{}}\n"), "line 3: actor is missing"),
            (format!("\u{feff}{EVENT}\n"), "line 1: body: it begins with a byte order mark"),
            (format!("{EVENT}\n[{EVENT}]\n"), "line 2: body: it is an array"),
            (format!("{EVENT}{EVENT}\n"), "line 1: byte 41"),
        ] {
            let error = read(body.as_bytes(), 2).unwrap_err();
            assert!(error.message.starts_with(text), "{error}");
        }
    }

    #[test]
    fn more_events_than_a_batch_may_have_are_too_large() {
        let body = format!("{EVENT}\n").repeat(3);
        assert_eq!(read(body.as_bytes(), 3).unwrap().events.len(), 3);
        let error = read(body.as_bytes(), 2).unwrap_err();
        assert_eq!(error.code, Code::TooLarge);
        for empty in ["", "\n", " \r\n\n"] {
            assert_eq!(read(empty.as_bytes(), 2).unwrap_err().code, Code::InvalidArgument);
        }
    }

    #[test]
    fn the_status_is_a_success_only_where_all_is_recorded() {
        let rejected = || Err(ApiError::new(Code::NotWritten, "no"));
        let in_doubt = || Err(ApiError::new(Code::Indeterminate, "perhaps"));
        assert_eq!(overall(&[rejected()]), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(overall(&[rejected(), in_doubt()]), StatusCode::INTERNAL_SERVER_ERROR);
    }

    #[test]
    fn a_line_without_a_receipt_says_whether_it_may_be_recorded() {
        let outcomes = [
            Err(ApiError::new(Code::NotWritten, "no")),
            Err(ApiError::new(Code::Indeterminate, "perhaps")),
        ];
        let body = String::from_utf8(lines(&outcomes).unwrap()).unwrap();
        let told: Vec<serde_json::Value> =
            body.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(
            (&told[0]["outcome"], &told[0]["error"]["code"]),
            (&"rejected".into(), &"not_written".into())
        );
        let code = &told[1]["error"]["code"];
        assert_eq!((&told[1]["outcome"], code), (&"indeterminate".into(), &"indeterminate".into()));
    }
}
