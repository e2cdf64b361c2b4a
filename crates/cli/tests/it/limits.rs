//! Limits of the process: the size of a file, and open files. What does not fit is refused in so many words, nothing that
//! was acknowledged is lost, and without the limit the log goes on.

use std::process::Output;

use crate::support::*;

const EVENTS: usize = 12;

/// Events of some 60 kB with ids, in a file beside the log.
fn write_events(log: &Log) {
    let text = "x".repeat(60_000);
    let event = |n| {
        format!(
            r#"{{"event_id":"e-{n}","actor":"a","action":"b","resource":"c","metadata":{{"x":"{text}"}}}}"#
        )
    };
    let lines: String = (0..EVENTS).map(event).flat_map(|event| [event, "\n".to_owned()]).collect();
    write(&log.place.path().join("events.jsonl"), lines.as_bytes());
}

const APPEND: &[&str] = &["append", "audit", "--file", "events.jsonl", "--receipts"];

/// What `append` of the events comes to under a limit.
fn append_under(log: &Log, limit: &str, more: &[&str]) -> Output {
    let mut command = limited(limit);
    command.current_dir(log.place.path()).args(APPEND).args(more).output().expect("it runs")
}

/// Every receipt holds, no event is recorded twice, the log is sound, and without a limit all of the events go in.
fn assert_goes_on(log: &Log, mut receipts: Vec<String>) {
    log.assert_sound();
    let rest = log.run(APPEND);
    assert_eq!(rest.status.code(), Some(0), "{}", text(&rest.stderr));
    let printed: Vec<_> = text(&rest.stdout).lines().map(str::to_owned).collect();
    assert_eq!(printed.len(), EVENTS);
    receipts.extend(printed);
    let lines = log.lines();
    for receipt in &receipts {
        assert_holds(receipt, &lines);
    }
    assert_no_event_is_recorded_twice(&lines);
    log.assert_sound();
}

#[test]
fn a_file_size_limit_refuses_what_does_not_fit_and_loses_nothing() {
    let log = Log::new();
    write_events(&log);
    let one = ["append", "audit", "--actor", "a", "--action", "b", "--resource", "c", "--receipts"];
    let mut command = limited("-f 256");
    let fits = command.current_dir(log.place.path()).args(one).output().expect("it runs");
    assert_eq!(fits.status.code(), Some(0), "{}", text(&fits.stderr));
    let mut receipts = vec![text(&fits.stdout).trim_end().to_owned()];
    for _ in 0..2 {
        // 128 KiB or 256 KiB, as a shell counts its blocks: not all, and perhaps not even the first group.
        let output = append_under(&log, "-f 256", &[]);
        let told = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{told}");
        assert!(told.starts_with("indelible: events.jsonl line "), "{told}");
        assert!(told.contains(": not written: could not write to "), "{told}");
        let named = ["file size limit (ulimit -f)", "File too large (os error 27)"];
        assert!(named.iter().any(|why| told.contains(why)), "{told}");
        assert!(told.contains("hint: nothing is broken; make room"), "{told}");
        receipts.extend(text(&output.stdout).lines().map(str::to_owned));
        log.assert_sound();
    }
    assert!(receipts.len() < EVENTS, "{} receipts", receipts.len());
    assert_goes_on(&log, receipts);
}

#[test]
fn a_process_that_may_write_nothing_says_so_and_changes_nothing() {
    let log = Log::new();
    write_events(&log);
    let before = log.lines();
    let output = append_under(&log, "-f 0", &[]);
    let told = text(&output.stderr);
    assert_eq!((output.status.code(), text(&output.stdout).as_str()), (Some(1), ""), "{told}");
    assert!(told.contains("File too large (os error 27)"), "{told}");
    assert_eq!(log.lines(), before);
    assert_goes_on(&log, Vec::new());
}

#[test]
fn whatever_number_of_files_may_be_open_nothing_acknowledged_is_lost() {
    let log = Log::new();
    write_events(&log);
    let (mut receipts, mut failed, mut whole) = (Vec::new(), 0, 0);
    // From too few to open the log to enough for each step of a rotation.
    for count in 5..24 {
        let limit = format!("-n {count}");
        let output = append_under(&log, &limit, &["--max-file-size", "192KiB"]);
        let told = text(&output.stderr);
        match output.status.code() {
            Some(0) => whole += 1,
            Some(1) => {
                assert!(told.contains("Too many open files (os error 24)"), "{limit}: {told}");
                failed += 1;
            }
            other => panic!("{limit}: {other:?}: {told}"),
        }
        receipts.extend(text(&output.stdout).lines().map(str::to_owned));
    }
    assert!(failed > 2 && whole > 2, "{failed} failed, {whole} did not");
    assert!(!receipts.is_empty());
    assert_goes_on(&log, receipts);
}
