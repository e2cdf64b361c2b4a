//! Files cut short, at every byte.

use indelible::Problem::{
    BelowMark, CutOff, FirstRecordsMissing, LineUnterminated, SegmentMissing,
};

use fastrand::Rng;
use indelible::Problem::NotARecord;
use indelible::format::record::write_head;
use indelible::format::time::Timestamp;

use super::Stand;
use crate::layers::tamper::expected::{Expected, Mutant};
use crate::layers::tamper::specimen::Specimen;

/// `audit.log` cut to `size` bytes.
pub(crate) fn newest_cut(specimen: &Specimen, size: usize) -> Mutant {
    let newest = specimen.newest();
    let bytes = &specimen.folder.get(&newest.name)[..size];
    let line = newest.lines.iter().find(|line| size < line.end()).unwrap();
    let covered = line.seq < specimen.mark;
    let expected = if size == 0 {
        // The prune record was the only one that said whose log it is, and what may be gone.
        let first = &specimen.segments[0];
        Expected::missing(FirstRecordsMissing).at(&first.name, 0).record(first.lines[0].seq)
    } else if size == line.offset {
        if covered { Expected::missing(CutOff).at(&newest.name, size) } else { Expected::sound() }
    } else if covered {
        Expected::missing(BelowMark).at(&newest.name, line.offset).record(line.seq)
    } else {
        Expected::torn(&newest.name, line.offset, line.seq)
    };
    let what = format!("{}: {} cut to {size}", specimen.name, newest.name);
    Mutant::new(what, specimen.folder.with(&newest.name, bytes), expected)
}

/// An older segment cut to `size` bytes.
pub(crate) fn older_cut(specimen: &Specimen, at: usize, size: usize) -> Mutant {
    let segment = &specimen.segments[at];
    let next = &specimen.segments[at + 1];
    let line = segment.lines.iter().find(|line| size < line.end()).unwrap();
    let expected = if size > line.offset {
        let expected = Expected::missing(LineUnterminated).at(&segment.name, line.offset);
        // Of the first record of all nothing intact is left in its file to tell its place, but what it says itself.
        let mut head = Vec::new();
        write_head(&mut head, line.seq, Timestamp::MIN);
        let untold = (at, line.offset) == (0, 0) && size < head.len();
        if untold { expected } else { expected.record(line.seq) }
    } else {
        let problem = if (at, size) == (0, 0) { FirstRecordsMissing } else { SegmentMissing };
        Expected::missing(problem).at(&next.name, 0).record(next.lines[0].seq)
    };
    let what = format!("{}: {} cut to {size}", specimen.name, segment.name);
    let folder = specimen.folder.with(&segment.name, &specimen.folder.get(&segment.name)[..size]);
    Mutant::new(what, folder, expected)
}

/// Bytes that stand behind the last record, and whether a crash leaves such.
fn tail(specimen: &Specimen, what: &str, bytes: &[u8], torn: bool) -> Mutant {
    let newest = specimen.newest();
    let (size, end) = (newest.size(), newest.lines.last().unwrap().seq + 1);
    let expected = if torn {
        Expected::torn(&newest.name, size, end)
    } else {
        Expected::tampering(NotARecord).at(&newest.name, size).record(end)
    };
    let bytes = [specimen.folder.get(&newest.name), bytes].concat();
    let folder = specimen.folder.with(&newest.name, bytes);
    Mutant::new(format!("{}: {what} behind the last record", specimen.name), folder, expected)
}

pub(crate) fn draw_newest(stand: &Stand, rng: &mut Rng) -> Option<Mutant> {
    let specimen = &stand.specimen;
    let size = rng.usize(..specimen.newest().size());
    Some(newest_cut(specimen, at_a_line_now_and_then(specimen, 2, size, rng)))
}

pub(crate) fn draw_older(stand: &Stand, rng: &mut Rng) -> Option<Mutant> {
    let specimen = &stand.specimen;
    let at = rng.usize(..2);
    let size = rng.usize(..specimen.segments[at].size());
    Some(older_cut(specimen, at, at_a_line_now_and_then(specimen, at, size, rng)))
}

