//! What people read of a log that was killed: what opening it had to put in order, and what stood in the way of that.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

use crate::support::*;

/// Records `count` events that no checkpoint covers, and kills the process.
fn leave_uncovered(log: &Log, count: usize) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_indelible"))
        .current_dir(log.place.path())
        .args(["append", "audit", "--file", "-", "--receipts", "--checkpoint-interval", "1h"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it runs");
    let mut input = child.stdin.take().expect("stdin");
    let mut receipts = BufReader::new(child.stdout.take().expect("stdout")).lines();
    for _ in 0..count {
        writeln!(input, "{EVENT}").expect("sent");
        receipts.next().expect("a receipt").expect("readable");
    }
    child.kill().expect("killed");
    child.wait().expect("it ended");
}

fn size(path: &Path) -> u64 {
    fs::metadata(path).expect("a file").len()
}

#[test]
fn what_was_adopted_is_told_without_the_records_of_the_repair() {
    let log = Log::new();
    leave_uncovered(&log, 1);
    let one = text(&log.append(EVENT, &[]).stderr);
    assert!(
        one.starts_with(
            "indelible: record 1 lay beyond the last checkpoint and is adopted: no signature covered it until now\n"
        ),
        "{one}"
    );
    leave_uncovered(&log, 3);
    let path = log.folder().join("audit.log");
    let mut torn = fs::read(&path).expect("a segment");
    torn.extend_from_slice(b"{\"seq\":");
    write(&path, &torn);
    let three = text(&log.append(EVENT, &[]).stderr);
    assert!(
        three.contains(
            "\nindelible: records 4 to 6 lay beyond the last checkpoint and are adopted: no signature covered them until \
             now\n"
        ),
        "{three}"
    );
    log.assert_sound();
}

#[test]
fn a_checkpoint_that_opening_can_not_make_is_told_from_records_that_it_can_not_write() {
    let log = Log::new();
    // A short audit.log and long rows, so that only the rows meet the limit.
    let small = ["--max-file-size", "192KiB"];
    log.append(events(10_000, 1_800), &small);
    let (path, rows) = (log.folder().join("audit.log"), log.folder().join("tree/0"));
    let line = log.lines().last().map_or(0, String::len) + 1;
    let line = u64::try_from(line).expect("a size");
    let room = usize::try_from((192 * 1024 - size(&path)) / line).expect("a count");
    log.append(events(20_000, room + 2), &small);
    assert!(size(&path) < 8_192 && size(&rows) > 40_960, "{} {}", size(&path), size(&rows));
    leave_uncovered(&log, 2);
    let output = Command::new("sh")
        .current_dir(log.place.path())
        .args(["-c", r#"ulimit -f 40; exec "$0" append audit --file -"#])
        .arg(env!("CARGO_BIN_EXE_indelible"))
        .stdin(Stdio::null())
        .output()
        .expect("it runs");
    assert_fails(
        &output,
        1,
        &format!(
            "indelible: what opening had to record is recorded, but its checkpoint is still to be made: no checkpoint \
             made: could not write to {}: File too large (os error 27)\n\
             hint: nothing is broken; raise this process's file size limit (ulimit -f), or rotate below it with \
             --max-file-size, and try again\n",
            rows.display()
        ),
    );
    let last: serde_json::Value =
        serde_json::from_str(log.lines().last().expect("a record")).expect("JSON");
    assert_eq!(last["action"], "indelible.log.adopt");
    assert_eq!(log.append(EVENT, &[]).status.code(), Some(0));
    log.assert_sound();
}
