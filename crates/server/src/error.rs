//! What a caller is told when something was not done: [`ApiError`], the one place that maps what went wrong to a stable
//! code, a gRPC status, an HTTP status and a text.
//!
//! Invariants:
//! - the text names what happened and what to do next, and holds nothing of the server's inside (no path, no address);
//!   what only the operator may know is `cause`, which goes to the server's log with the request's id;
//! - whether an event may have been written is a property of the code ([`Code::is_indeterminate`]).
//!
//! It formats nothing for a protocol: `grpc::status` and `http::problem` do.

use std::fmt;
use std::time::Duration;

use http::StatusCode;
use indelible::format::event::EventError;
use indelible::format::field::Field;
use indelible::{AppendError, HaltCause, Obstacle, ProveError, ReadError};

use crate::config::suggest::closest;

/// The stable codes, alike in both protocols; `docs/operate/errors.md` lists them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Code {
    /// A field of the request is not what it must be.
    InvalidArgument,
    /// The event is outside the limits of events.
    InvalidEvent,
    /// Something is larger than its limit.
    TooLarge,
    /// Nobody knows who calls.
    Unauthenticated,
    /// Who calls may not do that.
    PermissionDenied,
    /// There is no such log, record or path.
    NotFound,
    /// The record was removed by retention.
    Pruned,
    /// The record is not covered by a checkpoint yet.
    NotCovered,
    /// The method is not one that the path has.
    MethodNotAllowed,
    /// The content type is none that the path takes.
    UnsupportedMediaType,
    /// The `event_id` was used with other content.
    Conflict,
    /// The queue is full.
    QueueFull,
    /// The caller sends more than it may.
    RateLimited,
    /// So many requests of that kind are already under way.
    TooMany,
    /// The disk has too little space left to accept more.
    DiskSpace,
    /// The log was opened just now and still reads its tail.
    NotReady,
    /// The disk refused the bytes; nothing was written.
    NotWritten,
    /// The log takes no appends until an operator has looked at it.
    Halted,
    /// The log was refused when it was opened; it can be read only.
    ReadOnly,
    /// The service is stopping.
    ShuttingDown,
    /// The event may or may not have been written.
    Indeterminate,
    /// The client read too slowly.
    Lagging,
    /// It took longer than it may.
    Timeout,
    /// The log could not be read or proved as it should.
    DataLoss,
    /// The service has no such operation.
    Unimplemented,
    /// A fault of the service.
    Internal,
}

impl Code {
    /// All of them.
    pub const ALL: [Self; 26] = [
        Self::InvalidArgument,
        Self::InvalidEvent,
        Self::TooLarge,
        Self::Unauthenticated,
        Self::PermissionDenied,
        Self::NotFound,
        Self::Pruned,
        Self::NotCovered,
        Self::MethodNotAllowed,
        Self::UnsupportedMediaType,
        Self::Conflict,
        Self::QueueFull,
        Self::RateLimited,
        Self::TooMany,
        Self::DiskSpace,
        Self::NotReady,
        Self::NotWritten,
        Self::Halted,
        Self::ReadOnly,
        Self::ShuttingDown,
        Self::Indeterminate,
        Self::Lagging,
        Self::Timeout,
        Self::DataLoss,
        Self::Unimplemented,
        Self::Internal,
    ];

