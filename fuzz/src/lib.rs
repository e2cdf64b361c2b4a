//! A small valid log on a simulated disk, in several states, and edits of its files: what the targets `recovery` and
//! `verifier` share.

use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use indelible::format::chain::{Link, seal};
use indelible::format::identity::Origin;
use indelible::format::note::SignerKey;
use indelible::format::record::{parse_head, write_head};
use indelible::format::time::Timestamp;
use indelible::storage::Storage;
use indelible::storage::simulated::SimulatedDisk;
use indelible::{AuditLog, Clock, ClockReading, Event, Idempotency, Options, Salting};
use libfuzzer_sys::arbitrary::{self, Arbitrary};

/// Where the log is.
pub const FOLDER: &str = "/logs/audit";
const ORIGIN: &str = "example.com/audit";

/// How the log was left before the edits.
#[derive(Arbitrary, Clone, Copy, Debug, PartialEq)]
pub enum BaseKind {
    /// Its last checkpoint covers all of it.
    Closed,
    /// Killed, with records beyond its last checkpoint.
    Killed,
    /// As `Killed`, after a rotation and a prune.
    Rotated,
}

#[derive(Arbitrary, Clone, Copy, Debug, PartialEq)]
pub enum File {
    Active,
    /// A file that was rotated out; in a log without one, `audit.log`.
    Rotated,
    Checkpoint,
    History,
    Row,
}

#[derive(Arbitrary, Debug)]
pub struct Edit<'a> {
    pub file: File,
    pub place: Place,
    pub removed: u16,
    pub bytes: Bytes<'a>,
}

#[derive(Arbitrary, Debug)]
pub enum Place {
    /// Bytes from the beginning.
    Begin(u32),
    /// Bytes from the end.
    End(u8),
    /// Bytes from where the durable mark ends; in other files than the segment, from the beginning.
    Mark(u16),
}

/// What is put in.
#[derive(Arbitrary, Debug)]
pub enum Bytes<'a> {
    Raw(&'a [u8]),
    Nuls(u16),
    /// A part of a file of the log.
    Copy {
        file: File,
        from: u32,
        size: u16,
    },
    /// A record that continues the line before, with this after its head.
    Record(&'a [u8]),
    /// The content of this line, as a record that continues the line before.
    Again(u8),
}

pub struct Base {
    pub disk: SimulatedDisk,
    /// Where in `audit.log` the records that a checkpoint covers end.
    pub mark: usize,
}

static CLOSED: LazyLock<Base> = LazyLock::new(|| base(BaseKind::Closed));
static KILLED: LazyLock<Base> = LazyLock::new(|| base(BaseKind::Killed));
static ROTATED: LazyLock<Base> = LazyLock::new(|| base(BaseKind::Rotated));

impl BaseKind {
    /// The log so left, made once.
    pub fn base(self) -> &'static Base {
        match self {
            Self::Closed => &CLOSED,
            Self::Killed => &KILLED,
            Self::Rotated => &ROTATED,
        }
    }
}

/// The key that the log is signed with.
pub fn key() -> SignerKey {
    SignerKey::from_seed(&ORIGIN.parse().expect("an origin"), &[7; 32])
}

/// A clock that stands still: the same input gives the same log, but for its id.
#[derive(Debug)]
struct Still;

impl Clock for Still {
    fn now(&self) -> ClockReading {
        let wall = Timestamp::from_unix_ns(1_770_000_000_000_000_000).expect("a time");
        ClockReading { wall, counted_ns: 1_000_000_000 }
    }
}

/// What it is made and opened with.
pub fn options() -> Options {
    let origin: Origin = ORIGIN.parse().expect("an origin");
    let never = Idempotency { period: Duration::ZERO, records: 0, memory_size_max: 1 << 20 };
    Options::default()
        .with_signer(Arc::new(key()))
        .with_origin(origin)
        .with_clock(Arc::new(Still))
        .with_salt(Salting::Off)
        .with_entry_size_max(8 << 10)
        .with_max_file_size(80 << 10)
        .with_max_files(1)
        .with_checkpoint_interval(Duration::from_hours(1))
        .with_idempotency(never)
}

/// The disk, for the library.
pub fn storage(disk: &SimulatedDisk) -> Arc<dyn Storage> {
    Arc::new(disk.clone())
}

