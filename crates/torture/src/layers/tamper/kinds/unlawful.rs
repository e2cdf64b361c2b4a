//! Lines that are no records, or say what no log may say, written by who has the key: hashed, entered in the rows and
//! signed, so that nothing but what they say is wrong.

use fastrand::Rng;
use indelible::Problem::{
    self, AdoptMisplaced, AnotherLogsRecord, GenesisInvalid, NotARecord, PruneMisplaced,
    SeqOutOfOrder, TimeDecreases,
};
use indelible::format::chain::seal;
use indelible::format::own::{Adopt, Announcement, Create};

use super::anchored::signed_again;
use super::lines::places;
use super::rewritten::is_own;
use super::{Stand, any};
use crate::layers::tamper::expected::{Expected, Mutant};
use crate::layers::tamper::specimen::{Line, Specimen, own_line};
use crate::layers::tamper::steady::{find, replaced};

/// What stands in a line, and what makes it no record.
const NO_RECORDS: &[(&str, &str)] = &[
    (",\"actor\":", ", \"actor\":"),
    (",\"actor\":", ",\"actor\" :"),
    (",\"actor\":", ",\"\\u0061ctor\":"),
    (",\"actor\":", ",\"actor\":\"a\",\"actor\":"),
    (",\"actor\":", ",\"Actor\":"),
    (",\"actor\":", ",\"outcome\":\"denied\",\"actor\":"),
    (",\"actor\":", ",\"event_id\":null,\"actor\":"),
    (",\"actor\":", ",\"event_id\":\"\",\"actor\":"),
    (",\"actor\":", ",\"event_time\":\"2026-01-02 03:04:05Z\",\"actor\":"),
    (",\"actor\":", ",\"event_time\":\"2026-02-30T03:04:05Z\",\"actor\":"),
    (",\"actor\":", ",\"_hash\":\"x\",\"actor\":"),
    (",\"actor\":", ",\"extra\":1,\"actor\":"),
    (",\"actor\":", ",,\"actor\":"),
    (",\"actor\":\"", ",\"actor\":\"\u{1}"),
    (",\"actor\":\"", ",\"actor\":\"\\ud800"),
    (",\"actor\":\"", ",\"actor\":\"\\x"),
    (",\"actor\":\"", ",\"actor\":1,\"x\":\""),
    (",\"actor\":\"a", ",\"actor\":\"indelible\",\"x\":\"a"),
    (",\"action\":\"", ",\"action\":\"indelible."),
    (",\"resource\":\"", ",\"resource\":\"\",\"outcome\":\""),
    ("{\"seq\":", " {\"seq\":"),
    ("{\"seq\":", "\u{feff}{\"seq\":"),
    ("{\"seq\":", "{\"seq\":0"),
    ("{\"seq\":", "{\"seq\":+"),
    ("{\"seq\":", "{ \"seq\":"),
    ("Z\",", "z\","),
    ("Z\",", "0Z\","),
    ("Z\",", "+00:00\","),
    ("2026-01-02T", "2026-01-32T"),
    ("2026-01-02T03:04:05", "2026-01-02T03:04:60"),
    ("2026-01-02T", "2026-01-02t"),
];

/// What stands behind the last field and makes it no record.
const ENDS: &[&str] = &[
    ",\"x\":1",
    ",",
    "}",
    ",\"salt\":\"AAECAwQFBgcICQoLDA0ODx\"",
    ",\"salt\":\"AAECAwQFBgcICQoLDA0ODw==\"",
    ",\"recorded_by\":\"\"",
    ",\"outcome\":\"Denied\"",
    ",\"metadata\":{\"a\":1,\"a\":2}",
    ",\"metadata\":{\"a\":{\"b\":1,\"\\u0062\":2}}",
    ",\"metadata\":{\"a\":01}",
    ",\"metadata\":{\"a\":NaN}",
    ",\"metadata\":{\"a\":1.}",
    ",\"metadata\":{\"a\":[1,]}",
    ",\"metadata\":{\"a\": 1}",
    ",\"metadata\":{\"a\":\"\t\"}",
    ",\"metadata\":[]",
    ",\"session\":null",
];

fn deep() -> String {
    format!(",\"metadata\":{{\"a\":{}1{}}}", "[".repeat(32), "]".repeat(32))
}

