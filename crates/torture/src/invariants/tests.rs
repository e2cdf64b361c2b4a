//! Each invariant is violated once, and it is told.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use indelible::storage::Storage;
use indelible::storage::simulated::SimulatedDisk;
use indelible::{AuditLog, Event, Options, Receipt};

use super::*;

const FOLDER: &str = "/logs/audit";

fn options() -> Options {
    Options::default().with_checkpoint_interval(Duration::from_hours(1))
}

fn found(disk: &SimulatedDisk, sent: &Sent) -> Vec<String> {
    let storage: Arc<dyn Storage> = Arc::new(disk.clone());
    let (folder, options) = (Path::new(FOLDER), &options());
    check(Left { storage: &storage, folder, options, needs_repair: false }, sent)
}

#[track_caller]
fn assert_found(disk: &SimulatedDisk, sent: &Sent, what: &str) {
    let found = found(disk, sent);
    assert!(found.iter().any(|found| found.contains(what)), "{found:?}");
}

/// A log of three events, closed, and what was sent to it.
fn closed() -> (SimulatedDisk, Sent) {
    let (disk, mut sent) = (SimulatedDisk::new(), Sent::default());
    disk.plant_folder("/logs").unwrap();
    let log = AuditLog::create_on(Arc::new(disk.clone()), FOLDER, options()).unwrap();
    sent.created();
    for number in 0..3 {
        send(&log, &mut sent, &format!("r{number}"));
    }
    log.close().unwrap();
    (disk, sent)
}

fn send(log: &AuditLog, sent: &mut Sent, resource: &str) -> Receipt {
    sent.send(resource);
    let answer = log.append(Event::new("a", "b", resource));
    sent.answer(resource, &answer);
    answer.unwrap()
}

fn active(disk: &SimulatedDisk) -> Vec<u8> {
    disk.read_file("/logs/audit/audit.log").unwrap()
}

#[test]
fn a_log_that_a_crash_left_violates_nothing() {
    let (disk, mut sent) = closed();
    assert_eq!(found(&disk.fork(), &sent), [""; 0]);
    let whole = active(&disk);
    for torn in [&b"{\"seq\":4,"[..], &[0; 77], b"x"] {
        let disk = disk.fork();
        disk.write_file("/logs/audit/audit.log", [&whole, torn].concat()).unwrap();
        assert_eq!(found(&disk, &sent), [""; 0]);
    }
    // A record that is whole but for its line feed, beyond the mark.
    let left = disk.fork();
    let log = AuditLog::open_on(Arc::new(disk.clone()), FOLDER, options()).unwrap();
    send(&log, &mut sent, "last");
    let last = active(&disk);
    left.write_file("/logs/audit/audit.log", &last[..last.len() - 1]).unwrap();
    assert_eq!(found(&left, &sent), [""; 0]);
}

#[test]
fn no_log_where_none_was_created_is_made_anew() {
    let disk = SimulatedDisk::new();
    disk.plant_folder("/logs").unwrap();
    assert_eq!(found(&disk, &Sent::default()), [""; 0]);
    let (_, sent) = closed();
    let disk = SimulatedDisk::new();
    disk.plant_folder("/logs").unwrap();
    assert_found(&disk, &sent, "the log was created, and is not there");
}

#[test]
fn an_acknowledged_record_that_is_gone_or_another_or_there_twice_is_told() {
    let (disk, mut sent) = closed();
    let log = AuditLog::open_on(Arc::new(disk.clone()), FOLDER, options()).unwrap();
    let before = disk.fork();
    let receipt = send(&log, &mut sent, "kept?");
    assert_found(&before, &sent, "the log ends before it");
    drop(log);
    let mut other = sent.clone();
    let behind = Receipt::new(receipt.log_id, receipt.seq + 1, receipt.timestamp, receipt.hash);
    other.acknowledge("else", behind);
    assert_found(&disk.fork(), &other, "the log ends before it");
    let mut other = sent.clone();
    other.acknowledge("else", receipt);
    assert_found(&disk.fork(), &other, "was acknowledged for else");
    assert_found(&disk.fork(), &other, "was acknowledged after record");
    let log = AuditLog::open_on(Arc::new(disk.clone()), FOLDER, options()).unwrap();
    log.append(Event::new("a", "b", "kept?")).unwrap();
    drop(log);
    assert_found(&disk, &sent, "kept? is record 4, and record 5 too");
}

#[test]
fn a_record_that_nobody_sent_or_that_was_told_to_be_not_written_is_told() {
    let (disk, sent) = closed();
    let log = AuditLog::open_on(Arc::new(disk.clone()), FOLDER, options()).unwrap();
    log.append(Event::new("a", "b", "stranger")).unwrap();
    drop(log);
    assert_found(&disk.fork(), &sent, "(stranger) was sent by nobody");
    let mut refused = sent.clone();
    refused.send("stranger");
    assert_eq!(found(&disk.fork(), &refused), [""; 0]);
    refused.answer("stranger", &Err(AppendError::Closed));
    assert_found(&disk, &refused, "stranger was told to be not written");
}

#[test]
fn a_log_that_is_refused_or_damaged_is_told() {
    let (disk, sent) = closed();
    let whole = active(&disk);
    disk.write_file("/logs/audit/audit.log", &whole[..whole.len() - 1]).unwrap();
    assert_found(&disk, &sent, "the verifier says broken");
    assert_found(&disk, &sent, "not opened");
}

