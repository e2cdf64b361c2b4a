//! What a bare chain cannot show: cut off at a signed size, rolled back, rewritten with another key, or rewritten and
//! signed again with the log's own. Each is found with a key, a kept checkpoint or a kept receipt, as fits, and is sound
//! but not called anchored without.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use indelible::format::chain::{Hash, Link, seal};
use indelible::format::checkpoint::Checkpoint;
use indelible::format::identity::Origin;
use indelible::format::note::{SignerKey, VerifierKey};
use indelible::format::tree::{Frontier, leaf_hash};
use indelible::{
    AuditLog, Event, FindingClass, KeptCheckpoint, Options, Problem, Progress, Receipt, Receipts,
    Report, Verdict, Verifier,
};

use crate::checker::{verify, write};
use crate::reference::disk;

const ORIGIN: &str = "example.com/audit";

fn options() -> Options {
    Options::default().with_origin(ORIGIN.parse().unwrap()).with_max_file_size(200 << 10)
}

/// What somebody outside has kept.
struct Kept {
    key: VerifierKey,
    checkpoint: String,
    receipts: Vec<Receipt>,
}

/// A log in a folder of its own, and what was kept of it from outside.
struct Logged {
    place: tempfile::TempDir,
    /// After `EARLY` events.
    early: Kept,
    /// After `ALL` events.
    late: Kept,
}

const EARLY: usize = 700;
const ALL: usize = 1_500;

fn append(log: &AuditLog, texts: impl Iterator<Item = String>) -> Vec<Receipt> {
    let events: Vec<Event> = texts.map(|text| Event::new("agent:7", "read", text)).collect();
    let pending = log.submit_all(&events).unwrap();
    pending.into_iter().map(|pending| pending.wait().unwrap()).collect()
}

fn file(number: usize) -> String {
    format!("file:{number}:{}", "x".repeat(number % 300))
}

pub(crate) fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

impl Logged {
    /// Makes the log `audit`, and `early`, a copy of it as it was after `EARLY` events.
    fn new() -> Self {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("audit");
        let log = AuditLog::create(&folder, options()).unwrap();
        let key = log.identity().verifier_key().clone();
        let receipts = append(&log, (0..EARLY).map(file));
        let early = Kept { key: key.clone(), checkpoint: log.checkpoint().unwrap(), receipts };
        log.close().unwrap();
        copy(&folder, &place.path().join("early"));
        let log = AuditLog::open(&folder, options()).unwrap();
        let receipts = append(&log, (EARLY..ALL).map(file));
        let late = Kept { key, checkpoint: log.checkpoint().unwrap(), receipts };
        log.close().unwrap();
        Self { place, early, late }
    }

    fn folder(&self) -> PathBuf {
        self.place.path().join("audit")
    }

    fn early_copy(&self) -> PathBuf {
        self.place.path().join("early")
    }

    /// The log goes on from the early copy with other events, signed with its own key.
    fn fork(&self) -> PathBuf {
        let fork = self.place.path().join("fork");
        copy(&self.early_copy(), &fork);
        std::fs::copy(self.place.path().join("audit.key"), self.place.path().join("fork.key"))
            .unwrap();
        let log = AuditLog::open(&fork, options()).unwrap();
        drop(append(&log, (EARLY..ALL + 50).map(|number| format!("other:{number}"))));
        log.close().unwrap();
        fork
    }
}

/// A verifier of `folder` with nothing from outside.
fn bare(folder: &Path) -> Verifier {
    Verifier::on(disk(), folder)
}

fn checkpoint(note: &str) -> KeptCheckpoint {
    KeptCheckpoint::read_all("kept.txt", note.as_bytes()).unwrap().remove(0)
}

pub(crate) fn receipts(of: &[Receipt]) -> Receipts {
    let lines = of.iter().map(Receipt::to_string).collect::<Vec<_>>().join("\n");
    let mut receipts = Receipts::default();
    receipts.read("kept.jsonl", lines.as_bytes()).unwrap();
    receipts
}

fn with_checkpoint(folder: &Path, kept: &Kept) -> Report {
    bare(folder).with_checkpoint(checkpoint(&kept.checkpoint)).verify().unwrap()
}

fn with_receipts(folder: &Path, kept: &Kept) -> Report {
    bare(folder).with_receipts(receipts(&kept.receipts)).verify().unwrap()
}

