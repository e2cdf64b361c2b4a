//! What opening refuses before it looks at the tail: notes that contradict each other or are none, rows that do not give
//! the signed root, segments that do not follow each other; and what it makes good by itself instead.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use indelible::format::checkpoint::Checkpoint;
use indelible::format::note::{Note, SignerKey};
use indelible::format::own::{Adopt, OwnRecord, TailKind};
use indelible::storage::Kind;
use indelible::storage::simulated::{Errno, FaultPlan, OperationKind, SimulatedDisk};
use indelible::{AuditLog, Event, Finding, FindingClass, OpenError, Problem, Verdict};

use crate::checker::{assert_log_is_sound, verify};
use crate::composed::Composed;
use crate::scene::*;

/// The durable mark of [`closed`].
const MARK: u64 = 4;

/// All files but the lock, which whoever looks at a log makes.
fn without_lock(disk: &SimulatedDisk) -> BTreeMap<PathBuf, Vec<u8>> {
    let files = snapshot(disk).into_iter();
    files.filter(|(path, _)| *path != in_folder("lock")).collect()
}

/// The finding over which opening is refused, which changes nothing.
#[track_caller]
fn refusal(disk: &SimulatedDisk) -> Finding {
    let before = without_lock(disk);
    match AuditLog::open_on(storage(disk), FOLDER, options()) {
        Err(OpenError::Refused(refusal)) => {
            assert_eq!(refusal.findings.len(), 1, "{refusal}");
            assert_eq!(without_lock(disk), before, "a log that was refused was changed");
            refusal.findings[0].clone()
        }
        other => panic!("not refused: {other:?}"),
    }
}

/// A closed log of three segments.
fn filled() -> SimulatedDisk {
    let disk = disk();
    let log = AuditLog::create_on(storage(&disk), FOLDER, options()).unwrap();
    for number in 0..250 {
        log.submit(event(number)).map(drop).unwrap();
    }
    log.close().unwrap();
    assert!(disk.read_file(in_folder("audit.log.2")).is_ok());
    disk
}

fn key(disk: &SimulatedDisk) -> SignerKey {
    let key = String::from_utf8(disk.read_file("/logs/audit.key").unwrap()).unwrap();
    key.trim_end().parse().unwrap()
}

fn checkpoint(disk: &SimulatedDisk) -> Checkpoint {
    let note = Note::parse(&disk.read_file(in_folder("checkpoint")).unwrap()).unwrap();
    Checkpoint::parse_text(&note.text).unwrap()
}

fn write_checkpoint(disk: &SimulatedDisk, checkpoint: &Checkpoint, key: &SignerKey) {
    disk.write_file(in_folder("checkpoint"), checkpoint.sign(key).encode()).unwrap();
}

/// A line of `checkpoints.jsonl`.
fn line_of(note: &[u8]) -> Vec<u8> {
    let note = std::str::from_utf8(note).unwrap();
    format!("{{\"note\":{}}}\n", serde_json::json!(note)).into_bytes()
}

// Notes.

#[test]
fn two_signed_roots_for_one_size_are_a_fork() {
    let disk = closed();
    let latest = disk.read_file(in_folder("checkpoint")).unwrap();
    disk.write_file(in_folder("checkpoints.jsonl"), line_of(&latest)).unwrap();
    assert_opening_does_nothing(&disk);
    let forked = Checkpoint { root: sha256(b"another"), ..checkpoint(&disk) };
    write_checkpoint(&disk, &forked, &key(&disk));
    assert_eq!(refusal(&disk).problem, Problem::Forked);
    assert_refused(&disk, Problem::Forked, MARK);
    let told = verify(&storage(&disk), Path::new(FOLDER), &[]);
    let first = told.findings.iter().find(|found| found.problem == Problem::Forked).unwrap();
    assert_eq!(first.file.as_deref(), Some("checkpoint"), "{told}");
    let evidence = "for 4 records the note in checkpoints.jsonl at byte 0 gives the other root; both are signed";
    assert_eq!(first.evidence, [evidence], "{told}");
}

