//! What verifying a log costs beside `openssl dgst -sha256` of the same bytes, and how much memory it takes.
//!
//! `cargo bench -p indelible --bench verify [-- speed|memory] [FOLDER]`
//!
//! Without FOLDER it makes a log of 2,000,000 records of about 400 bytes in a folder under the target directory, which is
//! removed at the end. Everything is in the page cache. Both sides run in turns, so that whatever else the machine does
//! hits both; look at the ratios. On a busy machine one thread and several do not suffer alike: the CPU times, which are
//! printed too, tell what the ratio would be on idle cores. Memory is the peak of another process, which does nothing but
//! verify.
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
type Round = (Took, Took, Took);

/// Its name, what it took in a round, and the ratio that it should reach.
type Side = (&'static str, fn(&Round) -> Took, f64);

/// What a side took in one round.
#[derive(Clone, Copy, Debug)]
struct Took {
    wall: Duration,
    /// Seconds of all threads.
    cpu: f64,
}

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
    let mut rounds: Vec<Round> = Vec::new();
    for round in 0..=ROUNDS {
        let took = (
            timed(|| openssl(all))?,
            timed(|| verify(folder, Mode::Default))?,
            timed(|| verify(folder, Mode::Strict))?,
        );
        // The first one fills the page cache.
        if round > 0 {
            rounds.push(took);
        }
    }
    let cores = f64::from(u32::try_from(std::thread::available_parallelism()?.get())?);
    let raw = median(rounds.iter().map(|round| round.0.wall.as_secs_f64()));
    let raw_cpu = median(rounds.iter().map(|round| round.0.cpu));
    println!("openssl dgst -sha256: median {raw:.3} s, CPU {raw_cpu:.2} s");

    let sides: [Side; 2] =
        [("verify", |round| round.1, 1.2), ("verify, strict", |round| round.2, 0.7)];
    for (name, pick, floor) in sides {
        let took = median(rounds.iter().map(|round| pick(round).wall.as_secs_f64()));
        let cpu = median(rounds.iter().map(|round| pick(round).cpu));
        let each = |round: &Round| round.0.wall.as_secs_f64() / pick(round).wall.as_secs_f64();
        println!("{name}: median {took:.3} s, CPU {cpu:.2} s");
        println!(
            "  bytes/s against openssl: medians {:.2}x, median of the rounds {:.2}x (floor: {floor}x); by CPU time, on {cores} idle cores {:.2}x",
            raw / took,
            median(rounds.iter().map(each)),
            raw_cpu / (cpu / cores)
        );
    }
    Ok(())
}

/// Runs `what`, and says what it took, in this process and in the ones that it started.
fn timed(what: impl FnOnce() -> Result<(), Failure>) -> Result<Took, Failure> {
    let (start, before) = (Instant::now(), cpu_seconds()?);
    what()?;
    Ok(Took { wall: start.elapsed(), cpu: cpu_seconds()? - before })
}

/// CPU time of this process and of those that it has waited for.
fn cpu_seconds() -> Result<f64, Failure> {
    const TICKS_PER_SECOND: f64 = 100.0;
    let stat = fs::read_to_string("/proc/self/stat")?;
    let (_, fields) = stat.rsplit_once(')').ok_or("no name in /proc/self/stat")?;
    // Fields 14 to 17: utime, stime, cutime, cstime.
    let ticks = fields.split_whitespace().skip(11).take(4).map(str::parse::<u32>);
    Ok(f64::from(ticks.sum::<Result<u32, _>>()?) / TICKS_PER_SECOND)
}

fn openssl(file: &Path) -> Result<(), Failure> {
    let status = Command::new("openssl")
        .args(["dgst", "-sha256"])
        .arg(file)
        .stdout(Stdio::null())
        .status()
        .map_err(|e| format!("openssl can't be run: {e}"))?;
    if status.success() { Ok(()) } else { Err(format!("openssl: {status}").into()) }
}

fn verify(folder: &Path, mode: Mode) -> Result<(), Failure> {
    let verifier = Verifier::new(folder)?;
    let verifier = if mode == Mode::Strict { verifier.strict() } else { verifier };
    let report = verifier.verify()?;
    if report.verdict() == Verdict::Sound { Ok(()) } else { Err(report.to_string().into()) }
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
