//! The one checker that every test of the log ends with.

use std::path::Path;
use std::sync::Arc;

use indelible::format::note::VerifierKey;
use indelible::storage::Storage;
use indelible::{Report, Verdict, Verifier};

/// Verifies everything about the log in `folder`, against `keys` or, where there are none, against its own; a log that
/// is not sound ends the test with the whole report.
#[track_caller]
pub(crate) fn assert_log_is_sound(
    storage: &Arc<dyn Storage>,
    folder: impl AsRef<Path>,
    keys: &[VerifierKey],
) -> Report {
    let report = verify(storage, folder.as_ref(), keys);
    assert_eq!(report.verdict(), Verdict::Sound, "{}:\n{report}", folder.as_ref().display());
    assert_eq!(report.anchored, !keys.is_empty());
    report
}

/// The report on the log in `folder`.
#[track_caller]
pub(crate) fn verify(storage: &Arc<dyn Storage>, folder: &Path, keys: &[VerifierKey]) -> Report {
    let verifier = Verifier::on(Arc::clone(storage), folder).strict();
    let verifier = keys.iter().cloned().fold(verifier, Verifier::with_key);
    match verifier.verify() {
        Ok(report) => report,
        Err(e) => panic!("{} can't be looked at: {e}", folder.display()),
    }
}

/// [`assert_log_is_sound`] for a log in a folder of this machine, held against its own key.
#[track_caller]
pub(crate) fn assert_local_log_is_sound(folder: impl AsRef<Path>) {
    let storage = indelible::storage::local::LocalStorage::new().expect("the local file system");
    let storage: Arc<dyn Storage> = Arc::new(storage);
    drop(assert_log_is_sound(&storage, folder, &[]));
}

/// Writes a file past the log, as one who tampers does.
#[expect(clippy::disallowed_methods, reason = "a test that plays the one who tampers")]
pub(crate) fn write(path: &Path, bytes: &[u8]) {
    std::fs::write(path, bytes).unwrap();
}