#[test]
fn a_missing_checkpoint_is_made_again_where_the_notes_have_it() {
    let disk = closed();
    let latest = disk.read_file(in_folder("checkpoint")).unwrap();
    disk.write_file(in_folder("checkpoints.jsonl"), line_of(&latest)).unwrap();
    disk.remove_file(in_folder("checkpoint")).unwrap();
    let log = open(&disk);
    assert_eq!((log.records(), log.recovery().is_clean()), (MARK, true));
    log.close().unwrap();
    assert_eq!(disk.read_file(in_folder("checkpoint")).unwrap(), latest);
    assert_opening_does_nothing(&disk);
}

#[test]
fn what_is_signed_is_what_the_newer_of_checkpoint_and_last_note_covers() {
    let mut log = Composed::begun();
    for _ in 0..3 {
        log.event();
    }
    log.note();
    log.event();
    log.event();
    let disk = log.write();
    let newest = disk.read_file(in_folder("checkpoint")).unwrap();
    // The checkpoint as it was before, which the first of the notes repeats.
    let noted = disk.read_file(in_folder("checkpoints.jsonl")).unwrap();
    let first = noted.split(|byte| *byte == b'\n').next().unwrap();
    let first: serde_json::Value = serde_json::from_slice(first).unwrap();
    disk.write_file(in_folder("checkpoint"), first["note"].as_str().unwrap()).unwrap();

    let cut = disk.fork();
    let lines = active(&cut);
    write_active(
        &cut,
        lines.split_inclusive(|byte| *byte == b'\n').take(5).collect::<Vec<_>>().concat(),
    );
    let finding = refusal(&cut);
    assert_eq!(finding.problem, Problem::CutOff);
    assert_eq!(finding.expected.as_deref(), Some("6 records"));
    assert_eq!(finding.found.as_deref(), Some("5 whole records"));

    let log = open(&disk);
    assert!(log.recovery().is_clean(), "{:?}", log.recovery());
    log.close().unwrap();
    assert_eq!(disk.read_file(in_folder("checkpoint")).unwrap(), newest, "it is made again");
    assert_opening_does_nothing(&disk);
}

#[test]
fn a_log_without_any_checkpoint_of_its_key_is_refused() {
    let disk = closed();
    let intact = disk.read_file(in_folder("checkpoint")).unwrap();
    disk.remove_file(in_folder("checkpoint")).unwrap();
    assert_refused(&disk, Problem::NoCheckpoint, 0);
    // One by a key that is not the log's is as good as none.
    let stranger = SignerKey::from_seed(&checkpoint_origin(&intact), &[9; 32]);
    disk.write_file(in_folder("checkpoint"), intact.clone()).unwrap();
    write_checkpoint(&disk, &checkpoint(&disk), &stranger);
    assert_refused(&disk, Problem::NoCheckpoint, 0);
    disk.write_file(in_folder("checkpoint"), intact).unwrap();
    assert_opening_does_nothing(&disk);
}

fn checkpoint_origin(note: &[u8]) -> indelible::format::identity::Origin {
    Checkpoint::parse_text(&Note::parse(note).unwrap().text).unwrap().origin
}

#[test]
fn a_checkpoint_of_another_origin_under_the_logs_key_is_refused() {
    let disk = closed();
    let other = Checkpoint { origin: "example.com/other".parse().unwrap(), ..checkpoint(&disk) };
    write_checkpoint(&disk, &other, &key(&disk));
    let finding = refusal(&disk);
    assert_eq!(finding.problem, Problem::CheckpointOfAnotherLog);
    assert_eq!(finding.found.as_deref(), Some("example.com/other"));
    let told = verify(&storage(&disk), Path::new(FOLDER), &[]);
    let found = told.findings.iter().find(|f| f.problem == finding.problem).unwrap();
    assert_eq!((&found.expected, &found.found), (&finding.expected, &finding.found), "{told}");
}

