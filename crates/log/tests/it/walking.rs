//! What the verifier says, word for word, of a log that is broken in one place: that finding, there, with the evidence that
//! speaks for it, and no other that only follows from it.

use std::path::Path;

use indelible::format::chain::{Hash, LINK_SUFFIX_SIZE, Link, seal};
use indelible::format::record::LINE_SIZE_MAX;
use indelible::storage::simulated::{OperationKind, SimulatedDisk};
use indelible::{Finding, FindingClass, Problem, Report, Verdict, Verifier};

use crate::checker::verify;
use crate::composed::Composed;
use crate::scene::{FOLDER, Head, in_folder, storage};

/// Bytes of a line whose every bit is tried.
const TRIED_SIZE_MAX: usize = 4_096;

/// A log that is covered whole: records 0 to 5 in `audit.log.2`, 6 to 11 in `audit.log.1`, 12 to 17 in `audit.log`.
fn log() -> SimulatedDisk {
    let mut log = Composed::begun();
    for seq in 1..18 {
        if seq % 6 == 0 {
            log.rotate();
        }
        log.event();
    }
    log.write()
}

fn report(disk: &SimulatedDisk) -> Report {
    verify(&storage(disk), Path::new(FOLDER), &[])
}

fn faults(report: &Report) -> Vec<&Finding> {
    report.findings.iter().filter(|finding| finding.class.is_fault()).collect()
}

/// The only fault of the log.
#[track_caller]
fn only_fault(disk: &SimulatedDisk) -> Finding {
    let report = report(disk);
    let faults = faults(&report);
    assert_eq!(faults.len(), 1, "{report}");
    faults[0].clone()
}

#[track_caller]
fn first_fault(disk: &SimulatedDisk) -> Finding {
    let report = report(disk);
    let faults = faults(&report);
    (*faults.first().unwrap_or_else(|| panic!("{report}"))).clone()
}

/// Whether a sentence of the evidence has these words.
fn says(finding: &Finding, words: &str) -> bool {
    finding.evidence.iter().any(|sentence| sentence.contains(words))
}

/// Changes the lines of a segment; each has its line feed.
fn change(disk: &SimulatedDisk, name: &str, change: impl FnOnce(&mut Vec<Vec<u8>>)) {
    let bytes = disk.read_file(in_folder(name)).unwrap();
    let mut lines = bytes.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
    change(&mut lines);
    disk.write_file(in_folder(name), lines.concat()).unwrap();
}

/// More of an entry than one bit, and no hash.
fn edit(line: &mut [u8]) {
    let end = line.len() - LINK_SUFFIX_SIZE;
    line[end - 50..end - 40].fill(b'Q');
}

/// More of a hash than one bit.
fn edit_hash(line: &mut [u8]) {
    let end = line.len() - b"\"}\n".len();
    for digit in &mut line[end - 8..end] {
        *digit = if *digit == b'a' { b'5' } else { b'a' };
    }
}

/// The line with its entry changed and hashed again, behind `prev_hash` or the same as before.
fn hashed_again(line: &[u8], prev_hash: Option<Hash>) -> Vec<u8> {
    let mut changed = line.to_vec();
    edit(&mut changed);
    let tied = Link::split(changed.strip_suffix(b"\n").unwrap()).unwrap();
    let mut again = tied.entry_head.to_vec();
    seal(&mut again, 0, &prev_hash.unwrap_or(tied.prev_hash));
    again.push(b'\n');
    again
}

