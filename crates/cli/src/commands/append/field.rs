//! Reads the fields of one event from flags, so that one that breaks a rule is named with its flag.
//!
//! The rules are the library's; nothing is changed on the way.

use indelible::Event;
use indelible::format::event::EventError;

/// A value for what other fields than the one that is read hold meanwhile.
const ANY: &str = "a";

pub(super) fn actor(given: &str) -> Result<String, EventError> {
    checked(given, &Event::new(given, ANY, ANY))
}

pub(super) fn action(given: &str) -> Result<String, EventError> {
    checked(given, &Event::new(ANY, given, ANY))
}

pub(super) fn resource(given: &str) -> Result<String, EventError> {
    checked(given, &Event::new(ANY, ANY, given))
}

pub(super) fn event_id(given: &str) -> Result<String, EventError> {
    checked(given, &any().event_id(given))
}

pub(super) fn event_time(given: &str) -> Result<String, EventError> {
    checked(given, &any().event_time(given))
}

pub(super) fn parent_id(given: &str) -> Result<String, EventError> {
    checked(given, &any().parent_id(given))
}

pub(super) fn session(given: &str) -> Result<String, EventError> {
    checked(given, &any().session_raw(given))
}

pub(super) fn metadata(given: &str) -> Result<String, EventError> {
    checked(given, &any().metadata_raw(given))
}

fn any() -> Event {
    Event::new(ANY, ANY, ANY)
}

fn checked(given: &str, event: &Event) -> Result<String, EventError> {
    event.encode().map(|_fields| given.to_owned())
}
