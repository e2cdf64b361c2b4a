//! The verifier against the independent checker and its folders, which were made without this project's code.
//!
//! They stand beside the workspace (`../shared`, or `INDELIBLE_SHARED`); where they don't, the tests say so and
//! pass, but fail in CI.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use indelible::FindingClass;
use indelible::format::note::VerifierKey;
use indelible::storage::Storage;
use indelible::storage::local::LocalStorage;
use serde_json::Value;

use crate::checker::verify;

/// What stands beside the workspace, if it is there.
pub(crate) fn shared() -> PathBuf {
    std::env::var_os("INDELIBLE_SHARED").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared"),
        PathBuf::from,
    )
}

/// The reference's folder, if it is there.
pub(crate) fn reference() -> Option<PathBuf> {
    let reference = shared().join("reference");
    if reference.join("folders/verdicts.json").is_file() {
        return Some(reference);
    }
    skipped(&format!("no reference folders at {}", reference.display()));
    None
}

/// Says that a test was skipped; where nothing may be skipped, that is a failure.
pub(crate) fn skipped(why: &str) {
    assert!(std::env::var("CI").map_or(true, |ci| ci != "true"), "nothing is skipped in CI: {why}");
    println!("SKIPPED: {why}");
}

/// This machine's files.
pub(crate) fn disk() -> Arc<dyn Storage> {
    Arc::new(LocalStorage::new().unwrap())
}

/// The key and the verdict of every folder.
pub(crate) fn verdicts(reference: &Path) -> (VerifierKey, BTreeMap<String, String>) {
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

/// The first finding in each folder that is not sound: class, problem, file, offset, record.
const FIRST: &[(&str, &str)] = &[
    ("torn-partial-line", "torn-tail tail-torn audit.log 253 17"),
    ("torn-nuls-to-the-end", "torn-tail tail-torn audit.log 253 17"),
    ("torn-no-lf", "torn-tail tail-torn audit.log 253 17"),
    // '8' and '9' differ in one bit.
    ("byte-changed", "damage hash-mismatch audit.log.2 502 8"),
    ("line-removed", "tampering seq-out-of-order audit.log.2 502 9"),
    ("lines-swapped", "tampering seq-out-of-order audit.log.2 251 8"),
    ("tail-cut-below-the-mark", "missing cut-off audit.log 506 -"),
    ("oldest-file-removed", "missing first-records-missing audit.log.2 0 6"),
    ("middle-file-removed", "missing segment-missing audit.log.1 0 11"),
    ("newest-file-emptied", "missing cut-off audit.log.1 1265 -"),
    ("no-checkpoints-at-all", "missing no-checkpoint - - -"),
    ("notes-of-boundaries-removed", "missing boundary-not-noted audit.log.2 0 -"),
    ("checkpoint-replayed-and-log-cut", "missing cut-off audit.log.1 1265 -"),
    ("prune-forged-beyond-the-mark", "tampering signed-invalid audit.log 0 16"),
    ("redaction-forged-beyond-the-mark", "tampering signed-invalid audit.log 0 16"),
    ("another-record-redacted", "tampering redaction-unannounced audit.log.3 1255 4"),
    // The redacted line before it has the wrong time, but no hash covers that.
    ("redacted-with-another-time", "tampering time-decreases audit.log.3 1230 4"),
    ("pruned-and-one-file-more-removed", "missing first-records-missing audit.log.1 0 11"),
    ("pruned-leaves-lost", "missing leaves-lost tree/0 0 0"),
    ("row-edited", "damage rows-differ tree/0 64 2"),
    ("whole-line-with-wrong-hash-at-the-tail", "tampering hash-mismatch audit.log 253 17"),
    ("forged-line-with-nuls-further-on", "tampering hash-mismatch audit.log 253 17"),
    ("re-hashed-from-the-middle", "tampering root-mismatch audit.log.3 1004 3"),
];

#[test]
fn the_first_finding_names_what_where_and_which_record() {
    let Some(reference) = reference() else { return };
    let (key, folders) = verdicts(&reference);
    let unsound = folders.iter().filter(|(_, verdict)| *verdict != "sound");
    for (name, _) in unsound {
        let first = FIRST.iter().find(|(folder, _)| folder == name);
        let Some((_, expected)) = first else { panic!("no finding is expected of {name}") };
        let report =
            verify(&disk(), &reference.join("folders").join(name), std::slice::from_ref(&key));
        let first = report.findings.first().unwrap();
        let number = |number: Option<u64>| number.map_or("-".to_owned(), |n| n.to_string());
        let file = first.file.as_deref().unwrap_or("-");
        let (offset, seq) = (number(first.offset), number(first.seq));
        let got = format!("{} {} {file} {offset} {seq}", first.class, first.problem.code());
        assert_eq!(got, *expected, "{name}:\n{report}");
    }
}
