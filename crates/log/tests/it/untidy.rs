//! What the verifier says where lines end wrongly: a line feed that became another byte, lines longer than any record,
//! sectors lost at the beginning of a log; and which of two roots it believes.

use std::path::Path;

use indelible::format::chain::Link;
use indelible::format::note::VerifierKey;
use indelible::format::own::Announcement;
use indelible::storage::simulated::SimulatedDisk;
use indelible::{
    AuditLog, Event, Finding, FindingClass, KeptCheckpoint, Problem, Receipts, Report, Verdict,
    Verifier,
};

use crate::anchors::receipts;
use crate::checker::verify;
use crate::composed::Composed;
use crate::scene::*;

fn report(disk: &SimulatedDisk) -> Report {
    verify(&storage(disk), Path::new(FOLDER), &[])
}

/// The finding to look at first.
#[track_caller]
fn first(disk: &SimulatedDisk) -> Finding {
    let report = report(disk);
    assert_eq!(report.verdict(), Verdict::Broken, "{report}");
    report.findings[0].clone()
}

// Ends of lines.

#[test]
fn a_covered_last_line_feed_that_became_another_byte_is_damage_where_one_bit_explains_it() {
    for (byte, class) in [(b'\n' ^ 4, FindingClass::Damage), (b'x', FindingClass::Tampering)] {
        let disk = closed();
        let mut bytes = active(&disk);
        let end = bytes.len() - 1;
        bytes[end] = byte;
        write_active(&disk, bytes);
        let first = first(&disk);
        assert_eq!((first.problem, first.class, first.seq), (Problem::BelowMark, class, Some(3)));
        let evidence = [
            "a checkpoint covers 4 records",
            "another byte stands where the record's line feed was",
        ];
        assert_eq!(first.evidence, evidence);
        assert_eq!(report(&disk).records, 3);
    }
}

#[test]
fn a_line_longer_than_any_record_behind_the_mark_is_no_torn_tail_where_it_ends() {
    let disk = closed();
    let kept = active(&disk);
    let mut long = vec![b'x'; 3 << 20];
    write_active(&disk, [&kept[..], &long].concat());
    assert_eq!(report(&disk).verdict(), Verdict::Torn);
    long.push(b'\n');
    write_active(&disk, [&kept[..], &long].concat());
    let first = first(&disk);
    assert_eq!((first.problem, first.class), (Problem::NotARecord, FindingClass::Tampering));
    assert_eq!(first.found.as_deref(), Some("a line without an end"));
    assert_refused(&disk, Problem::NotARecord, 4);
}

#[test]
fn a_segment_of_nothing_but_a_line_that_is_no_record_has_its_place_by_its_number() {
    let mut log = Composed::begun();
    log.event();
    log.rotate();
    log.event();
    log.rotate();
    log.event();
    let disk = log.write();
    for lines in ["hello\n", "hello"] {
        disk.write_file(in_folder("audit.log.1"), lines).unwrap();
        let told = report(&disk);
        let first = &told.findings[0];
        assert_eq!(first.file.as_deref(), Some("audit.log.1"), "{told}");
        assert_eq!((first.seq, told.records), (Some(2), 3), "{told}");
    }
}

// Roots.

/// A log of four records and a prune record, whose first four are gone.
fn pruned(note_before: bool) -> (SimulatedDisk, VerifierKey) {
    let mut log = Composed::begun();
    for _ in 0..3 {
        log.event();
    }
    let last = log.head.hash;
    if note_before {
        log.rotate();
    }
    let prune = log.prune(4, last);
    log.own(&Announcement::Prune(prune));
    log.event();
    let (key, disk) = (log.key.verifier_key(), log.write());
    if note_before {
        disk.remove_file(in_folder("audit.log.1")).unwrap();
    } else {
        let bytes = active(&disk);
        let lines: Vec<_> = bytes.split_inclusive(|byte| *byte == b'\n').collect();
        write_active(&disk, lines[4..].concat());
    }
    (disk, key)
}

/// The first record's `_prev_hash`, changed; hash and what follows it are left.
fn renamed_before(disk: &SimulatedDisk) {
    let mut bytes = active(disk);
    let end = bytes.iter().position(|byte| *byte == b'\n').unwrap();
    let before = Link::split(&bytes[..end]).unwrap().prev_hash.to_string();
    // The prune record says it too, before.
    let at = bytes[..end].windows(64).rposition(|part| part == before.as_bytes()).unwrap();
    // Two bits of it, so that no disk explains it.
    bytes[at] = if bytes[at] == b'0' { b'3' } else { b'0' };
    bytes[at + 1] = if bytes[at + 1] == b'0' { b'3' } else { b'0' };
    write_active(disk, bytes);
}