fn with_key(folder: &Path, kept: &Kept) -> Report {
    bare(folder).with_key(kept.key.clone()).verify().unwrap()
}

#[track_caller]
fn assert_found(report: &Report, class: FindingClass, problem: Problem) {
    assert_eq!(report.verdict(), Verdict::Broken, "{report}");
    let first = report.findings.first().unwrap();
    assert_eq!((first.class, first.problem), (class, problem), "{report}");
    assert!(report.anchored, "{report}");
}

/// Sound, but nothing from outside was held against it, and the report says so.
#[track_caller]
fn assert_sound_but_not_anchored(folder: &Path) {
    let report = verify(&disk(), folder, &[]);
    assert_eq!(report.verdict(), Verdict::Sound, "{report}");
    assert!(!report.anchored, "{report}");
    assert!(report.findings.iter().any(|f| f.problem == Problem::NotAnchored), "{report}");
    assert!(report.not_ruled_out().contains("nothing from outside"), "{report}");
}

#[track_caller]
fn assert_sound_and_anchored(report: &Report, covered: Option<usize>) {
    assert_eq!(report.verdict(), Verdict::Sound, "{report}");
    assert!(report.anchored, "{report}");
    assert!(report.findings.is_empty(), "{report}");
    let covered = covered.map(|covered| u64::try_from(covered).unwrap());
    assert_eq!(report.anchors.covered, covered, "{report}");
}

#[test]
fn a_healthy_log_is_sound_under_everything_that_was_kept_of_it() {
    let log = Logged::new();
    for kept in [&log.early, &log.late] {
        let size = usize::try_from(kept.receipts.last().unwrap().seq).unwrap() + 1;
        assert_sound_and_anchored(&with_checkpoint(&log.folder(), kept), Some(size));
        assert_sound_and_anchored(&with_receipts(&log.folder(), kept), Some(size));
        assert_sound_and_anchored(&with_key(&log.folder(), kept), None);
    }
    let all = bare(&log.folder())
        .with_key(log.late.key.clone())
        .with_checkpoint(checkpoint(&log.early.checkpoint))
        .with_checkpoint(checkpoint(&log.late.checkpoint))
        .with_receipts(receipts(&log.late.receipts))
        .with_origin(ORIGIN.parse().unwrap());
    let report = all.verify().unwrap();
    assert_sound_and_anchored(&report, Some(ALL + 1));
    assert_eq!((report.anchors.keys, report.anchors.checkpoints), (1, 2));
    assert_eq!(report.anchors.receipts, u64::try_from(ALL - EARLY).unwrap());
    assert_sound_but_not_anchored(&log.folder());
}

#[test]
fn cut_off_at_a_signed_size_is_found_with_a_checkpoint_or_a_receipt_and_not_with_the_key() {
    let log = Logged::new();
    let (folder, early) = (log.folder(), log.early_copy());
    for name in ["audit.log", "audit.log.1", "audit.log.2", "audit.log.3", "audit.log.4"] {
        if folder.join(name).exists() {
            std::fs::remove_file(folder.join(name)).unwrap();
        }
    }
    for entry in std::fs::read_dir(&early).unwrap().map(Result::unwrap) {
        let name = entry.file_name();
        // The rows stay as they are: longer than the records.
        if entry.file_type().unwrap().is_file() {
            write(&folder.join(name), &std::fs::read(entry.path()).unwrap());
        }
    }
    assert_sound_but_not_anchored(&folder);
    assert_sound_and_anchored(&with_key(&folder, &log.late), None);
    assert_sound_and_anchored(&with_checkpoint(&folder, &log.early), Some(EARLY + 1));
    let report = with_checkpoint(&folder, &log.late);
    assert_found(&report, FindingClass::Missing, Problem::KeptBeyond);
    let report = with_receipts(&folder, &log.late);
    assert_found(&report, FindingClass::Missing, Problem::ReceiptRecordMissing);
    let first = &report.findings[0];
    assert_eq!(first.seq, Some(u64::try_from(EARLY).unwrap() + 1), "{report}");
    assert!(first.evidence.iter().any(|e| e == "tree/0 still has its leaf"), "{report}");
    let more = format!("{} more receipts show the same, up to record {ALL}", ALL - EARLY - 1);
    assert!(first.evidence.contains(&more), "{report}");
}

