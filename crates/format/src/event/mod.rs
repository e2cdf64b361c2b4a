//! What a client sends: [`Event`].
//!
//! Owns the rules for the fields that clients set, reading them from JSON, and the bytes that a record holds of them.
//!
//! Invariants:
//! - an event that [encodes](Event::encode) makes a record that [`Record::parse`](crate::record::Record::parse) takes,
//!   entry size aside;
//! - `session` and `metadata` keep every string and number as the client wrote it: only white space between tokens goes.
//!
//! It does not set `seq`, `timestamp`, `recorded_by` or `salt`. Spec: `docs/spec/`, "A record is one line".

mod encode;
mod error;
mod parse;
mod salt;

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

pub use crate::json::JsonFault;
pub use encode::{ClientFields, OWN_ACTION_PREFIX, OWN_ACTOR, check_recorded_by, write_string};
pub use error::{EventError, NAME_SHOWN_MAX};
pub use salt::{ParseSaltError, SALT_TEXT_SIZE, Salt};

/// How what was tried ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Outcome {
    /// It was done.
    Success,
    /// It was tried, and failed.
    Failure,
    /// It was not allowed.
    Denied,
    /// The client does not know.
    Unknown,
}

impl Outcome {
    /// Spells it as records do.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Denied => "denied",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Outcome {
    type Err = ParseOutcomeError;

    fn from_str(text: &str) -> Result<Self, ParseOutcomeError> {
        match text {
            "success" => Ok(Self::Success),
            "failure" => Ok(Self::Failure),
            "denied" => Ok(Self::Denied),
            "unknown" => Ok(Self::Unknown),
            _ => Err(ParseOutcomeError),
        }
    }
}

/// The text is none of the four outcomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an outcome is success, failure, denied or unknown")]
#[non_exhaustive]
pub struct ParseOutcomeError;

/// Something that happened, as a client tells it.
///
/// Setting a field never fails; what is wrong with it comes out of [`encode`](Self::encode). [`Debug`] shows sizes, not
/// content.
///
/// # Examples
///
/// ```
/// # use indelible_format::event::{Event, Outcome};
/// let event = Event::new("agent:7", "tool.call:read_file", "file:/etc/hosts")
///     .outcome(Outcome::Success)
///     .session(serde_json::json!({"id": "s-1"}))
///     .metadata_raw(r#"{ "bytes": 1.0 }"#);
/// assert_eq!(
///     event.encode()?.bytes(),
///     br#""actor":"agent:7","action":"tool.call:read_file","resource":"file:/etc/hosts","outcome":"success","session":{"id":"s-1"},"metadata":{"bytes":1.0}"#,
/// );
/// # Ok::<(), indelible_format::event::EventError>(())
/// ```
#[derive(Clone)]
#[expect(clippy::struct_field_names, reason = "the format names the fields")]
pub struct Event {
    event_id: Option<String>,
    event_time: Option<String>,
    actor: String,
    action: String,
    resource: String,
    outcome: Option<Outcome>,
    parent_id: Option<String>,
    session: Option<Document>,
    metadata: Option<Document>,
}

/// `session` or `metadata`, as far as it has been checked.
#[derive(Clone)]
enum Document {
    /// An object in strict JSON, without white space between its tokens.
    Checked(String),
    /// Whatever the caller gave.
    Raw(String),
    /// The caller's value had no JSON form.
    Unserializable(Arc<serde_json::Error>),
}

impl Document {
    fn from_value(value: &impl serde::Serialize) -> Self {
        match serde_json::to_string(value) {
            Ok(text) => Self::Raw(text),
            Err(e) => Self::Unserializable(Arc::new(e)),
        }
    }
}

impl Event {
    /// Tells that `actor` did `action` to `resource`.
    pub fn new(
        actor: impl Into<String>,
        action: impl Into<String>,
        resource: impl Into<String>,
    ) -> Self {
        Self {
            event_id: None,
            event_time: None,
            actor: actor.into(),
            action: action.into(),
            resource: resource.into(),
            outcome: None,
            parent_id: None,
            session: None,
            metadata: None,
        }
    }

    /// Lends who did it.
    pub fn actor(&self) -> &str {
        &self.actor
    }

    /// Lends what was done.
    pub fn action(&self) -> &str {
        &self.action
    }

    /// Lends to what it was done.
    pub fn resource(&self) -> &str {
        &self.resource
    }

    /// Whether it carries an `event_id`, without which sending it again records it again.
    pub fn has_event_id(&self) -> bool {
        self.event_id.is_some()
    }

    /// Sets the idempotency key: the same one with the same fields is recorded once.
    #[must_use]
    pub fn event_id(mut self, event_id: impl Into<String>) -> Self {
        self.event_id = Some(event_id.into());
        self
    }

    /// Sets when it happened, as the client says, in RFC 3339.
    #[must_use]
    pub fn event_time(mut self, event_time: impl Into<String>) -> Self {
        self.event_time = Some(event_time.into());
        self
    }

    /// Sets how it ended.
    #[must_use]
    pub fn outcome(mut self, outcome: Outcome) -> Self {
        self.outcome = Some(outcome);
        self
    }

    /// Sets the `event_id` of the event that caused this one.
    #[must_use]
    pub fn parent_id(mut self, parent_id: impl Into<String>) -> Self {
        self.parent_id = Some(parent_id.into());
        self
    }

    /// Sets the session context from a value that serialises to a JSON object.
    #[must_use]
    pub fn session(mut self, session: impl serde::Serialize) -> Self {
        self.session = Some(Document::from_value(&session));
        self
    }

    /// Sets the session context from the text of a JSON object, kept as it is but for white space between tokens.
    #[must_use]
    pub fn session_raw(mut self, session: impl Into<String>) -> Self {
        self.session = Some(Document::Raw(session.into()));
        self
    }

    /// Sets anything else from a value that serialises to a JSON object.
    #[must_use]
    pub fn metadata(mut self, metadata: impl serde::Serialize) -> Self {
        self.metadata = Some(Document::from_value(&metadata));
        self
    }

    /// Sets anything else from the text of a JSON object, kept as it is but for white space between tokens.
    #[must_use]
    pub fn metadata_raw(mut self, metadata: impl Into<String>) -> Self {
        self.metadata = Some(Document::Raw(metadata.into()));
        self
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let size = |document: &Option<Document>| document.as_ref().map(Document::size);
        f.debug_struct("Event")
            .field("event_id", &self.event_id)
            .field("action", &self.action)
            .field("outcome", &self.outcome)
            .field("session_size", &size(&self.session))
            .field("metadata_size", &size(&self.metadata))
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
