//! From an [`Event`] to the bytes that a record will hold: [`ClientFields`].

use std::borrow::Cow;
use std::fmt;

use super::{Document, Event, EventError};
use crate::field::Field;
use crate::json::{Scanner, plain_size};
use crate::time::is_event_time;

/// The actor of the log's own records, and of no others.
pub const OWN_ACTOR: &str = "indelible";
/// What the actions of the log's own records begin with, and no others.
pub const OWN_ACTION_PREFIX: &str = "indelible.";

/// Room for the salt and a principal of usual length.
const ADDED_SIZE: usize = 96;

/// The fields that a client sets, as a record holds them: checked, and in stored order.
#[derive(Clone, PartialEq, Eq)]
pub struct ClientFields {
    bytes: Vec<u8>,
    event_id: Option<String>,
}

impl ClientFields {
    /// Lends `"event_id":"…",…,"metadata":{…}`, with no comma at either end.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Gives up the same bytes, with some room behind them for what a log adds.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// Lends the idempotency key, unescaped.
    pub fn event_id(&self) -> Option<&str> {
        self.event_id.as_deref()
    }
}

impl fmt::Debug for ClientFields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientFields")
            .field("event_id", &self.event_id)
            .field("size", &self.bytes.len())
            .finish()
    }
}

impl Event {
    /// Checks the event, and writes it as a record will hold it.
    ///
    /// # Errors
    ///
    /// [`EventError`] names the first field that breaks a rule, and the rule; the size of the whole entry is not
    /// checked here, since the log adds to it.
    pub fn encode(&self) -> Result<ClientFields, EventError> {
        if self.actor == OWN_ACTOR {
            return Err(EventError::LogsOwn { field: Field::Actor });
        }
        if self.action.starts_with(OWN_ACTION_PREFIX) {
            return Err(EventError::LogsOwn { field: Field::Action });
        }
        if self.event_time.as_deref().is_some_and(|text| !is_event_time(text)) {
            return Err(EventError::EventTime);
        }
        let mut buf = Vec::with_capacity(self.size_hint());
        write_text(&mut buf, Field::EventId, self.event_id.as_deref())?;
        write_text(&mut buf, Field::EventTime, self.event_time.as_deref())?;
        write_text(&mut buf, Field::Actor, Some(&self.actor))?;
        write_text(&mut buf, Field::Action, Some(&self.action))?;
        write_text(&mut buf, Field::Resource, Some(&self.resource))?;
        write_text(&mut buf, Field::Outcome, self.outcome.map(super::Outcome::as_str))?;
        write_text(&mut buf, Field::ParentId, self.parent_id.as_deref())?;
        write_document(&mut buf, Field::Session, self.session.as_ref())?;
        write_document(&mut buf, Field::Metadata, self.metadata.as_ref())?;
        Ok(ClientFields { bytes: buf, event_id: self.event_id.clone() })
    }

    /// About how many bytes the encoded event has, where little is escaped.
    fn size_hint(&self) -> usize {
        let texts = [&self.event_id, &self.event_time, &self.parent_id];
        let optional: usize = texts.into_iter().flatten().map(|text| text.len() + 16).sum();
        let documents = [&self.session, &self.metadata];
        let documents: usize = documents.into_iter().flatten().map(|d| d.size() + 16).sum();
        let required = self.actor.len() + self.action.len() + self.resource.len() + 64;
        required + optional + documents + ADDED_SIZE
    }
}

/// Checks a `recorded_by` that a service is about to bind.
///
/// # Errors
///
/// [`EventError::Empty`] or [`EventError::TooLong`].
pub fn check_recorded_by(principal: &str) -> Result<(), EventError> {
    check_size(Field::RecordedBy, principal)
}

/// Appends `text` as a JSON string, escaped as little as JSON allows: the spelling of `serde_json`.
pub fn write_string(buf: &mut Vec<u8>, text: &str) {
    buf.push(b'"');
    let mut rest = text.as_bytes();
    loop {
        let (plain, after) = rest.split_at_checked(plain_size(rest)).unwrap_or((rest, &[]));
        buf.extend_from_slice(plain);
        let Some((special, after)) = after.split_first() else {
            break;
        };
        write_escape(buf, *special);
        rest = after;
    }
    buf.push(b'"');
}

fn write_escape(buf: &mut Vec<u8>, special: u8) {
    let short = match special {
        0x08 => b'b',
        b'\t' => b't',
        b'\n' => b'n',
        0x0c => b'f',
        b'\r' => b'r',
        b'"' | b'\\' => special,
        _ => {
            let digit = |nibble: u8| if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 };
            buf.extend_from_slice(b"\\u00");
            buf.extend_from_slice(&[digit(special >> 4), digit(special & 0xf)]);
            return;
        }
    };
    buf.extend_from_slice(&[b'\\', short]);
}

fn write_name(buf: &mut Vec<u8>, field: Field) {
    if !buf.is_empty() {
        buf.push(b',');
    }
    buf.push(b'"');
    buf.extend_from_slice(field.as_str().as_bytes());
    buf.extend_from_slice(b"\":");
}

fn write_text(buf: &mut Vec<u8>, field: Field, text: Option<&str>) -> Result<(), EventError> {
    let Some(text) = text else {
        return Ok(());
    };
    check_size(field, text)?;
    write_name(buf, field);
    write_string(buf, text);
    Ok(())
}

fn write_document(
    buf: &mut Vec<u8>,
    field: Field,
    document: Option<&Document>,
) -> Result<(), EventError> {
    let Some(document) = document else {
        return Ok(());
    };
    let text = document.check(field)?;
    write_name(buf, field);
    buf.extend_from_slice(text.as_bytes());
    Ok(())
}

fn check_size(field: Field, text: &str) -> Result<(), EventError> {
    if text.is_empty() {
        return Err(EventError::Empty { field });
    }
    match field.size_max() {
        Some(limit) if text.len() > limit => {
            Err(EventError::TooLong { field, limit, size: text.len() })
        }
        _ => Ok(()),
    }
}

impl Document {
    pub(super) fn size(&self) -> usize {
        match self {
            Self::Checked(text) | Self::Raw(text) => text.len(),
            Self::Unserializable(_) => 0,
        }
    }

    /// The object without white space between its tokens, or what is wrong with it.
    fn check(&self, field: Field) -> Result<Cow<'_, str>, EventError> {
        let text = match self {
            Self::Checked(text) => return Ok(Cow::Borrowed(text)),
            Self::Raw(text) => text,
            Self::Unserializable(source) => {
                return Err(EventError::Unserializable { field, source: source.clone() });
            }
        };
        let mut scanner = Scanner::<true>::over(text, 0);
        scanner.space();
        if scanner.peek().is_some_and(|first| first != b'{') {
            let offset = scanner.offset();
            return Err(EventError::Type { field, offset, expected: "an object" });
        }
        let only_one = |scanner: &mut Scanner<'_, true>| {
            scanner.space();
            if scanner.is_at_end() { Ok(()) } else { Err(scanner.unexpected("the end")) }
        };
        let document = scanner.document();
        document.and_then(|document| only_one(&mut scanner).map(|()| document)).map_err(|fault| {
            EventError::Json { field: Some(field), offset: fault.offset, reason: fault.reason }
        })
    }
}
