//! Judges the notes of `checkpoints.jsonl` and `checkpoint`: whose they are, whether they are signed, whether they
//! contradict each other.
//!
//! Invariant: what [`SignedRoots`] holds was signed by a known key, or kept by somebody outside who vouches for it.
//! Whether the records give these roots is for [`tree`](super::tree) to say.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use indelible_format::chain::Hash;
use indelible_format::checkpoint::{Checkpoint, spell_root};
use indelible_format::identity::Origin;
use indelible_format::note::{Note, VerifierKey};

use super::collect::Findings;
use super::count::records;
use super::evidence::flips;
use super::finding::{Finding, FindingClass, MIXED_UP, Problem};
use crate::history::{self, StoredNote};
use crate::io::{IoFailure, Operation};
use crate::layout::{CHECKPOINT, HISTORY, Layout};
use crate::segment::{read_range, to_u64};
use crate::storage::{Access, Storage};

/// Notes whose every bit is tried, to see whether a disk explains them.
const MENDED_MAX: usize = 4;
/// Bytes of a note above which its bits are not tried.
const MENDED_SIZE_MAX: usize = 1024;

/// What one known key signed about one size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SignedRoot {
    pub(super) root: Hash,
    /// Where it stands in the folder; `None` where only somebody outside has kept it.
    pub(super) noted: Option<(&'static str, u64)>,
    /// What the note is called that somebody outside has kept, and that says the same.
    pub(super) kept: Option<Arc<str>>,
    /// Where no key is known for the kept note: the sentence that says whose it is. Its holder vouches for it.
    unchecked: Option<String>,
}

impl SignedRoot {
    /// Says where the signature stands.
    pub(super) fn place(&self) -> String {
        match (&self.noted, &self.kept) {
            (Some((file, offset)), None) => format!("{file} at byte {offset}"),
            (Some((file, offset)), Some(kept)) => {
                format!("{file} at byte {offset}, and in the kept checkpoint {kept}")
            }
            (None, kept) => format!("the kept checkpoint {}", kept.as_deref().unwrap_or_default()),
        }
    }

    /// Adds to a finding about a kept note whose it is, where that could not be checked.
    pub(super) fn with_signers(&self, finding: Finding) -> Finding {
        match &self.unchecked {
            Some(signers) => finding.evidence(signers).evidence(MIXED_UP),
            None => finding,
        }
    }
}

/// Every size for which a known key of the log signed a root, in the log's folder or in a note that was kept outside.
#[derive(Debug, Default)]
pub(super) struct SignedRoots {
    roots: BTreeMap<u64, SignedRoot>,
    /// What the note in `checkpoint` is of, where a known key signed it.
    pub(super) checkpoint: Option<u64>,
    /// Notes in both files.
    pub(super) notes: u64,
    /// Notes of which no signature is by a known key.
    pub(super) unknown: u64,
    /// The largest size that a note claims, where no key is known to judge it by.
    claimed: u64,
    mended: usize,
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

/// The lines of `checkpoints.jsonl` that hold no checkpoint, as far as they may be tried, by where they begin.
pub(super) fn read_malformed(
    storage: &dyn Storage,
    layout: &Layout,
    notes: &[StoredNote],
) -> Malformed {
    let holds_none = |note: &&StoredNote| {
        note.file == HISTORY && note.note.as_ref().is_none_or(|note| open(note, None, &[]).is_err())
    };
    let malformed = notes.iter().filter(holds_none).map(|note| note.offset);
    let Ok(file) = storage.open(&layout.history(), Access::Read) else { return Malformed::new() };
    let read = |offset| {
        let bytes = read_range(file.as_ref(), offset, offset + to_u64(MENDED_SIZE_MAX) * 2).ok()?;
        Some((offset, bytes))
    };
    malformed.take(MENDED_MAX).filter_map(read).collect()
}

/// See [`read_malformed`].
pub(super) type Malformed = BTreeMap<u64, Vec<u8>>;

/// A file that opens but can't be read is damage in it, and no reason not to look at the rest.
fn readable<T: Default>(
    read: Result<T, IoFailure>,
    file: &str,
    findings: &mut Findings,
) -> Result<T, IoFailure> {
    match read {
        Err(failure) if failure.operation == Operation::Read => {
            findings.add(Finding::new(Problem::Unreadable).in_file(file).found(&failure.source));
            Ok(T::default())
        }
        Err(failure) if failure.is_no_file() => {
            findings.add(Finding::new(Problem::NotAFile).in_file(file));
            Ok(T::default())
        }
        other => other,
    }
}

impl SignedRoots {
    /// Judges `stored`. An `origin` that is not known is not compared.
    pub(super) fn judge(
        stored: &[StoredNote],
        malformed: &Malformed,
        origin: Option<&Origin>,
        keys: &[VerifierKey],
        findings: &mut Findings,
    ) -> Self {
        let mut roots = Self::default();
        for note in stored {
            roots.notes += 1;
            if let Err(finding) = roots.add(note, origin, keys) {
                let finding = finding.at(note.file, note.offset);
                let line = malformed.get(&note.offset).filter(|_| note.file == HISTORY);
                let tried = line.map(|bytes| Tried { bytes, is_note: false });
                let noted = || note.note.as_ref().map(|bytes| Tried { bytes, is_note: true });
                findings.add(roots.mend(finding, tried.or_else(noted), origin, keys));
            }
        }
        roots
    }

