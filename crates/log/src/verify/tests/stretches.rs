//! Which parts of a broken log agree with themselves, and who vouches for them.

use super::super::Voucher;
use super::*;

fn stretches(files: &Files) -> Vec<(u64, u64, String, Voucher)> {
    let report = report(files, Depth::Form, &[5_000]);
    let told = |s: &super::super::Stretch| (s.first_seq, s.last_seq, s.file.clone(), s.vouched_by);
    report.stretches.iter().map(told).collect()
}

/// Seq of a line.
fn seq(line: &[u8]) -> u64 {
    indelible_format::record::parse_head(line).unwrap().seq
}

#[test]
fn a_log_that_is_whole_is_one_stretch() {
    let found = stretches(&healthy());
    let (first, last, file, voucher) = &found[0];
    assert_eq!((found.len(), *first, *voucher), (1, 0, Voucher::Signed), "{found:?}");
    assert!(*last >= 1_250 && file.starts_with("audit.log."));
}

#[test]
fn an_edited_line_parts_two_stretches_that_are_both_as_signed() {
    let mut at = 0;
    let files = healthy().change("audit.log.2", |lines| {
        at = seq(&lines[40]);
        let end = lines[40].len() - 200;
        lines[40][end] ^= 1;
        lines[40][end - 1] ^= 1;
    });
    let found = stretches(&files);
    assert_eq!(found.len(), 2, "{found:?}");
    assert_eq!((found[0].1, found[1].0), (at - 1, at + 1));
    assert_eq!((found[0].3, found[1].3), (Voucher::Signed, Voucher::Signed));
}

#[test]
fn a_record_that_was_changed_and_hashed_again_is_vouched_for_by_nothing_but_itself() {
    let mut at = 0;
    let files = healthy().change("audit.log.2", |lines| {
        at = seq(&lines[40]);
        let prev_hash = Link::split(lines[40].trim_ascii_end()).unwrap().prev_hash;
        let edit = |entry: &mut Vec<u8>| {
            let action = memchr::memmem::find(entry, b"\"read\"").unwrap();
            entry[action + 1] = b'l';
        };
        lines[40] = sealed(&lines[40].clone(), &prev_hash, edit).0;
    });
    let found = stretches(&files);
    assert_eq!(found.len(), 2, "{found:?}");
    // It follows the one before it, and the root that covers that one does not cover it.
    assert_eq!((found[0].1, found[0].3), (at, Voucher::PartlySigned));
    assert_eq!((found[1].0, found[1].3), (at + 1, Voucher::Signed));
}

#[test]
fn a_record_that_stands_beside_its_place_is_not_covered_by_the_root_over_that_place() {
    let mut at = 0;
    let files = healthy().change("audit.log.2", |lines| {
        at = seq(&lines[40]);
        let again = lines[40].clone();
        lines.insert(60, again);
    });
    let found = stretches(&files);
    assert_eq!(found.len(), 3, "{found:?}");
    assert_eq!((found[1].0, found[1].1, found[1].3), (at, at, Voucher::Chain));
    assert_eq!((found[0].3, found[2].3), (Voucher::Signed, Voucher::Signed));
}

#[test]
fn a_person_reads_them_where_there_are_several() {
    let files = healthy().change("audit.log.2", |lines| drop(lines.remove(40)));
    let text = report(&files, Depth::Form, &[]).to_string();
    assert!(text.contains("still agree    records 0 to "), "{text}");
    let text = report(&healthy(), Depth::Form, &[]).to_string();
    assert!(!text.contains("still agree"), "{text}");
}