/// Another entry, and what has to be said of its line.
fn changed(line: &Line, rng: &mut Rng) -> Option<(Vec<u8>, String, Problem)> {
    let head = line.link().entry_head;
    let long = format!(",\"actor\":\"{}\",\"x\":\"", "y".repeat(1_025));
    let with = |from: &str, to: &str, problem| {
        find(head, from.as_bytes())?;
        let changed = replaced(head, from.as_bytes(), to.as_bytes());
        Some((changed, format!("{from} made {to}"), problem))
    };
    match rng.u8(..10) {
        0..=4 => {
            let (from, to) = any(rng, NO_RECORDS);
            with(from, to, NotARecord)
        }
        5 | 6 => {
            // Behind what may come last but for a salt.
            let bare =
                head.len().checked_sub(32).filter(|at| head[*at..].starts_with(b",\"salt\""));
            let at = bare.unwrap_or(head.len());
            let deep = deep();
            let end = if rng.u8(..8) == 0 { deep.as_str() } else { any(rng, ENDS) };
            // A second object of the same name is another fault, and one as well.
            let changed = [&head[..at], end.as_bytes(), &head[at..]].concat();
            Some((changed, format!("{end} put behind"), NotARecord))
        }
        7 if rng.bool() => with(",\"actor\":\"", &long, NotARecord),
        7 => {
            let at = find(head, b",\"resource\":\"")? + 13;
            let changed = [&head[..at], b"\xff", &head[at..]].concat();
            Some((changed, "a byte that is no UTF-8".to_owned(), NotARecord))
        }
        8 => with("\"2026-", "\"2025-", TimeDecreases),
        _ => {
            let (from, to) =
                (format!("{{\"seq\":{},", line.seq), format!("{{\"seq\":{},", line.seq + 1));
            with(&from, &to, SeqOutOfOrder)
        }
    }
}

pub(crate) fn draw(stand: &Stand, rng: &mut Rng) -> Option<Mutant> {
    let specimen = &stand.specimen;
    if rng.u8(..4) == 0 {
        return Some(said(specimen, rng));
    }
    let place = *any(rng, &places(specimen));
    let (segment, line) = (&specimen.segments[place.0], &specimen.segments[place.0].lines[place.1]);
    if is_own(&line.bytes) {
        return None;
    }
    let (head, what, problem) = changed(line, rng)?;
    // The first of a file tells the file's place, the first of all has nothing to follow.
    if problem != NotARecord && line.offset == 0 {
        return None;
    }
    let (_, folder) = signed_again(specimen, place, &head);
    let expected = Expected::tampering(problem).at_line(segment, line);
    let seq = if problem == SeqOutOfOrder { line.seq + 1 } else { line.seq };
    let expected = expected.record(seq);
    let what = format!("{}: {} record {}, {what}", specimen.name, segment.name, line.seq);
    Some(Mutant { shallow: false, ..Mutant::new(what, folder, expected) })
}

/// A record of the log's own at the end, signed by the log, that no log writes there.
fn said(specimen: &Specimen, rng: &mut Rng) -> Mutant {
    let (newest, log) = (specimen.newest(), &specimen.log);
    let last = newest.lines.last().unwrap();
    let first = &specimen.segments[1].lines[0];
    let mut sign = |text: &[u8]| log.key.sign(text);
    let mut line = |what: &Announcement| own_line(log, what, last, &mut sign);
    let adopt = |from_seq, to_seq| Announcement::Adopt(Adopt { from_seq, to_seq });
    let (what, line, problem) = match rng.u8(..5) {
        0 => ("a prune in a file's midst", line(&log.prune(first, 1)), PruneMisplaced),
        1 => {
            ("an adoption of records to come", line(&adopt(last.seq, last.seq + 1)), AdoptMisplaced)
        }
        2 => ("an adoption backwards", line(&adopt(last.seq, last.seq - 1)), AdoptMisplaced),
        3 => {
            let genesis = Announcement::Create(Create {
                format: 1,
                log_id: log.log_id,
                origin: log.origin.clone(),
                key: log.key.verifier_key(),
                continues: None,
            });
            ("a second genesis", line(&genesis), GenesisInvalid)
        }
        _ => {
            let own = line(&adopt(last.seq, last.seq));
            let mut head = replaced(&own[..own.len() - 157], b"o.example", b"p.example");
            seal(&mut head, 0, &last.link().hash);
            head.push(b'\n');
            ("another log's record", head, AnotherLogsRecord)
        }
    };
    let folder =
        specimen.folder.with("audit.log", [specimen.folder.get("audit.log"), &line].concat());
    let expected = Expected::tampering(problem).at("audit.log", last.end()).record(last.seq + 1);
    Mutant::new(format!("{}: {what} at the end", specimen.name), folder, expected)
}
