//! A hundred kills of the service on one folder.

#![expect(clippy::disallowed_methods, reason = "keeps what an auditor would keep")]

use std::fs::{self, File};
use std::net::SocketAddr;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use indelible::storage::Storage;
use indelible::storage::local::LocalStorage;
use indelible::{Options, Receipts, Verdict, Verifier};
use tempfile::TempDir;

use super::client::{Client, Shared};
use crate::command::{self, Guarded};
use crate::http;
use crate::invariants::{self, Left, Sent};
use crate::layer::Outcome;
use crate::plan::Plan;
use crate::threads::StopsOthers;

/// How many kills a folder takes.
pub(super) const KILLS: u64 = 100;
const CLIENTS: usize = 8;
/// The least that the service takes: so that it rotates often.
const FILE_SIZE: u64 = 80 << 10;
/// How many rotated segments are kept where the service prunes.
const KEPT: u32 = 8;
/// How often a dead folder is verified.
const LOOKS: u64 = 10;

/// When a kill comes.
#[derive(Clone, Copy, Debug)]
enum Moment {
    /// So long after the process began: it starts, and recovers from the kill before.
    Starting(Duration),
    /// So long after its first receipt.
    Answering(Duration),
    /// So long after the active segment was nearly full.
    Rotating(Duration),
}

/// A folder, the service on it, and its clients.
pub(super) struct Campaign {
    number: u64,
    folder: TempDir,
    binary: PathBuf,
    address: SocketAddr,
    settings: Vec<String>,
    prunes: bool,
    random: fastrand::Rng,
    keep: bool,
    /// How many were started.
    services: u64,
}

impl Campaign {
    pub(super) fn begin(plan: &Plan, binary: &Path, number: u64) -> anyhow::Result<Self> {
        let mut random = plan.random(number);
        // Where syncs take their time, others wait longer in the queue.
        let folder = if number % 4 == 3 { plan.folder()? } else { command::fast_folder(plan)? };
        let prunes = number % 2 == 1;
        let interval = random.choice([1, 10, 100]).unwrap_or(1);
        let mut settings = vec![
            "log.default.max_file_size=80KiB".to_owned(),
            "log.default.entry_size_max=8KiB".to_owned(),
            "log.default.min_free_space=0".to_owned(),
            format!("log.default.checkpoint_interval={interval}ms"),
            "admin.listen=none".to_owned(),
            "telemetry.level=warn".to_owned(),
        ];
        if prunes {
            settings.push(format!("log.default.max_files={KEPT}"));
        }
        let address = http::free_address()?;
        let binary = binary.to_owned();
        Ok(Self {
            number,
            folder,
            binary,
            address,
            settings,
            prunes,
            random,
            keep: plan.keep,
            services: 0,
        })
    }

    fn place(&self) -> &Path {
        self.folder.path()
    }

    pub(super) fn run(mut self, kills: u64, outcome: &mut Outcome) -> anyhow::Result<()> {
        let shared = Shared::default();
        let (address, mut seeds) = (self.address, self.random.fork());
        let ended = thread::scope(|scope| {
            for name in 0..CLIENTS {
                let client = Client::new(&shared, address, seeds.fork());
                scope.spawn(move || client.run(name));
            }
            // However it ends, the clients do, too: the scope waits for them.
            let _stops = StopsOthers(&shared.stop);
            self.kill(kills, &shared, outcome).and_then(|()| self.end(&shared))
        });
        match ended {
            Ok(served) => {
                self.terminate(served, &shared)?;
                self.judge(&shared, outcome)?;
            }
            Err(error) => shared.violation(format!("{error:#}")),
        }
        self.tell(&shared, outcome);
        Ok(())
    }

    /// Starts the service and kills it, so often.
    fn kill(&mut self, kills: u64, shared: &Shared, outcome: &mut Outcome) -> anyhow::Result<()> {
        for kill in 0..kills {
            let moment = self.moment();
            let mut service = self.start()?;
            self.await_moment(moment, shared)?;
            let by_itself = service.try_wait()?;
            service.kill()?;
            service.wait()?;
            self.listen(shared);
            if let Some(status) = by_itself {
                let said = self.stderr();
                anyhow::bail!("kill {kill}: the service had ended with {status}: {said}");
            }
            outcome.cases += 1;
            let kind = match moment {
                Moment::Starting(_) => "while it starts",
                Moment::Answering(_) => "while it answers",
                Moment::Rotating(_) => "near a rotation",
            };
            outcome.count(format!("kills {kind}"), 1);
            if kill % LOOKS == LOOKS - 1 && self.log().exists() {
                let verdict = self.look(shared)?;
                outcome.count(format!("dead folders that were {verdict}"), 1);
            }
            if shared.stop.load(Ordering::Relaxed) {
                break;
            }
        }
        Ok(())
    }

