//! The Merkle tree over all records of a log ([RFC 6962, section 2.1](https://www.rfc-editor.org/rfc/rfc6962#section-2.1)).
//!
//! Owns the hashes of leaves and nodes, the places of perfect subtrees ([`NodeId`]), and the tree's right edge
//! ([`Frontier`]) from which it grows. The data of leaf N are the 32 raw bytes of record N's `_hash`.
//!
//! Invariants:
//! - leaf = SHA-256(0x00 ‖ `_hash`), node = SHA-256(0x01 ‖ left ‖ right), so neither can pass for the other;
//! - a tree of n leaves is the perfect subtrees of n's binary digits, largest first, folded from the right.
//!
//! It stores nothing (see [`tile`](crate::tile)) and proves nothing (see [`proof`](crate::proof)).
//! Spec: `docs/spec/`, "Tree and checkpoints".

use sha2::{Digest, Sha256};

use crate::chain::Hash;
use crate::sha256;

/// Returns the leaf hash of the record whose `_hash` is `record_hash`.
pub fn leaf_hash(record_hash: &Hash) -> Hash {
    Hash::from_bytes(sha256::of_leaf(record_hash.as_bytes()))
}

/// Turns the hashes of records into their leaves.
pub fn hash_leaves(hashes: &mut [Hash]) {
    // One after the other: the processor works on several where none waits for another.
    for hash in hashes {
        *hash = leaf_hash(hash);
    }
}

/// Returns the hash of the node over `left` and `right`.
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    Hash::from_bytes(sha256::of_node(left.as_bytes(), right.as_bytes()))
}

/// Returns the root of the tree without leaves: SHA-256 of nothing.
pub fn empty_root() -> Hash {
    Hash::from_bytes(Sha256::digest([]).into())
}

/// Where a perfect subtree stands: it covers the leaves from `index << level` to before `(index + 1) << level`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_structs, reason = "the coordinates of a node, and there are no others")]
pub struct NodeId {
    /// Height above the leaves, whose level is 0; below 64.
    pub level: u8,
    /// 0-based position among the nodes of that level.
    pub index: u64,
}

/// The right edge of a growing tree: the roots of its perfect subtrees, largest first.
///
/// Holds at most 64 hashes, however large the tree.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    /// One hash for each binary one of `size`, the highest first.
    nodes: Vec<Hash>,
}

impl Frontier {
    /// Makes the tree without leaves.
    pub const fn new() -> Self {
        Self { size: 0, nodes: Vec::new() }
    }

    /// Takes up a tree of `size` leaves, given the hashes of [`Frontier::nodes`] in their order.
    ///
    /// `None` where there are not as many hashes as such nodes.
    pub fn from_nodes(size: u64, nodes: Vec<Hash>) -> Option<Self> {
        (u64::from(size.count_ones()) == u64::try_from(nodes.len()).ok()?)
            .then_some(Self { size, nodes })
    }

    /// Names the perfect subtrees that make up a tree of `size` leaves, from left to right.
    pub fn nodes(size: u64) -> Vec<NodeId> {
        subtrees(0, size)
    }

    /// Adds one leaf.
    ///
    /// # Panics
    ///
    /// After 2^64 - 1 leaves.
    pub fn push(&mut self, leaf: Hash) {
        self.join(self.size, leaf);
        self.size = self.size.strict_add(1);
    }

    /// Adds the `2^level` leaves of a perfect subtree at once, given its root.
    ///
    /// `None`, and nothing is added, where the tree does not end at a place for such a subtree: its size is no multiple
    /// of `2^level`.
    ///
    /// # Panics
    ///
    /// After 2^64 - 1 leaves.
    pub fn push_subtree(&mut self, level: u8, root: Hash) -> Option<()> {
        let count = 1_u64.checked_shl(level.into())?;
        if !self.size.is_multiple_of(count) {
            return None;
        }
        self.join(self.size >> level, root);
        self.size = self.size.strict_add(count);
        Some(())
    }

    /// Puts `node` at the right edge, behind `before` subtrees of its own size.
    fn join(&mut self, before: u64, node: Hash) {
        let mut node = node;
        // Each trailing one is a subtree as large as the one that has just been completed.
        for _ in 0..before.trailing_ones() {
            let left = self.nodes.pop();
            debug_assert!(left.is_some(), "one hash for each binary one of the size");
            node = left.map_or(node, |left| node_hash(&left, &node));
        }
        self.nodes.push(node);
    }

    /// Returns how many leaves there are.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Computes the root.
    pub fn root(&self) -> Hash {
        fold_right(&self.nodes).unwrap_or_else(empty_root)
    }
}

/// Names the perfect subtrees that make up the leaves from `start` to before `end`, from left to right.
///
/// `start` is 0, or the start of a subtree in the sense of RFC 6962: a multiple of the largest power of two below the
/// number of leaves.
pub(crate) fn subtrees(start: u64, end: u64) -> Vec<NodeId> {
    let mut nodes = Vec::new();
    let mut start = start;
    while let Some(level) = end.checked_sub(start).and_then(u64::checked_ilog2) {
        // At most 63, so it fits.
        nodes.push(NodeId { level: u8::try_from(level).unwrap_or(u8::MAX), index: start >> level });
        start += 1 << level;
    }
    nodes
}

/// Folds the roots of subtrees that lie side by side, ever smaller, into one; `None` where there are none.
pub(crate) fn fold_right(nodes: &[Hash]) -> Option<Hash> {
    nodes.iter().rev().copied().reduce(|right, left| node_hash(&left, &right))
}

#[cfg(test)]
pub(crate) mod tests;
