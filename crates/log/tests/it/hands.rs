//! Somebody else's hands on the files while the log is open (logrotate, an operator, a restore): it halts before anything
//! is acknowledged that nobody would find, and says what was done.

use std::fs;
use std::path::{Path, PathBuf};

use indelible::{AppendError, AuditLog, Event, HaltCause, OpenError, Options, Problem};

use crate::checker::assert_local_log_is_sound;

fn event(number: usize) -> Event {
    Event::new("a", "b", format!("r{number}"))
}

/// A log with three acknowledged events, open and covered by a checkpoint.
fn opened(at: &Path) -> (PathBuf, AuditLog) {
    let folder = at.join("audit");
    let log = AuditLog::create(&folder, Options::default()).unwrap();
    for number in 0..3 {
        log.append(event(number)).unwrap();
    }
    log.checkpoint().unwrap();
    (folder, log)
}

/// The next append is indeterminate, and says so in these words; later ones are refused; gives the cause.
#[track_caller]
fn assert_halts(log: &AuditLog, words: &str) {
    let lost = log.append(event(3)).unwrap_err();
    assert!(lost.is_indeterminate(), "{lost}");
    assert!(lost.to_string().contains(words), "{lost}");
    assert!(lost.to_string().contains("audit.log: "), "{lost}");
    assert!(matches!(log.append(event(4)), Err(AppendError::Halted(_))));
    assert!(log.close().is_err());
}

#[track_caller]
fn assert_refused(folder: &Path, problem: Problem) {
    match AuditLog::open(folder, Options::default()) {
        Err(OpenError::Refused(refusal)) => assert_eq!(refusal.findings[0].problem, problem),
        other => panic!("not refused: {other:?}"),
    }
}

/// The log goes on, the three events that were acknowledged are there, and the whole verifies.
#[track_caller]
fn assert_goes_on(folder: &Path) {
    let log = AuditLog::open(folder, Options::default()).unwrap();
    log.append(event(5)).unwrap();
    for number in 0..3 {
        let record = log.reader().record(number + 1).unwrap().unwrap();
        let line = String::from_utf8(record.line).unwrap();
        assert!(line.contains(&format!("\"resource\":\"r{number}\"")), "{line}");
    }
    log.close().unwrap();
    assert_local_log_is_sound(folder);
}

#[expect(clippy::disallowed_methods, reason = "somebody else writes")]
fn write(path: &Path, bytes: impl AsRef<[u8]>) {
    fs::write(path, bytes).unwrap();
}

#[expect(clippy::disallowed_methods, reason = "somebody else renames")]
fn rename(from: &Path, to: &Path) {
    fs::rename(from, to).unwrap();
}

#[test]
fn a_file_that_somebody_removed_halts_the_log_and_is_missing_afterwards() {
    let temporary = tempfile::tempdir().unwrap();
    let (folder, log) = opened(temporary.path());
    fs::remove_file(folder.join("audit.log")).unwrap();
    assert_halts(&log, "somebody moved or replaced the file");
    drop(log);
    assert_refused(&folder, Problem::NoRecord);
}

#[test]
fn a_file_that_somebody_put_a_copy_in_the_place_of_halts_the_log() {
    let temporary = tempfile::tempdir().unwrap();
    let (folder, log) = opened(temporary.path());
    let (path, aside) = (folder.join("audit.log"), temporary.path().join("aside"));
    fs::copy(&path, &aside).unwrap();
    rename(&aside, &path);
    assert_halts(&log, "somebody moved or replaced the file");
    drop(log);
    assert_goes_on(&folder);
}

#[test]
fn a_file_that_somebody_moved_and_made_anew_halts_the_log() {
    let temporary = tempfile::tempdir().unwrap();
    let (folder, log) = opened(temporary.path());
    // As logrotate does with `create`.
    let (path, rotated) = (folder.join("audit.log"), temporary.path().join("audit.log.1"));
    rename(&path, &rotated);
    write(&path, b"");
    assert_halts(&log, "somebody moved or replaced the file");
    drop(log);
    assert_refused(&folder, Problem::NoRecord);
    fs::remove_file(&path).unwrap();
    rename(&rotated, &path);
    assert_goes_on(&folder);
}

#[test]
fn a_file_that_somebody_cut_halts_the_log_and_is_cut_off_afterwards() {
    for kept in [0, 700] {
        let temporary = tempfile::tempdir().unwrap();
        let (folder, log) = opened(temporary.path());
        // As logrotate does with `copytruncate`.
        let path = folder.join("audit.log");
        let before = fs::read(&path).unwrap();
        write(&path, &before[..kept]);
        assert_halts(&log, "somebody else cut or wrote to the file");
        let halt = log.halted().unwrap();
        let HaltCause::SizeChanged { expected, found, .. } = halt.cause() else { panic!("{halt}") };
        assert!(found < expected);
        drop(log);
        let opened = AuditLog::open(&folder, Options::default());
        assert!(matches!(opened, Err(OpenError::Refused(_))), "{opened:?}");
        write(&path, &before);
        assert_goes_on(&folder);
    }
}

#[test]
fn a_file_that_somebody_wrote_to_halts_the_log() {
    let temporary = tempfile::tempdir().unwrap();
    let (folder, log) = opened(temporary.path());
    let path = folder.join("audit.log");
    let mut bytes = fs::read(&path).unwrap();
    bytes.extend_from_slice(b"a line of somebody else\n");
    write(&path, bytes);
    assert_halts(&log, "somebody else cut or wrote to the file");
    drop(log);
    assert_refused(&folder, Problem::NotARecord);
}

#[test]
fn a_folder_that_somebody_moved_halts_the_log_and_goes_on_where_it_is() {
    let temporary = tempfile::tempdir().unwrap();
    let (folder, log) = opened(temporary.path());
    let elsewhere = temporary.path().join("elsewhere");
    rename(&folder, &elsewhere);
    assert_halts(&log, "somebody moved or replaced the file");
    drop(log);
    rename(&elsewhere, &folder);
    assert_goes_on(&folder);
}
