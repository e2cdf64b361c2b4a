//! The commands that speak to a running service: they print what they print of a folder.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Command, Output, Stdio};

use indelible_server::client::{Client, ConnectOptions};
use indelible_server::config::LogConfig;
use indelible_server::proto::v1;
use indelible_server::{Config, Server};
use tokio::runtime::Runtime;

use crate::support::*;

/// A service over the log of a folder.
struct Service {
    runtime: Runtime,
    server: Server,
    url: String,
}

impl Service {
    fn over(log: &Log) -> Self {
        let mut config = Config::default();
        let mut entry = LogConfig::new("default", log.folder());
        entry.checkpoint_interval = std::time::Duration::from_millis(1);
        config.logs = vec![entry];
        config.listen.tcp = vec![SocketAddr::from(([127, 0, 0, 1], 0))];
        config.admin = None;
        // Seqs are counted here.
        config.record_lifecycle = false;
        let runtime = Runtime::new().expect("a runtime");
        let server = runtime.block_on(Server::start(config)).expect("a service");
        let url = format!("http://{}", server.addresses()[0]);
        Self { runtime, server, url }
    }

    fn stop(self) {
        self.runtime.block_on(self.server.stop());
    }

    /// What the binary says to these arguments, sent here.
    fn run(&self, verb: &str, args: &[&str]) -> Output {
        self.run_with(verb, args, "")
    }

    fn run_with(&self, verb: &str, args: &[&str], stdin: impl Into<Vec<u8>>) -> Output {
        let mut command = indelible();
        command.args([verb, "--server", &self.url]).args(args).write_stdin(stdin);
        command.timeout(std::time::Duration::from_mins(1));
        command.output().expect("it runs")
    }
}

fn assert_prints(output: &Output, stdout: &str) {
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert_eq!(text(&output.stdout), stdout);
}

#[test]
fn what_is_appended_over_the_wire_is_recorded_once_and_its_receipts_hold() {
    let log = Log::new();
    let service = Service::over(&log);
    let output = service.run_with("append", &["--file", "-", "--receipts"], events(0, 2_500));
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let receipts = text(&output.stdout);
    let again = service.run_with("append", &["--file", "-"], events(0, 2_600));
    assert_eq!(
        text(&again.stderr),
        "indelible: recorded 100 events as seq 2501 to 2600; 2500 events had been recorded before, as seq 1 to 2500\n"
    );
    let one = service.run("append", &["--actor", "a", "--action", "b", "--resource", "c"]);
    assert_eq!(text(&one.stderr), "indelible: recorded 1 event as seq 2601\n");
    service.stop();
    let lines = log.lines();
    assert_eq!(receipts.lines().count(), 2_500);
    receipts.lines().for_each(|receipt| assert_holds(receipt, &lines));
    assert_no_event_is_recorded_twice(&lines);
    log.assert_sound();
}

#[test]
fn a_line_that_is_no_event_stops_it_and_every_line_is_accounted_for() {
    let log = Log::new();
    let service = Service::over(&log);
    let input = format!("{}\n{{\"actor\":1}}\n{}", events(0, 3), events(3, 3));
    let output = service.run_with("append", &["--file", "-"], input);
    assert_eq!(output.status.code(), Some(1));
    let told = text(&output.stderr);
    assert!(told.starts_with("indelible: stdin line 5: "), "{told}");
    assert!(
        told.contains(
            "lines 1 to 4 are recorded as seq 1 to 3; nothing from line 5 on was appended"
        ),
        "{told}"
    );
    service.stop();
    assert_eq!(log.lines().len(), 4);
    log.assert_sound();
}

#[test]
fn records_are_printed_as_they_are_of_a_folder() {
    let log = Log::new();
    log.append(events(0, 50), &[]);
    let lines = log.lines();
    let service = Service::over(&log);
    let all = |lines: &[String]| lines.join("\n") + "\n";
    assert_prints(&service.run("show", &["7"]), &all(&lines[7..8]));
    assert_prints(&service.run("tail", &[]), &all(&lines[41..]));
    assert_prints(&service.run("tail", &["-n", "3"]), &all(&lines[48..]));
    assert_prints(&service.run("tail", &["-n", "0"]), "");
    assert_prints(&service.run("query", &["--seq", "5..9"]), &all(&lines[5..10]));
    assert_prints(&service.run("query", &["--resource", "file:4?", "--count"]), "10\n");
    let newest: Vec<String> = lines[47..].iter().rev().cloned().collect();
    assert_prints(
        &service.run("query", &["--actor", "user:*", "--reverse", "--limit", "4"]),
        &all(&newest),
    );
    let none = service.run("show", &["51"]);
    assert_fails(&none, 1, "indelible: there is no record 51; the last is 50\n");
    service.stop();
}

