//! Mutants by somebody who has the log's key: lines are changed, and everything after them is hashed and signed again,
//! so that only what the records say can still be wrong.

use std::path::Path;
use std::sync::Arc;

use fastrand::Rng;

use indelible::format::chain::{Hash, Link, seal};
use indelible::format::checkpoint::Checkpoint;
use indelible::format::identity::LogId;
use indelible::format::note::{Note, SignerKey, VerifierKey};
use indelible::format::own::signed_text;
use indelible::format::tree::{Frontier, leaf_hash};
use serde_json::Value;

use super::super::tamper::memory::Memory;
use super::super::tamper::specimen::Whose;

/// Who can sign for the log.
#[derive(Clone, Debug)]
pub(crate) struct Author {
    key: Arc<SignerKey>,
    log_id: LogId,
}

impl Author {
    pub(crate) fn of(log: &Whose) -> Self {
        Self { key: Arc::clone(&log.key), log_id: log.log_id }
    }

    pub(crate) fn verifier_key(&self) -> VerifierKey {
        self.key.verifier_key()
    }

    pub(crate) fn of_reference(reference: &Path) -> Self {
        let text = std::fs::read_to_string(reference.join("vectors.json")).unwrap();
        let json: Value = serde_json::from_str(&text).unwrap();
        let key: SignerKey = json["signer_key"].as_str().unwrap().parse().unwrap();
        Self { key: Arc::new(key), log_id: json["log_id"].as_str().unwrap().parse().unwrap() }
    }
}

/// A number from 0 to before `end`; 0 where there is none.
pub(crate) fn below(rng: &mut Rng, end: usize) -> usize {
    rng.usize(..end.max(1))
}

/// Changes lines of the log in `folder`, then hashes and signs everything again; says what was changed.
pub(crate) fn rewrite(folder: &mut Memory, author: &Author, rng: &mut Rng) -> String {
    let mut segments = segments(folder);
    let count: usize = segments.iter().map(|(_, lines)| lines.len()).sum();
    let mut target = below(rng, count);
    let mut what = "nothing to rewrite".to_owned();
    for (_, lines) in &mut segments {
        if target < lines.len() {
            what = change(lines, target, author, rng);
            break;
        }
        target -= lines.len();
    }
    let hashes = rehash(&mut segments);
    for (name, lines) in &segments {
        folder.put(name, lines.concat());
    }
    let mut leaves = folder.find("tree/0").unwrap_or_default().to_vec();
    for (seq, hash) in hashes {
        let at = seq * 32;
        leaves.resize(leaves.len().max(at + 32), 0);
        leaves[at..at + 32].copy_from_slice(leaf_hash(&hash).as_bytes());
    }
    // Mostly, for else every finding would be the same.
    if rng.u8(..8) > 0 {
        sign_again(folder, &leaves, author);
        folder.put("tree/0", leaves);
    }
    format!("rewritten: {what}")
}

/// Whole lines of each segment, from the oldest to the newest.
fn segments(folder: &Memory) -> Vec<(String, Vec<Vec<u8>>)> {
    let older = (1..12).rev().map(|number| format!("audit.log.{number}"));
    older
        .chain(["audit.log".to_owned()])
        .filter_map(|name| {
            let bytes = folder.find(&name)?;
            let lines = bytes.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
            Some((name, lines))
        })
        .collect()
}

fn change(lines: &mut Vec<Vec<u8>>, at: usize, author: &Author, rng: &mut Rng) -> String {
    match below(rng, 8) {
        0 => {
            lines.remove(at);
            "a line removed".to_owned()
        }
        1 => {
            let line = lines[below(rng, lines.len())].clone();
            lines.insert(at, line);
            "a line inserted".to_owned()
        }
        2 => {
            let other = below(rng, lines.len());
            lines.swap(at, other);
            "two lines swapped".to_owned()
        }
        3 => {
            let line = String::from_utf8_lossy(&lines[at]).into_owned();
            let (from, to) = PHRASES[below(rng, PHRASES.len())];
            lines[at] = line.replacen(from, to, 1).into_bytes();
            resign(&mut lines[at], author, rng);
            format!("{from} to {to}")
        }
        _ => {
            const BYTES: &[u8] = b"\"\\{}[]:,0123456789aZ .-+_u\x00\x1f\x7f\xc3\xa9\xff\t";
            let line = &mut lines[at];
            let place = below(rng, line.len().saturating_sub(157));
            let byte = BYTES[below(rng, BYTES.len())];
            let what = match below(rng, 3) {
                0 => {
                    line.insert(place, byte);
                    "inserted"
                }
                1 if !line.is_empty() => {
                    line.remove(place);
                    "removed"
                }
                _ => {
                    if let Some(old) = line.get_mut(place) {
                        *old = byte;
                    }
                    "set"
                }
            };
            resign(line, author, rng);
            format!("byte {place} {what} ({byte:#x})")
        }
    }
}