    /// These roots by their sizes, whoever signed them.
    #[cfg(test)]
    pub(super) fn of(roots: impl IntoIterator<Item = (u64, Hash)>) -> Self {
        let noted = Some((CHECKPOINT, 0));
        let root = |root| SignedRoot { root, noted, kept: None, unchecked: None };
        let roots = roots.into_iter().map(|(size, hash)| (size, root(hash))).collect();
        Self { roots, ..Self::default() }
    }

    /// The larger of all sizes that were signed: what lay below it was durable and covered.
    pub(super) fn mark(&self) -> u64 {
        self.roots.last_key_value().map_or(0, |(size, _)| *size)
    }

    /// The mark by which a tail is judged: a note that can't be judged excuses no tail below the size that it claims.
    pub(super) fn tail_mark(&self) -> u64 {
        self.mark().max(self.claimed)
    }

    /// Whether the folder has no note by a known key.
    pub(super) fn is_empty(&self) -> bool {
        self.latest().is_none()
    }

    /// What the tree of `size` records must give, whoever keeps the note.
    pub(super) fn at(&self, size: u64) -> Option<&SignedRoot> {
        self.roots.get(&size)
    }

    /// Whether a signed size lies within `leaves`: behind its first and before its last.
    pub(super) fn ends_within(&self, leaves: Range<u64>) -> bool {
        let behind = leaves.start.saturating_add(1);
        behind < leaves.end && self.roots.range(behind..leaves.end).next().is_some()
    }

    /// Whether a line of `checkpoints.jsonl` says what the tree of `size` records must give; `checkpoint` goes on to the
    /// next size, and does not count.
    pub(super) fn is_noted(&self, size: u64) -> bool {
        self.at(size).and_then(|root| root.noted).is_some_and(|(file, _)| file == HISTORY)
    }

    /// The largest size that was signed in a note in the folder, with its root.
    pub(super) fn latest(&self) -> Option<(u64, &SignedRoot)> {
        let noted = |(_, root): &(&u64, &SignedRoot)| root.noted.is_some();
        self.roots.iter().rev().find(noted).map(|(size, root)| (*size, root))
    }

    /// The largest size above `size` that a note signs which somebody has kept, with its root.
    pub(super) fn kept_beyond(&self, size: u64) -> Option<(u64, &SignedRoot)> {
        let beyond = self.roots.range(size.saturating_add(1)..).rev();
        let mut beyond = beyond.filter(|(_, root)| root.kept.is_some());
        beyond.next().map(|(size, root)| (*size, root))
    }

    /// As for a note in the folder, tries whether one flipped bit repairs a kept one.
    pub(super) fn mend_kept(
        &mut self,
        finding: Finding,
        note: &[u8],
        keys: &[VerifierKey],
    ) -> Finding {
        self.mend(finding, Some(Tried { bytes: note, is_note: true }), None, keys)
    }

    /// Takes the root of a note that somebody has kept outside of the folder; the note that contradicts it, if one in
    /// the folder does.
    pub(super) fn keep(
        &mut self,
        size: u64,
        root: Hash,
        name: &Arc<str>,
        unchecked: Option<String>,
    ) -> Result<(), SignedRoot> {
        let kept = Some(Arc::clone(name));
        match self.roots.get_mut(&size) {
            Some(known) if known.root != root => return Err(known.clone()),
            Some(known) => known.kept = kept,
            None => {
                self.roots.insert(size, SignedRoot { root, noted: None, kept, unchecked });
            }
        }
        Ok(())
    }

