//! What a query that finds nothing costs beside `grep -c -F` of the same literal over the same files; how many reads
//! finding a record by time takes; what other queries cost.
//!
//! `cargo bench -p indelible --bench query [-- scan|time|others]`
//!
//! Both sides run in turns, so that whatever else the machine does hits both; look at the ratios. The log of 2,000,000
//! records is made in a folder under the target directory that is removed at the end; `INDELIBLE_BENCH_LOG` names one
//! that is there already, which is only read.
#![expect(clippy::print_stdout, reason = "a bench reports by printing")]

use std::error::Error;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use indelible::storage::Storage;
use indelible::{AuditLog, Event, Options, Order, Outcome, Query, Reader};
use indelible_format::record::parse_head;
use indelible_format::time::Timestamp;
use tempfile::TempDir;

#[path = "../tests/it/counting.rs"]
mod counting;
use counting::Reads;

type Failure = Box<dyn Error + Send + Sync>;
type Measurement = fn(&Path) -> Result<(), Failure>;

const RECORDS: u32 = 2_000_000;
const ROUNDS: usize = 11;
/// Makes a line of about 400 bytes.
const PADDING: &str = "0123456789abcdefghijklmnopqrstuvwx";

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if !arguments.iter().any(|argument| argument == "--bench") {
        // `cargo test --all-targets` starts this too.
        println!("nothing measured: run it with `cargo bench`");
        return Ok(());
    }
    let wanted: Vec<&String> = arguments.iter().filter(|a| !a.starts_with('-')).collect();
    let all: [(&str, Measurement); 3] = [("scan", scan), ("time", time), ("others", others)];
    if let Some(unknown) = wanted.iter().find(|w| all.iter().all(|(name, _)| name != *w)) {
        return Err(format!("no measurement is called {unknown}").into());
    }
    let temporary = TempDir::with_prefix_in("query-", env!("CARGO_TARGET_TMPDIR"))?;
    let folder = match std::env::var_os("INDELIBLE_BENCH_LOG") {
        Some(folder) => PathBuf::from(folder),
        None => build(&temporary.path().join("log"))?,
    };
    let files = segments(&folder)?;
    let size = files.iter().map(|file| Ok(fs::metadata(file)?.len())).sum::<io::Result<u64>>()?;
    println!(
        "{} records, {} MB, {} segments",
        Reader::open(&folder)?.records()?,
        size / 1_000_000,
        files.len()
    );
    for (name, measure) in all {
        if wanted.is_empty() || wanted.iter().any(|w| *w == name) {
            println!("== {name}");
            measure(&folder)?;
        }
    }
    temporary.close()?;
    Ok(())
}

