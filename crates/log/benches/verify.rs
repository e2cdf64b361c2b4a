//! What verifying a log costs beside `openssl dgst -sha256` of the same bytes, and how much memory it takes.
//!
//! `cargo bench -p indelible --bench verify [-- speed|memory] [FOLDER]`
//!
//! Without FOLDER it makes a log of 2,000,000 records of about 400 bytes in a folder under the target directory, which is
//! removed at the end. Everything is in the page cache. Both sides run in turns, so that whatever else the machine does
//! hits both; look at the ratios. Memory is the peak of another process, which does nothing but verify.
#![expect(clippy::print_stdout, reason = "a bench reports by printing")]

use std::error::Error;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use indelible::{AuditLog, Event, Options, Outcome, Verdict, Verifier};
use tempfile::TempDir;

type Failure = Box<dyn Error + Send + Sync>;

const RECORDS: u64 = 2_000_000;
const ROUNDS: usize = 11;
/// Tells this program that it is the other process.
const CHILD: &str = "--verify-and-tell-memory";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Default,
    Strict,
}

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [child, mode, folder] = arguments.as_slice()
        && child == CHILD
    {
        return tell_memory(mode, folder.as_ref());
    }
    if !arguments.iter().any(|argument| argument == "--bench") {
        // `cargo test --all-targets` starts this too.
        println!("nothing measured: run it with `cargo bench`");
        return Ok(());
    }
    let wanted: Vec<&str> =
        arguments.iter().map(String::as_str).filter(|a| !a.starts_with('-')).collect();
    let given = wanted.iter().find(|w| Path::new(w).is_dir());
    let temporary = TempDir::new_in(env!("CARGO_TARGET_TMPDIR"))?;
    let folder = match given {
        Some(folder) => PathBuf::from(folder),
        None => build(temporary.path())?,
    };
    let all = wanted.iter().all(|w| Some(w) == given);
    if all || wanted.contains(&"speed") {
        speed(&folder, &temporary.path().join("all"))?;
    }
    if all || wanted.contains(&"memory") {
        memory(&folder)?;
    }
    Ok(())
}

/// Rounds of openssl, default, strict.
fn speed(folder: &Path, all: &Path) -> Result<(), Failure> {
    let size = join(folder, all)?;
    println!("{size} bytes in segments; openssl on one core; {ROUNDS} rounds");
    let mut rounds = Vec::new();
    for round in 0..=ROUNDS {
        let took = (openssl(all)?, verify(folder, Mode::Default)?, verify(folder, Mode::Strict)?);
        // The first one fills the page cache.
        if round > 0 {
            rounds.push(took);
        }
    }
    let seconds = |pick: fn(&(Duration, Duration, Duration)) -> Duration| {
        median(rounds.iter().map(|round| pick(round).as_secs_f64()))
    };
    let raw = seconds(|round| round.0);
    println!("openssl dgst -sha256: median {raw:.3} s");
    for (name, took, ratio, floor) in [
        ("verify", seconds(|round| round.1), ratios(&rounds, |round| round.1), 1.2),
        ("verify, strict", seconds(|round| round.2), ratios(&rounds, |round| round.2), 0.7),
    ] {
        println!(
            "{name}: median {took:.3} s; bytes/s against openssl: medians {:.2}x, median of the rounds {ratio:.2}x (floor: {floor}x)",
            raw / took
        );
    }
    Ok(())
}

/// The median of how many times as fast as openssl it was in the same round.
fn ratios(
    rounds: &[(Duration, Duration, Duration)],
    pick: fn(&(Duration, Duration, Duration)) -> Duration,
) -> f64 {
    median(rounds.iter().map(|round| round.0.as_secs_f64() / pick(round).as_secs_f64()))
}

fn openssl(file: &Path) -> Result<Duration, Failure> {
    let start = Instant::now();
    let status = Command::new("openssl")
        .args(["dgst", "-sha256"])
        .arg(file)
        .stdout(Stdio::null())
        .status()
        .map_err(|e| format!("openssl can't be run: {e}"))?;
    let took = start.elapsed();
    if status.success() { Ok(took) } else { Err(format!("openssl: {status}").into()) }
}

fn verify(folder: &Path, mode: Mode) -> Result<Duration, Failure> {
    let verifier = Verifier::new(folder)?;
    let verifier = if mode == Mode::Strict { verifier.strict() } else { verifier };
    let start = Instant::now();
    let report = verifier.verify()?;
    let took = start.elapsed();
    if report.verdict() == Verdict::Sound { Ok(took) } else { Err(report.to_string().into()) }
}

/// Peaks of two other processes.
fn memory(folder: &Path) -> Result<(), Failure> {
    for mode in ["default", "strict"] {
        let told =
            Command::new(std::env::current_exe()?).args([CHILD, mode]).arg(folder).output()?;
        std::io::stdout().write_all(&told.stdout)?;
        if !told.status.success() {
            return Err(String::from_utf8_lossy(&told.stderr).into_owned().into());
        }
    }
    Ok(())
}

fn tell_memory(mode: &str, folder: &Path) -> Result<(), Failure> {
    verify(folder, if mode == "strict" { Mode::Strict } else { Mode::Default })?;
    let status = fs::read_to_string("/proc/self/status")?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("no VmHWM")?;
    println!("verify, {mode}: peak memory {} (floor: under 64 MiB)", peak.trim());
    Ok(())
}

/// Puts all segments into one file, and says how many bytes they are.
fn join(folder: &Path, all: &Path) -> Result<u64, Failure> {
    let mut file = fs::File::create_new(all)?;
    let mut size = 0;
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if name.starts_with("audit.log") {
            size += std::io::copy(&mut fs::File::open(&path)?, &mut file)?;
        }
    }
    Ok(size)
}

fn build(at: &Path) -> Result<PathBuf, Failure> {
    let folder = at.join("log");
    let log = AuditLog::create(&folder, Options::default())?;
    let event = Event::new("agent:7", "tool.call:read_file", "file:/etc/hosts")
        .outcome(Outcome::Success)
        .metadata(serde_json::json!({"padding": "0123456789abcdefghijklmnopqrstuvwx"}));
    while log.records() < RECORDS {
        let mut last = log.submit(&event)?;
        for _ in 1..RECORDS.saturating_sub(log.records()).min(100_000) {
            last = log.submit(&event)?;
        }
        last.wait()?;
    }
    log.close()?;
    println!("a log of {} records", log.records());
    Ok(folder)
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
