//! What is run: a command, and the folder that it meets.

use std::path::{Path, PathBuf};

use indelible::Receipt;

use super::template::Template;

const MAX_FILES: &str = "--max-files";
/// How many rotated segments stay where it removes others.
pub(super) const KEPT: u32 = 1;

/// A command on a folder.
#[derive(Debug)]
pub(super) struct Scenario {
    pub(super) name: &'static str,
    pub(super) template: PathBuf,
    pub(super) args: Vec<String>,
    pub(super) key: Option<String>,
    /// What was acknowledged before, with the resource of each event.
    pub(super) receipts: Vec<(Receipt, String)>,
    /// The resources of what it sends, by line.
    pub(super) events: Vec<String>,
    /// Whether they may be recorded already.
    pub(super) sent_before: bool,
}

impl Scenario {
    /// Whether it makes the log.
    pub(super) fn creates(&self) -> bool {
        self.key.is_none()
    }

    /// Whether it removes segments.
    pub(super) fn prunes(&self) -> bool {
        self.args.iter().any(|arg| arg == MAX_FILES)
    }

    /// Whether it prints receipts.
    pub(super) fn appends(&self) -> bool {
        self.args.first().is_some_and(|verb| verb == "append")
    }
}

/// Every scenario, its folder made.
pub(super) fn all(binary: &Path, root: &Path) -> anyhow::Result<Vec<Scenario>> {
    let plain = append(&[]);
    let prune = append(&[MAX_FILES, &KEPT.to_string()]);
    let few = |template: Template| template.with_events(&[10, 3_000]);
    let large = |template: Template| template.with_events(&[20_000, 30_000, 20_000]);
    let mut scenarios = Vec::new();
    let mut add = |name, template: Template, args: &[String]| {
        scenarios.push(Scenario {
            name,
            template: template.place,
            args: args.to_vec(),
            key: template.key,
            receipts: template.receipts,
            events: template.events,
            sent_before: template.sent_before,
        });
    };
    let empty = |name: &str| Template::empty(root, name);
    let small = |name: &str| Template::small(root, name);
    let full = |name: &str, rotated| Template::full(root, name, rotated);

    add("init", empty("init")?, &words(&["init", "audit", "--origin", "example.com/torture"]));
    let create = append(&["--create", "--origin", "example.com/torture"]);
    add("append --create", few(empty("create")?)?, &create);
    let left = empty("init-again")?.killed(
        binary,
        &words(&["init", "audit", "--origin", "example.com/torture"]),
        ("renameat2", "audit.creating", 1),
    )?;
    add("init after a crash", left, &words(&["init", "audit", "--origin", "example.com/torture"]));
    add("append", few(small("append")?)?, &plain);
    add("rotate", large(full("rotate", 0)?)?, &plain);
    add("rotate and prune", large(full("prune", 2)?)?, &prune);
    add("checkpoint", small("checkpoint")?, &words(&["checkpoint", "audit"]));

    add(
        "recover a torn tail",
        few(small("torn")?.torn("audit.log", b"{\"seq\":5,\"times")?)?,
        &plain,
    );
    add("recover missing pages", few(small("nuls")?.torn("audit.log", &[0; 700])?)?, &plain);
    let adopt =
        |name: &str| few(small(name)?)?.killed(binary, &plain, ("open", "audit/checkpoint.tmp", 1));
    add("adopt", adopt("adopt")?, &words(&["checkpoint", "audit"]));
    // The receipt of what lost its line feed can't have been given.
    let mut no_lf = adopt("no-lf")?.cut("audit.log", 1)?;
    no_lf.receipts.pop();
    add("recover a line without its end", no_lf, &plain);
    let notes = large(full("notes", 1)?)?.torn("checkpoints.jsonl", b"{\"note\":\"exam")?;
    let notes = notes.left_over("checkpoint.tmp")?.torn("tree/0", &[7; 45])?;
    add("recover notes and rows", notes, &plain);
    let shifted = |name: &str, call| large(full(name, 2)?)?.killed(binary, &prune, call);
    add("finish the renames", shifted("gap", ("renameat2", "audit/audit.log.2", 2))?, &prune);
    // The fallocate of the new file is the first thing that is done with it.
    add("finish a rotation", shifted("fresh", ("fallocate", "audit/audit.log", 2))?, &prune);
    let missing = shifted("missing", ("fsync", "audit", 2))?.without("audit.log")?;
    add("make the new segment", missing, &prune);
    let unfinished = shifted("unfinished", ("unlinkat", "audit/audit.log.3", 1))?;
    add("finish a prune", unfinished, &prune);
    let rows = full("rows", 1)?.cut("tree/0", 64)?;
    add("repair", rows, &words(&["repair", "audit", "--yes"]));
    Ok(scenarios)
}

fn append(more: &[&str]) -> Vec<String> {
    let always = ["append", "audit", "--file", "events.jsonl", "--receipts"];
    // One checkpoint, at the end: when the others come is up to the clock.
    let log = ["--max-file-size", "192KiB", "--checkpoint-interval", "1h"];
    words(&[always.as_slice(), log.as_slice(), more].concat())
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}
