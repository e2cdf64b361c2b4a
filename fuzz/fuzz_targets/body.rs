//! Arbitrary bytes as the body of `POST …/records`, and as parts of an event in one: what is taken makes records, all of
//! them or none; what is refused is answered by a short problem in JSON.
#![no_main]

use indelible_format::chain::{Hash, seal};
use indelible_format::record::{Content, Record, write_head};
use indelible_format::time::Timestamp;
use indelible_server::fuzzing::body;
use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;

const EVENTS_MAX: usize = 64;
/// Whatever a caller sends, the answer that refuses it is no longer.
const PROBLEM_SIZE_MAX: usize = 4 << 10;

#[derive(Arbitrary, Debug)]
enum Input<'a> {
    One(&'a [u8]),
    Lines(&'a [u8]),
    /// Members of an event that is whole with them or without.
    Members(&'a [u8]),
    /// What the headers say.
    Of {
        kind: &'a [u8],
        coding: Option<&'a [u8]>,
        body: &'a [u8],
    },
}

fuzz_target!(|input: Input<'_>| {
    match input {
        Input::One(bytes) => check(b"application/json", None, bytes),
        Input::Lines(bytes) => check(b"application/x-ndjson", None, bytes),
        Input::Members(bytes) => {
            let whole = br#"{"actor":"a","action":"b","resource":"c","#;
            let event = [whole, bytes, b"}"].concat();
            check(b"application/json", None, &event);
        }
        Input::Of { kind, coding, body } => check(kind, coding, body),
    }
});

fn check(kind: &[u8], coding: Option<&[u8]>, bytes: &[u8]) {
    match body(kind, coding, bytes, EVENTS_MAX) {
        Ok(events) => {
            assert!((1..=EVENTS_MAX).contains(&events.len()));
            for event in events {
                let Ok(fields) = event.encode() else { continue };
                assert!(
                    fields.bytes().len() <= bytes.len(),
                    "a record is larger than what was sent"
                );
                let mut line = Vec::new();
                write_head(&mut line, 7, Timestamp::from_unix_ns(0).expect("a time"));
                line.extend_from_slice(fields.bytes());
                seal(&mut line, 0, &Hash::ZERO);
                let record = Record::parse(&line).expect("what encodes makes a record");
                let Content::Event(read) = record.content() else { panic!("an event is one") };
                assert_eq!(
                    (read.actor(), read.action()),
                    (event.actor().into(), event.action().into())
                );
            }
        }
        Err(problem) => {
            assert!(problem.starts_with(b"{\"type\":") && problem.ends_with(b"}"));
            assert!(problem.len() <= PROBLEM_SIZE_MAX, "{} bytes", problem.len());
        }
    }
}
