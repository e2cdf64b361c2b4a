//! What the verifier says of records of the log's own that say what is not so, or stand where they may not, though the
//! log's key signed them; and how opening takes them.

use std::path::Path;

use indelible::format::chain::Hash;
use indelible::format::identity::LogId;
use indelible::format::note::SignerKey;
use indelible::format::own::{
    Announcement, Continues, Create, NewFormat, Prune, Recover, Redact, TailKind,
};
use indelible::storage::simulated::{FaultPlan, OperationKind, SimulatedDisk};
use indelible::{AuditLog, Finding, FindingClass, OpenError, Problem, Report, Verdict};

use crate::checker::verify;
use crate::composed::Composed;
use crate::scene::{FOLDER, in_folder, options, sha256, storage};

fn report(disk: &SimulatedDisk) -> Report {
    verify(&storage(disk), Path::new(FOLDER), &[])
}

/// The only finding of this problem.
#[track_caller]
fn the(report: &Report, problem: Problem) -> Finding {
    let mut found = report.findings.iter().filter(|finding| finding.problem == problem);
    let first = found.next().unwrap_or_else(|| panic!("no {problem}:\n{report}"));
    assert_eq!(found.next(), None, "{report}");
    first.clone()
}

/// The first finding is of this problem, about this record, and says this.
#[track_caller]
fn assert_broken(disk: &SimulatedDisk, problem: Problem, seq: u64, says: &str) {
    let report = report(disk);
    assert_eq!(report.verdict(), Verdict::Broken, "{report}");
    let first = &report.findings[0];
    assert_eq!((first.problem, first.seq), (problem, Some(seq)), "{report}");
    assert!(first.to_string().contains(says), "{first}");
}

#[track_caller]
fn refusal(disk: &SimulatedDisk) -> Finding {
    match AuditLog::open_on(storage(disk), FOLDER, options()) {
        Err(OpenError::Refused(refusal)) => refusal.findings[0].clone(),
        other => panic!("not refused: {other:?}"),
    }
}

