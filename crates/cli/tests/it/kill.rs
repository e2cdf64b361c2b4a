//! kill -9 in the middle of appends from eight threads, twenty times on one log: no receipt that was printed may lie.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::*;

const ROUNDS: u64 = 20;

#[test]
fn every_receipt_printed_before_a_kill_is_found_at_its_place() {
    let Some(shared) = shared() else { return };
    let events = real_events(&shared);
    let log = Log::new();
    let mut receipts: Vec<String> = Vec::new();
    let mut duplicates = 0_usize;
    for round in 0..ROUNDS {
        // Every third round sends what the round before it sent, as a client does who got no answer: what is recorded
        // must not be recorded again.
        let ids = if round % 3 == 2 { round - 1 } else { round };
        // From "while it opens" to "many rotations later", in no order.
        let receipts_before_kill =
            usize::try_from(round * 7 % ROUNDS * 39).expect("a small number");
        let pause = Duration::from_micros(round * 11 % ROUNDS * 1_500);
        let printed =
            kill_after(&log, &events, ids, Moment { receipts: receipts_before_kill, pause });
        println!(
            "round {round}: killed {pause:?} after {receipts_before_kill} receipts, {} printed",
            printed.len()
        );
        duplicates += printed.iter().filter(|line| line.ends_with(",\"duplicate\":true}")).count();
        receipts.extend(printed);
    }
    assert!(duplicates > 0, "no round found what the round before it had recorded");
    // The last kill may have left a torn tail, for the next open.
    let last = log.append(EVENT, &[]);
    assert_eq!(last.status.code(), Some(0), "{}", text(&last.stderr));

    let lines = log.lines();
    for receipt in &receipts {
        assert_holds(receipt, &lines);
    }
    assert_no_event_is_recorded_twice(&lines);
    println!("{} receipts hold in {} records", receipts.len(), lines.len());

    let agreed = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/agree"))
        .args([log.folder().as_os_str(), log.key.as_ref()])
        .env("INDELIBLE", env!("CARGO_BIN_EXE_indelible"))
        .env("INDELIBLE_SHARED", shared)
        .output()
        .expect("it runs");
    println!("{}", text(&agreed.stdout));
    assert!(agreed.status.success(), "{}{}", text(&agreed.stdout), text(&agreed.stderr));
}

/// When a process is killed: so many receipts and so much time after it began.
#[derive(Clone, Copy)]
struct Moment {
    receipts: usize,
    pause: Duration,
}

/// Appends the real events from eight threads until the moment has come, kills the process, and gives every receipt
/// that came whole.
fn kill_after(log: &Log, events: &[String], ids: u64, moment: Moment) -> Vec<String> {
    let mut child = Command::new(env!("CARGO_BIN_EXE_indelible"))
        .current_dir(log.place.path())
        .args([
            "append",
            "audit",
            "--file",
            "-",
            "--threads",
            "8",
            "--receipts",
            "--max-file-size",
            "256KiB",
        ])
        .args(["--checkpoint-interval", "50ms"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it runs");
    let mut input = child.stdin.take().expect("stdin");
    let own_id = format!("{{\"event_id\":\"{ids}-");
    let lines: Vec<_> =
        events.iter().map(|line| line.replacen("{\"event_id\":\"", &own_id, 1) + "\n").collect();
    // Ends with the process that it writes to.
    let feeder = thread::spawn(move || {
        lines.iter().try_for_each(|line| input.write_all(line.as_bytes())).is_ok()
    });
    let mut output = BufReader::new(child.stdout.take().expect("stdout"));
    let mut printed = String::new();
    for _ in 0..moment.receipts {
        if output.read_line(&mut printed).expect("readable") == 0 {
            let mut told = String::new();
            child.stderr.take().expect("stderr").read_to_string(&mut told).expect("readable");
            panic!("it ended before it was killed: {told}");
        }
    }
    let reached = Instant::now();
    while reached.elapsed() < moment.pause {
        std::hint::spin_loop();
    }
    child.kill().expect("killed");
    output.read_to_string(&mut printed).expect("readable");
    child.wait().expect("it ended");
    feeder.join().expect("fed");
    // A receipt without its end was never printed.
    printed
        .split_inclusive('\n')
        .filter_map(|line| line.strip_suffix('\n'))
        .map(str::to_owned)
        .collect()
}