#[test]
fn a_checkpoint_with_nul_bytes_is_damage_to_the_verifier_and_refused() {
    let disk = closed();
    let mut note = disk.read_file(in_folder("checkpoint")).unwrap();
    note[3..40].fill(0);
    disk.write_file(in_folder("checkpoint"), note).unwrap();
    assert_eq!(refusal(&disk).problem, Problem::CheckpointMalformed);
    let told = verify(&storage(&disk), Path::new(FOLDER), &[]);
    let found = told.findings.iter().find(|f| f.problem == Problem::CheckpointMalformed).unwrap();
    assert_eq!(found.class, FindingClass::Damage, "{told}");
    assert_eq!(found.evidence, ["it holds NUL bytes"], "{told}");
}

#[test]
fn notes_that_are_gone_are_begun_anew() {
    let disk = closed();
    disk.remove_file(in_folder("checkpoints.jsonl")).unwrap();
    let log = open(&disk);
    assert_eq!(disk.read_file(in_folder("checkpoints.jsonl")).unwrap(), b"");
    log.append(event(9)).unwrap();
    log.close().unwrap();
    drop(assert_log_is_sound(&storage(&disk), FOLDER, &[]));
}

// Rows.

#[test]
fn rows_that_do_not_give_the_signed_root_are_refused() {
    let disk = closed();
    let root = checkpoint(&disk).root;
    disk.flip_byte(in_folder("tree/0"), 40, 1).unwrap();
    let finding = refusal(&disk);
    assert_eq!(finding.problem, Problem::RowsDiffer);
    assert_eq!(finding.expected, Some(format!("root {root}")));
    assert!(finding.found.unwrap().starts_with("root "));
    assert!(finding.evidence[0].starts_with("that root over 4 records is signed"));
    disk.flip_byte(in_folder("tree/0"), 40, 1).unwrap();
    assert_opening_does_nothing(&disk);
}

#[test]
fn rows_beyond_the_mark_are_removed() {
    let disk = closed();
    let before = snapshot(&disk);
    for row in ["tree/1", "tree/3", "tree/7"] {
        disk.write_file(in_folder(row), [7; 64]).unwrap();
    }
    // No row of ours, whatever it is.
    disk.write_file(in_folder("tree/007"), "notes").unwrap();
    open(&disk).close().unwrap();
    assert_eq!(disk.read_file(in_folder("tree/007")).unwrap(), b"notes");
    disk.remove_file(in_folder("tree/007")).unwrap();
    assert_eq!(snapshot(&disk), before);
}

/// A closed log of so many records.
fn with_records(count: usize) -> SimulatedDisk {
    let disk = disk();
    let log = AuditLog::create_on(storage(&disk), FOLDER, options()).unwrap();
    for number in 1..count {
        log.submit(Event::new("a", "b", format!("r{number}"))).map(drop).unwrap();
    }
    log.close().unwrap();
    assert_eq!(disk.read_file(in_folder("tree/0")).unwrap().len(), 32 * count);
    disk
}

#[test]
fn a_row_that_is_too_short_is_refused_as_such_whether_the_root_needs_its_end_or_not() {
    // Of 512 records the root is made of the two hashes of row 1.
    for count in [600, 512] {
        let disk = with_records(count);
        let row = disk.read_file(in_folder("tree/0")).unwrap();
        disk.write_file(in_folder("tree/0"), &row[..row.len() - 32]).unwrap();
        let finding = refusal(&disk);
        assert_eq!(finding.problem, Problem::RowsMissing, "{count}: {finding}");
        let told = verify(&storage(&disk), Path::new(FOLDER), &[]);
        assert_eq!(told.findings[0].problem, finding.problem, "{told}");
        disk.write_file(in_folder("tree/0"), row).unwrap();
        assert_opening_does_nothing(&disk);
    }
}

