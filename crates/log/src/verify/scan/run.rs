//! What the scan vouches for: [`Run`].

use indelible_format::chain::Hash;
use indelible_format::time::Timestamp;

/// Lines that follow each other, each a client's event that is right in itself and follows the one before; and, as far as
/// the mark reaches, each with its leaf in `tree/0`.
///
/// Whether its first line follows what stands before it, is for the walk to say.
#[derive(Debug)]
pub(in crate::verify) struct Run {
    /// Which segment, in the order of the plan.
    pub(in crate::verify) segment: usize,
    /// Where its first line begins.
    pub(in crate::verify) start: u64,
    /// Where the line behind its last one begins.
    pub(in crate::verify) end: u64,
    pub(in crate::verify) first_seq: u64,
    pub(in crate::verify) count: u64,
    /// Hash that its first line names as the one before.
    pub(in crate::verify) prev_hash: Hash,
    /// Hash of its last line.
    pub(in crate::verify) hash: Hash,
    pub(in crate::verify) first_timestamp: Timestamp,
    pub(in crate::verify) last_timestamp: Timestamp,
    /// Its part of the tree, from left to right.
    pub(in crate::verify) pieces: Vec<Piece>,
}

impl Run {
    /// Seq of its last line.
    pub(in crate::verify) fn last_seq(&self) -> u64 {
        self.first_seq.saturating_add(self.count).saturating_sub(1)
    }
}

/// A part of the tree, folded as far as nobody needs to look inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::verify) enum Piece {
    /// One leaf.
    Leaf(Hash),
    /// The root over a whole tile of leaves, within which no signed size ends.
    Tile(Hash),
}
