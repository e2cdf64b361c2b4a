//! What the service costs beside a bare server of the same protocol, and what it needs.
//!
//! `cargo bench -p indelible-server --bench service [-- unary|stream|batch|http|latency|memory|flood]`
//!
//! The service and the bare servers run in processes of their own; this one is their client, and the same for both. Both
//! sides run in turns, in short rounds, so that whatever else the machine does hits both; look at the ratios, not at the
//! rates. Everything is in a folder under the target directory that is removed at the end.
#![expect(clippy::print_stdout, reason = "a bench reports by printing")]

mod call;
mod child;
mod echo;
mod http;
mod load;
mod paced;
mod stats;

use std::error::Error;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

use crate::child::{Child, Kind};
use crate::stats::{median, percentile, report};

type Failure = Box<dyn Error + Send + Sync>;
type Measurement = fn(&Runtime, &Path) -> Result<(), Failure>;

/// How many pairs of rounds, and how long one round takes.
const PAIRS: usize = 7;
const ROUND: Duration = Duration::from_secs(1);
const CONNECTIONS: usize = 4;

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [flag, kind, folder] = arguments.as_slice()
        && flag == child::FLAG
    {
        return child::run(kind, Path::new(folder));
    }
    if !arguments.iter().any(|argument| argument == "--bench") {
        // `cargo test --all-targets` starts this too.
        println!("nothing measured: run it with `cargo bench`");
        return Ok(());
    }
    let wanted: Vec<&String> = arguments.iter().filter(|a| !a.starts_with('-')).collect();
    let all: [(&str, Measurement); 7] = [
        ("unary", unary),
        ("stream", stream),
        ("batch", batch),
        ("http", over_http),
        ("latency", latency),
        ("memory", memory),
        ("flood", flood),
    ];
    if let Some(unknown) = wanted.iter().find(|w| all.iter().all(|(name, _)| name != *w)) {
        return Err(format!("no measurement is called {unknown}").into());
    }
    let runtime = Builder::new_multi_thread().enable_all().build()?;
    for (name, measure) in all {
        if wanted.is_empty() || wanted.iter().any(|w| *w == name) {
            let folder = TempDir::with_prefix_in("service-", env!("CARGO_TARGET_TMPDIR"))?;
            println!("== {name}");
            measure(&runtime, folder.path())?;
            folder.close()?;
        }
    }
    Ok(())
}

/// Runs two loads in turns, after a round of each that does not count.
fn in_turns(
    mut first: impl FnMut() -> Result<f64, Failure>,
    mut second: impl FnMut() -> Result<f64, Failure>,
) -> Result<Vec<(f64, f64)>, Failure> {
    first()?;
    second()?;
    let mut pairs = Vec::with_capacity(PAIRS);
    for _ in 0..PAIRS {
        pairs.push((first()?, second()?));
    }
    Ok(pairs)
}

/// Unary appends beside a bare tonic server that answers the same message with as large a one.
fn unary(runtime: &Runtime, folder: &Path) -> Result<(), Failure> {
    let (service, bare) =
        (Child::start(Kind::Service, folder)?, Child::start(Kind::GrpcEcho, folder)?);
    println!("64 in flight over {CONNECTIONS} connections, {PAIRS} pairs of {ROUND:?}");
    let pairs = in_turns(
        || runtime.block_on(load::unary(&bare, CONNECTIONS, 16, ROUND)),
        || runtime.block_on(load::unary(&service, CONNECTIONS, 16, ROUND)),
    )?;
    report(("bare tonic", "unary appends"), &pairs, 0.5);
    Ok(())
}

/// A stream of appends beside unary ones.
fn stream(runtime: &Runtime, folder: &Path) -> Result<(), Failure> {
    let service = Child::start(Kind::Service, folder)?;
    println!(
        "256 in flight over {CONNECTIONS} connections in streams, 64 in unary calls, {PAIRS} pairs of {ROUND:?}"
    );
    let pairs = in_turns(
        || runtime.block_on(load::unary(&service, CONNECTIONS, 16, ROUND)),
        || runtime.block_on(load::stream(&service, CONNECTIONS, 64, ROUND)),
    )?;
    report(("unary appends", "streamed appends"), &pairs, 8.0);
    Ok(())
}

/// Batches of 64 beside unary appends.
fn batch(runtime: &Runtime, folder: &Path) -> Result<(), Failure> {
    let service = Child::start(Kind::Service, folder)?;
    println!("batches of 64 events, 2 in flight on each of {CONNECTIONS} connections");
    let pairs = in_turns(
        || runtime.block_on(load::unary(&service, CONNECTIONS, 16, ROUND)),
        || runtime.block_on(load::batch(&service, CONNECTIONS, 2, 64, ROUND)),
    )?;
    report(("unary appends", "records in batches"), &pairs, 5.0);
    Ok(())
}

