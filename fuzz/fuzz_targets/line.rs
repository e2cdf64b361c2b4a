//! Arbitrary bytes as a stored line: as they are, sealed as an entry, and sealed behind a valid head, since no fuzzer
//! guesses a hash. What is accepted is exactly what this crate would write for it.
#![no_main]

use indelible_format::chain::{Hash, seal};
use indelible_format::record::{Content, Depth, Fields, Plain, Record, parse_head, write_head};
use libfuzzer_sys::fuzz_target;

const HEAD: &[u8] = br#"{"seq":7,"timestamp":"2026-01-02T03:04:05.000000000Z","#;

fuzz_target!(|data: &[u8]| {
    check(data);
    for head in [b"".as_slice(), HEAD] {
        let mut line = [head, data].concat();
        seal(&mut line, 0, &Hash::ZERO);
        check(&line);
    }
});

fn check(line: &[u8]) {
    if let Ok(head) = parse_head(line) {
        assert!(head.size <= line.len());
    }
    let strict = Record::parse(line);
    let newer = Record::parse_newer(line);
    if let Ok(record) = &strict {
        let newer = newer.as_ref().expect("a record is a record to a newer version too");
        assert_eq!((newer.seq(), newer.hash()), (record.seq(), record.hash()));
        check_content(record);
    }
    for record in [strict, newer].into_iter().flatten() {
        check_bytes(line, &record);
    }
    for depth in [Depth::Link, Depth::Form] {
        check_plain(line, depth);
    }
}

/// What is read fast is what is read with care.
fn check_plain(line: &[u8], depth: Depth) {
    let Some(plain) = Plain::read(line, b"0001-01-01T00:00:00.000000000Z", depth) else { return };
    let Some(hash) = plain.link.right_hash() else { return };
    if Hash::parse_hex(plain.link.prev_hash).is_none() {
        return;
    }
    let record = Record::parse_to(line, depth).expect("a plain line is a record");
    assert_eq!((record.seq(), record.hash()), (plain.seq, hash));
    assert_eq!(record.timestamp().to_string().as_bytes(), plain.timestamp);
    assert!(!matches!(record.content(), Content::Own(_) | Content::Redacted));
}

/// Head and link spell back to the same bytes.
fn check_bytes(line: &[u8], record: &Record<'_>) {
    assert_eq!(record.line(), line);
    let mut again = Vec::new();
    write_head(&mut again, record.seq(), record.timestamp());
    // Where nothing follows the head, there is no comma.
    assert!(again.starts_with(record.entry_head()) || record.entry_head().starts_with(&again));
    let mut again = record.entry_head().to_vec();
    let hash = seal(&mut again, 0, &record.prev_hash());
    if !matches!(record.content(), Content::Redacted) {
        // The hash of a redacted line is that of bytes that are gone.
        assert_eq!(hash, record.hash());
        assert_eq!(again, line);
    }
    assert!(!format!("{record:?}").is_empty());
}

fn check_content(record: &Record<'_>) {
    let entry_head = record.entry_head();
    let head = parse_head(record.line()).expect("a record has a head");
    let body = entry_head.get(head.size..).expect("the head is of the entry");
    match record.content() {
        Content::Event(fields) => check_fields(body, fields),
        Content::Unchecked => panic!("not asked for"),
        Content::Own(_) | Content::Redacted => {}
        _ => {}
    }
}

/// The client's bytes begin the body, and only the log's own fields follow them.
fn check_fields(body: &[u8], fields: &Fields<'_>) {
    let client = fields.client_bytes();
    let rest = body.strip_prefix(client).expect("the client's bytes come first");
    let log_has_fields = fields.recorded_by().is_some() || fields.salt().is_some();
    assert_eq!(rest.is_empty(), !log_has_fields);
    assert!(rest.is_empty() || rest.starts_with(b",\""));
    assert!(!fields.actor().is_empty() && !fields.action().is_empty());
    let strings = [fields.event_id(), fields.event_time(), fields.parent_id()];
    assert!(strings.into_iter().flatten().all(|text| text.len() <= client.len()));
    for document in [fields.session_raw(), fields.metadata_raw()].into_iter().flatten() {
        assert!(document.starts_with(b"{") && document.ends_with(b"}"));
    }
    // The same client fields in another line are the same client fields.
    let mut line = HEAD.to_vec();
    line.extend_from_slice(client);
    seal(&mut line, 0, &Hash::ZERO);
    let again = Record::parse(&line).expect("client fields do not depend on the log's");
    let Content::Event(again) = again.content() else { panic!("an event is an event") };
    assert_eq!(again.client_bytes(), client);
}
