//! Crashes and failures at every operation, on the simulated disk. After each, in every state that the disk may be in:
//! the log opens, what was acknowledged is at its place, the whole verifies, and opening again changes nothing.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use indelible::storage::Storage;
use indelible::storage::simulated::{Errno, FaultPlan, OperationKind, SimulatedDisk};
use indelible::{AuditLog, Event, Idempotency, OpenError, Options, Receipt};

use crate::checker::assert_log_is_sound;

const FOLDER: &str = "/logs/audit";
/// Crash states looked at for one crash point.
const STATES: usize = 24;

/// No background work at its own time, so that operations come in one order.
fn options() -> Options {
    let never = Idempotency { period: Duration::ZERO, records: 0, memory_size_max: 1 << 20 };
    Options::default()
        .with_entry_size_max(64 << 10)
        .with_max_file_size(192 << 10)
        .with_max_files(1)
        .with_checkpoint_interval(Duration::from_hours(1))
        .with_idempotency(never)
}

fn disk() -> SimulatedDisk {
    let disk = SimulatedDisk::new();
    disk.plant_folder(Path::new("/logs")).unwrap();
    disk
}

fn storage(disk: &SimulatedDisk) -> Arc<dyn Storage> {
    Arc::new(disk.clone())
}

fn event(number: usize) -> Event {
    Event::new("a", "b", format!("r{number}"))
        .metadata(serde_json::json!({"x": "y".repeat(50_000)}))
}

/// Creation, three rotations with prunes, a checkpoint, a close; returns what was acknowledged.
fn workload(disk: &SimulatedDisk, receipts: &mut Vec<Receipt>) {
    let Ok(log) = AuditLog::create_on(storage(disk), FOLDER, options()) else { return };
    for number in 0..14 {
        match log.append(event(number)) {
            Ok(receipt) => receipts.push(receipt),
            Err(_) if disk.has_crashed() => break,
            Err(_) => {}
        }
        if number % 4 == 1 {
            drop(log.checkpoint());
        }
    }
    drop(log.close());
}

/// Opens what a crash left, and holds it against what was acknowledged.
fn check_after_crash(disk: &SimulatedDisk, receipts: &[Receipt], what: &str) {
    let log = match AuditLog::open_on(storage(disk), FOLDER, options()) {
        Ok(log) => log,
        Err(OpenError::NotFound { .. }) if receipts.is_empty() => {
            // Creation did not come to its end: it can begin anew.
            match AuditLog::create_on(storage(disk), FOLDER, options()) {
                Ok(log) => log,
                Err(e) => panic!("{what}: not created anew: {e}"),
            }
        }
        Err(e) => panic!("{what}: not opened: {e}"),
    };
    let records = log.records();
    if let Some(last) = receipts.last() {
        assert!(records > last.seq, "{what}: record {} is gone, {records} are left", last.seq);
    }
    log.close().unwrap_or_else(|e| panic!("{what}: not closed: {e}"));
    drop(log);
    assert_log_is_sound(&storage(disk), FOLDER, &[]);
    assert_receipts(disk, receipts, what);

    let log = AuditLog::open_on(storage(disk), FOLDER, options())
        .unwrap_or_else(|e| panic!("{what}: not opened again: {e}"));
    assert!(log.recovery().is_clean(), "{what}: mended again: {:?}", log.recovery());
    assert_eq!(log.records(), records, "{what}: opening again added records");
    let receipt = log.append(event(99)).unwrap_or_else(|e| panic!("{what}: not appendable: {e}"));
    assert!(receipt.seq >= records, "{what}");
    log.close().unwrap_or_else(|e| panic!("{what}: not closed: {e}"));
    drop(log);
    assert_log_is_sound(&storage(disk), FOLDER, &[]);
}

/// Every receipt whose segment is still kept is at its place.
fn assert_receipts(disk: &SimulatedDisk, receipts: &[Receipt], what: &str) {
    let mut text = Vec::new();
    for number in (0..20).rev() {
        let name = if number == 0 { "audit.log".to_owned() } else { format!("audit.log.{number}") };
        text.extend(disk.read_file(Path::new(FOLDER).join(name)).unwrap_or_default());
    }
    let text = String::from_utf8(text).expect("records are UTF-8");
    let first = text.strip_prefix("{\"seq\":").and_then(|rest| rest.split(',').next());
    let first: u64 = first.unwrap().parse().unwrap();
    for receipt in receipts.iter().filter(|receipt| receipt.seq >= first) {
        let begin = format!("{{\"seq\":{},\"timestamp\":\"{}\"", receipt.seq, receipt.timestamp);
        let line = text.lines().find(|line| line.starts_with(&begin));
        let line = line.unwrap_or_else(|| panic!("{what}: record {} is not there", receipt.seq));
        assert!(line.ends_with(&format!("\"_hash\":\"{}\"}}", receipt.hash)), "{what}");
    }
}

