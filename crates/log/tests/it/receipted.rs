//! Receipts held against logs of which something is gone, can't be read, or is another log's: each is compared where it can
//! be, and says no more than it shows.

use std::ops::Range;
use std::sync::Arc;

use indelible::storage::Storage;
use indelible::storage::simulated::{FaultPlan, Operation, OperationKind, SimulatedDisk};
use indelible::{
    AuditLog, Event, FindingClass, Options, Problem, Progress, Receipt, Report, Verdict, Verifier,
    VerifyError,
};

use crate::anchors::receipts;
use crate::bad_sectors::{Bad, BadSectors};
use crate::scene::{FOLDER, active, in_folder, storage, write_active};
use crate::unreadable::meanwhile;

const COUNT: usize = 6_000;
const MISSING: Problem = Problem::ReceiptRecordMissing;

fn append(disk: &SimulatedDisk, folder: &str, count: usize) -> Vec<Receipt> {
    let options = Options::default().with_max_file_size(16 << 20);
    let log = AuditLog::create_on(storage(disk), folder, options).unwrap();
    let events: Vec<Event> = (0..count).map(|n| Event::new("a", "b", format!("r{n}"))).collect();
    let pending = log.submit_all(&events).unwrap();
    let receipts = pending.into_iter().map(|pending| pending.wait().unwrap()).collect();
    log.close().unwrap();
    receipts
}

/// A log of one large segment, and the receipts of its events: of records 1, 2, 3 …
fn large() -> (SimulatedDisk, Vec<Receipt>) {
    let disk = crate::scene::disk();
    let receipts = append(&disk, FOLDER, COUNT);
    (disk, receipts)
}

fn verify(disk: Arc<dyn Storage>, of: &[Receipt]) -> Report {
    Verifier::on(disk, FOLDER).with_receipts(receipts(of)).verify().unwrap()
}

fn bad(disk: &SimulatedDisk, range: Range<u64>) -> Arc<dyn Storage> {
    Arc::new(Bad::at(in_folder("audit.log"), range).of(storage(disk)))
}

fn faults(report: &Report) -> Vec<(Problem, Option<u64>)> {
    let faults = report.findings.iter().filter(|finding| finding.class.is_fault());
    faults.map(|finding| (finding.problem, finding.seq)).collect()
}

#[test]
fn wherever_bytes_cannot_be_read_receipts_are_no_reason_not_to_verify_the_rest() {
    let (disk, kept) = large();
    let size = u64::try_from(active(&disk).len()).unwrap();
    for part in 0..8 {
        let at = (size * part / 8).next_multiple_of(4_096);
        let told = verify(bad(&disk, at..at + 4_096), &kept);
        let unreadable = told.findings.first().unwrap();
        assert_eq!((unreadable.problem, unreadable.offset), (Problem::Unreadable, Some(at)));
        let by_receipts = [MISSING, Problem::ReceiptHashDiffers];
        assert!(told.findings.iter().all(|f| !by_receipts.contains(&f.problem)), "{told}");
        assert_eq!(told.anchors.receipts, u64::try_from(COUNT).unwrap(), "{told}");
    }
}

#[test]
fn behind_bytes_that_cannot_be_read_each_receipt_is_held_against_its_record() {
    let (disk, kept) = large();
    let bytes = active(&disk);
    let (mut bad_at, mut line) = (bytes.len() / 3, 0);
    bad_at = bad_at.next_multiple_of(4_096);
    let feeds: Vec<usize> = memchr::memchr_iter(b'\n', &bytes).collect();
    // Of the line that ends behind it, and of those on both sides of it.
    let of_line = |at: usize| feeds.partition_point(|feed| *feed < at);
    let at = u64::try_from(bad_at).unwrap();
    for apart in [of_line(bad_at) - 1, of_line(bad_at + 4_096) + 1, of_line(bad_at + 4_096) + 100] {
        let mut kept = kept.clone();
        // The genesis has no receipt.
        line = apart - 1;
        kept[line].hash = kept[0].hash;
        let told = verify(bad(&disk, at..at + 4_096), &kept);
        let differs = (Problem::ReceiptHashDiffers, Some(kept[line].seq));
        assert_eq!(faults(&told).len(), 2, "{told}");
        assert!(faults(&told).contains(&differs), "{told}");
    }
    assert!(line > 0);
}