#[test]
fn rolled_back_to_an_older_copy_is_found_with_a_checkpoint_or_a_receipt_and_not_with_the_key() {
    let log = Logged::new();
    let folder = log.early_copy();
    assert_sound_but_not_anchored(&folder);
    let report = with_key(&folder, &log.late);
    assert_sound_and_anchored(&report, None);
    assert!(report.not_ruled_out().contains("rolled back to an older signed state"), "{report}");
    assert_found(&with_checkpoint(&folder, &log.late), FindingClass::Missing, Problem::KeptBeyond);
    assert_found(
        &with_receipts(&folder, &log.late),
        FindingClass::Missing,
        Problem::ReceiptRecordMissing,
    );
}

#[test]
fn rewritten_whole_with_another_key_is_found_with_a_key_a_checkpoint_or_a_receipt() {
    let log = Logged::new();
    let folder = log.place.path().join("forged");
    let forged = AuditLog::create(&folder, options()).unwrap();
    drop(append(&forged, (0..ALL + 50).map(|number| format!("other:{number}"))));
    forged.close().unwrap();
    assert_sound_but_not_anchored(&folder);
    assert_other_key(&with_key(&folder, &log.late), &log.late);
    let report = with_receipts(&folder, &log.late);
    let first = &report.findings[0];
    assert_eq!((first.class, first.problem), (FindingClass::Missing, Problem::ReceiptOfAnotherLog));
    for kept in [&log.early, &log.late] {
        assert_not_the_root_that_was_kept(&with_checkpoint(&folder, kept), &kept.key);
    }
    let both = bare(&folder).with_key(log.late.key.clone());
    let both = both.with_checkpoint(checkpoint(&log.late.checkpoint)).verify().unwrap();
    assert!(both.findings.iter().any(|f| f.problem == Problem::KeptRootMismatch), "{both}");
}

#[test]
fn rewritten_under_the_same_log_id_with_another_key_is_found_with_each_anchor() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("audit");
    let log = AuditLog::create(&folder, options()).unwrap();
    let key = log.identity().verifier_key().clone();
    let receipts = append(&log, (0..50).map(file));
    let kept = Kept { key: key.clone(), checkpoint: log.checkpoint().unwrap(), receipts };
    log.close().unwrap();
    rewrite_with_another_key(&folder, &key);
    assert_sound_but_not_anchored(&folder);
    assert_other_key(&with_key(&folder, &kept), &kept);
    let report = with_receipts(&folder, &kept);
    assert_found(&report, FindingClass::Tampering, Problem::ReceiptHashDiffers);
    assert_eq!(report.findings[0].seq, Some(1));
    // It is signed anew at the very size that was kept.
    assert_not_the_root_that_was_kept(&with_checkpoint(&folder, &kept), &key);
    // Given the forger's key, the kept note is by none that is known.
    let forger = SignerKey::from_seed(&ORIGIN.parse().unwrap(), &[9; 32]).verifier_key();
    let deceived = bare(&folder).with_key(forger.clone());
    let report = deceived.with_checkpoint(checkpoint(&kept.checkpoint)).verify().unwrap();
    assert_eq!((report.verdict(), report.anchors.checkpoints), (Verdict::Sound, 0), "{report}");
    let told = &report.findings[0];
    assert_eq!(told.problem, Problem::KeptKeyUnknown);
    assert!(told.evidence.iter().any(|e| e.contains("made anew by somebody")), "{report}");
    let keys = format!("the kept note is by key id {}, given was key {}", id(&key), id(&forger));
    assert!(told.evidence.contains(&keys), "{report}");
    assert_eq!(told.evidence[0], "the kept checkpoint is kept.txt, of 51 records", "{report}");
    assert_eq!((report.anchors.checkpoints_unknown, report.anchored), (1, true), "{report}");
}

#[test]
fn a_shorter_log_under_another_key_is_found_with_a_checkpoint() {
    let log = Logged::new();
    let folder = log.place.path().join("forged");
    let forged = AuditLog::create(&folder, options()).unwrap();
    drop(append(&forged, (0..5).map(file)));
    forged.close().unwrap();
    assert_sound_but_not_anchored(&folder);
    let report = with_checkpoint(&folder, &log.early);
    assert_found(&report, FindingClass::Missing, Problem::KeptBeyond);
    assert_tells_both_keys(&report, &log.early.key);
}

