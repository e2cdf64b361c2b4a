//! Serves the tree as [C2SP tlog-tiles](https://c2sp.org/tlog-tiles) says, to whoever makes proofs of their own.
//!
//! Invariant: nothing is handed out that the latest signed checkpoint does not cover, so a tile, once handed out, stays
//! what it is.
//!
//! Tiles are not checked against the root: whoever takes them does that. It knows no paths: those are
//! [`Tile`]'s.

use indelible_format::chain::{Hash, Link};
use indelible_format::tile::{Tile, row_count};
use indelible_format::tree::leaf_hash;

use super::{ProveError, Prover};
use crate::reader::{ReadError, Reader};
use crate::segment::to_u64;
use crate::tree_store::RowReader;

/// Before each entry of a bundle stands its size, in two bytes.
const ENTRY_PREFIX: [u8; 2] = 32_u16.to_be_bytes();
/// Bytes of an entry: those of `_hash`.
const ENTRY_SIZE: usize = 32;

impl Prover {
    /// The hashes of `tile`, 32 bytes each, also of a partial one; `None` where the latest checkpoint does not cover them
    /// all.
    ///
    /// # Errors
    /// [`ProveError::NoCheckpoint`]; [`ProveError::RowsShort`] where the rows do not hold what the checkpoint covers; a
    /// file can't be read.
    pub fn tile(&self, tile: Tile) -> Result<Option<Vec<u8>>, ProveError> {
        let hashes = self.hashes_of(tile)?;
        Ok(hashes.map(|hashes| hashes.iter().flat_map(|hash| *hash.as_bytes()).collect()))
    }

    /// The entries whose leaf hashes are in `tile`, which is one of level 0: of each record the 32 bytes of `_hash`, behind
    /// its size in two bytes (an *entry bundle*). `None` where the latest checkpoint does not cover them all, where one of
    /// them was pruned, and where `tile` is of another level.
    ///
    /// # Errors
    /// As [`Prover::tile`]; [`ProveError::RecordChanged`] where a line is not the one whose leaf is in the tree.
    pub fn entries(&self, tile: Tile) -> Result<Option<Vec<u8>>, ProveError> {
        if tile.level() > 0 {
            return Ok(None);
        }
        let Some(leaves) = self.hashes_of(tile)? else { return Ok(None) };
        let reader = Reader::open_on(self.storage.clone(), self.layout.folder())?.unsynced();
        let first = tile.span().first;
        match bundle(&reader, first, &leaves) {
            // Retention took them away, perhaps only now.
            Err(_) if reader.first_seq()? > first => Ok(None),
            bundle => bundle.map(Some),
        }
    }

    fn hashes_of(&self, tile: Tile) -> Result<Option<Vec<Hash>>, ProveError> {
        let (span, size) = (tile.span(), self.checkpoint()?.checkpoint.size);
        if span.first + span.count > row_count(span.row, size) {
            return Ok(None);
        }
        let rows = RowReader::new(self.storage.as_ref(), &self.layout);
        let hashes = rows.hashes(span.row, span.first, span.count)?;
        hashes.map(Some).ok_or(ProveError::RowsShort { size })
    }
}

/// The entries from record `first` on, one for each of `leaves`.
fn bundle(reader: &Reader, first: u64, leaves: &[Hash]) -> Result<Vec<u8>, ProveError> {
    let mut bundle = Vec::with_capacity(leaves.len() * (ENTRY_PREFIX.len() + ENTRY_SIZE));
    let mut records = reader.lines_from(first)?;
    for (seq, leaf) in (first..).zip(leaves) {
        let stored = records.next().transpose()?;
        let stored = stored.filter(|stored| stored.seq == seq);
        let Some(stored) = stored else {
            let folder = reader.folder().to_path_buf();
            return Err(ReadError::Missing { seq, folder }.into());
        };
        // The suffix of a redacted line is that of the record that stood there.
        let link = Link::split(&stored.line);
        let hash = link.map_err(|source| ProveError::NotARecord { seq, source })?.hash;
        let found = leaf_hash(&hash);
        if found != *leaf {
            return Err(ProveError::RecordChanged { seq, expected: *leaf, found });
        }
        bundle.extend_from_slice(&ENTRY_PREFIX);
        bundle.extend_from_slice(hash.as_bytes());
    }
    debug_assert_eq!(to_u64(bundle.len()), 34 * to_u64(leaves.len()), "34 bytes an entry");
    Ok(bundle)
}
