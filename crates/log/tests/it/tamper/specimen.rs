//! The logs that are tampered with: three segments, a prune, a repair and an adoption in their past, and records beyond
//! the last checkpoint, as after a process was killed.
//!
//! [`small`] has a few lines, so that every byte can be changed. The engine made it, but for two things that it does
//! only when a file is full: files are shifted early, as a crash amid a rotation leaves them (opening finishes it), and
//! the prune record is written by [`prune_early`] (opening removes the file). [`large`] is the engine's alone, with real
//! events.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use indelible::format::chain::{Hash, Link, seal};
use indelible::format::checkpoint::Checkpoint;
use indelible::format::identity::{LogId, Origin};
use indelible::format::note::{SignerKey, VerifierKey};
use indelible::format::own::{Announcement, OwnContext, Prune, write_own};
use indelible::format::record::{parse_head, write_head};
use indelible::format::time::Timestamp;
use indelible::format::tree::{Frontier, leaf_hash};
use indelible::storage::Storage;
use indelible::storage::simulated::SimulatedDisk;
use indelible::{AuditLog, Clock, ClockReading, Event, Idempotency, Options, Salting};

use super::memory::{FOLDER, Memory};

/// A log to tamper with.
#[derive(Debug)]
pub(crate) struct Specimen {
    pub(super) name: &'static str,
    pub(super) folder: Memory,
    /// From the oldest to the newest.
    pub(super) segments: Vec<Segment>,
    /// How many records a checkpoint covers.
    pub(super) mark: u64,
    pub(super) log: Whose,
    /// The folder as it was at earlier moments, at each of which all of it was signed.
    pub(super) earlier: Vec<Memory>,
}

/// Whose log it is.
#[derive(Clone, Debug)]
pub(super) struct Whose {
    pub(super) key: Arc<SignerKey>,
    pub(super) log_id: LogId,
    pub(super) origin: Origin,
}

/// One file of records.
#[derive(Clone, Debug)]
pub(super) struct Segment {
    pub(super) name: String,
    pub(super) lines: Vec<Line>,
}

/// One record, with its line feed.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) bytes: Vec<u8>,
    pub(super) offset: usize,
    pub(super) seq: u64,
}

impl Segment {
    pub(super) fn bytes(&self) -> Vec<u8> {
        self.lines.iter().flat_map(|line| line.bytes.clone()).collect()
    }

    pub(super) fn size(&self) -> usize {
        self.lines.last().map_or(0, Line::end)
    }
}

impl Line {
    /// Where the next one begins.
    pub(super) fn end(&self) -> usize {
        self.offset + self.bytes.len()
    }

    pub(super) fn link(&self) -> Link<'_> {
        Link::split(self.bytes.strip_suffix(b"\n").unwrap()).unwrap()
    }
}

impl Specimen {
    fn of(name: &'static str, folder: Memory, log: Whose, earlier: Vec<Memory>) -> Self {
        let segments = segments(&folder);
        let mark = size_of(folder.get("checkpoint"));
        Self { name, folder, segments, mark, log, earlier }
    }

    pub(super) fn newest(&self) -> &Segment {
        self.segments.last().unwrap()
    }

    pub(super) fn verifier_key(&self) -> VerifierKey {
        self.log.key.verifier_key()
    }

    /// The folder with other lines.
    pub(super) fn with(&self, segments: &[Segment]) -> Memory {
        let mut folder = self.folder.clone();
        for segment in segments {
            folder.put(&segment.name, segment.bytes());
        }
        folder
    }
}

/// The records of a folder.
pub(super) fn segments(folder: &Memory) -> Vec<Segment> {
    let older = (1..9).rev().map(|number| format!("audit.log.{number}"));
    let names = older.chain(["audit.log".to_owned()]).filter(|name| folder.has(name));
    names.map(|name| Segment { lines: lines(folder.get(&name)), name }).collect()
}

fn lines(bytes: &[u8]) -> Vec<Line> {
    let mut offset = 0;
    let line = |bytes: &[u8]| {
        let line = Line { bytes: bytes.to_vec(), offset, seq: parse_head(bytes).unwrap().seq };
        offset += bytes.len();
        line
    };
    bytes.split_inclusive(|byte| *byte == b'\n').map(line).collect()
}

/// How many records a note covers.
pub(super) fn size_of(note: &[u8]) -> u64 {
    std::str::from_utf8(note).unwrap().lines().nth(1).unwrap().parse().unwrap()
}

