//! What people read when stdout can't be written: that it was stdout, and what is done all the same.

use std::fs::File;
use std::process::Output;

use crate::support::*;

const NO_SPACE: &str = "No space left on device (os error 28)";

/// Runs the binary with a stdout that takes nothing.
fn into_full(log: &Log, args: &[&str]) -> Output {
    std::process::Command::new(env!("CARGO_BIN_EXE_indelible"))
        .current_dir(log.place.path())
        .args(args)
        .stdout(File::create("/dev/full").expect("opened"))
        .output()
        .expect("it runs")
}

#[test]
fn what_could_not_be_printed_is_said_to_have_been_for_stdout() {
    let log = Log::new();
    for (args, what) in [
        (&["show", "audit", "0"][..], ""),
        (&["tail", "audit"], ""),
        (&["checkpoint", "audit"], " the checkpoint"),
        (&["--help"], " the help"),
        (&["append", "--help"], " the help"),
        (&["--version"], " the help"),
    ] {
        let output = into_full(&log, args);
        assert_fails(
            &output,
            1,
            &format!("indelible: could not write{what} to standard output: {NO_SPACE}\n"),
        );
    }
}

#[test]
fn a_receipt_that_could_not_be_printed_is_of_an_event_that_is_recorded() {
    let log = Log::new();
    let one = ["append", "audit", "--actor", "a", "--action", "b", "--resource", "c", "--receipts"];
    assert_fails(
        &into_full(&log, &one),
        1,
        &format!(
            "indelible: could not write the receipt to standard output: {NO_SPACE}\n\
             indelible: recorded 1 event as seq 1\n\
             hint: it is in the log: don't send it again; `indelible show audit 1` shows it\n"
        ),
    );
    write(&log.place.path().join("events.jsonl"), events(2, 3).as_bytes());
    let output = into_full(&log, &["append", "audit", "--file", "events.jsonl", "--receipts"]);
    let told = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(
        told.starts_with(&format!(
            "indelible: could not write the receipts to standard output: {NO_SPACE}\n"
        )),
        "{told}"
    );
    // Receipts fail while lines are still read: how many were taken by then is told as it is.
    let recorded = log.lines().len() - 2;
    let next = recorded + 1;
    if recorded == 3 {
        assert!(told.contains("indelible: recorded 3 events as seq 2 to 4\n"), "{told}");
        assert!(told.ends_with("hint: all of it is in the log: don't send it again\n"), "{told}");
    } else {
        assert!(told.contains(&format!("nothing from line {next} on was appended\n")), "{told}");
        let go_on = format!("hint: go on with line {next}: tail -n +{next} events.jsonl | ");
        assert!(told.contains(&go_on), "{told}");
    }
}

#[test]
fn a_verifier_key_that_could_not_be_printed_is_told_on_stderr() {
    let log = Log::new();
    let output = into_full(&log, &["init", "other", "--origin", ORIGIN]);
    let told = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.starts_with("indelible: made the log other (id "), "{told}");
    assert!(
        told.ends_with(&format!(
            "\nindelible: could not write the verifier key to standard output: {NO_SPACE}\n\
             hint: the log is made all the same, and its verifier key is the one above; `indelible show other 0` shows \
             it again\n"
        )),
        "{told}"
    );
    let genesis = &json_lines(&log.run(&["show", "other", "0"]).stdout)[0];
    let key = genesis["metadata"]["key"].as_str().expect("a key");
    assert!(told.contains(&format!("\n  indelible verify other --key {key}\n")), "{told}");
    assert_eq!(log.run(&["verify", "other", "--key", key]).status.code(), Some(0));
}
