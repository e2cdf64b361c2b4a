use proptest::prelude::*;

use super::*;
use crate::chain::seal;
use crate::event::{Event, Outcome, Salt, write_string};
use crate::field::Field;
use crate::json::JsonFault;

const HEAD: &str = r#"{"seq":7,"timestamp":"2026-01-02T03:04:05.000000000Z","#;
const PLAIN: &str = r#""actor":"a","action":"c","resource":"d""#;

fn sealed(entry_head: impl AsRef<[u8]>) -> Vec<u8> {
    let mut line = entry_head.as_ref().to_vec();
    seal(&mut line, 0, &Hash::ZERO);
    line
}

fn refusal(fields: &str) -> DecodeError {
    match Record::parse(&sealed(format!("{HEAD}{fields}"))) {
        Ok(_) => panic!("accepted: {fields}"),
        Err(e) => e,
    }
}

#[test]
fn every_field_comes_out_as_it_lies() {
    let fields = concat!(
        r#""event_id":"e","event_time":"2026-01-02T03:04:05.5-01:00","actor":"\u0061","action":"b\n","resource":"c","#,
        r#""outcome":"denied","parent_id":"p","session":{"a":1.0},"metadata":{"b":"\u0041"},"#,
        r#""recorded_by":"r","salt":"AAECAwQFBgcICQoLDA0ODw""#
    );
    let line = sealed(format!("{HEAD}{fields}"));
    let record = Record::parse(&line).unwrap();
    assert_eq!(record.seq(), 7);
    assert_eq!(record.timestamp().to_string(), "2026-01-02T03:04:05.000000000Z");
    assert_eq!(record.prev_hash(), Hash::ZERO);
    assert_eq!(record.line(), line);
    assert_eq!(record.entry_head().len() + LINK_SUFFIX_SIZE, line.len());
    assert_eq!(record.resource().as_deref(), Some("c"));
    let Content::Event(found) = record.content() else { panic!("{record:?}") };
    assert_eq!(found.event_id().as_deref(), Some("e"));
    assert_eq!(found.event_time().as_deref(), Some("2026-01-02T03:04:05.5-01:00"));
    assert_eq!((found.actor(), found.action()), ("a".into(), "b\n".into()));
    assert_eq!(found.resource(), "c");
    assert_eq!(found.outcome(), Some(Outcome::Denied));
    assert_eq!(found.parent_id().as_deref(), Some("p"));
    assert_eq!(found.session_raw(), Some(r#"{"a":1.0}"#.as_bytes()));
    assert_eq!(found.metadata_raw(), Some(r#"{"b":"\u0041"}"#.as_bytes()));
    assert_eq!(found.recorded_by().as_deref(), Some("r"));
    assert_eq!(found.salt().unwrap().to_string(), "AAECAwQFBgcICQoLDA0ODw");
    let end = fields.find(r#","recorded_by""#).unwrap();
    assert_eq!(found.client_bytes(), &fields.as_bytes()[..end]);
}

#[test]
fn refusals_say_where_and_what() {
    let at = HEAD.len();
    let cases = [
        ("", DecodeError::MissingField { offset: at, field: Field::Actor }),
        (
            r#""actor":"a","action":"c""#,
            DecodeError::MissingField { offset: at + 24, field: Field::Resource },
        ),
        (
            r#""action":"c","actor":"a""#,
            DecodeError::FieldOrder { offset: at + 13, field: Field::Actor },
        ),
        (
            r#""actor":"a","actor":"a""#,
            DecodeError::FieldOrder { offset: at + 12, field: Field::Actor },
        ),
        (r#""seq":1"#, DecodeError::FieldOrder { offset: at, field: Field::Seq }),
        (r#""colour":"red""#, DecodeError::UnknownField { offset: at }),
        (r#""\u0061ctor":"a""#, DecodeError::UnknownField { offset: at }),
        (
            r#""actor":null"#,
            DecodeError::FieldValue { offset: at + 8, field: Field::Actor, expected: "a string" },
        ),
        (r#""actor":"""#, DecodeError::FieldEmpty { offset: at + 8, field: Field::Actor }),
        (
            r#""actor":"a", "action":"c""#,
            DecodeError::Json { offset: at + 12, reason: JsonFault::WhiteSpace },
        ),
        (
            r#""actor":"a","action":"indelible.x","resource":"d""#,
            DecodeError::OwnName { offset: at },
        ),
        (r#""actor":"indelible","action":"b","resource":"d""#, DecodeError::OwnName { offset: at }),
        (
            r#""actor":"indelible","action":"indelible.x","resource":"d","outcome":"success""#,
            DecodeError::OwnField { offset: at, field: Field::Outcome },
        ),
        (
            r#""actor":"\u0069ndelible","action":"indelible.x","resource":"d""#,
            DecodeError::OwnField { offset: at, field: Field::Actor },
        ),
    ];
    for (fields, wanted) in cases {
        assert_eq!(refusal(fields), wanted, "{fields}");
    }
    let refused = refusal(r#""actor":"a","action":"c","resource":"d","outcome":"x""#);
    assert_eq!(
        refused.to_string(),
        "byte 104: outcome is not one of success, failure, denied, unknown"
    );
}

#[test]
fn a_changed_byte_is_a_wrong_hash_and_a_redacted_line_has_none_to_check() {
    let mut line = sealed(format!("{HEAD}{PLAIN}"));
    assert!(Record::parse(&line).is_ok());
    line[HEAD.len() + 9] = b'b';
    assert!(matches!(Record::parse(&line), Err(DecodeError::HashMismatch { .. })));
    assert!(matches!(Record::parse_newer(&line), Err(DecodeError::HashMismatch { .. })));

    let mut redacted = format!("{HEAD}\"redacted\":true").into_bytes();
    redacted.extend_from_slice(&line[line.len() - LINK_SUFFIX_SIZE..]);
    for record in [Record::parse(&redacted).unwrap(), Record::parse_newer(&redacted).unwrap()] {
        assert!(matches!(record.content(), Content::Redacted));
        assert_eq!((record.seq(), record.resource()), (7, None));
    }
    assert!(Record::parse(&sealed(format!("{HEAD}\"redacted\":false"))).is_err());
    assert!(Record::parse(&sealed(format!("{HEAD}\"redacted\":true,{PLAIN}"))).is_err());
}

#[test]
fn lines_of_a_newer_version_are_checked_by_head_and_hash_alone() {
    let line = sealed(format!("{HEAD}\"colour\": \"red\""));
    assert!(Record::parse(&line).is_err());
    let record = Record::parse_newer(&line).unwrap();
    assert!(matches!(record.content(), Content::Unchecked));
    assert!(Record::parse_newer(&sealed("{\"seq\":00")).is_err());
}

#[test]
fn an_entry_may_have_one_mebibyte_and_no_more() {
    let begin = format!("{HEAD}{PLAIN},\"metadata\":{{\"x\":\"");
    let entry = |size: usize| format!("{begin}{}\"}}", "y".repeat(size - begin.len() - 3));
    let line = sealed(entry(ENTRY_SIZE_MAX));
    assert_eq!(line.len(), LINE_SIZE_MAX);
    assert!(Record::parse(&line).is_ok());
    assert_eq!(
        Record::parse(&sealed(entry(ENTRY_SIZE_MAX + 1))).unwrap_err(),
        DecodeError::EntryTooLarge { offset: ENTRY_SIZE_MAX }
    );
}

#[test]
fn heads_are_read_alone_and_strictly() {
    for seq in [0, 1, 9, 10, 123_456_789, SEQ_MAX] {
        let mut line = Vec::new();
        let timestamp = Timestamp::from_unix_ns(i128::from(seq)).unwrap();
        write_head(&mut line, seq, timestamp);
        let head = parse_head(&line).unwrap();
        assert_eq!(head, Head { seq, timestamp, size: line.len() });
        *line.last_mut().unwrap() = b'}';
        assert_eq!(parse_head(&line).unwrap().size, line.len() - 1);
        for cut in 0..line.len() {
            assert!(parse_head(&line[..cut]).is_err(), "{cut}");
        }
    }
    let spelt = |seq: &str| parse_head(HEAD.replace('7', seq).as_bytes()).map(|head| head.seq);
    assert_eq!(spelt("7"), Ok(7));
    for bad in ["", "-0", "00", "07", "0.0", "1e0", "\"0\"", "1000000000000000000", " 7", "+7"] {
        assert!(spelt(bad).is_err(), "{bad}");
    }
    assert_eq!(
        spelt("1000000000000000000"),
        Err(DecodeError::Head {
            offset: 7,
            expected: "seq, 1 to 18 digits without a leading zero"
        })
    );
}

#[test]
fn debug_shows_no_content() {
    let line = sealed(format!("{HEAD}{PLAIN},\"metadata\":{{\"password\":\"secret\"}}"));
    let record = Record::parse(&line).unwrap();
    let shown = format!("{record:?}");
    assert!(shown.contains("seq: 7") && !shown.contains("secret"), "{shown}");
    let Content::Event(event) = record.content() else { panic!("{shown}") };
    let shown = format!("{event:?}");
    assert!(shown.starts_with("Fields { event_id: None, action: \"c\", size: 72"), "{shown}");
    assert!(!shown.contains("secret"), "{shown}");
}

proptest! {
    #[test]
    fn any_event_comes_back_from_its_record(event in event(), recorded_by in proptest::option::of("\\PC{1,60}"), salt: Option<[u8; 16]>) {
        let client = event.encode().unwrap();
        let mut line = HEAD.as_bytes().to_vec();
        line.extend_from_slice(client.bytes());
        if let Some(principal) = &recorded_by {
            line.extend_from_slice(b",\"recorded_by\":");
            write_string(&mut line, principal);
        }
        if let Some(salt) = salt {
            line.extend_from_slice(format!(",\"salt\":\"{}\"", Salt::from_bytes(salt)).as_bytes());
        }
        let line = sealed(line);
        let record = Record::parse(&line).unwrap();
        let Content::Event(fields) = record.content() else { panic!("{record:?}") };
        prop_assert_eq!(fields.client_bytes(), client.bytes());
        let (event_id, principal) = (fields.event_id(), fields.recorded_by());
        prop_assert_eq!(event_id.as_deref(), client.event_id());
        prop_assert_eq!(fields.actor(), event.actor());
        prop_assert_eq!(principal.as_deref(), recorded_by.as_deref());
        prop_assert_eq!(fields.salt(), salt.map(Salt::from_bytes));

        let again = Event::from_json(&[b"{", fields.client_bytes(), b"}"].concat()).unwrap();
        prop_assert_eq!(again.encode().unwrap(), client);
    }

    #[test]
    fn changed_bytes_never_make_it_panic_and_never_pass(
        event in event(),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        reseal: bool,
    ) {
        let entry_head = [HEAD.as_bytes(), event.encode().unwrap().bytes()].concat();
        let line = sealed(&entry_head);
        let mut changed = if reseal { entry_head } else { line.clone() };
        for (place, byte) in &changes {
            let place = place.index(changed.len());
            changed[place] = *byte;
        }
        if reseal {
            // With a right hash, only what is JSON passes.
            let changed = sealed(&changed);
            if Record::parse(&changed).is_ok() {
                prop_assert!(serde_json::from_slice::<serde::de::IgnoredAny>(&changed).is_ok());
            }
        } else if changed != line {
            prop_assert!(Record::parse(&changed).is_err());
        }
    }

    #[test]
    fn any_bytes_are_refused_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(Record::parse(&bytes).is_err());
        prop_assert!(Record::parse(&sealed([HEAD.as_bytes(), &bytes].concat())).is_err());
    }
}

fn event() -> impl Strategy<Value = Event> {
    let text = || any::<String>().prop_filter("strings are not empty", |s| !s.is_empty());
    let outcome =
        prop_oneof![Just(Outcome::Success), Just(Outcome::Failure), Just(Outcome::Unknown)];
    let document = || {
        proptest::option::of(proptest::collection::btree_map(
            any::<String>(),
            any::<(bool, f64, Vec<String>)>(),
            0..15,
        ))
    };
    (
        (text(), text(), text()),
        proptest::option::of(text()),
        proptest::option::of(text()),
        proptest::option::of(outcome),
        (document(), document()),
    )
        .prop_map(|((actor, action, resource), id, parent, outcome, (session, metadata))| {
            let mut event = Event::new(actor, action, resource);
            if let Some(id) = id {
                event = event.event_id(id);
            }
            if let Some(parent) = parent {
                event = event.parent_id(parent).event_time("2026-01-02T03:04:05Z");
            }
            if let Some(outcome) = outcome {
                event = event.outcome(outcome);
            }
            if let Some(session) = session {
                event = event.session(session);
            }
            if let Some(metadata) = metadata {
                event = event.metadata_raw(serde_json::to_string_pretty(&metadata).unwrap());
            }
            event
        })
}

/// The earliest timestamp there is.
const EARLIEST: &[u8; 30] = b"0001-01-01T00:00:00.000000000Z";

#[test]
fn only_the_logs_own_records_are_always_checked_in_full() {
    let not_an_event = sealed(format!(r#"{HEAD}"actor":5"#));
    assert!(Record::parse(&not_an_event).is_err());
    let record = Record::parse_to(&not_an_event, Depth::Link).unwrap();
    assert!(matches!(record.content(), Content::Unchecked));
    let not_its_own = sealed(format!(r#"{HEAD}"actor":"indelible","action":"c","resource":"d""#));
    for depth in [Depth::Link, Depth::Form] {
        let error = Record::parse_to(&not_its_own, depth).unwrap_err();
        assert_eq!(error, DecodeError::OwnName { offset: HEAD.len() });
        assert_eq!(Plain::read(&not_its_own, EARLIEST, depth), None);
        let mut changed = sealed(format!("{HEAD}{PLAIN}"));
        changed[60] ^= 1;
        assert!(matches!(Record::parse_to(&changed, depth), Err(DecodeError::HashMismatch { .. })));
    }
}

#[test]
fn nothing_of_a_line_stands_behind_the_end_of_its_entry() {
    let ended = format!("{}}}", HEAD.trim_end_matches(','));
    for line in [sealed(&ended), sealed(format!("{ended},{PLAIN}"))] {
        let at = DecodeError::Head { offset: HEAD.len() - 1, expected: "`,`" };
        assert_eq!(Record::parse_newer(&line).unwrap_err(), at);
        for depth in [Depth::Link, Depth::Form] {
            assert_eq!(Record::parse_to(&line, depth).unwrap_err(), at);
        }
    }
}

#[test]
fn plain_lines_are_clients_events_only() {
    let line = sealed(format!("{HEAD}{PLAIN}"));
    let redacted = sealed(format!(r#"{HEAD}"redacted":true"#));
    let bare = sealed(HEAD.trim_end_matches(','));
    for depth in [Depth::Link, Depth::Form] {
        let plain = Plain::read(&line, EARLIEST, depth).unwrap();
        let record = Record::parse(&line).unwrap();
        assert_eq!((plain.seq, plain.link.right_hash()), (record.seq(), Some(record.hash())));
        assert_eq!(Timestamp::parse(plain.timestamp), Some(record.timestamp()));
        let later = b"2026-01-02T03:04:05.000000001Z";
        assert_eq!(Plain::read(&line, later, depth), None);
        assert_eq!(Plain::read(&redacted, EARLIEST, depth), None);
        assert_eq!(Plain::read(&bare, EARLIEST, depth), None);
    }
}

proptest! {
    #[test]
    fn what_is_read_fast_is_what_is_read_with_care(
        at in 0..HEAD.len() + PLAIN.len(),
        byte in any::<u8>(),
        resealed in any::<bool>(),
    ) {
        let mut entry = format!("{HEAD}{PLAIN}").into_bytes();
        let mut line = sealed(&entry);
        line[at] = byte;
        if resealed {
            entry[at] = byte;
            line = sealed(&entry);
        }
        for depth in [Depth::Link, Depth::Form] {
            let plain = Plain::read(&line, EARLIEST, depth).and_then(|plain| Some((plain.seq, plain.link.right_hash()?)));
            let record = Record::parse_to(&line, depth).ok();
            let events = record.filter(|record| match record.content() {
                Content::Event(_) => true,
                Content::Unchecked => record.entry_head().len() > HEAD.len(),
                Content::Own(_) | Content::Redacted => false,
            });
            prop_assert_eq!(plain, events.map(|record| (record.seq(), record.hash())));
        }
    }
}
