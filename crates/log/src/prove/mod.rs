//! Makes proofs that need no log to be checked: [`Prover`].
//!
//! A proof is made from the tree rows, in a number of reads that grows with the number of digits of the log's size, and
//! leads to the latest checkpoint that a key of the log signed.
//!
//! Invariants:
//! - it only reads, and works on a log that is being appended to: rows are on the disk before the checkpoint that covers
//!   them;
//! - every proof is checked, against root and signature, before it is handed out; what does not hold is told apart: rows
//!   that a disk spoilt, a record that is not the one that was signed, a log that is no continuation.
//!
//! It makes no checkpoint: that takes the lock and the key, and is [`AuditLog`](crate::AuditLog)'s.
//! Spec: `docs/spec/proofs.md`.

mod error;
mod sizes;
mod tiles;

use std::path::Path;
use std::sync::Arc;

use indelible_format::chain::Hash;
use indelible_format::checkpoint::{Checkpoint, Opened};
use indelible_format::note::{Note, VerifierKey};
use indelible_format::proof::bundle::{Bundle, BundleError};
use indelible_format::proof::growth::{GrowthBundle, open_kept};
use indelible_format::proof::{Growth, Inclusion, ProofError, check_inclusion, inclusion};
use indelible_format::record::{Content, Record};
use indelible_format::tree::{NodeId, leaf_hash};

pub use self::error::ProveError;
pub use self::sizes::{ConsistencyProof, InclusionProof};
use crate::error::OpenError;
use crate::history;
use crate::io::IoFailure;
use crate::layout::Layout;
use crate::opening::is_log;
use crate::reader::{ReadError, Reader};
use crate::recovery::inspect::identity_of;
use crate::storage::Storage;
use crate::storage::local::LocalStorage;
use crate::tree_store::{RowReader, TreeSource as _};

/// Makes proofs about one log.
///
/// # Examples
/// ```no_run
/// let proof = indelible::Prover::open("audit")?.record(42)?;
/// std::fs::write("42.tlog-proof", proof.to_string())?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Prover {
    storage: Arc<dyn Storage>,
    layout: Layout,
    keys: Vec<VerifierKey>,
}

impl Prover {
    /// Proves from the log at `folder` on this machine.
    ///
    /// # Errors
    /// This machine's files can't be worked on; and as [`Prover::open_on`].
    pub fn open(folder: impl AsRef<Path>) -> Result<Self, ProveError> {
        let storage = LocalStorage::new().map_err(ReadError::Storage)?;
        Self::open_on(Arc::new(storage), folder)
    }

    /// Proves from the log at `folder` on another disk.
    ///
    /// # Errors
    /// [`ProveError::NotALog`] where `folder` has none of a log's files; `folder` has no name of its own, or can't be read.
    pub fn open_on(
        storage: Arc<dyn Storage>,
        folder: impl AsRef<Path>,
    ) -> Result<Self, ProveError> {
        let folder = folder.as_ref();
        let layout = Layout::of(folder)
            .ok_or_else(|| ReadError::NoFolder { folder: folder.to_path_buf() })?;
        if !is_log(storage.as_ref(), &layout)? {
            return Err(ProveError::NotALog { folder: folder.to_path_buf() });
        }
        Ok(Self { storage, layout, keys: Vec::new() })
    }

    /// A prover about a log that is open here, whose key is known.
    pub(crate) fn of_open(storage: Arc<dyn Storage>, layout: Layout, key: VerifierKey) -> Self {
        Self { storage, layout, keys: vec![key] }
    }

    /// Adds a key that is known from elsewhere. With one or more, only their signatures count; without, those of the
    /// key that the log itself names.
    #[must_use]
    pub fn with_key(mut self, key: VerifierKey) -> Self {
        self.keys.push(key);
        self
    }

    /// The latest checkpoint that a key of the log signed, in `checkpoint` or `checkpoints.jsonl`.
    ///
    /// # Errors
    /// [`ProveError::NoCheckpoint`] where there is none.
    pub fn checkpoint(&self) -> Result<Opened, ProveError> {
        self.latest(&self.keys()?)
    }

    /// Proves record `seq`; its stored line goes with the proof.
    ///
    /// # Errors
    /// [`ProveError::NotCovered`] where no checkpoint covers it yet, [`ProveError::Pruned`] and
    /// [`ProveError::Redacted`] where the line is not there any more: then see [`Prover::kept_record`]. The other
    /// variants say what does not hold.
    pub fn record(&self, seq: u64) -> Result<Bundle, ProveError> {
        let latest = self.latest(&self.keys()?)?;
        let reader = Reader::open_on(Arc::clone(&self.storage), self.layout.folder())?.unsynced();
        let stored = reader.record(seq)?;
        let size = latest.checkpoint.size;
        if seq >= size {
            if stored.is_some() {
                return Err(ProveError::NotCovered { seq, size });
            }
            let last = reader.records()?.max(size).saturating_sub(1);
            return Err(ProveError::NoRecord { seq, first: reader.first_seq()?, last });
        }
        let Some(stored) = stored else {
            let first = reader.first_seq()?;
            return Err(if seq < first {
                ProveError::Pruned { seq, first }
            } else {
                ReadError::Missing { seq, folder: self.layout.folder().to_path_buf() }.into()
            });
        };
        self.prove(&latest, seq, stored.line)
    }

