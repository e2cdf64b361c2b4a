//! Lines removed, doubled and swapped.

use indelible::Problem::{FirstRecordsMissing, SegmentMissing, SeqOutOfOrder};

use fastrand::Rng;

use super::notes::sizes;
use super::{Stand, any};
use crate::layers::tamper::expected::{Expected, Mutant};
use crate::layers::tamper::specimen::{Line, Segment, Specimen};

/// Each line's place: which segment, which line of it.
pub(crate) fn places(specimen: &Specimen) -> Vec<(usize, usize)> {
    let segments = specimen.segments.iter().enumerate();
    segments
        .flat_map(|(at, segment)| (0..segment.lines.len()).map(move |line| (at, line)))
        .collect()
}

/// Gives every line its offset again.
pub(crate) fn settle(segments: &mut [Segment]) {
    for segment in segments {
        let mut offset = 0;
        for line in &mut segment.lines {
            line.offset = offset;
            offset += line.bytes.len();
        }
    }
}

fn what(specimen: &Specimen, segment: usize, line: &Line, done: &str) -> String {
    format!("{}: {} record {} {done}", specimen.name, specimen.segments[segment].name, line.seq)
}

/// The first record that does not follow the one before it, where a file's place is told by its first record. Beyond
/// the mark, nothing tells that the end is gone. A file that begins where it should by no signed note, though the one
/// before it ends at one, has had its own beginning changed; otherwise a file, or the end of one, is gone.
fn first_break(specimen: &Specimen, segments: &[Segment]) -> Expected {
    let mut placed: Vec<&Segment> = segments.iter().collect();
    placed.sort_by_key(|segment| segment.lines[0].seq);
    let sizes = sizes(&specimen.folder);
    // Where the prune record does not begin a file any more, nothing says by which key a note has to be.
    let is_prune =
        |line: &Line| String::from_utf8_lossy(&line.bytes).contains("indelible.log.prune");
    let known = segments.iter().any(|segment| is_prune(&segment.lines[0]));
    let noted = |seq: u64| known && sizes.contains(&usize::try_from(seq).unwrap());
    let mut next = None;
    for segment in placed {
        for line in &segment.lines {
            let expected = next.replace(line.seq + 1).unwrap_or(line.seq);
            if line.seq == expected {
                continue;
            }
            let gone = line.offset == 0 && line.seq > expected;
            let break_ = if gone && (noted(line.seq) || !noted(expected)) {
                Expected::missing(SegmentMissing)
            } else {
                Expected::tampering(SeqOutOfOrder)
            };
            return break_.at(&segment.name, line.offset).record(line.seq);
        }
    }
    Expected::sound()
}

fn swapped(specimen: &Specimen, one: (usize, usize), two: (usize, usize)) -> Mutant {
    let mut segments = specimen.segments.clone();
    let first = segments[one.0].lines[one.1].clone();
    let second = std::mem::replace(&mut segments[two.0].lines[two.1], first.clone());
    segments[one.0].lines[one.1] = second.clone();
    settle(&mut segments);
    let what = what(specimen, one.0, &first, &format!("swapped with {}", second.seq));
    let expected = if first.offset == 0 {
        first_break(specimen, &segments)
    } else {
        Expected::tampering(SeqOutOfOrder)
            .at(&segments[one.0].name, first.offset)
            .record(second.seq)
    };
    Mutant::new(what, specimen.with(&segments), expected)
}

fn removed(specimen: &Specimen, (at, index): (usize, usize)) -> Mutant {
    let mut segments = specimen.segments.clone();
    let line = segments[at].lines.remove(index);
    settle(&mut segments);
    let expected = if (at, index) == (0, 0) {
        let second = &segments[0].lines[0];
        Expected::missing(FirstRecordsMissing).at(&segments[0].name, 0).record(second.seq)
    } else {
        // The last line of all lies beyond the mark.
        first_break(specimen, &segments)
    };
    let what = what(specimen, at, &line, "removed");
    Mutant::new(what, specimen.with(&segments), expected)
}

fn doubled(specimen: &Specimen, (at, index): (usize, usize)) -> Mutant {
    let mut segments = specimen.segments.clone();
    let line = segments[at].lines[index].clone();
    segments[at].lines.insert(index + 1, line.clone());
    settle(&mut segments);
    let expected =
        Expected::tampering(SeqOutOfOrder).at_line(&segments[at], &segments[at].lines[index + 1]);
    let what = what(specimen, at, &line, "doubled");
    Mutant::new(what, specimen.with(&segments), expected)
}

pub(crate) fn draw_removed(stand: &Stand, rng: &mut Rng) -> Option<Mutant> {
    Some(removed(&stand.specimen, *any(rng, &places(&stand.specimen))))
}

pub(crate) fn draw_doubled(stand: &Stand, rng: &mut Rng) -> Option<Mutant> {
    Some(doubled(&stand.specimen, *any(rng, &places(&stand.specimen))))
}

pub(crate) fn draw_swapped(stand: &Stand, rng: &mut Rng) -> Option<Mutant> {
    let places = places(&stand.specimen);
    let one = rng.usize(..places.len() - 1);
    let two = if rng.bool() { one + 1 } else { rng.usize(one + 1..places.len()) };
    Some(swapped(&stand.specimen, places[one], places[two]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::tamper::expected::assert_all_found;
    use crate::layers::tamper::specimen::{large, small};

    #[test]
    fn a_removed_line_is_missed_where_it_stood() {
        let mut mutants = Vec::new();
        for specimen in [small(), large()] {
            for (at, index) in places(&specimen) {
                mutants.push(removed(&specimen, (at, index)));
            }
        }
        assert_all_found("lines removed", mutants);
    }

    #[test]
    fn a_doubled_line_is_found_where_it_stands_again() {
        let mut mutants = Vec::new();
        for specimen in [small(), large()] {
            for (at, index) in places(&specimen) {
                mutants.push(doubled(&specimen, (at, index)));
            }
        }
        assert_all_found("lines doubled", mutants);
    }

    #[test]
    fn lines_swapped_with_the_next_are_found_at_the_first_of_them() {
        let mut mutants = Vec::new();
        for specimen in [small(), large()] {
            let places = places(&specimen);
            mutants.extend(places.windows(2).map(|pair| swapped(&specimen, pair[0], pair[1])));
        }
        assert_all_found("lines swapped with the next", mutants);
    }

    #[test]
    fn lines_swapped_with_one_far_away_are_found_at_the_first_of_them() {
        let mut mutants = Vec::new();
        for (specimen, every) in [(small(), 1), (large(), 7)] {
            let places = places(&specimen);
            for (index, one) in places.iter().enumerate() {
                for two in places.iter().skip(index + 2).step_by(every * 5) {
                    mutants.push(swapped(&specimen, *one, *two));
                }
            }
            if every == 1 {
                // All pairs of the small one.
                for (index, one) in places.iter().enumerate() {
                    let others = places.iter().skip(index + 2);
                    mutants.extend(others.map(|two| swapped(&specimen, *one, *two)));
                }
            }
        }
        assert_all_found("lines swapped with a far one", mutants);
    }
}