#[test]
fn a_kept_checkpoint_by_another_key_that_the_log_still_agrees_with_is_told() {
    let log = Logged::new();
    let early: Checkpoint = checkpoint(&log.early.checkpoint).checkpoint().clone();
    let other = SignerKey::from_seed(&early.origin, &[9; 32]);
    let kept = KeptCheckpoint::read_all("kept.txt", &early.sign(&other).encode()).unwrap();
    let report = bare(&log.folder()).with_checkpoint(kept[0].clone()).verify().unwrap();
    assert_eq!((report.verdict(), report.anchored), (Verdict::Sound, true), "{report}");
    assert_eq!(report.anchors.covered, Some(u64::try_from(EARLY).unwrap() + 1));
    let told = &report.findings[0];
    assert_eq!(told.problem, Problem::KeptSignatureUnchecked, "{report}");
    assert_eq!(told.class, FindingClass::KeyUnknown);
    let agrees = "the log has the records and the root that it names";
    assert_eq!(told.evidence.last().map(String::as_str), Some(agrees), "{report}");
    // Nobody says so of a log that was not looked at whole, or in which something is wrong.
    let progress = Arc::new(Progress::default());
    progress.stop();
    let stopped = bare(&log.folder()).with_checkpoint(kept[0].clone()).with_progress(progress);
    let stopped = stopped.verify().unwrap();
    let path = log.folder().join("audit.log");
    let text = std::fs::read_to_string(&path).unwrap();
    write(&path, text.replacen("agent:7", "agent:8", 1).as_bytes());
    let changed = bare(&log.folder()).with_checkpoint(kept[0].clone()).verify().unwrap();
    for (report, verdict) in [(stopped, Verdict::Unfinished), (changed, Verdict::Broken)] {
        assert_eq!(report.verdict(), verdict, "{report}");
        let mut told = report.findings.iter();
        let told = told.find(|found| found.problem == Problem::KeptSignatureUnchecked).unwrap();
        assert!(told.evidence.iter().all(|evidence| evidence != agrees), "{report}");
    }
}

fn id(key: &VerifierKey) -> String {
    key.to_string().split('+').nth(1).unwrap().to_owned()
}

/// The evidence names the key of the kept note and another, which the log names.
#[track_caller]
fn assert_tells_both_keys(report: &Report, kept: &VerifierKey) {
    let keys = format!("the kept note is by key id {}, the log names key ", id(kept));
    assert!(report.findings[0].evidence.iter().any(|e| e.starts_with(&keys)), "{report}");
}

#[track_caller]
fn assert_not_the_root_that_was_kept(report: &Report, kept: &VerifierKey) {
    assert_found(report, FindingClass::Tampering, Problem::KeptRootMismatch);
    assert_tells_both_keys(report, kept);
    let text = report.to_string();
    assert!(!text.contains("elsewhere: --checkpoint"), "{text}");
}

/// None of the keys given is the log's.
#[track_caller]
fn assert_other_key(report: &Report, kept: &Kept) {
    assert_found(report, FindingClass::Missing, Problem::KeyOfAnotherLog);
    let name = ORIGIN;
    let evidence = &report.findings[0].evidence[0];
    assert!(evidence.starts_with(&format!("record 0 names the key {name}+")), "{report}");
    assert!(
        evidence.ends_with(&format!(", the key given is {name}+{}", id(&kept.key))),
        "{report}"
    );
    let text = report.to_string();
    assert!(text.contains("missing: the log that was asked for is not here."), "{text}");
    assert!(!text.contains("something that was there is gone"), "{text}");
}

/// Puts a key of somebody else's into a log of one segment, and hashes and signs everything anew.
fn rewrite_with_another_key(folder: &Path, key: &VerifierKey) {
    let origin: Origin = ORIGIN.parse().unwrap();
    let forger = SignerKey::from_seed(&origin, &[9; 32]);
    let (mut lines, mut rows, mut tree) = (Vec::new(), Vec::new(), Frontier::new());
    let mut last = Hash::ZERO;
    for line in std::fs::read(folder.join("audit.log")).unwrap().split_inclusive(|b| *b == b'\n') {
        let link = Link::split(line.strip_suffix(b"\n").unwrap()).unwrap();
        let entry = std::str::from_utf8(link.entry_head).unwrap();
        let entry = entry.replace(&key.to_string(), &forger.verifier_key().to_string());
        let mut sealed = entry.replace("agent:7", "agent:8").into_bytes();
        last = seal(&mut sealed, 0, &last);
        lines.extend(sealed);
        lines.push(b'\n');
        rows.extend(leaf_hash(&last).as_bytes());
        tree.push(leaf_hash(&last));
    }
    write(&folder.join("audit.log"), &lines);
    write(&folder.join("tree/0"), &rows);
    let checkpoint = Checkpoint { origin, size: tree.size(), root: tree.root() };
    write(&folder.join("checkpoint"), &checkpoint.sign(&forger).encode());
}

