//! Pages that reached the disk out of order: each shape of a run of NULs in the tail, beyond the durable mark and at or
//! below it.

use std::ops::Range;

use indelible::Problem;
use indelible::format::own::TailKind;
use indelible::storage::simulated::SimulatedDisk;

use crate::scene::*;

const SECTOR: usize = 512;
/// The durable mark of [`closed`].
const MARK: u64 = 4;

/// A log with three whole records of some four sectors each behind its mark, and where each of them begins; the last
/// place is the end.
fn with_group() -> (SimulatedDisk, [usize; 4]) {
    let disk = closed();
    let mut bytes = active(&disk);
    let mut head = Head::of(&bytes);
    let mut begins = [bytes.len(); 4];
    for begin in &mut begins[1..] {
        bytes.extend(head.record());
        *begin = bytes.len();
    }
    write_active(&disk, bytes);
    (disk, begins)
}

fn next_sector(offset: usize) -> usize {
    offset.next_multiple_of(SECTOR)
}

/// The same bytes with NULs there, longer where the range ends behind them.
fn lost(mut bytes: Vec<u8>, range: Range<usize>) -> Vec<u8> {
    bytes.resize(bytes.len().max(range.end), 0);
    bytes[range].fill(0);
    bytes
}

/// The group with these NULs in it is cut from `kept` on, and the records before that adopted.
#[track_caller]
fn assert_cut(bytes: &[u8], disk: &SimulatedDisk, kept: usize, adopted_from: Option<u64>) {
    write_active(disk, bytes);
    let (kept, cut) = bytes.split_at(kept);
    assert_repaired(disk, &Repair { kept, torn: Some((TailKind::Nul, cut)), adopted_from });
}

#[test]
fn a_lost_sector_in_the_midst_of_a_line_is_cut_with_all_that_follows() {
    let (disk, [first, ..]) = with_group();
    let from = next_sector(first + 1);
    assert_cut(&lost(active(&disk), from..from + SECTOR), &disk, first, None);
}

#[test]
fn sectors_lost_from_the_end_of_the_last_intact_line_on_are_cut() {
    let (disk, [first, second, ..]) = with_group();
    let base = disk.fork();
    assert_cut(&lost(active(&disk), first..next_sector(first + 1)), &disk, first, None);
    // An intact line beyond the mark does as well.
    let range = second..next_sector(second + 1) + SECTOR;
    assert_cut(&lost(active(&base), range), &base, second, Some(MARK));
}

#[test]
fn a_sector_that_took_a_line_feed_with_it_is_cut_from_its_line_on() {
    let (disk, [first, second, ..]) = with_group();
    let from = second / SECTOR * SECTOR;
    assert!(from > first);
    assert_cut(&lost(active(&disk), from..from + SECTOR), &disk, first, None);
}

#[test]
fn sectors_lost_up_to_the_end_of_the_file_are_cut_wherever_it_ends() {
    let (disk, [first, _, third, end]) = with_group();
    let whole = active(&disk);
    let from = next_sector(third + 1);
    for end in [end, from + 1, from + 2 * SECTOR + 100] {
        let disk = disk.fork();
        let mut bytes = whole[..end.min(whole.len())].to_vec();
        bytes = lost(bytes, from..end);
        assert_cut(&bytes, &disk, third, Some(MARK));
    }
    for size in [1, 100, SECTOR, 3 * SECTOR + 7] {
        let disk = disk.fork();
        let bytes = lost(whole[..first].to_vec(), first..first + size);
        assert_cut(&bytes, &disk, first, None);
    }
}

#[test]
fn a_group_whose_first_sectors_came_last_is_cut_although_whole_records_follow() {
    let (disk, [first, second, ..]) = with_group();
    let to = second / SECTOR * SECTOR;
    assert_cut(&lost(active(&disk), first..to), &disk, first, None);
}

#[test]
fn nuls_in_the_place_of_a_line_feed_are_cut_with_the_record_before_them() {
    let (disk, [first, second, ..]) = with_group();
    // A crash while opening added a line feed and its record to a record that had none.
    let from = second - 1;
    assert_cut(&lost(active(&disk), from..next_sector(second)), &disk, first, None);
}

#[test]
fn a_line_with_a_lost_sector_and_no_line_feed_is_of_the_kind_nul() {
    let (disk, [first, second, ..]) = with_group();
    let from = next_sector(first + 1);
    let bytes = active(&disk)[..second - 5].to_vec();
    assert_cut(&lost(bytes, from..from + SECTOR), &disk, first, None);
}

#[test]
fn nuls_that_are_no_whole_sectors_are_refused() {
    let (disk, [first, ..]) = with_group();
    let whole = active(&disk);
    let from = next_sector(first + 1);
    let ranges = [
        from + 1..from + SECTOR,
        from - 1..from + SECTOR,
        from..from + SECTOR - 1,
        from..from + SECTOR + 1,
        first + 40..first + 41,
        first..first + 3,
    ];
    for range in ranges {
        let in_head = range.start <= first + 40;
        write_active(&disk, lost(whole.clone(), range));
        let problem = if in_head { Problem::NotARecord } else { Problem::HashMismatch };
        assert_refused(&disk, problem, MARK);
    }
}

#[test]
fn lost_sectors_behind_the_line_that_does_not_hold_do_not_excuse_it() {
    let (disk, [first, second, ..]) = with_group();
    let from = next_sector(second + 1);
    let mut bytes = lost(active(&disk), from..from + SECTOR);
    bytes[first + 300] ^= 1;
    write_active(&disk, bytes);
    assert_refused(&disk, Problem::HashMismatch, MARK);
}

#[test]
fn lost_sectors_at_or_below_the_mark_are_refused() {
    let disk = closed();
    let whole = active(&disk);
    let last = whole[..whole.len() - 1].iter().rposition(|byte| *byte == b'\n').unwrap() + 1;
    let from = next_sector(last + 1);
    let whole_sector = lost(whole.clone(), from..from + SECTOR);
    let from_the_line_on = lost(whole.clone(), last..from);
    let to_the_end = lost(whole.clone(), from..whole.len());
    let all_of_it = lost(whole.clone(), last..whole.len());
    for bytes in [whole_sector, from_the_line_on, to_the_end, all_of_it] {
        write_active(&disk, bytes);
        assert_refused(&disk, Problem::NulRun, MARK - 1);
    }
}

#[test]
fn four_mib_with_lost_sectors_are_cut_and_a_byte_more_is_refused() {
    let (disk, [first, ..]) = with_group();
    let mut bytes = lost(active(&disk), first..next_sector(first + 1));
    bytes.resize(first + (4 << 20), b'x');
    let longer = [&bytes[..], b"x"].concat();
    let base = disk.fork();
    assert_cut(&bytes, &disk, first, None);
    write_active(&base, longer);
    assert_refused(&base, Problem::TailTooLong, MARK);

    let (disk, [first, ..]) = with_group();
    let bytes = lost(active(&disk), first..first + (4 << 20) + 1);
    write_active(&disk, bytes);
    assert_refused(&disk, Problem::TailTooLong, MARK);
}
