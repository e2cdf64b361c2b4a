//! What a log is held against from outside: keys, kept checkpoints, receipts, the origin that it should have.
//!
//! Invariants:
//! - the key that the log itself names is no anchor: whoever rewrites all of it also writes that;
//! - what can't be compared is said to be so, and never counts as an anchor;
//! - memory grows with what was given (64 bytes a receipt; in a broken log some 70 more for each of one segment's, and twice 64
//!   for each whose record is not in its segment), never with the log.
//!
//! A root that was kept is compared where the tree is grown ([`tree`](super::tree)), by way of [`SignedRoots`].

mod held;
mod kept;
mod reading;
mod receipts;

use std::collections::BTreeSet;

use indelible_format::checkpoint::{Checkpoint, spell_root};
use indelible_format::identity::Origin;
use indelible_format::note::VerifierKey;
use indelible_format::note::key::IdHex;
use indelible_format::tree::empty_root;

pub use self::kept::{KeptCheckpoint, KeptError};
pub use self::receipts::{ReceiptError, ReceiptFault, Receipts};

use super::VerifyError;
use super::collect::Findings;
use super::count::records;
use super::finding::{Finding, MIXED_UP, Problem};
use super::ground::{End, Ground};
use super::notes::{SignedRoot, SignedRoots};
use super::plan::{Identity, Planned};
use super::progress::Progress;
use crate::layout::ACTIVE;
use crate::segment::to_u64;

/// What was given to hold a log against.
#[derive(Clone, Debug, Default)]
pub(super) struct Anchors {
    /// How many keys.
    pub(super) keys: u64,
    pub(super) checkpoints: Vec<KeptCheckpoint>,
    pub(super) receipts: Receipts,
    pub(super) origin: Option<Origin>,
}

/// Says what a log was held against that came from outside of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Anchoring {
    /// Keys that were given.
    pub keys: u64,
    /// Kept checkpoints of a log of this origin that the log was held against: those that a known key signed, and, where
    /// no key was given, those whose signature could not be checked.
    pub checkpoints: u64,
    /// Kept checkpoints that were not compared, since no known key signed them.
    pub checkpoints_unknown: u64,
    /// Receipts of this log: it was held against them.
    pub receipts: u64,
    /// Those of them whose records were pruned, as a valid prune record says: their hashes were compared, their timestamps
    /// could not be.
    pub receipts_pruned: u64,
    /// How many records, counted from record 0, are those that a kept checkpoint or receipt is of, if the log is whole.
    pub covered: Option<u64>,
    /// The first of the records that `covered` is about: a checkpoint fixes all before it, a receipt, through the chain,
    /// those that are in the folder.
    pub covered_from: u64,
}

impl Anchoring {
    /// Whether anything from outside was held against the log.
    pub(super) fn is_anchored(&self) -> bool {
        // A receipt of a pruned record fixes one leaf, and nothing of what is there.
        self.keys > 0 || self.checkpoints > 0 || self.receipts > self.receipts_pruned
    }
}

/// The folder, as far as anchors are compared with it.
#[derive(Debug)]
pub(super) struct Held<'a> {
    pub(super) ground: Ground<'a>,
    /// Seq of the first record in the folder.
    pub(super) first_seq: Option<u64>,
    /// Records before this one were pruned.
    pub(super) pruned_before: u64,
    pub(super) next_seq: u64,
    /// Whether something stands behind the last record that is none.
    pub(super) ends_lost: bool,
    /// Where in the newest segment its records end, and bytes begin that no opening keeps, whatever lines are among them.
    pub(super) torn_at: Option<u64>,
    /// Segments, in the order of the plan, of which it is told that bytes can't be read.
    pub(super) unreadable_in: &'a BTreeSet<usize>,
    /// Whether everything was looked at.
    pub(super) complete: bool,
    pub(super) progress: &'a Progress,
}

impl Anchors {
    /// Adds the roots of kept checkpoints to those that the tree must give.
    pub(super) fn join(
        &self,
        roots: &mut SignedRoots,
        identity: Option<&Identity>,
        keys: &[VerifierKey],
        out: &mut Findings,
    ) -> Anchoring {
        let mut told = Anchoring { keys: self.keys, ..Anchoring::default() };
        for kept in &self.checkpoints {
            let size = kept.checkpoint().size;
            let origin = &kept.checkpoint().origin;
            if let Some(identity) = identity.filter(|identity| identity.origin != *origin) {
                out.add(
                    Finding::new(Problem::KeptOfAnotherLog)
                        .expected(&identity.origin)
                        .found(origin)
                        .evidence(kept.is_given())
                        .evidence(MIXED_UP),
                );
                continue;
            }
            let unchecked = match kept.note().verify(keys) {
                // The key that the log names is no better than the word of who kept the note.
                Ok(0) if self.keys == 0 && identity.is_some() => {
                    let signers = kept.signers(keys, "the log names");
                    out.add(
                        Finding::new(Problem::KeptSignatureUnchecked)
                            .evidence(kept.is_given())
                            .evidence(signers.clone()),
                    );
                    Some(signers)
                }
                Ok(0) => {
                    told.checkpoints_unknown += 1;
                    out.add(kept.key_unknown(identity, keys));
                    continue;
                }
                Ok(_) => None,
                Err(e) => {
                    let finding = Finding::new(Problem::KeptForged).found(e);
                    let finding = finding.evidence(kept.is_given()).evidence(
                        "either the note was changed where it was kept, or another key of the same name and id made it",
                    );
                    out.add(roots.mend_kept(finding, &kept.note().encode(), keys));
                    continue;
                }
            };
            if size == 0 {
                // It covers nothing, and so anchors nothing.
                if kept.checkpoint().root != empty_root() {
                    out.add(Finding::new(Problem::KeptRootMismatch).evidence(kept.is_given()));
                }
                continue;
            }
            told.checkpoints += 1;
            told.covered = told.covered.max(Some(size));
            if let Err(known) =
                roots.keep(size, kept.checkpoint().root, kept.name(), unchecked.clone())
            {
                out.add(contradiction(kept, &known, unchecked));
            }
        }
        told
    }

