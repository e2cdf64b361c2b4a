//! Records changed and everything after them hashed again; another log's lines spliced in.

use fastrand::Rng;
use indelible::FindingClass;
use indelible::Problem::{ChainBroken, PruneMisplaced, RootMismatch, SignedInvalid};
use indelible::format::chain::{Hash, Link, seal};
use indelible::format::tree::leaf_hash;

use super::lines::{places, settle};
use super::notes::sizes;
use super::{Stand, any};
use crate::layers::tamper::expected::{Expected, Mutant};
use crate::layers::tamper::memory::Memory;
use crate::layers::tamper::specimen::{Line, Segment, Specimen};
use crate::layers::tamper::steady::{find, replaced};

/// Another entry of the same size and with the same `seq`; of the log's own records the salt, or what `signed` covers.
/// None where the log's own record has neither.
pub(crate) fn changed_entry(line: &Line) -> Option<Vec<u8>> {
    let mut bytes = line.link().entry_head.to_vec();
    let salt = bytes.len().checked_sub(32).filter(|at| bytes[*at..].starts_with(b",\"salt\":\""));
    let at = match salt {
        Some(at) => at + 10,
        None if is_own(&bytes) => find(&bytes, b"\"reason\":\"max_files")? + 10,
        None => find(&bytes, b"\"resource\":\"")? + 12,
    };
    let byte = &mut bytes[at];
    *byte = if *byte == b'x' { b'y' } else { b'x' };
    Some(bytes)
}

/// Whether it is a record of the log's own.
pub(crate) fn is_own(line: &[u8]) -> bool {
    find(line, b"\"actor\":\"indelible\"").is_some()
}

/// Hashes every line from there on anew, onto the one before it.
pub(crate) fn rehash(segments: &mut [Segment], from: (usize, usize), head: &[u8]) {
    let mut last: Option<Hash> = None;
    for (at, segment) in segments.iter_mut().enumerate() {
        for (index, line) in segment.lines.iter_mut().enumerate() {
            if (at, index) < from {
                last = Some(line.link().hash);
                continue;
            }
            let mut bytes =
                if (at, index) == from { head.to_vec() } else { line.link().entry_head.to_vec() };
            let prev = last.unwrap_or(line.link().prev_hash);
            last = Some(seal(&mut bytes, 0, &prev));
            bytes.push(b'\n');
            line.bytes = bytes;
        }
    }
    settle(segments);
}

/// Row 0 as these records give it, as far as it went.
pub(crate) fn rows(specimen: &Specimen, segments: &[Segment]) -> Vec<u8> {
    let mut row = specimen.folder.get("tree/0").to_vec();
    for line in segments.iter().flat_map(|segment| &segment.lines) {
        let at = usize::try_from(line.seq).unwrap() * 32;
        if let Some(leaf) = row.get_mut(at..at + 32) {
            leaf.copy_from_slice(leaf_hash(&line.link().hash).as_bytes());
        }
    }
    row
}

/// The log from `place` on rewritten: once with the rows as they were, once with rows that agree.
fn rewritten(specimen: &Specimen, place: (usize, usize), head: &[u8], what: &str) -> Vec<Mutant> {
    let mut segments = specimen.segments.clone();
    rehash(&mut segments, place, head);
    let folder = specimen.with(&segments);
    let what =
        format!("{}: {what} {}", specimen.name, specimen.segments[place.0].lines[place.1].seq);
    let with_rows = folder.with("tree/0", rows(specimen, &segments));
    let (first, at_root) = expected(specimen, &segments, place, &folder);
    vec![
        Mutant::new(&what, folder, first),
        Mutant::new(format!("{what}, rows too"), with_rows, at_root),
    ]
}

/// Rows as they were show the first record that differs. Rows that agree leave the signed roots: the first that is
/// wrong is told at the last record that it takes in.
fn expected(
    specimen: &Specimen,
    segments: &[Segment],
    place: (usize, usize),
    folder: &Memory,
) -> (Expected, Expected) {
    let segment = &segments[place.0];
    let line = &segment.lines[place.1];
    let at = |expected: Expected| expected.at(&segment.name, line.offset).record(line.seq);
    let text = String::from_utf8_lossy(&line.bytes);
    if text.contains("indelible.log.prune") && !text.contains("\"salt\"") {
        // Another log's is the only one here that says whose log this is, but it does not fit.
        let problems = &[SignedInvalid, PruneMisplaced];
        let expected = || at(Expected::new(FindingClass::Tampering, problems));
        return (expected(), expected());
    }
    if line.seq >= specimen.mark {
        return (Expected::sound(), Expected::sound());
    }
    let seq = usize::try_from(line.seq).unwrap();
    let size = sizes(folder).into_iter().filter(|size| *size > seq).min().unwrap();
    let lines = segments.iter().flat_map(|segment| segment.lines.iter().map(move |l| (segment, l)));
    let mut last = lines.filter(|(_, line)| line.seq == u64::try_from(size - 1).unwrap());
    let (segment, last) = last.next().unwrap();
    let at_root = Expected::tampering(RootMismatch).at(&segment.name, last.offset).record(last.seq);
    (at(Expected::tampering(RootMismatch)), at_root)
}

/// The other log's record in place of this one's, and before it.
fn spliced(specimen: &Specimen, other: &Specimen, (at, index): (usize, usize)) -> Vec<Mutant> {
    let foreign = &other.segments[at].lines[index];
    let mut replaced = specimen.segments.clone();
    let own = std::mem::replace(&mut replaced[at].lines[index], foreign.clone());
    let expected = || Expected::tampering(ChainBroken).at_line(&specimen.segments[at], &own);
    let what = format!("the other log's record {} in place of this one's", own.seq);
    let mut mutants = vec![Mutant::new(what, specimen.with(&replaced), expected())];
    if (at, index) != (0, 0) {
        let mut inserted = specimen.segments.clone();
        inserted[at].lines.insert(index, foreign.clone());
        let what = format!("the other log's record {} before this one's", own.seq);
        mutants.push(Mutant::new(what, specimen.with(&inserted), expected()));
    }
    mutants
}

