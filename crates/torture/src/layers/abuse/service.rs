//! The service that is abused: its configuration, tokens, memory, and what its logs hold in the end.

#![expect(clippy::disallowed_methods, reason = "what surrounds a log is no log")]

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use indelible::storage::Storage;
use indelible::storage::local::LocalStorage;
use indelible::{Options, Receipt};
use tempfile::TempDir;

use crate::command::{self, Guarded};
use crate::http::{self, Connection};
use crate::invariants::{self, Left, Sent};
use crate::layer::Outcome;
use crate::plan::Plan;

/// More than these may be neither connections nor streams, and a body no larger.
pub(super) const CONNECTIONS_MAX: usize = 512;
pub(super) const STREAMS_MAX: u32 = 64;
pub(super) const REQUEST_SIZE_MAX: usize = 256 << 10;
/// The logs; most roles are on the first.
pub(super) const LOGS: [&str; 2] = ["default", "other"];

const CONFIG: &str = r#"
[limits]
request_size_max = "256KiB"
bodies_size_max = "8MiB"
header_size_max = "16KiB"
connections_max = 512
streams_per_connection_max = 64

[timeouts]
handshake = "1s"
headers = "1s"
body = "1s"
write = "1s"
idle = "2s"
keep_alive = "2s"

[log.default]
folder = "default"
create = true
checkpoint_interval = "5ms"
min_free_space = 0

[log.other]
folder = "other"
create = true
checkpoint_interval = "5ms"
min_free_space = 0

[telemetry]
level = "error"
"#;

/// Who may call, as what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Caller {
    Append,
    Read,
    Admin,
    /// Admin of the other log.
    Stranger,
    Expired,
    Revoked,
}

impl Caller {
    pub(super) const ALL: [Self; 6] =
        [Self::Append, Self::Read, Self::Admin, Self::Stranger, Self::Expired, Self::Revoked];

    /// Whether anybody knows it.
    pub(super) fn is_known(self) -> bool {
        !matches!(self, Self::Expired | Self::Revoked)
    }

    pub(super) fn may_append(self, log: &str) -> bool {
        match self {
            Self::Append | Self::Admin => log == "default",
            Self::Stranger => log == "other",
            Self::Read | Self::Expired | Self::Revoked => false,
        }
    }

    pub(super) fn may_read(self, log: &str) -> bool {
        match self {
            Self::Read | Self::Admin => log == "default",
            Self::Stranger => log == "other",
            Self::Append | Self::Expired | Self::Revoked => false,
        }
    }
}

pub(super) struct Service {
    folder: TempDir,
    binary: PathBuf,
    process: Guarded,
    pub(super) address: SocketAddr,
    pub(super) admin: SocketAddr,
    pub(super) tokens: BTreeMap<Caller, String>,
}

impl Service {
    pub(super) fn start(plan: &Plan, binary: &Path) -> anyhow::Result<Self> {
        let folder = command::fast_folder(plan)?;
        let place = folder.path();
        let (address, admin) = (http::free_address()?, http::free_address()?);
        let config = format!(
            "default_log = \"default\"\n[listen]\ntcp = [\"{address}\"]\n[admin]\nlisten = \"{admin}\"\n\
             [auth]\ntokens = \"tokens.jsonl\"\n{CONFIG}"
        );
        fs::write(place.join("indelible.toml"), config)?;
        let mut tokens = BTreeMap::new();
        for caller in Caller::ALL {
            tokens.insert(caller, token(binary, place, caller)?);
        }
        let mut revoke = Command::new(binary);
        revoke.args(["token", "revoke", "revoked", "--config", "indelible.toml"]);
        let revoked = command::run(&mut revoke, place)?;
        ensure!(revoked.code == Some(0), "no token is revoked: {}", revoked.stderr);
        let mut command = Command::new(binary);
        command.current_dir(place).args(["serve", "--config", "indelible.toml"]);
        command.stdin(Stdio::null()).stdout(Stdio::null());
        command.stderr(File::create(place.join("stderr.txt"))?);
        let process = Guarded::spawn(&mut command)?;
        let binary = binary.to_owned();
        let mut service = Self { folder, binary, process, address, admin, tokens };
        service.await_ready()?;
        Ok(service)
    }

    fn await_ready(&mut self) -> anyhow::Result<()> {
        let began = Instant::now();
        while !self.is_ready(Duration::from_secs(1)) {
            let ended = self.process.try_wait()?;
            ensure!(
                ended.is_none() && began.elapsed() < Duration::from_secs(20),
                "not ready: {}",
                self.stderr()
            );
            thread::sleep(Duration::from_millis(5));
        }
        // The expired token expires.
        thread::sleep(Duration::from_secs(1));
        Ok(())
    }

    /// What `/readyz` says.
    pub(super) fn is_ready(&self, patience: Duration) -> bool {
        let asked = Connection::open(self.admin, patience)
            .and_then(|mut connection| connection.ask("GET /readyz", &[], ""));
        asked.is_ok_and(|answer| answer.status == 200)
    }