#[test]
fn a_first_record_that_names_another_than_the_pruned_one_breaks_the_chain() {
    for (note_before, evidence) in [
        (true, "a signed checkpoint covers the leaf of the pruned record before it"),
        (false, "no signed checkpoint of just these records was found to agree with either"),
    ] {
        let (disk, key) = pruned(note_before);
        assert_eq!(report(&disk).verdict(), Verdict::Sound);
        renamed_before(&disk);
        let told = verify(&storage(&disk), Path::new(FOLDER), &[key]);
        let broken = told.findings.iter().find(|f| f.problem == Problem::ChainBroken);
        let broken = broken.unwrap_or_else(|| panic!("{told}"));
        assert_eq!((broken.seq, broken.offset), (Some(4), Some(0)), "{told}");
        assert!(broken.expected.as_ref().unwrap().starts_with("the record of leaf "), "{told}");
        assert_eq!(broken.evidence, [evidence], "{told}");
    }
}

#[test]
fn a_signed_root_that_neither_records_nor_rows_give_is_told_without_a_place_that_nobody_knows() {
    let mut log = Composed::begun();
    for _ in 0..3 {
        log.event();
    }
    log.note();
    log.event();
    let (key, origin) = (log.key.verifier_key(), log.origin.clone());
    let other =
        indelible::format::checkpoint::Checkpoint { origin, size: 3, root: sha256(b"other") };
    let signed = other.sign(&log.key);
    let disk = log.write();
    let note = serde_json::json!(signed.to_string());
    let noted = disk.read_file(in_folder("checkpoints.jsonl")).unwrap();
    let noted = [format!("{{\"note\":{note}}}\n").as_bytes(), &noted].concat();
    disk.write_file(in_folder("checkpoints.jsonl"), noted).unwrap();
    let told = first(&disk);
    // The record that came last before the root did not agree.
    assert_eq!((told.problem, told.seq), (Problem::RootMismatch, Some(2)), "{told}");
    assert_eq!(told.evidence.len(), 1, "{told}");

    // That record itself is no record: the rows stand in for it.
    let bytes = active(&disk);
    let lines: Vec<_> = bytes.split_inclusive(|byte| *byte == b'\n').collect();
    let blanked = [&lines[..2].concat()[..], b"hello\n", &lines[3..].concat()].concat();
    write_active(&disk, blanked.clone());
    let report = report(&disk);
    let mismatch = report.findings.iter().find(|f| f.problem == Problem::RootMismatch).unwrap();
    assert_eq!(mismatch.file.as_deref(), Some("tree/0"), "{report}");
    assert_eq!(mismatch.seq, None, "{report}");

    // The same where somebody has kept it outside.
    let disk = disk.fork();
    let noted = disk.read_file(in_folder("checkpoints.jsonl")).unwrap();
    let own = noted.split_inclusive(|byte| *byte == b'\n').skip(1).collect::<Vec<_>>().concat();
    disk.write_file(in_folder("checkpoints.jsonl"), own).unwrap();
    let kept = KeptCheckpoint::read_all("kept.txt", &signed.encode()).unwrap().remove(0);
    let verifier = Verifier::on(storage(&disk), FOLDER).with_key(key).with_checkpoint(kept);
    let report = verifier.verify().unwrap();
    let mismatch = report.findings.iter().find(|f| f.problem == Problem::KeptRootMismatch);
    let mismatch = mismatch.unwrap_or_else(|| panic!("{report}"));
    assert_eq!((mismatch.file.as_deref(), mismatch.seq), (Some("tree/0"), None), "{report}");
    assert!(mismatch.evidence.iter().any(|e| e.contains("in the kept checkpoint kept.txt")));
}

#[test]
fn a_signed_root_that_nothing_gives_is_told_with_how_far_an_earlier_one_agrees() {
    for (noted_at, agreed) in [(1, "the first record is"), (3, "the first 3 records are")] {
        let mut log = Composed::begun();
        for _ in 1..noted_at {
            log.event();
        }
        log.note();
        log.event();
        let (origin, size) = (log.origin.clone(), noted_at + 1);
        let other =
            indelible::format::checkpoint::Checkpoint { origin, size, root: sha256(b"other") };
        let note = serde_json::json!(other.sign(&log.key).to_string());
        log.event();
        let disk = log.write();
        let noted = disk.read_file(in_folder("checkpoints.jsonl")).unwrap();
        let mut noted: Vec<_> =
            noted.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
        noted.insert(1, format!("{{\"note\":{note}}}\n").into_bytes());
        disk.write_file(in_folder("checkpoints.jsonl"), noted.concat()).unwrap();
        let told = first(&disk);
        assert_eq!(told.problem, Problem::RootMismatch, "{told}");
        let agreed = format!("{agreed} as signed; what was changed is one of those after that");
        assert_eq!(told.evidence[1..], [agreed], "{told}");
    }
}

