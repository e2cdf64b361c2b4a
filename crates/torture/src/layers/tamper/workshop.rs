//! Where logs are made, step by step: a disk in memory, on which the engine opens, appends, closes and is killed.
//!
//! The engine shifts files and prunes only when a file is full; so that small logs can have that in their past, both are
//! done here, as the engine does them.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use indelible::format::chain::Link;
use indelible::format::identity::Origin;
use indelible::format::note::SignerKey;
#[cfg(test)]
use indelible::format::note::VerifierKey;
use indelible::format::time::Timestamp;
use indelible::format::tree::leaf_hash;
use indelible::storage::Storage;
use indelible::storage::simulated::SimulatedDisk;
use indelible::{AuditLog, Clock, ClockReading, Event, Idempotency, Options, Salting};

use super::memory::{FOLDER, Memory};
use super::specimen::{Whose, checkpoint, note_line, own_line, segments};

/// A clock that goes on by a millisecond whenever it is asked.
#[derive(Debug, Default)]
pub(crate) struct Ticking {
    counted_ns: AtomicI64,
    /// How far the wall clock is off.
    off_ns: AtomicI64,
}

impl Clock for Ticking {
    fn now(&self) -> ClockReading {
        let counted_ns = i128::from(self.counted_ns.fetch_add(1_000_000, Ordering::SeqCst));
        let off_ns = i128::from(self.off_ns.load(Ordering::SeqCst));
        let wall = Timestamp::parse(b"2026-01-02T03:04:05.000000000Z").unwrap();
        ClockReading { wall: wall.saturating_add_ns(counted_ns + off_ns), counted_ns }
    }
}

/// A disk with a log on it that is opened and closed.
#[derive(Debug)]
pub(crate) struct Workshop {
    pub(crate) disk: SimulatedDisk,
    clock: Arc<Ticking>,
    key: Arc<SignerKey>,
    origin: Origin,
    pub(crate) max_files: Option<u32>,
    pub(crate) salting: Salting,
}

impl Workshop {
    /// Makes the log; `seed` is its key's.
    pub(crate) fn new(seed: u8) -> Self {
        Self::salted(seed, Salting::On)
    }

    pub(crate) fn salted(seed: u8, salting: Salting) -> Self {
        let disk = SimulatedDisk::new();
        disk.plant_folder(Path::new("/logs")).unwrap();
        let origin: Origin = "o.example".parse().unwrap();
        let key = Arc::new(SignerKey::from_seed(&origin, &[seed; 32]));
        let shop = Self { disk, clock: Arc::default(), key, origin, max_files: None, salting };
        let log = AuditLog::create_on(shop.storage(), FOLDER, shop.options()).unwrap();
        log.close().unwrap();
        shop
    }

    fn storage(&self) -> Arc<dyn Storage> {
        Arc::new(self.disk.clone())
    }

    /// No checkpoint but those that are asked for, the smallest files there can be.
    fn options(&self) -> Options {
        let never = Idempotency { period: Duration::ZERO, records: 0, memory_size_max: 1 << 20 };
        let options = Options::default()
            .with_origin(self.origin.clone())
            .with_salt(self.salting)
            .with_entry_size_max(8 << 10)
            .with_max_file_size(80 << 10)
            .with_checkpoint_interval(Duration::from_hours(1))
            .with_clock(self.clock.clone())
            .with_signer(self.key.clone())
            .with_idempotency(never);
        self.max_files.map_or(options.clone(), |count| options.with_max_files(count))
    }

    pub(crate) fn open(&self) -> AuditLog {
        AuditLog::open_on(self.storage(), FOLDER, self.options()).unwrap()
    }

    /// Opens, appends, closes.
    pub(crate) fn append(&self, events: &[Event]) {
        let log = self.open();
        append(&log, events);
        log.close().unwrap();
    }

    /// Appends, and kills the process before any checkpoint.
    pub(crate) fn append_and_kill(&mut self, events: &[Event]) {
        let log = self.open();
        append(&log, events);
        let left = self.disk.fork();
        drop(log);
        self.disk = left;
    }

    /// Takes the last byte of `audit.log`.
    pub(crate) fn cut_last_byte(&self) {
        let path = format!("{FOLDER}/audit.log");
        let mut bytes = self.disk.read_file(&path).unwrap();
        bytes.pop();
        self.disk.write_file(&path, bytes).unwrap();
    }

