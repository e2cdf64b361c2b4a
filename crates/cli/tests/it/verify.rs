//! `indelible verify`: verdicts and their exit codes, as the reference has them.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::support::*;

#[test]
fn a_changed_byte_is_found_and_the_exit_code_says_so() {
    let log = Log::new();
    log.append(events(0, 5), &[]);
    let path = log.folder().join("audit.log");
    let changed = fs::read_to_string(&path).expect("a segment").replace("file:3", "file:9");
    write(&path, changed.as_bytes());
    let output = log.run(&["verify", "audit", "--key", &log.key]);
    assert_eq!(output.status.code(), Some(3));
    assert!(text(&output.stdout).contains("record 4"), "{}", text(&output.stdout));
    assert_eq!(text(&output.stderr), "");
}

#[test]
fn a_torn_tail_has_an_exit_code_of_its_own_and_the_next_append_repairs_it() {
    let log = Log::new();
    log.append(events(0, 5), &[]);
    let path = log.folder().join("audit.log");
    let mut torn = fs::read(&path).expect("a segment");
    torn.extend_from_slice(b"{\"seq\":6,\"timesta");
    write(&path, &torn);
    assert_eq!(log.run(&["verify", "audit", "--key", &log.key]).status.code(), Some(4));
    let output = log.append(EVENT, &[]);
    let told = text(&output.stderr);
    assert!(
        told.starts_with("indelible: a crash left a torn tail in audit.log at byte "),
        "{told}"
    );
    assert!(told.contains(": 17 bytes were cut off and kept in "), "{told}");
    log.assert_sound();
}

#[test]
fn json_is_one_object_for_programs() {
    let log = Log::new();
    let output = log.run(&["verify", "audit", "--key", &log.key, "--json"]);
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(
        (&report["verdict"], &report["anchored"]),
        (&Value::from("sound"), &Value::from(true))
    );
    assert_eq!(report["records"], 1);
    let alone = log.run(&["verify", "audit", "--json"]);
    let report: Value = serde_json::from_slice(&alone.stdout).expect("JSON");
    assert_eq!((alone.status.code(), &report["anchored"]), (Some(0), &Value::from(false)));
}

#[test]
fn the_exit_code_is_the_verdict_also_when_nobody_reads_the_report() {
    let log = Log::new();
    let path = log.folder().join("audit.log");
    let changed =
        fs::read_to_string(&path).expect("a segment").replace("example.com", "example.org");
    write(&path, changed.as_bytes());
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_indelible"))
        .current_dir(log.place.path())
        .args(["verify", "audit"])
        .stdout(pipe_without_reader())
        .output()
        .expect("it runs");
    assert_eq!((output.status.code(), text(&output.stderr).as_str()), (Some(3), ""));
}

#[test]
fn the_key_of_another_log_does_not_make_it_sound() {
    let (log, other) = (Log::new(), Log::new());
    let output = log.run(&["verify", "audit", "--key", &other.key]);
    assert_eq!(output.status.code(), Some(3), "{}", text(&output.stdout));
}

#[test]
fn every_reference_folder_gets_its_verdict() {
    let Some(shared) = shared() else { return };
    let folders = shared.join("reference/folders");
    let verdicts: Value =
        serde_json::from_str(&fs::read_to_string(folders.join("verdicts.json")).expect("verdicts"))
            .expect("JSON");
    let key = verdicts["key"].as_str().expect("a key");
    let all = verdicts["folders"].as_object().expect("folders");
    assert!(all.len() > 25);
    for (name, folder) in all {
        let expected = match folder["verdict"].as_str() {
            Some("sound") => 0,
            Some("torn") => 4,
            Some("broken") => 3,
            other => panic!("{name}: {other:?}"),
        };
        let path = folders.join(name);
        let output = verify(&path, key);
        assert_eq!(output.status.code(), Some(expected), "{name}: {}", text(&output.stdout));
    }
}

fn verify(folder: &Path, key: &str) -> std::process::Output {
    indelible().arg("verify").arg(folder).args(["--key", key]).output().expect("it runs")
}

#[test]
fn strict_also_checks_what_a_faulty_writer_wrote() {
    let log = Log::new();
    log.append(events(0, 5), &[]);
    let output = log.run(&["verify", "audit", "--key", &log.key, "--strict"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stdout));
    assert_eq!(text(&output.stderr), "");
}

#[test]
fn before_it_looks_an_interrupt_ends_the_process_as_ever() {
    let log = Log::new();
    let mut verify = std::process::Command::new(env!("CARGO_BIN_EXE_indelible"))
        .current_dir(log.place.path())
        .args(["verify", "audit", "--receipts", "-"])
        .stdin(std::process::Stdio::piped())
        .spawn()
        .expect("it runs");
    let id = verify.id().to_string();
    let sent = std::process::Command::new("kill").args(["-INT", &id]).status().expect("kill runs");
    assert!(sent.success());
    let ended = verify.wait().expect("it ends");
    assert_eq!(ended.code(), None, "by the signal");
}
