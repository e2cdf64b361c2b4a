//! How long single operations take: appends that are sent evenly, and bare writes with a sync.

use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::fs::{Mode, OFlags};
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};
use tokio::io::unix::AsyncFd;
use tokio::runtime::Builder;
use tokio::task::JoinSet;

use crate::Failure;
use crate::call::Caller;
use crate::child::Child;

/// How often what has become due is sent: often enough not to be seen beside the time that an append takes, and not so
/// often that the client's waking takes the processors from the service.
const TICK: Duration = Duration::from_micros(200);

/// Sends `rate` appends a second, evenly, over `connections`; how long each took from when it was to be sent.
///
/// On this thread alone: a client with threads of its own would measure how they and the service's share two processors.
pub(crate) fn unary(
    server: &Child,
    connections: usize,
    rate: f64,
    time: Duration,
) -> Result<Vec<f64>, Failure> {
    Builder::new_current_thread().enable_all().build()?.block_on(async {
        let callers = Caller::connect_all(server, connections).await?;
        let between = Duration::from_secs_f64(1.0 / rate);
        let ticks = ticks()?;
        let mut tasks: JoinSet<Result<f64, Failure>> = JoinSet::new();
        let (mut next, mut took) = (callers.iter().cycle(), Vec::new());
        let began = Instant::now();
        let mut due = began;
        while due < began + time {
            tick(&ticks).await?;
            // What became due since the last tick goes together, each with its own due time.
            while due <= Instant::now() {
                let call = next.next().ok_or("no connection")?.append().await?;
                let sent_at = due;
                tasks.spawn(async move {
                    call.answered().await?;
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
    })
}

/// The kernel's timer: those of the runtime are no finer than a millisecond, several times as long as a sync may take.
fn ticks() -> Result<AsyncFd<OwnedFd>, Failure> {
    let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
    let timer = timerfd_create(TimerfdClockId::Monotonic, flags)?;
    let every = Timespec { tv_sec: 0, tv_nsec: TICK.subsec_nanos().into() };
    let spec = Itimerspec { it_interval: every, it_value: every };
    timerfd_settime(&timer, TimerfdTimerFlags::empty(), &spec)?;
    #[expect(
        deprecated,
        reason = "its successor is unsafe, for what does not own its descriptor; this does"
    )]
    let ticks = AsyncFd::new(timer)?;
    Ok(ticks)
}

async fn tick(ticks: &AsyncFd<OwnedFd>) -> Result<(), Failure> {
    loop {
        let mut ready = ticks.readable().await?;
        // It gives the number of ticks since it was read last.
        let read = ready.try_io(|timer| Ok(rustix::io::read(timer.get_ref(), &mut [0_u8; 8])?));
        if let Ok(read) = read {
            read?;
            return Ok(());
        }
    }
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