#[test]
fn records_that_no_checkpoint_covers_are_not_missing_for_bytes_that_cannot_be_read_before_them() {
    let disk = crate::scene::disk();
    let log = AuditLog::create_on(storage(&disk), FOLDER, crate::scene::options()).unwrap();
    let kept: Vec<_> = (0..40).map(|n| log.append(crate::scene::event(n)).unwrap()).collect();
    let uncovered = disk.fork();
    drop(log);
    let told = verify(bad(&uncovered, 4_096..8_192), &kept);
    let missing: Vec<_> = faults(&told).into_iter().filter(|fault| fault.0 == MISSING).collect();
    // Those that stood there are all that is not there.
    assert!(missing.iter().all(|(_, seq)| seq.unwrap() < 10), "{told}");
    let more = told
        .findings
        .iter()
        .flat_map(|f| &f.evidence)
        .filter(|text| text.contains("more receipts"));
    assert!(more.count() <= 1, "{told}");
}

#[test]
fn a_record_that_lost_its_end_is_not_compared_by_the_link_of_a_later_one() {
    let (disk, kept) = large();
    let whole = active(&disk);
    for at in (51_200..61_440).step_by(512) {
        let mut bytes = whole.clone();
        // The end of one record, and the beginning of another.
        bytes[at..at + 512].fill(0);
        write_active(&disk, bytes);
        let told = verify(storage(&disk), &kept);
        assert_eq!(told.findings.first().unwrap().problem, Problem::NulRun, "{told}");
        assert!(told.findings.iter().all(|f| f.class != FindingClass::Tampering), "{told}");
    }
}

#[test]
fn a_disk_that_gives_only_a_page_at_a_time_brings_the_comparison_to_its_end() {
    let (disk, kept) = large();
    let large = |operation: &Operation| operation.size > 4_096;
    let reads = FaultPlan::nth(0).of_kind(OperationKind::ReadAt).on_path("audit.log");
    disk.fail(reads.matching(large).from_then_on());
    let told = verify(storage(&disk), &kept);
    assert_eq!(told.findings.first().unwrap().problem, Problem::Unreadable, "{told}");
    assert!(told.findings.iter().all(|f| f.problem != Problem::ReceiptHashDiffers), "{told}");
}

#[test]
fn a_search_that_meets_bytes_that_cannot_be_read_is_not_tried_again_at_each_line() {
    let (disk, kept) = large();
    let size = u64::try_from(active(&disk).len()).unwrap();
    let middle = size / 2 / 4_096 * 4_096;
    let bad = Bad::at(in_folder("audit.log"), middle - 65_536..middle + 65_536).of(storage(&disk));
    let bad = Arc::new(bad);
    let two = [kept[10], kept[COUNT - 100]];
    let disk: Arc<dyn Storage> = Arc::<BadSectors>::clone(&bad);
    let alone = {
        verify(Arc::clone(&disk), &[]);
        bad.hand().refused()
    };
    let told = verify(disk, &two);
    assert_eq!(told.anchors.receipts, 2, "{told}");
    assert!(bad.hand().refused() - alone < 2 * alone + 20, "{} and {alone}", bad.hand().refused());
}

#[test]
fn a_read_that_fails_only_while_receipts_are_compared_is_an_error_also_beside_receipts_of_another_log()
 {
    let disk = crate::scene::disk();
    let own = append(&disk, FOLDER, 200);
    let kept = [append(&disk, "/logs/other", 3), own].concat();
    let mut errors = 0;
    for nth in 0.. {
        let disk = disk.fork();
        disk.fail(FaultPlan::nth(nth).of_kind(OperationKind::ReadAt).on_path("audit/audit.log"));
        let verifier = Verifier::on(storage(&disk), FOLDER).with_receipts(receipts(&kept));
        let told = verifier.verify();
        if disk.faults_struck() == 0 {
            break;
        }
        match told {
            Ok(told) => assert!(told.findings.iter().all(|f| f.problem != MISSING), "{told}"),
            Err(VerifyError::Io(_)) => errors += 1,
            Err(e) => panic!("{nth}: {e}"),
        }
    }
    assert!(errors > 0);
}

