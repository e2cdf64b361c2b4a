//! Rows and notes: every byte changed, and older ones put back.

use fastrand::Rng;
use indelible::FindingClass;
use indelible::Problem::{
    BoundaryNotNoted, CheckpointForged, CheckpointMalformed, CheckpointOfAnotherLog, CutOff,
    LeavesLost, NoCheckpoint, RowsDiffer, RowsMissing,
};
use indelible::format::checkpoint::Checkpoint;
use indelible::format::note::Note;

use super::{Stand, any};
use crate::layers::tamper::expected::{Expected, Mutant};
use crate::layers::tamper::memory::Memory;
use crate::layers::tamper::specimen::{Specimen, segments, size_of};

/// What a note is, by itself, once a byte of it was changed; `None` where it is of a key that nobody knows.
fn changed_note(specimen: &Specimen, note: &[u8], mask: u8) -> Option<Expected> {
    let class = if mask.is_power_of_two() { FindingClass::Damage } else { FindingClass::Tampering };
    let Ok(note) = Note::parse(note) else {
        return Some(Expected::new(class, &[CheckpointMalformed]));
    };
    let Ok(checkpoint) = Checkpoint::parse_text(&note.text) else {
        return Some(Expected::new(class, &[CheckpointMalformed]));
    };
    let key = specimen.verifier_key();
    if checkpoint.origin != specimen.log.origin {
        return Some(Expected::new(class, &[CheckpointOfAnotherLog]));
    }
    let by_it = |line: &indelible::format::note::SignatureLine| {
        (line.name.as_str(), line.id) == (key.name(), key.id())
    };
    note.signatures.iter().any(by_it).then(|| Expected::new(class, &[CheckpointForged]))
}

#[cfg(test)]
fn masks(byte: u8, at: usize) -> [u8; 2] {
    let one = 1 << (at % 8);
    let several = [0x03, 0x41, 0x18, 0x55, 0x90, 0x07, 0x60][at % 7];
    [if one == byte { 0x80 } else { one }, if several == byte { several ^ 0x81 } else { several }]
}

/// What a line of noted checkpoints is, once a byte of it was changed.
fn changed_line(specimen: &Specimen, bytes: &[u8], start: usize, mask: u8) -> Expected {
    let class = if mask.is_power_of_two() { FindingClass::Damage } else { FindingClass::Tampering };
    let file = "checkpoints.jsonl";
    let rest = &bytes[start..];
    let Some(end) = rest.iter().position(|byte| *byte == b'\n') else {
        // The last line has no line feed: torn, as a crash leaves it. The one over the prune is no boundary's.
        return Expected::sound();
    };
    let json = serde_json::from_slice::<serde_json::Value>(&rest[..end]).ok();
    let only = json.as_ref().and_then(serde_json::Value::as_object).filter(|json| json.len() == 1);
    let Some(note) = only.and_then(|json| json.get("note")).and_then(|note| note.as_str()) else {
        return Expected::new(class, &[CheckpointMalformed]).at(file, start);
    };
    if let Some(expected) = changed_note(specimen, note.as_bytes(), mask) {
        return expected.at(file, start);
    }
    let is_boundary = |size| {
        let later = specimen.segments.iter().skip(1);
        later.map(|segment| (segment.lines[0].seq, segment)).find(|(seq, _)| *seq == size)
    };
    match is_boundary(size_of(note.as_bytes())) {
        Some((_, segment)) => Expected::missing(BoundaryNotNoted).at(&segment.name, 0),
        None => Expected::notice(FindingClass::KeyUnknown, file, start),
    }
}

/// The largest signed size that takes in no leaf from `leaf` on.
fn agreed_before(specimen: &Specimen, leaf: usize) -> usize {
    let sizes = sizes(&specimen.folder);
    sizes.into_iter().filter(|size| *size <= leaf).max().unwrap_or(0)
}

/// Sizes of all notes.
pub(crate) fn sizes(folder: &Memory) -> Vec<usize> {
    let noted = if folder.has("checkpoints.jsonl") { folder.get("checkpoints.jsonl") } else { b"" };
    let noted = std::str::from_utf8(noted).unwrap();
    let size = |line: &str| line.split("\\n").nth(1).unwrap().parse().unwrap();
    let latest = usize::try_from(size_of(folder.get("checkpoint"))).unwrap();
    noted.lines().map(size).chain([latest]).collect()
}

