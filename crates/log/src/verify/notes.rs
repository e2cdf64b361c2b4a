//! Judges the notes of `checkpoints.jsonl` and `checkpoint`: whose they are, whether they are signed, whether they
//! contradict each other.
//!
//! Invariant: what [`SignedRoots`] holds was signed by a known key. Whether the records give these roots is for
//! [`tree`](super::tree) to say.

use std::collections::BTreeMap;

use indelible_format::chain::Hash;
use indelible_format::checkpoint::Checkpoint;
use indelible_format::identity::Origin;
use indelible_format::note::{Note, VerifierKey};

use super::collect::Findings;
use super::evidence::flips;
use super::finding::{Finding, FindingClass, Problem};
use super::report::as_in_checkpoint;
use crate::history::{self, StoredNote};
use crate::io::{IoFailure, Operation};
use crate::layout::{CHECKPOINT, HISTORY, Layout};
use crate::storage::Storage;

/// Notes whose every bit is tried, to see whether a disk explains them.
const MENDED_MAX: u32 = 4;
/// Bytes of a note above which its bits are not tried.
const MENDED_SIZE_MAX: usize = 1024;

/// What one known key signed about one size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SignedRoot {
    pub(super) root: Hash,
    pub(super) file: &'static str,
    pub(super) offset: u64,
}

/// Every size for which a known key of the log signed a root.
#[derive(Debug, Default)]
pub(super) struct SignedRoots {
    roots: BTreeMap<u64, SignedRoot>,
    /// Notes in both files.
    pub(super) notes: u64,
    /// Notes of which no signature is by a known key.
    pub(super) unknown: u64,
    mended: u32,
}

/// The notes as they stood when the verifier looked: `checkpoints.jsonl` first, then `checkpoint`, so that one made
/// in between is missed rather than found without its line.
pub(super) fn read(
    storage: &dyn Storage,
    layout: &Layout,
    findings: &mut Findings,
) -> Result<Vec<StoredNote>, IoFailure> {
    let mut notes = readable(history::read_all(storage, layout), HISTORY, findings)?;
    notes.extend(readable(history::read_latest(storage, layout), CHECKPOINT, findings)?);
    Ok(notes)
}

/// A file that opens but can't be read is damage in it, and no reason not to look at the rest.
fn readable<T: Default>(
    read: Result<T, IoFailure>,
    file: &str,
    findings: &mut Findings,
) -> Result<T, IoFailure> {
    match read {
        Err(failure) if failure.operation == Operation::Read => {
            findings
                .add(Finding::new(Problem::Unreadable).in_file(file).found(&failure.source));
            Ok(T::default())
        }
        other => other,
    }
}

impl SignedRoots {
    /// Judges `stored`. An `origin` that is not known is not compared.
    pub(super) fn judge(
        stored: &[StoredNote],
        origin: Option<&Origin>,
        keys: &[VerifierKey],
        findings: &mut Findings,
    ) -> Self {
        let mut roots = Self::default();
        for note in stored {
            roots.notes += 1;
            if let Err(finding) = roots.add(note, origin, keys) {
                let place = finding.at(note.file, note.offset);
                findings.add(roots.mend(place, note, origin, keys));
            }
        }
        roots
    }

    /// The larger of all sizes that were signed: what lay below it was durable and covered.
    pub(super) fn mark(&self) -> u64 {
        self.roots.last_key_value().map_or(0, |(size, _)| *size)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.roots.is_empty()
    }

    pub(super) fn at(&self, size: u64) -> Option<&SignedRoot> {
        self.roots.get(&size)
    }

    /// The largest size that was signed, with its root.
    pub(super) fn latest(&self) -> Option<(u64, &SignedRoot)> {
        self.roots.last_key_value().map(|(size, root)| (*size, root))
    }

    fn add(
        &mut self,
        stored: &StoredNote,
        origin: Option<&Origin>,
        keys: &[VerifierKey],
    ) -> Result<(), Finding> {
        let Some(bytes) = &stored.note else {
            return Err(Finding::new(Problem::CheckpointMalformed)
                .expected("{\"note\":\"…\"}")
                .found("another line"));
        };
        let (checkpoint, good) = open(bytes, origin, keys)?;
        if good == 0 {
            self.unknown += 1;
            // Without any key there is nothing that the note's could be unknown to.
            return if keys.is_empty() {
                Ok(())
            } else {
                Err(Finding::new(Problem::KeyUnknown)
                    .found(format_args!("a note of {} records", checkpoint.size)))
            };
        }
        let root = SignedRoot { root: checkpoint.root, file: stored.file, offset: stored.offset };
        match self.roots.get(&checkpoint.size) {
            Some(first) if first.root != root.root => Err(Finding::new(Problem::Forked)
                .expected(as_in_checkpoint(&first.root))
                .found(as_in_checkpoint(&root.root))
                .evidence(format!(
                    "for {} records the note in {} at byte {} gives the other root; both are signed",
                    checkpoint.size, first.file, first.offset
                ))),
            Some(_) => Ok(()),
            None => {
                self.roots.insert(checkpoint.size, root);
                Ok(())
            }
        }
    }

    /// A note that one flipped bit makes good again is damage, for a disk explains it.
    fn mend(
        &mut self,
        finding: Finding,
        stored: &StoredNote,
        origin: Option<&Origin>,
        keys: &[VerifierKey],
    ) -> Finding {
        let Some(bytes) = stored.note.as_ref().filter(|bytes| bytes.len() <= MENDED_SIZE_MAX) else {
            return finding;
        };
        if !finding.class.is_fault()
            || finding.problem == Problem::Forked
            || self.mended == MENDED_MAX
        {
            return finding;
        }
        self.mended += 1;
        if bytes.contains(&0) {
            return finding.class(FindingClass::Damage).evidence("it holds NUL bytes");
        }
        let good = |note: &[u8]| open(note, origin, keys).is_ok_and(|(_, good)| good > 0);
        match flips(bytes, 0..bytes.len(), good) {
            Some(at) => finding
                .class(FindingClass::Damage)
                .evidence(format!("one flipped bit in byte {at} of the note repairs it")),
            None => finding,
        }
    }
}

/// The checkpoint in a note, and how many known keys signed it.
fn open(
    bytes: &[u8],
    origin: Option<&Origin>,
    keys: &[VerifierKey],
) -> Result<(Checkpoint, usize), Finding> {
    let malformed = |e| Finding::new(Problem::CheckpointMalformed).found(e);
    let note = Note::parse(bytes).map_err(malformed)?;
    let checkpoint = Checkpoint::parse_text(&note.text).map_err(malformed)?;
    if let Some(origin) = origin.filter(|origin| **origin != checkpoint.origin) {
        return Err(Finding::new(Problem::CheckpointOfAnotherLog)
            .expected(origin)
            .found(&checkpoint.origin));
    }
    match note.verify(keys) {
        Ok(good) => Ok((checkpoint, good)),
        Err(e) => Err(Finding::new(Problem::CheckpointForged).found(e)),
    }
}