#[test]
fn a_receipt_far_behind_bytes_that_cannot_be_read_is_held_against_its_record() {
    let (disk, kept) = large();
    let mut kept = [kept[0], kept[COUNT - 500]];
    kept[1].hash = kept[0].hash;
    let size = u64::try_from(active(&disk).len()).unwrap();
    let at = (size * 18 / 100).next_multiple_of(4_096);
    let told = verify(bad(&disk, at..at + 4_096), &kept);
    let differs = (Problem::ReceiptHashDiffers, Some(kept[1].seq));
    assert!(faults(&told).contains(&differs), "{told}");
}

#[test]
fn receipts_of_records_that_were_removed_in_great_number_come_to_an_end() {
    let (disk, kept) = large();
    let bytes = active(&disk);
    let lines: Vec<_> = bytes.split_inclusive(|byte| *byte == b'\n').collect();
    let left = [lines[..10].concat(), lines[5_000..].concat()].concat();
    write_active(&disk, left);
    let three = [kept[4], kept[4_800], kept[5_500]];
    let told = verify(storage(&disk), &three);
    // The rows still have what the one that is gone was given for.
    assert_eq!(faults(&told), [(Problem::SeqOutOfOrder, Some(5_000))], "{told}");
    assert_eq!((told.anchors.receipts, told.anchors.covered), (3, Some(kept[5_500].seq + 1)));
}

#[test]
fn a_read_that_fails_only_while_receipts_are_compared_is_an_error_and_no_record_missing() {
    let disk = crate::scene::disk();
    let kept = append(&disk, FOLDER, 200);
    let mut errors = 0;
    for nth in 0.. {
        let disk = disk.fork();
        disk.fail(FaultPlan::nth(nth).of_kind(OperationKind::ReadAt).on_path("audit.log"));
        let verifier = Verifier::on(storage(&disk), FOLDER).with_receipts(receipts(&kept));
        let told = verifier.verify();
        if disk.faults_struck() == 0 {
            break;
        }
        match told {
            Ok(told) => assert!(told.findings.iter().all(|f| f.problem != MISSING), "{told}"),
            Err(VerifyError::Io(failure)) => {
                assert!(failure.path.ends_with("audit.log"), "{failure}");
                errors += 1;
            }
            Err(e) => panic!("{nth}: {e}"),
        }
    }
    assert!(errors > 0);
}

#[test]
fn a_receipt_of_the_first_record_there_is_tells_of_none_that_was_pruned() {
    let disk = crate::scene::disk();
    let log = AuditLog::create_on(storage(&disk), FOLDER, crate::scene::options()).unwrap();
    let kept: Vec<_> = (0..150).map(|n| log.append(crate::scene::event(n)).unwrap()).collect();
    log.close().unwrap();
    disk.remove_file(in_folder("audit.log.1")).unwrap();
    // The first record that is left has lost a sector.
    let mut bytes = active(&disk);
    bytes[512..1_024].fill(0);
    write_active(&disk, bytes);
    let first = verify(storage(&disk), &[]).first_seq.unwrap();
    let kept: Vec<_> = kept.into_iter().filter(|receipt| receipt.seq == first).collect();
    let told = verify(storage(&disk), &kept);
    assert_eq!((told.anchors.receipts, told.anchors.receipts_pruned), (1, 0), "{told}");
}

/// One bit of the seq in the line of this record: 1 becomes 9.
fn flip_in_seq(bytes: &mut [u8], seq: u64) {
    let head = format!("{{\"seq\":{seq},").into_bytes();
    let at = memchr::memmem::find(bytes, &head).unwrap() + 7;
    assert_eq!(bytes[at], b'1');
    bytes[at] = b'9';
}

#[test]
fn behind_a_record_whose_seq_was_changed_each_receipt_is_held_against_its_record() {
    let (disk, mut kept) = large();
    let mut bytes = active(&disk);
    flip_in_seq(&mut bytes, 1_200);
    write_active(&disk, bytes);
    let told = verify(storage(&disk), &kept);
    assert_eq!(faults(&told), [(Problem::HashMismatch, Some(1_200))], "{told}");
    assert_eq!(told.findings[0].class, FindingClass::Damage, "{told}");
    assert_eq!(told.anchors.covered, told.next_seq, "{told}");
    kept[2_999].hash = kept[0].hash;
    for kept in [&kept[..], &kept[2_999..3_000]] {
        let told = verify(storage(&disk), kept);
        let differs = (Problem::ReceiptHashDiffers, Some(3_000));
        assert_eq!(faults(&told), [(Problem::HashMismatch, Some(1_200)), differs], "{told}");
    }
}