    /// Puts bytes at the end of `audit.log`.
    pub(crate) fn tear(&self, bytes: &[u8]) {
        let path = format!("{FOLDER}/audit.log");
        let torn = [self.disk.read_file(&path).unwrap().as_slice(), bytes].concat();
        self.disk.write_file(&path, torn).unwrap();
    }

    #[cfg(test)]
    pub(crate) fn key(&self) -> VerifierKey {
        self.key.verifier_key()
    }

    pub(crate) fn folder(&self) -> Memory {
        Memory::of(&self.disk)
    }

    pub(crate) fn whose(&self) -> Whose {
        let line = segments(&self.folder())[0].lines[0].bytes.clone();
        let text = String::from_utf8(line).unwrap();
        let log_id = text.split("\"log_id\":\"").nth(1).and_then(|rest| rest.split('"').next());
        let log_id = log_id.unwrap().parse().unwrap();
        Whose { key: self.key.clone(), log_id, origin: self.origin.clone() }
    }

    /// Shifts the files, once the checkpoint is noted: what a crash after these steps of a rotation leaves.
    pub(crate) fn rotate_early(&self) {
        let note = self.disk.read_file(format!("{FOLDER}/checkpoint")).unwrap();
        self.note(&note);
        let mut number = 1;
        while self.disk.read_file(format!("{FOLDER}/audit.log.{number}")).is_ok() {
            number += 1;
        }
        for number in (1..number).rev() {
            self.rename(&format!("audit.log.{number}"), &format!("audit.log.{}", number + 1));
        }
        self.rename("audit.log", "audit.log.1");
        // What is planted next is durable at once, and must not overtake these.
        self.disk.sync_folder(Path::new(FOLDER)).unwrap();
    }

    fn rename(&self, from: &str, to: &str) {
        let folder = Path::new(FOLDER);
        self.disk.rename(&folder.join(from), &folder.join(to)).unwrap();
    }

    /// Notes a checkpoint, once.
    fn note(&self, note: &[u8]) {
        let path = format!("{FOLDER}/checkpoints.jsonl");
        let mut noted = self.disk.read_file(&path).unwrap_or_default();
        let line = note_line(note);
        if !noted.ends_with(&line) {
            noted.extend(line);
        }
        self.disk.write_file(&path, noted).unwrap();
    }

    /// Writes the signed prune record that gives up the oldest file, covered by a noted checkpoint, into a new
    /// `audit.log`.
    pub(crate) fn prune_early(&self, log: &Whose) {
        let folder = self.folder();
        let all = segments(&folder);
        let kept = &all[1].lines[0];
        let last = all.last().unwrap().lines.last().unwrap();
        let line = own_line(log, &log.prune(kept, 1), last, &mut |text| log.key.sign(text));
        let hash = Link::split(line.strip_suffix(b"\n").unwrap()).unwrap().hash;
        let mut leaves = folder.get("tree/0").to_vec();
        leaves.extend_from_slice(leaf_hash(&hash).as_bytes());
        let note = checkpoint(log, &leaves, last.seq + 2);
        self.disk.write_file(format!("{FOLDER}/audit.log"), line).unwrap();
        self.disk.write_file(format!("{FOLDER}/tree/0"), leaves).unwrap();
        self.note(&note);
        self.disk.write_file(format!("{FOLDER}/checkpoint"), note).unwrap();
    }

    /// Appends on a machine that may stop amid it.
    pub(crate) fn append_if_it_can(&self, events: &[Event]) {
        let Ok(log) = AuditLog::open_on(self.storage(), FOLDER, self.options()) else { return };
        if let Ok(pending) = log.submit_all(events) {
            // Whatever became of them: the machine has stopped.
            for pending in pending {
                drop(pending.wait());
            }
        }
    }

    /// Sets the wall clock that far off.
    pub(crate) fn set_clock_off(&self, seconds: i64) {
        self.clock.off_ns.store(seconds * 1_000_000_000, Ordering::SeqCst);
    }

    /// Opens, appends, and appends again once the wall clock stands that far off, and once it is back.
    pub(crate) fn append_while_off(&self, seconds: i64, events: &[Event]) {
        let log = self.open();
        append(&log, events);
        self.set_clock_off(seconds);
        append(&log, events);
        self.set_clock_off(0);
        append(&log, events);
        log.close().unwrap();
    }
}

fn append(log: &AuditLog, events: &[Event]) {
    for pending in log.submit_all(events).unwrap() {
        pending.wait().unwrap();
    }
}