fn base(kind: BaseKind) -> Base {
    let disk = SimulatedDisk::new();
    disk.plant_folder(Path::new("/logs")).expect("an empty disk");
    let log = AuditLog::create_on(storage(&disk), FOLDER, options()).expect("nothing is there");
    let append = |name: &str, count: usize, size: usize| {
        for number in 0..count {
            let metadata = format!(r#"{{"x":"{}"}}"#, "y".repeat(size));
            let event = Event::new("a", "b", format!("{name}{number}")).metadata_raw(metadata);
            log.append(&event).expect("a disk without faults");
        }
    };
    if matches!(kind, BaseKind::Rotated) {
        append("old", 28, 6_000);
    }
    append("covered", 3, 10);
    log.checkpoint().expect("a disk without faults");
    if !matches!(kind, BaseKind::Closed) {
        let mark = read(&disk, File::Active).len();
        append("tail", 3, 300);
        return Base { disk: disk.fork(), mark };
    }
    log.close().expect("a disk without faults");
    drop(log);
    let mark = read(&disk, File::Active).len();
    Base { disk, mark }
}

/// Where a file of it is.
pub fn path(disk: &SimulatedDisk, file: File) -> PathBuf {
    let name = match file {
        File::Active => "audit.log",
        File::Rotated => {
            let names = disk.list(Path::new(FOLDER)).expect("a disk without faults");
            let is_number = |text: &str| text.starts_with(|first| matches!(first, '1'..='9'));
            let rotated = names
                .into_iter()
                .find(|name| name.strip_prefix("audit.log.").is_some_and(is_number));
            return Path::new(FOLDER).join(rotated.as_deref().unwrap_or("audit.log"));
        }
        File::Checkpoint => "checkpoint",
        File::History => "checkpoints.jsonl",
        File::Row => "tree/0",
    };
    Path::new(FOLDER).join(name)
}

/// The bytes of a file of it.
pub fn read(disk: &SimulatedDisk, file: File) -> Vec<u8> {
    disk.read_file(path(disk, file)).expect("a file of the log")
}

/// Edits a file.
pub fn apply(disk: &SimulatedDisk, mark: usize, edit: &Edit<'_>) {
    let mut content = read(disk, edit.file);
    let mark = if edit.file == File::Active { mark } else { 0 };
    let at = match edit.place {
        Place::Begin(offset) => usize::try_from(offset).expect("64 bits") % (content.len() + 1),
        Place::End(offset) => content.len().saturating_sub(usize::from(offset)),
        Place::Mark(offset) => content.len().min(mark + usize::from(offset)),
    };
    let end = content.len().min(at + usize::from(edit.removed));
    let bytes = match edit.bytes {
        Bytes::Raw(bytes) => bytes.to_vec(),
        Bytes::Nuls(size) => vec![0; usize::from(size)],
        Bytes::Copy { file, from, size } => {
            let source = read(disk, file);
            let from = usize::try_from(from).expect("64 bits") % (source.len() + 1);
            source.into_iter().skip(from).take(usize::from(size)).collect()
        }
        Bytes::Record(body) => next_record(&content[..at], body),
        Bytes::Again(number) => {
            let line = content.split(|byte| *byte == b'\n').nth(usize::from(number));
            let body = line.and_then(|line| {
                let head = parse_head(line).ok()?;
                Link::split(line).ok()?.entry_head.get(head.size..)
            });
            next_record(&content[..at], body.unwrap_or_default())
        }
    };
    content.splice(at..end, bytes);
    disk.write_file(path(disk, edit.file), content).expect("a file of the log");
}

/// A line with `body` that continues the last whole line of `before`; nothing where that is no record.
fn next_record(before: &[u8], body: &[u8]) -> Vec<u8> {
    let Some(last) =
        before.strip_suffix(b"\n").and_then(|lines| lines.rsplit(|byte| *byte == b'\n').next())
    else {
        return Vec::new();
    };
    let (Ok(head), Ok(link)) = (parse_head(last), Link::split(last)) else { return Vec::new() };
    let mut line = Vec::new();
    write_head(&mut line, head.seq + 1, head.timestamp);
    line.extend_from_slice(body);
    seal(&mut line, 0, &link.hash);
    line.push(b'\n');
    line
}
