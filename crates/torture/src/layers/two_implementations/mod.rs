//! The verifier against the independent checker, on logs that were made, and on mutants of them: sound, torn and broken must
//! be the same word, but for what [`EXCEPTIONS`] names.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a bench: what it made itself it knows, and a panic is told as a violation"
)]

mod checker;
mod raw;
mod rewriting;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context;
use fastrand::Rng;
use indelible::format::note::VerifierKey;
use indelible::storage::local::LocalStorage;
use indelible::{Finding, Problem, Report, Verifier};
use tempfile::TempDir;

use self::checker::Checker;
use self::raw::mutate;
use self::rewriting::{Author, below, rewrite};
use super::tamper::memory::{FOLDER, Memory};
use super::tamper::{Mutants, workload};
use crate::cases;
use crate::command::fast_folder;
use crate::layer::{Layer, Outcome};
use crate::need::{Need, shared};
use crate::plan::Plan;

pub(crate) const LAYER: Layer = Layer {
    name: "two-implementations",
    about: "Makes logs and mutants of them: the verifier and the independent checker must call each sound, torn or broken alike.",
    cases: "logs",
    short: 10_000,
    long: 200_000,
    needs: &[Need::Reference],
    run,
};

/// Where the checker is known to be the lenient one.
#[derive(Debug)]
struct Exception {
    name: &'static str,
    /// Whether a finding of the verifier's is one of these.
    fits: fn(&Report, &Finding) -> bool,
    /// Whether other faults may follow from it; otherwise all have to fit.
    first: bool,
}

const EXCEPTIONS: &[Exception] = &[
    // C2SP's signed-note forbids them; the checker looks at the name of a key only to compare it.
    Exception {
        name: "a control character in the name of an unknown key",
        fits: |_, finding| {
            let text = finding.to_string();
            text.starts_with("checkpoint") && text.contains("control character")
        },
        first: true,
    },
    // docs/spec/own-records.md says what each member holds; of those that it does not use itself, the checker looks at
    // the names alone.
    Exception {
        name: "a value in the metadata of one of the log's own records",
        fits: |_, finding| finding.to_string().contains(": metadata of indelible."),
        first: true,
    },
    // The same page: an adoption is of records before it, for it tells what was found; the checker does not compare.
    Exception {
        name: "an adoption of records that are not before it",
        fits: |_, finding| finding.problem == Problem::AdoptMisplaced,
        first: false,
    },
    // docs/spec/recovery.md says what a file in quarantine holds; the checker does not open them.
    Exception {
        name: "a file in quarantine",
        fits: |_, finding| {
            finding.file.as_deref().is_some_and(|file| file.starts_with("quarantine/"))
        },
        first: false,
    },
    // Only a file with records is shifted, so a shifted one without a byte has lost what it held; the checker passes it
    // over.
    Exception {
        name: "a shifted file without a byte",
        fits: |_, finding| {
            finding.problem == Problem::SegmentMissing
                && finding.found.as_deref() == Some("an empty file")
        },
        first: false,
    },
    // A boundary's note is written into checkpoints.jsonl before the files are shifted (docs/spec/folder.md); the checker
    // takes the one in `checkpoint` for it too, while that is of the same size.
    Exception {
        name: "a boundary that only `checkpoint` covers",
        fits: |report, finding| {
            let size = report.checkpoint_size.unwrap_or_default();
            let expected = finding.expected.as_deref().unwrap_or_default();
            finding.problem == Problem::BoundaryNotNoted
                && expected.starts_with(&format!("a signed note of {size} record"))
        },
        first: false,
    },
];

/// The exception that explains all that the verifier finds wrong.
fn exception(report: &Report) -> Option<&'static Exception> {
    let faults: Vec<&Finding> =
        report.findings.iter().filter(|finding| finding.class.is_fault()).collect();
    let first = faults.first()?;
    EXCEPTIONS.iter().find(|exception| {
        let fits = exception.fits;
        fits(report, first)
            && (exception.first || faults.iter().all(|finding| fits(report, finding)))
    })
}

fn run(plan: &Plan) -> anyhow::Result<Outcome> {
    let bench = Bench::new(plan)?;
    cases::run(plan, |case, outcome| bench.try_case(case, outcome))
}

/// What all cases share.
struct Bench<'a> {
    plan: &'a Plan,
    mutants: Mutants<'a>,
    /// The folders of the reference, by name, and who signs for them.
    reference: Vec<(String, Memory)>,
    author: Author,
    keys: Vec<VerifierKey>,
    /// Processes, each with its folder, that are not at work.
    idle: Mutex<Vec<(Checker, TempDir)>>,
}

/// A log that somebody did something to.
struct Subject {
    folder: Memory,
    author: Author,
    /// How it came to be.
    what: Vec<String>,
}

