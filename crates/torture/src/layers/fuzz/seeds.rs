//! What a target begins with: the golden vectors, real events where they are at hand, and the files in `fuzz/seeds`.

#![expect(clippy::disallowed_methods, reason = "a corpus is no log: files of the machine will do")]

use std::fs;
use std::path::Path;

use anyhow::Context;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::need::shared;

/// How many real events are seeds: enough to have every shape of them.
const EVENTS: usize = 200;
/// Choices of an input that is an enum, as `arbitrary` reads them: its first variant, its second of three, its second of
/// four.
const FIRST: &[u8] = &[0, 0, 0, 0];
const SECOND_OF_3: &[u8] = &[0, 0, 0, 0x80];
const SECOND_OF_4: &[u8] = &[0, 0, 0, 0x60];

/// Writes them into a new folder.
pub(super) fn write(repository: &Path, target: &str, folder: &Path) -> anyhow::Result<()> {
    fs::create_dir(folder).context("no folder for a corpus")?;
    let vectors = |name: &str| -> anyhow::Result<Value> {
        let text = fs::read(repository.join("vectors").join(name)).context("no golden vectors")?;
        Ok(serde_json::from_slice(&text)?)
    };
    let seeds: Vec<Vec<u8>> = match target {
        "line" => {
            let mut lines = strings(&vectors("lines.json")?, "line_base64");
            lines.extend(strings(&vectors("vectors.json")?, "line_base64"));
            let mut lines: Vec<Vec<u8>> =
                lines.iter().filter_map(|line| STANDARD.decode(line).ok()).collect();
            // What the target puts a head before and seals.
            lines.extend(
                events()
                    .iter()
                    .filter_map(|event| event.get(1..)?.strip_suffix(b"}").map(Vec::from)),
            );
            lines
        }
        "note" => bytes(&checkpoints(&vectors("vectors.json")?, &vectors("proofs.json")?)),
        "checkpoint" => {
            let notes = checkpoints(&vectors("vectors.json")?, &vectors("proofs.json")?);
            let texts = notes.iter().filter_map(|note| note.split_once("\n\n"));
            let texts: Vec<String> = texts.map(|(text, _)| format!("{text}\n")).collect();
            behind(FIRST, &bytes(&notes)).chain(behind(SECOND_OF_3, &bytes(&texts))).collect()
        }
        "proof" => behind(FIRST, &bytes(&strings(&vectors("proofs.json")?, "proof"))).collect(),
        "body" => {
            let events = events();
            let batches: Vec<Vec<u8>> = events.chunks(4).map(|some| some.join(&b'\n')).collect();
            behind(FIRST, &events).chain(behind(SECOND_OF_4, &batches)).collect()
        }
        "configuration" => {
            let shipped = fs::read(repository.join("packaging/indelible.toml"))?;
            behind(FIRST, &[shipped]).collect()
        }
        _ => Vec::new(),
    };
    for (number, seed) in seeds.iter().chain(&committed(repository, target)).enumerate() {
        fs::write(folder.join(format!("seed-{number:04}")), seed)?;
    }
    Ok(())
}

/// The files that are kept for a target; of a configuration, as raw text.
fn committed(repository: &Path, target: &str) -> Vec<Vec<u8>> {
    let Ok(entries) = fs::read_dir(repository.join("fuzz/seeds").join(target)) else {
        return Vec::new();
    };
    let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    let files = paths.iter().filter_map(|path| fs::read(path).ok());
    let prefix = if target == "configuration" { FIRST } else { &[] };
    files.map(|file| [prefix, &file].concat()).collect()
}

/// Real events; none where they are not at hand.
fn events() -> Vec<Vec<u8>> {
    let mut events = Vec::new();
    for name in ["agent-tool-calls.jsonl", "cloudtrail.jsonl"] {
        let Ok(text) = fs::read(shared().join("data").join(name)) else { continue };
        let lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        events.extend(lines.take(EVENTS / 2).map(Vec::from));
    }
    events
}

/// Every signed note in the vectors.
fn checkpoints(vectors: &Value, proofs: &Value) -> Vec<String> {
    let mut notes = strings(vectors, "checkpoint");
    notes.extend(strings(proofs, "kept"));
    notes
}

/// Every text with that name, at any depth.
fn strings(value: &Value, name: &str) -> Vec<String> {
    match value {
        Value::Object(members) => {
            let own = members.get(name).and_then(Value::as_str).map(str::to_owned);
            own.into_iter().chain(members.values().flat_map(|value| strings(value, name))).collect()
        }
        Value::Array(items) => items.iter().flat_map(|item| strings(item, name)).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
    }
}

fn bytes(texts: &[String]) -> Vec<Vec<u8>> {
    texts.iter().map(|text| text.clone().into_bytes()).collect()
}

fn behind<'b>(choice: &'b [u8], all: &'b [Vec<u8>]) -> impl Iterator<Item = Vec<u8>> + 'b {
    all.iter().map(move |bytes| [choice, bytes].concat())
}