#[test]
fn rewritten_and_signed_again_with_the_logs_own_key_is_found_with_a_checkpoint_or_a_receipt() {
    let log = Logged::new();
    let fork = log.fork();
    assert_sound_but_not_anchored(&fork);
    let report = with_key(&fork, &log.late);
    assert_sound_and_anchored(&report, None);
    assert!(
        report.not_ruled_out().contains("somebody who has the private key rewrote it"),
        "{report}"
    );
    // What was kept from before the change shows nothing of it, and says how far it reaches.
    let report = with_checkpoint(&fork, &log.early);
    assert_sound_and_anchored(&report, Some(EARLY + 1));
    let limit = format!("records after the first {} were cut off", EARLY + 1);
    assert!(report.not_ruled_out().contains(&limit), "{report}");
    let both = bare(&fork)
        .with_checkpoint(checkpoint(&log.early.checkpoint))
        .with_checkpoint(checkpoint(&log.late.checkpoint));
    let report = both.verify().unwrap();
    assert_found(&report, FindingClass::Tampering, Problem::KeptRootMismatch);
    let changed = format!("the first {} records are as in another kept", EARLY + 1);
    let told = |what: &str| report.findings[0].evidence.iter().any(|e| e.contains(what));
    assert!(told(&changed) && told("it was hashed and signed again"), "{report}");
    assert!(report.root.is_some(), "the log's own notes are still compared");
    let report = with_receipts(&fork, &log.late);
    assert_found(&report, FindingClass::Tampering, Problem::ReceiptHashDiffers);
    let first = &report.findings[0];
    // One record of opening again lies between.
    assert_eq!(first.seq, Some(log.late.receipts[0].seq));
    assert!(first.file.is_some() && first.offset.is_some());
}

#[test]
fn two_roots_for_one_size_are_a_fork() {
    let log = Logged::new();
    let fork = log.place.path().join("fork");
    copy(&log.early_copy(), &fork);
    std::fs::copy(log.place.path().join("audit.key"), log.place.path().join("fork.key")).unwrap();
    let other = AuditLog::open(&fork, options()).unwrap();
    drop(append(&other, (EARLY..ALL).map(|number| format!("other:{number}"))));
    let note = other.checkpoint().unwrap();
    other.close().unwrap();
    assert_eq!(note.lines().nth(1), log.late.checkpoint.lines().nth(1), "the same size");
    let report = with_checkpoint(&fork, &log.late);
    assert_found(&report, FindingClass::Tampering, Problem::Forked);
    assert_eq!(report.findings[0].file.as_deref(), Some("checkpoint"));
}

#[test]
fn pruned_records_are_held_against_their_leaves() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("audit");
    let log = AuditLog::create(&folder, options().with_max_files(2)).unwrap();
    let early = append(&log, (0..50).map(file));
    let note = log.checkpoint().unwrap();
    let late = append(&log, (50..3_000).map(file));
    log.close().unwrap();
    let all = [early.clone(), late].concat();
    let report = bare(&folder)
        .with_checkpoint(checkpoint(&note))
        .with_receipts(receipts(&all))
        .verify()
        .unwrap();
    assert_eq!(report.verdict(), Verdict::Sound, "{report}");
    assert!(report.first_seq > Some(51), "{report}");
    assert_eq!(report.anchors.receipts, 3_000);
    assert!(report.anchors.receipts_pruned > 50, "{report}");
    let mut changed = early;
    changed[7].hash = changed[8].hash;
    let report = bare(&folder).with_receipts(receipts(&changed)).verify().unwrap();
    assert_found(&report, FindingClass::Tampering, Problem::ReceiptHashDiffers);
    let first = &report.findings[0];
    assert_eq!((first.file.as_deref(), first.seq), (Some("tree/0"), Some(changed[7].seq)));
}

