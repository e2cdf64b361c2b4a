//! From the JSON that a client sends to an [`Event`].

use super::{Document, Event, EventError, NAME_SHOWN_MAX, Outcome};
use crate::field::Field;
use crate::json::{Fault, Scanner, Text};

impl From<Fault> for EventError {
    fn from(fault: Fault) -> Self {
        Self::Json { field: None, offset: fault.offset, reason: fault.reason }
    }
}

impl Event {
    /// Reads one JSON object as a client sends it.
    ///
    /// Fields in any order, white space between tokens, and escapes in names are allowed. Lengths and the log's own
    /// names are checked when the event is [encoded](Self::encode).
    ///
    /// # Errors
    ///
    /// [`EventError`] names the field and the reason: JSON that is not strict (names twice at any depth, unpaired
    /// surrogates, nesting deeper than 32), fields that are unknown, null, of the wrong type or missing, and those that
    /// the log or the service sets.
    ///
    /// # Examples
    ///
    /// ```
    /// # use indelible_format::event::Event;
    /// let event = Event::from_json(br#"{ "resource": "c", "action": "b", "actor": "a" }"#)?;
    /// assert_eq!(event.encode()?.bytes(), br#""actor":"a","action":"b","resource":"c""#);
    /// # Ok::<(), indelible_format::event::EventError>(())
    /// ```
    pub fn from_json(text: &[u8]) -> Result<Self, EventError> {
        let mut scanner = Scanner::<true>::new(text, 0)?;
        let mut parts = Parts::default();
        scanner.space();
        scanner.members(|scanner, name, offset| parts.member(scanner, name, offset))?;
        scanner.space();
        if !scanner.is_at_end() {
            return Err(scanner.unexpected("the end of the line").into());
        }
        parts.finish()
    }
}

/// The fields of an event, as far as they have been read.
#[derive(Default)]
struct Parts {
    event_id: Option<String>,
    event_time: Option<String>,
    actor: Option<String>,
    action: Option<String>,
    resource: Option<String>,
    outcome: Option<Outcome>,
    parent_id: Option<String>,
    session: Option<Document>,
    metadata: Option<Document>,
}

impl Parts {
    fn member(
        &mut self,
        scanner: &mut Scanner<'_, true>,
        name: Text<'_>,
        offset: usize,
    ) -> Result<(), EventError> {
        let field = known_field(name, offset)?;
        match field {
            Field::EventId => once(field, offset, &mut self.event_id, text(scanner, field)?),
            Field::EventTime => once(field, offset, &mut self.event_time, text(scanner, field)?),
            Field::Actor => once(field, offset, &mut self.actor, text(scanner, field)?),
            Field::Action => once(field, offset, &mut self.action, text(scanner, field)?),
            Field::Resource => once(field, offset, &mut self.resource, text(scanner, field)?),
            Field::Outcome => once(field, offset, &mut self.outcome, outcome(scanner)?),
            Field::ParentId => once(field, offset, &mut self.parent_id, text(scanner, field)?),
            Field::Session => once(field, offset, &mut self.session, document(scanner, field)?),
            Field::Metadata => once(field, offset, &mut self.metadata, document(scanner, field)?),
            Field::Seq | Field::Timestamp | Field::RecordedBy | Field::Salt => {
                Err(reserved(field.as_str(), offset))
            }
        }
    }

    fn finish(self) -> Result<Event, EventError> {
        let required = |text: Option<String>, field| text.ok_or(EventError::Missing { field });
        Ok(Event {
            event_id: self.event_id,
            event_time: self.event_time,
            actor: required(self.actor, Field::Actor)?,
            action: required(self.action, Field::Action)?,
            resource: required(self.resource, Field::Resource)?,
            outcome: self.outcome,
            parent_id: self.parent_id,
            session: self.session,
            metadata: self.metadata,
        })
    }
}

/// The field of that name, if there is one.
fn known_field(name: Text<'_>, offset: usize) -> Result<Field, EventError> {
    let name = name.decode();
    match Field::from_name(&name) {
        Some(field) => Ok(field),
        None if name == "redacted" || name.starts_with('_') => Err(reserved(&name, offset)),
        None => Err(EventError::Unknown { name: shown(&name), offset }),
    }
}

fn reserved(name: &str, offset: usize) -> EventError {
    EventError::Reserved { name: shown(name), offset }
}

fn shown(name: &str) -> String {
    name.chars().take(NAME_SHOWN_MAX).collect()
}

fn once<T>(field: Field, offset: usize, place: &mut Option<T>, value: T) -> Result<(), EventError> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(EventError::Duplicate { field, offset }),
    }
}

fn text(scanner: &mut Scanner<'_, true>, field: Field) -> Result<String, EventError> {
    begins(scanner, field, b'"', "a string")?;
    let text = scanner.string().map_err(|fault| within(field, fault))?;
    Ok(text.decode().into_owned())
}

fn outcome(scanner: &mut Scanner<'_, true>) -> Result<Outcome, EventError> {
    let offset = scanner.offset();
    let text = text(scanner, Field::Outcome)?;
    text.parse().ok().ok_or(EventError::Outcome { offset })
}

fn document(scanner: &mut Scanner<'_, true>, field: Field) -> Result<Document, EventError> {
    begins(scanner, field, b'{', "an object")?;
    let document = scanner.document().map_err(|fault| within(field, fault))?;
    Ok(Document::Checked(document.into_owned()))
}

/// Says what is wrong where a value does not begin with `wanted`.
fn begins(
    scanner: &Scanner<'_, true>,
    field: Field,
    wanted: u8,
    expected: &'static str,
) -> Result<(), EventError> {
    let offset = scanner.offset();
    match scanner.peek() {
        Some(found) if found == wanted => Ok(()),
        Some(b'n') => Err(EventError::Null { field, offset }),
        Some(b'"' | b'{' | b'[' | b't' | b'f' | b'-' | b'0'..=b'9') => {
            Err(EventError::Type { field, offset, expected })
        }
        _ => Err(within(field, scanner.unexpected("a value"))),
    }
}

fn within(field: Field, fault: Fault) -> EventError {
    EventError::Json { field: Some(field), offset: fault.offset, reason: fault.reason }
}