#[test]
fn rows_that_differ_where_the_signed_records_are_cut_off_are_left_undecided() {
    let disk = closed();
    let bytes = active(&disk);
    let lines: Vec<_> = bytes.split_inclusive(|byte| *byte == b'\n').collect();
    write_active(&disk, lines[..3].concat());
    disk.flip_byte(in_folder("tree/0"), 40, 1).unwrap();
    let told = report(&disk);
    let found = told.findings.iter().find(|f| f.problem == Problem::RowsDiffer).unwrap();
    assert_eq!((found.offset, found.seq, found.class), (Some(32), Some(1), FindingClass::Damage));
    let undecided = "no signed checkpoint over these records is left to say which of them is right";
    assert_eq!(found.evidence, [undecided], "{told}");
    assert!(told.findings.iter().any(|f| f.problem == Problem::CutOff), "{told}");
}

#[test]
fn a_root_that_is_noted_and_kept_is_told_with_both_places() {
    let disk = closed();
    let kept = disk.read_file(in_folder("checkpoint")).unwrap();
    let kept = KeptCheckpoint::read_all("kept.txt", &kept).unwrap().remove(0);
    let mut bytes = active(&disk);
    let lines: Vec<_> = bytes.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::len).collect();
    bytes.truncate(lines[..2].iter().sum());
    write_active(&disk, bytes);
    let report = Verifier::on(storage(&disk), FOLDER).with_checkpoint(kept).verify().unwrap();
    let cut = report.findings.iter().find(|finding| finding.problem == Problem::CutOff).unwrap();
    let place = "signed in checkpoint at byte 0, and in the kept checkpoint kept.txt";
    assert!(cut.evidence.iter().any(|told| told == place), "{report}");
}

#[test]
fn a_kept_checkpoint_of_nothing_anchors_nothing_and_its_root_is_compared() {
    let mut log = Composed::begun();
    log.event();
    let (origin, key) = (log.origin.clone(), log.key.verifier_key());
    let of_nothing = |root| {
        let checkpoint =
            indelible::format::checkpoint::Checkpoint { origin: origin.clone(), size: 0, root };
        let note = checkpoint.sign(&log.key).encode();
        KeptCheckpoint::read_all("kept.txt", &note).unwrap().remove(0)
    };
    let right = of_nothing(indelible::format::tree::empty_root());
    let wrong = of_nothing(sha256(b"something"));
    let disk = log.write();
    let bare = || Verifier::on(storage(&disk), FOLDER);
    let report = bare().with_checkpoint(right).verify().unwrap();
    assert_eq!((report.verdict(), report.anchored), (Verdict::Sound, false), "{report}");
    let report = bare().with_key(key).with_checkpoint(wrong).verify().unwrap();
    assert_eq!(report.findings[0].problem, Problem::KeptRootMismatch, "{report}");
    assert_eq!((report.anchors.checkpoints, report.anchors.covered), (0, None));
}

#[test]
fn a_folder_without_any_file_of_a_log_is_told_as_such() {
    let disk = disk();
    disk.plant_folder(FOLDER).unwrap();
    let first = first(&disk);
    assert_eq!(first.problem, Problem::NoRecord);
    let evidence = "there is no file of a log here: is the path right, is its volume mounted?";
    assert_eq!(first.evidence, [evidence]);
    let text = report(&disk).to_string();
    assert!(text.contains("look whether the path is right and its volume mounted"), "{text}");
}

// Receipts.

/// A closed log of 6,000 small records in one segment, and what was kept of it.
fn long() -> (SimulatedDisk, Vec<indelible::Receipt>) {
    let disk = disk();
    let options = options().with_max_file_size(8 << 20);
    let log = AuditLog::create_on(storage(&disk), FOLDER, options).unwrap();
    let events: Vec<_> = (0..6_000).map(|n| Event::new("a", "b", format!("r{n}"))).collect();
    let pending = log.submit_all(&events).unwrap();
    let kept = pending.iter().map(|pending| pending.wait().unwrap()).collect();
    log.close().unwrap();
    (disk, kept)
}