#[test]
fn a_checkpoint_covers_from_the_beginning_and_receipts_from_the_first_record_in_the_folder() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("audit");
    let log = AuditLog::create(&folder, options().with_max_files(2)).unwrap();
    let all = append(&log, (0..50).map(file));
    let early = log.checkpoint().unwrap();
    let all = [all, append(&log, (50..3_000).map(file))].concat();
    let late = log.checkpoint().unwrap();
    log.close().unwrap();
    for (note, is_late) in [(None, false), (Some(early), false), (Some(late), true)] {
        let verifier = bare(&folder).with_receipts(receipts(&all));
        let verifier = match &note {
            Some(note) => verifier.with_checkpoint(checkpoint(note)),
            None => verifier,
        };
        let report = verifier.verify().unwrap();
        let first = report.first_seq.unwrap();
        assert!(first > 51, "{report}");
        let from = if is_late { 0 } else { first };
        let anchors = report.anchors;
        assert_eq!((anchors.covered_from, anchors.covered), (from, report.next_seq), "{note:?}");
    }
}

#[test]
fn a_verification_that_was_stopped_has_compared_no_receipt() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("audit");
    let log = AuditLog::create(&folder, options().with_max_files(1)).unwrap();
    let pruned = append(&log, (0..50).map(file));
    drop(append(&log, (50..3_000).map(file)));
    log.close().unwrap();
    let progress = Arc::new(Progress::default());
    progress.stop();
    let verifier = bare(&folder).with_receipts(receipts(&pruned)).with_progress(progress);
    let report = verifier.verify().unwrap();
    assert_eq!((report.verdict(), report.anchored), (Verdict::Unfinished, false), "{report}");
    assert_eq!((report.anchors.receipts, report.anchors.covered), (0, None), "{report}");
}

#[test]
fn a_receipt_with_another_time_is_found() {
    let log = Logged::new();
    let mut changed = log.late.receipts.clone();
    changed[3].timestamp = changed[3].timestamp.saturating_add_ns(1);
    let report = bare(&log.folder()).with_receipts(receipts(&changed)).verify().unwrap();
    assert_found(&report, FindingClass::Tampering, Problem::ReceiptTimeDiffers);
    assert_eq!(report.findings[0].seq, Some(changed[3].seq));
}

#[test]
fn few_receipts_far_apart_are_each_held_against_their_record() {
    let log = Logged::new();
    let mut few: Vec<Receipt> = log.early.receipts.iter().step_by(97).copied().collect();
    few.extend(log.late.receipts.iter().step_by(101));
    few.reverse();
    let report = bare(&log.folder()).with_receipts(receipts(&few)).verify().unwrap();
    assert_eq!(report.verdict(), Verdict::Sound, "{report}");
    few[5].hash = few[6].hash;
    let report = bare(&log.folder()).with_receipts(receipts(&few)).verify().unwrap();
    assert_eq!(report.findings[0].seq, Some(few[5].seq), "{report}");
}

#[test]
fn another_origin_or_another_logs_checkpoint_is_found() {
    let log = Logged::new();
    let report =
        bare(&log.folder()).with_origin("example.org/audit".parse().unwrap()).verify().unwrap();
    assert_eq!(report.verdict(), Verdict::Broken);
    assert_eq!(report.findings[0].problem, Problem::OriginDiffers);
    assert!(!report.anchored, "an origin is no anchor");
    let other = log.place.path().join("other");
    let other = AuditLog::create(&other, Options::default()).unwrap();
    let note = other.checkpoint().unwrap();
    let report = bare(&log.folder()).with_checkpoint(checkpoint(&note)).verify().unwrap();
    assert_eq!(report.verdict(), Verdict::Broken);
    assert_eq!(report.findings[0].problem, Problem::KeptOfAnotherLog);
}

#[test]
fn a_kept_checkpoint_that_was_changed_is_not_compared_and_not_passed_over() {
    let log = Logged::new();
    let size = format!("\n{}\n", ALL + 1);
    assert!(log.late.checkpoint.contains(&size));
    let flipped = log.late.checkpoint.replace(&size, &format!("\n{ALL}\n"));
    let report = bare(&log.folder()).with_checkpoint(checkpoint(&flipped)).verify().unwrap();
    assert_eq!(report.verdict(), Verdict::Broken);
    let first = &report.findings[0];
    // The last digit differs in one bit.
    assert_eq!((first.class, first.problem), (FindingClass::Damage, Problem::KeptForged));
    let other = log.late.checkpoint.replace(&size, "\n1234\n");
    let report = bare(&log.folder()).with_checkpoint(checkpoint(&other)).verify().unwrap();
    assert_eq!(report.findings[0].class, FindingClass::Tampering, "{report}");
    assert!(!report.anchored, "{report}");
}

