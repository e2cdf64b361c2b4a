//! What only something from outside can show: a log forked and signed again by who has its key, rolled back, cut off
//! where no signature covers it, or put in the place of another one. Each is sound, and not anchored, by itself; and is
//! found with a checkpoint, a receipt or a key that was kept, where that reaches so far.

use std::collections::BTreeMap;

use fastrand::Rng;
use indelible::Problem::{
    Forked, KeptBeyond, KeptRootMismatch, KeyOfAnotherLog, ReceiptHashDiffers, ReceiptOfAnotherLog,
    ReceiptRecordMissing,
};
use indelible::Receipt;
use indelible::format::record::parse_head;

use super::lines::places;
use super::notes::{put_back, quarantined_beyond, sizes};
use super::rewritten::{changed_entry, rehash, rows};
use super::{Stand, any};
use crate::layers::tamper::expected::{Expected, Kept, Mutant};
use crate::layers::tamper::memory::Memory;
use crate::layers::tamper::specimen::{
    Line, Segment, Specimen, Whose, checkpoint, note_line, segments, size_of,
};

/// All notes of `folder` signed anew, over what `row` gives.
pub(crate) fn sign_again(folder: &Memory, row: &[u8], log: &Whose) -> Memory {
    let noted = sizes(folder);
    let (latest, noted) = noted.split_last().unwrap();
    let note = |size: usize| checkpoint(log, row, u64::try_from(size).unwrap());
    let lines: Vec<u8> = noted.iter().flat_map(|size| note_line(&note(*size))).collect();
    let folder = folder.with("checkpoint", note(*latest)).with("tree/0", row);
    if folder.has("checkpoints.jsonl") { folder.with("checkpoints.jsonl", lines) } else { folder }
}

/// The log from `place` on hashed again, with rows and signatures that agree.
pub(crate) fn signed_again(
    specimen: &Specimen,
    place: (usize, usize),
    head: &[u8],
) -> (Vec<Segment>, Memory) {
    let mut segments = specimen.segments.clone();
    rehash(&mut segments, place, head);
    let row = rows(specimen, &segments);
    let folder = sign_again(&specimen.with(&segments), &row, &specimen.log);
    (segments, folder)
}

/// The receipts of all records that ever were, by their `seq`.
fn receipts(specimen: &Specimen) -> BTreeMap<u64, Receipt> {
    let receipt = |line: &Line| {
        let head = parse_head(&line.bytes).unwrap();
        let receipt = Receipt::new(specimen.log.log_id, head.seq, head.timestamp, line.link().hash);
        (head.seq, receipt)
    };
    let earlier = specimen.earlier.iter().flat_map(segments);
    let all = earlier.chain(specimen.segments.iter().cloned());
    all.flat_map(|segment| segment.lines).map(|line| receipt(&line)).collect()
}

fn end(segments: &[Segment]) -> u64 {
    segments.last().unwrap().lines.last().unwrap().seq + 1
}

/// A checkpoint that was kept when there were `size` records. There are none beyond the mark: what is given out is in
/// the folder before.
fn kept_at(specimen: &Specimen, size: u64) -> Kept {
    let note = checkpoint(&specimen.log, specimen.folder.get("tree/0"), size);
    Kept { checkpoint: Some(note), ..Kept::default() }
}

fn kept_key(specimen: &Specimen) -> Kept {
    Kept { key: Some(specimen.verifier_key()), ..Kept::default() }
}

/// The line of a record, and its segment.
fn line_of(segments: &[Segment], seq: u64) -> (&Segment, &Line) {
    let mut lines =
        segments.iter().flat_map(|segment| segment.lines.iter().map(move |l| (segment, l)));
    lines.find(|(_, line)| line.seq == seq).unwrap()
}

/// Some receipts, one of them of the record `held` that is there; by their `seq`.
fn some_receipts(specimen: &Specimen, held: u64, rng: &mut Rng) -> Vec<Receipt> {
    let all = receipts(specimen);
    let often = rng.u8(1..8);
    let some = all.into_values().filter(|receipt| receipt.seq == held || rng.u8(..8) < often);
    some.collect()
}

/// Where the one note of this size stands in `folder`; none where two of that size do.
fn noted_at(folder: &Memory, size: u64) -> Option<(String, usize)> {
    let mut places = Vec::new();
    let mut offset = 0;
    for line in
        folder.find("checkpoints.jsonl").unwrap_or_default().split_inclusive(|b| *b == b'\n')
    {
        let text = std::str::from_utf8(line).unwrap();
        if text.split("\\n").nth(1).unwrap().parse() == Ok(size) {
            places.push(("checkpoints.jsonl".to_owned(), offset));
        }
        offset += line.len();
    }
    if size_of(folder.get("checkpoint")) == size {
        places.push(("checkpoint".to_owned(), 0));
    }
    if places.len() == 1 { places.pop() } else { None }
}

fn is_noted(folder: &Memory, size: u64) -> bool {
    sizes(folder).contains(&usize::try_from(size).unwrap())
}

