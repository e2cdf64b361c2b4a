//! What the verifier says of quarantine: each file that a repair's record names is there, with the bytes that it names,
//! and others are what their names say.

use std::path::Path;
use std::sync::Arc;

use indelible::format::own::{Announcement, Recover, TailKind};
use indelible::storage::Storage;
use indelible::storage::simulated::{Errno, FaultPlan, OperationKind, SimulatedDisk};
use indelible::{AuditLog, Finding, FindingClass, Problem, Report, Verdict, Verifier, VerifyError};

use crate::bad_sectors::Bad;
use crate::checker::{verify, write};
use crate::composed::Composed;
use crate::reference;
use crate::scene::*;

fn report(disk: &SimulatedDisk) -> Report {
    verify(&storage(disk), Path::new(FOLDER), &[])
}

/// The only fault.
#[track_caller]
fn fault(report: &Report) -> Finding {
    let mut faults = report.findings.iter().filter(|finding| finding.class.is_fault());
    let fault = faults.next().unwrap_or_else(|| panic!("nothing is wrong:\n{report}"));
    assert_eq!(faults.next(), None, "{report}");
    fault.clone()
}

/// A log whose repair put `torn` into quarantine, in record 4; and the file's name.
fn repaired() -> (SimulatedDisk, String) {
    let disk = closed();
    write_active(&disk, [&active(&disk)[..], b"torn"].concat());
    open(&disk).close().unwrap();
    assert_eq!(report(&disk).verdict(), Verdict::Sound);
    (disk, format!("quarantine/4-{}", sha256(b"torn")))
}

#[test]
fn a_quarantine_file_that_is_gone_is_missing() {
    let (disk, name) = repaired();
    disk.remove_file(in_folder(&name)).unwrap();
    let fault = fault(&report(&disk));
    assert_eq!((fault.problem, fault.class), (Problem::QuarantineDiffers, FindingClass::Missing));
    assert_eq!((fault.file, fault.seq), (Some(name), Some(4)));
    assert_eq!(fault.expected, Some(format!("4 bytes with SHA-256 {}", sha256(b"torn"))));
    assert_eq!(fault.found.as_deref(), Some("no such file"));
}

#[test]
fn a_quarantine_file_with_other_bytes_is_found_with_both_hashes() {
    let (disk, name) = repaired();
    disk.write_file(in_folder(&name), "other").unwrap();
    let fault = fault(&report(&disk));
    assert_eq!((fault.problem, fault.class), (Problem::QuarantineDiffers, FindingClass::Tampering));
    assert_eq!(fault.found, Some(format!("5 bytes with SHA-256 {}", sha256(b"other"))));
}

#[test]
fn what_is_no_file_in_a_quarantine_files_place_is_found() {
    let (disk, name) = repaired();
    disk.remove_file(in_folder(&name)).unwrap();
    let as_link = disk.fork();
    as_link.plant_link(in_folder(&name), "/logs/elsewhere").unwrap();
    let as_folder = disk.fork();
    as_folder.plant_folder(in_folder(&name)).unwrap();
    for disk in [as_link, as_folder] {
        let fault = fault(&report(&disk));
        assert_eq!(fault.problem, Problem::QuarantineDiffers, "{fault}");
        assert_eq!(fault.class, FindingClass::Tampering, "{fault}");
        assert_eq!((fault.file.as_ref(), fault.seq), (Some(&name), Some(4)));
    }
}

#[test]
fn a_quarantine_file_that_cannot_be_read_is_damage_whether_a_record_names_it_or_not() {
    let (disk, told) = repaired();
    let untold = format!("quarantine/1-{}", sha256(b"more"));
    disk.write_file(in_folder(&untold), "more").unwrap();
    for name in [told, untold] {
        let bad = Bad::at(in_folder(&name), 2..3).of(storage(&disk));
        let bad: Arc<dyn Storage> = Arc::new(bad);
        let fault = fault(&verify(&bad, Path::new(FOLDER), &[]));
        assert_eq!((fault.problem, fault.class), (Problem::Unreadable, FindingClass::Damage));
        assert_eq!((fault.file, fault.offset), (Some(name), Some(0)));
    }
}

#[test]
fn a_quarantine_that_cannot_be_listed_or_a_file_that_cannot_be_opened_is_an_error_and_no_finding() {
    let (base, told) = repaired();
    let untold = format!("quarantine/1-{}", sha256(b"more"));
    base.write_file(in_folder(&untold), "more").unwrap();
    for errno in [Errno::IO, Errno::ACCESS] {
        for (kind, name) in [
            (OperationKind::List, "quarantine"),
            (OperationKind::Open, told.as_str()),
            (OperationKind::Open, untold.as_str()),
        ] {
            let disk = base.fork();
            disk.fail(FaultPlan::nth(0).of_kind(kind).on_path(name).with(errno).from_then_on());
            for verifier in [Verifier::on(storage(&disk), FOLDER), strict(&disk)] {
                match verifier.verify() {
                    Err(VerifyError::Io(failure)) => assert_eq!(failure.path, in_folder(name)),
                    other => panic!("{kind:?} of {name}: {other:?}"),
                }
            }
        }
    }
}

