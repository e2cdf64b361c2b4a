//! Holds what repairs cut off against the records that tell of it.
//!
//! Invariant: it reads only what a record names, in `quarantine/`, and a chunk at a time. Files there that no record
//! names are the next open's to tell of.

use std::io::ErrorKind;

use indelible_format::chain::Hash;
use sha2::{Digest, Sha256};

use super::collect::Findings;
use super::finding::{Finding, FindingClass, Problem};
use super::policy::Quarantined;
use crate::layout::{Layout, QUARANTINE};
use crate::segment::{read_range, to_u64};
use crate::storage::{Access, Storage};

/// Bytes read at once.
const CHUNK: u64 = 256 * 1024;

/// Compares every file that a repair record names.
pub(super) fn judge(
    storage: &dyn Storage,
    layout: &Layout,
    quarantined: &[Quarantined],
    out: &mut Findings,
) {
    for told in quarantined {
        let finding = || {
            let finding = Finding::new(Problem::QuarantineDiffers).at(&told.file, 0);
            finding
                .record(told.told_by)
                .expected(format_args!("{} bytes with SHA-256 {}", told.size, told.sha256))
        };
        // A name with another slash would lead out of the folder.
        let name = told.file.strip_prefix(QUARANTINE).and_then(|rest| rest.strip_prefix('/'));
        let Some(name) = name.filter(|name| !name.is_empty() && !name.contains('/')) else {
            out.add(finding().found("a name that is none in quarantine"));
            continue;
        };
        let path = layout.quarantine().join(name);
        let file = match storage.open(&path, Access::Read) {
            Ok(file) => file,
            Err(e) if e.kind() == ErrorKind::NotFound => {
                out.add(finding().class(FindingClass::Missing).found("no such file"));
                continue;
            }
            // A link or a folder, perhaps, in the file's place.
            Err(e) => {
                out.add(finding().found(e));
                continue;
            }
        };
        let mut hasher = Sha256::new();
        let mut at = 0;
        let failed = loop {
            match read_range(file.as_ref(), at, at + CHUNK) {
                Ok(bytes) if bytes.is_empty() => break None,
                Ok(bytes) => {
                    hasher.update(&bytes);
                    at += to_u64(bytes.len());
                }
                Err(e) => break Some(e),
            }
        };
        let found = Hash::from_bytes(hasher.finalize().into());
        if let Some(e) = failed {
            out.add(Finding::new(Problem::Unreadable).at(&told.file, at).found(e));
        } else if found != told.sha256 {
            out.add(finding().found(format_args!("{at} bytes with SHA-256 {found}")));
        }
    }
}
