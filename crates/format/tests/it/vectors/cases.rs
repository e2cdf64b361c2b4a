//! Lines with the reason why a reader takes or refuses them, each an entry that is sealed with its right hash.

const T: &str = r#"{"seq":0,"timestamp":"2026-01-02T03:04:05.000000000Z","#;
const ABC: &str = r#""actor":"a","action":"b","resource":"c""#;
const HASH: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
const LOG_ID: &str = "000102030405060708090a0b0c0d0e0f";
const KEY: &str = "example.com/audit+29b87bfc+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4";
const TIME: &str = "2026-01-02T03:04:05.000000000Z";
/// A signature line that is well formed, and signs nothing here.
const SIGNED: &str = "\u{2014} example.com/audit Kbh7/EJ6LJBHixVP6CwJaJs39hSk6TzCwNupVwim0MAsNJaSCBSHjn2c7XA3i4BLfP5wi84xfunfELs9p1XzmjiEJAY=";

type Case = (String, Vec<u8>);

fn case(why: &str, entry: impl Into<Vec<u8>>) -> Case {
    (why.to_owned(), entry.into())
}

/// An entry with these fields after the head.
fn fields(fields: &str) -> String {
    format!("{T}{fields}}}")
}

/// An entry with these fields after the required ones.
fn more(fields: &str) -> String {
    format!("{T}{ABC},{fields}}}")
}

/// A record of the log's own.
fn own(action: &str, metadata: &str) -> String {
    fields(&format!(
        r#""actor":"indelible","action":"indelible.{action}","resource":"example.com/audit","metadata":{metadata}"#
    ))
}

fn nested(open: &str, close: &str, depth: usize) -> String {
    more(&format!(r#""session":{{"x":{}{}}}"#, open.repeat(depth - 1), close.repeat(depth - 1)))
}

fn create(change: impl Fn(String) -> String) -> String {
    let members =
        format!(r#"{{"format":1,"log_id":"{LOG_ID}","origin":"example.com/audit","key":"{KEY}"}}"#);
    own("log.create", &change(members))
}

fn prune(change: impl Fn(String) -> String) -> String {
    let members = format!(
        r#"{{"format":1,"log_id":"{LOG_ID}","origin":"example.com/audit","keys":["{KEY}"],"first_kept_seq":6,"last_pruned_hash":"{HASH}","files":1,"reason":"max_files","signed":"{SIGNED}"}}"#
    );
    own("log.prune", &change(members))
}

fn redact(change: impl Fn(String) -> String) -> String {
    let members = format!(
        r#"{{"seq":3,"hash":"{HASH}","timestamp":"{TIME}","reason":"x","signed":"{SIGNED}"}}"#
    );
    own("log.redact", &change(members))
}

fn recover(change: impl Fn(String) -> String) -> String {
    let members = format!(
        r#"{{"file":"audit.log","offset":10,"length":3,"sha256":"{HASH}","kind":"nul","quarantine":"0-x"}}"#
    );
    own("log.recover", &change(members))
}

/// Entries that every reader takes.
pub(super) fn accepted() -> Vec<Case> {
    let same = |members: String| members;
    let mut cases = vec![
        case("the required fields alone", fields(ABC)),
        case("seq of 18 digits", fields(ABC).replace("\"seq\":0", "\"seq\":999999999999999999")),
        case(
            "the last moment of year 9999",
            fields(ABC).replace(&TIME[..19], "9999-12-31T23:59:59"),
        ),
        case("the first moment of year 1", fields(ABC).replace(&TIME[..19], "0001-01-01T00:00:00")),
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
        case("service record with any metadata", own("service.start", r#"{"x":[1,{}]}"#)),
        case(
            "action of the log's own that version 1 does not list",
            own("key.rotate", r#"{"x":1}"#),
        ),
        case(
            "the same without metadata",
            own("service.stop", "{}").replace(",\"metadata\":{}", ""),
        ),
    ];
    cases.extend(["A", "Q", "g", "w"].map(|last| {
        let salt = format!(r#""salt":"AAECAwQFBgcICQoLDA0OD{last}""#);
        case(&format!("salt that ends in {last}"), more(&salt))
    }));
    cases
}

/// Entries that every reader refuses.
pub(super) fn rejected() -> Vec<Case> {
    [rejected_heads(), rejected_fields(), rejected_json(), rejected_own()].concat()
}

fn rejected_heads() -> Vec<Case> {
    let time = |text: &str| fields(ABC).replace(TIME, text);
    vec![
        case("nothing but seq and timestamp", format!("{}}}", &T[..T.len() - 1])),
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
                (0..100).map(|i| format!("\"{i}\":0,")).collect::<String>()
            )),
        ),
        case("an empty name twice", value(r#"{"":1,"":2}"#)),
        case("a tab between tokens in metadata", value("\t1")),
        case("a line feed between tokens in metadata", value("[1,\n2]")),
        case("a line feed in a string", value("\"\n\"")),
        case(
            "overlong UTF-8",
            [
                value("\"")
                    .as_bytes()
                    .split_last()
                    .map(|(_, r)| &r[..r.len() - 1])
                    .unwrap_or_default(),
                b"\xc0\xaf\"}}",
            ]
            .concat(),
        ),
        case(
            "a surrogate in UTF-8",
            [
                value("\"")
                    .as_bytes()
                    .split_last()
                    .map(|(_, r)| &r[..r.len() - 1])
                    .unwrap_or_default(),
                b"\xed\xa0\x80\"}}",
            ]
            .concat(),
        ),
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
