//! Arbitrary edits of a small valid log. Opening it never panics. Where it opens, and the edits are in the tail or left
//! nothing that the verifier calls broken, the log is sound when it is closed; and opening it again changes nothing.
//!
//! Opening does not read what lies below the durable mark, so an edit there may be accepted; only the verifier sees it.
#![no_main]

use indelible::storage::simulated::SimulatedDisk;
use indelible::{AuditLog, Report, Verdict, Verifier};
use indelible_fuzz::{BaseKind, Edit, FOLDER, apply, options, storage};
use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    base: BaseKind,
    edits: Vec<Edit<'a>>,
}

fuzz_target!(|input: Input<'_>| {
    let base = input.base.base();
    let disk = base.disk.fork();
    for edit in input.edits.iter().take(8) {
        apply(&disk, base.mark, edit);
    }
    check(&disk);
});

fn verify(disk: &SimulatedDisk) -> Report {
    Verifier::on(storage(disk), FOLDER)
        .strict()
        .verify()
        .expect("a disk without faults can be looked at")
}

fn check(disk: &SimulatedDisk) {
    let before = verify(disk);
    let whole = before.verdict() != Verdict::Broken;
    let log = match AuditLog::open_on(storage(disk), FOLDER, options()) {
        Ok(log) => log,
        Err(e) => {
            assert!(!whole, "refused: {e}\nbut the verifier says:\n{before}");
            return;
        }
    };
    let recovery = log.recovery().clone();
    let records = log.records();
    log.close().expect("a disk without faults");
    drop(log);
    let after = verify(disk);
    if whole {
        assert_eq!(
            after.verdict(),
            Verdict::Sound,
            "opened with {recovery:?}\nbefore:\n{before}\nafter:\n{after}"
        );
    }
    let log =
        AuditLog::open_on(storage(disk), FOLDER, options()).expect("what opened once opens again");
    assert!(log.recovery().is_clean(), "mended again: {:?}", log.recovery());
    assert_eq!(log.records(), records);
    log.close().expect("a disk without faults");
    drop(log);
    assert_eq!(verify(disk).findings, after.findings, "opening again changed the log");
}
