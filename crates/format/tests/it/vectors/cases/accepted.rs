//! Entries that every reader takes.

#![expect(clippy::too_many_lines, reason = "a table")]

use super::*;

/// Entries that every reader takes.
pub(in super::super) fn accepted() -> Vec<Case> {
    let same = |members: String| members;
    let mut cases = vec![
        case("the required fields alone", fields(ABC)),
        case("seq of 18 digits", fields(ABC).replace("\"seq\":0", "\"seq\":999999999999999999")),
        case(
            "the last moment of year 9999",
            fields(ABC).replace(TO_SECONDS, "9999-12-31T23:59:59"),
        ),
        case("the first moment of year 1", fields(ABC).replace(TO_SECONDS, "0001-01-01T00:00:00")),
        case("29 February of a leap year", fields(ABC).replace("2026-01-02", "2024-02-29")),
        case(
            "actor of 1,024 bytes",
            fields(&ABC.replace("\"a\"", &format!("\"{}\"", "a".repeat(1024)))),
        ),
        case(
            "actor of 1,024 bytes, each escaped: limits count decoded bytes",
            fields(&ABC.replace("\"a\"", &format!("\"{}\"", "\\u0061".repeat(1024)))),
        ),
        case(
            "actor of 512 two-byte characters",
            fields(&ABC.replace("\"a\"", &format!("\"{}\"", "\u{e4}".repeat(512)))),
        ),
        case(
            "event_id and parent_id of 256 bytes",
            fields(&format!(r#""event_id":"{0}",{ABC},"parent_id":"{0}""#, "e".repeat(256))),
        ),
        case(
            "an escaped string value in a top-level field",
            fields(&ABC.replace("\"a\"", r#""\u0061\/""#)),
        ),
        case("escaped NUL in a string", fields(&ABC.replace("\"a\"", r#""\u0000""#))),
        case(
            "DEL and line separators raw in a string",
            fields(&ABC.replace("\"a\"", "\"\u{7f}\u{2028}\u{85}\"")),
        ),
        case(
            "the log's name as the beginning of another actor",
            fields(&ABC.replace("\"a\"", "\"indelible2\"")),
        ),
        case(
            "the log's name as a whole action, without the dot",
            fields(&ABC.replace("\"b\"", "\"indelible\"")),
        ),
        case("nested 32 deep in arrays", nested("[", "]", 32)),
        case(
            "nested 32 deep in objects",
            more(&format!(r#""metadata":{}{{}}{}"#, r#"{"x":"#.repeat(31), "}".repeat(31))),
        ),
        case(
            "numbers of every form",
            more(
                r#""metadata":{"x":[0,-0,1.0,1e5,1E+5,1e-5,-1.5e0,1e999999,123456789012345678901234567890]}"#,
            ),
        ),
        case(
            "names that are the same in different objects only",
            more(r#""metadata":{"a":{"a":1},"b":[{"a":1},{"a":2}]}"#),
        ),
        case(
            "names that differ in case, and an empty one",
            more(r#""metadata":{"a":1,"A":2,"":3}"#),
        ),
        case("a surrogate pair", more(r#""metadata":{"x":"\ud83d\uDE00"}"#)),
        case("empty session and metadata", more(r#""session":{},"metadata":{}"#)),
        case("white space and slashes within strings", more(r#""metadata":{" a\t":" / \/ "}"#)),
        case(
            "event_time with a fraction of one digit",
            fields(&format!(r#""event_time":"2026-01-02T03:04:05.1Z",{ABC}"#)),
        ),
        case(
            "event_time with offset -00:00",
            fields(&format!(r#""event_time":"2026-01-02T03:04:05-00:00",{ABC}"#)),
        ),
        case(
            "event_time with offset +23:59",
            fields(&format!(r#""event_time":"2026-01-02T03:04:05+23:59",{ABC}"#)),
        ),
        case(
            "every field",
            fields(&format!(
                r#""event_id":"e","event_time":"2026-01-02T03:04:05Z",{ABC},"outcome":"unknown","parent_id":"p","session":{{}},"metadata":{{}},"recorded_by":"r","salt":"AAAAAAAAAAAAAAAAAAAAAA""#
            )),
        ),
        case("create", create(same)),
        case(
            "create with a salt",
            create(same).replace("\"}}", "\"},\"salt\":\"AAECAwQFBgcICQoLDA0ODw\"}"),
        ),
        case("prune", prune(same)),
        case("prune with two keys", prune(|m| m.replace("\"],", &format!("\",\"{KEY}\"],")))),
        case("redact", redact(same)),
        case(
            "redact with an escaped reason",
            redact(|m| m.replace(r#""x""#, r#""\u0078,\"signed\":""#)),
        ),
        case("recover", recover(same)),
        case("adopt", own("log.adopt", r#"{"from_seq":1,"to_seq":2}"#)),
        case("format", own("log.format", &format!(r#"{{"format":2,"signed":"{SIGNED}"}}"#))),
        case("clock behind", own("clock.behind", &format!(r#"{{"wall":"{TIME}"}}"#))),
        case(
            "clock jump",
            own(
                "clock.jump",
                &format!(r#"{{"wall":"{TIME}","counted":"{TIME}","believed":true}}"#),
            ),
        ),
        case(
            "service record of an unknown action, with any metadata",
            own("service.begin", r#"{"x":[1,{}]}"#),
        ),
        case("service start", service_start(same)),
        case(
            "service start that listens nowhere, in short texts",
            service_start(|m| {
                m.replace(PLACES, "[]").replace("\"0.4.0\"", "\"v\"").replace("4711", "0")
            }),
        ),
        case(
            "service start with 8 listeners of 256 bytes",
            service_start(|m| {
                let place = format!("\"{}\"", "l".repeat(256));
                m.replace(PLACES, &format!("[{}]", vec![place; 8].join(",")))
            }),
        ),
        case("service stop", own("service.stop", r#"{"reason":"signal","records":0}"#)),
        case("service configure", service_configure(same)),
        case("service refuse of a principal", service_refuse(same)),
        case(
            "service refuse of an address",
            service_refuse(|m| {
                m.replace("\"principal\"", "\"address\"").replace("agent-7", "2001:db8::1")
            }),
        ),
        case(
            "service refuse of a user of the machine",
            service_refuse(|m| m.replace("\"principal\"", "\"user\"").replace("agent-7", "1000")),
        ),
        case(
            "action of the log's own that version 1 does not list",
            own("key.rotate", r#"{"x":1}"#),
        ),
        case("the same without metadata", own("service.end", "{}").replace(",\"metadata\":{}", "")),
    ];
    cases.extend(["A", "Q", "g", "w"].map(|last| {
        let salt = format!(r#""salt":"AAECAwQFBgcICQoLDA0OD{last}""#);
        case(&format!("salt that ends in {last}"), more(&salt))
    }));
    cases
}
