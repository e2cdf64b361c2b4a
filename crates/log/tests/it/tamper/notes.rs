//! Rows and notes: every byte changed, and older ones put back.

use indelible::FindingClass;
use indelible::Problem::{
    BoundaryNotNoted, CheckpointForged, CheckpointMalformed, CheckpointOfAnotherLog, LeavesLost,
    RowsDiffer, RowsMissing,
};
use indelible::format::checkpoint::Checkpoint;
use indelible::format::note::Note;

use super::memory::Memory;
use super::specimen::{Specimen, large, segments, size_of, small, small_by};
use super::{Expected, Mutant, assert_all_found, assert_found};

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

fn masks(byte: u8, at: usize) -> [u8; 2] {
    let one = 1 << (at % 8);
    let several = [0x03, 0x41, 0x18, 0x55, 0x90, 0x07, 0x60][at % 7];
    [if one == byte { 0x80 } else { one }, if several == byte { several ^ 0x81 } else { several }]
}

#[test]
fn every_byte_of_the_checkpoint_is_held_against_its_signature() {
    for specimen in [small(), large()] {
        let note = specimen.folder.get("checkpoint");
        assert_found(&format!("checkpoint, {}", specimen.name), note.len() * 2, |index| {
            let at = index / 2;
            let mask = masks(note[at], at)[index % 2];
            let mut changed = note.to_vec();
            changed[at] ^= mask;
            let expected = changed_note(&specimen, &changed, mask)
                .map_or(Expected::notice(FindingClass::KeyUnknown, "checkpoint", 0), |expected| {
                    expected.at("checkpoint", 0)
                });
            let what = format!("{}: checkpoint byte {at} xor {mask:#04x}", specimen.name);
            Mutant::new(what, specimen.folder.with("checkpoint", changed), expected)
        });
    }
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

#[test]
fn every_byte_of_the_noted_checkpoints_is_held_against_their_signatures() {
    for (specimen, step) in [(small(), 1), (large(), 5)] {
        let noted = specimen.folder.get("checkpoints.jsonl");
        let count = noted.len() * 2 / step;
        assert_found(&format!("noted checkpoints, {}", specimen.name), count, |index| {
            let at = index * step / 2;
            let mask = masks(noted[at], at)[index % 2];
            let start = noted[..at].iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
            let mut changed = noted.to_vec();
            changed[at] ^= mask;
            let expected = changed_line(&specimen, &changed, start, mask);
            let what = format!("{}: checkpoints.jsonl byte {at} xor {mask:#04x}", specimen.name);
            Mutant::new(what, specimen.folder.with("checkpoints.jsonl", changed), expected)
        });
    }
}

/// Wrong row bytes are damage, whatever bits of them: the records, or the signed roots over pruned ones, say so.
#[test]
fn every_byte_of_a_row_is_compared() {
    for (specimen, step) in [(small(), 1), (large(), 61)] {
        let first = usize::try_from(specimen.segments[0].lines[0].seq).unwrap();
        let mut targets = Vec::new();
        for name in ["tree/0", "tree/1"].into_iter().filter(|name| specimen.folder.has(name)) {
            targets.extend((0..specimen.folder.get(name).len()).step_by(step).map(|at| (name, at)));
        }
        assert_found(&format!("rows, {}", specimen.name), targets.len(), |index| {
            let (name, at) = targets[index];
            let mut row = specimen.folder.get(name).to_vec();
            row[at] ^= masks(row[at], at)[index % 2];
            let leaf = at / 32;
            let damage = Expected::damage(RowsDiffer);
            let expected = match name {
                "tree/1" => damage.at(name, leaf * 32),
                _ if leaf >= first => {
                    damage.at(name, leaf * 32).record(u64::try_from(leaf).unwrap())
                }
                // The signed root says that one of them is wrong, and the chain which, where it is the last.
                _ if leaf + 1 == first => damage.at(name, leaf * 32),
                _ => damage.at(name, agreed_before(&specimen, leaf) * 32),
            };
            let what = format!("{}: {name} byte {at}", specimen.name);
            Mutant::new(what, specimen.folder.with(name, row), expected)
        });
    }
}

/// The largest signed size that takes in no leaf from `leaf` on.
fn agreed_before(specimen: &Specimen, leaf: usize) -> usize {
    let sizes = sizes(&specimen.folder);
    sizes.into_iter().filter(|size| *size <= leaf).max().unwrap_or(0)
}

/// Sizes of all notes.
pub(super) fn sizes(folder: &Memory) -> Vec<usize> {
    let noted = if folder.has("checkpoints.jsonl") { folder.get("checkpoints.jsonl") } else { b"" };
    let noted = std::str::from_utf8(noted).unwrap();
    let size = |line: &str| line.split("\\n").nth(1).unwrap().parse().unwrap();
    let latest = usize::try_from(size_of(folder.get("checkpoint"))).unwrap();
    noted.lines().map(size).chain([latest]).collect()
}

#[test]
fn a_row_cut_anywhere_is_damage_or_lost_leaves() {
    for (specimen, step) in [(small(), 1), (large(), 211)] {
        let first = usize::try_from(specimen.segments[0].lines[0].seq).unwrap();
        let row = specimen.folder.get("tree/0");
        let sizes: Vec<usize> = (0..row.len()).step_by(step).collect();
        assert_found(&format!("rows cut, {}", specimen.name), sizes.len(), |index| {
            let size = sizes[index];
            let leaf = size / 32;
            let expected = if leaf < first {
                Expected::missing(LeavesLost)
                    .at("tree/0", leaf * 32)
                    .record(u64::try_from(leaf).unwrap())
            } else {
                Expected::damage(RowsMissing).at("tree/0", size)
            };
            let what = format!("{}: tree/0 cut to {size}", specimen.name);
            Mutant::new(what, specimen.folder.with("tree/0", &row[..size]), expected)
        });
    }
}

#[test]
fn row_bytes_beyond_the_mark_mean_nothing() {
    let specimen = small();
    let row = [specimen.folder.get("tree/0"), b"anything"].concat();
    let folder = specimen.folder.with("tree/0", row);
    assert_all_found("rows", vec![Mutant::new("longer", folder, Expected::sound())]);
}

/// Older rows and notes put back, each alone. An older `checkpoint` only lowers the mark, which nothing in the folder
/// contradicts.
#[test]
fn rows_and_notes_of_earlier_are_missed_where_the_log_shows_it() {
    let mut mutants = Vec::new();
    for specimen in [small(), large()] {
        let first = usize::try_from(specimen.segments[0].lines[0].seq).unwrap();
        for (number, earlier) in specimen.earlier.iter().enumerate() {
            let what = |name| format!("{}: {name} of {number}", specimen.name);
            let folder = |name| specimen.folder.taking(name, earlier);
            mutants.push(Mutant::new(what("checkpoint"), folder("checkpoint"), Expected::sound()));

            let size = earlier.get("tree/0").len();
            let leaves = size / 32;
            let expected = if leaves < first {
                Expected::missing(LeavesLost)
                    .at("tree/0", size)
                    .record(u64::try_from(leaves).unwrap())
            } else if size < specimen.folder.get("tree/0").len() {
                Expected::damage(RowsMissing).at("tree/0", size)
            } else {
                Expected::sound()
            };
            mutants.push(Mutant::new(what("tree/0"), folder("tree/0"), expected));

            let noted = sizes(&folder("checkpoints.jsonl"));
            let unnoted =
                specimen.segments.iter().skip(1).find(|segment| {
                    !noted.contains(&usize::try_from(segment.lines[0].seq).unwrap())
                });
            let expected = unnoted.map_or(Expected::sound(), |segment| {
                Expected::missing(BoundaryNotNoted).at(&segment.name, 0)
            });
            let name = "checkpoints.jsonl";
            mutants.push(Mutant::new(what(name), folder(name), expected));
        }
    }
    assert_all_found("rows and notes of earlier", mutants);
}

/// What only something from outside can find: the whole folder of earlier, and the log cut back to it.
#[test]
fn a_log_put_back_to_a_signed_state_is_sound_and_not_anchored() {
    let mut mutants = Vec::new();
    for specimen in [small(), large()] {
        for (number, earlier) in specimen.earlier.iter().enumerate() {
            let what = format!("{}: state {number}", specimen.name);
            mutants.push(Mutant::new(what, earlier.clone(), Expected::sound()));
            let same_start = segments(earlier)[0].lines[0].seq == specimen.segments[0].lines[0].seq;
            if same_start {
                // The records cut to what was there, by somebody who kept older rows and notes only.
                let mut cut = specimen.folder.clone();
                let size = earlier.get("audit.log").len();
                cut.put("audit.log", &cut.get("audit.log")[..size].to_vec()[..]);
                for name in ["checkpoint", "checkpoints.jsonl", "tree/0"] {
                    cut = cut.taking(name, earlier);
                }
                let what = format!("{}: cut to state {number}", specimen.name);
                mutants.push(Mutant::new(what, cut, Expected::sound()));
            }
        }
    }
    assert_all_found("put back", mutants);
}

/// Another log's rows and notes.
#[test]
fn rows_and_notes_of_another_log_are_not_taken_for_this_ones() {
    let (specimen, other) = (small(), small_by(2));
    let name = |name| specimen.folder.taking(name, &other.folder);
    let middle = &specimen.segments[1];
    let notes = name("checkpoint").taking("checkpoints.jsonl", &other.folder);
    assert_all_found(
        "of another log",
        vec![
            Mutant::new(
                "checkpoint",
                name("checkpoint"),
                Expected::notice(FindingClass::KeyUnknown, "checkpoint", 0),
            ),
            Mutant::new(
                "checkpoints.jsonl",
                name("checkpoints.jsonl"),
                Expected::missing(BoundaryNotNoted).at(&middle.name, 0),
            ),
            Mutant::new("both", notes, Expected::missing(indelible::Problem::NoCheckpoint)),
            Mutant::new(
                "rows",
                name("tree/0"),
                // All leaves differ: of the pruned records, too, which the first signed root tells.
                Expected::damage(RowsDiffer).at("tree/0", 0),
            ),
        ],
    );
}
