//! Bytes that the medium does not give, and files that can't be looked at: what can be read is verified all the same, and
//! what can't is damage at its place, or an error that says why nobody could look.

use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use indelible::format::own::{Announcement, Prune};
use indelible::format::record::Record;
use indelible::storage::Storage;
use indelible::storage::simulated::{Errno, FaultPlan, OperationKind, SimulatedDisk};
use indelible::{
    AuditLog, Event, FindingClass, Options, Problem, Progress, Receipt, Receipts, Report, Verdict,
    Verifier, VerifyError,
};

use crate::bad_sectors::Bad;
use crate::checker::{verify, write};
use crate::composed::Composed;
use crate::interleaved::Turn;
use crate::reference;
use crate::scene::{FOLDER, closed, in_folder, storage};

/// A closed log of three segments; the older two have 115 records of some 1,700 bytes or fewer.
fn filled() -> SimulatedDisk {
    let disk = crate::scene::disk();
    let log = AuditLog::create_on(storage(&disk), FOLDER, crate::scene::options()).unwrap();
    let events: Vec<Event> = (0..250).map(crate::scene::event).collect();
    for pending in log.submit_all(&events).unwrap() {
        pending.wait().unwrap();
    }
    log.close().unwrap();
    assert!(disk.read_file(in_folder("audit.log.2")).is_ok());
    disk
}

fn look_at(disk: &SimulatedDisk, bad: Bad) -> Report {
    let bad: Arc<dyn Storage> = Arc::new(bad.of(storage(disk)));
    verify(&bad, Path::new(FOLDER), &[])
}

fn look(disk: &SimulatedDisk, name: &str, range: Range<u64>) -> Report {
    look_at(disk, Bad::at(in_folder(name), range))
}

/// The faults, by problem, file and offset.
fn faults(report: &Report) -> Vec<(Problem, &str, u64)> {
    let faults = report.findings.iter().filter(|finding| finding.class.is_fault());
    faults.map(|f| (f.problem, f.file.as_deref().unwrap(), f.offset.unwrap_or_default())).collect()
}

#[test]
fn a_first_line_that_cannot_be_read_is_damage_and_the_rest_of_its_segment_is_verified() {
    let disk = filled();
    for name in ["audit.log.2", "audit.log.1", "audit.log"] {
        let told = look(&disk, name, 0..4_096);
        assert_eq!(told.findings[0].problem, Problem::Unreadable, "{name}: {told}");
        let unreadable = (Problem::Unreadable, name, 0);
        let identity = (Problem::IdentityUnknown, "", 0);
        let faults: Vec<_> = told.findings.iter().filter(|f| f.class.is_fault()).collect();
        assert_eq!(faults[0].offset, Some(unreadable.2), "{told}");
        assert_eq!(faults[0].class, FindingClass::Damage, "{told}");
        let more: Vec<_> = faults[1..].iter().map(|f| f.problem).collect();
        if name == "audit.log.2" {
            // Who the log is stood in the genesis.
            assert_eq!(more, [identity.0], "{told}");
        } else {
            assert_eq!(more, [], "{told}");
        }
        assert!(told.records > 245 && told.records < 251, "{name}: {}", told.records);
    }
}

#[test]
fn a_damaged_record_and_unreadable_bytes_behind_it_are_both_found() {
    let disk = filled();
    let bytes = disk.read_file(in_folder("audit.log.1")).unwrap();
    let lines: Vec<_> = bytes.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::len).collect();
    let at: usize = lines[..10].iter().sum();
    disk.flip_byte(in_folder("audit.log.1"), at + 100, 1).unwrap();
    let told = look(&disk, "audit.log.1", 81_920..86_016);
    let flipped = (Problem::HashMismatch, "audit.log.1", u64::try_from(at).unwrap());
    assert_eq!(faults(&told), [flipped, (Problem::Unreadable, "audit.log.1", 81_920)], "{told}");
}

