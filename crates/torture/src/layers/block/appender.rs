//! The appending process, seen from outside: started, listened to, killed when dropped.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context as _;

/// After so long without end it hangs.
const PATIENCE: Duration = Duration::from_secs(30);

/// The appending process.
#[derive(Debug)]
pub(crate) struct Appender {
    child: Child,
    /// What it says on its standard output, line by line; closed when it ended.
    lines: Receiver<String>,
}

impl Appender {
    /// Starts it; it writes acknowledgements into `tell`, or to us where there is none. As it is drawn, somebody else syncs
    /// the file system meanwhile, or before each sync of the log's.
    pub(crate) fn start(
        folder: &Path,
        tell: Option<&Path>,
        seed: u64,
        appends: u64,
    ) -> anyhow::Result<Self> {
        Self::start_with(folder, tell, seed, appends, &[])
    }

    /// As [`Appender::start`], with nobody else.
    pub(crate) fn start_alone(
        folder: &Path,
        tell: Option<&Path>,
        seed: u64,
        appends: u64,
    ) -> anyhow::Result<Self> {
        Self::start_with(folder, tell, seed, appends, &["--alone"])
    }

    /// As [`Appender::start`], with somebody else who is staged, and nobody else.
    pub(crate) fn start_staged(
        folder: &Path,
        tell: Option<&Path>,
        seed: u64,
        appends: u64,
    ) -> anyhow::Result<Self> {
        Self::start_with(folder, tell, seed, appends, &["--staged"])
    }

    fn start_with(
        folder: &Path,
        tell: Option<&Path>,
        seed: u64,
        appends: u64,
        more: &[&str],
    ) -> anyhow::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("--worker").arg(folder);
        command.arg("--tell").arg(tell.unwrap_or(Path::new("/dev/stdout")));
        command.args(["--seed", &seed.to_string(), "--cases", &appends.to_string()]);
        command.args(more).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().context("the worker does not run")?;
        let output = BufReader::new(child.stdout.take().context("the worker has no output")?);
        let (sender, lines) = channel();
        thread::spawn(move || {
            // A line without its end was never said.
            for line in output.split(b'\n').map_while(Result::ok) {
                let said = String::from_utf8_lossy(&line).into_owned();
                if sender.send(said).is_err() {
                    break;
                }
            }
        });
        Ok(Self { child, lines })
    }

    /// The next line; none when it ended, or when `until` has come.
    pub(crate) fn line(&self, until: Instant) -> Option<String> {
        let left = until.saturating_duration_since(Instant::now());
        self.lines.recv_timeout(left).ok()
    }

    /// What it said meanwhile.
    pub(crate) fn heard(&self) -> impl Iterator<Item = String> + '_ {
        self.lines.try_iter()
    }

    /// Waits for its end and gives what it still says; an error where it does not end or ends in failure.
    pub(crate) fn end(mut self) -> anyhow::Result<Vec<String>> {
        let until = Instant::now() + PATIENCE;
        let mut rest = Vec::new();
        loop {
            match self.lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(line) => rest.push(line),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => anyhow::bail!("the worker hangs"),
            }
        }
        let status = self.child.wait()?;
        anyhow::ensure!(status.success(), "the worker ended with {status}: {rest:?}");
        Ok(rest)
    }
}

impl Drop for Appender {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