    fn stderr(&self) -> String {
        let text = fs::read_to_string(self.folder.path().join("stderr.txt"));
        text.unwrap_or_default().trim().to_owned()
    }

    pub(super) fn bearer(&self, caller: Caller) -> String {
        format!("Bearer {}", self.tokens.get(&caller).map_or("", String::as_str))
    }

    /// KiB that it has in memory.
    pub(super) fn memory(&self) -> anyhow::Result<u64> {
        self.status("VmRSS:")
    }

    /// KiB that it had at most since its peak was forgotten.
    pub(super) fn peak(&self) -> anyhow::Result<u64> {
        self.status("VmHWM:")
    }

    pub(super) fn forget_peak(&self) -> anyhow::Result<()> {
        fs::write(format!("/proc/{}/clear_refs", self.process.id()), "5")?;
        Ok(())
    }

    fn status(&self, name: &str) -> anyhow::Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let digits = line.and_then(|line| line.split_whitespace().next());
        digits.and_then(|digits| digits.parse().ok()).with_context(|| format!("no {name}"))
    }

    /// SIGTERM ends it in order, and its logs hold what was acknowledged, and nothing else of anybody's.
    pub(super) fn stop(
        mut self,
        acknowledged: &[(String, Receipt, String)],
        outcome: &mut Outcome,
    ) -> anyhow::Result<()> {
        if let Some(status) = self.process.try_wait()? {
            outcome.violation(None, format!("it ended by itself with {status}: {}", self.stderr()));
            return Ok(());
        }
        let id = rustix::process::Pid::from_raw(i32::try_from(self.process.id())?);
        rustix::process::kill_process(id.context("no process")?, rustix::process::Signal::TERM)?;
        match command::wait(&mut self.process, Duration::from_secs(40))? {
            Some(status) if status.success() => {}
            Some(status) => {
                outcome
                    .violation(None, format!("SIGTERM ends it with {status}: {}", self.stderr()));
            }
            None => {
                self.process.kill()?;
                self.process.wait()?;
                outcome.violation(None, "SIGTERM does not end it".to_owned());
            }
        }
        let said = self.stderr();
        if said.contains("panicked") {
            outcome.violation(None, format!("it panicked: {said}"));
        }
        for log in LOGS {
            let of_log = acknowledged.iter().filter(|(of, _, _)| of == log);
            self.judge(log, of_log.map(|(_, receipt, id)| (*receipt, id.as_str())), outcome)?;
        }
        Ok(())
    }

    fn judge<'a>(
        &self,
        log: &str,
        acknowledged: impl Iterator<Item = (Receipt, &'a str)>,
        outcome: &mut Outcome,
    ) -> anyhow::Result<()> {
        let place = self.folder.path();
        let (mut sent, mut receipts) = (Sent::by_many(), Vec::new());
        for (receipt, resource) in acknowledged {
            sent.acknowledge(resource, receipt);
            receipts.push(receipt);
        }
        let lines = command::lines(&receipts);
        outcome
            .count(format!("events acknowledged in {log}"), u64::try_from(lines.lines().count())?);
        fs::write(place.join("receipts.jsonl"), &lines)?;
        let mut verify = Command::new(&self.binary);
        verify.args(["verify", log, "--strict"]);
        if !lines.is_empty() {
            verify.args(["--receipts", "receipts.jsonl"]);
        }
        let ended = command::run(&mut verify, place)?;
        if ended.code != Some(0) {
            let told = format!("{}{}", ended.stdout, ended.stderr);
            outcome.violation(None, format!("verify of {log} ends with {:?}: {told}", ended.code));
        }
        let storage: Arc<dyn Storage> = Arc::new(LocalStorage::new()?);
        let folder = place.join(log);
        let left = Left {
            storage: &storage,
            folder: &folder,
            options: &Options::default(),
            needs_repair: false,
        };
        for what in invariants::check(left, &sent) {
            outcome.violation(None, format!("{log}: {what}"));
        }
        Ok(())
    }
}

fn token(binary: &Path, place: &Path, caller: Caller) -> anyhow::Result<String> {
    let (name, role, log, expires) = match caller {
        Caller::Append => ("append", "append", "default", "1d"),
        Caller::Read => ("read", "read", "default", "1d"),
        Caller::Admin => ("admin", "admin", "default", "1d"),
        Caller::Stranger => ("stranger", "admin", "other", "1d"),
        Caller::Expired => ("expired", "admin", "*", "1s"),
        Caller::Revoked => ("revoked", "admin", "*", "1d"),
    };
    let mut new = Command::new(binary);
    new.args(["token", "new", "--name", name, "--role", role, "--log", log]);
    new.args(["--expires", expires, "--config", "indelible.toml"]);
    let ended = command::run(&mut new, place)?;
    ensure!(ended.code == Some(0), "no token is made: {}", ended.stderr);
    Ok(ended.stdout.trim().to_owned())
}