#[test]
fn a_damaged_record_right_before_unreadable_bytes_is_judged_by_what_can_be_read() {
    let disk = filled();
    let bytes = disk.read_file(in_folder("audit.log.1")).unwrap();
    let starts: Vec<_> = memchr::memchr_iter(b'\n', &bytes).map(|end| end + 1).collect();
    let at = *starts.iter().rev().find(|start| **start < 81_920 - 2_000).unwrap();
    disk.flip_byte(in_folder("audit.log.1"), at + 100, 1).unwrap();
    let told = look(&disk, "audit.log.1", 81_920..86_016);
    let flipped = (Problem::HashMismatch, "audit.log.1", u64::try_from(at).unwrap());
    assert_eq!(faults(&told), [flipped, (Problem::Unreadable, "audit.log.1", 81_920)], "{told}");
    assert_eq!(told.findings[0].class, FindingClass::Damage, "{told}");
}

#[test]
fn a_tail_of_which_not_all_can_be_read_is_damage_and_not_torn() {
    let disk = closed();
    let whole = disk.read_file(in_folder("audit.log")).unwrap();
    let mut head = crate::scene::Head::of(&whole);
    let mut bytes = [&whole[..], &head.record(), &head.record(), &head.record()].concat();
    bytes.resize(40_960, b'x');
    let lost = (whole.len() + 600) / 512 * 512;
    bytes[lost..lost + 512].fill(0);
    disk.write_file(in_folder("audit.log"), bytes).unwrap();
    let told = look(&disk, "audit.log", 16_384..20_480);
    let torn = (Problem::NulRun, "audit.log", u64::try_from(whole.len()).unwrap());
    assert_eq!(faults(&told), [torn, (Problem::Unreadable, "audit.log", 16_384)], "{told}");
    assert!(told.findings.iter().all(|found| found.class != FindingClass::Tampering), "{told}");
    assert!(told.findings.iter().all(|found| found.problem != Problem::TailTorn), "{told}");
}

#[test]
fn a_line_too_long_for_a_record_is_told_and_passed_over_also_where_bytes_behind_it_cannot_be_read()
{
    let disk = closed();
    let whole = disk.read_file(in_folder("audit.log")).unwrap();
    let mut head = crate::scene::Head::of(&whole);
    let long = vec![b'x'; 1_500_000];
    let mut bytes = [&whole[..], &long, b"\n"].concat();
    for _ in 0..20 {
        bytes.extend(head.record());
    }
    let bad = (u64::try_from(bytes.len()).unwrap() - 8_192) / 4_096 * 4_096;
    disk.write_file(in_folder("audit.log"), bytes).unwrap();
    let told = look(&disk, "audit.log", bad..bad + 4_096);
    let at = u64::try_from(whole.len()).unwrap();
    let found = [(Problem::NotARecord, "audit.log", at), (Problem::Unreadable, "audit.log", bad)];
    assert_eq!(faults(&told)[..2], found, "{told}");
    assert_eq!(told.findings[0].class, FindingClass::Tampering, "{told}");
    assert!(told.records > 15, "{told}");
}

#[test]
fn bytes_that_cannot_be_read_twice_within_one_line_are_two_places() {
    let mut log = Composed::begun();
    let text = "z".repeat(60_000);
    log.event();
    log.record_with(&format!(
        r#""actor":"a","action":"b","resource":"c","metadata":{{"x":"{text}"}}"#
    ));
    for _ in 0..3 {
        log.event();
    }
    let disk = log.write();
    let told = look_at(&disk, Bad::at(in_folder("audit.log"), 12_288..16_384).and(32_768..36_864));
    let found = [12_288, 32_768].map(|at| (Problem::Unreadable, "audit.log", at));
    assert_eq!(faults(&told), found, "{told}");
    assert_eq!(told.records, 5, "{told}");
    // Of the second, nobody knows whether it is in the record that the first is in.
    assert_eq!([told.findings[0].seq, told.findings[1].seq], [Some(2), None], "{told}");
    assert_eq!(told.findings[0].evidence, ["record 2 stood there"], "{told}");
}