    fn moment(&mut self) -> Moment {
        let random = &mut self.random;
        match random.u8(..10) {
            0..=2 => Moment::Starting(Duration::from_micros(random.u64(..9_000))),
            3..=6 => Moment::Answering(Duration::from_micros(random.u64(..20_000))),
            _ => Moment::Rotating(Duration::from_micros(random.u64(..4_000))),
        }
    }

    fn start(&mut self) -> anyhow::Result<Guarded> {
        let mut command = Command::new(&self.binary);
        command.current_dir(self.place());
        command.args(["serve", "--folder", "audit", "--create", "--listen"]);
        command.arg(self.address.to_string());
        for setting in &self.settings {
            command.args(["--set", setting]);
        }
        command.stdin(Stdio::null()).stdout(Stdio::null());
        self.services += 1;
        command.stderr(File::create(self.stderr_path())?);
        Guarded::spawn(&mut command)
    }

    /// Each service has its own, so that what it said before it was killed is kept.
    fn stderr_path(&self) -> PathBuf {
        self.place().join(format!("stderr-{}.txt", self.services))
    }

    fn stderr(&self) -> String {
        match fs::read(self.stderr_path()) {
            Ok(said) => String::from_utf8_lossy(&said).trim().to_owned(),
            Err(error) => format!("(not to be read: {error})"),
        }
    }

    /// What a service said that is dead now: a panic is one, though it was to be killed anyway.
    fn listen(&self, shared: &Shared) {
        let said = self.stderr();
        if said.contains("panicked") {
            shared.violation(format!("service {} panicked: {said}", self.services));
        }
    }

    fn log(&self) -> PathBuf {
        self.place().join("audit")
    }

    fn await_moment(&self, moment: Moment, shared: &Shared) -> anyhow::Result<()> {
        let pause = match moment {
            Moment::Starting(pause) | Moment::Answering(pause) | Moment::Rotating(pause) => pause,
        };
        if !matches!(moment, Moment::Starting(_)) {
            let before = shared.answered.load(Ordering::Relaxed);
            wait_for(Duration::from_secs(20), shared, || {
                shared.answered.load(Ordering::Relaxed) > before
            })
            .with_context(|| format!("no receipt after a start: {}", self.stderr()))?;
        }
        if matches!(moment, Moment::Rotating(_)) {
            let active = self.log().join("audit.log");
            let stat = || fs::metadata(&active).map(|it| (it.ino(), it.len())).unwrap_or_default();
            let (inode, _) = stat();
            // Where clients are slow, it comes anywhere.
            let nearly = || {
                let (now, size) = stat();
                now != inode || size > FILE_SIZE - 3_000
            };
            drop(wait_for(Duration::from_millis(100), shared, nearly));
        }
        thread::sleep(pause);
        Ok(())
    }

    /// A dead folder is sound or torn, and every receipt that anybody holds is true.
    fn look(&self, shared: &Shared) -> anyhow::Result<Verdict> {
        let text = command::lines(shared.kept().receipts.iter().map(|(receipt, _)| receipt));
        let mut receipts = Receipts::default();
        receipts.read("receipts", text.as_bytes())?;
        let report = Verifier::new(self.log())?.strict().with_receipts(receipts).verify()?;
        let verdict = report.verdict();
        if verdict != Verdict::Sound && verdict != Verdict::Torn {
            shared.violation(format!("a dead folder is {verdict}: {report}"));
        }
        Ok(verdict)
    }

    /// Lets the clients end what they began.
    fn end(&mut self, shared: &Shared) -> anyhow::Result<Guarded> {
        let service = self.start()?;
        shared.stop.store(true, Ordering::Relaxed);
        // SIGTERM is taken in order only once it serves.
        let began = Instant::now();
        while http::Connection::open(self.address, Duration::from_secs(1)).is_err() {
            ensure!(began.elapsed() < Duration::from_secs(20), "not there: {}", self.stderr());
            thread::sleep(Duration::from_millis(1));
        }
        Ok(service)
    }

    /// SIGTERM ends it in order.
    fn terminate(&self, mut service: Guarded, shared: &Shared) -> anyhow::Result<()> {
        let id = i32::try_from(service.id())?;
        let id = rustix::process::Pid::from_raw(id).context("no process")?;
        rustix::process::kill_process(id, rustix::process::Signal::TERM)?;
        match command::wait(&mut service, Duration::from_secs(30))? {
            Some(status) if status.success() => {}
            Some(status) => {
                shared.violation(format!("SIGTERM ends it with {status}: {}", self.stderr()));
            }
            None => {
                service.kill()?;
                service.wait()?;
                shared.violation("SIGTERM does not end it".to_owned());
            }
        }
        self.listen(shared);
        Ok(())
    }