/// A byte of the newest checkpoint changed.
pub(crate) fn checkpoint_byte(specimen: &Specimen, at: usize, mask: u8) -> Mutant {
    let mut changed = specimen.folder.get("checkpoint").to_vec();
    changed[at] ^= mask;
    let unknown = || Expected::notice(FindingClass::KeyUnknown, "checkpoint", 0);
    let expected = changed_note(specimen, &changed, mask)
        .map_or_else(unknown, |expected| expected.at("checkpoint", 0));
    let what = format!("{}: checkpoint byte {at} xor {mask:#04x}", specimen.name);
    Mutant::new(what, specimen.folder.with("checkpoint", changed), expected)
}

/// A byte of the noted checkpoints changed.
pub(crate) fn noted_byte(specimen: &Specimen, at: usize, mask: u8) -> Mutant {
    let noted = specimen.folder.get("checkpoints.jsonl");
    let start = noted[..at].iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let mut changed = noted.to_vec();
    changed[at] ^= mask;
    let expected = changed_line(specimen, &changed, start, mask);
    let what = format!("{}: checkpoints.jsonl byte {at} xor {mask:#04x}", specimen.name);
    Mutant::new(what, specimen.folder.with("checkpoints.jsonl", changed), expected)
}

/// How many records before the first are gone.
fn pruned(specimen: &Specimen) -> usize {
    usize::try_from(specimen.segments[0].lines[0].seq).unwrap()
}

/// Wrong row bytes are damage, whatever bits of them: the records, or the signed roots over pruned ones, say so.
pub(crate) fn row_byte(specimen: &Specimen, name: &str, at: usize, mask: u8) -> Mutant {
    let first = pruned(specimen);
    let mut row = specimen.folder.get(name).to_vec();
    row[at] ^= mask;
    let leaf = at / 32;
    let damage = Expected::damage(RowsDiffer);
    let expected = match name {
        "tree/1" => damage.at(name, leaf * 32),
        _ if leaf >= first => damage.at(name, leaf * 32).record(u64::try_from(leaf).unwrap()),
        // The signed root says that one of them is wrong, and the chain which, where it is the last.
        _ if leaf + 1 == first => damage.at(name, leaf * 32),
        _ => damage.at(name, agreed_before(specimen, leaf) * 32),
    };
    let what = format!("{}: {name} byte {at} xor {mask:#04x}", specimen.name);
    Mutant::new(what, specimen.folder.with(name, row), expected)
}

/// `tree/0` cut to `size` bytes.
pub(crate) fn row_cut(specimen: &Specimen, size: usize) -> Mutant {
    let leaf = size / 32;
    let expected = if leaf < pruned(specimen) {
        let leaf = u64::try_from(leaf).unwrap();
        Expected::missing(LeavesLost).at("tree/0", size / 32 * 32).record(leaf)
    } else {
        Expected::damage(RowsMissing).at("tree/0", size)
    };
    let what = format!("{}: tree/0 cut to {size}", specimen.name);
    let row = &specimen.folder.get("tree/0")[..size];
    Mutant::new(what, specimen.folder.with("tree/0", row), expected)
}

fn row_longer(specimen: &Specimen, more: &[u8]) -> Mutant {
    let row = [specimen.folder.get("tree/0"), more].concat();
    let what = format!("{}: tree/0 longer", specimen.name);
    Mutant::new(what, specimen.folder.with("tree/0", row), Expected::sound())
}

/// One file of rows or notes as it was earlier. An older `checkpoint` only lowers the mark, which nothing in the folder
/// contradicts.
fn of_earlier(specimen: &Specimen, number: usize, name: &str) -> Mutant {
    let earlier = &specimen.earlier[number];
    let folder = specimen.folder.taking(name, earlier);
    let expected = match name {
        "checkpoint" => Expected::sound(),
        "tree/0" => {
            let size = earlier.get("tree/0").len();
            if size < specimen.folder.get("tree/0").len() {
                let cut = row_cut(specimen, size);
                return Mutant { what: format!("{} of {number}", cut.what), ..cut };
            }
            Expected::sound()
        }
        _ => {
            let noted = sizes(&folder);
            let unnoted =
                specimen.segments.iter().skip(1).find(|segment| {
                    !noted.contains(&usize::try_from(segment.lines[0].seq).unwrap())
                });
            unnoted.map_or(Expected::sound(), |segment| {
                Expected::missing(BoundaryNotNoted).at(&segment.name, 0)
            })
        }
    };
    Mutant::new(format!("{}: {name} of {number}", specimen.name), folder, expected)
}