#[test]
fn of_bytes_that_cannot_be_read_it_is_told_which_records_stood_there() {
    let disk = filled();
    let lines = disk.read_file(in_folder("audit.log.1")).unwrap();
    let mut at = 0;
    let records = lines.split_inclusive(|byte| *byte == b'\n').map(|line| {
        let record = Record::parse(&line[..line.len() - 1]).unwrap();
        at += u64::try_from(line.len()).unwrap();
        (record.seq(), at - u64::try_from(line.len()).unwrap()..at)
    });
    let records: Vec<_> = records.collect();
    for range in [81_920..86_016, 81_920..81_921] {
        // A read that touches a page of it fails as a whole.
        let page = 81_920..86_016;
        let touched =
            records.iter().filter(|(_, line)| line.start < page.end && page.start < line.end);
        let touched: Vec<u64> = touched.map(|(seq, _)| *seq).collect();
        let stood = format!("records {} to {} stood there", touched[0], touched.last().unwrap());
        let told = look(&disk, "audit.log.1", range);
        assert_eq!(told.findings[0].evidence, [stood], "{told}");
        assert_eq!(told.findings[0].seq, Some(touched[0]), "{told}");
    }
}

#[test]
fn a_read_that_fails_once_is_no_reason_to_call_anything_changed() {
    let disk = closed();
    let mut bytes = disk.read_file(in_folder("audit.log")).unwrap();
    // More than the longest record.
    bytes.resize(bytes.len() + 1_300_000, 0);
    bytes.extend(b"\nx\n");
    disk.write_file(in_folder("audit.log"), bytes).unwrap();
    let places = |report: &Report| -> Vec<_> {
        let changed = report.findings.iter().filter(|f| f.class == FindingClass::Tampering);
        changed.map(|finding| (finding.problem, finding.offset)).collect()
    };
    let before = places(&verify(&storage(&disk), Path::new(FOLDER), &[]));
    for nth in 0.. {
        let disk = disk.fork();
        disk.fail(FaultPlan::nth(nth).of_kind(OperationKind::ReadAt).on_path("audit.log"));
        let told = Verifier::on(storage(&disk), FOLDER).verify();
        if disk.faults_struck() == 0 {
            break;
        }
        if let Ok(told) = told {
            assert!(places(&told).iter().all(|place| before.contains(place)), "{nth}: {told}");
        }
    }
}

