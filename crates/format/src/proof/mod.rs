//! Proofs about the tree: that a record is in it (*inclusion*), and that it only grew (*consistency*).
//!
//! Owns making them ([RFC 6962, sections 2.1.1 and 2.1.2](https://www.rfc-editor.org/rfc/rfc6962#section-2.1.1)) and
//! checking them ([RFC 9162, sections 2.1.3.2 and 2.1.4.2](https://www.rfc-editor.org/rfc/rfc9162#section-2.1.3.2)).
//!
//! Invariants:
//! - a proof has one form: the hashes that the RFC names, in its order, from the leaves up; one hash more or less is
//!   rejected;
//! - a proof says nothing by itself: the roots must come from checkpoints whose signatures were verified, and so must
//!   the sizes, which a root does not fix by itself;
//! - both work for any size of 64 bits, and take time in proportion to its number of digits.
//!
//! It reads no files: whoever makes a proof hands in a way to read perfect subtrees.
//! Spec: `docs/spec/`, "Tree and checkpoints".

pub mod bundle;
pub mod growth;

use std::ops::Range;

use crate::chain::Hash;
use crate::seeded::{self, Bug};
use crate::tree::{NodeId, empty_root, fold_right, node_hash, subtrees};

/// What an inclusion proof is about: record `index` in the tree over the first `size` records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "names two numbers that could be swapped")]
pub struct Inclusion {
    /// 0-based position of the record: its seq.
    pub index: u64,
    /// Records that the tree covers.
    pub size: u64,
}

/// What a consistency proof is about: the tree over `to` records goes on from the one over `from` records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "names two numbers that could be swapped")]
pub struct Growth {
    /// Records that the older tree covers.
    pub from: u64,
    /// Records that the newer tree covers.
    pub to: u64,
}

/// Says why a proof can't be made, or does not hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProofError {
    /// The tree has no such record.
    #[error("record {index} is not in a tree of {size} records")]
    OutOfRange {
        /// 0-based position of the record.
        index: u64,
        /// Records that the tree covers.
        size: u64,
    },
    /// The newer tree is the smaller one.
    #[error("a tree of {from} records can't have grown to {to}")]
    Shrunk {
        /// Records that the older tree is said to cover.
        from: u64,
        /// Records that the newer tree is said to cover.
        to: u64,
    },
    /// The proof has too few or too many hashes.
    #[error("proof has {found} hashes, expected {expected}")]
    Length {
        /// As many as a proof of this has.
        expected: usize,
        /// As many as it has.
        found: usize,
    },
    /// The proof leads to another root than that of the tree, or of the newer tree.
    #[error("proof leads to root {found}, expected {expected}")]
    Root {
        /// The root that was to be shown.
        expected: Hash,
        /// Where the proof leads.
        found: Hash,
    },
    /// The proof leads to another root than that of the older tree.
    #[error("proof leads to older root {found}, expected {expected}")]
    OlderRoot {
        /// The root that was to be shown.
        expected: Hash,
        /// Where the proof leads.
        found: Hash,
    },
}

/// Makes an inclusion proof; `read` gives the hashes of perfect subtrees of that tree.
///
/// # Errors
///
/// [`ProofError::OutOfRange`], or what `read` returns.
pub fn inclusion<E: From<ProofError>>(
    what: Inclusion,
    read: impl FnMut(NodeId) -> Result<Hash, E>,
) -> Result<Vec<Hash>, E> {
    read_all(what.ranges()?, read)
}

/// Makes a consistency proof; `read` gives the hashes of perfect subtrees of the newer tree.
///
/// From the empty tree, and to the same tree, the proof is empty.
///
/// # Errors
///
/// [`ProofError::Shrunk`], or what `read` returns.
pub fn consistency<E: From<ProofError>>(
    growth: Growth,
    read: impl FnMut(NodeId) -> Result<Hash, E>,
) -> Result<Vec<Hash>, E> {
    read_all(growth.ranges()?, read)
}

fn read_all<E>(
    ranges: Vec<Range<u64>>,
    mut read: impl FnMut(NodeId) -> Result<Hash, E>,
) -> Result<Vec<Hash>, E> {
    let mut proof = Vec::with_capacity(ranges.len());
    for range in ranges {
        let nodes = subtrees(range.start, range.end);
        let nodes: Vec<Hash> = nodes.into_iter().map(&mut read).collect::<Result<_, E>>()?;
        debug_assert!(!nodes.is_empty(), "no range of a proof is empty");
        proof.extend(fold_right(&nodes));
    }
    Ok(proof)
}

impl Inclusion {
    /// The ranges of leaves whose roots make up the proof: RFC 6962's PATH(m, D[n]).
    fn ranges(self) -> Result<Vec<Range<u64>>, ProofError> {
        let Self { index, size } = self;
        if index >= size {
            return Err(ProofError::OutOfRange { index, size });
        }
        let mut ranges = Vec::new();
        let (mut start, mut end) = (0, size);
        while end - start > 1 {
            let middle = split(start, end);
            if index < middle {
                ranges.push(middle..end);
                end = middle;
            } else {
                ranges.push(start..middle);
                start = middle;
            }
        }
        ranges.reverse();
        Ok(ranges)
    }
}

