//! Arbitrary files as a log folder, and a small valid log with files edited, put in and taken away. Verifying never panics,
//! writes nothing, and says the same when asked again; a change to what the checkpoint covers is always found.
#![no_main]

use std::path::{Path, PathBuf};

use indelible::storage::Storage as _;
use indelible::storage::simulated::SimulatedDisk;
use indelible::{Report, Verdict, Verifier};
use indelible_fuzz::{Base, BaseKind, Edit, FOLDER, File, apply, key, path, storage};
use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    /// What there was before; nothing if `None`.
    base: Option<BaseKind>,
    anchored: bool,
    edits: Vec<Edit<'a>>,
    removed: Option<Name>,
    /// Raw files, in the place of any that are there.
    files: Vec<(Name, &'a [u8])>,
}

/// Names that mean something in a folder, and one that does not.
#[derive(Arbitrary, Clone, Copy, Debug)]
enum Name {
    Active,
    Rotated(u8),
    Checkpoint,
    History,
    Row(u8),
    Quarantined(u8),
    Lock,
    CheckpointTemporary,
    Strange,
}

fuzz_target!(|input: Input<'_>| {
    let disk = match input.base {
        Some(kind) => kind.base().disk.fork(),
        None => empty(),
    };
    if let Some(kind) = input.base {
        for edit in input.edits.iter().take(8) {
            apply(&disk, kind.base().mark, edit);
        }
    }
    if let Some(name) = input.removed {
        // It may not be there.
        let _absent = disk.remove_file(place(name));
    }
    for (name, bytes) in input.files.iter().take(8) {
        let path = place(*name);
        let folder = path.parent().expect("a folder");
        if disk.stat(folder).is_err() {
            disk.plant_folder(folder).expect("a name that is free");
        }
        disk.write_file(path, *bytes).expect("no folder has that name");
    }
    let disk = disk.fork();
    check(&disk, input.base.map(BaseKind::base), input.anchored);
});

fn empty() -> SimulatedDisk {
    let disk = SimulatedDisk::new();
    for folder in ["/logs", FOLDER] {
        disk.plant_folder(Path::new(folder)).expect("an empty disk");
    }
    disk
}

fn place(name: Name) -> PathBuf {
    let name = match name {
        Name::Active => "audit.log".to_owned(),
        Name::Rotated(number) => format!("audit.log.{}", number % 4),
        Name::Checkpoint => "checkpoint".to_owned(),
        Name::History => "checkpoints.jsonl".to_owned(),
        Name::Row(row) => format!("tree/{}", row % 5),
        Name::Quarantined(seq) => format!("quarantine/{seq}"),
        Name::Lock => "lock".to_owned(),
        Name::CheckpointTemporary => "checkpoint.tmp".to_owned(),
        Name::Strange => "notes.txt".to_owned(),
    };
    Path::new(FOLDER).join(name)
}

fn check(disk: &SimulatedDisk, base: Option<&Base>, anchored: bool) {
    let mut verifier = Verifier::on(storage(disk), FOLDER);
    if anchored {
        verifier = verifier.with_key(key().verifier_key());
    }
    let report = verify(&verifier);
    assert_eq!(report.findings, verify(&verifier).findings, "it changed its mind");
    let strict = verify(&verifier.clone().strict());
    if report.verdict() == Verdict::Broken {
        assert_eq!(strict.verdict(), Verdict::Broken, "{report}\nbut strictly\n{strict}");
    }
    for report in [&report, &strict] {
        assert!(!report.to_string().is_empty() && !report.to_json().is_empty());
    }
    for operation in disk.operations() {
        assert!(!operation.kind.changes_disk(), "verifying did {operation:?}");
    }
    let Some(base) = base else {
        // Nobody forges the key's signature.
        assert!(!anchored || report.verdict() == Verdict::Broken, "{report}");
        return;
    };
    let same_checkpoint = read(disk, File::Checkpoint) == read(&base.disk, File::Checkpoint);
    let changed = covered(disk, base.mark) != covered(&base.disk, base.mark);
    if anchored && same_checkpoint && changed {
        assert_eq!(report.verdict(), Verdict::Broken, "what is signed was changed:\n{report}");
    }
    if files(disk) == files(&base.disk) {
        assert_eq!(report.verdict(), Verdict::Sound, "nothing was changed:\n{report}");
    }
}

/// The bytes that the checkpoint covers.
fn covered(disk: &SimulatedDisk, mark: usize) -> Option<(Vec<u8>, Option<Vec<u8>>)> {
    let active = read(disk, File::Active)?.get(..mark)?.to_vec();
    let rotated = path(disk, File::Rotated) != path(disk, File::Active);
    Some((active, rotated.then(|| read(disk, File::Rotated)).flatten()))
}

fn files(disk: &SimulatedDisk) -> Vec<(PathBuf, Option<Vec<u8>>)> {
    disk.tree().into_keys().map(|path| (path.clone(), disk.read_file(path).ok())).collect()
}

fn verify(verifier: &Verifier) -> Report {
    verifier.verify().expect("a disk without faults can be looked at")
}

fn read(disk: &SimulatedDisk, file: File) -> Option<Vec<u8>> {
    disk.read_file(path(disk, file)).ok()
}
