//! Why something is not an event: [`EventError`].

use std::sync::Arc;

use crate::field::Field;
use crate::json::JsonFault;

/// Says which field of an event is at fault, and why.
///
/// An `offset` counts bytes from 0: of the text given to [`Event::from_json`](super::Event::from_json), or of the raw
/// `session` or `metadata` that an event was built with.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EventError {
    /// A required field is not there.
    #[error("{field} is missing")]
    Missing {
        /// The field.
        field: Field,
    },
    /// A string of no bytes.
    #[error("{field} is empty: leave it out, or say something")]
    Empty {
        /// The field.
        field: Field,
    },
    /// A string over its limit.
    #[error("{field} has {size} bytes, at most {limit} are allowed")]
    TooLong {
        /// The field.
        field: Field,
        /// Bytes of UTF-8 that it may have.
        limit: usize,
        /// Bytes of UTF-8 that it has.
        size: usize,
    },
    /// A field stands twice.
    #[error("byte {offset}: {field} stands twice")]
    Duplicate {
        /// The field.
        field: Field,
        /// Byte at which it stands again.
        offset: usize,
    },
    /// A field is null; an absent field is left out.
    #[error("byte {offset}: {field} is null: leave it out")]
    Null {
        /// The field.
        field: Field,
        /// Byte at which its value begins.
        offset: usize,
    },
    /// A field is of another type.
    #[error("byte {offset}: {field} is not {expected}")]
    Type {
        /// The field.
        field: Field,
        /// Byte at which its value begins.
        offset: usize,
        /// What it must be.
        expected: &'static str,
    },
    /// `outcome` is outside its set.
    #[error("byte {offset}: outcome is none of success, failure, denied, unknown")]
    Outcome {
        /// Byte at which its value begins.
        offset: usize,
    },
    /// `event_time` is no time.
    #[error(
        "event_time is not a time as RFC 3339 spells it, such as 2026-01-02T03:04:05.678+01:00"
    )]
    EventTime,
    /// A field that no event has.
    #[error("byte {offset}: no event has a field {name:?}")]
    Unknown {
        /// Its name, unescaped, at most [`NAME_SHOWN_MAX`] characters of it.
        name: String,
        /// Byte at which it stands.
        offset: usize,
    },
    /// A field that the log or the service sets.
    #[error("byte {offset}: {name:?} is set by the log, never by a client")]
    Reserved {
        /// Its name, unescaped, at most [`NAME_SHOWN_MAX`] characters of it.
        name: String,
        /// Byte at which it stands.
        offset: usize,
    },
    /// An actor or action that only the log's own records have.
    #[error(
        "{field} is the log's own: actor \"indelible\" and actions that begin with \"indelible.\" are not for clients"
    )]
    LogsOwn {
        /// `actor` or `action`.
        field: Field,
    },
    /// The text is not strict JSON.
    #[error("{}byte {offset}: {reason}", Prefix(*field))]
    Json {
        /// The field in which it breaks; none where that is between fields.
        field: Option<Field>,
        /// Byte at which it breaks.
        offset: usize,
        /// What is wrong there.
        reason: JsonFault,
    },
    /// The value given for `session` or `metadata` has no JSON form.
    #[error("{field} cannot be written as JSON")]
    Unserializable {
        /// The field.
        field: Field,
        /// What `serde_json` says.
        source: Arc<serde_json::Error>,
    },
    /// The whole entry is over the log's limit.
    #[error("the entry has {size} bytes, at most {limit} are allowed")]
    EntryTooLarge {
        /// Bytes that an entry may have.
        limit: usize,
        /// Bytes that this one has.
        size: usize,
    },
}

/// How many characters of a name that nobody knows an error repeats.
pub const NAME_SHOWN_MAX: usize = 64;

/// Names the field in front of a message, where there is one.
struct Prefix(Option<Field>);

impl std::fmt::Display for Prefix {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Some(field) => write!(f, "{field}: "),
            None => Ok(()),
        }
    }
}
