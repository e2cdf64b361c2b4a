//! `indelible show` and `indelible tail`: exact bytes, and which records there are.

use crate::support::*;

#[test]
fn stored_lines_come_out_byte_for_byte() {
    let log = Log::new();
    let hostile =
        "{\"actor\":\"a\u{202e}b\u{9b}31m\\u001b[2J\",\"action\":\"b\",\"resource\":\"c\"}";
    log.append(hostile, &[]);
    let stored = log.lines();
    let shown = log.run(&["show", "audit", "1"]);
    assert_eq!(text(&shown.stdout), format!("{}\n", stored[1]));
    let tail = log.run(&["tail", "audit", "-n", "5"]);
    assert_eq!(text(&tail.stdout), format!("{}\n{}\n", stored[0], stored[1]));
}

#[test]
fn a_record_that_is_not_there_is_told_with_those_that_are() {
    let log = Log::new();
    log.append(events(0, 3), &[]);
    let absent = log.run(&["show", "audit", "4"]);
    assert_eq!((absent.status.code(), text(&absent.stdout).as_str()), (Some(1), ""));
    assert_eq!(
        text(&absent.stderr),
        "indelible: audit: no record 4: the log has records 0 to 3 up to its last checkpoint (--unsynced reads on)\n"
    );
    let unsynced = log.run(&["show", "audit", "4", "--unsynced"]);
    assert_eq!(
        text(&unsynced.stderr),
        "indelible: audit: no record 4: the log has records 0 to 3\n"
    );
}

#[test]
fn the_last_records_cross_segments_in_order() {
    let log = Log::new();
    assert_eq!(log.append(large_events(12), &["--max-file-size", "192KiB"]).status.code(), Some(0));
    let stored = log.lines();
    assert!(log.folder().join("audit.log.3").exists());
    let tail = log.run(&["tail", "audit", "-n", "7"]);
    assert_eq!(text(&tail.stdout), stored[stored.len() - 7..].join("\n") + "\n");
    let all = log.run(&["tail", "audit", "-n", "1000"]);
    assert_eq!(text(&all.stdout), stored.join("\n") + "\n");
    assert_eq!(text(&log.run(&["tail", "audit", "-n", "0"]).stdout), "");
    for (seq, line) in stored.iter().enumerate() {
        assert_eq!(
            text(&log.run(&["show", "audit", &seq.to_string()]).stdout),
            format!("{line}\n")
        );
    }
}

#[test]
fn nobody_is_told_that_nobody_reads() {
    let log = Log::new();
    for args in [
        &["show", "audit", "0"][..],
        &["tail", "audit"],
        &["tail", "audit", "-f"],
        &["tail", "audit", "-f", "-n", "0"],
        &["query", "audit"],
        &["query", "audit", "--count"],
        &["query", "audit", "--output", "table"],
        &["checkpoint", "audit"],
        &["tail", "--help"],
    ] {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_indelible"))
            .current_dir(log.place.path())
            .args(args)
            .stdout(pipe_without_reader())
            .output()
            .expect("it runs");
        assert_eq!(
            (output.status.code(), text(&output.stderr).as_str()),
            (Some(0), ""),
            "{args:?}"
        );
    }
}

#[test]
fn a_record_that_does_not_hold_is_shown_with_a_warning() {
    let log = Log::new();
    log.append(events(1, 5), &[]);
    let path = log.folder().join("audit.log");
    let whole = std::fs::read_to_string(&path).expect("records");
    write(&path, whole.replacen("file:3\"", "file:9\"", 1).as_bytes());
    let output = log.run(&["show", "audit", "3"]);
    assert_eq!(text(&output.stdout), log.lines()[3].clone() + "\n");
    let told = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.starts_with("indelible: warning: record 3, in audit.log at byte "), "{told}");
    assert!(told.contains("\nhint: `indelible verify audit` says more\n"), "{told}");
    let output = log.run(&["show", "audit", "4"]);
    assert_eq!((output.status.code(), output.stderr.len()), (Some(0), 0));
}
