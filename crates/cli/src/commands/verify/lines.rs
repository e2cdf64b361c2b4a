//! Checks the lines of a log that come one after the other, without its folder: form, hash, chain, tree.
//!
//! Memory does not grow with the log: the tree is kept as its frontier, findings are counted and the first are kept.

use std::collections::BTreeMap;
use std::fmt;

use indelible::format::chain::Hash;
use indelible::format::checkpoint::Checkpoint;
use indelible::format::note::VerifierKey;
use indelible::format::own::OwnRecord;
use indelible::format::record::{Content, Record};
use indelible::format::time::Timestamp;
use indelible::format::tree::{Frontier, leaf_hash};

/// So many findings are told one by one.
const TOLD_MAX: usize = 20;

/// So many records in a row that can't be had are counted one by one.
const SKIPPED_MAX: usize = 100_000;

/// What is known of the lines that came so far.
#[derive(Debug, Default)]
pub(super) struct LineCheck {
    first: Option<u64>,
    /// What the first record is linked to.
    before_first: Option<Hash>,
    /// Whether a signed record says that what lay before the first one was pruned.
    announced: bool,
    last: Option<Seen>,
    /// Leaves of all records; of no use where the first ones were pruned.
    tree: Frontier,
    /// The checkpoints to compare, by size, and by what to call them.
    checkpoints: BTreeMap<u64, Vec<(String, Hash)>>,
    /// The hash that a record must have.
    receipts: BTreeMap<u64, Hash>,
    /// The keys that were given; without any, those that the log itself names count.
    given: Vec<VerifierKey>,
    /// The keys that the log itself names.
    named: Vec<VerifierKey>,
    pub(super) findings: Findings,
    pub(super) held: Held,
}

/// How the service's own newest checkpoint is called; it is none that was kept.
pub(super) const NEWEST: &str = "the newest checkpoint";

/// How much of what was kept outside holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) checkpoints: u64,
    pub(super) receipts: u64,
}

impl Held {
    /// A checkpoint of that name holds.
    pub(super) fn checkpoint(&mut self, name: &str) {
        if name != NEWEST {
            self.checkpoints += 1;
        }
    }
}

impl fmt::Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { checkpoints, receipts } = *self;
        let plural = |count: u64| if count == 1 { "" } else { "s" };
        match (checkpoints, receipts) {
            (_, 0) => write!(f, "{checkpoints} kept checkpoint{}", plural(checkpoints))?,
            (0, _) => write!(f, "{receipts} receipt{}", plural(receipts))?,
            _ => {
                let (of_checkpoints, of_receipts) = (plural(checkpoints), plural(receipts));
                write!(
                    f,
                    "{checkpoints} kept checkpoint{of_checkpoints} and {receipts} receipt{of_receipts}"
                )?;
            }
        }
        f.write_str(if checkpoints + receipts == 1 { " holds" } else { " hold" })
    }
}

#[derive(Clone, Copy, Debug)]
struct Seen {
    seq: u64,
    hash: Hash,
    timestamp: Timestamp,
    /// Whether it was no record: then hash and time are those of one before it.
    is_placeholder: bool,
}

/// What is wrong.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub(super) told: Vec<String>,
    pub(super) count: u64,
}

impl Findings {
    pub(super) fn add(&mut self, finding: String) {
        self.count += 1;
        if self.told.len() < TOLD_MAX {
            self.told.push(finding);
        }
    }
}

impl LineCheck {
    /// Only signatures by these keys count, where there is any.
    pub(super) fn with_keys(mut self, keys: Vec<VerifierKey>) -> Self {
        self.given = keys;
        self
    }

    /// The keys whose signatures count.
    pub(super) fn keys(&self) -> &[VerifierKey] {
        if self.given.is_empty() { &self.named } else { &self.given }
    }

    /// Also holds the log against a checkpoint.
    pub(super) fn with_checkpoint(&mut self, name: &str, checkpoint: &Checkpoint) {
        let of_size = self.checkpoints.entry(checkpoint.size).or_default();
        of_size.push((name.to_owned(), checkpoint.root));
    }

    /// Also holds the log against a receipt.
    pub(super) fn with_receipt(&mut self, seq: u64, hash: Hash) {
        if self.receipts.insert(seq, hash).is_some_and(|other| other != hash) {
            self.findings.add(format!("receipts: two for record {seq} name different hashes"));
        }
    }

    /// The first record that came; above 0 where those before it were pruned.
    pub(super) fn first(&self) -> Option<u64> {
        self.first
    }

    /// The seq behind the last record that came.
    pub(super) fn end(&self) -> u64 {
        self.last.map_or(0, |last| last.seq.saturating_add(1))
    }