    /// As it is spelt on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidArgument => "invalid_argument",
            Self::InvalidEvent => "invalid_event",
            Self::TooLarge => "too_large",
            Self::Unauthenticated => "unauthenticated",
            Self::PermissionDenied => "permission_denied",
            Self::NotFound => "not_found",
            Self::Pruned => "pruned",
            Self::NotCovered => "not_covered",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::UnsupportedMediaType => "unsupported_media_type",
            Self::Conflict => "conflict",
            Self::QueueFull => "queue_full",
            Self::RateLimited => "rate_limited",
            Self::TooMany => "too_many",
            Self::DiskSpace => "disk_space",
            Self::NotReady => "not_ready",
            Self::NotWritten => "not_written",
            Self::Halted => "halted",
            Self::ReadOnly => "read_only",
            Self::ShuttingDown => "shutting_down",
            Self::Indeterminate => "indeterminate",
            Self::Lagging => "lagging",
            Self::Timeout => "timeout",
            Self::DataLoss => "data_loss",
            Self::Unimplemented => "unimplemented",
            Self::Internal => "internal",
        }
    }

    /// Its status in gRPC.
    pub const fn grpc(self) -> tonic::Code {
        match self {
            Self::InvalidArgument | Self::InvalidEvent | Self::UnsupportedMediaType => {
                tonic::Code::InvalidArgument
            }
            Self::Unauthenticated => tonic::Code::Unauthenticated,
            Self::PermissionDenied => tonic::Code::PermissionDenied,
            Self::NotFound | Self::Pruned => tonic::Code::NotFound,
            Self::NotCovered | Self::ReadOnly | Self::Halted => tonic::Code::FailedPrecondition,
            Self::Conflict => tonic::Code::AlreadyExists,
            Self::TooLarge
            | Self::QueueFull
            | Self::RateLimited
            | Self::TooMany
            | Self::DiskSpace
            | Self::Lagging => tonic::Code::ResourceExhausted,
            Self::NotReady | Self::NotWritten | Self::ShuttingDown => tonic::Code::Unavailable,
            Self::Indeterminate => tonic::Code::Unknown,
            Self::Timeout => tonic::Code::DeadlineExceeded,
            Self::DataLoss => tonic::Code::DataLoss,
            Self::Unimplemented | Self::MethodNotAllowed => tonic::Code::Unimplemented,
            Self::Internal => tonic::Code::Internal,
        }
    }

    /// Its status in HTTP.
    pub const fn http(self) -> StatusCode {
        match self {
            Self::InvalidArgument | Self::InvalidEvent => StatusCode::BAD_REQUEST,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Unauthenticated => StatusCode::UNAUTHORIZED,
            Self::PermissionDenied => StatusCode::FORBIDDEN,
            Self::NotFound | Self::Unimplemented => StatusCode::NOT_FOUND,
            Self::Pruned => StatusCode::GONE,
            Self::NotCovered | Self::Conflict => StatusCode::CONFLICT,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::QueueFull | Self::RateLimited | Self::TooMany | Self::Lagging => {
                StatusCode::TOO_MANY_REQUESTS
            }
            Self::DiskSpace => StatusCode::INSUFFICIENT_STORAGE,
            Self::NotReady
            | Self::NotWritten
            | Self::Halted
            | Self::ReadOnly
            | Self::ShuttingDown => StatusCode::SERVICE_UNAVAILABLE,
            Self::Timeout => StatusCode::REQUEST_TIMEOUT,
            Self::Indeterminate | Self::DataLoss | Self::Internal => {
                StatusCode::INTERNAL_SERVER_ERROR
            }
        }
    }

    /// Whether the event may have been written although there is no receipt. All other codes mean that it was not.
    pub const fn is_indeterminate(self) -> bool {
        matches!(self, Self::Indeterminate)
    }

    /// After how long a retry makes sense by itself; `None` where something must change first.
    pub(crate) const fn retry_after(self) -> Option<Duration> {
        match self {
            Self::QueueFull | Self::NotReady | Self::TooMany | Self::NotCovered | Self::Lagging => {
                Some(Duration::from_secs(1))
            }
            Self::NotWritten | Self::ShuttingDown | Self::Indeterminate => {
                Some(Duration::from_secs(5))
            }
            Self::DiskSpace => Some(Duration::from_mins(1)),
            Self::InvalidArgument
            | Self::InvalidEvent
            | Self::TooLarge
            | Self::Unauthenticated
            | Self::PermissionDenied
            | Self::NotFound
            | Self::Pruned
            | Self::MethodNotAllowed
            | Self::UnsupportedMediaType
            | Self::Conflict
            | Self::RateLimited
            | Self::Halted
            | Self::ReadOnly
            | Self::Timeout
            | Self::DataLoss
            | Self::Unimplemented
            | Self::Internal => None,
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a request was not done.
#[derive(Clone, Debug)]
pub(crate) struct ApiError(Box<Details>);

/// What an [`ApiError`] says.
#[derive(Clone, Debug)]
pub(crate) struct Details {
    pub(crate) code: Code,
    /// For the caller.
    pub(crate) message: String,
    /// The field at fault, by its name in the request.
    pub(crate) field: Option<String>,
    pub(crate) retry_after: Option<Duration>,
    /// Where a follower that lagged should go on.
    pub(crate) resume: Option<u64>,
    /// Which event of a batch, from 0.
    pub(crate) index: Option<usize>,
    /// For the operator.
    pub(crate) cause: Option<String>,
}

impl ApiError {
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        Self(Box::new(Details {
            code,
            message: message.into(),
            field: None,
            retry_after: code.retry_after(),
            resume: None,
            index: None,
            cause: None,
        }))
    }

    /// A field of the request is not what it must be.
    pub(crate) fn field(field: &str, what: impl fmt::Display) -> Self {
        let mut error = Self::new(Code::InvalidArgument, format!("{field}: {what}"));
        error.field = Some(field.to_owned());
        error
    }

    /// A batch has more events than it may have (`limits.batch_events_max`).
    pub(crate) fn too_many_events(count: usize, limit: usize) -> Self {
        let mut error = Self::new(
            Code::TooLarge,
            format!("events: {count} are more than one batch may have, {limit}; send several"),
        );
        error.field = Some("events".to_owned());
        error
    }

    /// A fault that the caller can't help: it is told no more than that.
    pub(crate) fn internal(cause: impl fmt::Display) -> Self {
        Self::new(
            Code::Internal,
            "the service failed; its operator can find out why by the request id",
        )
        .caused(cause)
    }

    pub(crate) fn caused(mut self, cause: impl fmt::Display) -> Self {
        self.cause = Some(cause.to_string());
        self
    }

    pub(crate) fn retry_after(mut self, pause: Duration) -> Self {
        self.retry_after = Some(pause);
        self
    }

    /// The same of an event that the caller did not send as part of a batch.
    pub(crate) fn alone(mut self) -> Self {
        if let Some(index) = self.index.take() {
            let prefix = format!("event {index}: ");
            if self.message.starts_with(&prefix) {
                self.message.drain(..prefix.len());
            }
        }
        self
    }

    pub(crate) fn at(mut self, index: usize) -> Self {
        self.message = format!("event {index}: {}", self.message);
        self.index = Some(index);
        self
    }
}

impl std::ops::Deref for ApiError {
    type Target = Details;

    fn deref(&self) -> &Details {
        &self.0
    }
}

impl std::ops::DerefMut for ApiError {
    fn deref_mut(&mut self) -> &mut Details {
        &mut self.0
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "what is new in the library is a fault until it is mapped"
)]
impl From<EventError> for ApiError {
    fn from(error: EventError) -> Self {
        let code = match error {
            EventError::EntryTooLarge { .. } => Code::TooLarge,
            _ => Code::InvalidEvent,
        };
        let mut text = error.to_string();
        let field = match error {
            EventError::Missing { field }
            | EventError::Empty { field }
            | EventError::TooLong { field, .. }
            | EventError::Duplicate { field, .. }
            | EventError::Null { field, .. }
            | EventError::Type { field, .. }
            | EventError::LogsOwn { field }
            | EventError::Unserializable { field, .. } => Some(field.to_string()),
            EventError::Json { field, .. } => field.map(|field| field.to_string()),
            EventError::Outcome { .. } => Some(Field::Outcome.to_string()),
            EventError::EventTime => Some(Field::EventTime.to_string()),
            EventError::Reserved { name, .. } => Some(name),
            EventError::Unknown { name, .. } => {
                if let Some(meant) = closest(&name, EVENT_FIELDS.iter().map(|field| field.as_str()))
                {
                    text = format!("{text}; is {meant:?} meant?");
                }
                Some(name)
            }
            _ => None,
        };
        let mut told = Self::new(code, text);
        told.field = field;
        told
    }
}

/// What an event of a client's may have.
const EVENT_FIELDS: [Field; 9] = [
    Field::EventId,
    Field::EventTime,
    Field::Actor,
    Field::Action,
    Field::Resource,
    Field::Outcome,
    Field::ParentId,
    Field::Session,
    Field::Metadata,
];

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "what is new in the library is a fault until it is mapped"
)]
impl From<AppendError> for ApiError {
    fn from(error: AppendError) -> Self {
        match error {
            AppendError::Event(error) => error.into(),
            AppendError::QueueFull { limit, size, .. } if size > limit => Self::new(
                Code::TooLarge,
                format!(
                    "this needs {size} bytes of the log's queue, which holds {limit}; send less at once"
                ),
            ),
            AppendError::QueueFull { waiting, limit, size } => Self::new(
                Code::QueueFull,
                format!(
                    "the log's queue is full: {waiting} of {limit} bytes wait, the event needs {size}; try again"
                ),
            ),
            AppendError::NotReady => Self::new(
                Code::NotReady,
                "the log was opened just now and still reads which event_ids it has; try again",
            ),
            AppendError::Conflict { seq } => Self::new(
                Code::Conflict,
                match seq {
                    Some(seq) => {
                        format!("event_id is already used by record {seq}, with other content")
                    }
                    None => "event_id is already used by an event in flight, with other content"
                        .to_owned(),
                },
            ),
            AppendError::NotWritten { cause } => {
                let text = match &cause {
                    Obstacle::Io(_) => {
                        "the disk refused it and nothing was written; try again later"
                    }
                    _ => "nothing was written; try again later",
                };
                Self::new(Code::NotWritten, text).caused(cause)
            }
            AppendError::Indeterminate(halt) => {
                Self::new(Code::Indeterminate, indeterminate_text(halt.cause())).caused(halt)
            }
            AppendError::Halted(halt) => {
                Self::new(Code::Halted, halted_text(halt.cause())).caused(halt)
            }
            AppendError::Closed => {
                Self::new(Code::ShuttingDown, "the log is closed: the service is stopping")
            }
            other => Self::internal(other),
        }
    }
}

