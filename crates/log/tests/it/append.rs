//! Appending on real files: from empty to rotated, pruned and opened again.

use std::path::Path;
use std::sync::Arc;

use indelible::{AppendError, AuditLog, Event, Options, Verdict, Verifier};

use crate::checker::assert_local_log_is_sound as assert_sound;

fn event(number: usize) -> Event {
    Event::new("agent:7", "tool.call:read_file", format!("file:/etc/hosts/{number}"))
        .session(serde_json::json!({"id": "s-1", "text": "x".repeat(300)}))
}

fn small() -> Options {
    Options::default().with_max_file_size(200 << 10)
}

#[test]
fn a_log_is_made_appended_to_closed_and_opened_again() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("audit");
    let log = AuditLog::create(&folder, Options::default()).unwrap();
    for number in 0..10 {
        assert_eq!(log.append(event(number)).unwrap().seq, u64::try_from(number).unwrap() + 1);
    }
    log.close().unwrap();
    assert!(matches!(log.append(event(0)), Err(AppendError::Closed)));
    assert_sound(&folder);
    let log = AuditLog::open(&folder, Options::default()).unwrap();
    assert!(log.recovery().is_clean(), "{:?}", log.recovery());
    assert_eq!(log.append(event(10)).unwrap().seq, 11);
    drop(log);
    assert_sound(&folder);
}

#[test]
fn files_rotate_by_size_and_only_some_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("audit");
    let log = AuditLog::create(&folder, small().with_max_files(2)).unwrap();
    for number in 0..2_500 {
        log.submit(event(number)).map(drop).unwrap();
    }
    log.close().unwrap();
    let mut names: Vec<_> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with("audit.log"))
        .collect();
    names.sort();
    assert_eq!(names, ["audit.log", "audit.log.1", "audit.log.2"]);
    assert_sound(&folder);
    let log = AuditLog::open(&folder, small().with_max_files(1)).unwrap();
    log.append(event(0)).unwrap();
    log.close().unwrap();
    assert_sound(&folder);
}

#[test]
fn a_file_becomes_as_large_as_its_limit_and_not_a_byte_larger() {
    let event =
        || Event::new("a", "b", "c").session(serde_json::json!({"text": "x".repeat(50_000)}));
    // Gives the size of the first file, and how many files there are.
    let filled = |max_file_size: u64| {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("audit");
        let options = Options::default().with_max_file_size(max_file_size);
        let log = AuditLog::create(&folder, options).unwrap();
        for _ in 0..4 {
            log.append(event()).unwrap();
        }
        log.close().unwrap();
        assert_sound(&folder);
        let size = |name: &str| std::fs::metadata(folder.join(name)).map(|meta| meta.len()).ok();
        (size("audit.log"), size("audit.log.1"))
    };
    let (whole, none) = filled(64 << 20);
    let limit = whole.unwrap();
    assert_eq!(none, None);
    assert_eq!(filled(limit), (Some(limit), None));
    let (newer, older) = filled(limit - 1);
    assert!(newer.unwrap() < limit && older.unwrap() < limit);
}

#[test]
fn eight_threads_get_receipts_that_are_found_at_their_place() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("audit");
    let log = Arc::new(AuditLog::create(&folder, small()).unwrap());
    let threads: Vec<_> = (0..8)
        .map(|thread| {
            let log = Arc::clone(&log);
            std::thread::spawn(move || {
                (0..200).map(|n| log.append(event(thread * 1_000 + n)).unwrap()).collect::<Vec<_>>()
            })
        })
        .collect();
    let mut receipts: Vec<_> = threads.into_iter().flat_map(|t| t.join().unwrap()).collect();
    log.close().unwrap();
    receipts.sort_by_key(|receipt| receipt.seq);
    assert_eq!(receipts.len(), 1_600);
    let lines = lines_of(&folder);
    assert_eq!(lines.len(), 1_601);
    for receipt in receipts {
        let line = &lines[usize::try_from(receipt.seq).unwrap()];
        assert!(
            line.contains(&format!(
                "\"seq\":{},\"timestamp\":\"{}\"",
                receipt.seq, receipt.timestamp
            ))
        );
        assert!(line.ends_with(&format!("\"_hash\":\"{}\"}}", receipt.hash)));
    }
    assert_sound(&folder);
}

