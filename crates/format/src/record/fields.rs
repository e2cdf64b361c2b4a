//! The fields of an entry, from the bytes as they lie: [`Fields`].

use std::borrow::Cow;
use std::fmt;

use crate::decode_error::DecodeError;
use crate::event::{Outcome, Salt};
use crate::field::Field;
use crate::json::{Fault, Scanner, Text, scalar_at};
use crate::own::Metadata;
use crate::time::is_event_time;

impl From<Fault> for DecodeError {
    fn from(fault: Fault) -> Self {
        Self::Json { offset: fault.offset, reason: fault.reason }
    }
}

/// What a record holds after `timestamp`: spans of its line.
///
/// Strings come out unescaped, borrowed where nothing was escaped; `session` and `metadata` come out as they lie.
/// [`Debug`] shows sizes, not content.
#[derive(Clone)]
pub struct Fields<'a> {
    event_id: Option<Text<'a>>,
    event_time: Option<Text<'a>>,
    pub(super) actor: Text<'a>,
    pub(super) action: Text<'a>,
    pub(super) resource: Text<'a>,
    outcome: Option<Outcome>,
    parent_id: Option<Text<'a>>,
    session: Option<&'a str>,
    pub(super) metadata: Option<Metadata<'a>>,
    recorded_by: Option<Text<'a>>,
    salt: Option<Salt>,
    client_bytes: &'a [u8],
}

impl<'a> Fields<'a> {
    /// Lends the idempotency key.
    pub fn event_id(&self) -> Option<Cow<'a, str>> {
        self.event_id.map(Text::decode)
    }

    /// Lends when the client says that it happened.
    pub fn event_time(&self) -> Option<Cow<'a, str>> {
        self.event_time.map(Text::decode)
    }

    /// Lends who did it.
    pub fn actor(&self) -> Cow<'a, str> {
        self.actor.decode()
    }

    /// Lends what was done.
    pub fn action(&self) -> Cow<'a, str> {
        self.action.decode()
    }

    /// Lends to what it was done.
    pub fn resource(&self) -> Cow<'a, str> {
        self.resource.decode()
    }

    /// Says how it ended.
    pub fn outcome(&self) -> Option<Outcome> {
        self.outcome
    }

    /// Lends the `event_id` of the event that caused this one.
    pub fn parent_id(&self) -> Option<Cow<'a, str>> {
        self.parent_id.map(Text::decode)
    }

    /// Lends the session context, a JSON object, as it lies.
    pub fn session_raw(&self) -> Option<&'a [u8]> {
        self.session.map(str::as_bytes)
    }

    /// Says what the member of `session` at `path` says: a string unescaped, a number, `true` or `false` as it lies.
    ///
    /// Each part of `path` names a member of the object before; a member that is null, an object or an array says nothing.
    pub fn session_scalar(&self, path: &[impl AsRef<str>]) -> Option<Cow<'a, str>> {
        scalar_at(self.session?, path)
    }

    /// Lends anything else, a JSON object, as it lies.
    pub fn metadata_raw(&self) -> Option<&'a [u8]> {
        self.metadata.map(|metadata| metadata.text.as_bytes())
    }

    /// Lends the authenticated principal.
    pub fn recorded_by(&self) -> Option<Cow<'a, str>> {
        self.recorded_by.map(Text::decode)
    }

    /// Says the salt.
    pub fn salt(&self) -> Option<Salt> {
        self.salt
    }

    /// Lends exactly what [`ClientFields::bytes`](crate::event::ClientFields::bytes) was.
    pub fn client_bytes(&self) -> &'a [u8] {
        self.client_bytes
    }

    /// The first field that is there and that records of the log's own do not have.
    pub(super) fn not_for_own(&self) -> Option<Field> {
        let there = [
            (Field::EventId, self.event_id.is_some()),
            (Field::EventTime, self.event_time.is_some()),
            (Field::Actor, self.actor.escaped),
            (Field::Action, self.action.escaped),
            (Field::Outcome, self.outcome.is_some()),
            (Field::ParentId, self.parent_id.is_some()),
            (Field::Session, self.session.is_some()),
            (Field::RecordedBy, self.recorded_by.is_some()),
        ];
        there.into_iter().find(|(_, there)| *there).map(|(field, _)| field)
    }
}

impl fmt::Debug for Fields<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fields")
            .field("event_id", &self.event_id())
            .field("action", &self.action())
            .field("size", &self.client_bytes.len())
            .finish_non_exhaustive()
    }
}

/// Fields while they are read, in the order of lines.
#[derive(Default)]
struct Reading<'a> {
    event_id: Option<Text<'a>>,
    event_time: Option<Text<'a>>,
    actor: Option<Text<'a>>,
    action: Option<Text<'a>>,
    resource: Option<Text<'a>>,
    outcome: Option<Outcome>,
    parent_id: Option<Text<'a>>,
    session: Option<&'a str>,
    metadata: Option<Metadata<'a>>,
    recorded_by: Option<Text<'a>>,
    salt: Option<Salt>,
    /// Where the first field that is not the client's begins.
    client_end: Option<usize>,
}

type Stored<'a> = Scanner<'a, false>;

