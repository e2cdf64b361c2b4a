//! Every byte of every segment changed.

use indelible::FindingClass;
use indelible::Problem::{self, BelowMark, HashMismatch, LineUnterminated, NotARecord};
use indelible::format::chain::Link;
use indelible::format::record::parse_head;

use fastrand::Rng;

use super::{Stand, any};
use crate::layers::tamper::expected::{Expected, Mutant};
use crate::layers::tamper::specimen::{Line, Segment, Specimen};

/// A byte of a record.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target<'a> {
    pub(crate) specimen: &'a Specimen,
    pub(crate) segment: &'a Segment,
    pub(crate) line: &'a Line,
    pub(crate) at: usize,
}

/// Every `step`th byte, and every byte of the log's own records and of the last record of each file.
#[cfg(test)]
fn targets(specimen: &Specimen, step: usize) -> Vec<Target<'_>> {
    let mut targets = Vec::new();
    let mut count = 0;
    for segment in &specimen.segments {
        for line in &segment.lines {
            for at in 0..line.bytes.len() {
                count += 1;
                if count % step == 0 || at + 1 == line.bytes.len() {
                    targets.push(Target { specimen, segment, line, at });
                }
            }
        }
    }
    targets
}

impl Target<'_> {
    pub(crate) fn mutant(self, mask: u8) -> Mutant {
        let Self { specimen, segment, line, at } = self;
        let mut bytes = specimen.folder.get(&segment.name).to_vec();
        bytes[line.offset + at] ^= mask;
        let what = format!(
            "{}: {} record {}, byte {at} of {} xor {mask:#04x}",
            specimen.name,
            segment.name,
            line.seq,
            line.bytes.len()
        );
        let expected = self.expected(&bytes, mask);
        Mutant::new(what, specimen.folder.with(&segment.name, bytes), expected)
    }

    /// What the first line is now that this byte stands in, and how many bits were changed.
    fn expected(self, bytes: &[u8], mask: u8) -> Expected {
        let class =
            if mask.is_power_of_two() { FindingClass::Damage } else { FindingClass::Tampering };
        self.expected_as(class, bytes)
    }

    fn expected_as(self, class: FindingClass, bytes: &[u8]) -> Expected {
        let Self { specimen, segment, line, .. } = self;
        let rest = &bytes[line.offset..];
        let problem = match rest.iter().position(|byte| *byte == b'\n') {
            Some(end) => problem_of(&rest[..end]),
            // Bytes without a line feed up to the end are a torn tail, beyond the mark and in the newest file.
            None if segment.name == "audit.log" && line.seq >= specimen.mark => {
                return Expected::torn(&segment.name, line.offset, line.seq);
            }
            None if segment.name == "audit.log" => BelowMark,
            None => LineUnterminated,
        };
        Expected::new(class, &[problem]).at_line(segment, line)
    }
}

/// A line whose link and head can be read has a hash that is wrong; another one is no record.
fn problem_of(line: &[u8]) -> Problem {
    if Link::split(line).is_ok() && parse_head(line).is_ok() { HashMismatch } else { NotARecord }
}

/// More than one bit, and no NUL, of which there is a rule of its own.
pub(crate) fn several_bits(byte: u8, at: usize) -> u8 {
    const MASKS: [u8; 7] = [0x03, 0x41, 0x18, 0x55, 0x90, 0x07, 0x60];
    let mask = MASKS[at % MASKS.len()];
    if mask == byte { mask ^ 0x81 } else { mask }
}

#[cfg(test)]
fn one_bit(byte: u8, at: usize) -> u8 {
    let mask = 1 << (at % 8);
    if mask == byte { 0x80 } else { mask }
}

/// Sectors that a disk may have lost, `count` of them from byte `from` of a segment on.
fn lost(specimen: &Specimen, segment: &Segment, from: usize, count: usize) -> Mutant {
    let mut lost = specimen.folder.get(&segment.name).to_vec();
    let to = (from + count * 512).min(lost.len());
    lost[from..to].fill(0);
    let line = segment.lines.iter().rev().find(|line| line.offset <= from).unwrap();
    let (offset, seq) = (line.offset, line.seq);
    // Of the first record of all, its head may tell its place, or the next ones, unless some of them are lost with it.
    let first = segment.name == specimen.segments[0].name && offset == 0;
    let torn = segment.name == "audit.log" && seq >= specimen.mark;
    let expected = if torn {
        Expected::torn(&segment.name, offset, seq)
    } else if lost[offset..].contains(&b'\n') {
        Expected::damage(Problem::NulRun).at(&segment.name, offset).record(seq)
    } else {
        // What stands there has no line feed, either.
        Expected::new(FindingClass::Damage, &[Problem::NulRun, BelowMark, LineUnterminated])
            .at(&segment.name, offset)
            .record(seq)
    };
    let expected = match (first, from) {
        (true, 0) => Expected { seq: None, ..expected },
        (true, _) => Expected { seq_may_lack: true, ..expected },
        (false, _) => expected,
    };
    let what = format!("{}: {count} lost sectors from {from} in {}", specimen.name, segment.name);
    Mutant::new(what, specimen.folder.with(&segment.name, lost), expected.never_tampering())
}