#[test]
fn from_a_newer_format_on_links_and_hashes_are_checked_and_forms_are_not() {
    let mut log = Composed::begun();
    log.event();
    let newer = log.own(&Announcement::Format(NewFormat { format: 2 }));
    log.record_with(r#""colour":"red""#);
    let disk = log.write();
    let told = report(&disk);
    assert_eq!((told.verdict(), told.records), (Verdict::Sound, 4), "{told}");
    let found = the(&told, Problem::FormNotChecked);
    assert_eq!((found.seq, found.class), (Some(newer), FindingClass::FormNotChecked));
    assert!(found.found.unwrap().starts_with("format 2; links, hashes, tree"), "{told}");

    // A changed byte is still found.
    let bytes = disk.read_file(in_folder("audit.log")).unwrap();
    let at = bytes.windows(3).position(|three| three == b"red").unwrap();
    disk.flip_byte(in_folder("audit.log"), at, 1).unwrap();
    assert_broken(&disk, Problem::HashMismatch, 3, "the hash does not match the entry");
}

#[test]
fn a_genesis_of_a_newer_format_is_told_by_verifying_and_opening_alike() {
    let mut log = Composed::new();
    let genesis = Announcement::Create(Create { format: 2, ..log.create() });
    log.own(&genesis);
    let disk = log.write();
    assert_broken(&disk, Problem::GenesisInvalid, 0, "expected format 1, found format 2");
    let finding = refusal(&disk);
    assert_eq!(finding.problem, Problem::NewerFormat);
    assert_eq!((finding.expected.as_deref(), finding.found.as_deref()), (Some("1"), Some("2")));
}

#[test]
fn a_second_genesis_is_found_and_whose_it_is() {
    for other in [false, true] {
        let mut log = Composed::begun();
        log.event();
        let log_id = if other { LogId::from_bytes([9; 16]) } else { log.log_id };
        let genesis = Announcement::Create(Create { log_id, ..log.create() });
        let seq = log.own(&genesis);
        let (own_id, disk) = (log.log_id, log.write());
        assert_broken(&disk, Problem::GenesisInvalid, seq, "(found a second genesis)");
        let names = format!("it names log id {log_id}, this log is {own_id}");
        assert_eq!(report(&disk).findings[0].evidence.contains(&names), other);
    }
}

#[test]
fn a_second_genesis_behind_the_mark_is_refused() {
    let mut log = Composed::begun();
    log.note();
    let genesis = log.genesis();
    log.own(&genesis);
    let finding = refusal(&log.write_uncovered());
    assert_eq!((finding.problem, finding.seq), (Problem::GenesisInvalid, Some(1)));
}

#[test]
fn a_log_that_begins_with_another_record_has_no_genesis() {
    let mut log = Composed::new();
    log.event();
    let genesis = log.genesis();
    log.own(&genesis);
    let disk = log.write();
    let told = report(&disk);
    assert_eq!(told.verdict(), Verdict::Broken, "{told}");
    let of_genesis: Vec<_> = told
        .findings
        .iter()
        .filter(|finding| finding.problem == Problem::GenesisInvalid)
        .map(|finding| (finding.seq, finding.found.as_deref()))
        .collect();
    // The second can't tell whose log this is: no segment begins with what says it.
    let expected = [(Some(0), Some("another record")), (Some(1), Some("a second genesis"))];
    assert_eq!(of_genesis, expected, "{told}");
    the(&told, Problem::IdentityUnknown);
    assert_eq!(refusal(&disk).problem, Problem::IdentityUnknown);
}

#[test]
fn a_genesis_that_names_a_record_before_it_is_found() {
    let mut log = Composed::new();
    log.head.hash = Hash::from_bytes([1; 32]);
    let genesis = log.genesis();
    log.own(&genesis);
    assert_broken(&log.write(), Problem::GenesisInvalid, 0, "expected 64 zeros as _prev_hash");
}

/// A log of two segments, of which the newer begins at record 4, with a prune record that says this.
fn pruned(change: impl FnOnce(&Composed, Prune, [Hash; 4]) -> Prune) -> SimulatedDisk {
    let mut log = Composed::begun();
    let mut hashes = [log.head.hash; 4];
    for hash in &mut hashes[1..] {
        log.event();
        *hash = log.head.hash;
    }
    log.rotate();
    let prune = log.prune(4, hashes[3]);
    let prune = change(&log, prune, hashes);
    log.own(&Announcement::Prune(prune));
    log.write()
}

/// The prune record is the only fault, and says this.
#[track_caller]
fn assert_prune_misplaced(disk: &SimulatedDisk, says: &str) {
    assert_broken(disk, Problem::PruneMisplaced, 4, says);
    the(&report(disk), Problem::PruneMisplaced);
}

#[test]
fn a_prune_record_that_says_what_is_so_is_sound() {
    let disk = pruned(|_, prune, _| prune);
    assert_eq!(report(&disk).verdict(), Verdict::Sound);
    // The record that it names may stand in the middle of a segment too.
    let disk = pruned(|_, prune, hashes| Prune {
        first_kept_seq: 2,
        last_pruned_hash: hashes[1],
        ..prune
    });
    assert_eq!(report(&disk).verdict(), Verdict::Sound);
    disk.remove_file(in_folder("audit.log.1")).unwrap();
    let told = report(&disk);
    assert_eq!(told.findings[0].problem, Problem::FirstRecordsMissing, "{told}");
}

/// Opens a log of two segments, the newer of which begins with a prune record, and tells whether the older one was
/// removed.
fn opening_removes(announce: impl FnOnce(&mut Composed, Prune, [Hash; 4])) -> bool {
    let mut log = Composed::begun();
    let mut hashes = [log.head.hash; 4];
    for hash in &mut hashes[1..] {
        log.event();
        *hash = log.head.hash;
    }
    log.rotate();
    let prune = log.prune(4, hashes[3]);
    announce(&mut log, prune, hashes);
    log.event();
    let disk = log.write();
    let log = AuditLog::open_on(storage(&disk), FOLDER, options()).unwrap();
    let removed = disk.read_file(in_folder("audit.log.1")).is_err();
    assert_eq!(log.recovery().removed_segments, u64::from(removed));
    assert_eq!(log.recovery().is_clean(), !removed);
    log.close().unwrap();
    removed
}

#[test]
fn opening_removes_what_a_prune_record_announces_and_nothing_where_it_is_not_so() {
    let own = |log: &mut Composed, prune| assert_eq!(log.own(&Announcement::Prune(prune)), 4);
    assert!(opening_removes(|log, prune, _| own(log, prune)));
    assert!(!opening_removes(|log, prune, hashes| {
        own(log, Prune { first_kept_seq: 3, last_pruned_hash: hashes[2], ..prune });
    }));
    for first_kept_seq in [0, 3, 5, u64::MAX >> 1] {
        assert!(!opening_removes(|log, prune, _| own(log, Prune { first_kept_seq, ..prune })));
    }
    assert!(!opening_removes(|log, prune, hashes| {
        own(log, Prune { last_pruned_hash: hashes[0], ..prune });
    }));
    assert!(!opening_removes(|log, prune, _| {
        own(log, Prune { log_id: LogId::from_bytes([9; 16]), ..prune });
    }));
    assert!(!opening_removes(|log, prune, _| {
        own(log, Prune { origin: "example.com/other".parse().unwrap(), ..prune });
    }));
    // Another key signs it.
    assert!(!opening_removes(|log, prune, _| {
        let other = SignerKey::from_seed(&log.origin, &[9; 32]);
        let key = std::mem::replace(&mut log.key, other);
        own(log, prune);
        log.key = key;
    }));
}

/// A log whose first four records are gone, as the prune record says that follows them; `note` covers that record too.
fn without_pruned(note: bool) -> SimulatedDisk {
    let mut log = Composed::begun();
    for _ in 0..3 {
        log.event();
    }
    let last = log.head.hash;
    log.rotate();
    let prune = log.prune(4, last);
    log.own(&Announcement::Prune(prune));
    let disk = if note { log.write() } else { log.write_uncovered() };
    disk.remove_file(in_folder("audit.log.1")).unwrap();
    disk
}

#[test]
fn a_prune_record_that_no_checkpoint_covers_yet_counts_without_its_leaf() {
    let disk = without_pruned(false);
    let leaves = disk.read_file(in_folder("tree/0")).unwrap();
    disk.write_file(in_folder("tree/0"), &leaves[..4 * 32]).unwrap();
    let log = AuditLog::open_on(storage(&disk), FOLDER, options()).unwrap();
    assert_eq!(log.recovery().adopted.unwrap().from_seq, 4);
    log.close().unwrap();
    assert_eq!(report(&disk).verdict(), Verdict::Sound);
}

#[test]
fn a_prune_record_of_another_time_in_the_place_of_a_signed_record_does_not_count() {
    let mut log = Composed::begun();
    for _ in 0..3 {
        log.event();
    }
    log.rotate();
    log.event();
    let disk = log.write();
    // The log stood here once before, and was put back since.
    let before = without_pruned(true);
    let newest = before.read_file(in_folder("audit.log")).unwrap();
    disk.write_file(in_folder("audit.log"), newest).unwrap();
    disk.remove_file(in_folder("audit.log.1")).unwrap();
    let finding = refusal(&disk);
    assert_eq!((finding.problem, finding.seq), (Problem::FirstRecordsMissing, Some(4)));
    assert_eq!(finding.expected.as_deref(), Some("records from 0 on"));
}

#[test]
fn of_prune_records_that_keep_the_same_the_first_is_named() {
    let mut log = Composed::begun();
    log.event();
    let hash = log.head.hash;
    let mut seqs = Vec::new();
    for _ in 0..2 {
        log.rotate();
        let prune = log.prune(2, hash);
        seqs.push(log.own(&Announcement::Prune(prune)));
        log.event();
    }
    let disk = log.write();
    disk.remove_file(in_folder("audit.log.2")).unwrap();
    let told = report(&disk);
    assert_eq!(told.verdict(), Verdict::Sound, "{told}");
    let named = format!("the log begins with record 2; record {} announces it", seqs[0]);
    assert!(the(&told, Problem::Pruned).found.unwrap().starts_with(&named), "{told}");
}

#[test]
fn a_prune_record_of_another_log_is_found() {
    let disk = pruned(|_, prune, _| Prune { log_id: LogId::from_bytes([9; 16]), ..prune });
    assert_prune_misplaced(&disk, "found 09090909090909090909090909090909");
}

#[test]
fn a_prune_record_that_keeps_what_does_not_exist_yet_or_everything_is_found() {
    for kept in [0, 5, u64::from(u32::MAX)] {
        let disk = pruned(|_, prune, _| Prune { first_kept_seq: kept, ..prune });
        let says = format!("expected first_kept_seq from 1 to 4, found {kept}");
        assert_prune_misplaced(&disk, &says);
    }
}

#[test]
fn a_prune_record_that_names_another_record_than_the_one_before_is_found() {
    for kept in [4, 2] {
        let disk = pruned(|_, prune, hashes| Prune {
            first_kept_seq: kept,
            last_pruned_hash: hashes[0],
            ..prune
        });
        assert_prune_misplaced(&disk, "whose leaf is");
    }
}

#[test]
fn a_prune_record_in_the_midst_of_a_segment_is_found() {
    let mut log = Composed::begun();
    let hash = log.head.hash;
    log.event();
    let prune = log.prune(1, hash);
    let seq = log.own(&Announcement::Prune(prune));
    let says = "it is not the first record of a segment";
    assert_broken(&log.write(), Problem::PruneMisplaced, seq, says);
}

#[test]
fn a_prune_record_whose_record_is_nowhere_to_be_had_is_found() {
    let disk = pruned(|_, prune, hashes| Prune {
        first_kept_seq: 2,
        last_pruned_hash: hashes[1],
        ..prune
    });
    for name in ["tree/0", "checkpoint", "checkpoints.jsonl"] {
        disk.remove_file(in_folder(name)).unwrap();
    }
    // Opened for the plan, for the scan, for the walk, and again for the record that the prune record names.
    let rehearsal = disk.fork();
    drop(report(&rehearsal));
    let operations = rehearsal.operations().into_iter();
    let opens = operations
        .filter(|operation| operation.kind == OperationKind::Open)
        .filter(|operation| operation.path.ends_with("audit.log.1"))
        .count();
    let mut told_nowhere = 0;
    for nth in 0..u64::try_from(opens).unwrap() {
        let disk = disk.fork();
        let last = FaultPlan::nth(nth).of_kind(OperationKind::Open).on_path("audit.log.1");
        disk.fail(last.from_then_on());
        let verifier = indelible::Verifier::on(storage(&disk), FOLDER);
        let Ok(told) = verifier.verify() else { continue };
        let mut misplaced =
            told.findings.iter().filter(|finding| finding.problem == Problem::PruneMisplaced);
        if let Some(found) = misplaced.next() {
            let nowhere = "record 1, which it names, is in no segment and not in tree/0";
            assert_eq!(found.evidence, [nowhere], "{told}");
            told_nowhere += 1;
        }
    }
    assert!(told_nowhere > 0, "none of {opens} opens was for it");
    let told = report(&disk);
    assert!(told.findings.iter().all(|f| f.problem != Problem::PruneMisplaced), "{told}");
}

#[test]
fn a_prune_record_whose_record_lost_sectors_is_held_against_the_rows() {
    let mut log = Composed::begun();
    log.event();
    let hash = log.head.hash;
    log.event();
    log.rotate();
    let prune = log.prune(2, hash);
    log.own(&Announcement::Prune(prune));
    let disk = log.write();
    let mut bytes = disk.read_file(in_folder("audit.log.1")).unwrap();
    let start = bytes.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    let sector = (start + 200).next_multiple_of(512);
    bytes[sector..sector + 512].fill(0);
    disk.write_file(in_folder("audit.log.1"), bytes).unwrap();
    let told = report(&disk);
    let faults: Vec<_> = told.findings.iter().filter(|f| f.class.is_fault()).collect();
    assert_eq!(faults.len(), 1, "{told}");
    assert_eq!((faults[0].problem, faults[0].seq), (Problem::NulRun, Some(1)), "{told}");
}

#[test]
fn a_redaction_whose_announcement_may_be_among_lost_records_is_missing_and_no_tampering() {
    let mut log = Composed::begun();
    log.event();
    log.redact_last();
    log.event();
    log.event();
    let disk = log.write();
    let told = report(&disk);
    let found = the(&told, Problem::RedactionUnannounced);
    assert_eq!((found.class, found.seq), (FindingClass::Tampering, Some(1)), "{told}");

    let mut bytes = disk.read_file(in_folder("audit.log")).unwrap();
    let lines: Vec<_> = bytes.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::len).collect();
    let sector = (lines[0] + lines[1] + 100).next_multiple_of(512);
    bytes[sector..sector + 512].fill(0);
    disk.write_file(in_folder("audit.log"), bytes).unwrap();
    let told = report(&disk);
    let found = the(&told, Problem::RedactionUnannounced);
    assert_eq!(found.class, FindingClass::Missing, "{told}");
    assert!(found.evidence[0].starts_with("later records are lost"), "{told}");
}

