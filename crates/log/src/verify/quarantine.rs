//! Holds what repairs cut off against the records that tell of it.
//!
//! Invariant: it reads only files with names of ours, in `quarantine/`, and a chunk at a time. Those that no record names
//! are the next open's to tell of, if they hold what their names say.
//!
//! What can't be listed or opened is an error, as with segments and rows: then nobody has looked.

use indelible_format::chain::Hash;
use sha2::{Digest, Sha256};

use super::collect::Findings;
use super::count::records;
use super::finding::{Finding, FindingClass, Problem};
use super::ground::Ground;
use super::policy::Quarantined;
use crate::io::{IoFailure, Operation};
use crate::layout::{Layout, QUARANTINE};
use crate::recovery::quarantine::{Quarantine, is_name};
use crate::segment::{read_range, to_u64};
use crate::storage::{Access, Storage, StorageFile};
use crate::tail::TORN_SIZE_MAX;

/// Bytes read at once.
const CHUNK: u64 = 256 * 1024;

/// Compares every file that a repair record names, and looks at the others. `next_seq` is how many records there are.
pub(super) fn judge(
    ground: &Ground<'_>,
    quarantined: &[Quarantined],
    next_seq: Option<u64>,
    out: &mut Findings,
) -> Result<(), IoFailure> {
    let next_seq = next_seq.unwrap_or(0);
    judge_told(ground.storage, ground.layout, quarantined, out)?;
    judge_untold(ground.storage, ground.layout, quarantined, next_seq, out)
}

fn judge_told(
    storage: &dyn Storage,
    layout: &Layout,
    quarantined: &[Quarantined],
    out: &mut Findings,
) -> Result<(), IoFailure> {
    for told in quarantined {
        let finding = || {
            let finding = Finding::new(Problem::QuarantineDiffers).at(&told.file, 0);
            finding
                .record(told.told_by)
                .expected(format_args!("{} bytes with SHA-256 {}", told.size, told.sha256))
        };
        // Any other would lead out of the folder, or be one that no disk takes.
        let name = told.file.strip_prefix(QUARANTINE).and_then(|rest| rest.strip_prefix('/'));
        let Some(name) = name.filter(|name| is_name(name)) else {
            out.add(finding().found("a name that is none in quarantine"));
            continue;
        };
        let path = layout.quarantine().join(name);
        let opened = storage.open(&path, Access::Read);
        let file = match opened.map_err(IoFailure::of(Operation::Open, &path)) {
            Ok(file) => file,
            Err(failure) if failure.is_not_found() => {
                out.add(finding().class(FindingClass::Missing).found("no such file"));
                continue;
            }
            Err(failure) if failure.is_no_file() => {
                out.add(finding().found(failure.source));
                continue;
            }
            Err(failure) => return Err(failure),
        };
        match digest(file.as_ref()) {
            Err((at, e)) => out.add(Finding::new(Problem::Unreadable).at(&told.file, at).found(e)),
            Ok((found, size)) if found != told.sha256 => {
                out.add(finding().found(format_args!("{size} bytes with SHA-256 {found}")));
            }
            Ok(_) => {}
        }
    }
    Ok(())
}

/// Looks at the files that no record names: one that a crash left before its record holds what its name says, and was cut
/// off where the log ends.
fn judge_untold(
    storage: &dyn Storage,
    layout: &Layout,
    told: &[Quarantined],
    next_seq: u64,
    out: &mut Findings,
) -> Result<(), IoFailure> {
    let files = match Quarantine::new(storage, layout).files() {
        Err(failure) if failure.is_no_folder() => {
            let finding = Finding::new(Problem::Unreadable).class(FindingClass::Tampering);
            out.add(finding.in_file(QUARANTINE).expected("a folder").found(failure.source));
            return Ok(());
        }
        files => files?,
    };
    for file in files.iter().filter(|file| told.iter().all(|told| told.file != file.path())) {
        let path = layout.folder().join(file.path());
        if file.seq > next_seq {
            out.add(
                Finding::new(Problem::CutOff)
                    .in_file(file.path())
                    .expected(records(file.seq))
                    .found(records(next_seq))
                    .evidence("its name says how many records there were when it was cut off"),
            );
        }
        let opened = storage.open(&path, Access::Read);
        let opened = match opened.map_err(IoFailure::of(Operation::Open, &path)) {
            Ok(opened) => opened,
            // Somebody has taken it away since, and no record tells of it.
            Err(failure) if failure.is_not_found() => continue,
            Err(failure) if failure.is_no_file() => {
                out.add(Finding::new(Problem::NotAFile).in_file(file.path()));
                continue;
            }
            Err(failure) => return Err(failure),
        };
        match digest(opened.as_ref()) {
            Err((at, e)) => out.add(Finding::new(Problem::Unreadable).at(file.path(), at).found(e)),
            Ok((found, size)) if found != file.hash || size > to_u64(TORN_SIZE_MAX) => out.add(
                Finding::new(Problem::QuarantineDiffers)
                    .at(file.path(), 0)
                    .expected(format_args!("at most 4 MiB with SHA-256 {}", file.hash))
                    .found(format_args!("{size} bytes with SHA-256 {found}")),
            ),
            Ok(_) => {}
        }
    }
    Ok(())
}

/// SHA-256 and size of a file, a chunk at a time; or where it can't be read, and why.
fn digest(file: &dyn StorageFile) -> Result<(Hash, u64), (u64, std::io::Error)> {
    let mut hasher = Sha256::new();
    let mut at = 0;
    loop {
        let bytes = read_range(file, at, at + CHUNK).map_err(|e| (at, e))?;
        if bytes.is_empty() {
            return Ok((Hash::from_bytes(hasher.finalize().into()), at));
        }
        hasher.update(&bytes);
        at += to_u64(bytes.len());
    }
}
