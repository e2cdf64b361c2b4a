//! Proofs by numbers alone, for whoever holds roots and receipts: [`InclusionProof`], [`ConsistencyProof`].
//!
//! Invariant: a tree of any size up to the latest signed checkpoint is bound to that one's root before a proof that leads
//! to it is handed out.

use indelible_format::chain::Hash;
use indelible_format::checkpoint::Opened;
use indelible_format::proof::{
    Growth, Inclusion, check_consistency, check_inclusion, consistency, inclusion,
};
use indelible_format::tree::NodeId;

use super::{ProveError, Prover};
use crate::tree_store::{RowReader, TreeSource as _};

/// Shows that a record is among the first so many of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct InclusionProof {
    /// The record, and the index of its leaf.
    pub seq: u64,
    /// Records of the tree that the proof leads to.
    pub size: u64,
    /// The record's leaf hash.
    pub leaf: Hash,
    /// The root of that tree.
    pub root: Hash,
    /// The hashes, in the order of RFC 6962.
    pub hashes: Vec<Hash>,
    /// The latest checkpoint, which covers that tree.
    pub checkpoint: Opened,
}

/// Shows that the log changed nothing of its first records when it grew.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConsistencyProof {
    /// Records of the older tree.
    pub from: u64,
    /// Records of the newer tree.
    pub to: u64,
    /// The root of the older tree.
    pub from_root: Hash,
    /// The root of the newer tree.
    pub to_root: Hash,
    /// The hashes, in the order of RFC 6962.
    pub hashes: Vec<Hash>,
    /// The latest checkpoint, which covers the newer tree.
    pub checkpoint: Opened,
}

impl Prover {
    /// Proves that record `seq` is in the tree of the first `size` records, or of the latest checkpoint. It needs no line,
    /// so it proves also what was pruned.
    ///
    /// # Errors
    /// [`ProveError::NotCovered`] and [`ProveError::SizeNotCovered`] where no checkpoint covers the record or the tree yet,
    /// [`ProveError::OutsideTree`] where the record is not in that tree; the other variants say what does not hold.
    pub fn inclusion(&self, seq: u64, size: Option<u64>) -> Result<InclusionProof, ProveError> {
        let checkpoint = self.checkpoint()?;
        let covered = checkpoint.checkpoint.size;
        if seq >= covered {
            return Err(ProveError::NotCovered { seq, size: covered });
        }
        let size = size.unwrap_or(covered);
        let root = self.root_of(size, &checkpoint)?;
        if seq >= size {
            return Err(ProveError::OutsideTree { seq, size });
        }
        let what = Inclusion { index: seq, size };
        let hashes = inclusion(what, |node| self.node(node, covered))?;
        let leaf = self.node(NodeId { level: 0, index: seq }, covered)?;
        check_inclusion(&hashes, what, &leaf, &root).map_err(ProveError::Rows)?;
        Ok(InclusionProof { seq, size, leaf, root, hashes, checkpoint })
    }

    /// Proves that the tree of the first `to` records, or of the latest checkpoint, goes on from that of the first `from`.
    ///
    /// # Errors
    /// [`ProveError::SizeNotCovered`] where no checkpoint covers that many records yet, [`ProveError::Backwards`] where
    /// `from` is over `to`; the other variants say what does not hold.
    pub fn consistency(&self, from: u64, to: Option<u64>) -> Result<ConsistencyProof, ProveError> {
        let checkpoint = self.checkpoint()?;
        let covered = checkpoint.checkpoint.size;
        let to = to.unwrap_or(covered);
        let to_root = self.root_of(to, &checkpoint)?;
        if from > to {
            return Err(ProveError::Backwards { from, to });
        }
        let from_root = self.root_of(from, &checkpoint)?;
        let hashes =
            self.checked_consistency(Growth { from, to }, &from_root, &to_root, covered)?;
        Ok(ConsistencyProof { from, to, from_root, to_root, hashes, checkpoint })
    }

    /// The root over the first `size` records, bound to that of `checkpoint`.
    fn root_of(&self, size: u64, checkpoint: &Opened) -> Result<Hash, ProveError> {
        let covered = &checkpoint.checkpoint;
        if size > covered.size {
            return Err(ProveError::SizeNotCovered { size, covered: covered.size });
        }
        if size == covered.size {
            return Ok(covered.root);
        }
        let rows = RowReader::new(self.storage.as_ref(), &self.layout);
        let own = rows.frontier(size)?.map(|frontier| frontier.root());
        let own = own.ok_or(ProveError::RowsShort { size: covered.size })?;
        let growth = Growth { from: size, to: covered.size };
        self.checked_consistency(growth, &own, &covered.root, covered.size)?;
        Ok(own)
    }

    /// Makes a proof of consistency that leads from the one root to the other.
    pub(super) fn checked_consistency(
        &self,
        growth: Growth,
        from: &Hash,
        to: &Hash,
        covered: u64,
    ) -> Result<Vec<Hash>, ProveError> {
        let proof = consistency(growth, |node| self.node(node, covered))?;
        check_consistency(&proof, growth, from, to).map_err(ProveError::Rows)?;
        Ok(proof)
    }
}