#[test]
fn what_is_cut_without_quarantine_or_record_is_told() {
    let (disk, _) = closed();
    let storage: Arc<dyn Storage> = Arc::new(disk.clone());
    let snapshot = || Snapshot::of(storage.as_ref(), Path::new(FOLDER)).unwrap();
    let (whole, after) = (active(&disk), snapshot());
    let lost = |bytes: Vec<u8>| {
        disk.write_file("/logs/audit/audit.log", bytes).unwrap();
        folder::lost(&snapshot(), &after)
    };
    assert_eq!(lost(whole.clone()), [""; 0]);
    assert_eq!(
        lost([&whole[..], b"torn"].concat()),
        ["4 torn bytes were cut, and are not in quarantine"]
    );
    let twice = [&whole[..], &whole[..]].concat();
    assert_eq!(lost(twice), ["records that were whole were cut or changed"]);
    disk.write_file("/logs/audit/quarantine/4-x", "torn").unwrap();
    let after = snapshot();
    disk.write_file("/logs/audit/audit.log", [&whole[..], b"torn"].concat()).unwrap();
    let told = folder::lost(&snapshot(), &after);
    assert_eq!(told, ["torn bytes were cut, and no record tells of quarantine/4-x"]);
    assert_eq!(folder::untold(&after, &[]), ["no record tells of quarantine/4-x"]);
}

/// A log that keeps one rotated segment, after several prunes.
fn pruned() -> (SimulatedDisk, Sent) {
    let (disk, mut sent) = (SimulatedDisk::new(), Sent::default());
    disk.plant_folder("/logs").unwrap();
    let options = options().with_entry_size_max(8 << 10).with_max_file_size(80 << 10);
    let options = options.with_max_files(1);
    let log = AuditLog::create_on(Arc::new(disk.clone()), FOLDER, options).unwrap();
    sent.created();
    for number in 0..50 {
        let resource = format!("r{number}");
        let event = Event::new("a", "b", &resource);
        let event = event.metadata(serde_json::json!({"x": "y".repeat(7_000)}));
        sent.send(&resource);
        sent.answer(&resource, &log.append(event));
    }
    log.close().unwrap();
    (disk, sent)
}

#[test]
fn what_was_pruned_must_have_been_asked_for_and_be_told_by_the_lines() {
    let (disk, mut sent) = pruned();
    assert_found(&disk.fork(), &sent, "records were pruned, and nothing asked for it");
    sent.prunes(2..=3);
    assert_found(&disk.fork(), &sent, "1 rotated segments were left by a prune, and 2..=3");
    sent.prunes(1..=1);
    assert_eq!(found(&disk.fork(), &sent), [""; 0]);
    let storage: Arc<dyn Storage> = Arc::new(disk.clone());
    let records = || {
        let snapshot = Snapshot::of(storage.as_ref(), Path::new(FOLDER)).unwrap();
        Segments::of(&snapshot).records().unwrap()
    };
    let judge = || records().judge_pruning(Some(&(1..=1)));
    assert_eq!(judge(), [""; 0]);
    assert!(sent.is_held(&records()));
    // Without the record that tells, what came before is missing; with a segment less, too.
    let (older, newest) = (disk.read_file("/logs/audit/audit.log.1").unwrap(), active(&disk));
    let lines: Vec<&[u8]> = newest.split_inclusive(|byte| *byte == b'\n').collect();
    let judged = |lines: &[&[u8]], what: &str| {
        disk.write_file("/logs/audit/audit.log", lines.concat()).unwrap();
        let told = judge();
        assert!(told.iter().any(|told| told.contains(what)), "{told:?}");
    };
    judged(&lines[1..], "no record of pruning reaches it");
    let later = [&lines[1..2], &lines[..1], &lines[2..]].concat();
    judged(&later, "is not the first of its segment");
    disk.write_file("/logs/audit/audit.log", &newest[..]).unwrap();
    disk.write_file("/logs/audit/audit.log.1", "").unwrap();
    let told = judge();
    assert!(told.iter().any(|told| told.contains("no record of pruning reaches it")), "{told:?}");
    assert!(!sent.is_held(&records()));
    disk.write_file("/logs/audit/audit.log.1", older).unwrap();
    assert_eq!(judge(), [""; 0]);
}

#[test]
fn an_event_that_goes_on_elsewhere_or_not_at_all_is_told() {
    let (disk, _) = closed();
    let storage: Arc<dyn Storage> = Arc::new(disk.clone());
    let (folder, options) = (Path::new(FOLDER), &options());
    let left = Left { storage: &storage, folder, options, needs_repair: false };
    let once = Snapshot::of(storage.as_ref(), folder).unwrap();
    let log = AuditLog::open_on(Arc::clone(&storage), FOLDER, options.clone()).unwrap();
    let receipt = log.append(Event::new("invariants", "go-on", GOES_ON)).unwrap();
    log.close().unwrap();
    let judged = |receipt| {
        let mut recovered = Recovered::default();
        recovered.judge_growth(left, &once, receipt).unwrap();
        recovered.violations
    };
    assert_eq!(judged(receipt), [""; 0]);
    let behind = Receipt::new(receipt.log_id, receipt.seq + 1, receipt.timestamp, receipt.hash);
    assert_eq!(judged(behind), ["gone on with record 5, and it is at [4]"]);
    let zero = indelible::format::chain::Hash::ZERO;
    let other = Receipt::new(receipt.log_id, receipt.seq, receipt.timestamp, zero);
    assert_eq!(judged(other), ["gone on with record 4, and it is at []"]);
}