#[test]
fn records_behind_one_whose_seq_was_changed_are_not_missing_though_no_checkpoint_covers_them() {
    let disk = crate::scene::disk();
    let log = AuditLog::create_on(storage(&disk), FOLDER, crate::scene::options()).unwrap();
    let kept: Vec<_> = (0..40).map(|n| log.append(crate::scene::event(n)).unwrap()).collect();
    let uncovered = disk.fork();
    drop(log);
    let mut bytes = active(&uncovered);
    flip_in_seq(&mut bytes, 10);
    write_active(&uncovered, bytes);
    let told = verify(storage(&uncovered), &kept);
    // That record itself: no row says what its hash is.
    assert_eq!(faults(&told), [(Problem::HashMismatch, Some(10)), (MISSING, Some(10))], "{told}");
    let shown = told.findings.iter().find(|finding| finding.problem == MISSING).unwrap();
    assert!(shown.evidence.iter().all(|text| !text.contains("more")), "{told}");
}

#[test]
fn the_receipt_of_a_record_that_was_moved_is_held_against_it_where_it_stands() {
    let (disk, kept) = large();
    let kept = [kept[9], kept[4_999], kept[5_499]];
    let bytes = active(&disk);
    for (moved, to) in [(5_000, 11), (11, 5_000), (5_000, 5_600)] {
        let mut lines: Vec<_> = bytes.split_inclusive(|byte| *byte == b'\n').collect();
        let line = lines.remove(moved);
        lines.insert(to, line);
        write_active(&disk, lines.concat());
        let told = verify(storage(&disk), &kept);
        let by_receipts = [MISSING, Problem::ReceiptHashDiffers];
        assert!(told.findings.iter().all(|f| !by_receipts.contains(&f.problem)), "{told}");
        assert_eq!((told.anchors.receipts, told.anchors.covered), (3, Some(5_501)), "{told}");
        let mut other = kept;
        other[1].hash = other[0].hash;
        let told = verify(storage(&disk), &other);
        let differs = (Problem::ReceiptHashDiffers, Some(5_000));
        assert!(faults(&told).contains(&differs), "{told}");
        assert!(faults(&told).iter().all(|fault| fault.0 != MISSING), "{told}");
    }
}

#[test]
fn of_two_records_with_one_seq_the_receipt_is_held_against_the_one_that_it_was_given_for() {
    let (disk, kept) = large();
    let bytes = active(&disk);
    let lines: Vec<_> = bytes.split_inclusive(|byte| *byte == b'\n').collect();
    let other = String::from_utf8(lines[2_000].to_vec()).unwrap().replacen("2000", "1000", 1);
    for at in [900, 1_900] {
        let changed = [lines[..at].concat(), other.clone().into_bytes(), lines[at..].concat()];
        write_active(&disk, changed.concat());
        let told = verify(storage(&disk), &kept);
        assert_eq!(told.verdict(), Verdict::Broken, "{told}");
        assert!(told.findings.iter().all(|f| f.problem != Problem::ReceiptHashDiffers), "{told}");
    }
}

/// A log of two segments, of which no checkpoint covers the newer one and no row has its leaves; and the receipts of all
/// its events.
fn in_two_segments() -> (SimulatedDisk, Vec<Receipt>) {
    let disk = crate::scene::disk();
    let log = AuditLog::create_on(storage(&disk), FOLDER, crate::scene::options()).unwrap();
    let kept: Vec<_> = (0..150).map(|n| log.append(crate::scene::event(n)).unwrap()).collect();
    let left = disk.fork();
    drop(log);
    (left, kept)
}

/// Takes the line of record `seq` out of the newest segment.
fn take_out(disk: &SimulatedDisk, seq: u64) -> String {
    let text = String::from_utf8(active(disk)).unwrap();
    let head = format!("{{\"seq\":{seq},");
    let (lines, others): (Vec<&str>, Vec<&str>) =
        text.split_inclusive('\n').partition(|line| line.starts_with(&head));
    assert_eq!(lines.len(), 1, "record {seq}");
    write_active(disk, others.concat());
    lines.concat()
}

