//! What the verifier says of notes that were changed: one flipped bit and NUL bytes are damage, whatever else differs is not,
//! and each is judged by itself.

use std::path::Path;

use indelible::format::checkpoint::Checkpoint;
use indelible::format::identity::Origin;
use indelible::format::note::{Note, SignerKey};
use indelible::storage::simulated::SimulatedDisk;
use indelible::{Finding, FindingClass, Problem, Report, Verdict};

use crate::checker::verify;
use crate::composed::Composed;
use crate::scene::{FOLDER, in_folder, storage};

const HISTORY: &str = "checkpoints.jsonl";
const MALFORMED: Problem = Problem::CheckpointMalformed;

/// A log with a note of each of its sizes from 1 to 8, and its key.
fn noted() -> (SimulatedDisk, SignerKey) {
    let mut log = Composed::begun();
    for _ in 0..7 {
        log.note();
        log.event();
    }
    let key = SignerKey::from_seed(&log.origin, &[5; 32]);
    (log.write(), key)
}

fn lines(disk: &SimulatedDisk) -> Vec<Vec<u8>> {
    let bytes = disk.read_file(in_folder(HISTORY)).unwrap();
    bytes.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect()
}

/// The report on a log whose lines of `checkpoints.jsonl` are these.
fn report(disk: &SimulatedDisk, lines: &[Vec<u8>]) -> Report {
    let disk = disk.fork();
    disk.write_file(in_folder(HISTORY), lines.concat()).unwrap();
    verify(&storage(&disk), Path::new(FOLDER), &[])
}

fn faults(report: &Report) -> Vec<&Finding> {
    report.findings.iter().filter(|finding| finding.class.is_fault()).collect()
}

fn position(line: &[u8], what: &str) -> usize {
    let found = line.windows(what.len()).position(|bytes| bytes == what.as_bytes());
    found.unwrap_or_else(|| panic!("no {what} in {}", line.escape_ascii()))
}

#[track_caller]
fn assert_flipped(fault: &Finding, byte: usize) {
    assert_eq!(fault.class, FindingClass::Damage, "{fault}");
    let told = format!("one flipped bit in byte {byte} from there repairs it");
    assert_eq!(fault.evidence.last(), Some(&told), "{fault}");
}

#[test]
fn a_flipped_bit_of_a_noted_line_is_damage_in_whichever_line_it_is() {
    let (disk, _) = noted();
    let lines = lines(&disk);
    for index in [0, 6] {
        let line = &lines[index];
        let end = line.len() - 2;
        // What is no JSON any more, and what is no note.
        let root = position(line, "\\n\\n");
        for (at, mask) in [(0, 1), (2, 4), (8, 1), (root, 1), (root + 1, 2), (end, 8)] {
            let mut lines = lines.clone();
            lines[index][at] ^= mask;
            let told = report(&disk, &lines);
            let faults = faults(&told);
            assert_eq!(faults.len(), 1, "{at}: {told}");
            let offset = u64::try_from(lines[..index].concat().len()).unwrap();
            assert_eq!((faults[0].problem, faults[0].offset), (MALFORMED, Some(offset)), "{at}");
            assert_flipped(faults[0], at);
        }
    }
}

#[test]
fn a_flipped_bit_of_a_long_line_with_cosignatures_is_damage() {
    let (disk, key) = noted();
    let mut lines = lines(&disk);
    let latest = Note::parse(&disk.read_file(in_folder("checkpoint")).unwrap()).unwrap();
    let checkpoint = Checkpoint::parse_text(&latest.text).unwrap();
    let mut note = checkpoint.sign(&key);
    for number in 0..4 {
        let witness: Origin = format!("{number}{}", "w".repeat(250)).parse().unwrap();
        let cosigned = checkpoint.sign(&SignerKey::from_seed(&witness, &[7; 32]));
        note.signatures.extend(cosigned.signatures);
    }
    let mut line = format!("{{\"note\":{}}}\n", serde_json::json!(note.to_string())).into_bytes();
    assert!(line.len() > 1_100 && line.len() < 2_000, "{} bytes", line.len());
    line[2] ^= 4;
    *lines.last_mut().unwrap() = line;
    let told = report(&disk, &lines);
    assert_eq!(faults(&told).len(), 1, "{told}");
    assert_flipped(faults(&told)[0], 2);
}

#[test]
fn a_line_feed_that_came_into_a_line_or_went_between_two_is_damage() {
    let (disk, _) = noted();
    let intact = lines(&disk);
    let mut split = intact.clone();
    let at = position(&split[3], "J");
    split[3][at] ^= b'J' ^ b'\n';
    let joined_at = intact[3].len() - 1;
    let mut joined = intact;
    joined[3][joined_at] ^= 1;
    for (lines, at) in [(split, at), (joined, joined_at)] {
        let told = report(&disk, &lines);
        assert_flipped(faults(&told)[0], at);
    }
}

