//! Where a log may be made and opened: not on a file system whose syncs can't be judged, not inside another log, not
//! where something else stands; and who is told what where two make the same log.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use indelible::storage::simulated::{Errno, FaultPlan, OperationKind, SimulatedDisk};
use indelible::storage::{Kind, Medium, Storage};
use indelible::{AuditLog, Insecurity, NetworkFileSystem, OpenError, Reader, find_log};

use crate::checker::assert_log_is_sound;
use crate::interleaved::Turn;
use crate::scene::*;

fn create(storage: Arc<dyn Storage>) -> Result<AuditLog, OpenError> {
    AuditLog::create_on(storage, FOLDER, options())
}

#[test]
fn a_network_file_system_is_refused_unless_it_is_allowed() {
    let disk = closed();
    let empty = disk.fork();
    empty.remove_file(FOLDER).unwrap();
    empty.remove_file("/logs/audit.key").unwrap();
    for disk in [&disk, &empty] {
        disk.set_medium(Medium::Network("nfs"));
    }
    let opened = AuditLog::open_on(storage(&disk), FOLDER, options());
    for refused in [opened, create(storage(&empty))] {
        match refused {
            Err(error @ OpenError::NetworkFileSystem { kind: "nfs", .. }) => {
                assert!(error.to_string().starts_with("/logs/audit: "), "{error}");
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(snapshot(&empty).len(), 0, "nothing was made");
    let allowed = || options().with_network_file_system(NetworkFileSystem::Allow);
    AuditLog::open_on(storage(&disk), FOLDER, allowed()).unwrap().close().unwrap();
    AuditLog::create_on(storage(&empty), FOLDER, allowed()).unwrap().close().unwrap();
    for disk in [&disk, &empty] {
        drop(assert_log_is_sound(&storage(disk), FOLDER, &[]));
    }
}

#[test]
fn a_log_is_found_where_there_is_one_and_what_is_there_instead_is_told() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("audit");
    assert!(matches!(find_log(&folder), Err(OpenError::NotFound { folder: at }) if at == folder));
    AuditLog::create(&folder, options()).unwrap().close().unwrap();
    find_log(&folder).unwrap();
    assert!(matches!(find_log(place.path()), Err(OpenError::NotALog { .. })));
    match find_log(folder.join("audit.log")) {
        Err(OpenError::Insecure { path, what: Insecurity::Kind { expected, found } }) => {
            assert_eq!((expected, found), (Kind::Folder, Kind::File));
            assert_eq!(path, folder.join("audit.log"));
        }
        other => panic!("{other:?}"),
    }
    let link = place.path().join("link");
    std::os::unix::fs::symlink(&folder, &link).unwrap();
    match find_log(&link) {
        Err(OpenError::Insecure { what: Insecurity::Kind { found: Kind::Link, .. }, .. }) => {}
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_log_is_not_made_without_a_folder_to_put_it_in_nor_inside_another() {
    let disk = SimulatedDisk::new();
    match create(storage(&disk)) {
        Err(OpenError::NoParent { parent }) => assert_eq!(parent, Path::new("/logs")),
        other => panic!("{other:?}"),
    }
    let disk = closed();
    let inside = AuditLog::create_on(storage(&disk), in_folder("inner"), options());
    match inside {
        Err(OpenError::InsideALog { parent }) => assert_eq!(parent, Path::new(FOLDER)),
        other => panic!("{other:?}"),
    }
    assert_opening_does_nothing(&disk);
}

#[test]
fn of_two_who_make_the_same_log_one_makes_it_and_the_other_is_told_so() {
    let mut firsts = 0;
    for nth in 0.. {
        let disk = disk();
        let other = storage(&disk);
        let made = Arc::new(AtomicBool::new(false));
        let first_made = Arc::clone(&made);
        let first = move || match create(Arc::clone(&other)) {
            Ok(log) => {
                log.close().unwrap();
                first_made.store(true, Ordering::SeqCst);
            }
            Err(OpenError::AlreadyExists { .. } | OpenError::BeingMade { .. }) => {}
            Err(e) => panic!("before operation {nth}: {e}"),
        };
        let interleaved = Arc::new(Turn::before(nth, first).of(storage(&disk)));
        let seen: Arc<dyn Storage> = interleaved.clone();
        let second = create(seen);
        let made = made.load(Ordering::SeqCst);
        match second {
            Ok(log) => {
                assert!(!made, "before operation {nth}: made twice");
                log.close().unwrap();
            }
            Err(OpenError::AlreadyExists { folder } | OpenError::BeingMade { folder, .. }) => {
                assert!(made, "before operation {nth}: made by nobody");
                assert_eq!(folder, Path::new(FOLDER));
                firsts += 1;
            }
            Err(e) => panic!("before operation {nth}: {e}"),
        }
        drop(assert_log_is_sound(&storage(&disk), FOLDER, &[]));
        if !interleaved.hand().has_acted() {
            break;
        }
    }
    assert!(firsts > 0);
}

#[test]
fn who_makes_a_log_that_another_is_making_right_now_is_told_who() {
    let base = disk();
    // Somebody holds the lock of what is being made.
    let left = {
        let rehearsal = base.fork();
        create(storage(&rehearsal)).unwrap().close().unwrap();
        let mut operations = rehearsal.operations().into_iter();
        let rename = operations.find(|op| op.kind == OperationKind::Rename).unwrap();
        let disk = base.fork();
        disk.crash_at(rename.index);
        drop(create(storage(&disk)));
        disk.after_crash(&disk.everything())
    };
    let creating = left.tree().into_keys().find(|path| path.ends_with("lock")).unwrap();
    let held = storage(&left).lock(&creating, "somebody else").unwrap();
    match create(storage(&left)) {
        Err(OpenError::BeingMade { folder, holder }) => {
            assert_eq!(folder, Path::new(FOLDER));
            assert_eq!(holder.as_deref(), Some("somebody else"));
        }
        other => panic!("{other:?}"),
    }
    drop(held);
    create(storage(&left)).unwrap().close().unwrap();
    drop(assert_log_is_sound(&storage(&left), FOLDER, &[]));
}

#[test]
fn a_folder_that_another_made_in_between_is_told_as_being_made_or_as_there() {
    let base = disk();
    let make = |errno| {
        let disk = base.fork();
        let folder = FaultPlan::nth(0).of_kind(OperationKind::CreateFolder);
        disk.fail(folder.with(errno));
        create(storage(&disk))
    };
    match make(Errno::EXIST) {
        Err(OpenError::BeingMade { holder: None, .. }) => {}
        other => panic!("{other:?}"),
    }
    match make(Errno::NOSPC) {
        Err(OpenError::Io(failure)) => assert_eq!(failure.source.raw_os_error(), Some(28)),
        other => panic!("{other:?}"),
    }
    // It is there by the time that the last step fails.
    let disk = base.fork();
    disk.fail(FaultPlan::nth(0).of_kind(OperationKind::Rename).with(Errno::EXIST).after_effect());
    match create(storage(&disk)) {
        Err(OpenError::AlreadyExists { folder }) => assert_eq!(folder, Path::new(FOLDER)),
        other => panic!("{other:?}"),
    }
    let reader = Reader::open_on(storage(&disk), FOLDER).unwrap();
    assert_eq!(reader.records().unwrap(), 1);
}

#[test]
fn opening_a_log_leaves_the_folder_that_it_lies_in_as_it_is() {
    use std::os::unix::fs::MetadataExt as _;

    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("audit");
    AuditLog::create(&folder, options()).unwrap().close().unwrap();
    let times = || {
        let stat = std::fs::metadata(parent.path()).unwrap();
        (stat.mtime(), stat.mtime_nsec(), stat.ctime(), stat.ctime_nsec())
    };
    let before = times();
    let log = AuditLog::open(&folder, options()).unwrap();
    log.append(event(1)).unwrap();
    log.close().unwrap();
    assert_eq!(times(), before);
}