    /// Proves record `seq` by its stored line, without its line feed, that somebody kept: also where it was pruned or
    /// redacted since.
    ///
    /// # Errors
    /// [`ProveError::RecordChanged`] where the line is not that of the record that the log had there; and as
    /// [`Prover::record`].
    pub fn kept_record(&self, seq: u64, line: &[u8]) -> Result<Bundle, ProveError> {
        let found = Record::parse(line).map_err(|source| ProveError::KeptLine { source })?.seq();
        if found != seq {
            return Err(ProveError::KeptLineOfAnother { seq, found });
        }
        let latest = self.latest(&self.keys()?)?;
        if seq >= latest.checkpoint.size {
            // Whether there is such a record at all.
            return self.record(seq);
        }
        self.prove(&latest, seq, line.to_vec())
    }

    /// Proves that the log went on from `kept`, a checkpoint that somebody kept, and changed nothing before it.
    ///
    /// # Errors
    /// [`ProveError::NotAContinuation`] and [`ProveError::Shorter`] where it did not; [`ProveError::Kept`] where `kept`
    /// is a checkpoint, but none of this log; [`ProveError::NotACheckpoint`] where it is something else.
    pub fn growth(&self, kept: &[u8]) -> Result<GrowthBundle, ProveError> {
        let form = Note::parse(kept).and_then(|note| Checkpoint::parse_text(&note.text));
        form.map_err(|source| ProveError::NotACheckpoint { source })?;
        let keys = self.keys()?;
        let kept = open_kept(kept, &keys).map_err(ProveError::Kept)?.checkpoint;
        let latest = self.latest(&keys)?;
        let newer = &latest.checkpoint;
        if kept.origin != newer.origin {
            let (expected, found) = (kept.origin, newer.origin.clone());
            return Err(ProveError::Kept(BundleError::OtherOrigin { expected, found }));
        }
        if kept.size > newer.size {
            return Err(ProveError::Shorter { kept: kept.size, size: newer.size });
        }
        let rows = RowReader::new(self.storage.as_ref(), &self.layout);
        let own = rows.frontier(kept.size)?.map(|frontier| frontier.root());
        let own = own.ok_or(ProveError::RowsShort { size: newer.size })?;
        let growth = Growth { from: kept.size, to: newer.size };
        // What the rows say of the older tree is bound to the signed root first; only then does it speak against `kept`.
        let proof = self.checked_consistency(growth, &own, &newer.root, newer.size)?;
        if own != kept.root {
            let (size, expected) = (kept.size, kept.root);
            return Err(ProveError::NotAContinuation { size, expected, found: own });
        }
        Ok(GrowthBundle::new(kept.size, proof, latest.note))
    }

    fn prove(&self, latest: &Opened, seq: u64, line: Vec<u8>) -> Result<Bundle, ProveError> {
        let Checkpoint { size, root, .. } = latest.checkpoint;
        let record =
            Record::parse(&line).map_err(|source| ProveError::NotARecord { seq, source })?;
        if matches!(record.content(), Content::Redacted) {
            return Err(ProveError::Redacted { seq });
        }
        let what = Inclusion { index: seq, size };
        let proof = inclusion(what, |node| self.node(node, size))?;
        let leaf = leaf_hash(&record.hash());
        if let Err(source) = check_inclusion(&proof, what, &leaf, &root) {
            let signed = self.node(NodeId { level: 0, index: seq }, size)?;
            // Where the row's leaf leads to the root, the row is right, and the line is not the one that was signed.
            return Err(match check_inclusion(&proof, what, &signed, &root) {
                Ok(()) => ProveError::RecordChanged { seq, expected: signed, found: leaf },
                Err(_) => ProveError::Rows(source),
            });
        }
        let mut bundle = Bundle::new(seq, proof, latest.note.clone());
        bundle.extra = Some(line);
        Ok(bundle)
    }

    fn node(&self, node: NodeId, size: u64) -> Result<Hash, ProveError> {
        let rows = RowReader::new(self.storage.as_ref(), &self.layout);
        rows.node(node)?.ok_or(ProveError::RowsShort { size })
    }

    /// The keys whose signatures count.
    fn keys(&self) -> Result<Vec<VerifierKey>, ProveError> {
        if !self.keys.is_empty() {
            return Ok(self.keys.clone());
        }
        match identity_of(self.storage.as_ref(), &self.layout) {
            Ok(identity) => Ok(vec![identity.verifier_key().clone()]),
            Err(OpenError::Io(failure)) => Err(failure.into()),
            Err(_) => {
                Err(ProveError::IdentityUnknown { folder: self.layout.folder().to_path_buf() })
            }
        }
    }

    fn latest(&self, keys: &[VerifierKey]) -> Result<Opened, ProveError> {
        let storage = self.storage.as_ref();
        let noted = history::read_tail(storage, &self.layout)?.last;
        let stored = history::read_latest(storage, &self.layout)?;
        let open = |note: history::StoredNote| {
            let opened = Checkpoint::open(&note.note?, keys).ok()?;
            let own = keys.iter().any(|key| key.name() == opened.checkpoint.origin.as_str());
            (own && opened.good > 0).then_some(opened)
        };
        let best = [noted, stored].into_iter().flatten().filter_map(open);
        best.max_by_key(|opened| opened.checkpoint.size)
            .ok_or_else(|| ProveError::NoCheckpoint { folder: self.layout.folder().to_path_buf() })
    }
}

impl From<IoFailure> for ProveError {
    fn from(failure: IoFailure) -> Self {
        Self::Read(failure.into())
    }
}

impl From<ProofError> for ProveError {
    fn from(error: ProofError) -> Self {
        Self::Rows(error)
    }
}
