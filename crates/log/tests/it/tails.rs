//! What each kind of tail means: the table of `docs/spec/recovery.md`, row by row, beyond the durable mark and at or
//! below it. Runs of NULs are in [`nuls`](crate::nuls).

use indelible::format::chain::Hash;
use indelible::format::note::SignerKey;
use indelible::format::own::{Adopt, Announcement, OwnContext, TailKind, write_own};
use indelible::format::record::{Record, write_head};
use indelible::storage::simulated::{OperationKind, SimulatedDisk};
use indelible::{AuditLog, Problem};

use crate::checker::assert_log_is_sound;
use crate::scene::*;

/// The durable mark of [`closed`].
const MARK: u64 = 4;

/// The log, and behind its mark these bytes.
fn with_tail(tail: &[u8]) -> SimulatedDisk {
    let disk = closed();
    write_active(&disk, [active(&disk), tail.to_vec()].concat());
    disk
}

/// The log with the last record that the mark covers replaced by these bytes, and where they begin.
fn with_last_covered(replaced: impl FnOnce(Vec<u8>) -> Vec<u8>) -> SimulatedDisk {
    let disk = closed();
    let lines = active(&disk);
    let (before, last) = split_last(&lines);
    write_active(&disk, [before, &replaced(last.to_vec())].concat());
    disk
}

/// Parts the last line from those before it.
fn split_last(lines: &[u8]) -> (&[u8], &[u8]) {
    let end = lines.len() - 1;
    let start = lines[..end].iter().rposition(|byte| *byte == b'\n').unwrap() + 1;
    lines.split_at(start)
}

/// The chain behind what [`closed`] makes.
fn head(disk: &SimulatedDisk) -> Head {
    Head::of(&active(disk))
}

// Whole lines, valid chain.

#[test]
fn whole_lines_beyond_the_mark_are_accepted_and_adopted() {
    let disk = closed();
    let mut head = head(&disk);
    let kept = [active(&disk), head.record(), head.record()].concat();
    write_active(&disk, kept.clone());
    assert_repaired(&disk, &Repair { kept: &kept, torn: None, adopted_from: Some(MARK) });
}

#[test]
fn records_that_were_acknowledged_before_a_kill_are_accepted_and_adopted() {
    let disk = closed();
    let log = open(&disk);
    log.append(event(3)).unwrap();
    let left = disk.fork();
    log.close().unwrap();
    let kept = active(&left);
    assert_repaired(&left, &Repair { kept: &kept, torn: None, adopted_from: Some(MARK) });
}

#[test]
fn whole_lines_up_to_the_mark_are_accepted_and_nothing_is_added() {
    assert_opening_does_nothing(&closed());
}

#[test]
fn a_head_short_of_the_mark_is_refused() {
    for records in 1..MARK {
        let disk = closed();
        let lines = active(&disk);
        let lines = lines.split_inclusive(|byte| *byte == b'\n');
        let kept = lines.take(usize::try_from(records).unwrap()).collect::<Vec<_>>().concat();
        write_active(&disk, kept);
        assert_refused(&disk, Problem::CutOff, records);
    }
}

// A valid record without its LF.

#[test]
fn a_record_without_its_line_feed_is_kept_and_line_feed_and_record_are_one_write() {
    let disk = closed();
    let mut kept = [active(&disk), head(&disk).record()].concat();
    assert_eq!(kept.pop(), Some(b'\n'));
    write_active(&disk, kept.clone());

    let opened = disk.fork();
    let log = open(&opened);
    let added = active(&opened).len() - kept.len();
    let operations = opened.operations().into_iter();
    let writes: Vec<_> = operations
        .filter(|operation| operation.path.ends_with("audit.log"))
        .filter(|operation| operation.kind == OperationKind::Append)
        .map(|operation| operation.size)
        .collect();
    assert_eq!(writes, [u64::try_from(added).unwrap()]);
    log.close().unwrap();

    let torn = Some((TailKind::NoLf, &b""[..]));
    assert_repaired(&disk, &Repair { kept: &kept, torn, adopted_from: Some(MARK) });
}