/// Reads the fields of `entry_head` (`entry_json` without its closing `}`) from `start` on, to its end.
pub(super) fn parse(entry_head: &[u8], start: usize) -> Result<Fields<'_>, DecodeError> {
    let mut scanner = Stored::new(entry_head, start)?;
    let mut reading = Reading::default();
    let mut last = Field::Timestamp;
    // Where nothing follows the head, no field is missing for a comma.
    while start < entry_head.len() {
        let offset = scanner.offset();
        let name = scanner.string()?;
        let Some(field) = Field::from_name(name.raw) else {
            return Err(DecodeError::UnknownField { offset });
        };
        if field <= last {
            return Err(DecodeError::FieldOrder { offset, field });
        }
        last = field;
        if !field.is_clients() && reading.client_end.is_none() {
            reading.client_end = Some(offset.saturating_sub(1));
        }
        if !scanner.takes(b':') {
            return Err(scanner.unexpected("`:`").into());
        }
        reading.value(&mut scanner, field)?;
        if scanner.is_at_end() {
            break;
        }
        if !scanner.takes(b',') {
            return Err(scanner.unexpected("`,`").into());
        }
    }
    let end = entry_head.len();
    let client_bytes = entry_head.get(start..reading.client_end.unwrap_or(end)).unwrap_or_default();
    reading.finish(client_bytes, end)
}

impl<'a> Reading<'a> {
    fn value(&mut self, scanner: &mut Stored<'a>, field: Field) -> Result<(), DecodeError> {
        match field {
            // These two stand before all that is read here.
            Field::Seq | Field::Timestamp => {
                return Err(DecodeError::FieldOrder { offset: scanner.offset(), field });
            }
            Field::EventId => self.event_id = Some(text(scanner, field)?),
            Field::EventTime => self.event_time = Some(event_time(scanner)?),
            Field::Actor => self.actor = Some(text(scanner, field)?),
            Field::Action => self.action = Some(text(scanner, field)?),
            Field::Resource => self.resource = Some(text(scanner, field)?),
            Field::Outcome => self.outcome = Some(outcome(scanner)?),
            Field::ParentId => self.parent_id = Some(text(scanner, field)?),
            Field::Session => self.session = Some(document(scanner, field)?),
            Field::Metadata => {
                let offset = scanner.offset();
                self.metadata = Some(Metadata { offset, text: document(scanner, field)? });
            }
            Field::RecordedBy => self.recorded_by = Some(text(scanner, field)?),
            Field::Salt => self.salt = Some(salt(scanner)?),
        }
        Ok(())
    }

    fn finish(self, client_bytes: &'a [u8], end: usize) -> Result<Fields<'a>, DecodeError> {
        let required = |text: Option<Text<'a>>, field| {
            text.ok_or(DecodeError::MissingField { offset: end, field })
        };
        Ok(Fields {
            event_id: self.event_id,
            event_time: self.event_time,
            actor: required(self.actor, Field::Actor)?,
            action: required(self.action, Field::Action)?,
            resource: required(self.resource, Field::Resource)?,
            outcome: self.outcome,
            parent_id: self.parent_id,
            session: self.session,
            metadata: self.metadata,
            recorded_by: self.recorded_by,
            salt: self.salt,
            client_bytes,
        })
    }
}

fn text<'a>(scanner: &mut Stored<'a>, field: Field) -> Result<Text<'a>, DecodeError> {
    let offset = scanner.offset();
    if scanner.peek().is_some_and(|first| first != b'"') {
        return Err(DecodeError::FieldValue { offset, field, expected: "a string" });
    }
    let text = scanner.string()?;
    if text.raw.is_empty() {
        return Err(DecodeError::FieldEmpty { offset, field });
    }
    match field.size_max() {
        // Unescaping never makes a string longer.
        Some(limit) if text.raw.len() > limit && text.decoded_size() > limit => {
            let size = text.decoded_size();
            Err(DecodeError::FieldTooLong { offset, field, limit, size })
        }
        _ => Ok(text),
    }
}

fn event_time<'a>(scanner: &mut Stored<'a>) -> Result<Text<'a>, DecodeError> {
    let (offset, field) = (scanner.offset(), Field::EventTime);
    let time = text(scanner, field)?;
    if is_event_time(&time.decode()) {
        return Ok(time);
    }
    Err(DecodeError::FieldValue { offset, field, expected: "a time as RFC 3339 spells it" })
}

fn outcome(scanner: &mut Stored<'_>) -> Result<Outcome, DecodeError> {
    let (offset, field) = (scanner.offset(), Field::Outcome);
    let expected = "one of success, failure, denied, unknown";
    let outcome = text(scanner, field)?.decode().parse().ok();
    outcome.ok_or(DecodeError::FieldValue { offset, field, expected })
}

fn salt(scanner: &mut Stored<'_>) -> Result<Salt, DecodeError> {
    let (offset, field) = (scanner.offset(), Field::Salt);
    let salt = Salt::parse(text(scanner, field)?.decode().as_bytes());
    salt.ok_or(DecodeError::FieldValue { offset, field, expected: "22 characters of base64url" })
}

fn document<'a>(scanner: &mut Stored<'a>, field: Field) -> Result<&'a str, DecodeError> {
    let offset = scanner.offset();
    if scanner.peek().is_some_and(|first| first != b'{') {
        return Err(DecodeError::FieldValue { offset, field, expected: "an object" });
    }
    scanner.document()?;
    Ok(scanner.since(offset))
}
