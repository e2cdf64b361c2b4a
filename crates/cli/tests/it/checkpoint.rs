//! `indelible checkpoint`: a fresh one, or the latest of who holds the log.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};

use crate::support::*;

#[test]
fn a_checkpoint_covers_everything_recorded() {
    let log = Log::new();
    log.append(events(0, 4), &[]);
    let output = log.run(&["checkpoint", "audit"]);
    assert_eq!((output.status.code(), text(&output.stderr).as_str()), (Some(0), ""));
    let note = text(&output.stdout);
    assert_eq!(note.lines().nth(1), Some("5"));
    assert_eq!(note, std::fs::read_to_string(log.folder().join("checkpoint")).expect("a note"));
}

#[test]
fn while_another_process_appends_its_latest_checkpoint_is_printed() {
    let log = Log::new();
    let mut child = Command::new(env!("CARGO_BIN_EXE_indelible"))
        .current_dir(log.place.path())
        .args(["append", "audit", "--file", "-", "--receipts"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it runs");
    let mut input = child.stdin.take().expect("stdin");
    writeln!(input, "{EVENT}").expect("sent");
    let mut receipt = String::new();
    BufReader::new(child.stdout.take().expect("stdout"))
        .read_line(&mut receipt)
        .expect("a receipt");

    let output = log.run(&["checkpoint", "audit"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(text(&output.stdout).starts_with("example.com/audit\n"));
    let told = text(&output.stderr);
    assert!(told.starts_with("indelible: the log is in use, held by "), "{told}");
    assert!(told.contains(&child.id().to_string()), "{told}");

    let locked = log.append(EVENT, &[]);
    assert_eq!(locked.status.code(), Some(1));
    let told = text(&locked.stderr);
    assert!(
        told.contains("the log is in use, held by ") && told.contains(&child.id().to_string()),
        "{told}"
    );
    assert!(told.contains("\nhint: one process appends at a time"), "{told}");

    drop(input);
    assert!(child.wait().expect("it ends").success());
}