#[test]
fn a_last_leaf_that_differs_is_refused_as_such_at_its_place_whether_the_root_needs_it_or_not() {
    for count in [256, 512, 600] {
        let disk = with_records(count);
        let at = 32 * (count - 1);
        disk.flip_byte(in_folder("tree/0"), at + 3, 0x10).unwrap();
        let told = verify(&storage(&disk), Path::new(FOLDER), &[]);
        let (found, finding) = (&told.findings[0], refusal(&disk));
        assert_eq!((found.problem, found.class), (Problem::RowsDiffer, FindingClass::Damage));
        assert_eq!((finding.problem, finding.class), (found.problem, found.class), "{finding}");
        let place = (Some("tree/0"), Some(u64::try_from(at).unwrap()), found.seq);
        assert_eq!((found.file.as_deref(), found.offset, found.seq), place, "{told}");
        if count != 600 {
            assert_eq!((finding.file.as_deref(), finding.offset, finding.seq), place, "{finding}");
            assert_eq!(
                (finding.expected, finding.found),
                (found.expected.clone(), found.found.clone())
            );
        }
        let repair = indelible::Repair::look_on(storage(&disk), FOLDER, options()).unwrap();
        drop(repair.run().unwrap());
        assert_opening_does_nothing(&disk);
    }
}

#[test]
fn a_last_record_that_is_not_the_signed_one_is_no_damage_of_the_row_also_where_that_is_damaged() {
    for leaf in [None, Some(100), Some(510)] {
        let disk = with_records(512);
        let mut bytes = active(&disk);
        let line = bytes[..bytes.len() - 1].iter().rposition(|byte| *byte == b'\n').unwrap() + 1;
        let mut head = Head::of(&bytes[..line]);
        bytes.truncate(line);
        bytes.extend(head.record());
        write_active(&disk, bytes);
        if let Some(leaf) = leaf {
            disk.flip_byte(in_folder("tree/0"), 32 * leaf, 1).unwrap();
        }
        let finding = refusal(&disk);
        assert_eq!((finding.problem, finding.seq), (Problem::RootMismatch, Some(511)), "{finding}");
    }
}

/// A closed log that has pruned its oldest segments.
fn pruned() -> SimulatedDisk {
    let disk = disk();
    let log = AuditLog::create_on(storage(&disk), FOLDER, options().with_max_files(1)).unwrap();
    for number in 0..400 {
        log.submit(event(number)).map(drop).unwrap();
    }
    log.close().unwrap();
    assert!(disk.read_file(in_folder("audit.log.2")).is_err());
    disk
}

#[test]
fn a_first_record_that_names_another_one_than_was_pruned_is_refused() {
    let disk = pruned();
    let mut bytes = disk.read_file(in_folder("audit.log.1")).unwrap();
    let first = Head::of(&bytes[..=bytes.iter().position(|byte| *byte == b'\n').unwrap()]);
    let at = bytes.windows(12).position(|part| part == b"_prev_hash\":").unwrap() + 13;
    bytes[at] = if bytes[at] == b'0' { b'1' } else { b'0' };
    disk.write_file(in_folder("audit.log.1"), bytes).unwrap();
    let finding = refusal(&disk);
    assert_eq!((finding.problem, finding.seq), (Problem::LeavesLost, Some(first.next_seq - 1)));
}

// Segments.

#[test]
fn a_segment_that_ends_with_no_record_is_refused_where_another_follows() {
    let disk = filled();
    let mut bytes = disk.read_file(in_folder("audit.log.1")).unwrap();
    bytes.extend_from_slice(b"hello\n");
    disk.write_file(in_folder("audit.log.1"), bytes).unwrap();
    let finding = refusal(&disk);
    assert_eq!(finding.problem, Problem::NotARecord);
    assert_eq!(finding.file.as_deref(), Some("audit.log.1"));
    assert_eq!(finding.evidence, ["it is the last line of a segment that another one follows"]);
}