impl Growth {
    /// The ranges of leaves whose roots make up the proof: RFC 6962's PROOF(m, D[n]).
    fn ranges(self) -> Result<Vec<Range<u64>>, ProofError> {
        let Self { from, to } = self;
        if from > to {
            return Err(ProofError::Shrunk { from, to });
        }
        if from == 0 {
            return Ok(Vec::new());
        }
        let mut ranges = Vec::new();
        let (mut start, mut end) = (0, to);
        while end != from {
            let middle = split(start, end);
            if from <= middle {
                ranges.push(middle..end);
                end = middle;
            } else {
                ranges.push(start..middle);
                start = middle;
            }
        }
        // Who checks has the root of the older tree; where that is not this subtree, its root must be told.
        if start != 0 {
            ranges.push(start..end);
        }
        ranges.reverse();
        Ok(ranges)
    }
}

/// Where RFC 6962 splits a tree over more than one leaf: after the largest power of two below their number.
fn split(start: u64, end: u64) -> u64 {
    start + (1 << (end - start - 1).ilog2())
}

/// Checks that `leaf` is the leaf hash of record `what.index` in the tree of that size and `root`.
///
/// # Errors
///
/// [`ProofError`] where the proof does not show it.
pub fn check_inclusion(
    proof: &[Hash],
    what: Inclusion,
    leaf: &Hash,
    root: &Hash,
) -> Result<(), ProofError> {
    check_length(proof, what.ranges()?.len())?;
    let mut path = Path { node: what.index, last: what.size - 1 };
    let mut hash = *leaf;
    for sibling in proof {
        hash = match path.step() {
            Side::Left => node_hash(sibling, &hash),
            Side::Right => node_hash(&hash, sibling),
        };
    }
    check_root(*root, hash)
}

/// Checks that the tree of `growth.to` records and `new_root` goes on from that of `growth.from` and `old_root`.
///
/// Every tree goes on from the empty one, whose root must be the empty root.
///
/// # Errors
///
/// [`ProofError`] where the proof does not show it.
pub fn check_consistency(
    proof: &[Hash],
    growth: Growth,
    old_root: &Hash,
    new_root: &Hash,
) -> Result<(), ProofError> {
    check_length(proof, growth.ranges()?.len())?;
    let Growth { from, to } = growth;
    if from == 0 {
        check_older_root(*old_root, empty_root())?;
        return if to == 0 { check_root(*new_root, empty_root()) } else { Ok(()) };
    }
    // The largest subtree that ends the older tree: where that is the older tree itself, the proof leaves it out.
    let complete = from.is_power_of_two() || from == to;
    let (first, siblings) = match proof.split_first() {
        Some((first, siblings)) if !complete => (first, siblings),
        _ => (old_root, proof),
    };
    let mut path = Path { node: from - 1, last: to - 1 };
    path.climb(path.node.trailing_ones());
    let (mut older, mut newer) = (*first, *first);
    for sibling in siblings {
        match path.step() {
            Side::Left => {
                older = node_hash(sibling, &older);
                newer = node_hash(sibling, &newer);
            }
            Side::Right => newer = node_hash(&newer, sibling),
        }
    }
    seeded::unless(seeded::is(Bug::OlderRootUncompared), || check_older_root(*old_root, older))?;
    check_root(*new_root, newer)
}

/// The way from a node up to the root, level by level.
struct Path {
    /// Position of the node in its level.
    node: u64,
    /// Position of the level's last node.
    last: u64,
}

/// On which side of the node its sibling lies.
enum Side {
    Left,
    Right,
}

impl Path {
    /// Goes up past the next sibling: a last node without one goes up until it has one, on its left.
    fn step(&mut self) -> Side {
        let mut side = Side::Right;
        if self.node % 2 == 1 || self.node == self.last {
            side = Side::Left;
            self.climb(self.node.trailing_zeros());
        }
        self.climb(1);
        side
    }

    fn climb(&mut self, levels: u32) {
        self.node = self.node.checked_shr(levels).unwrap_or(0);
        self.last = self.last.checked_shr(levels).unwrap_or(0);
    }
}

fn check_length(proof: &[Hash], expected: usize) -> Result<(), ProofError> {
    let found = proof.len();
    if found == expected { Ok(()) } else { Err(ProofError::Length { expected, found }) }
}

fn check_root(expected: Hash, found: Hash) -> Result<(), ProofError> {
    if found == expected { Ok(()) } else { Err(ProofError::Root { expected, found }) }
}

fn check_older_root(expected: Hash, found: Hash) -> Result<(), ProofError> {
    if found == expected { Ok(()) } else { Err(ProofError::OlderRoot { expected, found }) }
}

#[cfg(test)]
mod tests;
