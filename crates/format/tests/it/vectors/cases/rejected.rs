//! Entries that every reader refuses.

#![expect(clippy::too_many_lines, reason = "a table")]

use super::*;

/// Entries that every reader refuses.
pub(in super::super) fn rejected() -> Vec<Case> {
    [rejected_heads(), rejected_fields(), rejected_json(), rejected_own(), rejected_service()]
        .concat()
}

fn rejected_heads() -> Vec<Case> {
    let time = |text: &str| fields(ABC).replace(TIME, text);
    vec![
        case("nothing but seq and timestamp", fields("").replace(",}", "}")),
        case("a comma after the last field", fields(&format!("{ABC},"))),
        case("a comma after timestamp and nothing else", fields("")),
        case("seq of 19 digits", fields(ABC).replace("\"seq\":0", "\"seq\":1000000000000000000")),
        case("seq with a plus sign", fields(ABC).replace("\"seq\":0", "\"seq\":+1")),
        case("seq with a leading zero", fields(ABC).replace("\"seq\":0", "\"seq\":01")),
        case("no seq", fields(ABC).replace("\"seq\":0,", "")),
        case(
            "timestamp before seq",
            fields(ABC).replace("{\"seq\":0,", "{").replace("00Z\",", "00Z\",\"seq\":0,"),
        ),
        case("timestamp in year 0", time("0000-01-02T03:04:05.000000000Z")),
        case("timestamp on 29 February of a common year", time("2026-02-29T03:04:05.000000000Z")),
        case("timestamp on 29 February 2100", time("2100-02-29T03:04:05.000000000Z")),
        case("timestamp at hour 24", time("2026-01-02T24:00:00.000000000Z")),
        case("timestamp with a lower-case z", time("2026-01-02T03:04:05.000000000z")),
        case("timestamp with a space for T", time("2026-01-02 03:04:05.000000000Z")),
        case("timestamp with ten digits", time("2026-01-02T03:04:05.0000000000Z")),
        case("timestamp with a comma", time("2026-01-02T03:04:05,000000000Z")),
        case("timestamp with an escape", time("2026-01-02T03:04:05.00000000\\u0030Z")),
        case("redacted together with content", fields(&format!("\"redacted\":true,{ABC}"))),
        case("redacted: false", fields("\"redacted\":false")),
        case("content and then redacted", more("\"redacted\":true")),
    ]
}