#[test]
fn a_record_changed_under_a_kept_checkpoint_is_told_at_its_place() {
    let log = Logged::new();
    let path = log.folder().join("audit.log.1");
    let text = std::fs::read_to_string(&path).unwrap();
    let target = text.lines().nth(3).unwrap();
    let seq = indelible::format::record::parse_head(target.as_bytes()).unwrap().seq;
    write(&path, text.replacen(target, &target.replace("agent:7", "agent:42"), 1).as_bytes());
    let report = bare(&log.folder())
        .with_checkpoint(checkpoint(&log.late.checkpoint))
        .with_receipts(receipts(&log.late.receipts))
        .verify()
        .unwrap();
    assert_found(&report, FindingClass::Tampering, Problem::HashMismatch);
    assert_eq!((report.findings.len(), report.findings[0].seq), (1, Some(seq)), "{report}");
}

#[test]
fn what_a_running_log_gave_out_holds_at_every_moment() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("audit");
    let interval = std::time::Duration::from_millis(5);
    let options = options().with_max_files(3).with_checkpoint_interval(interval);
    let log = AuditLog::create(&folder, options).unwrap();
    let key = log.identity().verifier_key().clone();
    let given_out = Mutex::new((Vec::new(), log.checkpoint().unwrap()));
    let done = AtomicBool::new(false);
    let (log, given_out, done) = (&log, &given_out, &done);
    std::thread::scope(|scope| {
        scope.spawn(move || {
            for round in 0..60 {
                let receipts = append(log, (0..100).map(|number| file(round * 100 + number)));
                let mut given_out = given_out.lock().unwrap();
                given_out.0.extend(receipts);
                given_out.1 = log.checkpoint().unwrap();
            }
            log.close().unwrap();
            done.store(true, Ordering::SeqCst);
        });
        let mut looks = 0;
        while !done.load(Ordering::SeqCst) {
            let (kept, note) = given_out.lock().unwrap().clone();
            let verifier = bare(&folder).with_key(key.clone()).with_checkpoint(checkpoint(&note));
            let verifier =
                if kept.is_empty() { verifier } else { verifier.with_receipts(receipts(&kept)) };
            let report = verifier.verify().unwrap();
            assert_eq!(report.verdict(), Verdict::Sound, "{report}");
            assert_eq!(report.anchors.receipts, u64::try_from(kept.len()).unwrap());
            looks += 1;
        }
        assert!(looks > 1, "the log was closed before anybody looked twice");
    });
    let kept = given_out.lock().unwrap().0.clone();
    let report = bare(&folder).with_receipts(receipts(&kept)).verify().unwrap();
    assert_eq!(report.verdict(), Verdict::Sound, "{report}");
    assert!(report.anchors.receipts_pruned > 0 && report.first_seq > Some(0), "{report}");
}

proptest::proptest! {
    #[test]
    fn no_bytes_make_reading_what_was_kept_panic(
        bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..300),
        at in 0_usize..200,
    ) {
        const NOTE: &str = "a\n5\npaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaU=\n\n\u{2014} a AAAAAAA=\n";
        const RECEIPT: &str = "{\"log_id\":\"000102030405060708090a0b0c0d0e0f\",\"seq\":7,\"hash\":\"a5\"}\n";
        for text in [NOTE, RECEIPT] {
            let mut mixed = text.as_bytes().to_vec();
            let at = at.min(mixed.len());
            mixed.splice(at..at, bytes.iter().copied());
            let mut read = Receipts::default();
            // Neither is a receipt, whatever stands in it.
            proptest::prop_assert!(read.read("kept", mixed.as_slice()).is_err());
            if let Ok(kept) = KeptCheckpoint::read_all("kept", &mixed) {
                proptest::prop_assert!(kept.iter().all(|kept| kept.checkpoint().origin.as_str().len() < 300));
            }
        }
    }
}
