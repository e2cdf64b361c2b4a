//! What findings add to judge them by: where the same line stands, where the missing one went, whether everything after
//! a change was hashed again, whether an older copy was put back, and whose record it is.

use std::path::{Path, PathBuf};

use indelible::format::chain::{Hash, Link, seal};
use indelible::{
    AuditLog, Event, Finding, FindingClass, KeptCheckpoint, Options, Problem, Verifier,
};

use crate::checker::{verify, write};
use crate::reference::disk;

/// A closed log of 2,000 events in three segments or more, in `audit` beside nothing else.
fn log(place: &Path) -> PathBuf {
    let folder = place.join("audit");
    let log = AuditLog::create(&folder, options()).unwrap();
    append(&log, 2_000);
    log.close().unwrap();
    assert!(folder.join("audit.log.2").exists());
    folder
}

fn options() -> Options {
    Options::default()
        .with_origin("example.com/audit".parse().unwrap())
        .with_max_file_size(200 << 10)
}

fn append(log: &AuditLog, count: usize) {
    let events: Vec<Event> =
        (0..count).map(|number| Event::new("agent:7", "read", format!("file:{number}"))).collect();
    for pending in log.submit_all(&events).unwrap() {
        pending.wait().unwrap();
    }
}

/// Changes the lines of a segment; each has its line feed.
fn changed(path: &Path, change: impl FnOnce(&mut Vec<Vec<u8>>)) {
    let bytes = std::fs::read(path).unwrap();
    let mut lines = bytes.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
    change(&mut lines);
    write(path, &lines.concat());
}

fn first(folder: &Path) -> Finding {
    verify(&disk(), folder, &[]).findings.remove(0)
}

#[track_caller]
fn assert_told(finding: &Finding, problem: Problem, evidence: &str) {
    assert_eq!(finding.problem, problem, "{finding}");
    assert!(finding.evidence.iter().any(|told| told.contains(evidence)), "{finding}");
}

#[test]
fn a_line_that_also_stands_where_it_belongs_is_a_copy() {
    let place = tempfile::tempdir().unwrap();
    let folder = log(place.path());
    let path = folder.join("audit.log.1");
    let intact = std::fs::read(&path).unwrap();
    let mut belongs = 0;
    changed(&path, |lines| {
        belongs = lines[..10].concat().len();
        let line = lines[10].clone();
        lines.insert(50, line);
    });
    let copy = format!("the same line stands in audit.log.1 at byte {belongs}, where it belongs");
    assert_told(&first(&folder), Problem::SeqOutOfOrder, &copy);
    write(&path, &intact);
    // From another segment.
    let line = std::fs::read(folder.join("audit.log.2")).unwrap();
    let line = line.split_inclusive(|byte| *byte == b'\n').nth(1).unwrap().to_vec();
    changed(&path, |lines| lines.insert(20, line));
    let copy = "the same line stands in audit.log.2 at byte ";
    assert_told(&first(&folder), Problem::SeqOutOfOrder, copy);
}

#[test]
fn a_copy_is_known_as_one_however_far_off_in_a_large_segment_its_line_belongs() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("audit");
    let log = AuditLog::create(&folder, options().with_max_file_size(16 << 20)).unwrap();
    append(&log, 6_000);
    log.close().unwrap();
    let mut belongs = 0;
    changed(&folder.join("audit.log"), |lines| {
        let copy = lines[5_500].clone();
        lines.insert(10, copy.clone());
        belongs = lines[..5_501].concat().len();
        assert!(lines[5_501] == copy && belongs > 1 << 20);
    });
    let told = format!("the same line stands in audit.log at byte {belongs}, where it belongs");
    assert_told(&first(&folder), Problem::SeqOutOfOrder, &told);
}

#[test]
fn a_line_that_was_moved_is_found_further_on_and_one_that_was_removed_is_known_to_the_rows() {
    let place = tempfile::tempdir().unwrap();
    let folder = log(place.path());
    let path = folder.join("audit.log.1");
    let intact = std::fs::read(&path).unwrap();
    changed(&path, |lines| lines.swap(30, 31));
    let found = first(&folder);
    let seq: u64 = found.expected.clone().unwrap().parse().unwrap();
    assert_eq!(found.seq, Some(seq + 1));
    assert_told(
        &found,
        Problem::SeqOutOfOrder,
        &format!("record {seq} stands further on, at byte"),
    );
    write(&path, &intact);
    changed(&path, |lines| drop(lines.remove(30)));
    let removed = format!("record {seq} was removed");
    assert_told(&first(&folder), Problem::SeqOutOfOrder, &removed);
    write(&path, &intact);
    changed(&path, |lines| drop(lines.drain(30..40)));
    let removed = format!("records {seq} to {} were removed", seq + 9);
    assert_told(&first(&folder), Problem::SeqOutOfOrder, &removed);
}