/// The whole folder of earlier, and the log cut back to it by somebody who kept older rows and notes only: what only
/// something from outside can find.
pub(crate) fn put_back(specimen: &Specimen, number: usize) -> Vec<Mutant> {
    let earlier = &specimen.earlier[number];
    let what = format!("{}: state {number}", specimen.name);
    let mut mutants = vec![Mutant::new(what, earlier.clone(), Expected::sound())];
    if segments(earlier)[0].lines[0].seq == specimen.segments[0].lines[0].seq {
        let mut cut = specimen.folder.clone();
        let size = earlier.get("audit.log").len();
        cut = cut.with("audit.log", &cut.get("audit.log")[..size]);
        for name in ["checkpoint", "checkpoints.jsonl", "tree/0"] {
            cut = cut.taking(name, earlier);
        }
        let expected = quarantined_beyond(&cut);
        let what = format!("{}: cut to state {number}", specimen.name);
        mutants.push(Mutant::new(what, cut, expected));
    }
    mutants
}

/// A file in quarantine whose name tells of more records than there are says that the end is gone.
pub(crate) fn quarantined_beyond(folder: &Memory) -> Expected {
    let end = segments(folder).last().and_then(|segment| segment.lines.last()).unwrap().seq + 1;
    let mut beyond: Vec<(u64, &str)> = folder
        .names()
        .filter_map(|name| {
            let seq = name.strip_prefix("quarantine/")?.split('-').next()?.parse().ok()?;
            (seq > end).then_some((seq, name))
        })
        .collect();
    beyond.sort_unstable();
    match beyond.first() {
        Some((_, name)) => Expected::missing(CutOff).in_file(name),
        None => Expected::sound(),
    }
}

/// Another log's rows and notes.
fn foreign(specimen: &Specimen, other: &Specimen) -> Vec<Mutant> {
    let name = |name| specimen.folder.taking(name, &other.folder);
    let middle = &specimen.segments[1];
    let notes = name("checkpoint").taking("checkpoints.jsonl", &other.folder);
    let mutant = |what: &str, folder, expected| {
        Mutant::new(format!("another log's {what}"), folder, expected)
    };
    vec![
        mutant(
            "checkpoint",
            name("checkpoint"),
            Expected::notice(FindingClass::KeyUnknown, "checkpoint", 0),
        ),
        mutant(
            "checkpoints.jsonl",
            name("checkpoints.jsonl"),
            Expected::missing(BoundaryNotNoted).at(&middle.name, 0),
        ),
        mutant("notes", notes, Expected::missing(NoCheckpoint)),
        // All leaves differ: of the pruned records, too, which the first signed root tells.
        mutant("rows", name("tree/0"), Expected::damage(RowsDiffer).at("tree/0", 0)),
    ]
}

pub(crate) fn draw_note(stand: &Stand, rng: &mut Rng) -> Option<Mutant> {
    let specimen = &stand.specimen;
    let name = if rng.u8(..3) == 0 { "checkpoint" } else { "checkpoints.jsonl" };
    let note = specimen.folder.get(name);
    let at = rng.usize(..note.len());
    let mask = if rng.u8(..4) == 0 { 1 << rng.u8(..8) } else { rng.u8(1..) };
    if mask == note[at] {
        return None;
    }
    Some(match name {
        "checkpoint" => checkpoint_byte(specimen, at, mask),
        _ => noted_byte(specimen, at, mask),
    })
}

pub(crate) fn draw_row(stand: &Stand, rng: &mut Rng) -> Option<Mutant> {
    let at = rng.usize(..stand.specimen.folder.get("tree/0").len());
    Some(row_byte(&stand.specimen, "tree/0", at, rng.u8(1..)))
}