/// Puts a line into the older segment, before the `at`th.
fn put_in(disk: &SimulatedDisk, at: usize, line: &str) {
    let older = String::from_utf8(disk.read_file(in_folder("audit.log.1")).unwrap()).unwrap();
    let mut lines: Vec<&str> = older.split_inclusive('\n').collect();
    lines.insert(at, line);
    disk.write_file(in_folder("audit.log.1"), lines.concat()).unwrap();
}

#[test]
fn a_record_that_was_moved_to_another_segment_is_not_missing_and_is_held_against_its_receipt() {
    let (disk, kept) = in_two_segments();
    let one = kept[139];
    let line = take_out(&disk, one.seq);
    // The last one is moved, too: the log ends before it.
    let last = kept[149];
    let end = take_out(&disk, last.seq);
    let gone = disk.fork();
    let told = verify(storage(&gone), &kept);
    assert!(faults(&told).contains(&(MISSING, Some(one.seq))), "{told}");
    put_in(&disk, 50, &line);
    put_in(&disk, 20, &end);
    for (of, covered) in [(&kept[..], Some(last.seq)), (&[one], None), (&[last], None)] {
        let told = verify(storage(&disk), of);
        assert_eq!(told.verdict(), Verdict::Broken, "{told}");
        assert!(faults(&told).iter().all(|fault| fault.0 != MISSING), "{told}");
        let count = u64::try_from(of.len()).unwrap();
        assert_eq!((told.anchors.receipts, told.anchors.covered), (count, covered), "{told}");
    }
}

#[test]
fn another_record_with_its_number_in_another_segment_is_held_against_no_receipt() {
    let (disk, kept) = in_two_segments();
    let one = kept[139];
    let line = take_out(&disk, one.seq);
    put_in(&disk, 50, &line);
    let mut other = one;
    other.hash = kept[0].hash;
    let told = verify(storage(&disk), &[other]);
    assert!(faults(&told).contains(&(MISSING, Some(one.seq))), "{told}");
    assert!(faults(&told).iter().all(|fault| fault.0 != Problem::ReceiptHashDiffers), "{told}");
    assert_eq!((told.anchors.receipts, told.anchors.covered), (1, None), "{told}");
}

#[test]
fn a_search_for_records_in_other_segments_can_be_stopped_at_any_operation() {
    let (disk, kept) = in_two_segments();
    let line = take_out(&disk, kept[139].seq);
    put_in(&disk, 50, &line);
    let kept = receipts(&kept[139..140]);
    let mut unfinished = 0;
    for nth in 0.. {
        let progress = Arc::new(Progress::default());
        let stop = Arc::clone(&progress);
        let Some(told) = meanwhile(&disk, &kept, nth, move || stop.stop(), &progress) else {
            break;
        };
        unfinished += u64::from(!told.complete);
        assert!(faults(&told).iter().all(|fault| fault.0 != MISSING), "{nth}: {told}");
    }
    assert!(unfinished > 10, "{unfinished} unfinished");
}

/// A log that keeps two old segments, and the receipts of all its events.
fn pruned() -> (SimulatedDisk, Vec<Receipt>) {
    let disk = crate::scene::disk();
    let options = crate::scene::options().with_max_files(2);
    let log = AuditLog::create_on(storage(&disk), FOLDER, options).unwrap();
    let kept = (0..400).map(|n| log.append(crate::scene::event(n)).unwrap()).collect();
    log.close().unwrap();
    (disk, kept)
}

