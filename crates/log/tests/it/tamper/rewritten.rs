//! Records changed and everything after them hashed again; another log's lines spliced in.

use indelible::FindingClass;
use indelible::Problem::{ChainBroken, PruneMisplaced, RootMismatch, SignedInvalid};
use indelible::format::chain::{Hash, Link, seal};
use indelible::format::tree::leaf_hash;

use super::lines::{places, settle};
use super::memory::Memory;
use super::notes::sizes;
use super::specimen::{Line, Segment, Specimen, large, small, small_by};
use super::{Expected, Mutant, assert_all_found};

/// Another entry of the same size and with the same `seq`; of the log's own records the salt, or what `signed` covers.
fn changed_entry(line: &Line) -> Vec<u8> {
    let text = String::from_utf8(line.link().entry_head.to_vec()).unwrap();
    let at = text.find("\"salt\":\"").map_or_else(|| text.find("max_files"), |at| Some(at + 9));
    let mut bytes = text.into_bytes();
    let byte = &mut bytes[at.unwrap()];
    *byte = if *byte == b'x' { b'y' } else { b'x' };
    bytes
}

/// Hashes every line from there on anew, onto the one before it.
pub(super) fn rehash(segments: &mut [Segment], from: (usize, usize), head: &[u8]) {
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
fn rows(specimen: &Specimen, segments: &[Segment]) -> Vec<u8> {
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

#[test]
fn a_suffix_hashed_anew_is_found_by_the_signed_roots_up_to_the_mark() {
    let mut mutants = Vec::new();
    for (specimen, step) in [(small(), 1), (large(), 5)] {
        for place in places(&specimen).into_iter().step_by(step) {
            let head = changed_entry(&specimen.segments[place.0].lines[place.1]);
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
    let mut mutants = Vec::new();
    let (specimen, other) = (small(), small_by(2));
    for (at, index) in places(&specimen) {
        let foreign = &other.segments[at].lines[index];
        let mut replaced = specimen.segments.clone();
        let own = std::mem::replace(&mut replaced[at].lines[index], foreign.clone());
        let name = &specimen.segments[at].name;
        let expected = || Expected::tampering(ChainBroken).at(name, own.offset).record(own.seq);
        let what = format!("the other log's record {} in place of this one's", own.seq);
        mutants.push(Mutant::new(what, specimen.with(&replaced), expected()));

        let mut inserted = specimen.segments.clone();
        inserted[at].lines.insert(index, foreign.clone());
        if (at, index) != (0, 0) {
            let what = format!("the other log's record {} before this one's", own.seq);
            mutants.push(Mutant::new(what, specimen.with(&inserted), expected()));
        }
    }
    // At the end, beyond the mark.
    let mut longer = specimen.segments.clone();
    let mut more = other.newest().lines.last().unwrap().clone();
    let last = specimen.newest().lines.last().unwrap();
    let head = String::from_utf8(more.link().entry_head.to_vec()).unwrap();
    let head =
        head.replacen(&format!("\"seq\":{}", last.seq), &format!("\"seq\":{}", last.seq + 1), 1);
    let mut bytes = head.into_bytes();
    seal(&mut bytes, 0, &more.link().prev_hash);
    bytes.push(b'\n');
    more.bytes = bytes;
    longer.last_mut().unwrap().lines.push(more);
    let expected =
        Expected::tampering(ChainBroken).at("audit.log", last.end()).record(last.seq + 1);
    mutants.push(Mutant::new(
        "the other log's record at the end",
        specimen.with(&longer),
        expected,
    ));
    assert_all_found("foreign lines", mutants);
}

#[test]
fn a_record_with_another_ones_hash_or_link_is_found() {
    let mut mutants = Vec::new();
    for specimen in [small(), large()] {
        for (at, index) in places(&specimen).into_iter().skip(1) {
            let line = &specimen.segments[at].lines[index];
            let Link { entry_head, prev_hash, .. } = line.link();
            let other = leaf_hash(&prev_hash);
            // Hashed, but onto another record.
            let mut bytes = entry_head.to_vec();
            seal(&mut bytes, 0, &other);
            bytes.push(b'\n');
            let mut segments = specimen.segments.clone();
            segments[at].lines[index].bytes = bytes;
            let expected = Expected::tampering(ChainBroken)
                .at(&specimen.segments[at].name, line.offset)
                .record(line.seq);
            let what = format!("{}: record {} onto another", specimen.name, line.seq);
            mutants.push(Mutant::new(what, specimen.with(&segments), expected));
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
