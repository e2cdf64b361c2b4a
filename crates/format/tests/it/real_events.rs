//! Real events of the shared data become records, and come back.

use std::path::PathBuf;

use indelible_format::chain::{Hash, seal};
use indelible_format::event::Event;
use indelible_format::record::{Content, Record, write_head};
use indelible_format::time::Timestamp;

/// The shared folder: `INDELIBLE_SHARED`, else beside the workspace.
fn shared() -> PathBuf {
    std::env::var_os("INDELIBLE_SHARED").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared")),
        PathBuf::from,
    )
}

#[test]
fn every_real_event_becomes_a_record_and_comes_back() {
    let data = shared().join("data");
    if !data.is_dir() {
        eprintln!("skipped: no shared data; INDELIBLE_SHARED says where it is");
        return;
    }
    let mut prev = Hash::ZERO;
    let mut seq = 0;
    for name in ["agent-tool-calls.jsonl", "cloudtrail.jsonl"] {
        let text = std::fs::read(data.join(name)).unwrap();
        for sent in text.split(|b| *b == b'\n').filter(|sent| !sent.is_empty()) {
            let client = Event::from_json(sent).unwrap().encode().unwrap();
            let mut line = Vec::new();
            write_head(&mut line, seq, Timestamp::from_unix_ns(i128::from(seq)).unwrap());
            line.extend_from_slice(client.bytes());
            let hash = seal(&mut line, 0, &prev);

            let record = Record::parse(&line).unwrap();
            assert_eq!((record.seq(), record.prev_hash(), record.hash()), (seq, prev, hash));
            let Content::Event(fields) = record.content() else { panic!("{record:?}") };
            assert_eq!(fields.client_bytes(), client.bytes());
            // Both files are compact and in stored order, so not a byte of them changes.
            assert_eq!(fields.client_bytes(), &sent[1..sent.len() - 1], "{name} record {seq}");
            prev = hash;
            seq += 1;
        }
    }
    assert_eq!(seq, 2614);
}
