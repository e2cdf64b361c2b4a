//! What the verifier says of logs of many records: damage is found where it is and nowhere else, and a log that is
//! being appended to, rotated and pruned is sound at every moment.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use indelible::storage::Storage;
use indelible::{AuditLog, Event, Finding, FindingClass, Options, Problem, Reader, Verdict};

use crate::bad_sectors::Bad;
use crate::checker::{assert_log_is_sound, verify, write};
use crate::reference::disk;

/// A closed log of `count` events besides its genesis.
fn log(folder: &Path, count: usize, options: Options) {
    let log = AuditLog::create(folder, options).unwrap();
    let events: Vec<Event> = (0..count)
        .map(|number| Event::new("agent:7", "read", format!("file:{}", "x".repeat(number % 200))))
        .collect();
    for part in events.chunks(1_000) {
        for pending in log.submit_all(part).unwrap() {
            pending.wait().unwrap();
        }
    }
    log.close().unwrap();
}

fn small() -> Options {
    Options::default().with_max_file_size(200 << 10)
}

/// All findings of the log in `folder` but the one that it is not anchored.
fn findings(folder: &Path) -> Vec<Finding> {
    let mut findings = verify(&disk(), folder, &[]).findings;
    findings.retain(|finding| finding.class != FindingClass::NotAnchored);
    findings
}

#[track_caller]
fn only(mut findings: Vec<Finding>) -> Finding {
    assert_eq!(findings.len(), 1, "{findings:#?}");
    findings.remove(0)
}

fn changed(path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = std::fs::read(path).unwrap();
    change(&mut bytes);
    write(path, &bytes);
}

/// Where each line of `bytes` begins.
fn line_starts(bytes: &[u8]) -> Vec<usize> {
    let ends = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1);
    [0].into_iter().chain(ends).collect()
}

#[test]
fn every_row_is_compared_with_the_records() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = temporary.path().join("audit");
    log(&folder, 600, small());
    let report = assert_log_is_sound(&disk(), &folder, &[]);
    assert_eq!((report.records, report.next_seq), (601, Some(601)));
    for (row, at) in [(0, 32 * 300 + 3), (1, 32 + 31)] {
        let path = folder.join(format!("tree/{row}"));
        let intact = std::fs::read(&path).unwrap();
        changed(&path, |bytes| bytes[at] ^= 4);
        let found = only(findings(&folder));
        assert_eq!((found.problem, found.class), (Problem::RowsDiffer, FindingClass::Damage));
        assert_eq!(found.file, Some(format!("tree/{row}")));
        assert_eq!(found.offset, Some(u64::try_from(at / 32 * 32).unwrap()));
        write(&path, &intact[..intact.len() - 1]);
        let found = only(findings(&folder));
        let size = u64::try_from(intact.len()).unwrap();
        assert_eq!((found.problem, found.offset), (Problem::RowsMissing, Some(size - 1)));
        std::fs::remove_file(&path).unwrap();
        let found = only(findings(&folder));
        assert_eq!((found.problem, found.offset), (Problem::RowsMissing, Some(0)));
        write(&path, &intact);
    }
}

#[test]
fn lost_sectors_in_the_middle_are_damage_and_everything_else_is_as_signed() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = temporary.path().join("audit");
    log(&folder, 3_000, small());
    let path = folder.join("audit.log.2");
    let bytes = std::fs::read(&path).unwrap();
    changed(&path, |bytes| bytes[40_960..49_152].fill(0));
    let start = line_starts(&bytes).into_iter().rev().find(|start| *start <= 40_960).unwrap();
    let found = only(findings(&folder));
    assert_eq!((found.problem, found.class), (Problem::NulRun, FindingClass::Damage));
    assert_eq!(found.offset, Some(u64::try_from(start).unwrap()));
    let seq = String::from_utf8_lossy(&bytes[start + 7..]).split(',').next().unwrap().parse().ok();
    assert_eq!(found.seq, seq);
}

#[test]
fn a_line_without_an_end_is_passed_over() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = temporary.path().join("audit");
    log(&folder, 3_000, small());
    let path = folder.join("audit.log.2");
    let start = line_starts(&std::fs::read(&path).unwrap())[100];
    changed(&path, |bytes| {
        bytes.splice(start..start, vec![b'x'; 3 << 20]);
    });
    let found = only(findings(&folder));
    assert_eq!((found.problem, found.class), (Problem::NotARecord, FindingClass::Tampering));
    assert_eq!(found.offset, Some(u64::try_from(start).unwrap()));
}