fn target<'a>(specimen: &'a Specimen, rng: &mut Rng) -> Target<'a> {
    let segment = any(rng, &specimen.segments);
    let line = any(rng, &segment.lines);
    Target { specimen, segment, line, at: rng.usize(..line.bytes.len()) }
}

/// Any byte made any other, but for a NUL, of which there is a rule of its own.
pub(crate) fn draw(stand: &Stand, rng: &mut Rng) -> Option<Mutant> {
    let target = target(&stand.specimen, rng);
    let byte = target.line.bytes[target.at];
    let mask = match rng.u8(..8) {
        // What makes or unmakes a line.
        0 => byte ^ b'\n',
        1..=4 => 1 << rng.u8(..8),
        _ => rng.u8(1..),
    };
    (mask != 0 && mask != byte).then(|| target.mutant(mask))
}

/// Two bytes changed, and none of them a line feed: the first line that is wrong is found.
pub(crate) fn draw_two(stand: &Stand, rng: &mut Rng) -> Option<Mutant> {
    let specimen = &stand.specimen;
    let (one, two) = (target(specimen, rng), target(specimen, rng));
    // Of one line half of the time.
    let two =
        if rng.bool() { Target { at: rng.usize(..one.line.bytes.len()), ..one } } else { two };
    let (first, second) =
        if (two.line.seq, two.at) < (one.line.seq, one.at) { (two, one) } else { (one, two) };
    if (first.line.seq, first.at) == (second.line.seq, second.at) {
        return None;
    }
    let mut folder = specimen.folder.clone();
    let mut masks = [0; 2];
    for (target, mask) in [first, second].into_iter().zip(&mut masks) {
        let byte = target.line.bytes[target.at];
        *mask = if rng.bool() { 1 << rng.u8(..8) } else { rng.u8(1..) };
        if byte == b'\n' || byte == *mask || byte ^ *mask == b'\n' {
            return None;
        }
        let mut bytes = folder.get(&target.segment.name).to_vec();
        bytes[target.line.offset + target.at] ^= *mask;
        folder.put(&target.segment.name, bytes);
    }
    let bytes = folder.get(&first.segment.name);
    let expected = if first.line.seq == second.line.seq {
        first.expected_as(FindingClass::Tampering, bytes)
    } else {
        first.expected(bytes, masks[0])
    };
    let what = format!(
        "record {} byte {} xor {:#04x}, record {} byte {} xor {:#04x}",
        first.line.seq, first.at, masks[0], second.line.seq, second.at, masks[1]
    );
    Some(Mutant::new(what, folder, expected))
}

/// A byte inserted, removed, or exchanged with the next one.
pub(crate) fn draw_sized(stand: &Stand, rng: &mut Rng) -> Option<Mutant> {
    let target = target(&stand.specimen, rng);
    let Target { specimen, segment, line, at } = target;
    // The line feed at the end of a file is for the cuts.
    if at + 1 == line.bytes.len() {
        return None;
    }
    let mut bytes = specimen.folder.get(&segment.name).to_vec();
    let place = line.offset + at;
    let what = match rng.u8(..3) {
        0 => {
            let byte = rng.u8(11..);
            bytes.insert(place, byte);
            format!("{byte:#04x} inserted")
        }
        1 => {
            bytes.remove(place);
            "removed".to_owned()
        }
        _ => {
            if at + 2 >= line.bytes.len() || bytes[place] == bytes[place + 1] {
                return None;
            }
            bytes.swap(place, place + 1);
            "exchanged with the next".to_owned()
        }
    };
    let expected = target.expected_as(FindingClass::Tampering, &bytes);
    let what = format!("{} record {}, byte {at} {what}", segment.name, line.seq);
    Some(Mutant::new(what, specimen.folder.with(&segment.name, bytes), expected))
}

