use proptest::prelude::*;

use super::*;

fn stored(text: &[u8]) -> Result<(), Fault> {
    let mut scanner = Scanner::<false>::new(text, 0)?;
    scanner.value(1)?;
    if scanner.is_at_end() { Ok(()) } else { Err(scanner.unexpected("the end")) }
}

fn client(text: &[u8]) -> Result<String, Fault> {
    let mut scanner = Scanner::<true>::new(text, 0)?;
    scanner.space();
    let document = scanner.document()?.into_owned();
    scanner.space();
    if scanner.is_at_end() { Ok(document) } else { Err(scanner.unexpected("the end")) }
}

fn fault(offset: usize, reason: JsonFault) -> Result<(), Fault> {
    Err(Fault { offset, reason })
}

#[test]
fn values_of_every_kind_pass() {
    for text in [
        r#""""#,
        r#""\"\\\/\b\f\n\r\t\u0041\uD83D\ude00 zoë 🗿 and more than eight bytes""#,
        "\"\u{7f}\u{2028}\"",
        "{}",
        "[]",
        r#"{"":[],"a":{"b":[1,true,false,null,"c"]}}"#,
        "0",
        "-0",
        "-0.0e-0",
        "1E+999999",
        "123456789012345678901234567890.5",
    ] {
        assert_eq!(stored(text.as_bytes()), Ok(()), "{text}");
    }
}

#[test]
fn numbers_that_rfc_8259_does_not_know_are_refused() {
    for text in ["01", "-", "-01", "1.", "1.e1", "1e", "1e+", "00", "-a", "1e-"] {
        assert_eq!(stored(text.as_bytes()), fault(0, JsonFault::Number), "{text}");
    }
    for text in ["+1", ".5", "NaN", "Infinity", "'a'", "True", "undefined", "}", "]", ","] {
        assert_eq!(
            stored(text.as_bytes()),
            fault(0, JsonFault::Expected { wanted: "a value" }),
            "{text}"
        );
    }
    assert_eq!(stored(b"-Infinity"), fault(0, JsonFault::Number));
    assert_eq!(stored(b"1a"), fault(1, JsonFault::Expected { wanted: "the end" }));
    assert_eq!(stored(b"0x1"), fault(1, JsonFault::Expected { wanted: "the end" }));
    assert_eq!(stored(b"nul"), fault(0, JsonFault::Expected { wanted: "null" }));
}