fn strict(disk: &SimulatedDisk) -> Verifier {
    Verifier::on(storage(disk), FOLDER).strict()
}

#[test]
fn a_quarantine_file_that_is_gone_before_it_is_looked_at_and_that_no_record_names_is_nobodys() {
    let (disk, _) = repaired();
    let untold = format!("quarantine/1-{}", sha256(b"more"));
    disk.write_file(in_folder(&untold), "more").unwrap();
    let open = FaultPlan::nth(0).of_kind(OperationKind::Open).on_path(&untold);
    disk.fail(open.with(Errno::NOENT));
    let report = report(&disk);
    assert_eq!((report.verdict(), disk.faults_struck()), (Verdict::Sound, 1), "{report}");
}

#[test]
fn what_is_no_folder_in_the_place_of_quarantine_is_found() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("audit");
    AuditLog::create(&folder, options()).unwrap().close().unwrap();
    let quarantine = folder.join("quarantine");
    let look = || verify(&reference::disk(), &folder, &[]);
    if quarantine.exists() {
        std::fs::remove_dir(&quarantine).unwrap();
    }
    assert_eq!(look().verdict(), Verdict::Sound);
    write(&quarantine, b"a file");
    let file = look();
    std::fs::remove_file(&quarantine).unwrap();
    std::os::unix::fs::symlink(place.path(), &quarantine).unwrap();
    for report in [file, look()] {
        let fault = fault(&report);
        assert_eq!((fault.problem, fault.class), (Problem::Unreadable, FindingClass::Tampering));
        let told = (fault.file.as_deref(), fault.expected.as_deref());
        assert_eq!(told, (Some("quarantine"), Some("a folder")), "{fault}");
    }
}

#[test]
fn a_folder_with_a_quarantine_files_name_is_found() {
    let disk = closed();
    let name = format!("quarantine/1-{}", sha256(b"torn"));
    disk.plant_folder(in_folder(&name)).unwrap();
    disk.plant_folder(in_folder("quarantine/notes")).unwrap();
    let report = report(&disk);
    let found: Vec<_> = report.findings.iter().filter(|f| f.class.is_fault()).collect();
    assert_eq!(found.len(), 1, "{report}");
    assert_eq!(found[0].file, Some(name), "{report}");
}

/// A log with a repair's record that says that `torn` is in this file; and the record's seq.
fn naming(name: &str) -> (SimulatedDisk, u64) {
    let mut log = Composed::begun();
    let recover = Recover {
        file: "audit.log".to_owned(),
        offset: 0,
        length: 4,
        sha256: sha256(b"torn"),
        kind: TailKind::Partial,
        quarantine: name.to_owned(),
    };
    let seq = log.own(&Announcement::Recover(recover));
    (log.write(), seq)
}

/// Writes the log of a simulated disk to a folder of this machine.
fn write_out(disk: &SimulatedDisk, folder: &Path) {
    std::fs::create_dir_all(folder.join("tree")).unwrap();
    std::fs::create_dir_all(folder.join("quarantine")).unwrap();
    for name in ["audit.log", "tree/0", "checkpoints.jsonl", "checkpoint"] {
        write(&folder.join(name), &disk.read_file(in_folder(name)).unwrap());
    }
}

#[test]
fn a_repair_that_names_what_no_file_can_be_named_is_found_and_no_error() {
    for name in [
        "a".repeat(300),
        "a".repeat(5_000),
        format!("1-{}", "0".repeat(300)),
        ".".to_owned(),
        "..".to_owned(),
        "1\0".to_owned(),
        "notes".to_owned(),
    ] {
        let name = format!("quarantine/{name}");
        let (disk, seq) = naming(&name);
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("audit");
        write_out(&disk, &folder);
        write(&folder.join("quarantine/notes"), b"torn");
        for report in [report(&disk), verify(&reference::disk(), &folder, &[])] {
            let fault = fault(&report);
            let what = (fault.problem, fault.class);
            assert_eq!(what, (Problem::QuarantineDiffers, FindingClass::Tampering), "{report}");
            assert_eq!((fault.file.as_ref(), fault.seq), (Some(&name), Some(seq)));
            assert_eq!(fault.found.as_deref(), Some("a name that is none in quarantine"));
        }
    }
}

#[test]
fn a_repair_that_names_a_file_outside_of_quarantine_is_found_and_nothing_is_read_there() {
    for name in ["../audit.key", "quarantine/../../audit.key", "quarantine/", "quarantined"] {
        let (disk, seq) = naming(name);
        let before = disk.operation_count();
        let fault = fault(&report(&disk));
        assert_eq!((fault.problem, fault.seq), (Problem::QuarantineDiffers, Some(seq)), "{name}");
        assert_eq!(fault.found.as_deref(), Some("a name that is none in quarantine"));
        let operations = disk.operations().into_iter().filter(|op| op.index >= before);
        let outside: Vec<_> = operations.filter(|op| op.path.ends_with("audit.key")).collect();
        assert!(outside.is_empty(), "{outside:?}");
    }
}
