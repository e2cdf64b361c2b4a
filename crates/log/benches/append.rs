//! What an append costs beside a bare loop of the same write and sync; what opening costs; whether memory stays flat.
//!
//! `cargo bench -p indelible --bench append [-- one|sixty-four|open|memory]`
//!
//! Both sides run in turns, in short rounds, in the same folder, so that whatever else the machine does hits both;
//! look at the ratios, not at the rates. Everything is in a folder under the target directory that is removed at the
//! end.
#![expect(clippy::print_stdout, reason = "a bench reports by printing")]

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use indelible::{AuditLog, Event, Options, Outcome};
use rustix::fs::{Mode, OFlags};
use tempfile::TempDir;

type Failure = Box<dyn Error + Send + Sync>;

/// Bytes of a record with its line end.
const LINE_SIZE: usize = 400;
/// The log with most records, and the one it is compared with.
const MANY: u32 = 2_000_000;
const FEW: u32 = 2_000;
/// A pair whose bare loop takes more than so many times the median of all bare loops met something else's disk work.
const SLOW_RAW: f64 = 3.0;

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if !arguments.iter().any(|argument| argument == "--bench") {
        // `cargo test --all-targets` starts this too.
        println!("nothing measured: run it with `cargo bench`");
        return Ok(());
    }
    let wanted: Vec<&String> = arguments.iter().filter(|a| !a.starts_with('-')).collect();
    let all: [(&str, fn(&Path) -> Result<(), Failure>); 4] =
        [("one", one), ("sixty-four", sixty_four), ("open", open), ("memory", memory)];
    if let Some(unknown) = wanted.iter().find(|w| all.iter().all(|(name, _)| name != *w)) {
        return Err(format!("no measurement is called {unknown}").into());
    }
    for (name, measure) in all {
        if wanted.is_empty() || wanted.iter().any(|w| *w == name) {
            let folder = TempDir::with_prefix_in("append-", env!("CARGO_TARGET_TMPDIR"))?;
            println!("== {name}");
            measure(folder.path())?;
            folder.close()?;
        }
    }
    Ok(())
}

/// One thread: each append waits for its own write and sync, like the bare loop.
fn one(folder: &Path) -> Result<(), Failure> {
    const PAIRS: usize = 41;
    const APPENDS: u32 = 200;
    let (log, raw) = log_and_raw(folder)?;
    let event = event();
    let mut pairs = Vec::new();
    for _ in 0..PAIRS {
        let raw_took = raw.run(APPENDS)?;
        let start = Instant::now();
        for _ in 0..APPENDS {
            log.append(&event)?;
        }
        pairs.push((raw_took / APPENDS, start.elapsed() / APPENDS));
    }
    log.close()?;
    println!("{APPENDS} durable appends of {LINE_SIZE} bytes a round, on either side");
    report_rates("1 thread", &mut pairs, 0.95);
    Ok(())
}

/// 64 threads, each blocking in its append: they share writes and syncs.
fn sixty_four(folder: &Path) -> Result<(), Failure> {
    const PAIRS: usize = 41;
    const THREADS: u32 = 64;
    const APPENDS_EACH: u32 = 50;
    const RAW_APPENDS: u32 = 200;
    let (log, raw) = log_and_raw(folder)?;
    let event = event();
    let mut pairs = Vec::new();
    for _ in 0..PAIRS {
        let raw_took = raw.run(RAW_APPENDS)?;
        let took = run_threads(&log, &event, THREADS, APPENDS_EACH)?;
        pairs.push((raw_took / RAW_APPENDS, took / (THREADS * APPENDS_EACH)));
    }
    log.close()?;
    println!(
        "{APPENDS_EACH} blocking appends of {LINE_SIZE} bytes a thread and round; {RAW_APPENDS} in the bare loop"
    );
    report_rates("64 threads", &mut pairs, 10.0);
    Ok(())
}

fn run_threads(
    log: &AuditLog,
    event: &Event,
    threads: u32,
    each: u32,
) -> Result<Duration, Failure> {
    let ready = Barrier::new(usize::try_from(threads)? + 1);
    thread::scope(|scope| {
        let running: Vec<_> = (0..threads)
            .map(|_| {
                scope.spawn(|| {
                    ready.wait();
                    (0..each).try_for_each(|_| log.append(event).map(drop))
                })
            })
            .collect();
        ready.wait();
        let start = Instant::now();
        for thread in running {
            thread.join().map_err(|_| "a thread panicked")??;
        }
        Ok(start.elapsed())
    })
}

