//! The verifier against the independent checker and its folders, which were made without this project's code.
//!
//! They stand beside the workspace (`../shared`, or `INDELIBLE_SHARED`); where they don't, the tests say so and pass.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use indelible::format::note::VerifierKey;
use indelible::storage::Storage;
use indelible::storage::local::LocalStorage;
use indelible::{FindingClass, Problem, Verdict};
use serde_json::Value;

use crate::checker::verify;

fn reference() -> Option<PathBuf> {
    let shared = std::env::var_os("INDELIBLE_SHARED").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared"),
        PathBuf::from,
    );
    let reference = shared.join("reference");
    if reference.join("folders/verdicts.json").is_file() {
        return Some(reference);
    }
    println!("skipped: no reference folders at {}", reference.display());
    None
}

fn disk() -> Arc<dyn Storage> {
    Arc::new(LocalStorage::new().unwrap())
}

/// The key and the verdict of every folder.
fn verdicts(reference: &Path) -> (VerifierKey, BTreeMap<String, String>) {
    let text = std::fs::read_to_string(reference.join("folders/verdicts.json")).unwrap();
    let json: Value = serde_json::from_str(&text).unwrap();
    let folders = json["folders"].as_object().unwrap();
    let verdict = |folder: &Value| folder["verdict"].as_str().unwrap().to_owned();
    let folders = folders.iter().map(|(name, folder)| (name.clone(), verdict(folder))).collect();
    (json["key"].as_str().unwrap().parse().unwrap(), folders)
}

#[test]
fn every_reference_folder_gets_its_verdict() {
    let Some(reference) = reference() else { return };
    let (key, folders) = verdicts(&reference);
    assert!(folders.len() >= 31, "{} folders", folders.len());
    for (name, verdict) in folders {
        let folder = reference.join("folders").join(&name);
        for keys in [&[][..], std::slice::from_ref(&key)] {
            let report = verify(&disk(), &folder, keys);
            assert_eq!(report.verdict().as_str(), verdict, "{name}:\n{report}");
            assert_eq!(report.anchored, !keys.is_empty(), "{name}");
            let told = report.findings.iter().any(|f| f.class == FindingClass::NotAnchored);
            assert_eq!(told, keys.is_empty(), "{name}");
        }
    }
}

/// Class, problem, file, offset and record of the first finding in each folder that is not sound.
const FIRST: &[(&str, FindingClass, Problem, &str, u64, Option<u64>)] = &[
    ("torn-partial-line", FindingClass::TornTail, Problem::TailTorn, "audit.log", 253, Some(17)),
    ("torn-nuls-to-the-end", FindingClass::TornTail, Problem::TailTorn, "audit.log", 253, Some(17)),
    ("torn-no-lf", FindingClass::TornTail, Problem::TailTorn, "audit.log", 253, Some(17)),
];

#[test]
fn the_first_finding_names_what_where_and_which_record() {
    let Some(reference) = reference() else { return };
    let (key, _) = verdicts(&reference);
    for (name, class, problem, file, offset, seq) in FIRST {
        let folder = reference.join("folders").join(name);
        let report = verify(&disk(), &folder, std::slice::from_ref(&key));
        let first = report.findings.first().unwrap();
        let got = (first.class, first.problem, first.file.as_deref(), first.offset, first.seq);
        assert_eq!(got, (*class, *problem, Some(*file), Some(*offset), *seq), "{name}:\n{report}");
    }
}