/// Forked by who has the key, and held against nothing, the key, a checkpoint, or receipts.
pub(crate) fn draw_fork(stand: &Stand, rng: &mut Rng) -> Option<Mutant> {
    let specimen = &stand.specimen;
    let place = *any(rng, &places(specimen));
    let forked_at = &specimen.segments[place.0].lines[place.1];
    let head = changed_entry(forked_at)?;
    if head.windows(19).any(|text| text == b"indelible.log.prune") {
        // What `signed` covers, perhaps: that is found by itself.
        return None;
    }
    let (segments, folder) = signed_again(specimen, place, &head);
    let what = format!("{}: forked from {} on", specimen.name, forked_at.seq);
    let mutant =
        |how: String, expected| Mutant::new(format!("{what}, {how}"), folder.clone(), expected);
    Some(match rng.u8(..6) {
        0 => mutant("nothing kept".to_owned(), Expected::sound()),
        1 => mutant("the key kept".to_owned(), Expected::sound()).against(kept_key(specimen)),
        2 | 3 => {
            let size = rng.u64(1..=specimen.mark);
            let expected = if size <= forked_at.seq {
                Expected::sound()
            } else if is_noted(&folder, size) {
                let (file, offset) = noted_at(&folder, size)?;
                Expected::tampering(Forked).at(&file, offset)
            } else {
                let (segment, line) = line_of(&segments, size - 1);
                Expected::tampering(KeptRootMismatch).at_line(segment, line)
            };
            let mutant = mutant(format!("a checkpoint of {size} kept"), expected);
            mutant.against(kept_at(specimen, size))
        }
        _ => {
            let receipts = some_receipts(specimen, segments[0].lines[0].seq, rng);
            let other = receipts.iter().find(|receipt| receipt.seq >= forked_at.seq);
            let expected = other.map_or_else(Expected::sound, |receipt| {
                let (segment, line) = line_of(&segments, receipt.seq);
                Expected::tampering(ReceiptHashDiffers).at_line(segment, line)
            });
            let mutant = mutant(format!("{} receipts kept", receipts.len()), expected);
            mutant.against(Kept { receipts, ..Kept::default() })
        }
    })
}

/// A log that ends earlier than what was kept of it.
fn shorter(specimen: &Specimen, mutant: Mutant, rng: &mut Rng) -> Mutant {
    let there = segments(&mutant.folder);
    let (first, end_there) = (there[0].lines[0].seq, end(&there));
    let open = mutant.expected.problems.is_empty();
    let with = |how: String, kept, expected: Option<Expected>| {
        let expected = expected.filter(|_| open).unwrap_or_else(|| mutant.expected.clone());
        let (what, folder) = (format!("{}, {how}", mutant.what), mutant.folder.clone());
        Mutant::new(what, folder, expected).against(kept)
    };
    match rng.u8(..6) {
        0 => mutant,
        1 => with("the key kept".to_owned(), kept_key(specimen), None),
        2 | 3 => {
            let size = rng.u64(1..=specimen.mark);
            let newest = there.last().unwrap();
            let gone = (size > end_there)
                .then(|| Expected::missing(KeptBeyond).at(&newest.name, newest.size()));
            with(format!("a checkpoint of {size} kept"), kept_at(specimen, size), gone)
        }
        _ => {
            let receipts = some_receipts(specimen, first, rng);
            let missing = receipts.iter().find(|receipt| receipt.seq >= end_there);
            let gone =
                missing.map(|receipt| Expected::missing(ReceiptRecordMissing).record(receipt.seq));
            let how = format!("{} receipts kept", receipts.len());
            with(how, Kept { receipts, ..Kept::default() }, gone)
        }
    }
}

pub(crate) fn draw_rollback(stand: &Stand, rng: &mut Rng) -> Option<Mutant> {
    let specimen = &stand.specimen;
    let mut mutants = put_back(specimen, rng.usize(..specimen.earlier.len()));
    let mutant = mutants.swap_remove(rng.usize(..mutants.len()));
    Some(shorter(specimen, mutant, rng))
}

/// Cut at a record that no signature covers.
pub(crate) fn draw_end(stand: &Stand, rng: &mut Rng) -> Option<Mutant> {
    let specimen = &stand.specimen;
    let newest = specimen.newest();
    let beyond: Vec<&Line> = newest.lines.iter().filter(|line| line.seq >= specimen.mark).collect();
    let line = any(rng, &beyond);
    let folder =
        specimen.folder.with("audit.log", &specimen.folder.get("audit.log")[..line.offset]);
    let expected = quarantined_beyond(&folder);
    let what = format!("{}: cut before {}, beyond the mark", specimen.name, line.seq);
    Some(shorter(specimen, Mutant::new(what, folder, expected), rng))
}

/// Another log in the place of this one.
pub(crate) fn draw_other(stand: &Stand, rng: &mut Rng) -> Option<Mutant> {
    let (specimen, other) = (&stand.specimen, stand.twin());
    let mutant = |how: &str, expected| {
        Mutant::new(format!("another log in its place, {how}"), other.folder.clone(), expected)
    };
    Some(match rng.u8(..4) {
        0 => mutant("nothing kept", Expected::sound()),
        1 => mutant("the key kept", Expected::missing(KeyOfAnotherLog)).against(kept_key(specimen)),
        2 => {
            let receipts = some_receipts(specimen, specimen.segments[0].lines[0].seq, rng);
            let kept = Kept { receipts, ..Kept::default() };
            let mutant = mutant("receipts kept", Expected::missing(ReceiptOfAnotherLog));
            Mutant { anchored: false, ..mutant.against(kept) }
        }
        _ => {
            let size = rng.u64(1..=specimen.mark);
            let differs = Expected::tampering(KeptRootMismatch);
            let expected = if is_noted(&other.folder, size) {
                let (file, offset) = noted_at(&other.folder, size)?;
                differs.at(&file, offset)
            } else if size > other.segments[0].lines[0].seq {
                let (segment, line) = line_of(&other.segments, size - 1);
                differs.at_line(segment, line)
            } else {
                differs.in_file("tree/0")
            };
            mutant("a checkpoint kept", expected).against(kept_at(specimen, size))
        }
    })
}