fn rejected_fields() -> Vec<Case> {
    let salt = |text: &str| more(&format!(r#""salt":"{text}""#));
    let event_time = |text: &str| fields(&format!(r#""event_time":"{text}",{ABC}"#));
    let mut cases = vec![
        case("no resource", fields(r#""actor":"a","action":"b""#)),
        case("empty action", fields(&ABC.replace("\"b\"", "\"\""))),
        case("empty event_id", fields(&format!(r#""event_id":"",{ABC}"#))),
        case("event_id after actor", more(r#""event_id":"e""#)),
        case(
            "event_id of 257 bytes",
            fields(&format!(r#""event_id":"{}",{ABC}"#, "e".repeat(257))),
        ),
        case("parent_id of 257 bytes", more(&format!(r#""parent_id":"{}""#, "e".repeat(257)))),
        case("recorded_by of 257 bytes", more(&format!(r#""recorded_by":"{}""#, "e".repeat(257)))),
        case(
            "actor of 1,026 bytes in 513 characters",
            fields(&ABC.replace("\"a\"", &format!("\"{}\"", "\u{e4}".repeat(513)))),
        ),
        case("actor a number", fields(&ABC.replace("\"a\"", "1"))),
        case("metadata null", more(r#""metadata":null"#)),
        case("metadata a string", more(r#""metadata":"{}""#)),
        case("metadata before session", more(r#""metadata":{},"session":{}"#)),
        case(
            "salt before recorded_by",
            more(r#""salt":"AAECAwQFBgcICQoLDA0ODw","recorded_by":"r""#),
        ),
        case("outcome in capitals", more(r#""outcome":"Success""#)),
        case("outcome empty", more(r#""outcome":"""#)),
        case("salt of 21 characters", salt("AAECAwQFBgcICQoLDA0OD")),
        case("salt of 23 characters", salt("AAECAwQFBgcICQoLDA0ODww")),
        case("salt with padding", salt("AAECAwQFBgcICQoLDA0ODw==")),
        case("salt in the other base64 alphabet", salt("+/ECAwQFBgcICQoLDA0ODw")),
        case("a field named _hash", more(r#""_hash":"x""#)),
        case("a field after salt", more(r#""salt":"AAECAwQFBgcICQoLDA0ODw","x":1"#)),
        case(
            "a field name that is spelt literally elsewhere only",
            fields(&format!(
                r#"{},"metadata":{{"actor":1}}"#,
                ABC.replace("\"actor\"", r#""\u0061ctor""#)
            )),
        ),
    ];
    for (why, text) in [
        ("a lower-case t", "2026-01-02t03:04:05Z"),
        ("a lower-case z", "2026-01-02T03:04:05z"),
        ("no zone", "2026-01-02T03:04:05"),
        ("no seconds", "2026-01-02T03:04Z"),
        ("second 60", "2026-01-02T03:04:60Z"),
        ("30 February", "2026-02-30T03:04:05Z"),
        ("year 0", "0000-01-02T03:04:05Z"),
        ("an empty fraction", "2026-01-02T03:04:05.Z"),
        ("offset +24:00", "2026-01-02T03:04:05+24:00"),
        ("offset +01:60", "2026-01-02T03:04:05+01:60"),
        ("an offset without its colon", "2026-01-02T03:04:05+0100"),
        ("digits of another script", "2026-01-02T03:04:0\u{665}Z"),
    ] {
        cases.push(case(&format!("event_time with {why}"), event_time(text)));
    }
    cases
}

/// An entry with these bytes as a string in metadata.
fn raw(bytes: &[u8]) -> Vec<u8> {
    let entry = more("\"metadata\":{\"x\":\"");
    [entry.trim_end_matches('}').as_bytes(), bytes, b"\"}}"].concat()
}

fn rejected_json() -> Vec<Case> {
    let value = |text: &str| more(&format!(r#""metadata":{{"x":{text}}}"#));
    let mut cases = vec![
        case("metadata left open", more(r#""metadata":{"x":1"#)),
        case("metadata closed twice", more(r#""metadata":{}}"#)),
        case("nested 33 deep in arrays", nested("[", "]", 33)),
        case("a name twice, deep down", value(r#"[{"y":{"k":1,"k":1}}]"#)),
        case(
            "a name twice, as a surrogate pair and as itself",
            value("{\"\u{1f600}\":1,\"\\ud83d\\ude00\":2}"),
        ),
        case(
            "a name twice among many",
            value(&format!(
                "{{{}\"7\":0}}",
                (0..100).fold(String::new(), |names, i| names + &format!("\"{i}\":0,"))
            )),
        ),
        case("an empty name twice", value(r#"{"":1,"":2}"#)),
        case("a tab between tokens in metadata", value("\t1")),
        case("a line feed between tokens in metadata", value("[1,\n2]")),
        case("a line feed in a string", value("\"\n\"")),
        case("overlong UTF-8", raw(b"\xc0\xaf")),
        case("a surrogate in UTF-8", raw(b"\xed\xa0\x80")),
    ];
    for text in [
        "01",
        "-",
        "+1",
        ".5",
        "1.",
        "1e",
        "1e+",
        "0x1",
        "Infinity",
        "-Infinity",
        "nul",
        "True",
        "'a'",
        "[1,]",
        "[,1]",
        r#"{"y"}"#,
        r#"{"y":}"#,
        "{y:1}",
        r#"{"y":1,}"#,
        "",
        r#""\x41""#,
        r#""\u00""#,
        r#""\u00zz""#,
        r#""\uDC00""#,
        r#""\ud800\u0041""#,
        r#""\ud800\ud800""#,
        r#""\udc00\ud800""#,
        "// comment",
        "1 ",
    ] {
        cases.push(case(&format!("metadata with the value {text}"), value(text)));
    }
    cases
}

fn rejected_service() -> Vec<Case> {
    let start = |from: &str, to: &str| service_start(|m| m.replace(from, to));
    let refuse = |from: &str, to: &str| service_refuse(|m| m.replace(from, to));
    let stop = |members: &str| own("service.stop", members);
    let place = |size: usize| format!("\"{}\"", "l".repeat(size));
    let listeners = |places: Vec<String>| start(PLACES, &format!("[{}]", places.join(",")));
    vec![
        case(
            "service start without metadata",
            own("service.start", "{}").replace(",\"metadata\":{}", ""),
        ),
        case("service start without members", own("service.start", "{}")),
        case("service start with another member", start("\"required\"", "\"required\",\"x\":1")),
        case(
            "service start with members out of order",
            start("\"version\":\"0.4.0\",\"pid\":4711", "\"pid\":4711,\"version\":\"0.4.0\""),
        ),
        case("service start with an empty version", start("0.4.0", "")),
        case("service start with a version of 257 bytes", start("0.4.0", &"v".repeat(257))),
        case("service start with a control character in its version", start("0.4.0", "\\u001b[2J")),
        case("service start with a pid of 2^32", start("4711", "4294967296")),
        case("service start with 9 listeners", listeners(vec![place(1); 9])),
        case("service start with a listener of 257 bytes", listeners(vec![place(257)])),
        case("service start with an empty listener", listeners(vec![place(0)])),
        case(
            "service start with a number among its listeners",
            listeners(vec![place(1), "1".to_owned()]),
        ),
        case(
            "service start with a comma behind its last listener",
            listeners(vec![place(1), String::new()]),
        ),
        case("service start with a short digest", start(HASH, HASH.strip_prefix('0').unwrap())),
        case("service start with an unknown word", start("required", "optional")),
        case("service stop for another reason", stop(r#"{"reason":"told","records":0}"#)),
        case("service stop with a negative count", stop(r#"{"reason":"signal","records":-1}"#)),
        case(
            "service configure of something else",
            service_configure(|m| m.replace("tokens", "roles")),
        ),
        case(
            "service configure without what it was before",
            service_configure(|m| m.replace(&format!("\"before\":\"{HASH}\","), "")),
        ),
        case("service refuse of another kind", refuse("principal", "token")),
        case("service refuse of nobody", refuse("agent-7", "")),
        case("service refuse of a principal of 257 bytes", refuse("agent-7", &"p".repeat(257))),
        case("service refuse of a principal with a line feed", refuse("agent-7", "agent\\n7")),
        case(
            "service refuse of an address with its port",
            refuse("principal", "address").replace("agent-7", "192.0.2.7:80"),
        ),
        case(
            "service refuse of an address that is spelt otherwise",
            refuse("principal", "address").replace("agent-7", "2001:DB8::1"),
        ),
        case("service refuse of a name as an address", refuse("principal", "address")),
        case(
            "service refuse of a user that is spelt otherwise",
            refuse("principal", "user").replace("agent-7", "+1000"),
        ),
        case("service refuse for another reason", refuse("\"role\"", "\"because\"")),
        case("service refuse that never happened", refuse("\"count\":3", "\"count\":0")),
        case("service refuse with another time", refuse("\"until\":\"", "\"until\":\"+")),
    ]
}

fn rejected_own() -> Vec<Case> {
    let change = |from: &'static str, to: &'static str| move |m: String| m.replacen(from, to, 1);
    let adopt = |m: &str| own("log.adopt", m);
    vec![
        case(
            "actor indelible with a client's action",
            fields(&ABC.replace("\"a\"", "\"indelible\"")),
        ),
        case(
            "action indelible.service.x by another actor",
            fields(&ABC.replace("\"b\"", "\"indelible.service.x\"")),
        ),
        case("the same, escaped", fields(&ABC.replace("\"b\"", r#""\u0069ndelible.service.x""#))),
        case(
            "own record with an outcome",
            own("service.x", "{}")
                .replace(",\"metadata\"", ",\"outcome\":\"success\",\"metadata\""),
        ),
        case(
            "own record with an event_id",
            own("service.x", "{}").replace("\"actor\"", "\"event_id\":\"e\",\"actor\""),
        ),
        case(
            "own record with recorded_by",
            own("service.x", "{}").replace("{}}", "{},\"recorded_by\":\"r\"}"),
        ),
        case(
            "own record with a session",
            own("service.x", "{}").replace(",\"metadata\"", ",\"session\":{},\"metadata\""),
        ),
        case(
            "own record with its actor escaped: its bytes must tell",
            own("service.x", "{}").replace("\"indelible\"", r#""\u0069ndelible""#),
        ),
        case(
            "create without metadata",
            create(|m| m).split(",\"metadata\"").next().unwrap_or_default().to_owned() + "}",
        ),
        case(
            "create without its key",
            create(|m| m.split(",\"key\"").next().unwrap_or_default().to_owned() + "}"),
        ),
        case("create with a member more", create(change("\"}", "\",\"x\":1}"))),
        case(
            "create with its members in another order",
            create(|m| m.replace("\"format\":1,", "").replace("\"}", "\",\"format\":1}")),
        ),
        case("create with format a string", create(change("1,", "\"1\","))),
        case("create with log_id in capitals", create(change("0a0b", "0A0B"))),
        case("create with a space in its origin", create(change("example.com", "example com"))),
        case("create with a key whose id is another", create(change("29b87bfc", "29b87bfd"))),
        case("create that continues nothing", create(change("\"}", "\",\"continues\":{}}"))),
        case(
            "create that continues a log without a checkpoint",
            create(|m| {
                m.replace("\"}", &format!("\",\"continues\":{{\"log_id\":\"{LOG_ID}\",\"checkpoint\":\"none\",\"reason\":\"x\"}}}}"))
            }),
        ),
        case(
            "prune without signed",
            prune(|m| m.split(",\"signed\"").next().unwrap_or_default().to_owned() + "}"),
        ),
        case("prune with signed that is no signature line", prune(change("\u{2014} ", "- "))),
        case("prune with a member after signed", prune(change("=\"}", "=\",\"x\":1}"))),
        case("prune without keys", prune(|m| m.replace(&format!("[\"{KEY}\"]"), "[]"))),
        case(
            "prune with one key that is not in an array",
            prune(|m| m.replace(&format!("[\"{KEY}\"]"), &format!("\"{KEY}\""))),
        ),
        case("prune with last_pruned_hash in capitals", prune(change("aabbcc", "AABBCC"))),
        case("prune with first_kept_seq -1", prune(change(":6,", ":-1,"))),
        case("redact with a timestamp of another form", redact(change("05.000000000Z", "05Z"))),
        case("redact with seq 3.0", redact(change(":3,", ":3.0,"))),
        case("recover with an unknown kind", recover(change("\"nul\"", "\"zero\""))),
        case("recover with offset null", recover(change(":10,", ":null,"))),
        case("adopt with its members in another order", adopt(r#"{"to_seq":2,"from_seq":1}"#)),
        case(
            "adopt with a name that is not spelt literally",
            adopt(r#"{"\u0066rom_seq":1,"to_seq":2}"#),
        ),
        case(
            "adopt with a seq over 64 bits",
            adopt(r#"{"from_seq":1,"to_seq":18446744073709551616}"#),
        ),
        case("format without signed", own("log.format", r#"{"format":2}"#)),
        case("clock behind with wall a number", own("clock.behind", r#"{"wall":1}"#)),
        case(
            "clock jump with believed a string",
            own(
                "clock.jump",
                &format!(r#"{{"wall":"{TIME}","counted":"{TIME}","believed":"true"}}"#),
            ),
        ),
        case(
            "clock jump without counted",
            own("clock.jump", &format!(r#"{{"wall":"{TIME}","believed":true}}"#)),
        ),
    ]
}