#[test]
fn a_redaction_is_not_excused_by_what_is_lost_before_it() {
    let mut log = Composed::begun();
    let seq = log.event();
    let (genesis, event) = {
        let bytes = log.lines();
        let (genesis, event) = bytes.split_at(bytes.iter().position(|b| *b == b'\n').unwrap() + 1);
        (genesis.to_vec(), event.to_vec())
    };
    log.redact_last();
    let redacted = log.lines()[genesis.len()..].to_vec();
    log.event();
    let disk = log.write();
    // Somebody blanked the record, and left what looks like a damaged one in front of it.
    let bytes = disk.read_file(in_folder("audit.log")).unwrap();
    let mut lost = event;
    let sector = (genesis.len() + 100).next_multiple_of(512) - genesis.len();
    lost[sector..sector + 512].fill(0);
    let rest = &bytes[genesis.len() + redacted.len()..];
    disk.write_file(in_folder("audit.log"), [&genesis, &lost, &redacted[..], rest].concat())
        .unwrap();
    let told = report(&disk);
    assert_eq!(the(&told, Problem::NulRun).seq, Some(seq), "{told}");
    let found = the(&told, Problem::RedactionUnannounced);
    assert_eq!((found.class, found.seq), (FindingClass::Tampering, Some(seq)), "{told}");
}

