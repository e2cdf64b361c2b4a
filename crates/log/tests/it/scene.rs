//! A log on the simulated disk whose durable mark is known, what is put behind it, and what opening makes of that.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use indelible::format::chain::{Hash, seal};
use indelible::format::own::{Adopt, OwnRecord, Recover, TailKind};
use indelible::format::record::{Content, Record, write_head};
use indelible::format::time::Timestamp;
use indelible::storage::simulated::SimulatedDisk;
use indelible::storage::{Kind, Storage};
use indelible::{
    AuditLog, Event, FindingClass, Idempotency, OpenError, Options, Problem, Reader, Verdict,
};
use sha2::{Digest as _, Sha256};

use crate::checker::{assert_log_is_sound, verify};

pub(crate) const FOLDER: &str = "/logs/audit";

/// No background work at its own time: the durable mark moves only where a test moves it.
pub(crate) fn options() -> Options {
    let never = Idempotency { period: Duration::ZERO, records: 0, memory_size_max: 1 << 20 };
    Options::default()
        .with_max_file_size(192 << 10)
        .with_checkpoint_interval(Duration::from_hours(1))
        .with_idempotency(never)
}

pub(crate) fn storage(disk: &SimulatedDisk) -> Arc<dyn Storage> {
    Arc::new(disk.clone())
}

pub(crate) fn disk() -> SimulatedDisk {
    let disk = SimulatedDisk::new();
    disk.plant_folder("/logs").unwrap();
    disk
}

pub(crate) fn in_folder(name: &str) -> PathBuf {
    Path::new(FOLDER).join(name)
}

/// An event of some two thousand bytes, so that a record has sectors of its own.
pub(crate) fn event(number: usize) -> Event {
    Event::new("a", "b", format!("r{number}")).metadata(serde_json::json!({"x": "y".repeat(1_600)}))
}

pub(crate) fn open(disk: &SimulatedDisk) -> AuditLog {
    AuditLog::open_on(storage(disk), FOLDER, options()).unwrap_or_else(|e| panic!("{e}"))
}

/// A log of four records, closed: a signed checkpoint covers them all.
pub(crate) fn closed() -> SimulatedDisk {
    let disk = disk();
    let log = AuditLog::create_on(storage(&disk), FOLDER, options()).unwrap();
    for number in 0..3 {
        log.append(event(number)).unwrap();
    }
    log.close().unwrap();
    disk
}

pub(crate) fn active(disk: &SimulatedDisk) -> Vec<u8> {
    disk.read_file(in_folder("audit.log")).unwrap()
}

pub(crate) fn write_active(disk: &SimulatedDisk, bytes: impl Into<Vec<u8>>) {
    disk.write_file(in_folder("audit.log"), bytes).unwrap();
}

/// Where the chain stands, for whoever writes records past the log.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Head {
    pub(crate) next_seq: u64,
    pub(crate) hash: Hash,
    pub(crate) timestamp: Timestamp,
}

impl Head {
    /// Behind the last line of these, which is whole.
    pub(crate) fn of(lines: &[u8]) -> Self {
        let last = lines.strip_suffix(b"\n").unwrap().rsplit(|byte| *byte == b'\n').next();
        let last = Record::parse(last.unwrap()).unwrap();
        Self { next_seq: last.seq() + 1, hash: last.hash(), timestamp: last.timestamp() }
    }

    /// The next record, as the log would write it, with its line feed.
    pub(crate) fn record(&mut self) -> Vec<u8> {
        let text = "z".repeat(1_600);
        self.record_with(&format!(
            r#""actor":"a","action":"b","resource":"c","metadata":{{"x":"{text}"}}"#
        ))
    }

    /// The next record, whose fields are these, with its line feed.
    pub(crate) fn record_with(&mut self, fields: &str) -> Vec<u8> {
        let mut line = Vec::new();
        write_head(&mut line, self.next_seq, self.timestamp);
        line.extend_from_slice(fields.as_bytes());
        self.hash = seal(&mut line, 0, &self.hash);
        self.next_seq += 1;
        line.push(b'\n');
        line
    }
}

/// All files of the log and what is beside it.
pub(crate) fn snapshot(disk: &SimulatedDisk) -> BTreeMap<PathBuf, Vec<u8>> {
    let files = disk.tree().into_iter().filter(|(_, stat)| stat.kind == Kind::File);
    files.map(|(path, _)| (path.clone(), disk.read_file(path).unwrap())).collect()
}

/// The records of the log's own among these lines, each of which must be one.
pub(crate) fn own_records(lines: &[u8]) -> Vec<OwnRecord> {
    let lines = lines.split_inclusive(|byte| *byte == b'\n');
    let parse = |line: &[u8]| {
        let record = Record::parse(line.strip_suffix(b"\n").expect("a whole line")).unwrap();
        let Content::Own(own) = record.content() else { panic!("not of the log's own") };
        own.clone()
    };
    lines.map(parse).collect()
}

pub(crate) fn sha256(bytes: &[u8]) -> Hash {
    Hash::from_bytes(Sha256::digest(bytes).into())
}

/// The record of a cut at `offset` of `audit.log`, where the next record is `seq`.
pub(crate) fn recover(seq: u64, offset: usize, kind: TailKind, cut: &[u8]) -> Recover {
    Recover {
        file: "audit.log".to_owned(),
        offset: u64::try_from(offset).unwrap(),
        length: u64::try_from(cut.len()).unwrap(),
        sha256: sha256(cut),
        kind,
        quarantine: if kind == TailKind::NoLf {
            String::new()
        } else {
            format!("quarantine/{seq}-{}", sha256(cut))
        },
    }
}

