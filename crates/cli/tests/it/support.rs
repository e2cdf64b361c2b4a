//! What the tests share: the binary, a log in a temporary folder, the real events.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, PipeWriter, Write as _};
use std::path::{Path, PathBuf};
use std::process::Output;

use assert_cmd::Command;
use serde_json::Value;
use tempfile::TempDir;

pub(crate) const ORIGIN: &str = "example.com/audit";
pub(crate) const EVENT: &str = r#"{"actor":"user:mia","action":"login","resource":"app:console"}"#;

/// The binary, in an environment that sets none of its options.
pub(crate) fn indelible() -> Command {
    without_options(Command::new(env!("CARGO_BIN_EXE_indelible")))
}

/// The binary under a limit of its process, as `ulimit` takes it; arguments follow.
pub(crate) fn limited(limit: &str) -> Command {
    let mut command = without_options(Command::new("sh"));
    command.arg("-c").arg(format!("ulimit {limit} && exec \"$@\"")).arg("sh");
    command.arg(env!("CARGO_BIN_EXE_indelible"));
    command
}

fn without_options(mut command: Command) -> Command {
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("INDELIBLE")) {
        command.env_remove(name);
    }
    command
}

/// A log of its own in a folder of its own.
pub(crate) struct Log {
    pub(crate) place: TempDir,
    pub(crate) key: String,
}

impl Log {
    /// Makes the log `audit` in a new folder.
    pub(crate) fn new() -> Self {
        let place = tempfile::tempdir().expect("a folder");
        let output = indelible()
            .current_dir(place.path())
            .args(["init", "audit", "--origin", ORIGIN])
            .output()
            .expect("it runs");
        assert!(output.status.success(), "{}", text(&output.stderr));
        let key = text(&output.stdout).trim_end().to_owned();
        Self { place, key }
    }

    /// The log's folder.
    pub(crate) fn folder(&self) -> PathBuf {
        self.place.path().join("audit")
    }

    /// The binary, beside the log.
    pub(crate) fn command(&self) -> Command {
        let mut command = indelible();
        command.current_dir(self.place.path());
        command
    }

    /// What the binary says to these arguments.
    pub(crate) fn run(&self, args: &[&str]) -> Output {
        self.command().args(args).output().expect("it runs")
    }

    /// Feeds `events` to `append --file -`.
    pub(crate) fn append(&self, events: impl Into<Vec<u8>>, more: &[&str]) -> Output {
        self.command()
            .args(["append", "audit", "--file", "-"])
            .args(more)
            .write_stdin(events)
            .output()
            .expect("it runs")
    }

    /// Every line of every segment, oldest first.
    pub(crate) fn lines(&self) -> Vec<String> {
        lines(&self.folder())
    }

    /// Asserts that the verifier calls the log sound under its key.
    pub(crate) fn assert_sound(&self) {
        let output = self.run(&["verify", "audit", "--key", &self.key]);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stdout));
    }
}

/// Every command there is.
pub(crate) const COMMANDS: [&str; 16] = [
    "init",
    "append",
    "serve",
    "config",
    "token",
    "show",
    "tail",
    "query",
    "verify",
    "checkpoint",
    "prove",
    "verify-proof",
    "repair",
    "backup",
    "completions",
    "man",
];

/// Asserts the exit code, nothing on stdout, and the whole of stderr.
pub(crate) fn assert_fails(output: &Output, code: i32, told: &str) {
    assert_eq!(text(&output.stderr), told);
    assert_eq!((output.status.code(), text(&output.stdout).as_str()), (Some(code), ""));
}

