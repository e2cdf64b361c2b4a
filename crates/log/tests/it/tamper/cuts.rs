//! Files cut short, at every byte.

use indelible::Problem::{
    BelowMark, CutOff, FirstRecordsMissing, LineUnterminated, SegmentMissing,
};

use super::specimen::{Specimen, large, small};
use super::{Expected, Mutant, assert_found};

/// `audit.log` cut to `size` bytes.
fn newest_cut(specimen: &Specimen, size: usize) -> Mutant {
    let newest = specimen.newest();
    let bytes = &newest.bytes()[..size];
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
    assert_found("cuts of the newest, large", sizes.len(), |at| newest_cut(&specimen, sizes[at]));
}

/// An older segment cut to `size` bytes.
fn older_cut(specimen: &Specimen, at: usize, size: usize) -> Mutant {
    let segment = &specimen.segments[at];
    let next = &specimen.segments[at + 1];
    let line = segment.lines.iter().find(|line| size < line.end()).unwrap();
    let expected = if size > line.offset {
        let expected = Expected::missing(LineUnterminated).at(&segment.name, line.offset);
        // Of the first record of all, nothing intact is left in its file to tell its place.
        let untold = (at, line.offset) == (0, 0) && size + 1 < line.end();
        if untold { expected } else { expected.record(line.seq) }
    } else {
        let problem = if (at, size) == (0, 0) { FirstRecordsMissing } else { SegmentMissing };
        Expected::missing(problem).at(&next.name, 0).record(next.lines[0].seq)
    };
    let what = format!("{}: {} cut to {size}", specimen.name, segment.name);
    let folder = specimen.folder.with(&segment.name, &segment.bytes()[..size]);
    Mutant::new(what, folder, expected)
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

/// Bytes that stand behind the last record.
#[test]
fn bytes_put_behind_the_last_record_are_torn_only_where_a_crash_leaves_such() {
    let mut mutants = Vec::new();
    for specimen in [small(), large()] {
        let newest = specimen.newest();
        let (size, end) = (newest.size(), newest.lines.last().unwrap().seq + 1);
        let torn = || Expected::torn(&newest.name, size, end);
        let not_torn = || {
            let problem = indelible::Problem::NotARecord;
            Expected::tampering(problem).at(&newest.name, size).record(end)
        };
        let nuls = |count: usize| vec![0; count];
        let to_sector = 512 - size % 512;
        let behind_sector = [nuls(to_sector), b"x\n".to_vec()].concat();
        let beside_sector = [nuls(to_sector - 1), b"x\n".to_vec()].concat();
        for (what, bytes, expected) in [
            ("no line feed", b"x".to_vec(), torn()),
            ("a NUL", nuls(1), torn()),
            ("NULs", nuls(700), torn()),
            ("4 MiB", vec![b'x'; 4 << 20], torn()),
            ("NULs to a sector", behind_sector, torn()),
            ("NULs to no sector", beside_sector, not_torn()),
            ("a line", b"x\n".to_vec(), not_torn()),
            ("an empty line", b"\n".to_vec(), not_torn()),
            ("a line, then NULs", b"x\n\0\0\0\0".to_vec(), not_torn()),
        ] {
            let bytes = [newest.bytes(), bytes].concat();
            let folder = specimen.folder.with(&newest.name, bytes);
            mutants.push(Mutant::new(format!("{}: {what}", specimen.name), folder, expected));
        }
    }
    super::assert_all_found("tails", mutants);
}