fn held(disk: &SimulatedDisk, receipts: Receipts) -> Report {
    Verifier::on(storage(disk), FOLDER).with_receipts(receipts).verify().unwrap()
}

#[test]
fn receipts_far_apart_in_one_segment_are_sought_and_each_is_compared() {
    let (disk, kept) = long();
    let mut few = vec![kept[3], kept[5_000], kept[5_900]];
    let told = held(&disk, receipts(&few));
    assert_eq!((told.verdict(), told.anchors.receipts), (Verdict::Sound, 3), "{told}");
    few[1].hash = kept[7].hash;
    let told = held(&disk, receipts(&few));
    assert_eq!(told.findings[0].problem, Problem::ReceiptHashDiffers, "{told}");
    assert_eq!(told.findings[0].seq, Some(kept[5_000].seq), "{told}");
}

#[test]
fn what_two_receipts_show_is_told_once_with_the_other_one() {
    let (disk, kept) = long();
    let mut few = vec![kept[3], kept[5]];
    few[0].hash = kept[7].hash;
    few[1].hash = kept[7].hash;
    let told = held(&disk, receipts(&few));
    let first = &told.findings[0];
    assert_eq!((first.problem, first.seq), (Problem::ReceiptHashDiffers, Some(kept[3].seq)));
    let more = format!("one more shows the same, of record {}", kept[5].seq);
    assert!(first.evidence.contains(&more), "{told}");
}

#[test]
fn a_receipt_of_a_record_that_was_taken_out_is_held_against_the_rows() {
    let (disk, kept) = long();
    let bytes = active(&disk);
    let mut lines: Vec<_> = bytes.split_inclusive(|byte| *byte == b'\n').collect();
    let taken = &kept[100];
    lines.remove(usize::try_from(taken.seq).unwrap());
    write_active(&disk, lines.concat());
    // The walk has said so: the receipt adds nothing.
    let told = held(&disk, receipts(&[*taken, kept[200]]));
    assert_eq!(told.findings[0].problem, Problem::SeqOutOfOrder, "{told}");
    assert!(told.findings.iter().all(|f| f.problem != Problem::ReceiptRecordMissing), "{told}");
    assert_eq!(told.anchors.receipts, 2, "{told}");
    // One that differs from the row as well does.
    let mut other = *taken;
    other.hash = kept[7].hash;
    let told = held(&disk, receipts(&[other, kept[200]]));
    let missing = told.findings.iter().find(|f| f.problem == Problem::ReceiptRecordMissing);
    assert_eq!(missing.unwrap_or_else(|| panic!("{told}")).seq, Some(taken.seq));
}

#[test]
fn a_receipt_of_a_record_that_lost_sectors_adds_nothing_to_what_the_walk_says() {
    let disk = disk();
    let log = AuditLog::create_on(storage(&disk), FOLDER, options()).unwrap();
    let kept: Vec<_> = (0..6).map(|number| log.append(event(number)).unwrap()).collect();
    log.close().unwrap();
    let mut bytes = active(&disk);
    let lines: Vec<_> = bytes.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::len).collect();
    let start = lines[..3].iter().sum::<usize>();
    let sector = (start + 200).next_multiple_of(512);
    bytes[sector..sector + 512].fill(0);
    write_active(&disk, bytes);
    let told = held(&disk, receipts(&kept));
    let faults: Vec<_> = told.findings.iter().filter(|f| f.class.is_fault()).collect();
    assert_eq!(faults.len(), 1, "{told}");
    assert_eq!((faults[0].problem, faults[0].seq), (Problem::NulRun, Some(3)), "{told}");
    assert_eq!(told.anchors.receipts, 6, "{told}");
}

#[test]
fn receipts_of_records_behind_bytes_that_end_in_no_line_are_missing() {
    let (disk, kept) = long();
    let bytes = active(&disk);
    let lines: Vec<_> = bytes.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::len).collect();
    let end: usize = lines[..200].iter().sum();
    write_active(&disk, [&bytes[..end], &vec![b'x'; 3 << 20]].concat());
    disk.remove_file(in_folder("tree/0")).unwrap();
    let told = held(&disk, receipts(&[kept[100], kept[300]]));
    let missing = told.findings.iter().find(|f| f.problem == Problem::ReceiptRecordMissing);
    let missing = missing.unwrap_or_else(|| panic!("{told}"));
    assert_eq!(missing.seq, Some(kept[300].seq), "{told}");
    assert_eq!(missing.found.as_deref(), Some("a log that ends with 200 records"), "{told}");
}