#[test]
fn receipts_of_records_that_are_gone_and_that_nothing_says_were_pruned_are_not_counted_so() {
    let (disk, kept) = pruned();
    let whole = verify(storage(&disk), &kept);
    let (pruned, first) = (whole.anchors.receipts_pruned, whole.first_seq.unwrap());
    // The genesis has no receipt.
    assert_eq!((whole.verdict(), pruned), (Verdict::Sound, first - 1), "{whole}");
    assert!(pruned > 100, "{whole}");

    let gone = disk.fork();
    gone.remove_file(in_folder("audit.log.2")).unwrap();
    let told = verify(storage(&gone), &kept);
    assert_eq!(faults(&told), [(Problem::FirstRecordsMissing, told.first_seq)], "{told}");
    assert_eq!(told.anchors.receipts_pruned, pruned, "{told}");

    // Nobody knows which record the first one is, and what was announced as pruned is not there.
    let lost = disk.fork();
    let mut bytes = disk.read_file(in_folder("audit.log.2")).unwrap();
    bytes[..4_096].fill(0);
    lost.write_file(in_folder("audit.log.2"), bytes).unwrap();
    let told = verify(storage(&lost), &kept);
    assert_eq!(faults(&told), [(Problem::NulRun, None)], "{told}");
    assert_eq!((told.first_seq, told.anchors.receipts_pruned), (None, pruned), "{told}");

    // A head that lies about the first record.
    let mut bytes = disk.read_file(in_folder("audit.log.2")).unwrap();
    let head = format!("{{\"seq\":{first},").into_bytes();
    assert!(bytes.starts_with(&head));
    bytes[7..10].fill(b'9');
    bytes[512..1_024].fill(0);
    lost.write_file(in_folder("audit.log.2"), bytes).unwrap();
    let told = verify(storage(&lost), &kept);
    assert_eq!(told.verdict(), Verdict::Broken, "{told}");
    assert_eq!(told.anchors.receipts_pruned, pruned, "{told}");
}

#[test]
fn receipts_of_records_whose_file_is_gone_from_a_log_that_pruned_nothing_are_of_none_pruned() {
    let disk = crate::scene::disk();
    let log = AuditLog::create_on(storage(&disk), FOLDER, crate::scene::options()).unwrap();
    let kept: Vec<_> = (0..150).map(|n| log.append(crate::scene::event(n)).unwrap()).collect();
    log.close().unwrap();
    disk.remove_file(in_folder("audit.log.1")).unwrap();
    let told = verify(storage(&disk), &kept);
    assert!(told.first_seq > Some(100), "{told}");
    assert_eq!(told.findings[0].problem, Problem::FirstRecordsMissing, "{told}");
    assert_eq!((told.anchors.receipts, told.anchors.receipts_pruned), (150, 0), "{told}");
}

#[test]
fn receipts_of_other_logs_are_one_finding_for_each_log_and_are_not_compared() {
    let disk = crate::scene::disk();
    let own = append(&disk, FOLDER, 5);
    let one = append(&disk, "/logs/one", 7);
    let two = append(&disk, "/logs/two", 3);
    let told = verify(storage(&disk), &[own, one.clone(), two.clone()].concat());
    assert_eq!(told.verdict(), Verdict::Broken, "{told}");
    assert_eq!((told.anchors.receipts, told.anchors.covered), (5, Some(6)), "{told}");
    let faults: Vec<_> = told.findings.iter().filter(|found| found.class.is_fault()).collect();
    assert_eq!(faults.len(), 2, "{told}");
    let lines = [
        "receipts of it: 7, such as kept.jsonl line 6",
        "receipts of it: 3, such as kept.jsonl line 13",
    ];
    for (fault, (other, line)) in faults.iter().zip([one, two].iter().zip(lines)) {
        let problem = (fault.class, fault.problem);
        assert_eq!(problem, (FindingClass::Missing, Problem::ReceiptOfAnotherLog), "{told}");
        assert_eq!(fault.found, Some(format!("log id {}", other[0].log_id)), "{told}");
        assert_eq!(fault.evidence[0], line, "{told}");
    }
}

/// A log of the records 0 to 9, of which a checkpoint covers four; the receipts of the others, by their seq, and where each
/// record begins, and all of them end.
fn uncovered() -> (SimulatedDisk, Vec<Receipt>, Vec<usize>) {
    let disk = crate::scene::closed();
    let log = crate::scene::open(&disk);
    let kept = (4..10).map(|n| log.append(crate::scene::event(n)).unwrap()).collect();
    let left = disk.fork();
    drop(log);
    let bytes = active(&left);
    let begins = std::iter::once(0).chain(memchr::memchr_iter(b'\n', &bytes).map(|at| at + 1));
    let begins: Vec<_> = begins.collect();
    assert_eq!(begins.len(), 11);
    (left, kept, begins)
}

