//! `indelible prove` and `verify-proof`: what is proven, what is not, and what each mistake is told.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

use crate::support::*;

/// A log of 30 records beside its genesis, with record 7 proven in `7.tlog-proof`.
fn proven() -> Log {
    let log = Log::new();
    log.append(events(1, 30), &[]);
    let output = log.run(&["prove", "audit", "7", "-o", "7.tlog-proof"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(output.stdout.is_empty());
    log
}

fn read(log: &Log, name: &str) -> String {
    std::fs::read_to_string(log.place.path().join(name)).expect("a file")
}

fn put(log: &Log, name: &str, bytes: impl AsRef<[u8]>) {
    write(&log.place.path().join(name), bytes.as_ref());
}

/// What `verify-proof` says of `name`.
fn check(log: &Log, name: &str) -> Output {
    log.run(&["verify-proof", name, "--key", &log.key])
}

#[track_caller]
fn assert_fails(output: &Output, code: i32, why: &str) {
    let told = text(&output.stdout) + &text(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{told}");
    assert!(told.contains(why), "{told}");
}

/// A process that appends one event to the log, has its receipt, and goes on holding the log.
fn holder(log: &Log, interval: &str) -> Child {
    let mut child = Command::new(env!("CARGO_BIN_EXE_indelible"))
        .current_dir(log.place.path())
        .args(["append", "audit", "--file", "-", "--receipts", "--checkpoint-interval", interval])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it runs");
    writeln!(child.stdin.as_mut().expect("stdin"), "{EVENT}").expect("sent");
    let mut receipt = String::new();
    BufReader::new(child.stdout.as_mut().expect("stdout"))
        .read_line(&mut receipt)
        .expect("a receipt");
    child
}

#[test]
fn a_proof_holds_without_the_log_and_says_what_it_shows() {
    let log = proven();
    std::fs::remove_dir_all(log.folder()).expect("removed");
    let output = check(&log, "7.tlog-proof");
    let told = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{told}");
    assert!(told.starts_with("PROVEN: record 7 is in the log example.com/audit\n"), "{told}");
    for fact in ["actor        user:mia\n", "resource     file:7\n", "checkpoint   31 records\n"] {
        assert!(told.contains(fact), "{told}");
    }
    let output = log.run(&["verify-proof", "7.tlog-proof", "--key", &log.key, "--json"]);
    let json: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(
        (&json["proven"], &json["seq"], &json["size"]),
        (&true.into(), &7.into(), &31.into())
    );
    assert_eq!((&json["kind"], &json["action"]), (&"record".into(), &"read".into()));
}

#[test]
fn the_proof_goes_to_stdout_and_holds_the_exact_stored_line() {
    let log = proven();
    let output = log.run(&["prove", "audit", "7"]);
    assert_eq!(text(&output.stdout), read(&log, "7.tlog-proof"));
    let told = text(&output.stderr);
    assert!(told.contains(
            "hint: save it as 7.tlog-proof, and check it anywhere, without the log: indelible verify-proof 7.tlog-proof "
        ), "{told}");
    let encoded = text(&output.stdout);
    let encoded = encoded.lines().nth(1).and_then(|line| line.strip_prefix("extra "));
    let mut decoder = Command::new("base64")
        .arg("-d")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("base64");
    write!(decoder.stdin.take().expect("stdin"), "{}", encoded.expect("extra")).expect("sent");
    let line = decoder.wait_with_output().expect("decoded").stdout;
    assert_eq!(text(&line), log.lines()[7]);
}

#[test]
fn a_changed_byte_in_any_part_of_a_proof_is_refused() {
    let log = proven();
    let proof = read(&log, "7.tlog-proof");
    let mut starts = vec![0];
    starts.extend(proof.match_indices('\n').map(|(at, _)| at + 1));
    for pair in starts.windows(2) {
        for at in [pair[0], usize::midpoint(pair[0], pair[1]), pair[1] - 1] {
            let mut changed = proof.clone().into_bytes();
            changed[at] ^= 1;
            put(&log, "changed.tlog-proof", &changed);
            let output = check(&log, "changed.tlog-proof");
            assert_fails(&output, 3, "NOT PROVEN: changed.tlog-proof: ");
        }
    }
    for cut in [0, 1, 30, proof.len() / 2, proof.len() - 1] {
        put(&log, "cut.tlog-proof", &proof.as_bytes()[..cut]);
        assert_fails(&check(&log, "cut.tlog-proof"), 3, "NOT PROVEN");
    }
}

#[test]
fn another_key_and_another_record_prove_nothing() {
    let log = proven();
    let other = Log::new();
    let output = log.run(&["verify-proof", "7.tlog-proof", "--key", &other.key]);
    assert_fails(&output, 3, "checkpoint is signed by no known key");
    let elsewhere = "example.com/else+29b87bfc+AQOhB7";
    let output = log.run(&["verify-proof", "7.tlog-proof", "--key", elsewhere]);
    assert_fails(&output, 2, "--key");
    let output = log.run(&["prove", "audit", "8", "-o", "8.tlog-proof"]);
    assert_eq!(output.status.code(), Some(0));
    let (seven, eight) = (read(&log, "7.tlog-proof"), read(&log, "8.tlog-proof"));
    let extra = |proof: &str| proof.lines().nth(1).map(str::to_owned).expect("extra");
    put(&log, "mixed.tlog-proof", seven.replace(&extra(&seven), &extra(&eight)));
    assert_fails(&check(&log, "mixed.tlog-proof"), 3, "is record 8, the proof is about record 7");
    put(&log, "bare.tlog-proof", seven.replace(&(extra(&seven) + "\n"), ""));
    assert_fails(&check(&log, "bare.tlog-proof"), 3, "no record in it");
    assert_fails(&log.run(&["verify-proof", "7.tlog-proof"]), 2, "--key");
    assert_fails(&check(&log, "nowhere.tlog-proof"), 1, "could not read nowhere.tlog-proof");
}

#[test]
fn what_a_proof_says_never_reaches_a_terminal_raw() {
    let log = Log::new();
    log.append(
        "{\"actor\":\"a\u{202e}\u{9b}\",\"action\":\"b\\u001b[2J\",\"resource\":\"c\"}",
        &[],
    );
    assert_eq!(log.run(&["prove", "audit", "1", "-o", "p"]).status.code(), Some(0));
    let told = text(&check(&log, "p").stdout);
    assert!(told.contains("actor        a\\u202e\\u009b\n"), "{told}");
    assert!(told.contains("action       b\\u001b[2J\n"), "{told}");
}

#[test]
fn a_file_that_exists_is_not_written_over() {
    let log = proven();
    put(&log, "mine", "mine");
    let output = log.run(&["prove", "audit", "7", "-o", "mine"]);
    assert_fails(&output, 1, "mine: something is here already, and nothing is written over it");
    assert_eq!(read(&log, "mine"), "mine");
    if Path::new("/dev/full").exists() {
        let full = std::fs::File::create("/dev/full").expect("a full device");
        let mut command = Command::new(env!("CARGO_BIN_EXE_indelible"));
        command.current_dir(log.place.path()).args(["prove", "audit", "7"]).stdout(full);
        assert_eq!(command.status().expect("it runs").code(), Some(1));
    }
}

#[test]
fn a_record_that_is_not_there_is_told_with_what_there_is() {
    let log = proven();
    assert_fails(
        &log.run(&["prove", "audit", "31"]),
        1,
        "there is no record 31: the log has records 0 to 30",
    );
    assert_fails(&log.run(&["prove", "nowhere", "1"]), 1, "there is no log here");
    assert_fails(&log.run(&["prove", "audit"]), 2, "SEQ");
    assert_fails(&log.run(&["prove", "audit", "1", "--from", "x"]), 2, "--from");
    log.assert_sound();
}

#[test]
fn a_pruned_record_is_proven_by_who_kept_its_line() {
    let log = Log::new();
    log.append(events(1, 3), &[]);
    let kept = log.lines()[2].clone();
    let small = ["--max-file-size", "256KiB", "--max-files", "1"];
    log.append(large_events(12), &small);
    let output = log.run(&["prove", "audit", "2"]);
    assert_fails(&output, 1, "record 2 was pruned");
    let first: Value = serde_json::from_str(&log.lines()[0]).expect("JSON");
    let range = format!("no record 999: the log has records {} to ", first["seq"]);
    assert_fails(&log.run(&["prove", "audit", "999"]), 1, &range);
    assert!(text(&output.stderr).contains("\nhint: "), "{}", text(&output.stderr));
    put(&log, "kept", format!("{kept}\n"));
    let output = log.run(&["prove", "audit", "2", "--record", "kept", "-o", "2.tlog-proof"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert_eq!(check(&log, "2.tlog-proof").status.code(), Some(0));
    let output = log.run(&["prove", "audit", "3", "--record", "kept"]);
    assert_fails(&output, 1, "is that of record 2, not of record 3");
    assert_fails(&log.run(&["prove", "audit", "2", "--record", "gone"]), 1, "could not read gone");
    put(&log, "kept", kept.replace("file:2", "file:9"));
    assert_fails(&log.run(&["prove", "audit", "2", "--record", "kept"]), 1, "is no record");
}

#[test]
fn of_a_record_without_a_checkpoint_one_is_made() {
    let log = Log::new();
    let mut child = holder(&log, "1h");
    child.kill().and_then(|()| child.wait()).expect("killed");
    let (key, away) = (log.place.path().join("audit.key"), log.place.path().join("away"));
    std::fs::hard_link(&key, away).and_then(|()| std::fs::remove_file(&key)).expect("moved");
    let output = log.run(&["prove", "audit", "1"]);
    assert_fails(&output, 1, "no checkpoint covers record 1 yet, and none could be made: ");
    let output = log.run(&["prove", "audit", "1", "--key-file", "away", "-o", "p"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert_eq!(check(&log, "p").status.code(), Some(0));
    log.assert_sound();
}

#[test]
fn while_another_process_holds_the_log_its_checkpoint_is_waited_for() {
    let log = Log::new();
    let mut child = holder(&log, "1s");
    let output = log.run(&["prove", "audit", "1", "-o", "p"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert_eq!(check(&log, "p").status.code(), Some(0));
    drop(child.stdin.take());
    assert!(child.wait().expect("it ends").success());
    let mut child = holder(&log, "1h");
    let output = log.run(&["prove", "audit", "2", "--wait", "50ms"]);
    assert_fails(&output, 1, "record 2 is recorded, but no checkpoint covers it yet");
    assert_fails(&output, 1, &format!("held by process {}", child.id()));
    drop(child.stdin.take());
    assert!(child.wait().expect("it ends").success());
}

#[test]
fn growth_since_a_kept_checkpoint_is_proven_and_checked_with_both() {
    let log = Log::new();
    log.append(events(1, 5), &[]);
    put(&log, "kept", log.run(&["checkpoint", "audit"]).stdout);
    log.append(events(6, 20), &[]);
    let output = log.run(&["prove", "audit", "--from", "kept", "-o", "growth"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("went on from 6 to 26 records"));
    assert!(read(&log, "growth").starts_with("old 6\n"));
    let with = ["verify-proof", "growth", "--key", &log.key, "--checkpoint", "kept"];
    let output = log.run(&with);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stdout));
    assert!(text(&output.stdout).starts_with(
        "PROVEN: the log example.com/audit went on from 6 to 26 records, and changed nothing before\n"
    ));
    let output = log.run(&[&with[..], &["--json"]].concat());
    let json: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!((&json["kind"], &json["old_size"]), (&"growth".into(), &6.into()));
    assert_fails(&check(&log, "growth"), 2, "give the checkpoint that you kept");
    assert_eq!(log.run(&["prove", "audit", "2", "-o", "p"]).status.code(), Some(0));
    let output = log.run(&["verify-proof", "p", "--key", &log.key, "--checkpoint", "kept"]);
    assert_fails(&output, 2, "and this is none");
    let changed = read(&log, "growth").replacen('A', "B", 1);
    put(&log, "growth", changed);
    assert_fails(&log.run(&with), 3, "NOT PROVEN");
}

#[test]
fn a_log_that_is_no_continuation_of_what_was_kept_is_called_that() {
    let log = Log::new();
    log.append(events(1, 5), &[]);
    let copy = |from: &str, to: &str| {
        let copied =
            Command::new("cp").current_dir(log.place.path()).args(["-a", from, to]).status();
        assert!(copied.expect("cp").success());
    };
    copy("audit", "fork");
    copy("audit.key", "fork.key");
    log.append(events(6, 5), &[]);
    put(&log, "kept", log.run(&["checkpoint", "audit"]).stdout);
    let output = log.run(&["prove", "fork", "--from", "kept"]);
    assert_fails(&output, 3, "the kept checkpoint covers 11 records, the latest of the log only 6");
    let event = EVENT.replace("mia", "eve") + "\n";
    let mut command = log.command();
    command.args(["append", "fork", "--file", "-"]).write_stdin(event.repeat(9));
    assert!(command.output().expect("it runs").status.success());
    let output = log.run(&["prove", "fork", "--from", "kept"]);
    assert_fails(&output, 3, "the log is no continuation of the kept checkpoint");
    assert!(output.stdout.is_empty());

    let other = Log::new();
    put(&log, "other", other.run(&["checkpoint", "audit"]).stdout);
    let output = log.run(&["prove", "audit", "--from", "other"]);
    assert_fails(&output, 3, "the kept checkpoint: checkpoint is signed by no known key");
    put(&log, "junk", "junk\n");
    assert_fails(
        &log.run(&["prove", "audit", "--from", "junk"]),
        1,
        "junk: this is not a checkpoint",
    );
    assert_fails(&log.run(&["prove", "audit", "--from", "none"]), 1, "could not read none");
}

#[test]
fn spoilt_rows_and_changed_records_are_told_apart() {
    let log = proven();
    let row = log.folder().join("tree/0");
    let whole = std::fs::read(&row).expect("a row");
    let mut spoilt = whole.clone();
    spoilt[6 * 32] ^= 1;
    write(&row, &spoilt);
    let output = log.run(&["prove", "audit", "7"]);
    assert_fails(&output, 3, "the tree rows do not give the root that was signed");
    write(&row, &whole[..64]);
    assert_fails(&log.run(&["prove", "audit", "7"]), 3, "the tree rows end before");
    write(&row, &whole);
    let path = log.folder().join("audit.log");
    let records = std::fs::read_to_string(&path).expect("records");
    write(
        &path,
        records.replacen("\"resource\":\"file:7\"", "\"resource\":\"file:8\"", 1).as_bytes(),
    );
    assert_fails(&log.run(&["prove", "audit", "7"]), 3, "record 7 is not whole");
}

#[test]
fn a_file_of_another_kind_is_no_alarm_and_is_called_what_it_is() {
    let log = proven();
    put(&log, "kept.txt", log.run(&["checkpoint", "audit"]).stdout);
    log.append(events(31, 2), &[]);
    put(&log, "growth.txt", log.run(&["prove", "audit", "--from", "kept.txt"]).stdout);
    put(&log, "events.jsonl", events(1, 2));
    put(&log, "garbage", b"\xff\x00garbage");
    for (from, what) in [
        (
            "7.tlog-proof",
            "7.tlog-proof: this is the proof of a record (.tlog-proof), not a checkpoint",
        ),
        ("growth.txt", "growth.txt: this is a proof of growth, not a checkpoint"),
        ("events.jsonl", "events.jsonl: this is JSON, such as records, events or receipts, not a"),
        ("garbage", "garbage: this is not a checkpoint: note is not UTF-8 at byte 0"),
    ] {
        for output in [
            log.run(&["prove", "audit", "--from", from]),
            log.run(&["verify-proof", "growth.txt", "--key", &log.key, "--checkpoint", from]),
        ] {
            assert_fails(&output, 1, what);
            assert_fails(
                &output,
                1,
                "hint: a checkpoint is what `indelible checkpoint DIR` prints",
            );
            assert!(output.stdout.is_empty());
        }
    }
    let output = check(&log, "kept.txt");
    assert_fails(&output, 1, "kept.txt: this is a checkpoint, not a proof");
    assert_fails(&output, 1, "hint: a proof is what `indelible prove` writes; a checkpoint that");
    assert_fails(&check(&log, "events.jsonl"), 1, "events.jsonl: this is JSON, such as records");
    // What claims to be a proof and is broken proves nothing.
    assert_fails(&check(&log, "garbage"), 3, "NOT PROVEN");
}

#[test]
fn whoever_gives_another_key_is_told_both() {
    let (log, other) = (proven(), Log::new());
    put(&log, "kept", log.run(&["checkpoint", "audit"]).stdout);
    log.append(events(31, 2), &[]);
    put(&log, "growth", log.run(&["prove", "audit", "--from", "kept"]).stdout);
    // The base64 behind them may have a + of its own.
    let named = |key: &str| key.splitn(3, '+').take(2).collect::<Vec<_>>().join("+");
    let both =
        format!("the checkpoint is signed by {}; given was {}", named(&log.key), named(&other.key));
    let key = ["--key", &other.key];
    for (arguments, code) in [
        (&["prove", "audit", "7"][..], 1),
        (&["prove", "audit", "--from", "kept"], 3),
        (&["verify-proof", "7.tlog-proof"], 3),
        (&["verify-proof", "growth", "--checkpoint", "kept"], 3),
    ] {
        let output = log.run(&[arguments, &key].concat());
        assert_fails(&output, code, &both);
        assert_fails(&output, code, "hint: is that the key that init printed?");
    }
}