#[test]
fn after_a_crash_at_any_operation_nothing_acknowledged_is_gone() {
    let whole = disk();
    let mut receipts = Vec::new();
    workload(&whole, &mut receipts);
    assert_eq!(receipts.len(), 14);
    assert_log_is_sound(&storage(&whole), FOLDER, &[]);
    let count = whole.operation_count();
    let mut states = 0;
    for at in 0..count {
        let disk = disk();
        disk.crash_at(at);
        let mut receipts = Vec::new();
        workload(&disk, &mut receipts);
        for state in disk.crash_states(STATES) {
            let left = disk.after_crash(&state);
            check_after_crash(&left, &receipts, &format!("crash at operation {at}, {state:?}"));
            states += 1;
        }
    }
    println!("{count} crash points, {states} states");
    assert!(states > 1_000);
}

#[test]
fn a_crash_during_the_repair_of_a_crash_does_no_harm() {
    let disk = disk();
    let mut receipts = Vec::new();
    workload(&disk, &mut receipts);
    let path = Path::new(FOLDER).join("audit.log");
    let mut torn = disk.read_file(&path).unwrap();
    torn.extend_from_slice(b"{\"seq\":99,\"timest");
    disk.write_file(&path, torn).unwrap();
    let base = disk.fork();
    drop(AuditLog::open_on(storage(&disk), FOLDER, options()).unwrap());
    for at in 0..disk.operation_count() {
        let disk = base.fork();
        disk.crash_at(at);
        drop(AuditLog::open_on(storage(&disk), FOLDER, options()));
        for state in disk.crash_states(STATES) {
            let left = disk.after_crash(&state);
            check_after_crash(&left, &receipts, &format!("repair, crash at {at}, {state:?}"));
        }
    }
}

#[test]
fn each_operation_that_fails_once_loses_nothing_and_lies_about_nothing() {
    let whole = disk();
    workload(&whole, &mut Vec::new());
    for at in 0..whole.operation_count() {
        for errno in [Errno::IO, Errno::NOSPC] {
            let disk = disk();
            disk.fail(FaultPlan::at(at).with(errno));
            let mut receipts = Vec::new();
            workload(&disk, &mut receipts);
            disk.clear_faults();
            let what = format!(
                "{:?} failed with {errno}",
                disk.operations().into_iter().find(|operation| operation.index == at)
            );
            let left = disk.fork();
            if let Err(e @ OpenError::KeyWithoutFolder { .. }) =
                AuditLog::open_on(storage(&left), FOLDER, options())
            {
                panic!("{what}: {e}");
            }
            check_after_crash(&left, &receipts, &what);
        }
    }
}

#[test]
fn each_sync_that_fails_and_drops_what_was_written_loses_nothing_acknowledged() {
    let whole = disk();
    workload(&whole, &mut Vec::new());
    let syncs = whole.operations().into_iter().filter(|o| o.kind == OperationKind::SyncData);
    let mut count = 0;
    for sync in syncs {
        let disk = disk();
        disk.fail(FaultPlan::at(sync.index).dropping_dirty_data());
        let mut receipts = Vec::new();
        workload(&disk, &mut receipts);
        let what = format!("{sync:?} failed");
        // The machine goes on, with a cache that shows what the medium never got; and then the power fails.
        let left = disk.fork();
        check_after_crash(&left, &receipts, &what);
        let left = left.after_crash(&left.only_synced());
        check_after_crash(&left, &receipts, &format!("{what}, then the power"));
        count += 1;
    }
    assert!(count > 50, "{count}");
}

#[test]
fn a_sync_that_fails_during_the_repair_of_a_crash_does_no_harm() {
    let base = disk();
    let mut receipts = Vec::new();
    workload(&base, &mut receipts);
    let path = Path::new(FOLDER).join("audit.log");
    let torn = [&base.read_file(&path).unwrap()[..], b"{\"seq\":99,\"timest"].concat();
    base.write_file(&path, torn).unwrap();
    let whole = base.fork();
    drop(AuditLog::open_on(storage(&whole), FOLDER, options()).unwrap());
    let syncs = whole.operations().into_iter().filter(|o| o.kind == OperationKind::SyncData);
    for sync in syncs {
        let disk = base.fork();
        disk.fail(FaultPlan::at(sync.index).dropping_dirty_data());
        let opened = AuditLog::open_on(storage(&disk), FOLDER, options());
        let what = format!("repair, {sync:?} failed");
        assert_eq!(disk.faults_struck(), 1, "{what}");
        drop(opened);
        let left = disk.fork();
        check_after_crash(&left, &receipts, &what);
        let left = left.after_crash(&left.only_synced());
        check_after_crash(&left, &receipts, &format!("{what}, then the power"));
    }
}