/// Opening must not read the history: a long log opens like a short one.
fn open(folder: &Path) -> Result<(), Failure> {
    const PAIRS: usize = 21;
    let (few, many) = (folder.join("few"), folder.join("many"));
    build(&few, FEW)?;
    build(&many, MANY)?;
    let mut pairs = Vec::new();
    for _ in 0..PAIRS {
        pairs.push((time_open(&few)?, time_open(&many)?));
    }
    let total = pairs.len();
    let kept = keep_undisturbed(&mut pairs);
    let (few_took, many_took, ratio) = medians(&pairs);
    println!("{kept} of {total} pairs kept");
    println!("median open of {FEW:>9} records: {:9.3} ms", few_took * 1e3);
    println!("median open of {MANY:>9} records: {:9.3} ms", many_took * 1e3);
    println!(
        "long / short: medians {:.2}x, median of the pairs {:.2}x (floor: under 2x)",
        many_took / few_took,
        1.0 / ratio
    );
    Ok(())
}

fn build(folder: &Path, records: u32) -> Result<(), Failure> {
    let log = AuditLog::create(folder, Options::default())?;
    let event = event();
    let start = Instant::now();
    while log.records() < u64::from(records) {
        let mut last = log.submit(&event)?;
        let left = u64::from(records).saturating_sub(log.records());
        for _ in 1..left.min(100_000) {
            last = log.submit(&event)?;
        }
        last.wait()?;
    }
    println!(
        "built {} records, {} MB, in {:.1} s",
        log.records(),
        folder_size(folder)? / 1_000_000,
        start.elapsed().as_secs_f64()
    );
    log.close()?;
    Ok(())
}

fn time_open(folder: &Path) -> Result<Duration, Failure> {
    let start = Instant::now();
    let log = AuditLog::open(folder, Options::default())?;
    let took = start.elapsed();
    log.close()?;
    Ok(took)
}

/// A million appends after the idempotency window has filled its cap, with rotation: nothing may grow.
fn memory(folder: &Path) -> Result<(), Failure> {
    const STEP: u32 = 100_000;
    const STEPS_WARM: u32 = 10;
    const STEPS_MAX: u32 = 100;
    let options = Options::default().with_max_file_size(8 << 20).with_max_files(3);
    let folder = folder.join("log");
    let log = AuditLog::create(&folder, options)?;
    println!("   appends  VmRSS kB  VmHWM kB  descriptors  files  log MB  ids forgotten early");
    let mut warm: Vec<Usage> = Vec::new();
    for step in 0..STEPS_MAX {
        let usage = Usage::now()?;
        let forgotten = log.idempotency_forgotten_early();
        println!(
            "{:>10} {:>9} {:>9} {:>12} {:>6} {:>7} {:>20}",
            step * STEP,
            usage.resident,
            usage.peak,
            usage.descriptors,
            fs::read_dir(&folder)?.count(),
            folder_size(&folder)? / 1_000_000,
            forgotten,
        );
        if forgotten > 0 {
            warm.push(usage);
        }
        if warm.len() > usize::try_from(STEPS_WARM)? {
            break;
        }
        let mut last = None;
        for i in 0..STEP {
            last = Some(log.submit(&event().event_id(format!("event-{step:04}-{i:08}")))?);
        }
        if let Some(last) = last {
            last.wait()?;
        }
    }
    log.close()?;
    let (Some(first), Some(last)) = (warm.first(), warm.last()) else {
        return Err("the idempotency window never filled".into());
    };
    let appends = u32::try_from(warm.len() - 1)? * STEP;
    println!("over {appends} appends once the window is warm:");
    println!(
        "VmRSS {} -> {} kB ({:.3}x)",
        first.resident,
        last.resident,
        f64::from(last.resident) / f64::from(first.resident)
    );
    println!(
        "VmHWM {} -> {} kB ({:.3}x)",
        first.peak,
        last.peak,
        f64::from(last.peak) / f64::from(first.peak)
    );
    println!("descriptors {} -> {} (floor: flat)", first.descriptors, last.descriptors);
    Ok(())
}