/// What a record says, and something else.
const PHRASES: &[(&str, &str)] = &[
    ("\"seq\":1", "\"seq\":2"),
    (":06.", ":05."),
    (":06.", ":60."),
    ("2026-01-02T", "2026-02-29T"),
    ("\"actor\":\"a\"", "\"actor\":\"indelible\""),
    ("\"actor\":\"a\"", "\"actor\":\"\""),
    ("\"actor\":\"a\"", "\"actor\":\"\\u0061\""),
    ("\"actor\":\"a\"", "\"event_id\":\"e\",\"actor\":\"a\""),
    ("\"actor\":\"a\"", "\"event_time\":\"2026-01-02T03:04:05+23:59\",\"actor\":\"a\""),
    ("\"action\":\"b\"", "\"action\":\"indelible.log.recover\""),
    ("\"resource\":\"r", "\"resource\":\"\\ud83d\\uddff"),
    ("\"resource\":\"r", "\"resource\":\"\\ud83d"),
    ("\"}", "\",\"session\":{\"a\":[1.0,-0e+5,null]}}"),
    ("\",\"_prev_hash", "\",\"session\":{\"a\":[1.0,-0e+5,null],\"b\":{}},\"_prev_hash"),
    ("\",\"_prev_hash", "\",\"outcome\":\"denied\",\"parent_id\":\"p\",\"_prev_hash"),
    ("\",\"_prev_hash", "\",\"metadata\":{\"a\":1,\"a\":2},\"_prev_hash"),
    ("\",\"_prev_hash", "\",\"salt\":\"AAECAwQFBgcICQoLDA0ODw\",\"_prev_hash"),
    ("\",\"_prev_hash", "\",\"recorded_by\":\"x\",\"_prev_hash"),
    ("}},\"_prev_hash", "}},\"_prev_hash\":\"\",\"_prev_hash"),
    ("example.com/audit\",\"meta", "example.com/other\",\"meta"),
    ("\"format\":1", "\"format\":2"),
    ("\"format\":1,", "\"format\":1,\"more\":0,"),
    ("\"log_id\":\"00", "\"log_id\":\"01"),
    ("\"first_kept_seq\":6", "\"first_kept_seq\":7"),
    ("\"first_kept_seq\":6", "\"first_kept_seq\":0"),
    ("\"first_kept_seq\":6", "\"first_kept_seq\":5"),
    ("\"first_kept_seq\":1", "\"first_kept_seq\":2"),
    ("\"reason\":\"", "\"reason\":\"more "),
    ("\"metadata\":{\"seq\":3", "\"metadata\":{\"seq\":4"),
    ("indelible.log.prune", "indelible.log.prone"),
    ("indelible.log.redact", "indelible.clock.behind"),
    ("indelible.log.create", "indelible.service.begin"),
    ("indelible.log.create", "indelible.service.start"),
];

/// Signs a record of the log's own anew where it carries a signature; mostly.
fn resign(line: &mut Vec<u8>, author: &Author, rng: &mut Rng) {
    let Some(end) = line.len().checked_sub(157) else { return };
    let entry = line[..end].to_vec();
    let Some(from) = find(&entry, b",\"signed\":\"") else { return };
    let Some(text) = signed_text(&entry, &author.log_id).filter(|_| below(rng, 5) > 0) else {
        return;
    };
    let signed = format!(",\"signed\":\"{}\"}}", author.key.sign(&text));
    line.splice(from..end, signed.into_bytes());
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

/// Links every line to the one before it, and hashes it; redacted ones keep their hash. Hashes by seq, as far as the
/// lines say one that is near.
fn rehash(segments: &mut [(String, Vec<Vec<u8>>)]) -> Vec<(usize, Hash)> {
    let mut hashes = Vec::new();
    let mut last: Option<Hash> = None;
    for line in segments.iter_mut().flat_map(|(_, lines)| lines) {
        let body = line.strip_suffix(b"\n").unwrap_or(line);
        let Ok(link) = Link::split(body) else { continue };
        let redacted = link.entry_head.ends_with(b"\"redacted\":true");
        let prev = last.unwrap_or(link.prev_hash);
        let mut sealed = link.entry_head.to_vec();
        let mut hash = seal(&mut sealed, 0, &prev);
        if redacted {
            hash = link.hash;
        } else {
            sealed.push(b'\n');
            *line = sealed;
        }
        let seq = line.get(7..).and_then(|rest| {
            let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
            String::from_utf8_lossy(&rest[..digits]).parse::<usize>().ok()
        });
        hashes.extend(seq.filter(|seq| *seq < 100).map(|seq| (seq, hash)));
        last = Some(hash);
    }
    hashes
}

/// Signs every note of the folder anew, over what the leaves give for its size.
fn sign_again(folder: &mut Memory, leaves: &[u8], author: &Author) {
    let leaves: Vec<Hash> =
        leaves.chunks_exact(32).map(|leaf| Hash::from_bytes(leaf.try_into().unwrap())).collect();
    let again = |bytes: &[u8]| -> Option<String> {
        let note = Note::parse(bytes).ok()?;
        let mut checkpoint = Checkpoint::parse_text(&note.text).ok()?;
        let mut tree = Frontier::new();
        let size = usize::try_from(checkpoint.size).ok()?;
        leaves.get(..size)?.iter().for_each(|leaf| tree.push(*leaf));
        checkpoint.root = tree.root();
        String::from_utf8(checkpoint.sign(&author.key).encode()).ok()
    };
    if let Some(note) = folder.find("checkpoint").and_then(again) {
        folder.put("checkpoint", note);
    }
    let Some(lines) = folder.find("checkpoints.jsonl") else { return };
    let lines = lines.split_inclusive(|byte| *byte == b'\n').flat_map(|line| {
        let json = serde_json::from_slice::<Value>(line).ok();
        let note = json.and_then(|json| again(json["note"].as_str()?.as_bytes()));
        note.map_or(line.to_vec(), |note| {
            format!("{}\n", serde_json::json!({ "note": note })).into_bytes()
        })
    });
    let lines: Vec<u8> = lines.collect();
    folder.put("checkpoints.jsonl", lines);
}
