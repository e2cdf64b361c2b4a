//! What people read when something can't be done: text, hint and exit code.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use crate::support::*;

#[test]
fn a_missing_folder() {
    let place = tempfile::tempdir().expect("a folder");
    let folder = place.path().join("audit");
    let folder = folder.to_str().expect("UTF-8");
    for args in [
        &["append", folder, "--actor", "a", "--action", "b", "--resource", "c"][..],
        &["checkpoint", folder],
        &["show", folder, "0"],
        &["tail", folder],
        &["verify", folder],
        &["query", folder],
    ] {
        let output = indelible().current_dir(place.path()).args(args).output().expect("it runs");
        assert_fails(
            &output,
            1,
            &format!(
                "indelible: {folder}: there is no log here\n\
                 hint: is the path right, and is its volume mounted? `indelible init {folder}` makes a new log\n"
            ),
        );
    }
    let output =
        indelible().current_dir(place.path()).args(["init", "new", "--continues", folder]).output();
    assert_fails(
        &output.expect("it runs"),
        1,
        &format!(
            "indelible: {folder}: there is no log here\n\
             hint: is that the path of the old log, and is its volume mounted?\n"
        ),
    );
}

#[test]
fn a_log_is_never_made_over_something() {
    let log = Log::new();
    let output = log.run(&["init", "audit"]);
    let folder = log.folder();
    assert_fails(
        &output,
        1,
        &format!(
            "indelible: {0}: something is here already, and a log is never made over it\n\
             hint: if it is the log, `indelible append {0}` adds to it, `indelible verify {0}` checks it, and \
             `indelible show {0} 0` shows its verifier key; if not, give the new log a path of its own\n",
            folder.display()
        ),
    );
}

#[test]
fn a_missing_key() {
    let log = Log::new();
    fs::remove_file(log.place.path().join("audit.key")).expect("removed");
    let key = log.place.path().join("audit.key");
    assert_fails(
        &log.append(EVENT, &[]),
        1,
        &format!(
            "indelible: {0}: the log's key is missing; without it no checkpoint can be signed\n\
             hint: put {0} back from your backup, or say where it is with --key-file; \
             if it is lost, go on in a new log: indelible init NEW --origin NAME --continues audit\n",
            key.display()
        ),
    );
    log.assert_sound();
}

#[test]
fn a_key_that_others_can_read() {
    let log = Log::new();
    let key = log.place.path().join("audit.key");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).expect("set");
    assert_fails(
        &log.append(EVENT, &[]),
        1,
        &format!(
            "indelible: {0}: mode 0644: group or others may read the key (chmod 600)\n\
             hint: chmod 600 {0}; who may have read it could forge checkpoints from then on\n",
            key.display()
        ),
    );
}

#[test]
fn a_folder_that_others_can_write() {
    let log = Log::new();
    fs::set_permissions(log.folder(), fs::Permissions::from_mode(0o777)).expect("set");
    assert_fails(
        &log.append(EVENT, &[]),
        1,
        &format!(
            "indelible: {0}: mode 0777: group or others may write to it (chmod go-w)\nhint: chmod go-w {0}\n",
            log.folder().display()
        ),
    );
}

#[test]
fn a_log_that_a_crash_can_not_have_left_so() {
    let log = Log::new();
    log.append(events(0, 5), &[]);
    let path = log.folder().join("audit.log");
    let whole = fs::read_to_string(&path).expect("a segment");
    let kept: String = whole.split_inclusive('\n').take(4).collect();
    write(&path, kept.as_bytes());
    let output = log.append(EVENT, &[]);
    let told = text(&output.stderr);
    let folder = log.folder();
    assert_eq!((output.status.code(), text(&output.stdout).as_str()), (Some(1), ""), "{told}");
    assert!(
        told.starts_with(&format!(
            "indelible: {}: refused for appending, since a crash alone can't have left it so\n  missing: ",
            folder.display()
        )),
        "{told}"
    );
    assert!(
        told.ends_with(&format!(
            "\nhint: `indelible verify {0}` says more, reading works; to go on, make a new log that takes over: \
             indelible init NEW --origin NAME --continues {0} --reason '…'\n",
            folder.display()
        )),
        "{told}"
    );
}

#[test]
fn an_event_outside_its_limits() {
    let log = Log::new();
    for (flag, given, reason) in [
        ("--actor <WHO>", "", "actor is empty: leave it out, or say something"),
        (
            "--event-time <TIME>",
            "yesterday",
            "event_time is not a time as RFC 3339 spells it, such as 2026-01-02T03:04:05.678+01:00",
        ),
        ("--metadata <JSON>", "[1]", "byte 0: metadata is not an object"),
        ("--session <JSON>", "x", "byte 0: "),
        ("--event-id <ID>", "", "event_id is empty"),
    ] {
        let name = flag.split(' ').next().expect("a flag");
        let mut args = vec!["append", "audit", "--action", "b", "--resource", "c", name, given];
        if name != "--actor" {
            args.extend(["--actor", "a"]);
        }
        let output = log.run(&args);
        let told = text(&output.stderr);
        assert_eq!((output.status.code(), text(&output.stdout).as_str()), (Some(2), ""), "{told}");
        let begin = format!("indelible: invalid value '{given}' for '{flag}': {reason}");
        assert!(told.starts_with(&begin), "{told}");
    }
    assert_eq!(log.lines().len(), 1);
}

