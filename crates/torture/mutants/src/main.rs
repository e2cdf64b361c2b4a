//! Puts all mutants of cargo-mutants' list into one build: rewrites files in place, of a copy of the workspace.
//!
//! cargo-mutants builds anew for each mutant, which takes hours. Here each is behind `crate::mutant::on(NUMBER)`, and the
//! environment says which one is on when a program starts; `switch.rs` is that module. `.ci/mutants.py` makes the copy, calls
//! this, leaves out the mutants that do not compile, and runs the tests.
//!
//! Usage: `indelible-mutants ROOT < REQUEST > ANSWER`, both JSON. The request has the mutants, each with its number beside
//! what cargo-mutants says of it. The answer has which bytes of the new files belong to which mutant, so that an error of the
//! compiler tells what to leave out; and which mutants can't be expressed, with the reason.
//!
//! It does not judge anything, and does not look into macros; nor does cargo-mutants.

mod edits;
mod request;
mod rewrite;

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use anyhow::{Context as _, bail};

use crate::request::{Answer, Mutant};

/// What each crate gets as its module `mutant`.
const SWITCH: &str = include_str!("switch.rs");

fn main() -> anyhow::Result<()> {
    let root = std::env::args_os().nth(1).context("usage: indelible-mutants ROOT < REQUEST")?;
    let mutants: Vec<Mutant> =
        serde_json::from_reader(io::stdin().lock()).context("the request")?;
    let mut answer = Answer::default();
    let mut of_files: BTreeMap<&str, Vec<&Mutant>> = BTreeMap::new();
    for mutant in &mutants {
        of_files.entry(&mutant.file).or_default().push(mutant);
    }
    for (file, mutants) in of_files {
        let path = Path::new(&root).join(file);
        let source = std::fs::read_to_string(&path).with_context(|| format!("read {file}"))?;
        let rewritten = rewrite::rewrite(&source, &mutants).with_context(|| file.to_owned())?;
        answer.regions.insert(file.to_owned(), rewritten.regions);
        answer.inexpressible.extend(rewritten.inexpressible);
        answer.constant.extend(rewritten.constant);
        replace(&path, &rewritten.text)?;
    }
    for file in mutants
        .iter()
        .map(|mutant| crate_of(&mutant.file))
        .collect::<Result<std::collections::BTreeSet<_>, _>>()?
    {
        add_switch(&Path::new(&root).join(file))?;
    }
    serde_json::to_writer(io::stdout().lock(), &answer).context("the answer")
}

/// `crates/NAME/src` of a file below it.
fn crate_of(file: &str) -> anyhow::Result<&str> {
    match file.split_once("/src/") {
        Some((folder, _)) => Ok(folder),
        None => bail!("{file} is no source of a crate"),
    }
}

/// Gives the crate in `folder` the module that says which mutant is on.
fn add_switch(folder: &Path) -> anyhow::Result<()> {
    replace(&folder.join("src/mutant.rs"), SWITCH)?;
    let path = folder.join("src/lib.rs");
    let source = std::fs::read_to_string(&path).context("read lib.rs")?;
    let features = "#![feature(core_intrinsics, const_eval_select)]\n";
    replace(&path, &format!("{features}{source}\n#[doc(hidden)]\npub mod mutant;\n"))
}

#[expect(
    clippy::disallowed_methods,
    reason = "a copy that is made anew each time needs no Storage"
)]
fn replace(path: &Path, text: &str) -> anyhow::Result<()> {
    std::fs::write(path, text).with_context(|| format!("write {}", path.display()))
}
