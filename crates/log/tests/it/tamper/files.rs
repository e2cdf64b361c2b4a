//! Files removed, and put under each other's names.

use indelible::Problem::{
    BoundaryNotNoted, CutOff, FirstRecordsMissing, LeavesLost, NoCheckpoint, QuarantineDiffers,
    RowsMissing, SegmentMissing,
};

use super::specimen::{Specimen, large, small};
use super::{Expected, Mutant, assert_all_found};

/// The record that tells of the repair.
fn repair(specimen: &Specimen) -> u64 {
    let mut lines = specimen.segments.iter().flat_map(|segment| &segment.lines);
    let tells = |bytes: &[u8]| String::from_utf8_lossy(bytes).contains("\"indelible.log.recover\"");
    lines.find(|line| tells(&line.bytes)).unwrap().seq
}

fn removed(specimen: &Specimen, name: &str) -> Expected {
    let [oldest, middle, newest] = specimen.segments.as_slice() else { panic!() };
    match name {
        _ if name == oldest.name => {
            Expected::missing(FirstRecordsMissing).at(&middle.name, 0).record(middle.lines[0].seq)
        }
        _ if name == middle.name => {
            Expected::missing(SegmentMissing).at(&newest.name, 0).record(newest.lines[0].seq)
        }
        // With it went the prune record.
        "audit.log" => {
            Expected::missing(FirstRecordsMissing).at(&oldest.name, 0).record(oldest.lines[0].seq)
        }
        // The mark is then the last noted checkpoint.
        "checkpoint" => Expected::sound(),
        "checkpoints.jsonl" => Expected::missing(BoundaryNotNoted).at(&middle.name, 0),
        "tree/0" => Expected::missing(LeavesLost).at("tree/0", 0).record(0),
        "tree/1" => Expected::damage(RowsMissing).at("tree/1", 0),
        _ if name.starts_with("quarantine/") => {
            Expected::missing(QuarantineDiffers).at(name, 0).record(repair(specimen))
        }
        other => panic!("{other} is not expected"),
    }
}

#[test]
fn every_file_that_is_removed_is_missed() {
    let mut mutants = Vec::new();
    for specimen in [small(), large()] {
        for name in specimen.folder.names() {
            let what = format!("{}: {name} removed", specimen.name);
            let folder = specimen.folder.without(name);
            mutants.push(Mutant::new(what, folder, removed(&specimen, name)));
        }
        let both = specimen.folder.without("checkpoint").without("checkpoints.jsonl");
        let what = format!("{}: both files of notes removed", specimen.name);
        mutants.push(Mutant::new(what, both, Expected::missing(NoCheckpoint)));
    }
    assert_all_found("files removed", mutants);
}

/// Where nothing was pruned, the genesis says whose log it is, and what is gone is told by the checkpoint.
#[test]
fn of_a_log_with_its_genesis_the_newest_file_is_missed_by_the_checkpoint() {
    let specimen = small();
    let earlier = &specimen.earlier[3];
    let segments = super::specimen::segments(earlier);
    let before = &segments[segments.len() - 2];
    let expected = || Expected::missing(CutOff).at(&before.name, before.size());
    assert_all_found(
        "newest file",
        vec![
            Mutant::new("removed", earlier.without("audit.log"), expected()),
            Mutant::new("emptied", earlier.with("audit.log", b""), expected()),
        ],
    );
}

/// A file's place is told by its first record: under other names the log is the same, and opening refuses it.
#[test]
fn files_under_each_others_names_are_verified_by_their_records() {
    let specimen = small();
    let folder = &specimen.folder;
    let exchanged = folder
        .with("audit.log.1", folder.get("audit.log.2"))
        .with("audit.log.2", folder.get("audit.log.1"));
    assert_all_found("files", vec![Mutant::new("exchanged", exchanged, Expected::sound())]);
}

#[test]
fn a_changed_quarantine_file_is_found() {
    let mut mutants = Vec::new();
    for specimen in [small(), large()] {
        let name = specimen.folder.names().find(|name| name.starts_with("quarantine/")).unwrap();
        let mut bytes = specimen.folder.get(name).to_vec();
        bytes[3] ^= 3;
        let folder = specimen.folder.with(name, bytes);
        let expected = Expected::tampering(QuarantineDiffers).at(name, 0).record(repair(&specimen));
        mutants.push(Mutant::new(specimen.name, folder, expected));
    }
    assert_all_found("quarantine", mutants);
}
