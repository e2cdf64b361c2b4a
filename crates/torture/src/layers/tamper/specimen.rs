//! The logs that are tampered with: three segments, a prune, a repair and an adoption in their past, and records beyond
//! the last checkpoint, as after a process was killed. More of them, by chance: [`seeded`](super::seeded).
//!
//! `small` has a few lines, so that every byte can be changed. The engine made it, but for two things that it does
//! only when a file is full: files are shifted early, as a crash amid a rotation leaves them (opening finishes it), and
//! the prune record is written by [`Workshop::prune_early`] (opening removes the file). `large` is the engine's alone, with real
//! events.

use std::sync::{Arc, OnceLock};

use indelible::Event;
use indelible::format::chain::{Hash, Link, seal};
use indelible::format::checkpoint::Checkpoint;
use indelible::format::identity::{LogId, Origin};
use indelible::format::note::{SignatureLine, SignerKey, VerifierKey};
use indelible::format::own::{Announcement, OwnContext, Prune, write_own};
use indelible::format::record::{parse_head, write_head};
use indelible::format::tree::Frontier;

use super::memory::Memory;
use super::workshop::Workshop;
use crate::need::shared;

/// A log to tamper with.
#[derive(Debug)]
pub(crate) struct Specimen {
    pub(crate) name: String,
    pub(crate) folder: Memory,
    /// From the oldest to the newest.
    pub(crate) segments: Vec<Segment>,
    /// How many records a checkpoint covers.
    pub(crate) mark: u64,
    pub(crate) log: Whose,
    /// The folder as it was at earlier moments, at each of which all of it was signed.
    pub(crate) earlier: Vec<Memory>,
}

/// Whose log it is.
#[derive(Clone, Debug)]
pub(crate) struct Whose {
    pub(crate) key: Arc<SignerKey>,
    pub(crate) log_id: LogId,
    pub(crate) origin: Origin,
}

impl Whose {
    /// The prune record that gives up `files` files, all that is before `kept`.
    pub(crate) fn prune(&self, kept: &Line, files: u64) -> Announcement {
        Announcement::Prune(Prune {
            format: 1,
            log_id: self.log_id,
            origin: self.origin.clone(),
            keys: vec![self.key.verifier_key()],
            first_kept_seq: kept.seq,
            last_pruned_hash: kept.link().prev_hash,
            files,
            reason: "max_files".to_owned(),
        })
    }
}

/// One file of records.
#[derive(Clone, Debug)]
pub(crate) struct Segment {
    pub(crate) name: String,
    pub(crate) lines: Vec<Line>,
}

/// One record, with its line feed.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) bytes: Vec<u8>,
    pub(crate) offset: usize,
    pub(crate) seq: u64,
}

impl Segment {
    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.lines.iter().flat_map(|line| line.bytes.clone()).collect()
    }

    pub(crate) fn size(&self) -> usize {
        self.lines.last().map_or(0, Line::end)
    }
}

impl Line {
    /// Where the next one begins.
    pub(crate) fn end(&self) -> usize {
        self.offset + self.bytes.len()
    }

    pub(crate) fn link(&self) -> Link<'_> {
        Link::split(self.bytes.strip_suffix(b"\n").unwrap()).unwrap()
    }
}

impl Specimen {
    pub(crate) fn of(
        name: impl Into<String>,
        folder: Memory,
        log: Whose,
        earlier: Vec<Memory>,
    ) -> Self {
        let name = name.into();
        let segments = segments(&folder);
        let mark = size_of(folder.get("checkpoint"));
        Self { name, folder, segments, mark, log, earlier }
    }

    pub(crate) fn newest(&self) -> &Segment {
        self.segments.last().unwrap()
    }

    pub(crate) fn verifier_key(&self) -> VerifierKey {
        self.log.key.verifier_key()
    }

    /// The folder with other lines.
    pub(crate) fn with(&self, segments: &[Segment]) -> Memory {
        let mut folder = self.folder.clone();
        for segment in segments {
            folder.put(&segment.name, segment.bytes());
        }
        folder
    }
}

/// The records of a folder.
pub(crate) fn segments(folder: &Memory) -> Vec<Segment> {
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
pub(crate) fn size_of(note: &[u8]) -> u64 {
    std::str::from_utf8(note).unwrap().lines().nth(1).unwrap().parse().unwrap()
}
/// A line of `checkpoints.jsonl`.
pub(crate) fn note_line(note: &[u8]) -> Vec<u8> {
    let note = std::str::from_utf8(note).unwrap();
    format!("{}\n", serde_json::json!({ "note": note })).into_bytes()
}

/// A record of the log's own that follows `last`.
pub(crate) fn own_line(
    log: &Whose,
    what: &Announcement,
    last: &Line,
    sign: &mut dyn FnMut(&[u8]) -> SignatureLine,
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
pub(crate) fn checkpoint(log: &Whose, leaves: &[u8], size: u64) -> Vec<u8> {
    let mut tree = Frontier::new();
    for leaf in leaves.chunks_exact(32).take(usize::try_from(size).unwrap()) {
        tree.push(Hash::from_bytes(leaf.try_into().unwrap()));
    }
    let origin = log.origin.clone();
    Checkpoint { origin, size, root: tree.root() }.sign(&log.key).encode()
}
/// Events of few bytes.
pub(crate) fn terse(count: usize, from: usize) -> Vec<Event> {
    (from..from + count).map(|number| Event::new("a", "b", format!("r{number}"))).collect()
}

/// The log of which every byte is changed.
#[cfg(test)]
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
pub(crate) fn events() -> &'static [Event] {
    static EVENTS: OnceLock<Vec<Event>> = OnceLock::new();
    EVENTS.get_or_init(|| {
        let made = |number: usize| {
            Event::new("agent:7", "tool.call:search", format!("airline/user/{number}"))
                .event_id(format!("call_{number}"))
                .session(serde_json::json!({"id": "s-1", "turn": number}))
                .metadata(serde_json::json!({"result": "\"x\"".repeat(40 + number % 90)}))
        };
        let path = shared().join("data/agent-tool-calls.jsonl");
        let Ok(text) = std::fs::read(path) else { return (0..600).map(made).collect() };
        let lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        lines.map(|line| Event::from_json(line).unwrap()).collect()
    })
}

/// A log with files as full as the smallest ones get.
#[cfg(test)]
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