/// The log with these bytes ends with `records` and a torn tail, and the receipts of the records behind are of missing ones,
/// whatever else is wrong.
#[track_caller]
fn assert_ends(disk: &SimulatedDisk, bytes: impl Into<Vec<u8>>, kept: &[Receipt], records: u64) {
    write_active(disk, bytes);
    let told = verify(storage(disk), &[]);
    assert_eq!((told.verdict(), told.next_seq), (Verdict::Torn, Some(records)), "{told}");
    let first = kept.iter().map(|receipt| receipt.seq).find(|seq| *seq >= records);
    let covered = kept.iter().rev().map(|receipt| receipt.seq + 1).find(|size| *size <= records);
    let others = append(&crate::scene::disk(), FOLDER, 1);
    for kept in [kept.to_vec(), [kept.to_vec(), others].concat()] {
        let told = verify(storage(disk), &kept);
        let by_receipts = |(problem, _): &(Problem, _)| *problem != Problem::ReceiptOfAnotherLog;
        let found: Vec<_> = faults(&told).into_iter().filter(by_receipts).collect();
        assert_eq!(found, [(MISSING, first)], "{told}");
        assert!(told.findings.iter().all(|f| f.class != FindingClass::Tampering), "{told}");
        assert_eq!(told.anchors.covered, covered, "{told}");
    }
}

#[test]
fn whole_lines_behind_sectors_that_were_lost_in_the_tail_are_held_against_no_receipt() {
    let (disk, kept, begins) = uncovered();
    let mut bytes = active(&disk);
    // The head of record 7.
    bytes[begins[7]..(begins[7] + 1).next_multiple_of(512)].fill(0);
    assert_ends(&disk, bytes.clone(), &kept, 7);
    for one in &kept[3..] {
        assert_ends(&disk, bytes.clone(), &[*one], 7);
    }
}

#[test]
fn a_torn_record_behind_those_that_were_cut_out_is_held_against_no_receipt() {
    let (disk, kept, begins) = uncovered();
    let bytes = active(&disk);
    let left = [&bytes[..begins[7]], &bytes[begins[9]..begins[10] - 1]].concat();
    assert_ends(&disk, left.clone(), &kept, 7);
    assert_ends(&disk, left, &kept[5..], 7);
}

#[test]
fn the_last_record_is_held_against_its_receipt_without_its_line_feed_if_it_is_whole() {
    let (disk, kept, begins) = uncovered();
    let mut bytes = active(&disk);
    assert_eq!(bytes.pop(), Some(b'\n'));
    write_active(&disk, bytes.clone());
    let told = verify(storage(&disk), &kept);
    assert_eq!((told.verdict(), told.next_seq), (Verdict::Torn, Some(9)), "{told}");
    assert_eq!((told.anchors.receipts, told.anchors.covered), (6, Some(10)), "{told}");
    bytes[begins[9] + 900] ^= 1;
    assert_ends(&disk, bytes, &kept, 9);
}

#[test]
fn a_read_that_fails_only_while_receipts_are_compared_is_an_error_also_beside_what_else_is_unreadable()
 {
    let (disk, kept, _) = uncovered();
    disk.replace(&in_folder("quarantine"), &in_folder("not here")).unwrap();
    disk.write_file(in_folder("quarantine"), "a file").unwrap();
    let told = verify(storage(&disk), &kept);
    assert_eq!(faults(&told), [(Problem::Unreadable, None)], "{told}");
    let mut errors = 0;
    for nth in 0.. {
        let disk = disk.fork();
        let read = FaultPlan::nth(nth).of_kind(OperationKind::ReadAt).on_path("audit/audit.log");
        disk.fail(read.from_then_on());
        let verifier = Verifier::on(storage(&disk), FOLDER).with_receipts(receipts(&kept));
        let told = verifier.verify();
        if disk.faults_struck() == 0 {
            break;
        }
        match told {
            // Then the walk has met it, and says so.
            Ok(told) if told.findings.iter().any(|f| f.file.as_deref() == Some("audit.log")) => {}
            Ok(told) => assert!(faults(&told).iter().all(|fault| fault.0 != MISSING), "{told}"),
            Err(VerifyError::Io(_)) => errors += 1,
            Err(e) => panic!("{nth}: {e}"),
        }
    }
    assert!(errors > 0);
}
