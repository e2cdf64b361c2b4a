//! Files removed, and put under each other's names.

use indelible::Problem::{
    BoundaryNotNoted, FirstRecordsMissing, LeavesLost, NoCheckpoint, QuarantineDiffers,
    RowsMissing, SegmentMissing,
};

use fastrand::Rng;
use indelible::Problem::SeqOutOfOrder;

use super::{Stand, any};
use crate::layers::tamper::expected::{Expected, Mutant};
use crate::layers::tamper::specimen::Specimen;

/// The record that tells of the repair which made this file; none where it was pruned.
fn repair(specimen: &Specimen, name: &str) -> Option<u64> {
    let mut lines = specimen.segments.iter().flat_map(|segment| &segment.lines);
    let tells = |bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes);
        text.contains("\"indelible.log.recover\"") && text.contains(name)
    };
    lines.find(|line| tells(&line.bytes)).map(|line| line.seq)
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
            let told = |seq| Expected::missing(QuarantineDiffers).at(name, 0).record(seq);
            repair(specimen, name).map_or_else(Expected::sound, told)
        }
        other => panic!("{other} is not expected"),
    }
}

fn without(specimen: &Specimen, name: &str) -> Mutant {
    let what = format!("{}: {name} removed", specimen.name);
    Mutant::new(what, specimen.folder.without(name), removed(specimen, name))
}

fn without_notes(specimen: &Specimen) -> Mutant {
    let both = specimen.folder.without("checkpoint").without("checkpoints.jsonl");
    let what = format!("{}: both files of notes removed", specimen.name);
    Mutant::new(what, both, Expected::missing(NoCheckpoint))
}

/// A changed file in quarantine does not hold what its record, or its name, says.
pub(crate) fn quarantine_changed(specimen: &Specimen, name: &str, at: usize, mask: u8) -> Mutant {
    let mut bytes = specimen.folder.get(name).to_vec();
    bytes[at] ^= mask;
    let expected = Expected::tampering(QuarantineDiffers).at(name, 0);
    let expected = match repair(specimen, name) {
        Some(seq) => expected.record(seq),
        None => expected,
    };
    let what = format!("{}: {name} byte {at} xor {mask:#04x}", specimen.name);
    Mutant::new(what, specimen.folder.with(name, bytes), expected)
}

pub(crate) fn draw_removed(stand: &Stand, rng: &mut Rng) -> Option<Mutant> {
    let names: Vec<&str> = stand.specimen.folder.names().collect();
    Some(match rng.usize(..=names.len()) {
        0 => without_notes(&stand.specimen),
        at => without(&stand.specimen, names[at - 1]),
    })
}

pub(crate) fn draw_quarantine(stand: &Stand, rng: &mut Rng) -> Option<Mutant> {
    let specimen = &stand.specimen;
    let names: Vec<&str> =
        specimen.folder.names().filter(|name| name.starts_with("quarantine/")).collect();
    let name = names.get(rng.usize(..names.len().max(1)))?;
    let at = rng.usize(..specimen.folder.get(name).len());
    Some(quarantine_changed(specimen, name, at, rng.u8(1..)))
}

/// Files under each other's names are the same log, for a file's place is told by its first record; a file that is
/// there twice does not follow itself.
pub(crate) fn draw_exchanged(stand: &Stand, rng: &mut Rng) -> Option<Mutant> {
    let specimen = &stand.specimen;
    let (one, two) = (any(rng, &specimen.segments), any(rng, &specimen.segments));
    let folder = &specimen.folder;
    if rng.bool() {
        let folder = folder.with("audit.log.3", folder.get(&one.name));
        let expected = Expected::tampering(SeqOutOfOrder).at_line(one, &one.lines[0]);
        return Some(Mutant::new(format!("{} also as audit.log.3", one.name), folder, expected));
    }
    let exchanged =
        folder.with(&one.name, folder.get(&two.name)).with(&two.name, folder.get(&one.name));
    let what = format!("{} and {} exchanged", one.name, two.name);
    Some(Mutant::new(what, exchanged, Expected::sound()))
}

#[cfg(test)]
mod tests {
    use indelible::Problem::CutOff;

    use super::*;
    use crate::layers::tamper::expected::assert_all_found;
    use crate::layers::tamper::specimen::{large, small};

    #[test]
    fn every_file_that_is_removed_is_missed() {
        let mut mutants = Vec::new();
        for specimen in [small(), large()] {
            for name in specimen.folder.names() {
                mutants.push(without(&specimen, name));
            }
            mutants.push(without_notes(&specimen));
        }
        assert_all_found("files removed", mutants);
    }

    /// Where nothing was pruned, the genesis says whose log it is, and what is gone is told by the checkpoint.
    #[test]
    fn of_a_log_with_its_genesis_the_newest_file_is_missed_by_the_checkpoint() {
        let specimen = small();
        let earlier = &specimen.earlier[3];
        let segments = crate::layers::tamper::specimen::segments(earlier);
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
            let name =
                specimen.folder.names().find(|name| name.starts_with("quarantine/")).unwrap();
            mutants.push(quarantine_changed(&specimen, name, 3, 3));
        }
        assert_all_found("quarantine", mutants);
    }
}