/// What callers are told of a halt.
#[expect(clippy::wildcard_enum_match_arm, reason = "every other cause is the disk's")]
fn halted_text(cause: &HaltCause) -> &'static str {
    match cause {
        HaltCause::Replaced { .. } | HaltCause::SizeChanged { .. } => {
            "the log has halted, since somebody else changed its files; it takes no appends until its operator has \
             looked at it"
        }
        _ => {
            "the log has halted after a disk error; it takes no appends until its operator has looked at it"
        }
    }
}

/// What callers are told of a halt while their event was written.
#[expect(clippy::wildcard_enum_match_arm, reason = "every other cause is the disk's")]
fn indeterminate_text(cause: &HaltCause) -> &'static str {
    match cause {
        HaltCause::Replaced { .. } | HaltCause::SizeChanged { .. } => {
            "somebody else changed the log's files while this was written, so it may or may not be recorded: once its \
             operator has looked at the log, retry with the same event_id"
        }
        _ => {
            "the disk failed while this was written, so it may or may not be recorded: retry with the same event_id"
        }
    }
}

impl From<ReadError> for ApiError {
    fn from(error: ReadError) -> Self {
        Self::new(
            Code::DataLoss,
            "the log could not be read as it should; its operator should verify it",
        )
        .caused(error)
    }
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "what is new in the library is a fault until it is mapped"
)]
impl From<ProveError> for ApiError {
    fn from(error: ProveError) -> Self {
        match error {
            ProveError::NotCovered { seq, size } => Self::new(
                Code::NotCovered,
                format!(
                    "no checkpoint covers record {seq} yet (the newest has size {size}); try again"
                ),
            ),
            ProveError::SizeNotCovered { size, covered } => Self::new(
                Code::NotCovered,
                format!(
                    "no checkpoint covers {size} records yet (the newest has size {covered}); try again"
                ),
            ),
            ProveError::OutsideTree { seq, size } => {
                Self::field("tree_size", format_args!("record {seq} is not among the first {size}"))
            }
            ProveError::Backwards { from, to } => {
                Self::field("from_size", format_args!("{from} is over the later size, {to}"))
            }
            ProveError::NoRecord { seq, last, .. } => {
                Self::new(Code::NotFound, format!("there is no record {seq}; the last is {last}"))
            }
            ProveError::Pruned { seq, first } => Self::new(
                Code::Pruned,
                format!("record {seq} was removed by retention; the first that is kept is {first}"),
            ),
            other => Self::new(
                Code::DataLoss,
                "the proof could not be made; the operator should verify the log",
            )
            .caused(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use indelible::Event;

    use super::*;

    #[test]
    fn the_page_of_codes_says_what_the_service_does() {
        let page = include_str!("../../../docs/operate/errors.md");
        let rows: Vec<Vec<&str>> = page
            .lines()
            .filter(|line| line.starts_with("| `"))
            .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
            .collect();
        assert_eq!(rows.len(), Code::ALL.len());
        for (code, row) in Code::ALL.into_iter().zip(rows) {
            let grpc = format!("{:?}", code.grpc()).to_uppercase();
            let pause = match code.retry_after().map(|pause| pause.as_secs()) {
                _ if code == Code::RateLimited => "as told".to_owned(),
                None => "-".to_owned(),
                Some(60) => "1 min".to_owned(),
                Some(seconds) => format!("{seconds} s"),
            };
            assert_eq!(row[0], format!("`{code}`"));
            assert_eq!(row[1], code.http().as_u16().to_string(), "{code}");
            assert_eq!(row[2].replace('_', ""), grpc, "{code}");
            assert_eq!(row[3], pause, "{code}");
            assert!(!row[4].is_empty() && !row[5].is_empty(), "{code}");
        }
    }

    #[test]
    fn an_event_that_is_refused_names_the_field_at_fault() {
        let with = |member: &str| {
            format!("{{\"actor\":\"a\",\"action\":\"b\",\"resource\":\"c\"{member}}}")
        };
        for (text, field) in [
            ("{}".to_owned(), Some("actor")),
            (with(",\"event_id\":null"), Some("event_id")),
            (with(",\"event_id\":7"), Some("event_id")),
            (with(",\"actor\":\"a\""), Some("actor")),
            (with(",\"outcome\":\"good\""), Some("outcome")),
            (with(",\"seq\":7"), Some("seq")),
            (with(",\"outcom\":\"success\""), Some("outcom")),
            (with(",\"session\":{\"a\":01}"), Some("session")),
            (with(""), None),
        ] {
            let error = Event::from_json(text.as_bytes()).err().map(ApiError::from);
            let told = error.as_ref().and_then(|error| error.field.as_deref());
            assert_eq!(told, field, "{text}: {error:?}");
        }
    }

    #[test]
    fn a_field_that_no_event_has_is_told_with_the_one_that_may_be_meant() {
        for (name, meant) in [
            ("outcom", "is \"outcome\" meant?"),
            ("eventId", "is \"event_id\" meant?"),
            ("colour", "no event has a field \"colour\""),
        ] {
            let error = Event::from_json(format!("{{\"{name}\":1}}").as_bytes()).unwrap_err();
            let text = ApiError::from(error).message.clone();
            assert!(text.ends_with(meant), "{text}");
        }
    }

    #[test]
    fn no_code_is_spelt_like_another_and_none_is_forgotten() {
        let spelt: HashSet<&str> = Code::ALL.into_iter().map(Code::as_str).collect();
        assert_eq!(spelt.len(), Code::ALL.len());
        // A new one must be listed too: `as_str` names them all, one a line.
        let source = include_str!("error.rs");
        let (_, names) = source.split_once("fn as_str(self)").unwrap();
        let (names, _) = names.split_once("\n    }\n").unwrap();
        assert_eq!(names.matches("=> \"").count(), Code::ALL.len());
    }
}
