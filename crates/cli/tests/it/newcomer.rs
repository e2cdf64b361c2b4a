//! The way of somebody who sees the program for the first time, as the README tells it.

use crate::support::*;

#[test]
fn a_newcomer_makes_fills_reads_and_verifies_a_log() {
    let place = tempfile::tempdir().expect("a folder");
    let run =
        |args: &[&str]| indelible().current_dir(place.path()).args(args).output().expect("it runs");

    let init = run(&["init", "audit", "--origin", ORIGIN]);
    assert_eq!(init.status.code(), Some(0));
    let key = text(&init.stdout);
    let key = key.strip_suffix('\n').expect("one line");
    assert!(key.starts_with("example.com/audit+") && !key.contains('\n'), "{key}");
    let told = text(&init.stderr);
    assert!(told.contains(&format!("indelible verify audit --key {key}")), "{told}");
    assert!(told.contains("The private key is in audit.key"), "{told}");
    assert!(!told.contains("warning"), "{told}");

    let one = run(&[
        "append",
        "audit",
        "--actor",
        "user:mia",
        "--action",
        "login",
        "--resource",
        "app:console",
        "--outcome",
        "success",
        "--event-id",
        "e-1",
        "--event-time",
        "2026-01-02T03:04:05Z",
        "--parent-id",
        "e-0",
        "--session",
        r#"{"id": "s-1"}"#,
        "--metadata",
        r#"{"n": 1.0}"#,
    ]);
    assert_eq!((one.status.code(), text(&one.stdout).as_str()), (Some(0), ""));
    assert_eq!(text(&one.stderr), "indelible: recorded 1 event as seq 1\n");

    write(&place.path().join("events.jsonl"), events(2, 20).as_bytes());
    let many = run(&["append", "audit", "--file", "events.jsonl"]);
    assert_eq!(many.status.code(), Some(0));
    assert_eq!(text(&many.stderr), "indelible: recorded 20 events as seq 2 to 21\n");

    let shown = run(&["show", "audit", "1"]);
    let line = text(&shown.stdout);
    assert!(
        line.contains(
            r#""event_id":"e-1","event_time":"2026-01-02T03:04:05Z","actor":"user:mia","action":"login","resource":"app:console","outcome":"success","parent_id":"e-0","session":{"id":"s-1"},"metadata":{"n":1.0}"#
        ),
        "{line}"
    );

    let tail = run(&["tail", "audit"]);
    let seqs: Vec<_> =
        json_lines(&tail.stdout).iter().map(|record| record["seq"].as_u64()).collect();
    assert_eq!(seqs, (12..=21).map(Some).collect::<Vec<_>>());

    let verify = run(&["verify", "audit", "--key", key]);
    assert_eq!(verify.status.code(), Some(0), "{}", text(&verify.stdout));

    let note = text(&run(&["checkpoint", "audit"]).stdout);
    let mut note_lines = note.lines();
    assert_eq!(note_lines.next(), Some(ORIGIN));
    assert_eq!(note_lines.next(), Some("22"));
    assert!(note.contains(&format!("\n\n\u{2014} {ORIGIN} ")), "{note}");
}

/// The blocks of commands in one section of the README.
fn readme_commands(section: &str) -> Vec<&'static str> {
    let readme = include_str!("../../../../README.md");
    let (_, text) = readme.split_once(&format!("\n## {section}\n")).expect("that section");
    let (text, _) = text.split_once("\n## ").expect("more after it");
    text.split("```sh\n").skip(1).filter_map(|rest| Some(rest.split_once("```")?.0)).collect()
}

#[test]
fn what_the_readme_says_to_type_works_as_it_stands() {
    let script: String = readme_commands("What runs where").concat();
    assert!(script.contains("cargo run --release -- verify trail --key "), "{script}");
    let script = script.replace("cargo run --release --", env!("CARGO_BIN_EXE_indelible"));
    let place = tempfile::tempdir().expect("a folder");
    let output = std::process::Command::new("sh")
        .current_dir(place.path())
        .args(["-euc", &script])
        .output()
        .expect("it runs");
    assert!(output.status.success(), "{}", text(&output.stderr));
    let key = std::fs::read_to_string(place.path().join("trail.vkey")).expect("kept");
    assert!(key.starts_with("example.com/audit+") && key.lines().count() == 1, "{key}");

    let ignored = include_str!("../../../../.gitignore");
    for made in std::fs::read_dir(place.path()).expect("a folder") {
        let made = made.expect("an entry").file_name();
        let made = made.to_str().expect("UTF-8");
        let names = [format!("/{made}"), format!("/{made}/")];
        assert!(
            ignored.lines().any(|line| names.iter().any(|name| name == line)),
            "{made} would be left untracked in a clone"
        );
    }
}

#[test]
fn a_log_that_nobody_named_is_made_with_a_warning() {
    let place = tempfile::tempdir().expect("a folder");
    let init =
        indelible().current_dir(place.path()).args(["init", "audit"]).output().expect("it runs");
    assert_eq!(init.status.code(), Some(0));
    assert!(text(&init.stdout).starts_with("indelible.invalid/"));
    assert!(text(&init.stderr).contains("indelible: warning: no --origin was given"));
}

#[test]
fn a_log_that_continues_another_names_it_and_the_reason() {
    let log = Log::new();
    let init = log.run(&[
        "init",
        "new",
        "--origin",
        ORIGIN,
        "--continues",
        "audit",
        "--reason",
        "disk failed",
    ]);
    assert_eq!(init.status.code(), Some(0), "{}", text(&init.stderr));
    let genesis: serde_json::Value =
        serde_json::from_slice(&log.run(&["show", "new", "0"]).stdout).expect("JSON");
    let old: serde_json::Value = serde_json::from_str(&log.lines()[0]).expect("JSON");
    let continues = &genesis["metadata"]["continues"];
    assert_eq!(continues["log_id"], old["metadata"]["log_id"]);
    assert_eq!(continues["reason"], "disk failed");
    assert!(
        continues["checkpoint"]
            .as_str()
            .is_some_and(|note| note.starts_with("example.com/audit\n1\n"))
    );
}

#[test]
fn who_continues_a_log_without_its_name_is_told() {
    let log = Log::new();
    let told = "indelible: the old log's name, example.com/audit, is not taken over: --origin example.com/audit";
    let unnamed = text(&log.run(&["init", "new", "--continues", "audit"]).stderr);
    assert!(unnamed.contains(told), "{unnamed}");
    let named = log.run(&["init", "named", "--continues", "audit", "--origin", ORIGIN]);
    assert!(!text(&named.stderr).contains("not taken over"), "{}", text(&named.stderr));
}
