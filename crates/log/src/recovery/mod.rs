//! What opening does after a crash: looks first, changes nothing; then mends what a crash left, or refuses.
//!
//! - [`inspect`]: who the log is, where its durable mark stands, whether the segments follow each other;
//! - [`tail`]: what stands beyond the mark;
//! - [`mend`]: cuts, records, adopts, finishes rotations and prunes;
//! - [`quarantine`]: where the bytes go that are cut off.
//!
//! Invariants (`docs/spec/recovery.md`):
//! - a state that a crash alone can leave is never refused, and damage that is not the tail's is never repaired;
//! - nothing is cut that is not in quarantine, synced, before; nothing is mended without a record that says so;
//! - done twice it equals done once.

pub(crate) mod inspect;
pub(crate) mod mend;
pub(crate) mod quarantine;
pub(crate) mod tail;

use indelible_format::own::{Recover, TailKind};

/// What opening had to do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Recovery {
    /// Torn bytes that were mended, also by an earlier opening that a crash cut short before it could say so.
    pub mended: Vec<Mended>,
    /// Records beyond every signature that were adopted.
    pub adopted: Option<Adopted>,
    /// Whether a rotation that a crash interrupted was finished.
    pub finished_rotation: bool,
    /// Segments removed that a prune record had announced.
    pub removed_segments: u64,
    /// Whether the log was just made, and what an interrupted creation had left was removed before.
    pub removed_left_over: bool,
}

impl Recovery {
    /// Whether there was nothing to do.
    pub fn is_clean(&self) -> bool {
        *self == Self::default()
    }
}

/// Torn bytes at the end of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Mended {
    /// What they were.
    pub kind: TailKind,
    /// In which file.
    pub file: String,
    /// Where in it.
    pub offset: u64,
    /// How many bytes were cut; 0 where a line feed was added.
    pub length: u64,
    /// Where they are kept, relative to the folder; empty where nothing was cut.
    pub quarantine: String,
}

impl Mended {
    /// The mending that a record of repair tells of.
    fn told_by(told: &Recover) -> Self {
        Self {
            kind: told.kind,
            file: told.file.clone(),
            offset: told.offset,
            length: told.length,
            quarantine: told.quarantine.clone(),
        }
    }
}

/// Records that lay beyond every signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Adopted {
    /// The first of them.
    pub from_seq: u64,
    /// The last of them, as the adopt record says it: the records of this opening's own repairs are counted in.
    pub to_seq: u64,
    /// The last of them that was there before the opening.
    pub found_to_seq: u64,
}