#[test]
fn a_redaction_is_not_excused_by_lost_records_before_it_of_which_nobody_knows_the_number() {
    let mut log = Composed::begun();
    for _ in 0..4 {
        log.event();
    }
    log.redact_last();
    log.event();
    let disk = log.write();
    let mut bytes = disk.read_file(in_folder("audit.log")).unwrap();
    let feeds: Vec<_> = memchr::memchr_iter(b'\n', &bytes).collect();
    for feed in [feeds[0], feeds[1]] {
        let sector = (feed + 100).next_multiple_of(512);
        bytes[sector..sector + 512].fill(0);
    }
    bytes[feeds[1] + 3] ^= 1;
    let head_kept = bytes.clone();
    disk.write_file(in_folder("audit.log"), bytes).unwrap();
    let told = report(&disk);
    let lost: Vec<_> = told.findings.iter().filter(|f| f.problem == Problem::NulRun).collect();
    assert_eq!((lost[0].seq, lost[1].seq), (Some(1), None), "{told}");
    let found = the(&told, Problem::RedactionUnannounced);
    assert_eq!((found.class, found.seq), (FindingClass::Tampering, Some(4)), "{told}");

    // Behind it they excuse it, whatever number they bear.
    let mut bytes = head_kept;
    let sector = (feeds[3] + 600).next_multiple_of(512);
    bytes[sector..sector + 512].fill(0);
    disk.write_file(in_folder("audit.log"), bytes).unwrap();
    let told = report(&disk);
    let found = the(&told, Problem::RedactionUnannounced);
    assert_eq!((found.class, found.seq), (FindingClass::Missing, Some(4)), "{told}");
}