#[test]
fn a_segment_that_is_gone_from_the_midst_is_refused_with_what_should_follow() {
    let disk = filled();
    let older = Head::of(&disk.read_file(in_folder("audit.log.2")).unwrap());
    let newer = disk.read_file(in_folder("audit.log")).unwrap();
    let newer = Head::of(&newer[..=newer.iter().position(|byte| *byte == b'\n').unwrap()]);
    disk.remove_file(in_folder("audit.log.1")).unwrap();
    let finding = refusal(&disk);
    assert_eq!((finding.problem, finding.seq), (Problem::SegmentMissing, Some(newer.next_seq - 1)));
    let expected = format!("record {} chained to {}", older.next_seq, older.hash);
    assert_eq!(finding.expected, Some(expected));
    assert!(finding.found.unwrap().starts_with(&format!("record {} chained", newer.next_seq - 1)));
}

/// A log of three segments with two records each, which a checkpoint covers.
fn of_three() -> SimulatedDisk {
    let mut log = Composed::begun();
    log.event();
    for _ in 0..2 {
        log.rotate();
        log.event();
        log.event();
    }
    log.write()
}

#[test]
fn a_segment_that_has_the_next_number_or_the_next_link_alone_does_not_follow() {
    let disk = of_three();
    drop(open(&disk.fork()));
    let head = Head::of(&disk.read_file(in_folder("audit.log.2")).unwrap());
    let expected = format!("record {} chained to {}", head.next_seq, head.hash);
    for (next_seq, hash) in [(head.next_seq, sha256(b"other")), (head.next_seq + 1, head.hash)] {
        let disk = disk.fork();
        let mut other = Head { next_seq, hash, ..head };
        disk.write_file(in_folder("audit.log.1"), [other.record(), other.record()].concat())
            .unwrap();
        let finding = refusal(&disk);
        assert_eq!((finding.problem, finding.seq), (Problem::SegmentMissing, Some(next_seq)));
        assert_eq!((finding.file.as_deref(), finding.offset), (Some("audit.log.1"), Some(0)));
        assert_eq!(finding.expected.as_ref(), Some(&expected));
        assert_eq!(finding.found, Some(format!("record {next_seq} chained to {hash}")));
    }
}

/// A log whose first four records are one segment, which a note covers, with this behind it.
fn behind_a_boundary(newest: impl FnOnce(Head) -> Vec<u8>) -> SimulatedDisk {
    let mut log = Composed::begun();
    for _ in 0..3 {
        log.event();
    }
    log.rotate();
    let head = log.head;
    let disk = log.write_uncovered();
    write_active(&disk, newest(head));
    disk
}

#[test]
fn a_newest_segment_that_begins_with_a_later_record_does_not_follow() {
    let disk = behind_a_boundary(|mut head| {
        head.record();
        head.record()
    });
    let finding = refusal(&disk);
    assert_eq!((finding.problem, finding.seq), (Problem::SegmentMissing, Some(MARK + 1)));
    assert_eq!((finding.file.as_deref(), finding.offset), (Some("audit.log"), Some(0)));
}