/// A clock that goes on by a millisecond whenever it is asked.
#[derive(Debug, Default)]
pub(crate) struct Ticking(AtomicU64);

impl Clock for Ticking {
    fn now(&self) -> ClockReading {
        let counted_ns = i128::from(self.0.fetch_add(1_000_000, Ordering::SeqCst));
        let wall = Timestamp::parse(b"2026-01-02T03:04:05.000000000Z").unwrap();
        ClockReading { wall: wall.saturating_add_ns(counted_ns), counted_ns }
    }
}

/// A disk with a log on it that is opened and closed.
pub(super) struct Workshop {
    pub(super) disk: SimulatedDisk,
    clock: Arc<Ticking>,
    key: Arc<SignerKey>,
    origin: Origin,
    pub(super) max_files: Option<u32>,
    pub(super) salting: Salting,
}

impl Workshop {
    /// Makes the log; `seed` is its key's.
    pub(super) fn new(seed: u8) -> Self {
        Self::salted(seed, Salting::On)
    }

    pub(super) fn salted(seed: u8, salting: Salting) -> Self {
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

    pub(super) fn open(&self) -> AuditLog {
        AuditLog::open_on(self.storage(), FOLDER, self.options()).unwrap()
    }

    /// Opens, appends, closes.
    pub(super) fn append(&self, events: &[Event]) {
        let log = self.open();
        append(&log, events);
        log.close().unwrap();
    }

    /// Appends, and kills the process before any checkpoint.
    pub(super) fn append_and_kill(&mut self, events: &[Event]) {
        let log = self.open();
        append(&log, events);
        let left = self.disk.fork();
        drop(log);
        self.disk = left;
    }

    /// Takes the last byte of `audit.log`.
    pub(super) fn cut_last_byte(&self) {
        let path = format!("{FOLDER}/audit.log");
        let mut bytes = self.disk.read_file(&path).unwrap();
        bytes.pop();
        self.disk.write_file(&path, bytes).unwrap();
    }

    /// Puts bytes at the end of `audit.log`.
    pub(super) fn tear(&self, bytes: &[u8]) {
        let path = format!("{FOLDER}/audit.log");
        let torn = [self.disk.read_file(&path).unwrap().as_slice(), bytes].concat();
        self.disk.write_file(&path, torn).unwrap();
    }

    pub(super) fn key(&self) -> VerifierKey {
        self.key.verifier_key()
    }

    pub(super) fn folder(&self) -> Memory {
        Memory::of(&self.disk)
    }

    pub(super) fn whose(&self) -> Whose {
        let line = segments(&self.folder())[0].lines[0].bytes.clone();
        let text = String::from_utf8(line).unwrap();
        let log_id = text.split("\"log_id\":\"").nth(1).and_then(|rest| rest.split('"').next());
        let log_id = log_id.expect("a genesis").parse().unwrap();
        Whose { key: self.key.clone(), log_id, origin: self.origin.clone() }
    }

    /// Shifts the files, once the checkpoint is noted: what a crash after these steps of a rotation leaves.
    pub(super) fn rotate_early(&self) {
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
    pub(super) fn prune_early(&self, log: &Whose) {
        let folder = self.folder();
        let all = segments(&folder);
        let kept = &all[1].lines[0];
        let last = all.last().unwrap().lines.last().unwrap();
        let prune = Announcement::Prune(Prune {
            format: 1,
            log_id: log.log_id,
            origin: log.origin.clone(),
            keys: vec![log.key.verifier_key()],
            first_kept_seq: kept.seq,
            last_pruned_hash: kept.link().prev_hash,
            files: 1,
            reason: "max_files".to_owned(),
        });
        let line = own_line(log, &prune, last, &mut |text| log.key.sign(text));
        let hash = Link::split(line.strip_suffix(b"\n").unwrap()).unwrap().hash;
        let mut leaves = folder.get("tree/0").to_vec();
        leaves.extend_from_slice(leaf_hash(&hash).as_bytes());
        let note = checkpoint(log, &leaves, last.seq + 2);
        self.disk.write_file(format!("{FOLDER}/audit.log"), line).unwrap();
        self.disk.write_file(format!("{FOLDER}/tree/0"), leaves).unwrap();
        self.note(&note);
        self.disk.write_file(format!("{FOLDER}/checkpoint"), note).unwrap();
    }
}

fn append(log: &AuditLog, events: &[Event]) {
    for pending in log.submit_all(events).unwrap() {
        pending.wait().unwrap();
    }
}

/// A line of `checkpoints.jsonl`.
pub(super) fn note_line(note: &[u8]) -> Vec<u8> {
    let note = std::str::from_utf8(note).unwrap();
    format!("{}\n", serde_json::json!({ "note": note })).into_bytes()
}

/// A record of the log's own that follows `last`.
pub(super) fn own_line(
    log: &Whose,
    what: &Announcement,
    last: &Line,
    sign: &mut dyn FnMut(&[u8]) -> indelible::format::note::SignatureLine,
) -> Vec<u8> {
    let timestamp = parse_head(&last.bytes).unwrap().timestamp;
    let mut line = Vec::new();
    write_head(&mut line, last.seq + 1, timestamp);
    let context = OwnContext { log_id: log.log_id, origin: &log.origin };
    write_own(&mut line, 0, what, &context, sign);
    seal(&mut line, 0, &last.link().hash);
    line.push(b'\n');
    line
}

/// The note of the first `size` of these leaves, signed by the log.
pub(super) fn checkpoint(log: &Whose, leaves: &[u8], size: u64) -> Vec<u8> {
    let mut tree = Frontier::new();
    for leaf in leaves.chunks_exact(32).take(usize::try_from(size).unwrap()) {
        tree.push(Hash::from_bytes(leaf.try_into().unwrap()));
    }
    let origin = log.origin.clone();
    Checkpoint { origin, size, root: tree.root() }.sign(&log.key).encode()
}

/// Events of few bytes.
pub(super) fn terse(count: usize, from: usize) -> Vec<Event> {
    (from..from + count).map(|number| Event::new("a", "b", format!("r{number}"))).collect()
}

/// The log of which every byte is changed.
pub(crate) fn small() -> Specimen {
    small_by(1)
}

/// The same log by another key, with another id.
pub(crate) fn small_by(seed: u8) -> Specimen {
    let mut shop = Workshop::new(seed);
    let log = shop.whose();
    let mut earlier = vec![shop.folder()];
    shop.append(&terse(2, 0));
    shop.rotate_early();
    shop.append(&terse(3, 2));
    earlier.push(shop.folder());
    shop.rotate_early();
    earlier.push(shop.folder());
    shop.append(&terse(1, 5));
    shop.append_and_kill(&terse(1, 6));
    shop.tear(b"{\"seq\":8,\"timesta");
    shop.append(&terse(1, 7));
    earlier.push(shop.folder());
    shop.rotate_early();
    earlier.push(shop.folder());
    shop.prune_early(&log);
    shop.max_files = Some(2);
    shop.append(&terse(2, 8));
    earlier.push(shop.folder());
    shop.append_and_kill(&terse(3, 10));
    Specimen::of("small", shop.folder(), log, earlier)
}

/// Real events, or, where they are not there, ones of the same kind.
pub(super) fn events() -> Vec<Event> {
    let path = crate::reference::shared().join("data/agent-tool-calls.jsonl");
    let made = |number: usize| {
        Event::new("agent:7", "tool.call:search", format!("airline/user/{number}"))
            .event_id(format!("call_{number}"))
            .session(serde_json::json!({"id": "s-1", "turn": number}))
            .metadata(serde_json::json!({"result": "\"x\"".repeat(40 + number % 90)}))
    };
    let Ok(text) = std::fs::read(path) else { return (0..600).map(made).collect() };
    let lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines.map(|line| Event::from_json(line).unwrap()).collect()
}

/// A log with files as full as the smallest ones get.
pub(crate) fn large() -> Specimen {
    let mut shop = Workshop::new(3);
    let log = shop.whose();
    shop.max_files = Some(2);
    let events = events();
    let mut earlier = Vec::new();
    let mut next = 0;
    let mut take = |count: usize| {
        next += count;
        &events[next - count..next]
    };
    while shop.folder().names().filter(|name| name.starts_with("audit.log")).count() < 2 {
        shop.append(take(10));
    }
    earlier.push(shop.folder());
    shop.append(take(20));
    shop.append_and_kill(take(3));
    shop.tear(b"{\"seq\":8,\"timesta");
    loop {
        shop.append(take(5));
        earlier.push(shop.folder());
        if segments(&shop.folder())[0].lines[0].seq > 0 {
            break;
        }
    }
    shop.append(take(20));
    earlier.push(shop.folder());
    shop.append_and_kill(take(8));
    Specimen::of("large", shop.folder(), log, earlier)
}
