//! What an interrupted creation left is removed; what anybody else put there is not.

use std::path::Path;
use std::sync::Arc;

use indelible::storage::Storage;
use indelible::storage::simulated::{OperationKind, SimulatedDisk};
use indelible::{AuditLog, OpenError, Options};

use crate::checker::assert_log_is_sound;

fn disk() -> SimulatedDisk {
    let disk = SimulatedDisk::new();
    disk.plant_folder("/logs").unwrap();
    disk
}

fn storage(disk: &SimulatedDisk) -> Arc<dyn Storage> {
    Arc::new(disk.clone())
}

fn options() -> Options {
    Options::default().with_origin("example.com/audit".parse().unwrap())
}

/// A disk on which a creation was interrupted right before the folder takes its name.
fn interrupted() -> SimulatedDisk {
    let whole = disk();
    drop(AuditLog::create_on(storage(&whole), "/logs/audit", options()).unwrap());
    let operations = whole.operations();
    let last = operations.iter().find(|operation| operation.kind == OperationKind::Rename);
    let left = disk();
    left.crash_at(last.unwrap().index);
    assert!(AuditLog::create_on(storage(&left), "/logs/audit", options()).is_err());
    let left = left.fork();
    let state = left.crash_states(64).last().unwrap();
    left.after_crash(&state)
}

#[test]
fn what_a_creation_left_is_removed_with_its_key_and_told() {
    let disk = interrupted();
    let key = disk.read_file("/logs/audit.key").unwrap();
    assert!(disk.read_file("/logs/audit.creating/audit.log").is_ok());
    let log = AuditLog::create_on(storage(&disk), "/logs/audit", options()).unwrap();
    assert!(log.recovery().removed_left_over);
    log.close().unwrap();
    assert_ne!(disk.read_file("/logs/audit.key").unwrap(), key);
    assert_log_is_sound(&storage(&disk), "/logs/audit", &[]);
}

#[test]
fn a_folder_of_that_name_with_somebodys_files_is_refused_and_untouched() {
    for name in ["thesis.txt", "tree/notes", "tree/1", "quarantine/x", "audit.log.1"] {
        let disk = interrupted();
        let path = Path::new("/logs/audit.creating").join(name);
        disk.write_file(&path, "x").unwrap();
        let before = disk.tree();
        match AuditLog::create_on(storage(&disk), "/logs/audit", options()) {
            Err(OpenError::NotALeftOver { path: named }) => assert_eq!(named, path),
            other => panic!("{name}: {other:?}"),
        }
        assert_eq!(disk.tree(), before, "{name}");
    }
}

#[test]
fn a_key_that_is_not_the_one_of_the_interrupted_creation_is_kept() {
    let disk = interrupted();
    drop(AuditLog::create_on(storage(&disk), "/logs/other", options()).unwrap());
    let other = disk.read_file("/logs/other.key").unwrap();
    let with_key = options().with_key_file("/logs/other.key".into());
    match AuditLog::create_on(storage(&disk), "/logs/audit", with_key) {
        Err(OpenError::KeyExists { key }) => assert_eq!(key, Path::new("/logs/other.key")),
        answer => panic!("{answer:?}"),
    }
    assert_eq!(disk.read_file("/logs/other.key").unwrap(), other);
}

#[test]
fn a_key_beside_an_empty_folder_of_that_name_is_kept() {
    let disk = disk();
    drop(AuditLog::create_on(storage(&disk), "/logs/other", options()).unwrap());
    let key = disk.read_file("/logs/other.key").unwrap();
    disk.write_file("/logs/audit.key", key.clone()).unwrap();
    disk.plant_folder("/logs/audit.creating").unwrap();
    let refused = AuditLog::create_on(storage(&disk), "/logs/audit", options());
    assert!(matches!(refused, Err(OpenError::KeyWithoutFolder { .. })), "{refused:?}");
    assert_eq!(disk.read_file("/logs/audit.key").unwrap(), key);
}