    /// Every event once, where each of its receipts says; the command agrees.
    fn judge(&self, shared: &Shared, outcome: &mut Outcome) -> anyhow::Result<()> {
        let mut sent = Sent::by_many();
        if self.prunes {
            sent.prunes(KEPT..=KEPT);
        }
        let lines;
        {
            let kept = shared.kept();
            kept.sent.iter().for_each(|id| sent.send(id));
            for (receipt, id) in &kept.receipts {
                sent.acknowledge(id, *receipt);
            }
            lines = command::lines(kept.receipts.iter().map(|(receipt, _)| receipt));
            if kept.violations.is_empty() && kept.sent.len() != kept.receipts.len() {
                let (sent, got) = (kept.sent.len(), kept.receipts.len());
                drop(kept);
                shared.violation(format!("{sent} events, {got} receipts"));
            }
        }
        self.count(shared, outcome)?;
        fs::write(self.place().join("receipts.jsonl"), lines)?;
        let mut verify = Command::new(&self.binary);
        verify.args(["verify", "audit", "--strict", "--receipts", "receipts.jsonl"]);
        let ended = command::run(&mut verify, self.place())?;
        if ended.code != Some(0) {
            shared.violation(format!(
                "verify ends with {:?}: {}{}",
                ended.code, ended.stdout, ended.stderr
            ));
        }
        let storage: Arc<dyn Storage> = Arc::new(LocalStorage::new()?);
        let folder = self.log();
        let options = Options::default().with_entry_size_max(8 << 10).with_max_file_size(FILE_SIZE);
        let left =
            Left { storage: &storage, folder: &folder, options: &options, needs_repair: false };
        for what in invariants::check(left, &sent) {
            shared.violation(what);
        }
        Ok(())
    }

    /// What the log says of its life.
    fn count(&self, shared: &Shared, outcome: &mut Outcome) -> anyhow::Result<()> {
        let (mut first, mut segments) = (u64::MAX, 0_u64);
        for entry in fs::read_dir(self.log())? {
            let path = entry?.path();
            if !path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("audit.log"))
            {
                continue;
            }
            segments += 1;
            let bytes = fs::read(&path)?;
            let count = |what: &str| {
                let action = format!("\"action\":\"indelible.{what}\"");
                u64::try_from(memchr::memmem::find_iter(&bytes, action.as_bytes()).count())
            };
            outcome.count("records of repair", count("log.recover")?);
            outcome.count("records of adoption", count("log.adopt")?);
            outcome.count("records of pruning", count("log.prune")?);
            let head = bytes.strip_prefix(b"{\"seq\":").unwrap_or_default();
            let digits: String = head
                .iter()
                .take_while(|it| it.is_ascii_digit())
                .map(|it| char::from(*it))
                .collect();
            first = first.min(digits.parse().unwrap_or(u64::MAX));
        }
        outcome.count("segments at the end", segments);
        let kept = shared.kept();
        let pruned = kept.receipts.iter().filter(|(receipt, _)| receipt.seq < first).count();
        outcome.count("acknowledged events that were pruned", u64::try_from(pruned)?);
        ensure!(self.prunes || first == 0, "it begins with record {first}, and nothing prunes");
        Ok(())
    }

    fn tell(self, shared: &Shared, outcome: &mut Outcome) {
        let count = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
        outcome.count("events acknowledged", count(&shared.answered));
        outcome.count("requests that were retried", count(&shared.retried));
        outcome.count("retries that found the event recorded", count(&shared.found_recorded));
        outcome.count("receipts asked for again", count(&shared.asked_again));
        let violations = std::mem::take(&mut shared.kept().violations);
        let is_wrong = !violations.is_empty();
        for what in violations {
            outcome.violation(self.number * KILLS, format!("folder {}: {what}", self.number));
        }
        if is_wrong && self.keep {
            println!("  kept: {}", self.folder.keep().display());
        }
    }
}

/// Until it is so, or a client is at its end.
fn wait_for(patience: Duration, shared: &Shared, is_so: impl Fn() -> bool) -> anyhow::Result<()> {
    let began = Instant::now();
    while !is_so() && !shared.stop.load(Ordering::Relaxed) {
        ensure!(began.elapsed() < patience, "not in {patience:?}");
        thread::sleep(Duration::from_micros(100));
    }
    Ok(())
}
