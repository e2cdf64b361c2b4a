//! `indelible backup`: a copy that verifies, of a log in use too, and nothing written over.

use std::io::Write as _;
use std::process::{Command, Stdio};

use crate::support::*;

#[test]
fn a_log_in_use_is_copied_and_the_copy_verifies_with_the_command_that_is_told() {
    let log = Log::new();
    let mut child = Command::new(env!("CARGO_BIN_EXE_indelible"))
        .current_dir(log.place.path())
        .args(["append", "audit", "--file", "-", "--max-file-size", "256KiB"])
        .stdin(Stdio::piped())
        .spawn()
        .expect("it runs");
    let mut input = child.stdin.take().expect("stdin");
    input.write_all(large_events(10).as_bytes()).expect("sent");
    for number in 0..5 {
        input.write_all(large_events(3).as_bytes()).expect("sent");
        let to = format!("copy-{number}");
        let output = log.run(&["backup", "audit", &to]);
        let told = text(&output.stderr);
        assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(0), &b""[..]), "{told}");
        assert!(
            told.starts_with(&format!("indelible: copied audit to {to}: records 0 to ")),
            "{told}"
        );
        assert!(told.contains(&format!("hint: check it: indelible verify {to} --key")), "{told}");
        let output = log.run(&["verify", &to, "--key", &log.key]);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stdout));
        assert!(!log.place.path().join(format!("{to}.partial")).exists());
        assert!(!log.place.path().join(format!("{to}.key")).exists());
    }
    drop(input);
    assert!(child.wait().expect("it ends").success());
    log.assert_sound();
}

#[test]
fn what_stands_at_the_destination_is_left_alone() {
    let log = Log::new();
    std::fs::create_dir(log.place.path().join("empty")).expect("made");
    assert_eq!(log.run(&["backup", "audit", "empty/"]).status.code(), Some(0));
    for (to, why) in [
        ("empty", "empty: something is here already, and a backup is never made over it"),
        ("audit.key", "something is here already"),
        ("audit/inside", "a backup can't stand inside of its log"),
        ("no/where", "could not create "),
    ] {
        let output = log.run(&["backup", "audit", to]);
        assert_eq!(output.status.code(), Some(1), "{to}");
        assert!(text(&output.stderr).contains(why), "{to}: {}", text(&output.stderr));
    }
    let output = log.run(&["backup", "nowhere", "copy"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("there is no log here"));
    log.assert_sound();
}

#[test]
fn a_folder_without_a_log_in_it_is_told_so_by_whoever_reads_it() {
    let log = Log::new();
    let mount = log.place.path().join("mount");
    std::fs::create_dir(&mount).expect("made");
    write(&mount.join("lock"), b"");
    for arguments in [
        &["backup", "mount", "copy"][..],
        &["prove", "mount", "0"],
        &["prove", "mount", "--from", "kept"],
        &["repair", "mount"],
        &["repair", "mount", "--yes"],
        &["init", "new", "--origin", "example.com/new", "--continues", "mount"],
    ] {
        let output = log.run(arguments);
        let told = text(&output.stderr);
        assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0), "{told}");
        assert!(told.contains("mount: there is no log in this folder"), "{arguments:?}: {told}");
        assert!(told.contains("\nhint: ") && told.contains("mounted?"), "{arguments:?}: {told}");
    }
    assert!(!log.place.path().join("copy").exists() && !log.place.path().join("new").exists());
    assert_eq!(std::fs::read_dir(&mount).expect("a folder").count(), 1);
}

#[test]
fn no_spelling_of_the_path_puts_a_copy_into_the_log_that_it_is_of() {
    let log = Log::new();
    for to in ["audit/copy", "audit", "./audit/copy", "audit/tree/../copy", "audit/../audit/copy"] {
        let output = log.run(&["backup", "audit", to]);
        let told = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{to}: {told}");
        assert!(told.contains("inside"), "{to}: {told}");
    }
    std::os::unix::fs::symlink("audit", log.place.path().join("link")).expect("a link");
    let output = log.run(&["backup", "audit", "link/copy"]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    let left: Vec<_> = std::fs::read_dir(log.place.path().join("audit"))
        .expect("the log")
        .map(|entry| entry.expect("an entry").file_name())
        .filter(|name| name.to_string_lossy().starts_with("copy"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
    log.assert_sound();
}
