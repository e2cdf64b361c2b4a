//! The vectors in `vectors/`: lines that every reader must take, and lines that it must refuse.
//!
//! `vectors.json` was made without this project's code. `lines.json` is the project's own: the cases stand in
//! [`cases`], and the file holds their bytes, so that a change of bytes shows as a change of the file. It is written anew
//! by `INDELIBLE_WRITE_VECTORS=1 cargo test -p indelible-format --test it vectors`.

use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use indelible_format::chain::{Hash, seal};
use indelible_format::record::{Content, Record};
use serde_json::{Value, json};

mod cases;

pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../vectors")
}

pub(crate) fn read(name: &str) -> Value {
    serde_json::from_slice(&std::fs::read(folder().join(name)).unwrap()).unwrap()
}

pub(crate) fn list<'a>(vectors: &'a Value, name: &str) -> &'a Vec<Value> {
    vectors[name].as_array().unwrap()
}

fn bytes(vector: &Value) -> Vec<u8> {
    STANDARD.decode(vector["line_base64"].as_str().unwrap()).unwrap()
}

#[test]
fn records_of_the_reference_are_taken_with_their_hashes() {
    let reference = read("vectors.json");
    let mut prev = Hash::ZERO;
    for (seq, vector) in (0..).zip(list(&reference, "records")) {
        let line = vector["line"].as_str().unwrap().as_bytes();
        let record = Record::parse(line).unwrap();
        assert_eq!((record.seq(), record.prev_hash()), (seq, prev));
        assert_eq!(record.hash().to_string(), vector["hash"].as_str().unwrap());
        assert_eq!(matches!(record.content(), Content::Own(_)), seq == 0);

        let mut again = record.entry_head().to_vec();
        prev = seal(&mut again, 0, &prev);
        assert_eq!(again, line);
    }
    assert_eq!(list(&reference, "records").len(), 5);
}

#[test]
fn lines_that_the_reference_refuses_are_refused() {
    let reference = read("vectors.json");
    for vector in list(&reference, "rejected") {
        assert!(Record::parse(&bytes(vector)).is_err(), "accepted: {}", vector["why"]);
    }
    assert_eq!(list(&reference, "rejected").len(), 35);
}

#[test]
fn own_vectors_are_what_their_cases_say_and_are_taken_and_refused_so() {
    let vector = |(why, entry): (String, Vec<u8>)| {
        let mut line = entry;
        assert_eq!(line.pop(), Some(b'}'), "an entry ends in a brace: {why}");
        seal(&mut line, 0, &Hash::ZERO);
        json!({ "why": why, "line_base64": STANDARD.encode(line) })
    };
    let all = |cases: Vec<(String, Vec<u8>)>| cases.into_iter().map(vector).collect::<Vec<_>>();
    let made = json!({ "accepted": all(cases::accepted()), "rejected": all(cases::rejected()) });
    if std::env::var_os("INDELIBLE_WRITE_VECTORS").is_some() {
        let text = serde_json::to_string_pretty(&made).unwrap() + "\n";
        write(&folder().join("lines.json"), &text);
    }
    let lines = read("lines.json");
    assert!(lines == made, "a case changed: write the vectors anew, and read the diff");
    for vector in list(&lines, "accepted") {
        let refused = Record::parse(&bytes(vector)).err();
        assert_eq!(refused, None, "refused: {}", vector["why"]);
    }
    for vector in list(&lines, "rejected") {
        assert!(Record::parse(&bytes(vector)).is_err(), "accepted: {}", vector["why"]);
    }
    assert_eq!((list(&lines, "accepted").len(), list(&lines, "rejected").len()), (52, 161));
}

#[expect(clippy::disallowed_methods, reason = "a vector file, not a log")]
pub(crate) fn write(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap();
}