/// Names and bytes of what is in quarantine.
pub(crate) fn quarantine(disk: &SimulatedDisk) -> Vec<(String, Vec<u8>)> {
    let files = snapshot(disk).into_iter();
    let folder = in_folder("quarantine");
    files
        .filter_map(|(path, bytes)| {
            let name = path.strip_prefix(&folder).ok()?.to_str()?.to_owned();
            Some((format!("quarantine/{name}"), bytes))
        })
        .collect()
}

/// What opening has to do with a tail that a crash can leave.
#[derive(Clone, Debug)]
pub(crate) struct Repair<'a> {
    /// What `audit.log` keeps.
    pub(crate) kept: &'a [u8],
    /// What was torn, and the bytes that are cut off.
    pub(crate) torn: Option<(TailKind, &'a [u8])>,
    /// The first record beyond the durable mark, where there is one.
    pub(crate) adopted_from: Option<u64>,
}

/// Opens the log and holds what that did against `repair`: the records that tell of it and nothing else, a checkpoint
/// over them, exactly the cut bytes in quarantine. The log goes on, and opening it again does nothing.
#[track_caller]
pub(crate) fn assert_repaired(disk: &SimulatedDisk, repair: &Repair<'_>) {
    let verdict = if repair.torn.is_some() { Verdict::Torn } else { Verdict::Sound };
    let before = verify(&storage(disk), Path::new(FOLDER), &[]);
    assert_eq!(before.verdict(), verdict, "{before}");

    let log = open(disk);
    assert!(!log.recovery().is_clean(), "{:?}", log.recovery());
    let now = active(disk);
    let mut added = now.strip_prefix(repair.kept).expect("what held is kept");
    let no_lf = repair.torn.is_some_and(|(kind, _)| kind == TailKind::NoLf);
    if no_lf {
        added = added.strip_prefix(b"\n").expect("the line feed that was missing");
    }
    let whole = [repair.kept, if no_lf { b"\n" } else { b"" }].concat();
    let next_seq = Head::of(&whole).next_seq;
    let told = repair.torn.map(|(kind, cut)| recover(next_seq, repair.kept.len(), kind, cut));
    let mut expected: Vec<_> = told.iter().cloned().map(OwnRecord::Recover).collect();
    let to_seq = next_seq - 1 + u64::try_from(expected.len()).unwrap();
    let adopted = repair.adopted_from.map(|from_seq| Adopt { from_seq, to_seq });
    expected.extend(adopted.map(OwnRecord::Adopt));
    assert_eq!(own_records(added), expected);

    let recovery = log.recovery();
    let mended = recovery.mended.iter();
    let mended: Vec<_> = mended.map(|m| (m.kind, m.offset, m.length, &*m.quarantine)).collect();
    let told: Vec<_> = told.iter().map(|t| (t.kind, t.offset, t.length, &*t.quarantine)).collect();
    assert_eq!(mended, told);
    let found = recovery.adopted.map(|found| (found.from_seq, found.to_seq));
    assert_eq!(found, adopted.map(|adopt| (adopt.from_seq, adopt.to_seq)));
    assert_eq!(
        Reader::open_on(storage(disk), FOLDER).unwrap().records().unwrap(),
        log.records(),
        "a checkpoint covers the repair before anything else is appended"
    );
    let cut = repair.torn.filter(|(kind, _)| *kind != TailKind::NoLf);
    let cut = cut.map(|(_, cut)| (format!("quarantine/{next_seq}-{}", sha256(cut)), cut.to_vec()));
    assert_eq!(quarantine(disk), Vec::from_iter(cut));

    assert_eq!(log.append(event(99)).unwrap().seq, Head::of(&now).next_seq);
    log.close().unwrap();
    let report = assert_log_is_sound(&storage(disk), FOLDER, &[]);
    let told = report.findings.iter().any(|found| found.class == FindingClass::Adopted);
    assert_eq!(told, adopted.is_some(), "{report}");
    assert_opening_does_nothing(disk);
}

/// Opening and closing changes no byte of the log, and the whole verifies.
#[track_caller]
pub(crate) fn assert_opening_does_nothing(disk: &SimulatedDisk) {
    let before = snapshot(disk);
    let log = open(disk);
    assert!(log.recovery().is_clean(), "{:?}", log.recovery());
    log.close().unwrap();
    assert_eq!(snapshot(disk), before, "opening again changed something");
    drop(assert_log_is_sound(&storage(disk), FOLDER, &[]));
}

/// Opening is refused over `problem`, again and again, and changes no byte; the records before `readable` can be read,
/// and the verifier says that the log is broken.
#[track_caller]
pub(crate) fn assert_refused(disk: &SimulatedDisk, problem: Problem, readable: u64) {
    let before = snapshot(disk);
    for _ in 0..2 {
        match AuditLog::open_on(storage(disk), FOLDER, options()) {
            Err(OpenError::Refused(refusal)) => {
                let found: Vec<_> = refusal.findings.iter().map(|found| found.problem).collect();
                assert_eq!(found, [problem], "{refusal}");
            }
            other => panic!("not refused: {other:?}"),
        }
        assert_eq!(snapshot(disk), before, "a log that was refused was changed");
    }
    let reader = Reader::open_on(storage(disk), FOLDER).unwrap().unsynced();
    let lines: Vec<_> = reader.lines_from(0).unwrap().map_while(Result::ok).collect();
    let read = lines.iter().zip(0..).take_while(|(record, seq)| record.seq == *seq).count();
    assert!(u64::try_from(read).unwrap() >= readable, "{read} records can be read");
    let report = verify(&storage(disk), Path::new(FOLDER), &[]);
    assert_eq!(report.verdict(), Verdict::Broken, "{report}");
}
