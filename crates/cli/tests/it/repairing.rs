//! `indelible repair`: shows, changes nothing, and repairs when told.

use crate::support::*;

fn spoil(log: &Log) -> Vec<u8> {
    let row = log.folder().join("tree/0");
    let mut bytes = std::fs::read(&row).expect("a row");
    bytes[70] ^= 1;
    write(&row, &bytes);
    bytes
}

#[test]
fn rows_and_a_torn_tail_are_shown_first_and_repaired_with_yes() {
    let log = Log::new();
    log.append(events(1, 20), &[]);
    let output = log.run(&["repair", "audit"]);
    assert_eq!(
        (output.status.code(), text(&output.stdout).as_str()),
        (Some(0), "nothing to repair\n")
    );

    let spoilt = spoil(&log);
    let path = log.folder().join("audit.log");
    let mut torn = std::fs::read(&path).expect("records");
    torn.extend_from_slice(b"{\"seq\":21,");
    write(&path, &torn);
    let output = log.run(&["repair", "audit"]);
    let told = text(&output.stdout);
    assert_eq!(output.status.code(), Some(4), "{told}");
    assert!(
        told.starts_with("would do:\n  rebuild tree/0 from the records: 1 of 21 hashes "),
        "{told}"
    );
    assert!(told.contains("\n  cut the torn tail of audit.log (partial): 10 bytes "), "{told}");
    assert!(
        text(&output.stderr)
            .contains("nothing was changed; to do it: indelible repair audit --yes")
    );
    assert_eq!(std::fs::read(log.folder().join("tree/0")).expect("a row"), spoilt);
    assert_eq!(std::fs::read(&path).expect("records"), torn);

    let refused = log.append(EVENT, &[]);
    assert_eq!(refused.status.code(), Some(1));
    let told = text(&refused.stderr);
    assert!(told.contains("\nhint: `indelible repair /"), "{told}");
    let output = log.run(&["repair", "audit", "--yes"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(text(&output.stdout).starts_with("to do:\n"));
    let told = text(&output.stderr);
    assert!(told.contains("tree/0 is rebuilt from the records"), "{told}");
    assert!(told.contains("10 bytes were cut off and kept in quarantine/"), "{told}");
    log.assert_sound();
    assert_eq!(log.run(&["repair", "audit", "--yes"]).status.code(), Some(0));
}

#[test]
fn a_damaged_record_is_left_alone_and_the_way_on_is_told() {
    let log = Log::new();
    log.append(events(1, 20), &[]);
    let row = spoil(&log);
    let path = log.folder().join("audit.log");
    let changed = std::fs::read_to_string(&path).expect("records").replacen("mia", "eve", 1);
    write(&path, changed.as_bytes());
    let output = log.run(&["repair", "audit", "--yes"]);
    assert_eq!(output.status.code(), Some(3));
    let told = text(&output.stdout);
    assert!(told.starts_with("can't be repaired:\n  "), "{told}");
    assert!(told.contains("audit.log at byte "), "{told}");
    assert!(
        text(&output.stderr).contains("init NEW --continues audit"),
        "{}",
        text(&output.stderr)
    );
    assert_eq!(std::fs::read(log.folder().join("tree/0")).expect("a row"), row);
    assert_eq!(std::fs::read_to_string(&path).expect("records"), changed);
    assert_eq!(log.run(&["repair", "nowhere"]).status.code(), Some(1));
}

/// The text without the places where its lines are broken.
fn unbroken(bytes: &[u8]) -> String {
    text(bytes).split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn a_fault_is_told_in_the_words_of_verify_and_yes_writes_nothing() {
    let log = Log::new();
    log.append(events(1, 20), &[]);
    let path = log.folder().join("audit.log");
    let changed =
        std::fs::read_to_string(&path).expect("records").replacen("file:7\"", "file:8\"", 1);
    write(&path, changed.as_bytes());
    write(&log.folder().join("checkpoint.tmp"), b"half");
    let verified: serde_json::Value =
        serde_json::from_slice(&log.run(&["verify", "audit", "--json"]).stdout).expect("JSON");
    assert_eq!(verified["findings"][0]["class"], "tampering");
    for arguments in [&["repair", "audit"][..], &["repair", "audit", "--yes"]] {
        let output = log.run(arguments);
        assert_eq!(output.status.code(), Some(3));
        let told = unbroken(&output.stdout);
        assert!(
            told.starts_with("can't be repaired: tampering: audit.log at byte ")
                && told.contains("record 7: the hash does not match the entry"),
            "{told}"
        );
        assert!(text(&output.stdout).lines().all(|line| line.len() <= 80), "{told}");
        let told = text(&output.stderr);
        assert!(told.contains("nothing was changed") && told.contains("cp -a"), "{told}");
        assert!(!told.contains("to do it"), "{told}");
    }
    assert_eq!(std::fs::read_to_string(&path).expect("records"), changed);
    assert!(log.folder().join("checkpoint.tmp").exists());
}

#[test]
fn a_backup_with_records_beyond_its_checkpoint_needs_no_repair() {
    let log = Log::new();
    let path = log.folder().join("audit.log");
    log.append(events(1, 3), &[]);
    let old = ["checkpoint", "checkpoints.jsonl"].map(|name| {
        let path = log.folder().join(name);
        let bytes = std::fs::read(&path).expect("notes");
        (path, bytes)
    });
    log.append(events(4, 2), &[]);
    for (path, bytes) in old {
        write(&path, &bytes);
    }
    let before = std::fs::read(&path).expect("records");
    for arguments in [&["repair", "audit"][..], &["repair", "audit", "--yes"]] {
        let output = log.run(arguments);
        let told = text(&output.stderr);
        assert_eq!(
            (output.status.code(), text(&output.stdout).as_str()),
            (Some(0), "nothing to repair\n"),
            "{told}"
        );
        assert!(told.contains("records 4 to 5 lie beyond every signature"), "{told}");
    }
    assert_eq!(std::fs::read(&path).expect("records"), before);
}