    /// Takes the next line.
    pub(super) fn line(&mut self, line: &[u8]) {
        let expected = self.last.map(|last| last.seq.saturating_add(1));
        let record = match Record::parse(line) {
            Ok(record) => record,
            Err(fault) => {
                let place = expected.map_or_else(|| "the first".to_owned(), |seq| seq.to_string());
                self.findings.add(format!(
                    "record {place}: not as it was written (damage or tampering): {fault}"
                ));
                // What follows is held against what it would have been, where its link can be read.
                match Record::parse_newer(line) {
                    Ok(record) => record,
                    Err(_) => return self.skip(),
                }
            }
        };
        let (seq, hash, timestamp) = (record.seq(), record.hash(), record.timestamp());
        match self.last {
            None => {
                (self.first, self.before_first) = (Some(seq), Some(record.prev_hash()));
                if seq == 0 && record.prev_hash() != Hash::ZERO {
                    self.findings.add("record 0: it is linked to a record before it".to_owned());
                }
            }
            Some(last) => {
                if seq != last.seq.saturating_add(1) {
                    self.findings.add(format!("record {seq} follows record {}", last.seq));
                }
                if last.is_placeholder {
                    // What that record's hash had to be: who kept it can tell which line was there.
                    self.findings.add(format!(
                        "record {seq}: it is linked to a record {} whose hash was {}",
                        last.seq,
                        record.prev_hash()
                    ));
                } else if record.prev_hash() != last.hash {
                    self.findings
                        .add(format!("record {seq}: it is not linked to the one before it"));
                }
                if timestamp < last.timestamp {
                    self.findings.add(format!("record {seq}: it is older than the one before it"));
                }
            }
        }
        self.own(&record);
        if let Some(kept) = self.receipts.remove(&seq) {
            if kept == hash {
                self.held.receipts += 1;
            } else {
                self.findings.add(format!("record {seq}: its receipt names another hash"));
            }
        }
        self.last = Some(Seen { seq, hash, timestamp, is_placeholder: false });
        self.grow(leaf_hash(&hash));
    }

    /// Takes note of what the log says of itself.
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "all others say nothing that is checked here"
    )]
    fn own(&mut self, record: &Record<'_>) {
        match record.content() {
            Content::Own(OwnRecord::Create(create)) => self.named.push(create.key.clone()),
            Content::Own(own @ OwnRecord::Prune(prune)) => {
                let prune = &prune.what;
                self.named.extend(prune.keys.clone());
                self.announced |= self.first == Some(prune.first_kept_seq)
                    && self.before_first == Some(prune.last_pruned_hash)
                    && own.verify_signed(record.entry_head(), &prune.log_id, self.keys());
            }
            Content::Redacted => self.findings.add(format!(
                "record {}: redacted; whether that was announced is for `indelible verify DIR` to say",
                record.seq()
            )),
            _ => {}
        }
    }

    /// A record that can't be had, or a line that can't even be placed: the chain goes on behind it.
    fn skip(&mut self) {
        if let Some(last) = &mut self.last {
            last.seq = last.seq.saturating_add(1);
            last.is_placeholder = true;
        }
        self.grow(Hash::ZERO);
    }

    /// Takes note of records that could not be had.
    pub(super) fn unreadable(&mut self, first: u64, end: u64, why: &str) {
        let last = end.saturating_sub(1);
        let place = if last > first {
            format!("records {first} to {last}")
        } else {
            format!("record {first}")
        };
        self.findings.add(format!(
            "{place}: the service could not read what stands there: {why}; verify the folder"
        ));
        // However many a service names: the tree is lost in any case.
        (first..end).take(SKIPPED_MAX).for_each(|_| self.skip());
    }

    fn grow(&mut self, leaf: Hash) {
        if self.first != Some(0) {
            return;
        }
        self.tree.push(leaf);
        let size = self.tree.size();
        if let Some(of_size) = self.checkpoints.remove(&size) {
            let root = self.tree.root();
            for (name, kept) in of_size {
                if kept == root {
                    self.held.checkpoint(&name);
                } else {
                    self.findings.add(format!(
                        "{name}: the first {size} records do not have the root that it states"
                    ));
                }
            }
        }
    }

    /// No line comes any more: the checkpoints that are left are returned, where the log does not begin at 0 and they must be
    /// compared otherwise.
    pub(super) fn finish(&mut self) -> Vec<(String, u64, Hash)> {
        let end = self.end();
        if let Some(first) = self.first.filter(|first| *first > 0 && !self.announced) {
            self.findings.add(format!(
                "records before {first} are missing, and no signed record announces that they were pruned"
            ));
        }
        for seq in std::mem::take(&mut self.receipts).into_keys() {
            if self.first.is_some_and(|first| seq < first) {
                continue;
            }
            self.findings.add(format!("record {seq}: there is a receipt for it, and no record"));
        }
        let left = std::mem::take(&mut self.checkpoints);
        let left = left.into_iter().flat_map(|(size, of_size)| {
            of_size.into_iter().map(move |(name, root)| (name, size, root))
        });
        // A tree that was built up to its end has been held against every size that it had.
        let is_whole = self.first == Some(0);
        let (behind, inside): (Vec<_>, Vec<_>) =
            left.partition(|(_, size, _)| *size > end || (is_whole && *size > 0));
        for (name, size, _) in behind {
            self.findings.add(format!("{name}: it covers {size} records, and the log has {end}"));
        }
        inside.into_iter().filter(|(_, size, _)| *size > 0).collect()
    }

    /// The hash of the last record before `size`, where that is the last one that came.
    pub(super) fn last_hash(&self) -> Option<Hash> {
        self.last.map(|last| last.hash)
    }
}

