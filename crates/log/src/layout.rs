//! Where each file of a log stands (the names of `docs/spec/folder.md`), and by which version of the format.
//!
//! Invariant: every path that the crate opens comes from here.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The version of the format that this crate writes and checks in full (`docs/spec/README.md`).
pub(crate) const FORMAT: u64 = 1;

/// Name of the segment that is appended to.
pub(crate) const ACTIVE: &str = "audit.log";
/// Name of the latest signed checkpoint.
pub(crate) const CHECKPOINT: &str = "checkpoint";
/// Name of the file of noted checkpoints.
pub(crate) const HISTORY: &str = "checkpoints.jsonl";
/// Name of the folder of tree rows.
pub(crate) const TREE: &str = "tree";
/// Name of the folder of bytes that crash repair cut off.
pub(crate) const QUARANTINE: &str = "quarantine";

/// Name of the file that whoever appends holds locked.
pub(crate) const LOCK: &str = "lock";

/// Paths of one log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    folder: PathBuf,
    parent: PathBuf,
    name: OsString,
}

impl Layout {
    /// The layout of the log at `folder`; `None` where `folder` has no name of its own (`/`, `..`) or the working
    /// folder is unknown.
    pub(crate) fn of(folder: &Path) -> Option<Self> {
        let folder = std::path::absolute(folder).ok()?;
        // Components drop a trailing slash, so that `audit/` and `audit` are one name.
        let folder: PathBuf = folder.components().collect();
        let parent = folder.parent()?.to_path_buf();
        let name = folder.file_name()?.to_os_string();
        Some(Self { folder, parent, name })
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(crate) fn parent(&self) -> &Path {
        &self.parent
    }

    /// The key file beside the folder, never inside: copies of the folder must not carry it.
    pub(crate) fn key(&self) -> PathBuf {
        self.sibling(".key")
    }

    /// The layout of the sibling in which a log is made before it takes its name.
    pub(crate) fn creating(&self) -> Self {
        self.beside(".creating")
    }

    /// The layout of the sibling in which a copy is made before it takes its name.
    pub(crate) fn partial(&self) -> Self {
        self.beside(".partial")
    }

    fn beside(&self, suffix: &str) -> Self {
        let folder = self.sibling(suffix);
        let name = folder.file_name().map(OsString::from).unwrap_or_default();
        Self { folder, parent: self.parent.clone(), name }
    }

    fn sibling(&self, suffix: &str) -> PathBuf {
        let mut name = self.name.clone();
        name.push(suffix);
        self.parent.join(name)
    }

    pub(crate) fn segment(&self, number: u64) -> PathBuf {
        self.folder.join(segment_name(number))
    }

    pub(crate) fn checkpoint(&self) -> PathBuf {
        self.folder.join(CHECKPOINT)
    }

    pub(crate) fn checkpoint_tmp(&self) -> PathBuf {
        self.folder.join("checkpoint.tmp")
    }

    pub(crate) fn history(&self) -> PathBuf {
        self.folder.join(HISTORY)
    }

    pub(crate) fn tree(&self) -> PathBuf {
        self.folder.join(TREE)
    }

    pub(crate) fn row(&self, row: u8) -> PathBuf {
        self.tree().join(row.to_string())
    }

    /// Where a repair writes a row before it takes its place.
    pub(crate) fn row_tmp(&self, row: u8) -> PathBuf {
        self.tree().join(format!("{row}.tmp"))
    }

    pub(crate) fn quarantine(&self) -> PathBuf {
        self.folder.join(QUARANTINE)
    }

    pub(crate) fn lock(&self) -> PathBuf {
        self.folder.join(LOCK)
    }
}

/// `audit.log` for 0, `audit.log.N` for a rotated segment.
pub(crate) fn segment_name(number: u64) -> String {
    if number == 0 { ACTIVE.to_owned() } else { format!("{ACTIVE}.{number}") }
}

/// The number of a segment's name; `None` where it is no segment (`audit.log.0`, `audit.log.01`, `audit.log.x`).
pub(crate) fn segment_number(name: &str) -> Option<u64> {
    let rest = name.strip_prefix(ACTIVE)?;
    if rest.is_empty() {
        return Some(0);
    }
    let digits = rest.strip_prefix('.')?;
    if digits.starts_with('0') || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_canonical_numbers_are_segments() {
        let numbers = ["audit.log", "audit.log.1", "audit.log.12"].map(segment_number);
        assert_eq!(numbers, [Some(0), Some(1), Some(12)]);
        for name in ["audit.log.0", "audit.log.01", "audit.log.", "audit.log.+1", "audit.logs", "x"]
        {
            assert_eq!(segment_number(name), None, "{name}");
        }
    }

    #[test]
    fn key_and_creating_stand_beside_the_folder_whatever_slashes_follow() {
        let layout = Layout::of(Path::new("/var/log/audit//")).expect("a name");
        assert_eq!(layout.key(), Path::new("/var/log/audit.key"));
        assert_eq!(layout.creating().folder(), Path::new("/var/log/audit.creating"));
        assert_eq!(layout.creating().lock(), Path::new("/var/log/audit.creating/lock"));
        assert!(Layout::of(Path::new("/")).is_none());
    }
}