    fn add(
        &mut self,
        stored: &StoredNote,
        origin: Option<&Origin>,
        keys: &[VerifierKey],
    ) -> Result<(), Box<Finding>> {
        let Some(bytes) = &stored.note else {
            let finding = Finding::new(Problem::CheckpointMalformed);
            return Err(finding.expected("{\"note\":\"…\"}").found("another line").into());
        };
        let (checkpoint, good) = open(bytes, origin, keys)?;
        if good == 0 {
            self.unknown += 1;
            // Without any key there is nothing that the note's could be unknown to.
            return if keys.is_empty() {
                self.claimed = self.claimed.max(checkpoint.size);
                Ok(())
            } else {
                let finding = Finding::new(Problem::KeyUnknown);
                Err(finding.found(format_args!("a note of {}", records(checkpoint.size))).into())
            };
        }
        if stored.file == CHECKPOINT {
            self.checkpoint = Some(checkpoint.size);
        }
        let noted = Some((stored.file, stored.offset));
        let root = SignedRoot { root: checkpoint.root, noted, kept: None, unchecked: None };
        match self.roots.get(&checkpoint.size) {
            Some(first) if first.root != root.root => Err(Finding::new(Problem::Forked)
                .expected(spell_root(&first.root))
                .found(spell_root(&root.root))
                .evidence(format!(
                    "for {} the note in {} gives the other root; both are signed",
                    records(checkpoint.size),
                    first.place()
                ))
                .into()),
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
        tried: Option<Tried<'_>>,
        origin: Option<&Origin>,
        keys: &[VerifierKey],
    ) -> Finding {
        let is_tried = finding.class.is_fault() && finding.problem != Problem::Forked;
        let Some(tried) = tried.filter(|_| is_tried && self.mended < MENDED_MAX) else {
            return finding;
        };
        self.mended += 1;
        // What ends a line may be what differs.
        let size = tried.bytes.len().min(tried.own().len() + 1).min(MENDED_SIZE_MAX);
        match flips(tried.bytes, 0..size, |bytes| Tried { bytes, ..tried }.opens(origin, keys)) {
            Some(at) => finding
                .class(FindingClass::Damage)
                .evidence(format!("one flipped bit in byte {at} from there repairs it")),
            None if tried.own().contains(&0) => {
                finding.class(FindingClass::Damage).evidence("it holds NUL bytes")
            }
            None => finding,
        }
    }
}

/// A note, or a line of `checkpoints.jsonl` with what stands behind it.
#[derive(Clone, Copy)]
struct Tried<'b> {
    bytes: &'b [u8],
    is_note: bool,
}

impl<'b> Tried<'b> {
    /// Without what stands behind the line.
    fn own(self) -> &'b [u8] {
        let end = memchr::memchr(b'\n', self.bytes).filter(|_| !self.is_note);
        end.and_then(|end| self.bytes.get(..end)).unwrap_or(self.bytes)
    }

    /// Whether it is a note by a known key, or the line of one.
    fn opens(self, origin: Option<&Origin>, keys: &[VerifierKey]) -> bool {
        let good = |note: &[u8]| open(note, origin, keys).is_ok_and(|(_, good)| good > 0);
        if self.is_note {
            return good(self.bytes);
        }
        history::note_of(self.own()).is_some_and(|note| good(&note))
    }
}

/// The checkpoint in a note, and how many known keys signed it.
fn open(
    bytes: &[u8],
    origin: Option<&Origin>,
    keys: &[VerifierKey],
) -> Result<(Checkpoint, usize), Box<Finding>> {
    let malformed = |e| Box::new(Finding::new(Problem::CheckpointMalformed).found(e));
    let note = Note::parse(bytes).map_err(malformed)?;
    let checkpoint = Checkpoint::parse_text(&note.text).map_err(malformed)?;
    if let Some(origin) = origin.filter(|origin| **origin != checkpoint.origin) {
        let finding = Finding::new(Problem::CheckpointOfAnotherLog);
        return Err(finding.expected(origin).found(&checkpoint.origin).into());
    }
    match note.verify(keys) {
        Ok(good) => Ok((checkpoint, good)),
        Err(e) => Err(Finding::new(Problem::CheckpointForged).found(e).into()),
    }
}
