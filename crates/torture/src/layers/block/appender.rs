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

/// Who else syncs the file system meanwhile.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Company<'a> {
    /// Nobody, somebody at times, or somebody before each sync of the log's: as it is drawn from the seed.
    Drawn,
    /// Somebody right before one sync of the log's, when the device is to break; and nobody else.
    Staged,
    /// Nobody. strace writes into this file each of the log's syncs of which the kernel says that it failed.
    Strace(&'a Path),
}

impl Appender {
    /// Starts it; it writes acknowledgements into `tell`, or to us where there is none.
    pub(crate) fn start(
        folder: &Path,
        tell: Option<&Path>,
        seed: u64,
        appends: u64,
        company: Company<'_>,
    ) -> anyhow::Result<Self> {
        let own = std::env::current_exe()?;
        let (mut command, more) = match company {
            Company::Drawn => (Command::new(own), None),
            Company::Staged => (Command::new(own), Some("--staged")),
            Company::Strace(trace) => {
                let mut strace = Command::new("strace");
                strace.args(["-f", "-qq", "--seccomp-bpf", "-Z", "-e", "signal=none"]);
                // The last is what the log asks the kernel behind a sync.
                strace.args(["-e", "trace=fdatasync,fsync,utimensat", "-o"]).arg(trace).arg(own);
                (strace, Some("--alone"))
            }
        };
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