#[test]
fn what_only_a_writer_makes_of_a_note_is_tampering_though_other_keys_signed_it_too() {
    let (disk, key) = noted();
    let intact = lines(&disk);
    let latest = Note::parse(&disk.read_file(in_folder("checkpoint")).unwrap()).unwrap();
    let latest = Checkpoint::parse_text(&latest.text).unwrap();
    let other = Checkpoint { size: 3, ..latest };
    let mut note = other.sign(&key);
    let witness = SignerKey::from_seed(&"witness".parse().unwrap(), &[7; 32]);
    note.signatures.extend(other.sign(&witness).signatures);
    let line = format!("{{\"note\":{}}}\n", serde_json::json!(note.to_string()));
    let forked = [intact.clone(), vec![line.into_bytes()]].concat();
    let mut changed = intact;
    let at = position(&changed[2], "\\n3\\n") + 2;
    changed[2][at] = b'5';
    for (lines, problem) in [(forked, Problem::Forked), (changed, Problem::CheckpointForged)] {
        let told = report(&disk, &lines);
        let faults = faults(&told);
        assert_eq!(faults.len(), 1, "{told}");
        assert_eq!(
            (faults[0].problem, faults[0].class),
            (problem, FindingClass::Tampering),
            "{told}"
        );
    }
}

#[test]
fn bits_of_the_first_four_notes_alone_are_tried() {
    let (disk, _) = noted();
    let mut lines = lines(&disk);
    for (size, line) in (1..=5).zip(&mut lines) {
        let at = position(line, &format!("\\n{size}\\n")) + 2;
        line[at] ^= 4;
    }
    let told = report(&disk, &lines);
    let classes: Vec<_> = faults(&told).iter().map(|fault| (fault.problem, fault.class)).collect();
    let of = |class| (Problem::CheckpointForged, class);
    let (damage, tampering) = (of(FindingClass::Damage), of(FindingClass::Tampering));
    assert_eq!(classes, [damage, damage, damage, damage, tampering], "{told}");
}

#[test]
fn the_first_line_and_the_checkpoint_are_each_judged_by_their_own_bytes() {
    let (disk, _) = noted();
    let mut lines = lines(&disk);
    lines[0][0] ^= 1;
    let mut checkpoint = disk.read_file(in_folder("checkpoint")).unwrap();
    let at = position(&checkpoint, "\n8\n") + 1;
    checkpoint[at] ^= 1;
    disk.write_file(in_folder("checkpoint"), checkpoint).unwrap();
    let told = report(&disk, &lines);
    let faults = faults(&told);
    assert_eq!(faults.len(), 2, "{told}");
    for (fault, (file, at)) in faults.into_iter().zip([(HISTORY, 0), ("checkpoint", at)]) {
        assert_eq!(fault.file.as_deref(), Some(file), "{told}");
        assert_flipped(fault, at);
    }
}

#[test]
fn nul_bytes_in_a_line_are_damage_to_it_and_excuse_no_other_line() {
    let (disk, _) = noted();
    let mut lines = lines(&disk);
    lines[2][..2].copy_from_slice(b"xx");
    let end = lines[3].len() - 1;
    lines[3][20..end].fill(0);
    let told = report(&disk, &lines);
    let faults: Vec<_> =
        faults(&told).into_iter().map(|fault| (fault.class, &fault.evidence[..])).collect();
    let (tampering, damage) = (FindingClass::Tampering, FindingClass::Damage);
    let nuls = ["it holds NUL bytes".to_owned()];
    assert_eq!(faults, [(tampering, &[][..]), (damage, &nuls[..])], "{told}");
}

#[test]
fn notes_and_those_of_them_by_unknown_keys_are_counted() {
    let (disk, _) = noted();
    let lines = lines(&disk);
    let told = report(&disk, &lines);
    assert_eq!((told.checkpoints, told.checkpoints_unknown), (9, 0), "{told}");
    let latest = Note::parse(&disk.read_file(in_folder("checkpoint")).unwrap()).unwrap();
    let checkpoint = Checkpoint::parse_text(&latest.text).unwrap();
    let stranger = SignerKey::from_seed(&checkpoint.origin, &[9; 32]);
    let note = checkpoint.sign(&stranger).to_string();
    let line = format!("{{\"note\":{}}}\n", serde_json::json!(note)).into_bytes();
    let told = report(&disk, &[lines, vec![line.clone(), line]].concat());
    assert_eq!(told.verdict(), Verdict::Sound, "{told}");
    assert_eq!((told.checkpoints, told.checkpoints_unknown), (11, 2), "{told}");
    let unknown = told.findings.iter().filter(|found| found.problem == Problem::KeyUnknown);
    assert_eq!(unknown.count(), 2, "{told}");
}
