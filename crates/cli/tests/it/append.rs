//! `indelible append`: streams, receipts, what it says about bad lines, options from the environment.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::Stdio;

use crate::support::*;

#[test]
fn receipts_are_one_line_a_record_in_order_and_true() {
    let log = Log::new();
    let output = log.append(events(0, 500), &["--receipts"]);
    assert_eq!((output.status.code(), text(&output.stderr).as_str()), (Some(0), ""));
    let lines = log.lines();
    let receipts = json_lines(&output.stdout);
    assert_eq!(receipts.len(), 500);
    for (receipt, line) in receipts.iter().zip(lines.iter().skip(1)) {
        let record: serde_json::Value = serde_json::from_str(line).expect("JSON");
        assert_eq!(receipt["seq"], record["seq"]);
        assert_eq!(receipt["timestamp"], record["timestamp"]);
        assert_eq!(receipt["hash"], record["_hash"]);
        assert_eq!(receipt["log_id"].as_str().map(str::len), Some(32));
    }
    log.assert_sound();
}

#[test]
fn a_receipt_is_printed_before_the_next_line_comes() {
    let log = Log::new();
    for threads in ["1", "4"] {
        let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_indelible"))
            .current_dir(log.place.path())
            .args(["append", "audit", "--file", "-", "--receipts", "--threads", threads])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("it runs");
        let mut input = child.stdin.take().expect("stdin");
        let mut receipts = BufReader::new(child.stdout.take().expect("stdout"));
        for _ in 0..3 {
            writeln!(input, "{EVENT}").expect("sent");
            let mut receipt = String::new();
            // Hangs where the receipt waits for more input.
            receipts.read_line(&mut receipt).expect("a receipt");
            assert!(receipt.starts_with("{\"log_id\":") && receipt.ends_with("}\n"), "{receipt}");
        }
        drop(input);
        assert!(child.wait().expect("it ends").success());
    }
    log.assert_sound();
}

#[test]
fn empty_lines_and_a_missing_last_line_feed_are_fine() {
    let log = Log::new();
    let output = log.append(format!("\n  \r\n{EVENT}\r\n\n{EVENT}"), &[]);
    assert_eq!(text(&output.stderr), "indelible: recorded 2 events as seq 1 to 2\n");
    let nothing = log.append("\n\n", &[]);
    assert_eq!(
        (nothing.status.code(), text(&nothing.stderr).as_str()),
        (Some(0), "indelible: there was no event to append\n")
    );
}

#[test]
fn a_bad_line_is_named_with_what_became_of_the_lines_before_it() {
    let log = Log::new();
    log.append(events(1_000, 4), &[]);
    let bad = events(0, 41)
        + r#"{"actor":"a","action":"b","resource":"c","colour":"red"}"#
        + "\n"
        + &events(41, 5);
    write(&log.place.path().join("events.jsonl"), bad.as_bytes());
    let output = log.run(&["append", "audit", "--file", "events.jsonl"]);
    assert_eq!((output.status.code(), text(&output.stdout).as_str()), (Some(1), ""));
    assert_eq!(
        text(&output.stderr),
        "indelible: events.jsonl line 42: byte 41: no event has a field \"colour\"\n\
         indelible: lines 1 to 41 are recorded as seq 5 to 45; nothing from line 42 on was appended\n\
         hint: mend line 42, then go on with it: tail -n +42 events.jsonl | indelible append … --file -\n"
    );
    assert_eq!(log.lines().len(), 46);
    log.assert_sound();
}

#[test]
fn a_bad_line_stops_several_threads_too_and_every_line_is_accounted_for() {
    let log = Log::new();
    let bad = events(0, 300) + "{\n" + &events(300, 300);
    let output = log.append(bad, &["--threads", "8", "--receipts"]);
    assert_eq!(output.status.code(), Some(1));
    let told = text(&output.stderr);
    assert!(told.starts_with("indelible: stdin line 301: "), "{told}");
    assert!(told.contains("indelible: lines 1 to 300 are recorded as seq 1 to 30"), "{told}");
    let recorded = log.lines().len() - 1;
    assert_eq!(json_lines(&output.stdout).len(), recorded);
    assert!((300..308).contains(&recorded), "{recorded}");
}

#[test]
fn a_line_that_is_too_long_is_refused() {
    let log = Log::new();
    let mut input = events(0, 1).into_bytes();
    input.resize(input.len() + (2 << 20) + 1, b' ');
    let output = log.append(input, &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        text(&output.stderr).starts_with(
            "indelible: stdin line 2: the line is longer than 2097152 bytes\n\
             indelible: line 1 is recorded as seq 1; nothing from line 2 on was appended\n"
        ),
        "{}",
        text(&output.stderr)
    );
}