/// Sectors that read as NULs.
pub(crate) fn draw_lost(stand: &Stand, rng: &mut Rng) -> Option<Mutant> {
    let segment = any(rng, &stand.specimen.segments);
    let from = rng.usize(..segment.size().div_ceil(512)) * 512;
    Some(lost(&stand.specimen, segment, from, rng.usize(1..9)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::tamper::expected::{assert_found, verify_strictly};
    use crate::layers::tamper::specimen::{large, small};

    #[test]
    fn one_bit_of_any_byte_changed_is_damage_of_that_record() {
        for (specimen, step) in [(small(), 1), (large(), 1_999)] {
            let targets = targets(&specimen, step);
            assert_found(&format!("one bit, {}", specimen.name), targets.len(), |index| {
                let target = targets[index];
                target.mutant(one_bit(target.line.bytes[target.at], index))
            });
        }
    }

    #[test]
    fn any_byte_made_another_is_tampering_with_that_record() {
        for (specimen, step) in [(small(), 1), (large(), 1_999)] {
            let targets = targets(&specimen, step);
            assert_found(&format!("several bits, {}", specimen.name), targets.len(), |index| {
                let target = targets[index];
                target.mutant(several_bits(target.line.bytes[target.at], index))
            });
        }
    }

    /// Every bit that makes a line feed of a byte, or another byte of a line feed, and of each digit of a `seq`.
    #[test]
    fn lines_that_a_flipped_bit_splits_or_joins_are_damage() {
        let specimen = small();
        let mut chosen = Vec::new();
        for target in targets(&specimen, 1) {
            let byte = target.line.bytes[target.at];
            for bit in 0..8 {
                let mask = 1_u8 << bit;
                let in_seq = (7..9).contains(&target.at);
                if byte != mask && (byte ^ mask == b'\n' || byte == b'\n' || in_seq) {
                    chosen.push((target, mask));
                }
            }
        }
        assert_found("splits and joins", chosen.len(), |index| {
            let (target, mask) = chosen[index];
            target.mutant(mask)
        });
    }

    /// Of every multiple of 512, runs that end within a line and runs that take line feeds with them.
    #[test]
    fn sectors_that_read_as_nuls_are_damage_but_for_the_tail_and_never_tampering() {
        let all: Vec<usize> = (1..=16).collect();
        for (specimen, counts) in [(small(), all.as_slice()), (large(), &[1, 2, 4, 5, 8, 16])] {
            let mut places = Vec::new();
            for segment in &specimen.segments {
                for from in (0..segment.size()).step_by(512) {
                    places.extend(counts.iter().map(|count| (segment, from, *count)));
                }
            }
            assert_found(&format!("lost sectors, {}", specimen.name), places.len(), |index| {
                let (segment, from, count) = places[index];
                lost(&specimen, segment, from, count)
            });
        }
    }

    /// Two blocks of 4 KiB with whole records between them, in each file.
    #[test]
    fn two_lost_blocks_are_damage_and_never_tampering() {
        let specimen = large();
        let mut places = Vec::new();
        for segment in &specimen.segments {
            for from in (4096..segment.size().saturating_sub(16 << 10)).step_by(4096) {
                places.push((segment, from));
            }
        }
        assert_found("lost blocks", places.len(), |index| {
            let (segment, from) = places[index];
            let mut mutant = lost(&specimen, segment, from, 8);
            let mut bytes = mutant.folder.get(&segment.name).to_vec();
            bytes[from + 12_288..from + 16_384].fill(0);
            mutant.folder.put(&segment.name, bytes);
            mutant
        });
    }

    #[test]
    fn lost_sectors_are_named_with_their_bytes_and_the_records_that_stood_there() {
        let specimen = large();
        let segment = &specimen.segments[1];
        let line = segment.lines.iter().find(|line| line.offset > 20 * 512).unwrap();
        let from = line.offset.next_multiple_of(512);
        let report = verify_strictly(&lost(&specimen, segment, from, 16).folder);
        let last = segment.lines.iter().rev().find(|line| line.offset < from + 16 * 512).unwrap();
        let found = &report.findings[0];
        let nuls = format!("8192 NUL bytes, {from} to {}", from + 8191);
        assert_eq!(found.found, Some(nuls), "{report}");
        let first = segment.lines.iter().rev().find(|line| line.offset <= from).unwrap();
        let stood = format!("records {} to {} stood there", first.seq, last.seq);
        assert_eq!(found.evidence, [stood], "{report}");
    }
}
