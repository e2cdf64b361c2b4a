//! Retention where the disk does not let a file go: the log is sound with it, says so, and tries again.

use indelible::storage::simulated::{Errno, FaultPlan, OperationKind, SimulatedDisk};
use indelible::{AuditLog, NotRemoved, Operation, Options};

use crate::checker::assert_log_is_sound;
use crate::scene::*;

fn keeping_one() -> Options {
    options().with_max_files(1)
}

/// No rotated file can be removed from now on.
fn hold_on_to_files(disk: &SimulatedDisk) {
    let unlink = FaultPlan::nth(0).of_kind(OperationKind::Unlink).matching(|operation| {
        let name = operation.path.file_name().and_then(|name| name.to_str());
        name.is_some_and(|name| name.starts_with("audit.log."))
    });
    disk.fail(unlink.with(Errno::PERM).from_then_on());
}

/// Appends until the log has rotated once more.
fn rotate(disk: &SimulatedDisk, log: &AuditLog) {
    let before = disk.operation_count();
    let rotated = |disk: &SimulatedDisk| {
        let operations = disk.operations().into_iter().skip(usize::try_from(before).unwrap());
        operations
            .filter(|operation| operation.kind == OperationKind::CreateNew)
            .any(|operation| operation.path.ends_with("audit.log"))
    };
    while !rotated(disk) {
        log.append(event(1)).unwrap();
    }
}

/// Names of the log's files, without those of the newest.
fn rotated_files(disk: &SimulatedDisk) -> Vec<String> {
    let names = disk.tree().into_keys();
    let names = names.filter_map(|path| Some(path.file_name()?.to_str()?.to_owned()));
    names.filter(|name| name.starts_with("audit.log.")).collect()
}

#[track_caller]
fn assert_told(not_removed: Option<NotRemoved>, segments: u64, oldest: &str) {
    let told = not_removed.expect("told");
    assert_eq!((told.segments, told.failure.operation), (segments, Operation::Remove));
    assert_eq!(told.failure.path, in_folder(oldest));
    assert_eq!(
        told.failure.to_string(),
        format!("could not remove /logs/audit/{oldest}: Operation not permitted (os error 1)")
    );
}

#[test]
fn a_pruned_file_that_the_disk_holds_on_to_is_told_and_tried_again_at_the_next_rotation() {
    let disk = disk();
    let log = AuditLog::create_on(storage(&disk), FOLDER, keeping_one()).unwrap();
    hold_on_to_files(&disk);
    rotate(&disk, &log);
    assert!(log.not_removed().is_none(), "nothing was to be removed yet");
    rotate(&disk, &log);
    assert_told(log.not_removed(), 1, "audit.log.2");
    rotate(&disk, &log);
    assert_told(log.not_removed(), 2, "audit.log.3");
    drop(assert_log_is_sound(&storage(&disk), FOLDER, &[]));

    disk.clear_faults();
    rotate(&disk, &log);
    assert!(log.not_removed().is_none());
    assert_eq!(rotated_files(&disk), ["audit.log.1"]);
    log.close().unwrap();
    assert_opening_does_nothing(&disk);
}

#[test]
fn a_pruned_file_that_the_disk_holds_on_to_is_tried_again_at_the_next_opening() {
    let disk = disk();
    let log = AuditLog::create_on(storage(&disk), FOLDER, keeping_one()).unwrap();
    hold_on_to_files(&disk);
    rotate(&disk, &log);
    rotate(&disk, &log);
    log.close().unwrap();
    drop(log);

    let log = AuditLog::open_on(storage(&disk), FOLDER, keeping_one()).unwrap();
    assert!(log.recovery().is_clean(), "{:?}", log.recovery());
    assert_told(log.not_removed(), 1, "audit.log.2");
    log.append(event(2)).unwrap();
    assert_told(log.not_removed(), 1, "audit.log.2");
    log.close().unwrap();
    drop(log);
    drop(assert_log_is_sound(&storage(&disk), FOLDER, &[]));

    disk.clear_faults();
    let log = AuditLog::open_on(storage(&disk), FOLDER, keeping_one()).unwrap();
    assert_eq!(log.recovery().removed_segments, 1);
    assert!(log.not_removed().is_none());
    assert_eq!(rotated_files(&disk), ["audit.log.1"]);
    log.close().unwrap();
    assert_opening_does_nothing(&disk);
}