#[test]
fn a_number_that_is_none_is_named_with_what_it_counts() {
    let log = Log::new();
    for (args, told) in [
        (
            &["show", "audit", "kept.txt"][..],
            "'kept.txt' for '<SEQ>': `kept.txt` is not a sequence number (0, 1, 2 …)",
        ),
        (&["show", "audit", "-1"], "'-1' for '<SEQ>': `-1` is not a sequence number (0, 1, 2 …)"),
        (
            &["prove", "audit", "kept.txt"],
            "'kept.txt' for '[SEQ]': `kept.txt` is not a sequence number (0, 1, 2 …)",
        ),
        (
            &["tail", "audit", "-n", "x"],
            "'x' for '--lines <N>': `x` is not a number of records: write a whole number",
        ),
        (
            &["append", "audit", "--file", "-", "--threads", "0"],
            "'0' for '--threads <N>': `0` is outside its limits: it must be from 1 to 256",
        ),
    ] {
        assert_fails(
            &log.run(args),
            2,
            &format!("indelible: invalid value {told}\n\nFor more information, try '--help'.\n"),
        );
    }
}

#[test]
fn a_file_of_events_that_is_not_there() {
    let log = Log::new();
    assert_fails(
        &log.run(&["append", "audit", "--file", "events.jsonl"]),
        1,
        "indelible: could not open events.jsonl: No such file or directory (os error 2)\n",
    );
    assert_fails(
        &log.run(&["append", "audit", "--file", "."]),
        1,
        "indelible: could not open .: is a directory\n",
    );
}

#[test]
fn a_command_line_that_makes_no_sense() {
    for (args, told) in [
        (
            &["append", "audit"][..],
            "indelible: the following required arguments were not provided:\n  --actor <WHO>\n  --action <WHAT>\n  \
             --resource <TO-WHAT>\n\n  tip: many events come from a file, or from a pipe: --file <FILE|->\n",
        ),
        (
            &[
                "append",
                "audit",
                "--threads",
                "2",
                "--actor",
                "a",
                "--action",
                "b",
                "--resource",
                "c",
            ],
            "indelible: the argument '--threads <N>' cannot be used with:\n",
        ),
        (&["append", "audit", "--colour"], "indelible: unexpected argument '--colour' found\n"),
        (
            &["append", "audit", "--file", "-", "--actor", "a"],
            "indelible: the argument '--file <FILE|->' cannot be used with",
        ),
        (
            &["append", "audit", "--file", "-", "--max-file-size", "64MB"],
            "indelible: invalid value '64MB' for '--max-file-size <SIZE>': `64MB` is not a size: write bytes (262144) \
             or a number with KiB, MiB or GiB (256KiB, 64MiB)\n",
        ),
        (
            &["append", "audit", "--file", "-", "--checkpoint-interval", "5"],
            "indelible: invalid value '5' for '--checkpoint-interval <TIME>': `5` is not a duration: write a number \
             with ms, s, m or h (500ms, 1s, 2m)\n",
        ),
        (
            &["init", "audit", "--origin", "a b"],
            "indelible: invalid value 'a b' for '--origin <NAME>': origin has ' ' at byte 1",
        ),
        (&["verify", "audit", "--key", "x"], "indelible: invalid value 'x' for '--key <KEY>': "),
        (&["show", "audit", "1", "2"], "indelible: unexpected argument '2' found"),
        (&["frobnicate"], "indelible: unrecognized subcommand 'frobnicate'\n"),
    ] {
        let output = indelible().args(args).output().expect("it runs");
        let stderr = text(&output.stderr);
        assert_eq!(
            (output.status.code(), text(&output.stdout).as_str()),
            (Some(2), ""),
            "{stderr}"
        );
        assert!(stderr.starts_with(told), "{stderr}");
        assert!(stderr.contains("--help"), "{stderr}");
    }
}

#[test]
fn what_works_on_folders_alone_says_how_a_service_gives_the_same() {
    let place = tempfile::tempdir().expect("a folder");
    for (args, route) in [
        (&["checkpoint", "--server", "http://127.0.0.1:8600"][..], "GET /v1/checkpoint"),
        (&["prove", "1", "--server=http://127.0.0.1:8600"], "GET /v1/records/{seq}/proof"),
    ] {
        let output = indelible().current_dir(place.path()).args(args).output().expect("it runs");
        let told = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{told}");
        assert!(told.contains("'--server' found") && told.contains(route), "{told}");
    }
}