pub(crate) fn draw_row_cut(stand: &Stand, rng: &mut Rng) -> Option<Mutant> {
    let size = rng.usize(..stand.specimen.folder.get("tree/0").len());
    Some(match rng.u8(..8) {
        0 => row_longer(&stand.specimen, &[rng.u8(..); 77]),
        _ => row_cut(&stand.specimen, size),
    })
}

pub(crate) fn draw_earlier(stand: &Stand, rng: &mut Rng) -> Option<Mutant> {
    let number = rng.usize(..stand.specimen.earlier.len());
    let name = any(rng, &["checkpoint", "tree/0", "checkpoints.jsonl"]);
    Some(of_earlier(&stand.specimen, number, name))
}

pub(crate) fn draw_foreign(stand: &Stand, rng: &mut Rng) -> Option<Mutant> {
    let mut mutants = foreign(&stand.specimen, stand.twin());
    let at = rng.usize(..mutants.len());
    Some(mutants.swap_remove(at))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::tamper::expected::{assert_all_found, assert_found};
    use crate::layers::tamper::specimen::{large, small, small_by};

    #[test]
    fn every_byte_of_the_checkpoint_is_held_against_its_signature() {
        for specimen in [small(), large()] {
            let note = specimen.folder.get("checkpoint");
            assert_found(&format!("checkpoint, {}", specimen.name), note.len() * 2, |index| {
                let at = index / 2;
                checkpoint_byte(&specimen, at, masks(note[at], at)[index % 2])
            });
        }
    }

    #[test]
    fn every_byte_of_the_noted_checkpoints_is_held_against_their_signatures() {
        for (specimen, step) in [(small(), 1), (large(), 5)] {
            let noted = specimen.folder.get("checkpoints.jsonl");
            let count = noted.len() * 2 / step;
            assert_found(&format!("noted checkpoints, {}", specimen.name), count, |index| {
                let at = index * step / 2;
                noted_byte(&specimen, at, masks(noted[at], at)[index % 2])
            });
        }
    }

    #[test]
    fn every_byte_of_a_row_is_compared() {
        for (specimen, step) in [(small(), 1), (large(), 61)] {
            let mut targets = Vec::new();
            for name in ["tree/0", "tree/1"].into_iter().filter(|name| specimen.folder.has(name)) {
                let row = specimen.folder.get(name);
                targets.extend((0..row.len()).step_by(step).map(|at| (name, at, row[at])));
            }
            assert_found(&format!("rows, {}", specimen.name), targets.len(), |index| {
                let (name, at, byte) = targets[index];
                row_byte(&specimen, name, at, masks(byte, at)[index % 2])
            });
        }
    }

    #[test]
    fn a_row_cut_anywhere_is_damage_or_lost_leaves() {
        for (specimen, step) in [(small(), 1), (large(), 211)] {
            let row = specimen.folder.get("tree/0");
            let sizes: Vec<usize> = (0..row.len()).step_by(step).collect();
            assert_found(&format!("rows cut, {}", specimen.name), sizes.len(), |index| {
                row_cut(&specimen, sizes[index])
            });
        }
    }

    #[test]
    fn row_bytes_beyond_the_mark_mean_nothing() {
        assert_all_found("rows", vec![row_longer(&small(), b"anything")]);
    }

    #[test]
    fn rows_and_notes_of_earlier_are_missed_where_the_log_shows_it() {
        let mut mutants = Vec::new();
        for specimen in [small(), large()] {
            for number in 0..specimen.earlier.len() {
                for name in ["checkpoint", "tree/0", "checkpoints.jsonl"] {
                    mutants.push(of_earlier(&specimen, number, name));
                }
            }
        }
        assert_all_found("rows and notes of earlier", mutants);
    }

    #[test]
    fn a_log_put_back_to_a_signed_state_is_sound_and_not_anchored() {
        let mut mutants = Vec::new();
        for specimen in [small(), large()] {
            for number in 0..specimen.earlier.len() {
                let back = put_back(&specimen, number);
                assert!(back.iter().all(|mutant| mutant.expected.problems.is_empty()));
                mutants.extend(back);
            }
        }
        assert_all_found("put back", mutants);
    }

    #[test]
    fn rows_and_notes_of_another_log_are_not_taken_for_this_ones() {
        assert_all_found("of another log", foreign(&small(), &small_by(2)));
    }
}