/// The other log's last record at the end of this one, beyond the mark.
fn spliced_behind(specimen: &Specimen, other: &Specimen) -> Mutant {
    let last = specimen.newest().lines.last().unwrap();
    let more = other.newest().lines.last().unwrap().link();
    let seq = |seq| format!("\"seq\":{seq}").into_bytes();
    let mut bytes = replaced(more.entry_head, &seq(last.seq), &seq(last.seq + 1));
    seal(&mut bytes, 0, &more.prev_hash);
    bytes.push(b'\n');
    let bytes = [specimen.folder.get("audit.log"), &bytes].concat();
    let expected =
        Expected::tampering(ChainBroken).at("audit.log", last.end()).record(last.seq + 1);
    let folder = specimen.folder.with("audit.log", bytes);
    Mutant::new("the other log's record at the end", folder, expected)
}

/// A record hashed, but onto another one than the one before it.
fn onto_another(specimen: &Specimen, (at, index): (usize, usize)) -> Mutant {
    let line = &specimen.segments[at].lines[index];
    let Link { entry_head, prev_hash, .. } = line.link();
    let mut bytes = entry_head.to_vec();
    seal(&mut bytes, 0, &leaf_hash(&prev_hash));
    bytes.push(b'\n');
    let mut segments = specimen.segments.clone();
    segments[at].lines[index].bytes = bytes;
    let expected = Expected::tampering(ChainBroken).at_line(&specimen.segments[at], line);
    let what = format!("{}: record {} onto another", specimen.name, line.seq);
    Mutant::new(what, specimen.with(&segments), expected)
}

pub(crate) fn draw_suffix(stand: &Stand, rng: &mut Rng) -> Option<Mutant> {
    let specimen = &stand.specimen;
    let place = *any(rng, &places(specimen));
    let head = changed_entry(&specimen.segments[place.0].lines[place.1])?;
    let mut mutants = rewritten(specimen, place, &head, "hashed anew from");
    Some(mutants.swap_remove(rng.usize(..2)))
}

pub(crate) fn draw_splice(stand: &Stand, rng: &mut Rng) -> Option<Mutant> {
    let (specimen, other) = (&stand.specimen, stand.twin());
    let place = *any(rng, &places(specimen));
    let mut mutants = match rng.u8(..5) {
        0 | 1 => {
            let (own, foreign) =
                [specimen, other].map(|log| &log.segments[place.0].lines[place.1]).into();
            let head = foreign.link().entry_head;
            // Without salt, two logs may say the same.
            if head == own.link().entry_head {
                return None;
            }
            rewritten(specimen, place, head, "the other log's entry at")
        }
        2 => return Some(spliced_behind(specimen, other)),
        _ => spliced(specimen, other, place),
    };
    let at = rng.usize(..mutants.len());
    Some(mutants.swap_remove(at))
}

pub(crate) fn draw_link(stand: &Stand, rng: &mut Rng) -> Option<Mutant> {
    let places = places(&stand.specimen);
    Some(onto_another(&stand.specimen, *any(rng, &places[1..])))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::tamper::expected::assert_all_found;
    use crate::layers::tamper::specimen::{large, small, small_by};

    #[test]
    fn a_suffix_hashed_anew_is_found_by_the_signed_roots_up_to_the_mark() {
        let mut mutants = Vec::new();
        for (specimen, step) in [(small(), 1), (large(), 5)] {
            for place in places(&specimen).into_iter().step_by(step) {
                let head = changed_entry(&specimen.segments[place.0].lines[place.1]).unwrap();
                mutants.extend(rewritten(&specimen, place, &head, "hashed anew from"));
            }
        }
        assert_all_found("suffix hashed anew", mutants);
    }

    #[test]
    fn another_logs_lines_hashed_into_the_chain_are_found_by_the_signed_roots() {
        let mut mutants = Vec::new();
        let (specimen, other) = (small(), small_by(2));
        for place in places(&specimen) {
            let foreign = &other.segments[place.0].lines[place.1];
            let head = foreign.link().entry_head;
            mutants.extend(rewritten(&specimen, place, head, "the other log's entry at"));
        }
        assert_all_found("foreign entries", mutants);
    }

    #[test]
    fn another_logs_lines_do_not_follow_this_ones() {
        let (specimen, other) = (small(), small_by(2));
        let places = places(&specimen);
        let mut mutants: Vec<Mutant> =
            places.into_iter().flat_map(|place| spliced(&specimen, &other, place)).collect();
        mutants.push(spliced_behind(&specimen, &other));
        assert_all_found("foreign lines", mutants);
    }

    #[test]
    fn a_record_with_another_ones_hash_or_link_is_found() {
        let mut mutants = Vec::new();
        for specimen in [small(), large()] {
            for place in places(&specimen).into_iter().skip(1) {
                mutants.push(onto_another(&specimen, place));
            }
        }
        assert_all_found("links", mutants);
    }

    /// Everything written anew, by somebody with a key of their own: nothing in the folder can show it.
    #[test]
    fn a_log_written_anew_as_a_whole_is_sound_and_not_anchored() {
        let mine = small_by(9);
        assert_all_found("whole", vec![Mutant::new("whole", mine.folder, Expected::sound())]);
    }
}