#[test]
fn a_crash_while_a_line_feed_is_added_is_mended_and_no_byte_of_the_record_is_gone() {
    let base = closed();
    let mut record = head(&base).record();
    assert_eq!(record.pop(), Some(b'\n'));
    write_active(&base, [active(&base), record.clone()].concat());
    let whole = base.fork();
    drop(open(&whole));
    let mut states = 0;
    for at in 0..whole.operation_count() {
        let disk = base.fork();
        disk.crash_at(at);
        drop(AuditLog::open_on(storage(&disk), FOLDER, options()));
        let torn = disk.everything();
        let torn =
            torn.missing(in_folder("audit.log"), active(&base).len()..active(&base).len() + 1);
        for state in torn.into_iter().chain(disk.crash_states(16)) {
            let left = disk.after_crash(&state);
            drop(open(&left));
            // Where NULs stood in place of the line feed, nobody had been told of the record yet.
            let mut kept = quarantine(&left).into_iter().map(|(_, bytes)| bytes);
            let holds = |bytes: &[u8]| bytes.windows(record.len()).any(|part| part == record);
            assert!(holds(&active(&left)) || kept.any(|bytes| holds(&bytes)), "at {at}, {state:?}");
            assert_opening_does_nothing(&left);
            states += 1;
        }
    }
    assert!(states > 50);
}

#[test]
fn a_covered_record_without_its_line_feed_is_refused() {
    let disk = with_last_covered(|mut last| {
        last.pop();
        last
    });
    assert_refused(&disk, Problem::CutOff, MARK - 1);
}

// Any bytes without an LF, up to the end.

#[test]
fn bytes_without_a_line_feed_are_cut_with_a_repair_record_and_quarantined() {
    let base = closed();
    let kept = active(&base);
    let record = head(&base).record();
    let pieces = [&record[..1], &record[..700], &record[..record.len() - 2], b"\xff\xfe, not ours"];
    for torn in pieces {
        let disk = base.fork();
        write_active(&disk, [&kept, torn].concat());
        let torn = Some((TailKind::Partial, torn));
        // Repair records of this opening are by themselves no reason to adopt.
        assert_repaired(&disk, &Repair { kept: &kept, torn, adopted_from: None });
    }
}

#[test]
fn records_before_a_torn_one_are_adopted_and_the_repair_record_with_them() {
    let disk = closed();
    let mut head = head(&disk);
    let kept = [active(&disk), head.record(), head.record()].concat();
    let torn = head.record()[..1_000].to_vec();
    write_active(&disk, [kept.clone(), torn.clone()].concat());
    let torn = Some((TailKind::Partial, &torn[..]));
    assert_repaired(&disk, &Repair { kept: &kept, torn, adopted_from: Some(MARK) });
}

#[test]
fn covered_bytes_without_a_line_feed_are_refused() {
    for size in [1, 700] {
        let disk = with_last_covered(|last| last[..size].to_vec());
        assert_refused(&disk, Problem::BelowMark, MARK - 1);
    }
}

#[test]
fn four_mib_without_a_line_feed_are_cut_and_a_byte_more_is_refused() {
    let torn = vec![b'x'; 4 << 20];
    let disk = with_tail(&torn);
    let kept = active(&disk)[..active(&disk).len() - torn.len()].to_vec();
    let repair = Some((TailKind::Partial, &torn[..]));
    assert_repaired(&disk, &Repair { kept: &kept, torn: repair, adopted_from: None });

    let disk = with_tail(&[&torn[..], b"x"].concat());
    assert_refused(&disk, Problem::TailTooLong, MARK);
}

// A whole line with a wrong hash.

#[test]
fn a_whole_line_with_a_wrong_hash_is_refused_on_both_sides_of_the_mark() {
    let edit = |mut line: Vec<u8>| {
        let at = line.len() - 300;
        line[at] ^= 1;
        line
    };
    let disk = with_tail(&edit(head(&closed()).record()));
    assert_refused(&disk, Problem::HashMismatch, MARK);
    assert_refused(&with_last_covered(edit), Problem::HashMismatch, MARK - 1);
}