#[test]
fn the_same_event_is_recorded_once_and_another_with_its_id_is_a_conflict() {
    let log = Log::new();
    log.append(events(0, 3), &[]);
    let again = log.append(events(0, 4), &["--receipts"]);
    let duplicates: Vec<_> = json_lines(&again.stdout)
        .iter()
        .map(|receipt| (receipt["seq"].as_u64(), receipt["duplicate"] == true))
        .collect();
    assert_eq!(duplicates, [(Some(1), true), (Some(2), true), (Some(3), true), (Some(4), false)]);
    let third = log.append(events(2, 3), &[]);
    assert_eq!(
        text(&third.stderr),
        "indelible: recorded 1 event as seq 5; 2 events had been recorded before, as seq 3 to 4\n"
    );
    let conflict = log.append(events(0, 1).replace("read", "write"), &[]);
    assert_eq!(conflict.status.code(), Some(1));
    let told = text(&conflict.stderr);
    assert!(
        told.contains(
            "stdin line 1: event_id is already used by a record with other content (record 1)"
        ),
        "{told}"
    );
    assert!(told.contains("hint: an event_id stands for one event"), "{told}");
    assert_eq!(log.lines().len(), 6);
}

#[test]
fn several_threads_record_every_line_once() {
    let log = Log::new();
    let output = log.append(events(0, 400), &["--threads", "8", "--receipts"]);
    assert_eq!((output.status.code(), text(&output.stderr).as_str()), (Some(0), ""));
    let mut seqs: Vec<_> =
        json_lines(&output.stdout).iter().map(|receipt| receipt["seq"].as_u64()).collect();
    seqs.sort_unstable();
    assert_eq!(seqs, (1..=400).map(Some).collect::<Vec<_>>());
    log.assert_sound();
}

#[test]
fn when_nobody_reads_receipts_it_ends_and_says_what_is_recorded() {
    let log = Log::new();
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_indelible"))
        .current_dir(log.place.path())
        .args(["append", "audit", "--file", "-", "--receipts"])
        .stdin(Stdio::piped())
        .stdout(pipe_without_reader())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it runs");
    let mut input = child.stdin.take().expect("stdin");
    let mut sent = 0_usize;
    // It goes on taking lines only until it notices.
    while writeln!(input, "{EVENT}").is_ok() {
        sent += 1;
        assert!(sent < 1_000_000, "it never notices");
    }
    drop(input);
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(1));
    let told = text(&output.stderr);
    let recorded = log.lines().len() - 1;
    assert!(recorded > 0);
    assert_eq!(
        told,
        if recorded == 1 {
            "indelible: nobody reads the receipts any more, so no further line was taken\n\
             indelible: line 1 is recorded as seq 1; nothing from line 2 on was appended\n\
             hint: send line 2 again with all that follows\n"
                .to_owned()
        } else {
            format!(
                "indelible: nobody reads the receipts any more, so no further line was taken\n\
                 indelible: lines 1 to {recorded} are recorded as seq 1 to {recorded}; \
                 nothing from line {0} on was appended\n\
                 hint: send line {0} again with all that follows\n",
                recorded + 1
            )
        }
    );
    log.assert_sound();
}

#[test]
fn a_missing_folder_is_an_error_unless_it_is_to_be_made() {
    let place = tempfile::tempdir().expect("a folder");
    let append = |more: &[&str]| {
        indelible()
            .current_dir(place.path())
            .args(["append", "audit", "--file", "-"])
            .args(more)
            .write_stdin(EVENT)
            .output()
            .expect("it runs")
    };
    let refused = append(&[]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(!place.path().join("audit").exists());
    let made = append(&["--create", "--origin", ORIGIN]);
    assert_eq!((made.status.code(), text(&made.stdout).as_str()), (Some(0), ""));
    let told = text(&made.stderr);
    assert!(told.contains("indelible: made the log audit"), "{told}");
    assert!(told.contains("indelible verify audit --key example.com/audit+"), "{told}");
    assert!(told.ends_with("indelible: recorded 1 event as seq 1\n"), "{told}");
    // It is there now, and stays the same log.
    assert_eq!(text(&append(&["--create"]).stderr), "indelible: recorded 1 event as seq 2\n");
}

#[test]
fn options_come_from_flags_or_from_the_environment() {
    let log = Log::new();
    let output = log
        .command()
        .env("INDELIBLE_MAX_FILE_SIZE", "256KiB")
        .env("INDELIBLE_MAX_FILES", "2")
        .args(["append", "audit", "--file", "-"])
        .write_stdin(large_events(12))
        .output()
        .expect("it runs");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let rotated = |n: u32| log.folder().join(format!("audit.log.{n}")).exists();
    assert!(rotated(1) && rotated(2) && !rotated(3));
    log.assert_sound();

    let nonsense = log
        .command()
        .env("INDELIBLE_MAX_FILE_SIZE", "64MB")
        .args(["append", "audit", "--file", "-"])
        .output();
    let nonsense = nonsense.expect("it runs");
    assert_eq!(nonsense.status.code(), Some(2));
    assert!(text(&nonsense.stderr).contains("`64MB` is not a size"), "{}", text(&nonsense.stderr));
}
