//! From an [`Event`] to the message that carries it.

use std::borrow::Cow;

use indelible::Event;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::error::ClientError;
use crate::proto::v1;

/// The fields of an event as records have them.
#[derive(Debug, Deserialize)]
struct Fields<'a> {
    #[serde(borrow, default)]
    event_id: Cow<'a, str>,
    #[serde(borrow, default)]
    event_time: Cow<'a, str>,
    #[serde(borrow)]
    actor: Cow<'a, str>,
    #[serde(borrow)]
    action: Cow<'a, str>,
    #[serde(borrow)]
    resource: Cow<'a, str>,
    #[serde(borrow, default)]
    outcome: Cow<'a, str>,
    #[serde(borrow, default)]
    parent_id: Cow<'a, str>,
    #[serde(borrow, default)]
    session: Option<&'a RawValue>,
    #[serde(borrow, default)]
    metadata: Option<&'a RawValue>,
}

/// The message of an event, which is checked first; one without an `event_id` gets one.
pub(super) fn message(event: &Event) -> Result<v1::Event, ClientError> {
    let encoded = event.encode()?;
    let text = [b"{", encoded.bytes(), b"}"].concat();
    let Ok(fields) = serde_json::from_slice::<Fields<'_>>(&text) else {
        return Err(ClientError::Answer { what: "an event that is no JSON" });
    };
    let outcome = match &*fields.outcome {
        "success" => v1::Outcome::Success,
        "failure" => v1::Outcome::Failure,
        "denied" => v1::Outcome::Denied,
        "unknown" => v1::Outcome::Unknown,
        _ => v1::Outcome::Unspecified,
    };
    let event_id =
        if fields.event_id.is_empty() { fresh_id()? } else { fields.event_id.into_owned() };
    let text = |value: Option<&RawValue>| value.map(|raw| raw.get().to_owned()).unwrap_or_default();
    Ok(v1::Event {
        actor: fields.actor.into_owned(),
        action: fields.action.into_owned(),
        resource: fields.resource.into_owned(),
        event_id,
        event_time: fields.event_time.into_owned(),
        outcome: outcome.into(),
        parent_id: fields.parent_id.into_owned(),
        session_json: text(fields.session),
        metadata_json: text(fields.metadata),
    })
}

/// An `event_id` that nobody else has: 128 random bits.
fn fresh_id() -> Result<String, ClientError> {
    let mut bits = [0; 16];
    getrandom::fill(&mut bits)
        .map_err(|_no_source| ClientError::Answer { what: "no random bits for an event_id" })?;
    Ok(format!("client:{:032x}", u128::from_be_bytes(bits)))
}

#[cfg(test)]
mod tests {
    use indelible::Outcome;
    use indelible::format::event::EventError;

    use super::*;

    #[test]
    fn an_event_travels_with_every_field_and_number_as_written() {
        let event = Event::new("a\"ä\n", "b", "c")
            .event_id("e-\u{1F980}")
            .event_time("2026-01-02T03:04:05Z")
            .outcome(Outcome::Denied)
            .parent_id("e-6")
            .session_raw(r#"{"n": 123456789012345678901234567890}"#)
            .metadata_raw(r#"{"x":1.0,"y":"\u0041"}"#);
        let message = message(&event).unwrap();
        let again = crate::convert::event(Some(message.clone())).unwrap();
        assert_eq!(again.encode().unwrap(), event.encode().unwrap());
        assert_eq!(message.session_json, r#"{"n":123456789012345678901234567890}"#);
    }

    #[test]
    fn an_event_without_an_id_gets_one_of_its_own() {
        let event = Event::new("a", "b", "c");
        let ids = [message(&event).unwrap().event_id, message(&event).unwrap().event_id];
        assert!(ids.iter().all(|id| id.starts_with("client:") && id.len() == 39), "{ids:?}");
        assert_ne!(ids[0], ids[1]);
    }

    #[test]
    fn what_is_no_event_is_not_sent() {
        let error = message(&Event::new("", "b", "c")).unwrap_err();
        assert!(matches!(error, ClientError::Event(EventError::Empty { .. })), "{error}");
        assert!(!error.is_indeterminate());
    }
}