fn lines_of(folder: &Path) -> Vec<String> {
    let mut lines = Vec::new();
    for number in (0..100).rev() {
        let name = if number == 0 { "audit.log".to_owned() } else { format!("audit.log.{number}") };
        if let Ok(text) = std::fs::read_to_string(folder.join(name)) {
            lines.extend(text.lines().map(str::to_owned));
        }
    }
    lines
}

#[test]
fn the_same_event_id_is_recorded_once_also_across_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("audit");
    let log = AuditLog::create(&folder, Options::default()).unwrap();
    let first = log.append(event(1).event_id("e-1")).unwrap();
    let again = log.append(event(1).event_id("e-1")).unwrap();
    assert_eq!((again.seq, again.hash, again.duplicate), (first.seq, first.hash, true));
    let other = log.append(event(2).event_id("e-1"));
    assert!(matches!(other, Err(AppendError::Conflict { seq: Some(1) })), "{other:?}");
    let scoped = log.append_recorded_by(event(1).event_id("e-1"), "agent-7").unwrap();
    assert!(!scoped.duplicate);
    log.close().unwrap();
    let log = AuditLog::open(&folder, Options::default()).unwrap();
    let again = log.append(event(1).event_id("e-1")).unwrap();
    assert_eq!((again.seq, again.hash, again.duplicate), (first.seq, first.hash, true));
    let scoped = log.append_recorded_by(event(1).event_id("e-1"), "agent-7").unwrap();
    assert!(scoped.duplicate);
    log.close().unwrap();
    assert_sound(&folder);
}

#[test]
fn a_file_that_somebody_replaced_halts_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("audit");
    let log = AuditLog::create(&folder, Options::default()).unwrap();
    log.append(event(1)).unwrap();
    #[expect(clippy::disallowed_methods, reason = "somebody else does it")]
    std::fs::rename(folder.join("audit.log"), folder.join("elsewhere")).unwrap();
    let lost = log.append(event(2)).unwrap_err();
    assert!(lost.is_indeterminate(), "{lost}");
    assert!(lost.to_string().contains("somebody moved or replaced the file"), "{lost}");
    assert!(matches!(log.append(event(3)), Err(AppendError::Halted(_))));
}

#[test]
fn a_second_opener_is_told_who_holds_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("audit");
    let _log = AuditLog::create(&folder, Options::default()).unwrap();
    let second = AuditLog::open(&folder, Options::default()).unwrap_err().to_string();
    assert!(second.contains(&format!("held by process {}", std::process::id())), "{second}");
}

#[test]
fn an_entry_is_taken_up_to_its_limit_counted_with_the_longest_seq() {
    const LIMIT: usize = 8 << 10;
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("audit");
    let options = Options::default().with_entry_size_max(LIMIT);
    let log = AuditLog::create(&folder, options).unwrap();
    let event = |size| {
        Event::new("a", "b", "c").metadata_raw(format!("{{\"x\":\"{}\"}}", "x".repeat(size)))
    };
    let taken = (0..LIMIT).rev().find(|size| log.append(event(*size)).is_ok()).unwrap();
    assert!(log.append(event(taken + 1)).unwrap_err().to_string().contains("8192"));
    log.close().unwrap();
    // Its link is another 156 bytes in the place of one; its seq has 1 digit and not 18.
    assert_eq!(lines_of(&folder)[1].len() - 155, LIMIT - 17);
    assert_sound(&folder);
}

#[test]
fn a_log_can_be_continued_by_a_new_one() {
    let folder = tempfile::tempdir().unwrap();
    let old = folder.path().join("old");
    AuditLog::create(&old, Options::default()).unwrap().close().unwrap();
    let continues = indelible::continue_from(&old, "the disk broke").unwrap();
    let new = folder.path().join("new");
    let log = AuditLog::create(&new, Options::default().with_continues(continues)).unwrap();
    log.close().unwrap();
    assert_sound(&new);
    assert_eq!(Verifier::new(&new).unwrap().verify().unwrap().verdict(), Verdict::Sound);
}