#[test]
fn strings_that_are_broken_are_refused_where_they_break() {
    assert_eq!(stored(br#""abc"#), fault(4, JsonFault::End));
    assert_eq!(stored(br#""abc\"#), fault(4, JsonFault::End));
    assert_eq!(stored(br#""abc\""#), fault(6, JsonFault::End));
    assert_eq!(stored(b"\"abc\x1f\""), fault(4, JsonFault::ControlCharacter));
    assert_eq!(stored(b"\"abc\0\""), fault(4, JsonFault::ControlCharacter));
    assert_eq!(stored(b"\"a\n\""), fault(2, JsonFault::ControlCharacter));
    for text in [r#""\x41""#, r#""\u004""#, r#""\u00g0""#, r#""\U0041""#, r#""\u+041""#, r#""\'""#]
    {
        assert_eq!(stored(text.as_bytes()), fault(1, JsonFault::Escape), "{text}");
    }
    for text in [
        r#""\ud800""#,
        r#""\udfff""#,
        r#""\ud800\ud800""#,
        r#""\ud800x\udc00""#,
        r#""\ud800\n""#,
        r#""\ud800\u0041""#,
        r#""\udc00\ud800""#,
    ] {
        assert_eq!(stored(text.as_bytes()), fault(1, JsonFault::Surrogate), "{text}");
    }
    assert_eq!(stored(b"\"ab\xff\""), fault(3, JsonFault::Utf8));
    assert_eq!(stored(b"\"ab\xed\xa0\x80\""), fault(3, JsonFault::Utf8));
    assert_eq!(stored(b"\"ab\xc0\x80\""), fault(3, JsonFault::Utf8));
}

#[test]
fn containers_that_are_broken_are_refused_where_they_break() {
    let comma = JsonFault::Expected { wanted: "`,` or `}`" };
    assert_eq!(stored(b"{"), fault(1, JsonFault::End));
    assert_eq!(stored(br#"{"a""#), fault(4, JsonFault::End));
    assert_eq!(stored(br#"{"a":1"#), fault(6, JsonFault::End));
    assert_eq!(stored(br#"{"a":1]"#), fault(6, comma));
    assert_eq!(stored(br#"{"a":1,}"#), fault(7, JsonFault::Expected { wanted: "a string" }));
    assert_eq!(stored(br"{a:1}"), fault(1, JsonFault::Expected { wanted: "a string" }));
    assert_eq!(stored(br#"{"a" 1}"#), fault(4, JsonFault::WhiteSpace));
    assert_eq!(stored(br#"{"a"1}"#), fault(4, JsonFault::Expected { wanted: "`:`" }));
    assert_eq!(stored(b"[1,]"), fault(3, JsonFault::Expected { wanted: "a value" }));
    assert_eq!(stored(b"[1"), fault(2, JsonFault::End));
}

#[test]
fn names_are_compared_after_unescaping_and_within_their_object_only() {
    assert_eq!(stored(br#"{"a":1,"b":2,"a":3}"#), fault(13, JsonFault::DuplicateName));
    assert_eq!(stored(br#"{"k":1,"\u006b":2}"#), fault(7, JsonFault::DuplicateName));
    assert_eq!(stored(br#"{"\/":1,"/":2}"#), fault(8, JsonFault::DuplicateName));
    assert_eq!(
        stored(br#"{"\ud83d\ude00":1,"\uD83D\uDE00":2}"#),
        fault(18, JsonFault::DuplicateName)
    );
    assert_eq!(
        stored(r#"{"😀":1,"\ud83d\ude00":2}"#.as_bytes()),
        fault(10, JsonFault::DuplicateName)
    );
    assert_eq!(stored(br#"[{"x":{"a":1,"a":2}}]"#), fault(13, JsonFault::DuplicateName));
    assert_eq!(stored(br#"{"":1,"":2}"#), fault(6, JsonFault::DuplicateName));
    assert_eq!(stored(br#"{"a":{"a":{"a":1}},"b":[{"a":1},{"a":2}]}"#), Ok(()));
    assert_eq!(stored(br#"{"a":1,"A":2,"\\u0061":3}"#), Ok(()));
}

#[test]
fn a_name_repeated_among_very_many_is_found_in_good_time() {
    let names: Vec<String> = (0..200_000).map(|i| format!("\"{i}\":0,")).collect();
    let mut text = format!("{{{}", names.concat());
    let last = text.len();
    text.push_str("\"77\":0}");
    assert_eq!(stored(text.as_bytes()), fault(last, JsonFault::DuplicateName));
    text.truncate(last);
    text.push_str("\"x\":0}");
    assert_eq!(stored(text.as_bytes()), Ok(()));
}

#[test]
fn nesting_ends_at_32() {
    let nested = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
    assert_eq!(stored(nested(32).as_bytes()), Ok(()));
    assert_eq!(stored(nested(33).as_bytes()), fault(32, JsonFault::TooDeep));
    assert_eq!(stored("[".repeat(1_000_000).as_bytes()), fault(32, JsonFault::TooDeep));
    let objects = |n: usize| format!("{}{{}}{}", "{\"x\":".repeat(n - 1), "}".repeat(n - 1));
    assert_eq!(stored(objects(32).as_bytes()), Ok(()));
    assert_eq!(stored(objects(33).as_bytes()), fault(160, JsonFault::TooDeep));
}

#[test]
fn white_space_is_a_fault_in_stored_lines_and_removed_from_what_clients_send() {
    for text in ["{ }", "{\"a\" :1}", "{\"a\": 1}", "{\"a\":1 }", "[1,\n2]", "[1\t]", "[\r1]"] {
        let refused = stored(text.as_bytes()).unwrap_err();
        assert_eq!(refused.reason, JsonFault::WhiteSpace, "{text}");
    }
    let sent = " {\n\t\"a b\" : [ 1 , 2.0 , \" \\u0020 \" ] ,\r\n\"c\":{ } , \"d\": [ ] }\n";
    let kept = r#"{"a b":[1,2.0," \u0020 "],"c":{},"d":[]}"#;
    assert_eq!(client(sent.as_bytes()).unwrap(), kept);
    assert_eq!(client(kept.as_bytes()).unwrap(), kept);
    assert_eq!(client(b"{}\x0c").unwrap_err().reason, JsonFault::Expected { wanted: "the end" });
    assert_eq!(client(b"\xef\xbb\xbf{}").unwrap_err().offset, 0);
}

#[test]
fn plain_runs_end_at_the_first_byte_that_is_not_plain() {
    for stop in ["\"", "\\", "\0", "\x1f", "\n"] {
        for before in 0..40 {
            let plain = "aÿ\u{7f}#![".chars().cycle().take(before).collect::<String>();
            let text = format!("{plain}{stop}{stop}after");
            assert_eq!(plain_size(text.as_bytes()), plain.len(), "{text:?}");
            assert_eq!(plain_size(plain.as_bytes()), plain.len(), "{plain:?}");
        }
    }
}

proptest! {
    #[test]
    fn any_bytes_are_scanned_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        if stored(&bytes).is_ok() || client(&bytes).is_ok() {
            prop_assert!(serde_json::from_slice::<serde::de::IgnoredAny>(&bytes).is_ok());
        }
    }

    #[test]
    fn any_json_like_text_passes_only_where_serde_json_takes_it_too(
        text in r#"[\[\]{},:"\\u0-9a-fA-Fenrtb/+.\- ]{0,40}"#
    ) {
        if stored(text.as_bytes()).is_ok() {
            prop_assert!(serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok(), "{}", text);
        }
    }

    #[test]
    fn strings_decode_as_serde_json_decodes_them(s in any::<String>(), ascii in any::<bool>()) {
        let mut text = serde_json::to_string(&s).unwrap();
        if ascii {
            text = s.encode_utf16().fold(String::from("\""), |t, u| format!("{t}\\u{u:04X}")) + "\"";
        }
        let mut scanner = Scanner::<false>::new(text.as_bytes(), 0).unwrap();
        let scanned = scanner.string().unwrap();
        prop_assert!(scanner.is_at_end());
        prop_assert_eq!(scanned.decode(), s.as_str());
        prop_assert_eq!(scanned.decoded_size(), s.len());
    }

    #[test]
    fn what_serde_json_writes_passes_compact_and_pretty(value in json_value()) {
        let compact = serde_json::to_string(&value).unwrap();
        prop_assert_eq!(stored(compact.as_bytes()), Ok(()));
        let object = serde_json::json!({ "a": value });
        let pretty = serde_json::to_string_pretty(&object).unwrap();
        prop_assert_eq!(client(pretty.as_bytes()).unwrap(), serde_json::to_string(&object).unwrap());
    }
}

fn json_value() -> impl Strategy<Value = serde_json::Value> {
    use serde_json::Value;
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 60, 6, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            proptest::collection::btree_map(any::<String>(), inner, 0..6)
                .prop_map(|m| m.into_iter().collect::<Value>()),
        ]
    })
}