/// Every line of every segment of a log, oldest first.
pub(crate) fn lines(folder: &Path) -> Vec<String> {
    let mut numbers: Vec<u64> = fs::read_dir(folder)
        .expect("a log")
        .filter_map(|entry| {
            entry.ok()?.file_name().to_str()?.strip_prefix("audit.log.")?.parse().ok()
        })
        .collect();
    numbers.sort_unstable_by(|a, b| b.cmp(a));
    let rotated = numbers.into_iter().map(|number| format!("audit.log.{number}"));
    rotated
        .chain(["audit.log".to_owned()])
        .flat_map(|name| {
            let segment = fs::read_to_string(folder.join(name)).expect("a segment");
            segment.lines().map(str::to_owned).collect::<Vec<_>>()
        })
        .collect()
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

/// Each line of `bytes` as JSON.
pub(crate) fn json_lines(bytes: &[u8]) -> Vec<Value> {
    text(bytes).lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

pub(crate) fn write(path: &Path, bytes: &[u8]) {
    File::create(path).and_then(|mut file| file.write_all(bytes)).expect("written");
}

/// `count` events, the first numbered `from`.
pub(crate) fn events(from: usize, count: usize) -> String {
    let event = |n| {
        format!(
            r#"{{"event_id":"e-{n}","actor":"user:mia","action":"read","resource":"file:{n}"}}"#
        )
    };
    (from..from + count).map(event).flat_map(|event| [event, "\n".to_owned()]).collect()
}

/// `count` events of about 60 kB.
pub(crate) fn large_events(count: usize) -> String {
    let event = format!(
        r#"{{"actor":"a","action":"b","resource":"c","metadata":{{"x":"{}"}}}}"#,
        "x".repeat(60_000)
    );
    (event + "\n").repeat(count)
}

/// A pipe that nobody reads from: whoever writes to it gets an error.
pub(crate) fn pipe_without_reader() -> PipeWriter {
    io::pipe().expect("a pipe").1
}

/// The folder of data and reference that stands beside the repository, or is named by `INDELIBLE_SHARED`.
///
/// `None` where there is none.
pub(crate) fn shared() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    let folder = std::env::var_os("INDELIBLE_SHARED").map_or(beside, PathBuf::from);
    if folder.join("data").is_dir() {
        return Some(folder);
    }
    skipped(&format!(
        "no real events at {}; INDELIBLE_SHARED names another place",
        folder.display()
    ));
    None
}

/// Says that something could not be tested, and why; where `CI=true` that is a failure.
pub(crate) fn skipped(why: &str) {
    assert!(std::env::var("CI").as_deref() != Ok("true"), "NOT TESTED: {why}");
    println!("NOT TESTED: {why}");
}

/// The real events, 2,614 lines.
pub(crate) fn real_events(shared: &Path) -> Vec<String> {
    ["agent-tool-calls.jsonl", "cloudtrail.jsonl"]
        .iter()
        .flat_map(|name| {
            let file = fs::read_to_string(shared.join("data").join(name)).expect("real events");
            file.lines().map(str::to_owned).collect::<Vec<_>>()
        })
        .collect()
}

/// The record that a receipt is for stands at its place.
pub(crate) fn assert_holds(receipt: &str, lines: &[String]) {
    let receipt: Value = serde_json::from_str(receipt).expect("a receipt");
    let seq = receipt["seq"].as_u64().and_then(|seq| usize::try_from(seq).ok()).expect("a seq");
    let line = lines.get(seq).unwrap_or_else(|| panic!("record {seq} is gone"));
    let (timestamp, hash) = (receipt["timestamp"].as_str(), receipt["hash"].as_str());
    let (timestamp, hash) = timestamp.zip(hash).expect("timestamp and hash");
    assert!(
        line.starts_with(&format!("{{\"seq\":{seq},\"timestamp\":\"{timestamp}\",")),
        "record {seq}: {line}"
    );
    assert!(line.ends_with(&format!("\"_hash\":\"{hash}\"}}")), "record {seq}: {line}");
}

pub(crate) fn assert_no_event_is_recorded_twice(lines: &[String]) {
    let mut seen = HashSet::new();
    for line in lines {
        let record: Value = serde_json::from_str(line).expect("a record");
        if let Some(id) = record["event_id"].as_str() {
            assert!(seen.insert(id.to_owned()), "event {id} is recorded twice");
        }
    }
    assert!(!seen.is_empty());
}
