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
