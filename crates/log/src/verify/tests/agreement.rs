//! One report, however the log was scanned: whole logs, logs with one thing changed, and logs with several.

use indelible_format::record::{LINE_SIZE_MAX, Record, write_head};
use indelible_format::time::Timestamp;
use proptest::prelude::*;

use super::super::Problem;
use super::*;

const SIZES: &[u64] = &[61, 1_000, 7_777, 1 << 20];
const BOTH: [Depth; 2] = [Depth::Link, Depth::Form];

/// What is done to the lines of a file.
type Change<'c> = &'c dyn Fn(&mut Vec<Vec<u8>>);

#[track_caller]
fn verdict(files: &Files, expected: Verdict) {
    for depth in BOTH {
        let report = report(files, depth, SIZES);
        assert_eq!(report.verdict(), expected, "{depth:?}:\n{report}");
    }
}

#[test]
fn whole_logs_are_sound_at_every_chunk_size() {
    verdict(&healthy(), Verdict::Sound);
    for counts in [&[][..], &[1], &[255], &[256], &[300]] {
        verdict(&made(&Options::default(), counts), Verdict::Sound);
    }
    let pruned = made(&small().with_max_files(2), &[1_200]);
    assert!(report(&pruned, Depth::Link, SIZES).first_seq > Some(0));
    verdict(&pruned, Verdict::Sound);
}

#[test]
fn records_larger_than_a_chunk_are_taken() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = temporary.path().join("audit");
    let log = AuditLog::create(&folder, Options::default().with_entry_size_max(1 << 20)).unwrap();
    for size in [10, 200_000, 10, 1_000_000, 5_000, 1_040_000, 10] {
        let text = serde_json::json!({ "text": "x".repeat(size) });
        log.append(Event::new("a", "b", "c").metadata(text)).unwrap();
    }
    log.close().unwrap();
    for depth in BOTH {
        for chunk_size in [999, 100_000, 1 << 20] {
            let pace = Pace { chunk_size: Some(chunk_size), threads: Some(2) };
            let report = verifier(&folder, depth, pace).verify().unwrap();
            assert_eq!((report.verdict(), report.records), (Verdict::Sound, 8), "{report}");
        }
    }
}

#[test]
fn lines_over_the_limit_are_told_as_lines_without_an_end_and_others_are_not() {
    for over in [0, 1, 100, 300_000, 2_000_000] {
        let files = healthy().change("audit.log.2", |lines| {
            let mut line = vec![b'x'; LINE_SIZE_MAX + over];
            line.push(b'\n');
            lines.insert(30, line);
        });
        for depth in BOTH {
            let report = report(&files, depth, SIZES);
            assert_eq!(report.verdict(), Verdict::Broken, "{report}");
            let found = report.findings[0].found.as_deref();
            assert_eq!(found == Some("a line without an end"), over > 0, "{over}: {report}");
        }
    }
}