#[test]
fn a_whole_line_that_is_no_record_is_refused_on_both_sides_of_the_mark() {
    let disk = closed();
    let lines = active(&disk);
    let strange = head(&disk).record_with(r#""actor":"a","action":"b","colour":"red""#);
    for tail in [&b"\n"[..], b"hello\n", &strange] {
        write_active(&disk, [&lines, tail].concat());
        assert_refused(&disk, Problem::NotARecord, MARK);
    }
    assert_refused(&with_last_covered(|_| b"hello\n".to_vec()), Problem::NotARecord, MARK - 1);
}

#[test]
fn a_whole_line_with_a_wrong_hash_is_refused_whatever_torn_bytes_follow() {
    let disk = closed();
    let mut head = head(&disk);
    let mut line = head.record();
    let at = line.len() - 300;
    line[at] ^= 1;
    let torn = head.record()[..800].to_vec();
    write_active(&disk, [active(&disk), line, torn].concat());
    assert_refused(&disk, Problem::HashMismatch, MARK);
}

// Wrong seq, or another log's line.

#[test]
fn a_record_out_of_order_is_refused_on_both_sides_of_the_mark() {
    let disk = closed();
    let lines = active(&disk);
    let head = head(&disk);
    for (next_seq, problem) in
        [(MARK + 1, Problem::SeqOutOfOrder), (MARK - 1, Problem::RootMismatch)]
    {
        let misplaced = Head { next_seq, ..head }.record();
        write_active(&disk, [lines.clone(), misplaced].concat());
        assert_refused(&disk, problem, MARK);
    }
    let (before, _) = split_last(&lines);
    let skipped = Head { next_seq: MARK, ..Head::of(before) }.record();
    write_active(&disk, [before.to_vec(), skipped].concat());
    assert_refused(&disk, Problem::SeqOutOfOrder, MARK - 1);
}

#[test]
fn a_record_that_is_earlier_than_the_one_before_is_refused() {
    let disk = closed();
    let head = head(&disk);
    let earlier = Head { timestamp: head.timestamp.saturating_add_ns(-1), ..head }.record();
    write_active(&disk, [active(&disk), earlier].concat());
    assert_refused(&disk, Problem::TimeDecreases, MARK);
}

#[test]
fn a_line_of_another_log_is_refused_on_both_sides_of_the_mark() {
    // Each log has an id of its own, so that the chains are different from the genesis on.
    let other = closed();
    let mut others_head = head(&other);
    let disk = with_tail(&others_head.record());
    assert_refused(&disk, Problem::ChainBroken, MARK);
    let others = active(&other);
    let disk = with_last_covered(|_| split_last(&others).1.to_vec());
    assert_refused(&disk, Problem::RootMismatch, MARK - 1);
}

#[test]
fn a_record_of_another_logs_own_is_refused_although_it_is_chained_to_this_one() {
    let disk = closed();
    let head = head(&disk);
    let origin = "example.com/other".parse().unwrap();
    let mut line = Vec::new();
    write_head(&mut line, head.next_seq, head.timestamp);
    let adopt = Announcement::Adopt(Adopt { from_seq: 1, to_seq: 3 });
    let key = SignerKey::from_seed(&origin, &[1; 32]);
    let log_id = "0".repeat(32).parse().unwrap();
    let context = OwnContext { log_id, origin: &origin };
    write_own(&mut line, 0, &adopt, &context, &mut |message| key.sign(message));
    let hash: Hash = indelible::format::chain::seal(&mut line, 0, &head.hash);
    assert_eq!(Record::parse(&line).unwrap().hash(), hash);
    line.push(b'\n');
    write_active(&disk, [active(&disk), line].concat());
    assert_refused(&disk, Problem::AnotherLogsRecord, MARK);
}

#[test]
fn a_log_that_was_refused_goes_on_once_its_bytes_are_put_back() {
    let disk = closed();
    let lines = active(&disk);
    write_active(&disk, [&lines[..], b"hello\n"].concat());
    assert_refused(&disk, Problem::NotARecord, MARK);
    write_active(&disk, lines);
    assert_opening_does_nothing(&disk);
    drop(assert_log_is_sound(&storage(&disk), FOLDER, &[]));
}
