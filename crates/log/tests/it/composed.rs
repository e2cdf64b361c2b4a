//! A log that a test writes record by record, with its key: what its own records say, and where they stand, is up to the
//! test. Chain, rows and checkpoints are right, so that a finding is about what the records say.

use indelible::format::chain::{Hash, seal};
use indelible::format::checkpoint::Checkpoint;
use indelible::format::identity::{LogId, Origin};
use indelible::format::note::SignerKey;
use indelible::format::own::{Announcement, Create, OwnContext, Prune, write_own};
use indelible::format::record::write_head;
use indelible::format::time::Timestamp;
use indelible::format::tree::{Frontier, leaf_hash};
use indelible::storage::simulated::SimulatedDisk;

use crate::scene::{Head, disk, in_folder};

/// The log so far.
pub(crate) struct Composed {
    pub(crate) key: SignerKey,
    pub(crate) origin: Origin,
    pub(crate) log_id: LogId,
    /// Where the chain stands; the next record has its time.
    pub(crate) head: Head,
    /// The lines of each segment, oldest first.
    segments: Vec<Vec<u8>>,
    tree: Frontier,
    leaves: Vec<u8>,
    noted: Vec<u8>,
    checkpoint: Vec<u8>,
}

impl Composed {
    /// A log without a record.
    pub(crate) fn new() -> Self {
        let origin: Origin = "example.com/audit".parse().unwrap();
        let timestamp = Timestamp::from_unix_ns(1_700_000_000_000_000_000).unwrap();
        Self {
            key: SignerKey::from_seed(&origin, &[5; 32]),
            origin,
            log_id: LogId::from_bytes([3; 16]),
            head: Head { next_seq: 0, hash: Hash::ZERO, timestamp },
            segments: vec![Vec::new()],
            tree: Frontier::new(),
            leaves: Vec::new(),
            noted: Vec::new(),
            checkpoint: Vec::new(),
        }
    }

    /// A log with its genesis.
    pub(crate) fn begun() -> Self {
        let mut log = Self::new();
        let genesis = log.genesis();
        log.own(&genesis);
        log
    }

    pub(crate) fn genesis(&self) -> Announcement {
        Announcement::Create(self.create())
    }

    pub(crate) fn create(&self) -> Create {
        Create {
            format: 1,
            log_id: self.log_id,
            origin: self.origin.clone(),
            key: self.key.verifier_key(),
            continues: None,
        }
    }

    /// A prune record that keeps the records from `first_kept_seq` on, the one before which has this hash.
    pub(crate) fn prune(&self, first_kept_seq: u64, last_pruned_hash: Hash) -> Prune {
        Prune {
            format: 1,
            log_id: self.log_id,
            origin: self.origin.clone(),
            keys: vec![self.key.verifier_key()],
            first_kept_seq,
            last_pruned_hash,
            files: 1,
            reason: "max_files".to_owned(),
        }
    }

    fn add(&mut self, line: &[u8]) {
        self.segments.last_mut().unwrap().extend_from_slice(line);
        let leaf = leaf_hash(&self.head.hash);
        self.leaves.extend(leaf.as_bytes());
        self.tree.push(leaf);
        assert!(self.tree.size() < 256, "one row is enough");
    }

    /// Adds a record of the log's own, signed with its key; gives its seq.
    pub(crate) fn own(&mut self, what: &Announcement) -> u64 {
        let seq = self.head.next_seq;
        let mut line = Vec::new();
        write_head(&mut line, seq, self.head.timestamp);
        let context = OwnContext { log_id: self.log_id, origin: &self.origin };
        write_own(&mut line, 0, what, &context, &mut |message| self.key.sign(message));
        self.head.hash = seal(&mut line, 0, &self.head.hash);
        self.head.next_seq += 1;
        line.push(b'\n');
        self.add(&line);
        seq
    }

    /// Adds a client's record of some 1,700 bytes; gives its seq.
    pub(crate) fn event(&mut self) -> u64 {
        let line = self.head.record();
        self.add(&line);
        self.head.next_seq - 1
    }

    /// Adds a record with these fields; gives its seq.
    pub(crate) fn record_with(&mut self, fields: &str) -> u64 {
        let line = self.head.record_with(fields);
        self.add(&line);
        self.head.next_seq - 1
    }

    /// The lines of the newest segment.
    pub(crate) fn lines(&self) -> &[u8] {
        self.segments.last().unwrap()
    }

    /// Takes the content out of the last record, and leaves head and link, as a redaction does.
    pub(crate) fn redact_last(&mut self) {
        use indelible::format::chain::Link;
        let lines = self.segments.last_mut().unwrap();
        let start = lines[..lines.len() - 1].iter().rposition(|byte| *byte == b'\n').unwrap() + 1;
        let link = Link::split(&lines[start..lines.len() - 1]).unwrap();
        let blanked = format!(
            "{{\"seq\":{},\"timestamp\":\"{}\",\"redacted\":true,\"_prev_hash\":\"{}\",\"_hash\":\"{}\"}}\n",
            self.head.next_seq - 1,
            self.head.timestamp,
            link.prev_hash,
            link.hash
        );
        lines.truncate(start);
        lines.extend_from_slice(blanked.as_bytes());
    }

    /// Makes a checkpoint over what is there, and notes it.
    pub(crate) fn note(&mut self) {
        let (size, root) = (self.tree.size(), self.tree.root());
        let checkpoint = Checkpoint { origin: self.origin.clone(), size, root };
        let note = checkpoint.sign(&self.key).to_string();
        self.noted.extend(format!("{{\"note\":{}}}\n", serde_json::json!(note)).into_bytes());
        self.checkpoint = note.into_bytes();
    }

    /// Begins another segment, behind a checkpoint that is noted.
    pub(crate) fn rotate(&mut self) {
        self.note();
        self.segments.push(Vec::new());
    }

    /// The disk with the log, which a checkpoint covers whole.
    pub(crate) fn write(mut self) -> SimulatedDisk {
        self.note();
        self.write_uncovered()
    }

    /// The disk with the log, whose last checkpoint is the last that was noted.
    pub(crate) fn write_uncovered(self) -> SimulatedDisk {
        let disk = disk();
        for (number, lines) in self.segments.iter().rev().enumerate() {
            let name = if number == 0 { "audit.log".into() } else { format!("audit.log.{number}") };
            disk.write_file(in_folder(&name), lines.clone()).unwrap();
        }
        disk.write_file(in_folder("tree/0"), self.leaves).unwrap();
        disk.write_file(in_folder("checkpoints.jsonl"), self.noted).unwrap();
        disk.write_file(in_folder("checkpoint"), self.checkpoint).unwrap();
        disk.plant_folder(in_folder("quarantine")).unwrap();
        let key = format!("{}\n", self.key.encode().as_str());
        disk.write_file("/logs/audit.key", key).unwrap();
        disk.set_mode("/logs/audit.key", 0o600).unwrap();
        disk
    }
}