impl<'a> Bench<'a> {
    fn new(plan: &'a Plan) -> anyhow::Result<Self> {
        let reference = shared().join("reference");
        let author = Author::of_reference(&reference);
        let made = workload::made(&mut Rng::with_seed(0), KEY);
        let keys = vec![author.verifier_key(), made.log.key.verifier_key()];
        let mut folders = Vec::new();
        for entry in std::fs::read_dir(reference.join("folders")).context("the reference")? {
            let path = entry?.path();
            if path.is_dir() {
                let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                folders.push((name, Memory::import(&path)?));
            }
        }
        folders.sort_by(|(one, _), (other, _)| one.cmp(other));
        let (mutants, idle) = (Mutants::new(plan), Mutex::default());
        Ok(Self { plan, mutants, reference: folders, author, keys, idle })
    }

    fn try_case(&self, case: u64, outcome: &mut Outcome) -> anyhow::Result<()> {
        let mut rng = self.plan.random(case);
        let subject = self.subject(case, &mut rng);
        let keys = if rng.bool() { self.keys.as_slice() } else { &[] };
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let (mut checker, place) = match idle {
            Some(idle) => idle,
            None => (Checker::start(&shared().join("reference"))?, fast_folder(self.plan)?),
        };
        let on_disk = place.path().join(format!("{case}"));
        subject.folder.export(&on_disk);
        let (word, why) = checker.check(&on_disk, keys)?;
        let report = verify(&subject.folder, keys);
        let mut others = Vec::new();
        if case.is_multiple_of(16) {
            let local = with_keys(Verifier::on(Arc::new(LocalStorage::new()?), &on_disk), keys);
            let local = local.verify()?;
            if local != report {
                others.push(format!("on a real disk the verifier says:\n{local}"));
            }
        }
        std::fs::remove_dir_all(&on_disk)?;
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push((checker, place));
        let verdict = report.verdict();
        outcome.count(format!("verdict: {word}"), 1);
        if verdict.as_str() != word {
            match exception(&report).filter(|_| word != "broken") {
                Some(exception) => outcome.count(format!("exception: {}", exception.name), 1),
                None => others
                    .push(format!("the checker says {word}: {why}; the verifier says:\n{report}")),
            }
        }
        for other in others {
            let kept = self.keep(case, &subject.folder)?;
            let what = subject.what.join(", ");
            outcome.violation(case, format!("{what}, {} keys given: {other}{kept}", keys.len()));
        }
        Ok(())
    }

    fn keep(&self, case: u64, folder: &Memory) -> anyhow::Result<String> {
        if !self.plan.keep {
            return Ok(String::new());
        }
        let path: PathBuf = self.plan.folder()?.keep().join(format!("{case}"));
        folder.export(&path);
        Ok(format!("\n  kept in {}", path.display()))
    }

    /// A log, and mostly something done to it.
    fn subject(&self, case: u64, rng: &mut Rng) -> Subject {
        let mut subject = match rng.u8(..8) {
            0 | 1 => {
                let (name, folder) = &self.reference[below(rng, self.reference.len())];
                let what = vec![format!("the reference's {name}")];
                Subject { folder: folder.clone(), author: self.author.clone(), what }
            }
            2 | 3 => {
                let made = workload::made(rng, KEY);
                let what = made.steps.iter().map(|step| (*step).to_owned()).collect();
                Subject { folder: made.folder, author: Author::of(&made.log), what }
            }
            _ => {
                let (log, kind, mutant) = self.mutants.any_of(case / 64, rng);
                let what = vec![format!("{kind}: {}", mutant.what)];
                Subject { folder: mutant.folder, author: Author::of(&log), what }
            }
        };
        let times = match rng.u8(..8) {
            0 | 1 => 0,
            7 => 2,
            _ => 1,
        };
        for _ in 0..times {
            let what = match rng.u8(..3) {
                0 => rewrite(&mut subject.folder, &subject.author, rng),
                _ => mutate(&mut subject.folder, rng),
            };
            subject.what.push(what);
        }
        subject
    }
}

/// The key of all logs that are made here.
const KEY: u8 = 1;
fn verify(folder: &Memory, keys: &[VerifierKey]) -> Report {
    with_keys(Verifier::on(folder.storage(), Path::new(FOLDER)), keys).verify().unwrap()
}

fn with_keys(verifier: Verifier, keys: &[VerifierKey]) -> Verifier {
    keys.iter().cloned().fold(verifier.strict(), Verifier::with_key)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::args::Args;

    #[test]
    fn every_mutant_gets_the_verdict_of_the_independent_checker() {
        if let Some(missing) = Need::Reference.missing() {
            assert!(std::env::var("CI").map_or(true, |ci| ci != "true"), "it needs {missing}");
            println!("SKIPPED: it needs {missing}");
            return;
        }
        let plan = Plan::new(&Args::parse_from(["torture"]), 2_000).unwrap();
        let outcome = run(&plan).unwrap();
        assert!(outcome.violations.is_empty(), "{:#?}", outcome.violations);
        for verdict in ["sound", "torn", "broken"] {
            assert!(outcome.counts.contains_key(&format!("verdict: {verdict}")), "too tame");
        }
    }
}