/// `POST /v1/records` beside a bare axum server that echoes the body.
fn over_http(runtime: &Runtime, folder: &Path) -> Result<(), Failure> {
    let (service, bare) =
        (Child::start(Kind::Service, folder)?, Child::start(Kind::HttpEcho, folder)?);
    println!("64 HTTP/1.1 connections with one request in flight each, {PAIRS} pairs of {ROUND:?}");
    let pairs = in_turns(
        || runtime.block_on(http::post(&bare, 64, ROUND)),
        || runtime.block_on(http::post(&service, 64, ROUND)),
    )?;
    report(("bare axum", "appends"), &pairs, 0.45);
    Ok(())
}

/// How long unary appends take at half the rate that is possible, beside one write and sync on an idle machine.
///
/// The service and its client share the processors, and so do all that a sync must wait for. What that alone does, two more
/// figures tell: the same calls to a bare tonic server, and syncs meanwhile.
fn latency(runtime: &Runtime, folder: &Path) -> Result<(), Failure> {
    let (service, bare) =
        (Child::start(Kind::Service, folder)?, Child::start(Kind::GrpcEcho, folder)?);
    let mut rates = Vec::new();
    for _ in 0..PAIRS {
        let with_tonic = runtime.block_on(load::unary(&service, CONNECTIONS, 16, ROUND))?;
        rates.push((with_tonic, runtime.block_on(call::unary(&service, CONNECTIONS, 16, ROUND))?));
    }
    let with_tonic = median(rates.iter().map(|(with_tonic, _)| *with_tonic));
    let rate = median(rates.iter().map(|(_, rate)| *rate)) / 2.0;
    println!(
        "maximal rate {:.0}/s ({with_tonic:.0}/s with tonic's client), so {rate:.0}/s are sent, evenly",
        rate * 2.0
    );
    let mut rounds = Vec::new();
    for _ in 0..PAIRS {
        let synced = paced::syncs(folder, ROUND)?;
        let appended = paced::unary(&service, CONNECTIONS, rate, 3 * ROUND)?;
        let (called, beside) = thread::scope(|scope| {
            let syncing = scope.spawn(|| paced::syncs(folder, ROUND));
            let called = paced::unary(&bare, CONNECTIONS, rate, ROUND);
            (called, syncing.join())
        });
        let beside = beside.map_err(|_panic| "a thread that syncs panicked")??;
        rounds.push([synced, appended, called?, beside].map(|took| percentile(took, 0.99)));
    }
    let p99 = |which: usize| median(rounds.iter().filter_map(|round| round.get(which).copied()));
    let names =
        ["one write and fdatasync", "an append", "a call to a bare tonic", "a sync beside those"];
    for (which, name) in names.into_iter().enumerate() {
        println!("p99 of {name:>23}: {:9.3} ms", p99(which) * 1e3);
    }
    let ratio = median(rounds.iter().map(|[synced, appended, ..]| appended / synced));
    println!("append / sync: median of the pairs {ratio:.2}x (ceiling: 10x)");
    let ratio = median(rounds.iter().map(|[_, appended, _, beside]| appended / beside));
    println!("append / sync beside calls: median of the pairs {ratio:.2}x");
    Ok(())
}

/// What a million appends with an `event_id` each leave of memory.
fn memory(runtime: &Runtime, folder: &Path) -> Result<(), Failure> {
    const STEP: u64 = 100_000;
    let service = Child::start(Kind::Service, folder)?;
    let start = service.resident_kb()?;
    println!("  appends  VmRSS kB");
    println!("{:>9} {start:>9}", 0);
    let began = Instant::now();
    for step in 0..10 {
        runtime.block_on(load::identified(&service, CONNECTIONS, step * STEP, STEP))?;
        println!("{:>9} {:>9}", (step + 1) * STEP, service.resident_kb()?);
    }
    let grown = (service.resident_kb()? - start) / 1024;
    println!(
        "after a million in {:?}: {grown} MiB over the start (ceiling: 64 MiB)",
        began.elapsed()
    );
    Ok(())
}

/// What ten thousand connections that are refused leave of memory.
fn flood(runtime: &Runtime, folder: &Path) -> Result<(), Failure> {
    let service = Child::start(Kind::Narrow, folder)?;
    runtime.block_on(load::unary(&service, 1, 4, ROUND))?;
    let start = service.resident_kb()?;
    let refused = runtime.block_on(load::flood(&service, 10_000))?;
    let grown = (service.resident_kb()? - start) / 1024;
    println!("{refused} connections were refused: {grown} MiB over the start (ceiling: 64 MiB)");
    runtime.block_on(load::unary(&service, 1, 4, ROUND))?;
    Ok(())
}
