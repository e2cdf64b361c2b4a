use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::field::Field;

fn encoded(event: &Event) -> String {
    String::from_utf8(event.encode().unwrap().bytes().to_vec()).unwrap()
}

fn refusal(text: &str) -> String {
    match Event::from_json(text.as_bytes()).and_then(|event| event.encode()) {
        Ok(_) => panic!("accepted: {text}"),
        Err(e) => e.to_string(),
    }
}

#[test]
fn fields_are_written_in_stored_order_and_absent_ones_left_out() {
    let event = Event::new("user:zoë", "login", "app \"console\"")
        .metadata_raw("{\n \"big\": 123456789012345678901234567890, \"esc\": \"\\u0041\\/\" }")
        .session(json!({"ip": "::1"}))
        .parent_id("p")
        .outcome(Outcome::Denied)
        .event_time("2026-01-02T03:04:05+01:00")
        .event_id("e");
    assert_eq!(
        encoded(&event),
        r#""event_id":"e","event_time":"2026-01-02T03:04:05+01:00","actor":"user:zoë","action":"login","resource":"app \"console\"","outcome":"denied","parent_id":"p","session":{"ip":"::1"},"metadata":{"big":123456789012345678901234567890,"esc":"\u0041\/"}"#
    );
    assert_eq!(event.encode().unwrap().event_id(), Some("e"));
    assert!(event.has_event_id() && !Event::new("a", "b", "c").has_event_id());
    assert_eq!(encoded(&Event::new("a", "b", "c")), r#""actor":"a","action":"b","resource":"c""#);
    assert_eq!((event.actor(), event.action()), ("user:zoë", "login"));
    assert_eq!(event.resource(), "app \"console\"");
}

#[test]
fn json_of_a_client_may_be_in_any_order_spaced_and_escaped() {
    let sent = "\n{ \"metadata\" : { \"x\" : [ 1.0 , null ] } ,\t\"resource\":\"\\u0063\", \"outcome\": \"\\u0073uccess\",\
                \"\\u0061ctor\":\"\\ud83d\\uddff\\/\", \"action\" :\"b\",\r\n\"session\":{} } ";
    let event = Event::from_json(sent.as_bytes()).unwrap();
    assert_eq!(
        encoded(&event),
        r#""actor":"🗿/","action":"b","resource":"c","outcome":"success","session":{},"metadata":{"x":[1.0,null]}"#
    );
}

#[test]
fn every_rule_for_what_a_client_sends_names_field_and_reason() {
    let long = "a".repeat(1025);
    let cases = [
        ("", "byte 0: the text ends within a value"),
        ("[]", "byte 0: expected an object"),
        ("{}", "actor is missing"),
        (r#"{"actor":"a","action":"b"}"#, "resource is missing"),
        (r#"{"actor":"a","resource":"b"}"#, "action is missing"),
        (r#"{"actor":"a","action":"b","resource":"c"} x"#, "byte 42: expected the end of the line"),
        (r#"{"actor":"a","action":"b","resource":"c",}"#, "byte 41: expected a string"),
        (r#"{"actor":"a","\u0061ctor":"b"}"#, "byte 13: actor stands twice"),
        (r#"{"actor":null}"#, "byte 9: actor is null: leave it out"),
        (r#"{"session":null}"#, "byte 11: session is null: leave it out"),
        (r#"{"actor":7}"#, "byte 9: actor is not a string"),
        (r#"{"actor":}"#, "actor: byte 9: expected a value"),
        (r#"{"metadata":[]}"#, "byte 12: metadata is not an object"),
        (
            r#"{"metadata":{"k":1,"\u006b":2}}"#,
            "metadata: byte 19: name occurs twice in one object",
        ),
        (r#"{"metadata":{"k":"\ud800"}}"#, "metadata: byte 18: unpaired surrogate"),
        (r#"{"actor":"\ud800"}"#, "actor: byte 10: unpaired surrogate"),
        (
            r#"{"outcome":"hacked"}"#,
            "byte 11: outcome is none of success, failure, denied, unknown",
        ),
        (r#"{"colour":"red"}"#, "byte 1: no event has a field \"colour\""),
        ("{\"\u{1b}[31m\":1}", "byte 2: control character in a string"),
        (r#"{"\u001b[31m":1}"#, "byte 1: no event has a field \"\\u{1b}[31m\""),
        (r#"{"_hash":"x"}"#, "byte 1: \"_hash\" is set by the log, never by a client"),
        (r#"{"\u005fx":1}"#, "byte 1: \"_x\" is set by the log, never by a client"),
        (r#"{"redacted":true}"#, "byte 1: \"redacted\" is set by the log, never by a client"),
        (r#"{"seq":1}"#, "byte 1: \"seq\" is set by the log, never by a client"),
        (r#"{"timestamp":1}"#, "byte 1: \"timestamp\" is set by the log, never by a client"),
        (r#"{"recorded_by":"x"}"#, "byte 1: \"recorded_by\" is set by the log, never by a client"),
        (r#"{"salt":"x"}"#, "byte 1: \"salt\" is set by the log, never by a client"),
        (
            r#"{"actor":"","action":"b","resource":"c"}"#,
            "actor is empty: leave it out, or say something",
        ),
        (
            &format!(r#"{{"actor":"{long}","action":"b","resource":"c"}}"#),
            "actor has 1025 bytes, at most 1024 are allowed",
        ),
        (
            r#"{"actor":"a","action":"b","resource":"c","event_time":"yesterday"}"#,
            "event_time is not a time as RFC 3339 spells it, such as 2026-01-02T03:04:05.678+01:00",
        ),
        (
            r#"{"actor":"indelible","action":"b","resource":"c"}"#,
            "actor is the log's own: actor \"indelible\" and actions that begin with \"indelible.\" are not for clients",
        ),
        (
            r#"{"actor":"a","action":"\u0069ndelible.log.prune","resource":"c"}"#,
            "action is the log's own: actor \"indelible\" and actions that begin with \"indelible.\" are not for clients",
        ),
    ];
    for (sent, wanted) in cases {
        assert_eq!(refusal(sent), wanted, "{sent}");
    }
    let invalid = Event::from_json(b"{\"actor\":\"\xff\"}").unwrap_err();
    assert_eq!(invalid.to_string(), "byte 10: invalid UTF-8");
}

#[test]
fn limits_are_counted_on_decoded_bytes() {
    let event = |n: usize| Event::new("ä".repeat(n), "\"".repeat(1024), "\0".repeat(1024));
    assert!(event(512).encode().is_ok());
    let refused = event(513).encode().unwrap_err();
    assert!(matches!(
        refused,
        EventError::TooLong { field: Field::Actor, limit: 1024, size: 1026 }
    ));
    let id = Event::new("a", "b", "c").event_id("x".repeat(257)).encode().unwrap_err();
    assert!(matches!(id, EventError::TooLong { field: Field::EventId, limit: 256, size: 257 }));
    assert!(check_recorded_by(&"x".repeat(256)).is_ok());
    assert!(matches!(
        check_recorded_by(&"x".repeat(257)).unwrap_err(),
        EventError::TooLong { field: Field::RecordedBy, limit: 256, size: 257 }
    ));
    assert!(matches!(check_recorded_by(""), Err(EventError::Empty { field: Field::RecordedBy })));
}

#[test]
fn documents_of_an_embedder_are_held_to_the_same_rules() {
    let event = || Event::new("a", "b", "c");
    let refused = |event: Event| event.encode().unwrap_err().to_string();
    assert_eq!(refused(event().session_raw("{} {}")), "session: byte 3: expected the end");
    assert_eq!(refused(event().session_raw("")), "session: byte 0: the text ends within a value");
    assert_eq!(refused(event().metadata_raw(" [1]")), "byte 1: metadata is not an object");
    assert_eq!(refused(event().metadata(7)), "byte 0: metadata is not an object");
    assert_eq!(
        refused(event().metadata_raw(r#"{"a":1,"a":2}"#)),
        "metadata: byte 7: name occurs twice in one object"
    );
    let deep = format!("{}1{}", "{\"a\":".repeat(33), "}".repeat(33));
    assert_eq!(refused(event().session_raw(deep)), "session: byte 160: nested deeper than 32");
    let not_json = std::collections::BTreeMap::from([((1, 2), 3)]);
    assert_eq!(refused(event().session(not_json)), "session cannot be written as JSON");
}

#[test]
fn outcomes_are_shown_as_they_are_read() {
    for outcome in [Outcome::Success, Outcome::Failure, Outcome::Denied, Outcome::Unknown] {
        assert_eq!(outcome.to_string(), outcome.as_str());
        assert_eq!(outcome.to_string().parse(), Ok(outcome));
    }
}

#[test]
fn debug_shows_sizes_and_no_content() {
    let event = Event::new("mia", "b", "c").metadata(json!({"password": "secret"}));
    let shown = format!("{event:?} {:?}", event.encode().unwrap());
    assert!(!shown.contains("secret") && !shown.contains("mia"), "{shown}");
    assert!(shown.contains("metadata_size: Some(21)"), "{shown}");
    assert!(shown.ends_with("ClientFields { event_id: None, size: 74 }"), "{shown}");
}

proptest! {
    #[test]
    fn strings_are_escaped_as_serde_json_escapes_them(text in any::<String>()) {
        let mut written = Vec::new();
        write_string(&mut written, &text);
        prop_assert_eq!(String::from_utf8(written).unwrap(), serde_json::to_string(&text).unwrap());
    }

    #[test]
    fn control_characters_are_escaped_as_serde_json_escapes_them(text in "[\\x00-\\x7f]{0,40}") {
        let mut written = Vec::new();
        write_string(&mut written, &text);
        prop_assert_eq!(String::from_utf8(written).unwrap(), serde_json::to_string(&text).unwrap());
    }

    #[test]
    fn any_bytes_are_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        if Event::from_json(&bytes).is_ok() {
            prop_assert!(serde_json::from_slice::<serde_json::Value>(&bytes).is_ok());
        }
    }
}