/// A query that finds nothing, and `grep` for the same bytes.
fn scan(folder: &Path) -> Result<(), Failure> {
    let reader = Reader::open(folder)?;
    let cases = [
        ("an actor that is not there", "user:mallory", r#""actor":"user:mallory""#),
        ("an actor that almost is", "agent:77", r#""actor":"agent:77""#),
        ("digits", "*0123456789abcdeg*", "0123456789abcdeg"),
    ];
    for (what, glob, literal) in cases {
        let query = match what {
            "digits" => Query::new().with_resource(glob.parse()?),
            _ => Query::new().with_actor(glob.parse()?),
        };
        let mut times: [Vec<Duration>; 3] = [Vec::new(), Vec::new(), Vec::new()];
        for _ in 0..ROUNDS {
            let [ours, grep_c, grep_default] = &mut times;
            let start = Instant::now();
            let counted = reader.query(&query)?.count_all()?;
            ours.push(start.elapsed());
            if (counted.matching, counted.faults) != (0, 0) {
                return Err(format!("found something: {counted:?}").into());
            }
            grep_c.push(grep(folder, literal, Some("C"))?);
            grep_default.push(grep(folder, literal, None)?);
        }
        let [ours, grep_c, grep_default] = times.map(median);
        println!("{what}: {literal}");
        println!(
            "  query {ours:.3} s; grep -c -F {grep_c:.3} s with LC_ALL=C, {grep_default:.3} s without"
        );
        println!(
            "  query is {:.2}x as fast, {:.2}x (floor: 1x)",
            grep_c / ours,
            grep_default / ours
        );
    }
    Ok(())
}

/// Finding a record by time: how many reads of files.
fn time(folder: &Path) -> Result<(), Failure> {
    let storage = Arc::new(Reads::of_this_machine()?);
    let counted: Arc<dyn Storage> = storage.clone();
    let reader = Reader::open_on(counted, folder)?;
    let records = reader.records()?;
    let (mut most, mut total, mut count, mut took) = (0, 0, 0, Vec::new());
    for part in 0..=1_000 {
        let wanted = reader.record((records - 1) * part / 1_000)?.ok_or("no such record")?;
        let time = parse_head(&wanted.line)?.timestamp;
        let before = storage.hand().count();
        let start = Instant::now();
        let found = reader.first_since(time)?.ok_or("not found by time")?;
        took.push(start.elapsed());
        let reads = storage.hand().count() - before;
        if found.seq > wanted.seq || parse_head(&found.line)?.timestamp != time {
            return Err(format!("{} is not {}", found.seq, wanted.seq).into());
        }
        (most, total, count) = (reads.max(most), total + reads, count + 1);
    }
    for time in [Timestamp::MIN, Timestamp::MAX] {
        let before = storage.hand().count();
        reader.first_since(time)?;
        most = most.max(storage.hand().count() - before);
    }
    println!(
        "{count} records by time, and before and after all: at most {most} reads, {} as a rule (floor: under 40); {:.0} µs",
        total / count,
        median(took) * 1e6
    );
    Ok(())
}

/// Queries that find something.
fn others(folder: &Path) -> Result<(), Failure> {
    let reader = Reader::open(folder)?;
    let all = Query::new();
    let last =
        Query::new().with_actor("agent:*".parse()?).with_order(Order::NewestFirst).with_limit(10);
    let session = Query::new().with_session("user.id".parse()?, "mia".parse()?);
    for (what, query) in [
        ("every record", all),
        ("the last ten of an actor", last),
        ("a session that is not there", session),
    ] {
        let mut times = Vec::new();
        let mut found = 0;
        for _ in 0..3 {
            let start = Instant::now();
            found = reader.query(&query)?.count_all()?.matching;
            times.push(start.elapsed());
        }
        println!("{what}: {found} counted in {:.4} s", median(times));
    }
    Ok(())
}

fn grep(folder: &Path, literal: &str, locale: Option<&str>) -> Result<Duration, Failure> {
    let mut command = Command::new("grep");
    command.args(["-c", "-F", "-e", literal]).args(segments(folder)?);
    if let Some(locale) = locale {
        command.env("LC_ALL", locale);
    }
    let start = Instant::now();
    let output = command.output()?;
    let took = start.elapsed();
    if output.status.code() != Some(1) {
        return Err(format!("grep found something or failed: {output:?}").into());
    }
    Ok(took)
}

fn segments(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with("audit.log") {
            files.push(entry.path());
        }
    }
    files.sort();
    Ok(files)
}

fn build(folder: &Path) -> Result<PathBuf, Failure> {
    let log = AuditLog::create(folder, Options::default())?;
    let mut last = None;
    for n in 0..RECORDS {
        let event = Event::new("agent:7", "tool.call:read_file", "file:/etc/hosts")
            .outcome(Outcome::Success)
            .metadata(serde_json::json!({"padding": PADDING, "n": n}));
        last = Some(log.submit(event)?);
    }
    if let Some(last) = last {
        last.wait()?;
    }
    log.close()?;
    Ok(folder.to_path_buf())
}

fn median(mut times: Vec<Duration>) -> f64 {
    times.sort();
    times.get(times.len() / 2).map_or(f64::NAN, Duration::as_secs_f64)
}