#[cfg(test)]
mod tests {
    use indelible::{AuditLog, Event, Options, Reader};

    use super::*;

    /// The lines of a log with ten records, and its newest checkpoint.
    fn lines() -> (Vec<Vec<u8>>, Checkpoint) {
        let place = tempfile::tempdir().expect("a folder");
        let folder = place.path().join("audit");
        let log = AuditLog::create(&folder, Options::default()).expect("a log");
        for n in 1..10 {
            log.append(Event::new("a", format!("act-{n}"), "c")).expect("appended");
        }
        let note = log.checkpoint().expect("a checkpoint");
        let checkpoint = Checkpoint::open(note.as_bytes(), &[]).expect("a checkpoint").checkpoint;
        log.close().expect("closed");
        let records = Reader::open(&folder).and_then(|reader| reader.last(100)).expect("records");
        (records.into_iter().map(|record| record.line).collect(), checkpoint)
    }

    fn check(lines: &[Vec<u8>], checkpoint: &Checkpoint) -> Findings {
        let mut check = LineCheck::default();
        check.with_checkpoint("kept", checkpoint);
        for line in lines {
            check.line(line);
        }
        assert!(check.finish().is_empty());
        check.findings
    }

    #[test]
    fn what_was_written_is_sound() {
        let (lines, checkpoint) = lines();
        assert_eq!((lines.len(), checkpoint.size), (10, 10));
        assert_eq!(check(&lines, &checkpoint).told, Vec::<String>::new());
    }

    #[test]
    fn a_changed_a_missing_a_swapped_and_a_repeated_line_are_found() {
        let (whole, checkpoint) = lines();
        let mut changed = whole.clone();
        let text = String::from_utf8(changed[4].clone()).expect("text").replace("act-4", "act-5");
        changed[4] = text.into_bytes();
        let (mut missing, mut swapped, mut repeated) =
            (whole.clone(), whole.clone(), whole.clone());
        missing.remove(4);
        swapped.swap(4, 5);
        repeated.insert(4, whole[4].clone());
        for lines in [changed, missing, swapped, repeated, whole[..9].to_vec()] {
            assert!(check(&lines, &checkpoint).count > 0);
        }
    }

    #[test]
    fn another_log_of_the_same_size_is_found_by_a_kept_checkpoint_alone() {
        let ((_, kept), (other, own)) = (lines(), lines());
        assert_eq!(check(&other, &own).count, 0);
        let findings = check(&other, &kept);
        assert_eq!(
            findings.told,
            ["kept: the first 10 records do not have the root that it states"]
        );
    }

    #[test]
    fn what_holds_is_told_by_what_it_is_and_the_newest_checkpoint_is_none_of_it() {
        for (checkpoints, receipts, text) in [
            (1, 0, "1 kept checkpoint holds"),
            (2, 0, "2 kept checkpoints hold"),
            (0, 1, "1 receipt holds"),
            (1, 1, "1 kept checkpoint and 1 receipt hold"),
            (1, 50, "1 kept checkpoint and 50 receipts hold"),
        ] {
            assert_eq!(Held { checkpoints, receipts }.to_string(), text);
        }
        let mut held = Held::default();
        held.checkpoint(NEWEST);
        assert_eq!(held, Held::default());
    }

    #[test]
    fn a_receipt_convicts() {
        let (whole, _) = lines();
        let hash = Record::parse(&whole[3]).expect("a record").hash();
        let mut good = LineCheck::default();
        good.with_receipt(3, hash);
        for line in &whole {
            good.line(line);
        }
        assert!(good.finish().is_empty());
        let held = Held { checkpoints: 0, receipts: 1 };
        assert_eq!((good.findings.count, good.held), (0, held));
        let mut bad = LineCheck::default();
        bad.with_receipt(3, Hash::ZERO);
        bad.with_receipt(10, hash);
        for line in &whole {
            bad.line(line);
        }
        assert!(bad.finish().is_empty());
        assert_eq!(bad.findings.count, 2);
    }
}