/// What the process holds, as the kernel tells it.
struct Usage {
    resident: u32,
    peak: u32,
    descriptors: usize,
}

impl Usage {
    fn now() -> Result<Self, Failure> {
        let status = fs::read_to_string("/proc/self/status")?;
        let field = |name: &str| -> Result<u32, Failure> {
            let line =
                status.lines().find_map(|line| line.strip_prefix(name)).ok_or("no such field")?;
            Ok(line.split_whitespace().next().ok_or("an empty field")?.parse()?)
        };
        // The listing's own descriptor is counted each time.
        let descriptors = fs::read_dir("/proc/self/fd")?.count();
        Ok(Self { resident: field("VmRSS:")?, peak: field("VmHWM:")?, descriptors })
    }
}

/// An event of which the log makes a line of about 400 bytes.
fn event() -> Event {
    Event::new("agent:7", "tool.call:read_file", "file:/etc/hosts")
        .outcome(Outcome::Success)
        .metadata(serde_json::json!({"padding": PADDING}))
}

/// Makes the line as long as it should be.
const PADDING: &str = "0123456789abcdefghijklmnopqrstuvwx";

fn log_and_raw(folder: &Path) -> Result<(AuditLog, Raw), Failure> {
    let path = folder.join("log");
    let log = AuditLog::create(&path, Options::default())?;
    log.append(&event())?;
    let text = fs::read(path.join("audit.log"))?;
    let line = text.split_inclusive(|byte| *byte == b'\n').next_back().ok_or("an empty log")?;
    println!("a line has {} bytes", line.len());
    let raw = Raw::new(folder.join("raw"), line.to_vec())?;
    Ok((log, raw))
}

/// The bare loop: one line, one `write`, one `fdatasync`.
struct Raw {
    file: rustix::fd::OwnedFd,
    line: Vec<u8>,
}

impl Raw {
    fn new(path: PathBuf, line: Vec<u8>) -> Result<Self, Failure> {
        let flags =
            OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::APPEND | OFlags::CLOEXEC;
        Ok(Self { file: rustix::fs::open(path, flags, Mode::RUSR | Mode::WUSR)?, line })
    }

    fn run(&self, appends: u32) -> Result<Duration, Failure> {
        let start = Instant::now();
        for _ in 0..appends {
            if rustix::io::write(&self.file, &self.line)? != self.line.len() {
                return Err("a short write".into());
            }
            rustix::fs::fdatasync(&self.file)?;
        }
        Ok(start.elapsed())
    }
}

/// Prints appends per second of (bare loop, log), and how many times as fast the log is.
fn report_rates(name: &str, pairs: &mut Vec<(Duration, Duration)>, floor: f64) {
    let total = pairs.len();
    let kept = keep_undisturbed(pairs);
    let (raw, log, ratio) = medians(pairs);
    println!("{kept} of {total} pairs kept");
    println!("median bare loop:  {:9.0} appends/s", 1.0 / raw);
    println!("median {name}: {:9.0} appends/s", 1.0 / log);
    println!(
        "log / bare loop: medians {:.2}x, median of the pairs {ratio:.2}x (floor: {floor}x)",
        raw / log
    );
}

/// Drops the pairs whose first side was disturbed, and says how many are left.
fn keep_undisturbed(pairs: &mut Vec<(Duration, Duration)>) -> usize {
    let usual = median(pairs.iter().map(|(first, _)| first.as_secs_f64()));
    pairs.retain(|(first, _)| first.as_secs_f64() <= SLOW_RAW * usual);
    pairs.len()
}

/// Seconds of either side, and first / second of each pair: the median of each.
fn medians(pairs: &[(Duration, Duration)]) -> (f64, f64, f64) {
    let seconds =
        || pairs.iter().map(|(first, second)| (first.as_secs_f64(), second.as_secs_f64()));
    (
        median(seconds().map(|(first, _)| first)),
        median(seconds().map(|(_, second)| second)),
        median(seconds().map(|(first, second)| first / second)),
    )
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

fn folder_size(folder: &Path) -> Result<u64, Failure> {
    let mut size = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        // A file that a rotation has just removed counts for nothing.
        let Ok(metadata) = entry.metadata() else { continue };
        size += if metadata.is_dir() { folder_size(&entry.path())? } else { metadata.len() };
    }
    Ok(size)
}