/// Where nothing is torn, only the end is missed.
fn at_a_line_now_and_then(specimen: &Specimen, at: usize, size: usize, rng: &mut Rng) -> usize {
    let lines = &specimen.segments[at].lines;
    let begins = lines.iter().rev().find(|line| line.offset <= size).map_or(0, |line| line.offset);
    if rng.u8(..3) == 0 { begins } else { size }
}

pub(crate) fn draw_tail(stand: &Stand, rng: &mut Rng) -> Option<Mutant> {
    let specimen = &stand.specimen;
    let to_sector = 512 - specimen.newest().size() % 512;
    let nuls = |count: usize| vec![0; count];
    let some: Vec<u8> = (0..rng.usize(1..300)).map(|_| rng.u8(11..)).collect();
    Some(match rng.u8(..7) {
        0 => tail(specimen, "no line feed", &some, true),
        1 => tail(specimen, "NULs", &nuls(rng.usize(1..1_500)), true),
        2 => {
            tail(specimen, "NULs to a sector", &[&nuls(to_sector), &some[..], b"\n"].concat(), true)
        }
        3 if to_sector > 1 => tail(
            specimen,
            "NULs to no sector",
            &[&nuls(to_sector - 1), &some[..], b"\n"].concat(),
            false,
        ),
        4 => tail(specimen, "a line, then NULs", &[&some[..], b"\n", &nuls(600)].concat(), false),
        5 => tail(specimen, "an empty line", b"\n", false),
        _ => tail(specimen, "a line", &[&some[..], b"\n"].concat(), false),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::tamper::expected::{assert_all_found, assert_found};
    use crate::layers::tamper::specimen::{large, small};

    #[test]
    fn the_newest_segment_cut_anywhere_is_torn_beyond_the_mark_and_cut_off_below() {
        let specimen = small();
        let size = specimen.newest().size();
        assert_found("cuts of the newest, small", size, |size| newest_cut(&specimen, size));

        let specimen = large();
        let newest = specimen.newest();
        let last_covered = newest.lines.iter().rev().find(|line| line.seq < specimen.mark).unwrap();
        let mut sizes: Vec<usize> = (last_covered.offset..newest.size()).step_by(97).collect();
        for line in &newest.lines {
            sizes.extend([line.offset, line.end() - 1, line.offset + 20]);
        }
        assert_found("cuts of the newest, large", sizes.len(), |at| {
            newest_cut(&specimen, sizes[at])
        });
    }

    #[test]
    fn an_older_segment_cut_anywhere_is_missing_its_end() {
        for (specimen, step) in [(small(), 1), (large(), 997)] {
            let mut cuts = Vec::new();
            for at in 0..2 {
                let segment = &specimen.segments[at];
                cuts.extend((0..segment.size()).step_by(step).map(|size| (at, size)));
                for line in &segment.lines {
                    cuts.extend([(at, line.offset), (at, line.end() - 1)]);
                }
            }
            assert_found(&format!("cuts of older ones, {}", specimen.name), cuts.len(), |index| {
                older_cut(&specimen, cuts[index].0, cuts[index].1)
            });
        }
    }

    #[test]
    fn bytes_put_behind_the_last_record_are_torn_only_where_a_crash_leaves_such() {
        let mut mutants = Vec::new();
        for specimen in [small(), large()] {
            let size = specimen.newest().size();
            let nuls = |count: usize| vec![0; count];
            let to_sector = 512 - size % 512;
            let behind_sector = [nuls(to_sector), b"x\n".to_vec()].concat();
            let beside_sector = [nuls(to_sector - 1), b"x\n".to_vec()].concat();
            for (what, bytes, torn) in [
                ("no line feed", b"x".to_vec(), true),
                ("a NUL", nuls(1), true),
                ("NULs", nuls(700), true),
                ("4 MiB", vec![b'x'; 4 << 20], true),
                ("NULs to a sector", behind_sector, true),
                ("NULs to no sector", beside_sector, false),
                ("a line", b"x\n".to_vec(), false),
                ("an empty line", b"\n".to_vec(), false),
                ("a line, then NULs", b"x\n\0\0\0\0".to_vec(), false),
            ] {
                mutants.push(tail(&specimen, what, &bytes, torn));
            }
        }
        assert_all_found("tails", mutants);
    }
}