#[test]
fn a_redaction_behind_the_mark_is_opened_where_a_signed_record_announces_it() {
    for of_another in [false, true] {
        let mut log = Composed::begun();
        log.note();
        let seq = log.event();
        log.redact_last();
        let hash = if of_another { Hash::ZERO } else { log.head.hash };
        let (timestamp, reason) = (log.head.timestamp, "asked for".to_owned());
        log.own(&Announcement::Redact(Redact { seq, hash, timestamp, reason }));
        let disk = log.write_uncovered();
        let told = report(&disk);
        if of_another {
            assert_eq!(refusal(&disk).problem, Problem::RedactionUnannounced);
            the(&told, Problem::RedactionUnannounced);
            continue;
        }
        let found = the(&told, Problem::Redacted);
        assert_eq!(found.seq, Some(seq), "{told}");
        let log = AuditLog::open_on(storage(&disk), FOLDER, options()).unwrap();
        assert_eq!(log.records(), 4, "one record tells of the adoption");
        log.close().unwrap();
        assert_eq!(report(&disk).verdict(), Verdict::Sound);
    }
}

#[test]
fn a_record_that_needs_a_signature_and_has_none_is_refused_behind_the_mark() {
    let mut log = Composed::begun();
    log.note();
    let key = log.key;
    log.key = SignerKey::from_seed(&log.origin, &[9; 32]);
    let seq = log.own(&Announcement::Format(NewFormat { format: 2 }));
    log.key = key;
    let disk = log.write_uncovered();
    let finding = refusal(&disk);
    assert_eq!((finding.problem, finding.seq), (Problem::SignedInvalid, Some(seq)));
    assert_broken(&disk, Problem::SignedInvalid, seq, "(found indelible.log.format)");
}

