//! No false alarm: whatever a healthy log has been through, it is sound, and only what is worth knowing is said of it.

use std::path::Path;
use std::sync::Arc;

use indelible::FindingClass::{self, Adopted, NotAnchored, Pruned};
use indelible::format::note::VerifierKey;
use indelible::storage::Storage;
use indelible::storage::local::LocalStorage;
use indelible::{AuditLog, Event, Options, Report, Salting, Verdict, Verifier, continue_from};

use super::expected::verify_strictly;
use super::memory::{FOLDER, Memory};
use super::specimen::{large, segments, small, terse};
use super::workshop::Workshop;

fn disk() -> Arc<dyn Storage> {
    Arc::new(LocalStorage::new().unwrap())
}

fn verify(storage: &Arc<dyn Storage>, folder: &Path, keys: &[VerifierKey]) -> Report {
    let verifier = Verifier::on(Arc::clone(storage), folder).strict();
    keys.iter().cloned().fold(verifier, Verifier::with_key).verify().unwrap()
}

#[track_caller]
fn assert_log_is_sound(
    storage: &Arc<dyn Storage>,
    folder: impl AsRef<Path>,
    keys: &[VerifierKey],
) -> Report {
    let report = verify(storage, folder.as_ref(), keys);
    assert_eq!(report.verdict(), Verdict::Sound, "{report}");
    assert_eq!(report.anchored, !keys.is_empty());
    report
}

/// Sound, and of the classes of findings just these: by itself, against its key, and as a copy on a real disk.
#[track_caller]
fn assert_healthy(what: &str, folder: &Memory, shop: &Workshop, notices: &[FindingClass]) {
    let classes = |report: &Report| -> Vec<FindingClass> {
        report.findings.iter().map(|finding| finding.class).collect()
    };
    let path = Path::new(FOLDER);
    let report = assert_log_is_sound(&folder.storage(), path, &[]);
    let unanchored: Vec<FindingClass> = [&[NotAnchored], notices].concat();
    assert_eq!(classes(&report), unanchored, "{what}:\n{report}");
    let key = shop.key();
    let report = assert_log_is_sound(&folder.storage(), path, std::slice::from_ref(&key));
    assert_eq!(classes(&report), notices, "{what}:\n{report}");
    let temporary = tempfile::tempdir().unwrap();
    let copy = temporary.path().join("copy");
    folder.export(&copy);
    let copied = verify(&disk(), &copy, &[key]);
    assert_eq!(copied, report, "{what}, copied");
}

#[test]
fn a_new_log_and_one_of_one_record_are_sound() {
    for salting in [Salting::On, Salting::Off] {
        let shop = Workshop::salted(1, salting);
        assert_healthy("only the genesis", &shop.folder(), &shop, &[]);
        shop.append(&terse(1, 0));
        assert_healthy("one record", &shop.folder(), &shop, &[]);
        shop.append(&terse(20, 1));
        shop.rotate_early();
        assert_healthy("rotated, not yet a new file", &shop.folder(), &shop, &[]);
        shop.append(&[]);
        assert_healthy("rotated", &shop.folder(), &shop, &[]);
        shop.append(&terse(2, 21));
        assert_healthy("rotated and appended to", &shop.folder(), &shop, &[]);
        let salted = String::from_utf8_lossy(shop.folder().get("audit.log")).contains("\"salt\"");
        assert_eq!(salted, salting == Salting::On);
    }
}

#[test]
fn a_log_pruned_again_and_again_is_sound() {
    let mut shop = Workshop::new(1);
    let log = shop.whose();
    for number in 0..2 {
        shop.append(&terse(2, number));
        shop.rotate_early();
    }
    shop.max_files = Some(2);
    for number in 0..4 {
        shop.append(&terse(2, number));
        shop.rotate_early();
        shop.prune_early(&log);
        // The first one still begins with the genesis.
        let notices: &[FindingClass] = if number == 0 { &[] } else { &[Pruned] };
        assert_healthy("not yet unlinked", &shop.folder(), &shop, notices);
        shop.append(&terse(1, number));
        assert_healthy("unlinked", &shop.folder(), &shop, &[Pruned]);
        assert_eq!(segments(&shop.folder()).len(), 3);
    }
}

#[test]
fn a_log_that_was_repaired_and_adopted_is_sound() {
    let mut shop = Workshop::new(1);
    shop.append(&terse(2, 0));
    shop.tear(b"{\"seq\":3,");
    shop.append(&terse(1, 2));
    assert_healthy("repaired", &shop.folder(), &shop, &[]);
    shop.append_and_kill(&terse(2, 3));
    assert_healthy("killed", &shop.folder(), &shop, &[]);
    shop.append(&terse(1, 5));
    assert_healthy("adopted", &shop.folder(), &shop, &[Adopted]);
    shop.append_and_kill(&terse(2, 3));
    shop.cut_last_byte();
    shop.append(&[]);
    assert_healthy("without a line feed, then adopted", &shop.folder(), &shop, &[Adopted, Adopted]);
    shop.append_and_kill(&terse(1, 8));
    shop.tear(&[0; 700]);
    shop.append(&terse(1, 9));
    assert_healthy("NULs, then adopted", &shop.folder(), &shop, &[Adopted, Adopted, Adopted]);
}

#[test]
fn the_specimens_are_sound_at_every_moment_of_their_past() {
    for specimen in [small(), large()] {
        for folder in specimen.earlier.iter().chain([&specimen.folder]) {
            let report = verify_strictly(folder);
            let only = [NotAnchored, Adopted, Pruned];
            assert!(report.findings.iter().all(|f| only.contains(&f.class)), "{report}");
        }
    }
}

#[test]
fn a_log_that_continues_another_is_sound_and_so_is_the_other() {
    let temporary = tempfile::tempdir().unwrap();
    let (old, new) = (temporary.path().join("old"), temporary.path().join("new"));
    let append = |log: &AuditLog| {
        log.append(Event::new("a", "b", "c")).unwrap();
        log.close().unwrap();
    };
    append(&AuditLog::create(&old, Options::default()).unwrap());
    let continues = continue_from(&old, "the disk was replaced").unwrap();
    append(&AuditLog::create(&new, Options::default().with_continues(continues)).unwrap());
    for folder in [old, new] {
        let report = assert_log_is_sound(&disk(), &folder, &[]);
        let classes: Vec<FindingClass> = report.findings.iter().map(|f| f.class).collect();
        assert_eq!((classes, report.records), (vec![NotAnchored], 2), "{report}");
    }
}