#[test]
fn a_service_is_verified_with_what_was_kept() {
    let log = Log::new();
    log.append(events(0, 100), &[]);
    let kept = log.run(&["checkpoint", "audit"]);
    write(&log.place.path().join("kept.txt"), &kept.stdout);
    let kept = log.place.path().join("kept.txt").display().to_string();
    let service = Service::over(&log);
    let receipts = service.run_with("append", &["--file", "-", "--receipts"], events(100, 50));
    let receipts_path = log.place.path().join("receipts.jsonl");
    write(&receipts_path, &receipts.stdout);
    let receipts = receipts_path.display().to_string();
    let unanchored = service.run("verify", &[]);
    assert_eq!(unanchored.status.code(), Some(0), "{}", text(&unanchored.stderr));
    let told = text(&unanchored.stdout);
    assert!(told.contains("sound, as far as its records show, but not anchored"), "{told}");
    assert!(!told.contains("hold"), "its own checkpoint is nothing that was kept: {told}");
    assert_eq!(service.run("verify", &["--require-anchor"]).status.code(), Some(3));
    let all =
        ["--key", &log.key, "--checkpoint", &kept, "--receipts", &receipts, "--require-anchor"];
    let output = service.run("verify", &all);
    assert_eq!(output.status.code(), Some(0), "{}{}", text(&output.stdout), text(&output.stderr));
    let told = text(&output.stdout);
    assert!(told.contains("1 kept checkpoint and 50 receipts hold"), "{told}");
    assert!(told.contains("not looked at: "), "{told}");

    let other = Log::new();
    let wrong = service.run("verify", &["--key", &other.key, "--json"]);
    assert_eq!(wrong.status.code(), Some(3));
    assert_eq!(json_lines(&wrong.stdout)[0]["verdict"], "broken");
    service.stop();
}

/// A log of 21 records, of which record 8 was changed.
fn changed() -> Log {
    let log = Log::new();
    log.append(events(0, 20), &[]);
    let path = log.folder().join("audit.log");
    let changed = std::fs::read_to_string(&path).expect("a log").replacen("file:7", "file:8", 1);
    write(&path, changed.as_bytes());
    log
}

#[test]
fn a_changed_byte_is_found_over_the_wire() {
    let log = changed();
    let service = Service::over(&log);
    let output = service.run("verify", &["--key", &log.key]);
    let told = text(&output.stdout);
    assert_eq!(output.status.code(), Some(3), "{told}{}", text(&output.stderr));
    assert!(told.contains("NOT SOUND"), "{told}");
    assert!(told.contains("record 8: not as it was written (damage or tampering): "), "{told}");
    assert!(told.contains("record 9: it is linked to a record 8 whose hash was "), "{told}");
    let output = service.run("verify", &["--key", &log.key, "--json"]);
    assert_eq!(output.status.code(), Some(3));
    let report = json_lines(&output.stdout).remove(0);
    assert_eq!((&report["verdict"], &report["records_end"]), (&"broken".into(), &21.into()));
    assert!(report["findings"][0].as_str().is_some_and(|text| text.starts_with("record 8: ")));
    service.stop();
}

#[test]
fn a_query_goes_on_behind_a_line_that_is_no_record() {
    let log = Log::new();
    log.append(events(0, 20), &[]);
    let path = log.folder().join("audit.log");
    let mut lines = log.lines();
    let len = lines[8].len();
    lines[8] = "x".repeat(len);
    write(&path, (lines.join("\n") + "\n").as_bytes());
    lines.remove(8);
    let service = Service::over(&log);
    for (args, count) in [(&[][..], 20), (&["--reverse"], 20), (&["--limit", "10"], 10)] {
        let output = service.run("query", args);
        let (printed, told) = (text(&output.stdout), text(&output.stderr));
        assert_eq!(output.status.code(), Some(1), "{told}");
        assert_eq!(printed.lines().count(), count, "{args:?}: {told}");
        assert!(told.contains("1 place could not be read"), "{told}");
    }
    let output = service.run("query", &["--count"]);
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(1), "20\n".into()));
    let output = service.run("verify", &["--json"]);
    assert_eq!(output.status.code(), Some(3), "{}", text(&output.stderr));
    service.stop();
}