#[test]
fn everything_after_a_change_hashed_again_is_told_at_the_first_record() {
    let place = tempfile::tempdir().unwrap();
    let folder = log(place.path());
    let mut last: Option<Hash> = None;
    let mut target = 0;
    for name in ["audit.log.2", "audit.log.1", "audit.log"] {
        changed(&folder.join(name), |lines| {
            for (index, line) in lines.iter_mut().enumerate() {
                let link = Link::split(line.strip_suffix(b"\n").unwrap()).unwrap();
                let mut entry = String::from_utf8(link.entry_head.to_vec()).unwrap();
                if name == "audit.log.2" && index == 40 {
                    entry = entry.replace("agent:7", "agent:8");
                    target = indelible::format::record::parse_head(line).unwrap().seq;
                }
                let prev = last.unwrap_or(link.prev_hash);
                let mut sealed = entry.into_bytes();
                last = Some(seal(&mut sealed, 0, &prev));
                sealed.push(b'\n');
                *line = sealed;
            }
        });
    }
    let found = first(&folder);
    assert_told(&found, Problem::RootMismatch, "from this record on everything was hashed again");
    assert_eq!((found.class, found.seq), (FindingClass::Tampering, Some(target)));
}

#[test]
fn an_end_that_comes_too_early_is_told_from_an_older_copy() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("audit");
    let log = AuditLog::create(&folder, options()).unwrap();
    append(&log, 100);
    let old = ["audit.log", "checkpoint", "tree/0"];
    log.checkpoint().unwrap();
    let old = old.map(|name| (name, std::fs::read(folder.join(name)).unwrap()));
    append(&log, 50);
    let note = log.checkpoint().unwrap();
    log.close().unwrap();
    let intact = std::fs::read(folder.join("audit.log")).unwrap();
    let cut: Vec<u8> =
        intact.split_inclusive(|byte| *byte == b'\n').take(120).flatten().copied().collect();
    write(&folder.join("audit.log"), &cut);
    let found = first(&folder);
    assert_told(&found, Problem::CutOff, "tree/0 has 151 leaves: the rows were not cut");
    for (name, bytes) in old {
        write(&folder.join(name), &bytes);
    }
    let kept = KeptCheckpoint::read_all("kept", note.as_bytes()).unwrap().remove(0);
    let report = Verifier::on(disk(), &folder).with_checkpoint(kept).verify().unwrap();
    let told = "`checkpoint` and the tree rows also end at 101 records: an older copy was put back";
    assert_told(&report.findings[0], Problem::KeptBeyond, told);
}

#[test]
fn no_older_copy_is_told_of_where_the_checkpoint_was_not_put_back() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("audit");
    let log = AuditLog::create(&folder, options()).unwrap();
    append(&log, 100);
    log.checkpoint().unwrap();
    let old = ["audit.log", "tree/0"].map(|name| (name, std::fs::read(folder.join(name)).unwrap()));
    append(&log, 50);
    log.close().unwrap();
    for (name, bytes) in old {
        write(&folder.join(name), &bytes);
    }
    let found = first(&folder);
    assert_told(&found, Problem::CutOff, "signed in checkpoint");
    assert!(found.evidence.iter().all(|told| !told.contains("older copy")), "{found}");
}

#[test]
fn the_lines_of_another_log_are_told_by_the_id_that_they_name() {
    let place = tempfile::tempdir().unwrap();
    let folder = log(place.path());
    let other = place.path().join("other");
    let other = {
        let log = AuditLog::create(&other, options()).unwrap();
        log.close().unwrap();
        std::fs::read(other.join("audit.log")).unwrap()
    };
    let path = folder.join("audit.log");
    changed(&path, |lines| lines.insert(5, other));
    let report = verify(&disk(), &folder, &[]);
    let told = &report.findings[0];
    assert_told(told, Problem::SeqOutOfOrder, "another record 0 stands in audit.log.2 at byte 0");
    let named = format!("this log is {}", report.log_id.unwrap());
    assert_told(told, Problem::SeqOutOfOrder, &named);
    let removed = report.findings.iter().flat_map(|f| &f.evidence).any(|e| e.contains("removed"));
    assert!(!removed, "{report}");
}