#[test]
fn a_bit_that_made_a_line_feed_is_damage_also_where_bytes_soon_behind_the_line_cannot_be_read() {
    let disk = crate::scene::disk();
    let log = AuditLog::create_on(storage(&disk), FOLDER, crate::scene::options()).unwrap();
    // One bit away from a line feed.
    let text = format!(r#"{{"x":"{}"}}"#, "J".repeat(1_200));
    for _ in 0..40 {
        log.append(Event::new("a", "b", "c").metadata_raw(&text)).unwrap();
    }
    log.close().unwrap();
    let mut bytes = disk.read_file(in_folder("audit.log")).unwrap();
    let starts: Vec<_> = memchr::memchr_iter(b'\n', &bytes).map(|end| end + 1).collect();
    let line = starts.windows(2).rev().find(|line| line[1] < 32_768).unwrap().to_vec();
    assert_eq!(bytes[line[0] + 700], b'J');
    bytes[line[0] + 700] = b'\n';
    disk.write_file(in_folder("audit.log"), bytes).unwrap();
    let told = look(&disk, "audit.log", 32_768..36_864);
    let first = &told.findings[0];
    let at = u64::try_from(line[0]).unwrap();
    assert_eq!((first.offset, first.class), (Some(at), FindingClass::Damage), "{told}");
    assert_eq!(faults(&told).len(), 2, "{told}");
}

#[test]
fn unreadable_bytes_that_follow_each_other_closely_are_each_found_and_what_is_between_is_verified()
{
    let disk = filled();
    let whole = verify(&storage(&disk), Path::new(FOLDER), &[]).records;
    // What lies between two of them is no whole line, or more than one.
    let ranges = [40_960..45_056, 49_152..53_248, 126_976..131_072];
    let lines = disk.read_file(in_folder("audit.log.1")).unwrap();
    let starts = [0].into_iter().chain(memchr::memchr_iter(b'\n', &lines).map(|end| end + 1));
    let starts: Vec<u64> = starts.map(|start| u64::try_from(start).unwrap()).collect();
    let touched = |line: &&[u64]| ranges.iter().any(|bad| line[0] < bad.end && bad.start < line[1]);
    let lost = starts.windows(2).filter(touched).count();

    let [first, second, third] = ranges.clone();
    let told = look_at(&disk, Bad::at(in_folder("audit.log.1"), first).and(second).and(third));
    let found = [40_960, 49_152, 126_976].map(|at| (Problem::Unreadable, "audit.log.1", at));
    assert_eq!(faults(&told), found, "{told}");
    assert_eq!(told.records, whole - u64::try_from(lost).unwrap(), "{told}");
    assert_eq!(told.next_seq, Some(251), "{told}");
}

#[test]
fn behind_unreadable_bytes_the_end_of_their_line_is_sought_however_far_it_is() {
    let mut log = Composed::begun();
    let text = "z".repeat(300_000);
    for _ in 0..2 {
        let fields =
            format!(r#""actor":"a","action":"b","resource":"c","metadata":{{"x":"{text}"}}"#);
        log.record_with(&fields);
        log.event();
    }
    let disk = log.write();
    let told = look(&disk, "audit.log", 8_192..12_288);
    assert_eq!(faults(&told), [(Problem::Unreadable, "audit.log", 8_192)], "{told}");
    assert_eq!((told.records, told.next_seq), (4, Some(5)), "{told}");
}

#[test]
fn where_nothing_of_a_large_file_can_be_read_the_search_for_its_end_is_given_up() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("audit");
    let options = Options::default().with_max_file_size(200 << 10);
    let log = AuditLog::create(&folder, options).unwrap();
    for number in 0..1_500 {
        log.submit(Event::new("a", "b", format!("r{number}"))).map(drop).unwrap();
    }
    log.close().unwrap();
    let path = folder.join("audit.log.1");
    let size = 24 << 20;
    let mut bytes = std::fs::read(&path).unwrap();
    bytes.resize(usize::try_from(size).unwrap(), 0);
    write(&path, &bytes);
    let bad: Arc<dyn Storage> = Arc::new(Bad::at(&path, 8_192..size - 4_096).of(reference::disk()));
    let told = verify(&bad, &folder, &[]);
    let first = &told.findings[0];
    assert_eq!((first.problem, first.offset), (Problem::Unreadable, Some(8_192)), "{told}");
    let whole = format!("{} bytes: ", size - 8_192);
    assert!(first.found.as_ref().unwrap().starts_with(&whole), "{told}");
}

#[test]
fn rows_that_cannot_be_read_are_damage_and_as_much_of_them_as_can_is_compared() {
    let disk = filled();
    let told = look(&disk, "tree/0", 3_200..3_232);
    assert_eq!(faults(&told), [(Problem::Unreadable, "tree/0", 3_200)], "{told}");
    assert_eq!(told.findings[0].class, FindingClass::Damage);
    assert!(told.root.is_some() && told.records == 251, "{told}");
}

/// A log whose first four records were pruned.
fn pruned(change: impl FnOnce(Prune) -> Prune) -> SimulatedDisk {
    let mut log = Composed::begun();
    for _ in 0..3 {
        log.event();
    }
    let last = log.head.hash;
    log.rotate();
    let prune = log.prune(4, last);
    log.own(&Announcement::Prune(change(prune)));
    log.event();
    let disk = log.write();
    disk.remove_file(in_folder("audit.log.1")).unwrap();
    disk
}

#[test]
fn leaves_of_pruned_records_that_cannot_be_read_are_lost_and_why_is_told() {
    let disk = pruned(|prune| prune);
    assert_eq!(verify(&storage(&disk), Path::new(FOLDER), &[]).verdict(), Verdict::Sound);
    let told = look(&disk, "tree/0", 64..96);
    let first = &told.findings[0];
    assert_eq!((first.problem, first.offset), (Problem::LeavesLost, Some(64)), "{told}");
    assert_eq!(first.found.as_deref(), Some("2 leaves"), "{told}");
    assert!(first.evidence[0].starts_with("the next can't be read: "), "{told}");
    assert_eq!(told.root, None, "{told}");
}

#[test]
fn a_lost_leaf_that_the_prune_record_names_is_told_as_lost_and_not_as_misplaced() {
    let problems = |told: &Report| -> Vec<Problem> {
        let faults = told.findings.iter().filter(|finding| finding.class.is_fault());
        faults.map(|fault| fault.problem).collect()
    };
    // The first record names the one before it too.
    let told = look(&pruned(|prune| prune), "tree/0", 96..128);
    assert_eq!(problems(&told), [Problem::LeavesLost], "{told}");
    // What it says is taken for so all the same: that the records from 2 on should be there.
    let disk = pruned(|prune| Prune { first_kept_seq: 2, ..prune });
    let told = look(&disk, "tree/0", 32..64);
    assert_eq!(problems(&told), [Problem::LeavesLost, Problem::FirstRecordsMissing], "{told}");
    let missing = told.findings[1].expected.as_deref();
    assert_eq!(missing, Some("record 2 at the latest"), "{told}");
}

#[test]
fn notes_that_cannot_be_read_are_damage_in_their_file() {
    for name in ["checkpoints.jsonl", "checkpoint"] {
        let told = look(&filled(), name, 0..1);
        let unreadable = told.findings.iter().find(|f| f.problem == Problem::Unreadable).unwrap();
        assert_eq!(unreadable.file.as_deref(), Some(name), "{told}");
        assert_eq!(told.records, 251, "{told}");
    }
}

#[test]
fn a_folder_that_cannot_be_looked_at_is_an_error_and_no_finding() {
    let base = filled();
    for (kind, name) in [
        (OperationKind::List, "audit"),
        (OperationKind::Stat, "audit.log.1"),
        (OperationKind::Open, "audit.log.1"),
        (OperationKind::Open, "tree/0"),
        (OperationKind::List, "quarantine"),
    ] {
        let disk = base.fork();
        disk.fail(FaultPlan::nth(0).of_kind(kind).on_path(name).from_then_on());
        match Verifier::on(storage(&disk), FOLDER).verify() {
            Err(VerifyError::Io(failure)) => assert!(failure.path.ends_with(name), "{failure}"),
            other => panic!("{kind:?} of {name}: {other:?}"),
        }
    }
    // Also where only the second look at a file fails, or any later one.
    for kind in [OperationKind::Stat, OperationKind::Open] {
        for nth in 1.. {
            let disk = base.fork();
            disk.fail(FaultPlan::nth(nth).of_kind(kind).on_path("audit.log.1").from_then_on());
            let told = Verifier::on(storage(&disk), FOLDER).verify();
            if disk.faults_struck() == 0 {
                assert!(nth > 1, "{kind:?}: looked at once");
                break;
            }
            match told {
                Err(VerifyError::Io(failure)) => assert!(failure.path.ends_with("audit.log.1")),
                // The threads that scan ahead leave it to the walk.
                Ok(told) => assert_eq!(told.verdict(), Verdict::Sound, "{told}"),
                Err(e) => panic!("{kind:?}, {nth}: {e}"),
            }
        }
    }
}

#[test]
fn a_segment_that_moved_at_any_look_is_looked_at_again() {
    let base = filled();
    for kind in [OperationKind::Stat, OperationKind::Open] {
        for nth in 0.. {
            let disk = base.fork();
            let gone = FaultPlan::nth(nth).of_kind(kind).on_path("audit.log.1");
            disk.fail(gone.with(Errno::NOENT));
            let told = verify(&storage(&disk), Path::new(FOLDER), &[]);
            if disk.faults_struck() == 0 {
                assert!(nth > 1, "{kind:?}: looked at once");
                break;
            }
            assert_eq!((told.verdict(), told.records), (Verdict::Sound, 251), "{nth}: {told}");
        }
    }
}

#[test]
fn a_log_whose_files_never_stand_still_is_given_up_and_said_to_keep_changing() {
    let disk = filled();
    let gone = FaultPlan::nth(0).of_kind(OperationKind::Stat).on_path("audit.log.1");
    disk.fail(gone.with(Errno::NOENT).from_then_on());
    match Verifier::on(storage(&disk), FOLDER).verify() {
        Err(error @ VerifyError::KeepsChanging { attempts: 100, .. }) => assert_eq!(
            error.to_string(),
            format!("{FOLDER} keeps changing: its files moved in each of 100 attempts")
        ),
        other => panic!("{other:?}"),
    }
}

/// Verifies the log, with a receipt of each of its events, while something is done before operation `nth`; `None` where
/// there are fewer operations.
pub(crate) fn meanwhile(
    disk: &SimulatedDisk,
    receipts: &Receipts,
    nth: u64,
    act: impl FnMut() + Send + 'static,
    progress: &Arc<Progress>,
) -> Option<Report> {
    let interleaved = Arc::new(Turn::before(nth, act).of(storage(disk)));
    let seen: Arc<dyn Storage> = interleaved.clone();
    let verifier = Verifier::on(seen, FOLDER).with_receipts(receipts.clone());
    let told = verifier.with_progress(Arc::clone(progress)).verify().unwrap();
    interleaved.hand().has_acted().then_some(told)
}

#[test]
fn a_verification_that_is_stopped_at_any_operation_says_that_it_is_unfinished() {
    let disk = crate::scene::disk();
    let log = AuditLog::create_on(storage(&disk), FOLDER, crate::scene::options()).unwrap();
    let kept: Vec<Receipt> = (0..20).map(|n| log.append(crate::scene::event(n)).unwrap()).collect();
    log.close().unwrap();
    let receipts = crate::anchors::receipts(&kept);
    assert_eq!(receipts.count(), 20);
    let without_rows = disk.fork();
    without_rows.remove_file(in_folder("tree/0")).unwrap();
    let mut unfinished = 0;
    for disk in [disk, without_rows] {
        for nth in 0.. {
            let progress = Arc::new(Progress::default());
            let stop = Arc::clone(&progress);
            let told = meanwhile(&disk, &receipts, nth, move || stop.stop(), &progress);
            let Some(told) = told else { break };
            if told.complete {
                // It had seen everything by then.
                assert_eq!(told.records, 21, "{nth}: {told}");
                continue;
            }
            unfinished += 1;
            assert!(matches!(told.verdict(), Verdict::Unfinished | Verdict::Broken), "{told}");
            let of_the_end = |problem| told.findings.iter().any(|f| f.problem == problem);
            assert!(!of_the_end(Problem::CutOff), "{nth}: {told}");
            assert!(!of_the_end(Problem::ReceiptRecordMissing), "{nth}: {told}");
        }
    }
    assert!(unfinished > 10, "{unfinished} unfinished");
}

#[test]
fn a_record_that_is_being_appended_while_it_looks_is_no_torn_tail() {
    let disk = closed();
    let path: PathBuf = in_folder("audit.log");
    let whole = disk.read_file(&path).unwrap();
    let next = crate::scene::Head::of(&whole).record();
    let half = [&whole[..], &next[..800]].concat();
    let grown = [&whole[..], &next].concat();
    let (mut torn, mut sound, mut in_flight) = (0, 0, 0);
    for nth in 0.. {
        let disk = disk.fork();
        disk.write_file(&path, half.clone()).unwrap();
        let (writes, path, grown) = (disk.clone(), path.clone(), grown.clone());
        let finish = move || writes.write_file(&path, grown.clone()).unwrap();
        let progress = Arc::default();
        let told = meanwhile(&disk, &Receipts::default(), nth, finish, &progress);
        let Some(told) = told else { break };
        match told.verdict() {
            Verdict::Torn => torn += 1,
            Verdict::Sound => sound += 1,
            Verdict::Broken | Verdict::Unfinished | _ => panic!("{nth}: {told}"),
        }
        assert!(matches!(told.records, 4 | 5), "{nth}: {told}");
        in_flight += u32::from((told.verdict(), told.records) == (Verdict::Sound, 4));
    }
    assert!(torn > 0 && sound > 0, "{torn} torn, {sound} sound");
    assert!(
        in_flight > 0,
        "while the walk was under way, what is appended is none of its business"
    );
}

#[test]
fn a_file_that_is_cut_while_it_is_looked_at_is_verified_as_far_as_it_goes() {
    let disk = closed();
    let path: PathBuf = in_folder("audit.log");
    let whole = disk.read_file(&path).unwrap();
    let long = [&whole[..], &vec![b'x'; 3 << 20], b"\n"].concat();
    let mut cut = 0;
    for nth in 0.. {
        let disk = disk.fork();
        disk.write_file(&path, long.clone()).unwrap();
        let (writes, path, shorter) = (disk.clone(), path.clone(), whole.len() + (2 << 20));
        let shorter = long[..shorter].to_vec();
        let act = move || writes.write_file(&path, shorter.clone()).unwrap();
        let told = meanwhile(&disk, &Receipts::default(), nth, act, &Arc::default());
        let Some(told) = told else { break };
        assert_eq!((told.records, told.complete), (4, true), "{nth}: {told}");
        cut += u64::from(told.verdict() == Verdict::Torn);
    }
    assert!(cut > 0, "cut before it was planned, a torn tail is left");
}

#[test]
fn a_prune_record_holds_at_whatever_moment_the_file_goes_whose_last_leaf_is_damaged() {
    let mut log = Composed::begun();
    for _ in 0..3 {
        log.event();
    }
    let last = log.head.hash;
    log.rotate();
    for _ in 0..3 {
        log.event();
    }
    log.rotate();
    let prune = log.prune(4, last);
    log.own(&Announcement::Prune(prune));
    let base = log.write();
    base.flip_byte(in_folder("tree/0"), 3 * 32, 1).unwrap();
    for nth in 0.. {
        let disk = base.fork();
        let removes = disk.clone();
        let prune = move || removes.remove_file(in_folder("audit.log.2")).unwrap();
        let Some(told) = meanwhile(&disk, &Receipts::default(), nth, prune, &Arc::default()) else {
            assert!(nth > 20, "{nth} operations");
            break;
        };
        assert_eq!(faults(&told), [(Problem::RowsDiffer, "tree/0", 96)], "{nth}: {told}");
    }
}

#[test]
fn receipts_that_cannot_be_read_are_an_error_with_the_line() {
    struct Pulled;
    impl io::Read for Pulled {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("the stick was pulled out"))
        }
    }
    let mut receipts = Receipts::default();
    let error = receipts.read("kept", io::BufReader::new(Pulled)).unwrap_err().to_string();
    assert!(error.starts_with("kept line 1: "), "{error}");
    assert!(error.contains("the stick was pulled out"), "{error}");
    assert!(receipts.is_empty());
}