    /// Compares what only the whole log shows. Returns whether everything was looked at; `None` where segments moved,
    /// and all must begin again.
    pub(super) fn hold(
        &self,
        held: &Held<'_>,
        told: &mut Anchoring,
        out: &mut Findings,
    ) -> Result<Option<bool>, VerifyError> {
        let by_checkpoints = told.covered.unwrap_or(0);
        let identity = held.ground.plan.identity.as_ref();
        if let Some(asked) = &self.origin
            && identity.is_some_and(|identity| identity.origin != *asked)
        {
            let mut finding = Finding::new(Problem::OriginDiffers).expected(asked);
            finding.found = identity.map(|identity| identity.origin.to_string());
            out.add(finding.evidence(MIXED_UP));
        }
        if let Some((size, root)) = held.ground.roots.kept_beyond(held.next_seq)
            && held.complete
        {
            let newest = held.ground.plan.segments.last();
            let name = newest.map_or_else(|| ACTIVE.to_owned(), Planned::name);
            let finding = Finding::new(Problem::KeptBeyond)
                .at(name, newest.map_or(0, |newest| newest.size))
                .expected(records(size))
                .found(records(held.next_seq))
                .evidence(format!("signed in {}", root.place()));
            out.add(root.with_signers(finding));
        }
        if held.complete && !out.has_fault() {
            for finding in out.of(Problem::KeptSignatureUnchecked) {
                finding
                    .evidence
                    .push("the log has the records and the root that it names".to_owned());
            }
        }
        let mut complete = held.complete;
        if complete && !self.receipts.is_empty() {
            match held::compare(&self.receipts, held, told, out)? {
                End::Gone => return Ok(None),
                End::Stopped => complete = false,
                End::Complete => {}
            }
        }
        let first = held.first_seq.unwrap_or(0);
        told.covered_from = if by_checkpoints >= first { 0 } else { first };
        if !told.is_anchored() {
            out.add(Finding::new(Problem::NotAnchored).evidence(
                "whoever can write the files and has made a key of their own could have written all of this anew: \
                 give the key that `init` printed with --key to rule that out",
            ));
        }
        Ok(Some(complete))
    }
}

/// Two roots for one size: one in a note that was kept, one in a note that is known already.
fn contradiction(kept: &KeptCheckpoint, known: &SignedRoot, unchecked: Option<String>) -> Finding {
    let Checkpoint { size, root, .. } = kept.checkpoint();
    let problem = if unchecked.is_some() { Problem::KeptRootMismatch } else { Problem::Forked };
    let mut finding = Finding::new(problem);
    if let Some((file, offset)) = known.noted {
        finding = finding.at(file, offset);
    }
    finding = finding.expected(spell_root(root)).found(spell_root(&known.root));
    let other =
        format!("for {} the note in {} gives the other root", records(*size), known.place());
    finding = finding.evidence(kept.is_given());
    match unchecked {
        Some(signers) => finding.evidence(other).evidence(signers).evidence(MIXED_UP),
        None => finding.evidence(format!("{other}; both are signed")),
    }
}

/// The finding that none of `given` is a key that the log names, if that is so.
pub(super) fn other_keys(identity: &Identity, given: &[VerifierKey]) -> Option<Finding> {
    if given.iter().any(|key| identity.keys.contains(key)) {
        return None;
    }
    let (named, asked) = (spell(&identity.keys), spell(given));
    Some(
        Finding::new(Problem::KeyOfAnotherLog)
            .expected(&asked)
            .found(&named)
            .evidence(format!("record {} names the key {named}, the key given is {asked}", identity.seq))
            .evidence(
                "the wrong key or folder was given, or another log was put in the place of the one meant",
            ),
    )
}

/// Keys by name and id.
fn spell(keys: &[VerifierKey]) -> String {
    let keys = keys.iter().map(|key| format!("{}+{}", key.name(), IdHex(key.id())));
    keys.collect::<Vec<_>>().join(" or ")
}

/// How many, as a report counts.
fn count(of: usize) -> u64 {
    to_u64(of)
}