/// Fields of a client's record whose line, without its line feed, has just this size behind `head`.
fn fields_of_size(mut head: Head, size: usize) -> String {
    let fields = |text: &str| {
        format!(r#""actor":"a","action":"b","resource":"c","metadata":{{"x":"{text}"}}"#)
    };
    let bare = head.record_with(&fields("")).len() - 1;
    fields(&"J".repeat(size - bare))
}

#[test]
fn the_report_names_the_hash_of_the_last_record() {
    let disk = log();
    let last = Head::of(&disk.read_file(in_folder("audit.log")).unwrap());
    let report = report(&disk);
    assert_eq!((report.verdict(), report.head), (Verdict::Sound, Some(last.hash)), "{report}");
}

#[test]
fn the_rows_tell_whether_the_entry_of_a_line_was_changed_or_its_hash() {
    let was_entry = "tree/0 has the hash that the line states, so the entry was changed";
    let was_hash = "tree/0 has the hash of the entry as it stands, so only _hash was changed";
    for name in ["audit.log.2", "audit.log.1", "audit.log"] {
        for told in [was_entry, was_hash] {
            let disk = log();
            let edit = if told == was_entry { edit } else { edit_hash };
            change(&disk, name, |lines| edit(&mut lines[2]));
            let fault = only_fault(&disk);
            assert_eq!(fault.problem, Problem::HashMismatch, "{fault}");
            assert_eq!(fault.evidence, [told], "{fault}");
        }
        let disk = log();
        change(&disk, name, |lines| {
            edit(&mut lines[2]);
            edit_hash(&mut lines[2]);
        });
        let fault = first_fault(&disk);
        assert_eq!(fault.problem, Problem::HashMismatch, "{fault}");
        assert!(!says(&fault, "tree/0 has"), "{fault}");
    }
}

#[test]
fn a_line_whose_seq_was_changed_still_stands_for_the_record_that_it_was() {
    let disk = log();
    change(&disk, "audit.log.1", |lines| {
        assert!(lines[2].starts_with(b"{\"seq\":8,"));
        lines[2][7] = b'5';
    });
    let fault = only_fault(&disk);
    assert_eq!((fault.problem, fault.seq), (Problem::HashMismatch, Some(8)), "{fault}");
}

#[test]
fn a_changed_line_behind_lost_sectors_is_the_record_that_its_head_says() {
    let disk = log();
    change(&disk, "audit.log.1", |lines| {
        let before = lines[0].len();
        let lost = (before + 600) / 512 * 512 - before;
        lines[1][lost..lost + 512].fill(0);
        edit(&mut lines[2]);
    });
    let report = report(&disk);
    let found: Vec<_> = faults(&report).iter().map(|f| (f.problem, f.seq)).collect();
    assert_eq!(found, [(Problem::NulRun, Some(7)), (Problem::HashMismatch, Some(8))], "{report}");
    assert!(says(faults(&report)[1], "so the entry was changed"), "{report}");
    assert_eq!(faults(&report)[0].evidence, ["record 7 stood there"], "{report}");
}

#[test]
fn records_that_are_gone_behind_a_changed_line_did_not_stand_where_sectors_before_it_are_lost() {
    let disk = log();
    change(&disk, "audit.log.1", |lines| {
        lose_sector(lines, 1);
        edit(&mut lines[2]);
        edit_hash(&mut lines[2]);
        lines.remove(3);
    });
    let report = report(&disk);
    let found = [
        (Problem::NulRun, Some(7)),
        (Problem::HashMismatch, Some(8)),
        (Problem::SeqOutOfOrder, Some(10)),
    ];
    assert_eq!(numbers(&report)[..3], found, "{report}");
    assert_eq!(faults(&report)[0].evidence, [""; 0], "{report}");
}

/// Zeros the sector of this line, behind its head, that is all its own.
fn lose_sector(lines: &mut [Vec<u8>], of: usize) {
    let before: usize = lines[..of].iter().map(Vec::len).sum();
    let lost = (before + 600).next_multiple_of(512) - before;
    lines[of][lost..lost + 512].fill(0);
}

fn numbers(report: &Report) -> Vec<(Problem, Option<u64>)> {
    faults(report).iter().map(|fault| (fault.problem, fault.seq)).collect()
}

#[test]
fn behind_lost_records_a_line_has_the_number_that_its_head_says_or_none() {
    for (with_head, seq) in [(true, Some(8)), (false, None)] {
        let disk = log();
        change(&disk, "audit.log.1", |lines| {
            lose_sector(lines, 1);
            let size = lines[2].len();
            lines[2][size - 20..size - 1].fill(b'x');
            if !with_head {
                lines[2][1..7].fill(b'x');
            }
        });
        let report = report(&disk);
        let found = [(Problem::NulRun, Some(7)), (Problem::NotARecord, seq)];
        assert_eq!(numbers(&report), found, "{report}");
        assert!(says(faults(&report)[0], "records 7 to 8 stood there"), "{report}");
    }
}

#[test]
fn behind_lost_records_the_first_line_of_a_file_has_the_number_that_those_behind_it_say() {
    let disk = log();
    change(&disk, "audit.log.2", |lines| lose_sector(lines, 5));
    change(&disk, "audit.log.1", |lines| lines[0][1..40].fill(b'x'));
    let report = report(&disk);
    let found = [(Problem::NulRun, Some(5)), (Problem::NotARecord, Some(6))];
    assert_eq!(numbers(&report), found, "{report}");
}

#[test]
fn behind_lost_records_a_line_without_its_end_has_the_number_that_its_head_says_or_none() {
    for (with_head, seq) in [(true, Some(11)), (false, None)] {
        let disk = log();
        change(&disk, "audit.log.1", |lines| {
            lose_sector(lines, 4);
            lines[5].truncate(700);
            if !with_head {
                lines[5][1..7].fill(b'x');
            }
        });
        let report = report(&disk);
        let found = [(Problem::NulRun, Some(10)), (Problem::LineUnterminated, seq)];
        assert_eq!(numbers(&report), found, "{report}");
    }
}

#[test]
fn no_checkpoint_is_said_to_cover_a_tail_of_which_nobody_knows_where_it_stands() {
    let cases = [
        // Records 16 and 17 are covered; of what has no head nobody knows whether it is one of them.
        (true, 16, Some(17), Problem::BelowMark),
        (false, 16, None, Problem::LineUnterminated),
        // These are behind the last that is.
        (true, 18, Some(19), Problem::LineUnterminated),
        (false, 18, None, Problem::LineUnterminated),
    ];
    for (with_head, changed, seq, problem) in cases {
        let disk = log();
        change(&disk, "audit.log", |lines| {
            let mut head = Head::of(&lines.concat());
            lines.extend([head.record(), head.record()]);
            lines.truncate(changed - 12 + 2);
            let (line, last) = (changed - 12, changed - 12 + 1);
            lines[line][1..40].fill(b'x');
            lines[last].truncate(700);
            if !with_head {
                lines[last][1..7].fill(b'x');
            }
        });
        let told = report(&disk);
        let found = [(Problem::NotARecord, Some(u64::try_from(changed).unwrap())), (problem, seq)];
        assert_eq!(numbers(&told)[..2], found, "{changed}: {told}");
        let covers = says(faults(&told)[1], "a checkpoint covers 18 records");
        assert_eq!(covers, problem == Problem::BelowMark, "{told}");
    }
}

#[test]
fn where_the_end_is_lost_it_is_said_that_what_is_missing_may_have_stood_there() {
    let there = "what stands behind them is no record, and may be what is missing";
    let cut = "tree/0 has 18 leaves: the rows were not cut with the records";
    for (lost, said, not_said) in [(true, there, cut), (false, cut, there)] {
        let disk = log();
        change(&disk, "audit.log", |lines| {
            if lost {
                lose_sector(lines, 4);
                lose_sector(lines, 5);
            } else {
                lines.truncate(4);
            }
        });
        let report = report(&disk);
        let faults = faults(&report);
        let cut_off = faults.iter().find(|fault| fault.problem == Problem::CutOff).unwrap();
        assert_eq!(cut_off.found.as_deref(), Some("16 records"), "{report}");
        assert!(says(cut_off, said) && !says(cut_off, not_said), "{report}");
        assert_eq!(faults[0].problem == Problem::NulRun, lost, "{report}");
    }
}

#[test]
fn of_a_line_that_is_no_record_it_is_told_where_more_than_one_record_is_lost_with_it() {
    for (lost, evidence) in [(1, &[][..]), (3, &["records 8 to 10 stood there"])] {
        let disk = log();
        change(&disk, "audit.log.1", |lines| {
            lines[2][1..40].fill(b'x');
            lines[2].truncate(700);
            lines[2].push(b'\n');
            drop(lines.drain(3..2 + lost));
        });
        let fault = only_fault(&disk);
        assert_eq!((fault.problem, fault.seq), (Problem::NotARecord, Some(8)), "{fault}");
        assert_eq!(fault.evidence, evidence, "{fault}");
    }
}

#[test]
fn of_each_place_where_sectors_are_lost_it_is_told_which_records_stood_there() {
    let disk = log();
    let mut bytes = disk.read_file(in_folder("audit.log.1")).unwrap();
    let starts = memchr::memchr_iter(b'\n', &bytes).map(|end| end + 1);
    let starts: Vec<_> = [0].into_iter().chain(starts).collect();
    let within = (starts[1] + 600) / 512 * 512;
    let at_the_border = starts[4] / 512 * 512;
    for lost in [within, at_the_border] {
        bytes[lost..lost + 512].fill(0);
    }
    disk.write_file(in_folder("audit.log.1"), bytes).unwrap();
    let expected = [
        (starts[1], within, "record 7 stood there"),
        (starts[3], at_the_border, "records 9 to 10 stood there"),
    ];
    let report = report(&disk);
    assert_eq!(faults(&report).len(), 2, "{report}");
    for (fault, (start, lost, stood)) in faults(&report).into_iter().zip(expected) {
        assert_eq!(fault.problem, Problem::NulRun, "{report}");
        assert_eq!(fault.offset, Some(u64::try_from(start).unwrap()), "{report}");
        let found = format!("512 NUL bytes, {lost} to {}", lost + 511);
        assert_eq!(fault.found.as_deref(), Some(&*found), "{report}");
        assert_eq!(fault.evidence, [stood], "{report}");
    }
}

#[test]
fn the_log_begins_where_the_head_of_its_first_line_says_though_sectors_of_that_are_lost() {
    let mut log = Composed::new();
    log.event();
    log.rotate();
    log.event();
    log.event();
    let disk = log.write();
    for name in ["audit.log.1", "audit.log"] {
        change(&disk, name, |lines| lines[0][1_024..1_536].fill(0));
    }
    let report = report(&disk);
    assert_eq!((report.first_seq, report.records), (Some(0), 1), "{report}");
}

#[test]
fn two_of_the_longest_records_whose_border_is_lost_are_both_told() {
    let mut log = Composed::begun();
    log.rotate();
    for _ in 0..2 {
        let fields = fields_of_size(log.head, LINE_SIZE_MAX);
        log.record_with(&fields);
    }
    log.event();
    log.rotate();
    log.event();
    let disk = log.write();
    assert_eq!(report(&disk).verdict(), Verdict::Sound);
    let mut bytes = disk.read_file(in_folder("audit.log.1")).unwrap();
    let lost = LINE_SIZE_MAX / 512 * 512;
    assert_eq!(bytes[LINE_SIZE_MAX], b'\n');
    bytes[lost..lost + 512].fill(0);
    disk.write_file(in_folder("audit.log.1"), bytes).unwrap();
    let fault = only_fault(&disk);
    let place = (fault.file.as_deref(), fault.offset);
    assert_eq!((fault.problem, place), (Problem::NulRun, (Some("audit.log.1"), Some(0))));
    let found = format!("512 NUL bytes, {lost} to {}", lost + 511);
    assert_eq!(fault.found.as_deref(), Some(&*found), "{fault}");
    assert_eq!(fault.evidence, ["records 1 to 2 stood there"], "{fault}");
}

#[test]
fn where_a_link_is_broken_the_rows_tell_which_of_the_two_records_was_hashed_again() {
    let before = "so record 8 was changed and hashed again";
    let this = "so this record was changed and hashed again";

    let disk = log();
    change(&disk, "audit.log.1", |lines| lines[2] = hashed_again(&lines[2], None));
    let fault = first_fault(&disk);
    assert_eq!((fault.problem, fault.seq), (Problem::ChainBroken, Some(9)), "{fault}");
    assert!(says(&fault, before) && !says(&fault, this), "{fault}");

    let disk = log();
    change(&disk, "audit.log.1", |lines| lines[3] = hashed_again(&lines[3], Some(Hash::ZERO)));
    let fault = first_fault(&disk);
    assert_eq!((fault.problem, fault.seq), (Problem::ChainBroken, Some(9)), "{fault}");
    assert!(says(&fault, this) && !says(&fault, before), "{fault}");

    // Neither of them is what the rows have.
    let disk = log();
    change(&disk, "audit.log.1", |lines| {
        lines[2] = hashed_again(&lines[2], None);
        lines[3] = hashed_again(&lines[3], Some(Hash::ZERO));
    });
    let fault = first_fault(&disk);
    assert_eq!((fault.problem, fault.seq), (Problem::ChainBroken, Some(9)), "{fault}");
    assert!(!says(&fault, before) && !says(&fault, this), "{fault}");
}

#[test]
fn a_record_that_skips_a_number_and_is_chained_to_the_one_before_is_told_so() {
    let disk = log();
    let mut bytes = disk.read_file(in_folder("audit.log")).unwrap();
    let head = Head::of(&bytes);
    bytes.extend(Head { next_seq: 19, ..head }.record());
    disk.write_file(in_folder("audit.log"), bytes).unwrap();
    let fault = only_fault(&disk);
    assert_eq!((fault.problem, fault.seq), (Problem::SeqOutOfOrder, Some(19)), "{fault}");
    assert!(says(&fault, "it names record 17 as the one before it"), "{fault}");

    let disk = log();
    change(&disk, "audit.log.1", |lines| drop(lines.remove(2)));
    let fault = first_fault(&disk);
    assert_eq!((fault.problem, fault.seq), (Problem::SeqOutOfOrder, Some(9)), "{fault}");
    assert!(!says(&fault, "it names record"), "{fault}");
}

#[test]
fn a_flipped_bit_anywhere_is_the_only_fault_and_what_follows_is_verified() {
    for (name, line, seq) in [("audit.log.2", 1, 1), ("audit.log.1", 0, 6), ("audit.log.1", 3, 9)] {
        let disk = log();
        change(&disk, name, |lines| lines[line][60] ^= 1);
        let told = report(&disk);
        let fault = only_fault(&disk);
        assert_eq!((fault.class, fault.seq), (FindingClass::Damage, Some(seq)), "{told}");
        assert!(says(&fault, "one flipped bit in the byte at"), "{told}");
        assert_eq!((told.records, told.next_seq), (17, Some(18)), "{told}");
    }
}

#[test]
fn a_bit_that_makes_a_line_feed_is_damage_up_to_the_longest_line_that_is_tried() {
    for size in [TRIED_SIZE_MAX - 1, TRIED_SIZE_MAX, TRIED_SIZE_MAX + 1] {
        let mut log = Composed::begun();
        let fields = fields_of_size(log.head, size);
        log.record_with(&fields);
        log.event();
        let disk = log.write();
        let mut at = 0;
        change(&disk, "audit.log", |lines| {
            let within = size - LINK_SUFFIX_SIZE - 50;
            assert_eq!((lines[1].len(), lines[1][within]), (size + 1, b'J'));
            lines[1][within] = b'\n';
            at = lines[0].len() + within;
        });
        let fault = first_fault(&disk);
        let damage = fault.class == FindingClass::Damage;
        assert_eq!(damage, size <= TRIED_SIZE_MAX, "{size}: {fault}");
        if damage {
            let told = format!("one flipped bit in the byte at {at} repairs it");
            assert_eq!(only_fault(&disk).evidence, [told], "{size}");
        }
    }
}

#[test]
fn bits_are_tried_in_the_first_eight_damaged_lines_that_are_not_too_long() {
    let mut log = Composed::begun();
    let fields = fields_of_size(log.head, TRIED_SIZE_MAX + 1);
    log.record_with(&fields);
    for _ in 0..10 {
        log.event();
    }
    let disk = log.write();
    change(&disk, "audit.log", |lines| {
        for line in &mut lines[1..11] {
            let action = memchr::memmem::find(line, b"\"action\":\"b\"").unwrap();
            line[action + 10] ^= 1;
        }
    });
    let report = report(&disk);
    let classes: Vec<_> = faults(&report).iter().map(|fault| fault.class).collect();
    let mut expected = [FindingClass::Damage; 10];
    expected[0] = FindingClass::Tampering;
    expected[9] = FindingClass::Tampering;
    assert_eq!(classes, expected, "{report}");
}

/// The only finding but the one that nothing is held against: a torn tail, at this offset, and what it says was found.
#[track_caller]
fn assert_torn(disk: &SimulatedDisk, offset: usize, seq: u64, found: &str) {
    let report = report(disk);
    assert_eq!(report.verdict(), Verdict::Torn, "{report}");
    let first = &report.findings[0];
    assert_eq!((first.problem, first.seq), (Problem::TailTorn, Some(seq)), "{report}");
    assert_eq!(first.offset, Some(u64::try_from(offset).unwrap()), "{report}");
    assert_eq!(first.found.as_deref(), Some(found), "{report}");
}

#[test]
fn a_torn_tail_is_told_with_its_size_also_where_it_is_all_there_is_of_the_newest_file() {
    let mut log = Composed::begun();
    log.event();
    log.rotate();
    let torn = log.head.record()[..700].to_vec();
    let disk = log.write_uncovered();
    disk.write_file(in_folder("audit.log"), torn.clone()).unwrap();
    assert_torn(&disk, 0, 2, "700 bytes, partial");

    let disk = self::log();
    let whole = disk.read_file(in_folder("audit.log")).unwrap();
    disk.write_file(in_folder("audit.log"), [&whole[..], &torn].concat()).unwrap();
    assert_torn(&disk, whole.len(), 18, "700 bytes, partial");
}

#[test]
fn only_a_record_that_follows_is_whole_but_for_its_line_feed() {
    let whole = log().read_file(in_folder("audit.log")).unwrap();
    let head = Head::of(&whole);
    let (skips, unlinked) = (Head { next_seq: 19, ..head }, Head { hash: Hash::ZERO, ..head });
    let neither = Head { hash: Hash::ZERO, ..skips };
    for (mut head, kind) in
        [(head, "no_lf"), (skips, "partial"), (unlinked, "partial"), (neither, "partial")]
    {
        let mut record = head.record();
        record.pop();
        let disk = log();
        disk.write_file(in_folder("audit.log"), [&whole[..], &record].concat()).unwrap();
        assert_torn(&disk, whole.len(), 18, &format!("{} bytes, {kind}", record.len()));
    }
}

#[test]
fn many_lines_that_are_no_records_do_not_cost_a_tail_each() {
    let disk = crate::scene::closed();
    let mut bytes = crate::scene::active(&disk);
    let mut head = Head::of(&bytes);
    for _ in 0..300 {
        bytes.extend(head.record_with(r#""actor":"a","action":"b","resource":"c""#));
        bytes.extend(b"\0\n");
    }
    let size = u64::try_from(bytes.len()).unwrap();
    crate::scene::write_active(&disk, bytes);
    let before = disk.operation_count();
    let told = Verifier::on(storage(&disk), FOLDER).verify().unwrap();
    assert_eq!(told.verdict(), Verdict::Broken, "{told}");
    let reads = disk
        .operations()
        .into_iter()
        .filter(|operation| operation.index >= before && operation.kind == OperationKind::ReadAt);
    let read: u64 = reads.map(|operation| operation.size).sum();
    assert!(read < 40 * size, "{read} bytes were read of {size}");
}