#[test]
fn many_faults_are_counted_and_not_all_told() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = temporary.path().join("audit");
    log(&folder, 2_000, small());
    changed(&folder.join("audit.log.1"), |bytes| {
        for byte in bytes.iter_mut().filter(|byte| **byte == b'x') {
            *byte = b'y';
        }
    });
    let report = verify(&disk(), &folder, &[]);
    assert_eq!(report.verdict(), Verdict::Broken);
    assert!(report.findings.len() < 100, "{}", report.findings.len());
    assert!(report.suppressed > 100, "{}", report.suppressed);
    assert_eq!(report.findings[0].problem, Problem::HashMismatch);
    assert!(report.findings[0].evidence[0].contains("the entry was changed"), "{report}");
}

#[test]
fn bytes_that_cannot_be_read_are_damage_and_the_rest_is_verified() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = temporary.path().join("audit");
    log(&folder, 3_000, small());
    let path = folder.join("audit.log.2");
    let storage: Arc<dyn Storage> = Arc::new(Bad::at(path, 81_920..90_112).of(disk()));
    let mut found = verify(&storage, &folder, &[]).findings;
    found.retain(|finding| finding.class != FindingClass::NotAnchored);
    let found = only(found);
    assert_eq!((found.problem, found.class), (Problem::Unreadable, FindingClass::Damage));
    assert_eq!(found.offset, Some(81_920));
    assert!(found.seq.is_some() && found.found.unwrap().starts_with("8192 bytes"));
}

#[test]
fn a_log_that_is_appended_to_rotated_and_pruned_is_sound_at_every_moment() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = temporary.path().join("audit");
    let interval = std::time::Duration::from_millis(5);
    let options = small().with_max_files(3).with_checkpoint_interval(interval);
    let log = AuditLog::create(&folder, options).unwrap();
    let done = AtomicBool::new(false);
    let (log, done, folder) = (&log, &done, folder.as_path());
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let text = "x".repeat(2_000);
            for number in 0..4_000 {
                let event = Event::new("agent:7", "read", format!("file:{number}"));
                log.submit(event.metadata(serde_json::json!({ "text": text }))).map(drop).unwrap();
            }
            log.close().unwrap();
            done.store(true, Ordering::SeqCst);
        });
        let mut looks = 0;
        while !done.load(Ordering::SeqCst) {
            let key = log.identity().verifier_key().clone();
            let report = assert_log_is_sound(&disk(), folder, &[key]);
            let pruned = |finding: &Finding| finding.class == FindingClass::Pruned;
            assert!(report.findings.iter().all(pruned), "{report}");
            let reader = Reader::open(folder).unwrap();
            for record in reader.last(20).unwrap() {
                assert!(record.line.starts_with(format!("{{\"seq\":{},", record.seq).as_bytes()));
            }
            looks += 1;
        }
        assert!(looks > 1, "the log was closed before anybody looked twice");
    });
    let report = assert_log_is_sound(&disk(), folder, &[log.identity().verifier_key().clone()]);
    assert!(report.first_seq > Some(0), "{report}");
    let reader = Reader::open(folder).unwrap();
    let all: Vec<u64> = reader.lines_from(0).unwrap().map(|record| record.unwrap().seq).collect();
    assert_eq!(Some(all[0]), report.first_seq);
    assert_eq!(u64::try_from(all.len()).unwrap(), report.records);
}

#[test]
fn a_changed_first_line_keeps_its_place_whatever_a_client_wrote_into_it() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = temporary.path().join("audit");
    let options = Options::default().with_entry_size_max(8 << 10).with_max_file_size(80 << 10);
    let log = AuditLog::create(&folder, options).unwrap();
    // The like of a link, many times.
    let links: Vec<_> = (0..40).map(|_| serde_json::json!({"A": 0, "_prev_hash": "x"})).collect();
    for number in 0..100 {
        let event = Event::new("a", "b", format!("r{number}"));
        let metadata = serde_json::json!({"links": links, "more": "y".repeat(2_000)});
        log.append(event.metadata(metadata)).unwrap();
    }
    log.close().unwrap();
    let path = folder.join("audit.log.1");
    let mut bytes = std::fs::read(&path).unwrap();
    let seq = indelible::format::record::parse_head(&bytes).unwrap().seq;
    bytes[60] ^= 0x55;
    write(&path, &bytes);
    let report = verify(&disk(), &folder, &[]);
    let faults: Vec<_> = report.findings.iter().filter(|f| f.class.is_fault()).collect();
    assert_eq!(faults.len(), 1, "{report}");
    assert_eq!(
        (faults[0].file.as_deref(), faults[0].seq),
        (Some("audit.log.1"), Some(seq)),
        "{report}"
    );
}