fn recovered() -> Recover {
    Recover {
        file: "audit.log".to_owned(),
        offset: 0,
        length: 4,
        sha256: sha256(b"torn"),
        kind: TailKind::Partial,
        quarantine: format!("quarantine/2-{}", sha256(b"torn")),
    }
}

#[test]
fn a_log_that_begins_with_a_record_that_does_not_say_whose_it_is_is_unknown() {
    let mut log = Composed::new();
    log.own(&Announcement::Recover(recovered()));
    let disk = log.write();
    let told = report(&disk);
    the(&told, Problem::IdentityUnknown);
    assert_eq!((told.verdict(), told.log_id), (Verdict::Broken, None), "{told}");
    assert_eq!(refusal(&disk).problem, Problem::IdentityUnknown);
}

#[test]
fn a_segment_may_begin_with_a_record_of_the_logs_own_that_does_not_say_whose_it_is() {
    let mut log = Composed::begun();
    log.event();
    log.rotate();
    let recover = recovered();
    let name = recover.quarantine.clone();
    log.own(&Announcement::Recover(recover));
    let (log_id, disk) = (log.log_id, log.write());
    disk.write_file(in_folder(&name), "torn").unwrap();
    let told = report(&disk);
    assert_eq!((told.verdict(), told.log_id), (Verdict::Sound, Some(log_id)), "{told}");
}