#[test]
fn a_last_record_before_a_boundary_that_is_not_the_signed_one_is_refused() {
    let disk = behind_a_boundary(|mut head| head.record());
    let log = open(&disk.fork());
    assert_eq!(log.recovery().adopted.unwrap().from_seq, MARK);
    // Somebody writes it anew, and what follows it.
    let lines = disk.read_file(in_folder("audit.log.1")).unwrap();
    let kept: Vec<_> = lines.split_inclusive(|byte| *byte == b'\n').take(3).collect();
    let mut head = Head::of(&kept.concat());
    let other = head.record_with(r#""actor":"a","action":"b","resource":"another""#);
    disk.write_file(in_folder("audit.log.1"), [kept.concat(), other].concat()).unwrap();
    write_active(&disk, head.record());
    let finding = refusal(&disk);
    assert_eq!((finding.problem, finding.seq), (Problem::RootMismatch, Some(MARK - 1)));
}

#[test]
fn a_torn_record_of_a_new_segment_is_cut_only_where_the_boundary_before_it_is_noted() {
    let torn = b"{\"seq\":4,\"time";
    let disk = behind_a_boundary(|_| torn.to_vec());
    let opened = disk.fork();
    assert_eq!(open(&opened).recovery().mended.len(), 1);
    assert_opening_does_nothing(&opened);
    // One record more than the note covers.
    let mut lines = disk.read_file(in_folder("audit.log.1")).unwrap();
    lines.extend(Head::of(&lines).record());
    disk.write_file(in_folder("audit.log.1"), lines).unwrap();
    let finding = refusal(&disk);
    assert_eq!(finding.problem, Problem::BoundaryNotNoted);
    assert_eq!(finding.file.as_deref(), Some("audit.log"));
    assert_eq!(finding.found.as_deref(), Some("the last note covers 4"));
}

#[test]
fn a_record_out_of_order_is_refused_with_the_number_that_should_stand_there() {
    let disk = closed();
    let head = Head::of(&active(&disk));
    let later = Head { next_seq: 9, ..head }.record();
    write_active(&disk, [active(&disk), later].concat());
    let finding = refusal(&disk);
    assert_eq!((finding.problem, finding.seq), (Problem::SeqOutOfOrder, Some(9)));
    assert_eq!((finding.expected.as_deref(), finding.found.as_deref()), (Some("4"), Some("9")));
}

#[test]
fn a_flipped_bit_in_the_last_signed_record_is_damage_and_its_place_is_told() {
    let text = "y".repeat(60_000);
    let large = format!(r#""actor":"a","action":"b","resource":"c","metadata":{{"x":"{text}"}}"#);
    // It is the first of its segment, or more than a crash can leave torn stands before it.
    for before in [0, 80] {
        let mut log = Composed::begun();
        log.rotate();
        for _ in 0..before {
            log.record_with(&large);
        }
        let seq = log.event();
        let disk = log.write();
        let at = active(&disk).len() - 1_000;
        disk.flip_byte(in_folder("audit.log"), at, 1).unwrap();
        let finding = refusal(&disk);
        assert_eq!((finding.problem, finding.seq), (Problem::HashMismatch, Some(seq)));
        assert_eq!(finding.class, FindingClass::Damage, "{finding}");
        let place = format!("one flipped bit in the byte at {at} repairs it");
        assert_eq!(finding.evidence[0], place);
    }
}

#[test]
fn a_gap_in_the_numbers_that_no_rotation_explains_is_refused() {
    let disk = filled();
    let oldest = disk.read_file(in_folder("audit.log.2")).unwrap();
    disk.remove_file(in_folder("audit.log.2")).unwrap();
    disk.write_file(in_folder("audit.log.3"), oldest.clone()).unwrap();
    // Records follow the last note, so that it is not the one of a rotation.
    let finding = refusal(&disk);
    assert_eq!(finding.problem, Problem::BoundaryNotNoted);
    assert_eq!(finding.file.as_deref(), Some("audit.log"));
    disk.remove_file(in_folder("audit.log.3")).unwrap();
    disk.write_file(in_folder("audit.log.2"), oldest).unwrap();
    assert_opening_does_nothing(&disk);
}

#[test]
fn an_emptied_segment_between_others_is_named_by_the_verifier() {
    let disk = filled();
    disk.write_file(in_folder("audit.log.1"), "").unwrap();
    let told = verify(&storage(&disk), Path::new(FOLDER), &[]);
    let first = &told.findings[0];
    assert_eq!(first.problem, Problem::SegmentMissing, "{told}");
    assert!(first.evidence.iter().any(|told| told == "audit.log.1 is empty"), "{told}");
    assert_eq!(refusal(&disk).problem, Problem::SegmentMissing);
}

#[test]
fn a_large_record_that_was_changed_is_refused_as_changed_on_both_sides_of_the_mark() {
    let large = |number| {
        let metadata = serde_json::json!({"x": "y".repeat(20_000)});
        Event::new("a", "b", format!("r{number}")).metadata(metadata)
    };
    for covered in [true, false] {
        let disk = closed();
        let log = open(&disk);
        log.append(large(1)).unwrap();
        let left = disk.fork();
        log.close().unwrap();
        let disk = if covered { disk } else { left };
        let mut bytes = active(&disk);
        let at = bytes.len() - 10_000;
        bytes[at..at + 2].copy_from_slice(b"zz");
        write_active(&disk, bytes);
        let finding = refusal(&disk);
        assert_eq!((finding.problem, finding.seq), (Problem::HashMismatch, Some(MARK)));
        assert_eq!(finding.class, FindingClass::Tampering, "{finding}");
        assert_refused(&disk, Problem::HashMismatch, MARK);
    }
}

// Quarantine.

#[test]
fn a_torn_tail_is_kept_also_where_the_folder_for_it_is_gone() {
    let disk = closed();
    let kept = active(&disk);
    write_active(&disk, [&kept[..], b"torn"].concat());
    disk.remove_file(in_folder("quarantine")).unwrap();
    let torn = Some((TailKind::Partial, &b"torn"[..]));
    assert_repaired(&disk, &Repair { kept: &kept, torn, adopted_from: None });
    assert_eq!(disk.tree()[&in_folder("quarantine")].kind, Kind::Folder);
}

#[test]
fn a_cut_of_whole_lines_that_no_record_tells_of_is_told() {
    let disk = closed();
    let kept = active(&disk);
    // As an explicit repair cuts, which a crash can stop before its record.
    let told = recover(MARK, kept.len(), TailKind::Partial, b"one\ntwo\n");
    disk.write_file(in_folder(&told.quarantine), "one\ntwo\n").unwrap();
    open(&disk).close().unwrap();
    assert_eq!(own_records(&active(&disk)[kept.len()..]), [OwnRecord::Recover(told)]);
    assert_opening_does_nothing(&disk);
}

/// A closed log with a repair in its past, and several segments behind it.
fn repaired(max_files: Option<u32>) -> SimulatedDisk {
    let disk = closed();
    write_active(&disk, [&active(&disk)[..], b"torn"].concat());
    let options = max_files.map_or(options(), |count| options().with_max_files(count));
    let log = AuditLog::open_on(storage(&disk), FOLDER, options).unwrap();
    assert_eq!(log.recovery().mended.len(), 1);
    for number in 0..400 {
        log.submit(event(number)).map(drop).unwrap();
    }
    log.close().unwrap();
    assert_eq!(quarantine(&disk).len(), 1);
    disk
}

#[test]
fn a_cut_whose_record_was_pruned_is_told_once_all_the_same() {
    let disk = repaired(Some(1));
    assert_opening_does_nothing(&disk);
    assert_eq!(quarantine(&disk).len(), 1, "what was cut is never removed");
}

#[test]
fn a_cut_whose_record_stands_in_a_segment_that_a_rotation_is_moving_is_told_once() {
    // The record is in a segment that has rotations behind it and before it.
    let base = filled();
    write_active(&base, [&active(&base)[..], b"torn"].concat());
    let log = open(&base);
    assert_eq!(log.recovery().mended.len(), 1);
    for number in 0..250 {
        log.submit(event(number)).map(drop).unwrap();
    }
    log.close().unwrap();
    // Appends until the log rotates, or the machine stops.
    let rotate = |disk: &SimulatedDisk| {
        let log = open(disk);
        let renames = || {
            let operations = disk.operations().into_iter();
            operations.filter(|operation| operation.kind == OperationKind::Rename).count()
        };
        for number in 0.. {
            if log.append(event(number)).is_err() || renames() > 0 {
                break;
            }
        }
    };
    let rehearsal = base.fork();
    rotate(&rehearsal);
    let renames = rehearsal.operations().into_iter();
    let renames: Vec<_> = renames.filter(|op| op.kind == OperationKind::Rename).collect();
    let mut gaps = 0;
    for rename in renames {
        let disk = base.fork();
        disk.crash_at(rename.index);
        rotate(&disk);
        let left = disk.after_crash(&disk.everything());
        let log = open(&left);
        assert!(log.recovery().mended.is_empty(), "{:?}", log.recovery());
        gaps += u64::from(log.recovery().finished_rotation);
        log.close().unwrap();
        assert_opening_does_nothing(&left);
        assert_eq!(quarantine(&left).len(), 1);
    }
    assert!(gaps > 3, "{gaps}");
}

#[test]
fn a_cut_that_a_damaged_segment_no_longer_tells_of_is_told_again() {
    let disk = repaired(None);
    let oldest = (1..).take_while(|n| disk.read_file(in_folder(&format!("audit.log.{n}"))).is_ok());
    let oldest = in_folder(&format!("audit.log.{}", oldest.last().unwrap()));
    let bytes = disk.read_file(&oldest).unwrap();
    let lines: Vec<_> = bytes.split_inclusive(|byte| *byte == b'\n').collect();
    // Behind the genesis stands more than any line, where the record was.
    let end = lines.len() - 1;
    let damaged = [lines[0], &vec![b'x'; 3 << 20], b"\n", lines[end]].concat();
    disk.write_file(&oldest, damaged).unwrap();
    let before = active(&disk);
    let log = open(&disk);
    let [mended] = &log.recovery().mended[..] else { panic!("{:?}", log.recovery()) };
    assert_eq!(mended.quarantine, format!("quarantine/4-{}", sha256(b"torn")));
    let told = own_records(&active(&disk)[before.len()..]);
    assert!(matches!(&told[..], [OwnRecord::Recover(_)]), "{told:?}");
    log.close().unwrap();
}

#[test]
fn a_segment_that_cannot_be_searched_for_the_record_of_a_cut_is_an_error() {
    let base = repaired(None);
    let oldest = (1..).take_while(|n| base.read_file(in_folder(&format!("audit.log.{n}"))).is_ok());
    let oldest = format!("audit.log.{}", oldest.last().unwrap());
    let mut failed = 0;
    for nth in 0.. {
        let disk = base.fork();
        let open = FaultPlan::nth(nth).of_kind(OperationKind::Open).on_path(oldest.clone());
        disk.fail(open.with(Errno::IO));
        match AuditLog::open_on(storage(&disk), FOLDER, options()) {
            Err(OpenError::Io(failure)) => assert!(failure.path.ends_with(&oldest), "{failure}"),
            Ok(log) => {
                assert_eq!(disk.faults_struck(), 0, "a failure was passed over");
                log.close().unwrap();
                break;
            }
            Err(e) => panic!("{e}"),
        }
        failed += 1;
    }
    assert!(failed > 1, "looked at once only");
    assert_opening_does_nothing(&base);
}

#[test]
fn a_repair_behind_records_beyond_the_mark_adopts_them_too() {
    let disk = closed();
    let mut head = Head::of(&active(&disk));
    let kept = [active(&disk), head.record()].concat();
    let told = recover(MARK + 1, kept.len(), TailKind::Partial, b"one\ntwo\n");
    disk.write_file(in_folder(&told.quarantine), "one\ntwo\n").unwrap();
    write_active(&disk, kept.clone());
    open(&disk).close().unwrap();
    let adopt = OwnRecord::Adopt(Adopt { from_seq: MARK, to_seq: MARK + 1 });
    assert_eq!(own_records(&active(&disk)[kept.len()..]), [OwnRecord::Recover(told), adopt]);
    let told = verify(&storage(&disk), Path::new(FOLDER), &[]);
    assert_eq!(told.verdict(), Verdict::Sound, "{told}");
}