#[test]
fn one_change_of_each_kind_is_told_alike() {
    let in_the_middle = "audit.log.2";
    let changes: &[(&str, Change<'_>)] = &[
        ("a carriage return", &|lines| {
            let end = lines[10].len() - 1;
            lines[10].insert(end, b'\r');
        }),
        ("all with carriage returns", &|lines| {
            for line in lines {
                line.insert(line.len() - 1, b'\r');
            }
        }),
        ("an edit", &|lines| lines[10][90] = b'#'),
        ("an edit of two", &|lines| {
            lines[10][90] = b'#';
            lines[11][90] = b'#';
        }),
        ("a head", &|lines| lines[10][8] ^= 1),
        ("a first line", &|lines| lines[0][90] = b'#'),
        ("a last line", &|lines| lines.last_mut().unwrap()[90] = b'#'),
        ("a hash", &|lines| {
            let at = lines[10].len() - 10;
            lines[10][at] = if lines[10][at] == b'0' { b'1' } else { b'0' };
        }),
        ("a line gone", &|lines| drop(lines.remove(10))),
        ("a line twice", &|lines| lines.insert(10, lines[9].clone())),
        ("lines exchanged", &|lines| lines.swap(10, 15)),
        ("an empty line", &|lines| lines.insert(10, b"\n".to_vec())),
        ("no line feed", &|lines| {
            let line = &mut lines[10];
            line.truncate(line.len() - 1);
        }),
        ("no last line feed", &|lines| {
            let last = lines.last_mut().unwrap();
            last.truncate(last.len() - 1);
        }),
        ("cut in the middle", &|lines| lines.truncate(10)),
        ("sectors lost", &|lines| lines[10].fill(0)),
    ];
    for file in [in_the_middle, "audit.log"] {
        for (what, change) in changes {
            let files = healthy().change(file, |lines| change(lines));
            for depth in BOTH {
                let report = report(&files, depth, &[1_000, 1 << 20]);
                assert_ne!(report.verdict(), Verdict::Sound, "{what} in {file}: {report}");
            }
        }
    }
}

#[test]
fn rows_and_notes_that_differ_are_told_alike() {
    for at in [0, 32 * 255, 32 * 256, 32 * 700 + 5] {
        let mut files = healthy();
        files.bytes("tree/0")[at] ^= 1;
        verdict(&files, Verdict::Broken);
    }
    for (name, size) in [("tree/0", 0), ("tree/0", 9_000), ("tree/1", 0), ("tree/1", 40)] {
        let mut files = healthy();
        files.bytes(name).truncate(size);
        verdict(&files, Verdict::Broken);
    }
    let mut files = healthy();
    files.bytes("tree/1")[40] ^= 1;
    verdict(&files, Verdict::Broken);
    files = healthy().change("checkpoints.jsonl", |lines| drop(lines.remove(1)));
    verdict(&files, Verdict::Broken);
}

#[test]
fn what_was_hashed_again_is_told_alike() {
    for names in [&["audit.log.2", "audit.log.1", "audit.log"][..], &["audit.log.2"]] {
        let mut files = healthy();
        let mut last = None;
        for name in names {
            files = files.change(name, |lines| {
                for (number, line) in lines.iter_mut().enumerate() {
                    let first = Link::split(line.trim_ascii_end()).unwrap().prev_hash;
                    let edit = |entry: &mut Vec<u8>| {
                        if number == 30 {
                            entry[80] ^= 1;
                        }
                    };
                    let (again, hash) = sealed(line, &last.unwrap_or(first), edit);
                    *line = again;
                    last = Some(hash);
                }
            });
        }
        verdict(&files, Verdict::Broken);
    }
}

/// A log of some segments, and behind its mark records that are chained to it by hand.
struct Tail {
    files: Files,
    seq: u64,
    hash: Hash,
    timestamp: Timestamp,
}

impl Tail {
    fn new() -> Self {
        let mut files = made(&small(), &[100]);
        let lines = files.lines("audit.log");
        let last = Record::parse(lines.last().unwrap().trim_ascii_end()).unwrap();
        let (seq, hash, timestamp) = (last.seq() + 1, last.hash(), last.timestamp());
        Self { files, seq, hash, timestamp }
    }

    /// Adds a record with these fields; what comes next follows it.
    fn add(&mut self, fields: &str) {
        let mut line = Vec::new();
        write_head(&mut line, self.seq, self.timestamp);
        line.extend_from_slice(fields.as_bytes());
        self.hash = seal(&mut line, 0, &self.hash);
        self.seq += 1;
        line.push(b'\n');
        self.files.bytes("audit.log").extend_from_slice(&line);
    }

    fn add_events(&mut self, count: usize) {
        for _ in 0..count {
            self.add(r#""actor":"a","action":"b","resource":"c""#);
        }
    }

    /// What is found wrong with it, by either look and at any chunk size, and of which records.
    #[track_caller]
    fn assert_found(&self, expected: &[(Problem, u64)]) {
        for depth in BOTH {
            let report = report(&self.files, depth, SIZES);
            let faults = report.findings.iter().filter(|finding| finding.class.is_fault());
            let found: Vec<_> = faults.map(|f| (f.problem, f.seq.unwrap())).collect();
            assert_eq!(found, expected, "{depth:?}: {report}");
        }
    }
}

#[test]
fn what_is_no_event_beyond_every_signature_is_found_by_either_look() {
    for before in 0..3 {
        let mut tail = Tail::new();
        tail.add_events(before);
        let seq = tail.seq;
        // Only the form of it is wrong.
        tail.add(r#""actor":5"#);
        tail.assert_found(&[(Problem::NotARecord, seq)]);
    }
}

#[test]
fn records_that_do_not_follow_are_found_beyond_every_signature_at_every_chunk_size() {
    for before in 0..2 {
        let (mut linked, mut early) = (Tail::new(), Tail::new());
        let (mut skips, mut goes_back) = (Tail::new(), Tail::new());
        for tail in [&mut linked, &mut early, &mut skips, &mut goes_back] {
            tail.add_events(before);
        }
        let seq = linked.seq;
        linked.hash = Hash::ZERO;
        linked.add_events(2);
        linked.assert_found(&[(Problem::ChainBroken, seq)]);

        early.timestamp = early.timestamp.saturating_add_ns(-1);
        early.add_events(2);
        early.assert_found(&[(Problem::TimeDecreases, seq)]);

        skips.seq += 1;
        skips.add_events(2);
        skips.assert_found(&[(Problem::SeqOutOfOrder, seq + 1)]);

        // Chained to the record before, and with the seq of one long before; then on where it was.
        goes_back.seq = 5;
        goes_back.add_events(1);
        goes_back.seq = seq;
        goes_back.add_events(2);
        goes_back.assert_found(&[(Problem::SeqOutOfOrder, 5), (Problem::SeqOutOfOrder, seq)]);
    }
}

#[test]
fn behind_a_line_that_is_no_record_links_are_compared_again_from_the_next_record_on() {
    for between in [1, 2, 20] {
        let mut tail = Tail::new();
        let no_record = tail.seq;
        tail.files.bytes("audit.log").extend_from_slice(b"hello\n");
        tail.add_events(between);
        let seq = tail.seq;
        tail.hash = Hash::ZERO;
        tail.add_events(2);
        tail.assert_found(&[(Problem::NotARecord, no_record), (Problem::ChainBroken, seq)]);
    }
}

/// One change, told by numbers.
fn mutate(files: &mut Files, kind: u8, file: usize, at: usize, byte: u8) {
    let names = ["audit.log", "audit.log.1", "audit.log.2", "audit.log.3", "tree/0", "tree/1"];
    let name = names[file % names.len()];
    let bytes = files.bytes(name);
    let at = at % bytes.len().max(1);
    let mut lines: Vec<Vec<u8>> =
        bytes.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
    let line = at % lines.len().max(1);
    match kind {
        0 | 1 => {
            if let Some(place) = bytes.get_mut(at) {
                *place ^= byte | 1;
            }
            return;
        }
        2 => return bytes.truncate(at),
        3 => {
            let end = bytes.len().min(at / 512 * 512 + 512);
            return bytes[(at / 512 * 512).min(end)..end].fill(0);
        }
        4 if !lines.is_empty() => drop(lines.remove(line)),
        5 if !lines.is_empty() => {
            lines.insert(usize::from(byte) % lines.len(), lines[line].clone());
        }
        6 if !lines.is_empty() => {
            let other = usize::from(byte) % lines.len();
            lines.swap(line, other);
        }
        _ => lines.insert(line, vec![byte, b'\n']),
    }
    *bytes = lines.concat();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn any_changes_are_told_alike(
        changes in prop::collection::vec((0..8_u8, 0..6_usize, any::<usize>(), any::<u8>()), 1..4),
        chunk_size in 1..20_000_u64,
    ) {
        let mut files = healthy();
        for (kind, file, at, byte) in changes {
            mutate(&mut files, kind, file, at, byte);
        }
        for depth in BOTH {
            report(&files, depth, &[chunk_size]);
        }
    }
}