#[test]
fn of_two_files_that_begin_with_a_genesis_the_older_says_whose_log_it_is() {
    let other = {
        let mut other = Composed::new();
        other.log_id = LogId::from_bytes([9; 16]);
        let genesis = other.genesis();
        other.own(&genesis);
        other.lines().to_vec()
    };
    let mut log = Composed::begun();
    log.event();
    log.rotate();
    log.event();
    let (log_id, disk) = (log.log_id, log.write());
    // Between the two that there are.
    let older = disk.read_file(in_folder("audit.log.1")).unwrap();
    disk.write_file(in_folder("audit.log.2"), older).unwrap();
    disk.write_file(in_folder("audit.log.1"), other).unwrap();
    let told = report(&disk);
    assert_eq!((told.verdict(), told.log_id), (Verdict::Broken, Some(log_id)), "{told}");
    assert_eq!(told.findings[0].file.as_deref(), Some("audit.log.1"), "{told}");
}

#[test]
fn a_first_line_that_is_no_record_leaves_the_rest_to_the_rows() {
    let mut log = Composed::begun();
    log.event();
    log.event();
    let (key, disk) = (log.key.verifier_key(), log.write());
    let bytes = disk.read_file(in_folder("audit.log")).unwrap();
    let end = bytes.iter().position(|byte| *byte == b'\n').unwrap();
    disk.write_file(in_folder("audit.log"), [b"hello", &bytes[end..]].concat()).unwrap();
    let told = verify(&storage(&disk), Path::new(FOLDER), &[key]);
    let first = &told.findings[0];
    assert_eq!((first.problem, first.seq), (Problem::NotARecord, Some(0)), "{told}");
    assert_eq!((told.records, told.next_seq), (2, Some(3)), "{told}");
    assert!(told.root.is_some(), "the rows have the leaf of what was there: {told}");
}

#[test]
fn a_genesis_that_was_changed_is_told_as_that_and_the_chain_goes_on_from_it() {
    let mut log = Composed::begun();
    log.event();
    let (key, disk) = (log.key.verifier_key(), log.write());
    let bytes = disk.read_file(in_folder("audit.log")).unwrap();
    let at = bytes.windows(7).position(|seven| seven == b"example").unwrap();
    disk.flip_byte(in_folder("audit.log"), at, 1).unwrap();
    disk.flip_byte(in_folder("audit.log"), at + 1, 1).unwrap();
    let told = verify(&storage(&disk), Path::new(FOLDER), &[key]);
    let found = the(&told, Problem::HashMismatch);
    assert_eq!((found.seq, told.next_seq), (Some(0), Some(2)), "{told}");
    let evidence = "tree/0 has the hash that the line states, so the entry was changed";
    assert_eq!(found.evidence, [evidence], "{told}");
    assert!(told.findings.iter().all(|found| found.problem != Problem::ChainBroken), "{told}");
}

#[test]
fn a_genesis_that_lost_a_sector_keeps_its_place() {
    let mut log = Composed::new();
    let continues = Some(Continues {
        log_id: LogId::from_bytes([8; 16]),
        checkpoint: String::new(),
        reason: "x".repeat(1_500),
    });
    let genesis = Announcement::Create(Create { continues, ..log.create() });
    log.own(&genesis);
    log.event();
    let disk = log.write();
    let mut bytes = disk.read_file(in_folder("audit.log")).unwrap();
    bytes[1_024..1_536].fill(0);
    disk.write_file(in_folder("audit.log"), bytes.clone()).unwrap();
    let told = report(&disk);
    let found = the(&told, Problem::NulRun);
    assert_eq!((found.seq, told.first_seq), (Some(0), Some(0)), "{told}");
    assert_eq!(found.evidence, ["record 0 stood there"], "{told}");

    // Without its head nobody knows what it was.
    bytes[..512].fill(0);
    disk.write_file(in_folder("audit.log"), bytes).unwrap();
    let told = report(&disk);
    let found = the(&told, Problem::NulRun);
    assert_eq!((found.offset, found.evidence.len()), (Some(0), 0), "{told}");
}
