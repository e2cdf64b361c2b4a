//! Takes the chance out of a log that the engine made: other ids and salts, drawn from the seed, and everything that
//! follows from them hashed and signed again. So a case is the same whenever it is tried.

use std::collections::HashMap;

use fastrand::Rng;
use indelible::format::chain::{Hash, Link, seal};
use indelible::format::identity::LogId;
use indelible::format::own::signed_text;
use indelible::format::tree::leaf_hash;

use super::memory::Memory;
use super::specimen::{Whose, checkpoint, note_line, segments, size_of};

/// Bytes of `,"salt":"…"`.
const SALT_SIZE: usize = 32;
const BEFORE_SALT: &[u8] = b",\"salt\":\"";
const BEFORE_SIGNED: &[u8] = b",\"signed\":\"";

/// The last state of a log and its earlier ones, and whose it then is.
pub(crate) fn steady(
    folder: &Memory,
    earlier: &[Memory],
    log: &Whose,
    rng: &mut Rng,
) -> (Memory, Vec<Memory>, Whose) {
    let mut bits = [0; 16];
    rng.fill(&mut bits);
    let new = Whose { log_id: LogId::from_bytes(bits), ..log.clone() };
    let (old_id, new_id) = (log.log_id.to_string(), new.log_id.to_string());
    let mut steadied = Steadied {
        log: &new,
        ids: (old_id.into_bytes(), new_id.into_bytes()),
        rng,
        salts: HashMap::new(),
        hashes: HashMap::from([(Hash::ZERO, Hash::ZERO)]),
        leaves: HashMap::new(),
        notes: HashMap::new(),
    };
    let earlier: Vec<Memory> = earlier.iter().map(|folder| steadied.folder(folder)).collect();
    let folder = steadied.folder(folder);
    (folder, earlier, new)
}

struct Steadied<'a> {
    log: &'a Whose,
    ids: (Vec<u8>, Vec<u8>),
    rng: &'a mut Rng,
    /// What stands for what.
    salts: HashMap<Vec<u8>, Vec<u8>>,
    hashes: HashMap<Hash, Hash>,
    leaves: HashMap<Vec<u8>, Hash>,
    notes: HashMap<u64, Vec<u8>>,
}

impl Steadied<'_> {
    fn folder(&mut self, folder: &Memory) -> Memory {
        let mut new = folder.clone();
        for segment in segments(folder) {
            let lines: Vec<u8> =
                segment.lines.iter().flat_map(|line| self.line(&line.link())).collect();
            new.put(&segment.name, lines);
        }
        let row = folder.get("tree/0");
        let row: Vec<u8> =
            row.chunks_exact(32).flat_map(|leaf| *self.leaves[leaf].as_bytes()).collect();
        new.put("checkpoint", self.note(size_of(folder.get("checkpoint")), &row));
        if let Some(noted) = folder.find("checkpoints.jsonl") {
            let size = |line: &str| line.split("\\n").nth(1).unwrap().parse().unwrap();
            let sizes: Vec<u64> = std::str::from_utf8(noted).unwrap().lines().map(size).collect();
            let lines = sizes.into_iter().flat_map(|size| note_line(&self.note(size, &row)));
            new.put("checkpoints.jsonl", lines.collect::<Vec<u8>>());
        }
        new.put("tree/0", row);
        new
    }

    fn note(&mut self, size: u64, row: &[u8]) -> Vec<u8> {
        // No history here forks: of one size there is one root.
        self.notes.entry(size).or_insert_with(|| checkpoint(self.log, row, size)).clone()
    }

    fn line(&mut self, link: &Link<'_>) -> Vec<u8> {
        let mut entry = replaced(link.entry_head, &self.ids.0, &self.ids.1);
        // A prune record names the last hash that it gives up.
        if let Some(at) = find(&entry, b"\"last_pruned_hash\":\"") {
            let at = at + 20;
            let old =
                std::str::from_utf8(&entry[at..at + 64]).ok().and_then(|old| old.parse().ok());
            if let Some(new) = old.and_then(|old: Hash| self.hashes.get(&old)) {
                entry.splice(at..at + 64, new.to_string().into_bytes());
            }
        }
        self.salt(&mut entry);
        if let Some(from) = find(&entry, BEFORE_SIGNED)
            && find(&entry, b"\"action\":\"indelible.").is_some()
            && let Some(text) = signed_text(&entry, &self.log.log_id)
        {
            let start = from + BEFORE_SIGNED.len();
            let end = start + find(&entry[start..], b"\"").unwrap();
            entry.splice(start..end, self.log.key.sign(&text).to_string().into_bytes());
        }
        let prev = self.hashes[&link.prev_hash];
        let hash = seal(&mut entry, 0, &prev);
        entry.push(b'\n');
        self.hashes.insert(link.hash, hash);
        self.leaves.insert(leaf_hash(&link.hash).as_bytes().to_vec(), leaf_hash(&hash));
        entry
    }

    fn salt(&mut self, entry: &mut Vec<u8>) {
        let Some(at) = entry.len().checked_sub(SALT_SIZE) else { return };
        if !entry[at..].starts_with(BEFORE_SALT) {
            return;
        }
        let (from, to) = (at + BEFORE_SALT.len(), entry.len() - 1);
        let old = entry[from..to].to_vec();
        let rng = &mut *self.rng;
        let new = self.salts.entry(old).or_insert_with(|| {
            let mut salt: Vec<u8> = (0..21).map(|_| letter(rng)).collect();
            salt.push(b"AQgw"[rng.usize(..4)]);
            salt
        });
        entry.splice(from..to, new.iter().copied());
    }
}

fn letter(rng: &mut Rng) -> u8 {
    u8::try_from(rng.alphanumeric()).unwrap()
}

/// Where `what` first stands in `bytes`.
pub(crate) fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

/// `bytes` with `to` in the first place of `from`, wherever it stands.
pub(crate) fn replaced(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let Some(at) = find(bytes, from) else { return bytes.to_vec() };
    [&bytes[..at], to, &bytes[at + from.len()..]].concat()
}