#[test]
fn a_tail_goes_on_behind_lines_that_are_no_records() {
    let log = Log::new();
    log.append(events(0, 20), &[]);
    let path = log.folder().join("audit.log");
    let mut lines = log.lines();
    for damaged in [8, 15] {
        lines[damaged] = "x".repeat(lines[damaged].len());
    }
    write(&path, (lines.join("\n") + "\n").as_bytes());
    lines.retain(|line| !line.starts_with('x'));
    let service = Service::over(&log);
    let mut tail = Command::new(env!("CARGO_BIN_EXE_indelible"))
        .args(["tail", "--server", &service.url, "-f", "-n", "15"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it runs");
    let mut printed = BufReader::new(tail.stdout.take().expect("a pipe")).lines();
    let mut next = || printed.next().expect("a line").expect("text");
    for line in &lines[6..] {
        assert_eq!(next(), *line);
    }
    let interrupted = Command::new("kill").args(["-INT", &tail.id().to_string()]).status();
    assert!(interrupted.is_ok_and(|status| status.success()));
    let ended = tail.wait_with_output().expect("its end");
    let told = text(&ended.stderr);
    assert_eq!((ended.status.code(), told.matches("no record").count()), (Some(0), 2), "{told}");
    // Without -f it ends at the first, as of a folder.
    assert_eq!(service.run("tail", &["-n", "15"]).status.code(), Some(1));
    service.stop();
}

#[test]
fn what_is_damaged_while_it_is_followed_is_told_and_gone_behind() {
    let log = Log::new();
    log.append(events(0, 20), &[]);
    let path = log.folder().join("audit.log");
    let mut lines = log.lines();
    lines[8] = "x".repeat(lines[8].len());
    write(&path, (lines.join("\n") + "\n").as_bytes());
    let service = Service::over(&log);
    let options = ConnectOptions::new(service.url.parse().expect("a URL"));
    let client = service.runtime.block_on(async { Client::new(&options).expect("a client") });
    let mut following = client.tail(v1::TailRequest { from_seq: Some(6), ..Default::default() });
    let mut next = || service.runtime.block_on(following.next());
    let seqs = [next(), next()].map(|record| record.expect("a record").seq);
    assert_eq!(seqs, [6, 7]);
    let fault = next().expect_err("a fault");
    assert_eq!((fault.code(), fault.resume()), (Some("data_loss"), Some(9)));
    assert_eq!(next().expect("a record").seq, 9);
    service.stop();
}

#[test]
fn a_service_that_is_away_is_told_of_at_once_and_given_up_soon() {
    let event = ["append", "--server", "http://127.0.0.1:1", "--actor", "a", "--action", "b"];
    let output = indelible().args(event).args(["--resource", "c"]).output().expect("it runs");
    let told = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{told}");
    let first = told.lines().next().expect("a line");
    assert!(first.starts_with("indelible: http://127.0.0.1:1: "), "{told}");
    assert!(first.ends_with("; trying again for up to about 5 s; Ctrl-C ends it"), "{told}");
    assert_eq!(told.matches("trying again").count(), 1, "{told}");
}

#[test]
fn who_can_not_be_reached_is_told_how_to_go_on() {
    let none = indelible().args(["show", "--server", "http://127.0.0.1:1", "0"]).output();
    let none = none.expect("it runs");
    let told = text(&none.stderr);
    assert_eq!(none.status.code(), Some(1), "{told}");
    let line = "indelible: http://127.0.0.1:1: the service can't be reached: Connection refused (os error 111)\n";
    assert!(told.starts_with(line), "{told}");
    assert!(told.contains("hint: is the service running there?"), "{told}");
    let wrong = indelible().args(["show", "--server", "127.0.0.1:1", "0"]).output();
    let wrong = wrong.expect("it runs");
    assert_eq!(wrong.status.code(), Some(2), "{}", text(&wrong.stderr));
    let both = indelible().args(["tail", "audit", "--server", "http://x"]).output();
    assert_eq!(both.expect("it runs").status.code(), Some(2));
    let neither = indelible().args(["tail"]).output().expect("it runs");
    assert_eq!(neither.status.code(), Some(2));
}
