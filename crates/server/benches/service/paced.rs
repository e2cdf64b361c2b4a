//! How long single operations take: appends that are sent evenly, and bare writes with a sync.

use std::path::Path;
use std::time::{Duration, Instant};

use indelible_server::proto::v1;
use rustix::fs::{Mode, OFlags};
use tokio::task::JoinSet;

use crate::Failure;
use crate::child::Child;
use crate::load::{connect_all, event};

/// Sends `rate` appends a second, evenly, over `connections`; how long each took from when it was to be sent.
pub(crate) async fn unary(
    server: &Child,
    connections: usize,
    rate: f64,
    time: Duration,
) -> Result<Vec<f64>, Failure> {
    let clients = connect_all(server, connections).await?;
    let between = Duration::from_secs_f64(1.0 / rate);
    let began = Instant::now() + Duration::from_millis(50);
    let mut tasks: JoinSet<Result<f64, Failure>> = JoinSet::new();
    let mut took = Vec::new();
    let mut due = began;
    while due < began + time {
        // A timer is no finer than a millisecond: what became due since then goes together, each with its own due time.
        if due > Instant::now() {
            tokio::time::sleep_until(due.into()).await;
        }
        for client in &clients {
            let mut client = client.clone();
            let sent_at = due;
            tasks.spawn(async move {
                let request = v1::AppendRequest { log: String::new(), event: Some(event()) };
                client.append(request).await?;
                Ok(sent_at.elapsed().as_secs_f64())
            });
            due += between;
        }
        while let Some(done) = tasks.try_join_next() {
            took.push(done??);
        }
    }
    while let Some(done) = tasks.join_next().await {
        took.push(done??);
    }
    Ok(took)
}

/// Writes 400 bytes and syncs, again and again; how long each took.
pub(crate) fn syncs(folder: &Path, time: Duration) -> Result<Vec<f64>, Failure> {
    let flags = OFlags::CREATE | OFlags::WRONLY | OFlags::APPEND | OFlags::CLOEXEC;
    let file = rustix::fs::open(folder.join("raw"), flags, Mode::RUSR | Mode::WUSR)?;
    let (line, began, mut took) = ([b'x'; 400], Instant::now(), Vec::new());
    while began.elapsed() < time {
        let start = Instant::now();
        if rustix::io::write(&file, &line)? != line.len() {
            return Err("a short write".into());
        }
        rustix::fs::fdatasync(&file)?;
        took.push(start.elapsed().as_secs_f64());
    }
    Ok(took)
}
