//! The rows of the Merkle tree on disk: `tree/0`, `tree/1` …, hash after hash (`docs/spec/tree.md`).
//!
//! Invariants:
//! - a row only grows, but for what a failed write left or what lies beyond the durable mark, which is cut back;
//! - the counts in memory are those of the last extension that was synced whole;
//! - after a failed sync nothing is assumed of what is on the disk: the caller halts.

use std::sync::Arc;

use indelible_format::chain::Hash;
use indelible_format::tile::{fold, node_span, row_count, rows};
use indelible_format::tree::{Frontier, NodeId};

use crate::error::HaltCause;
use crate::in_place::stat_in_place;
use crate::io::{IoFailure, Operation, write_whole};
use crate::layout::Layout;
use crate::segment::{read_range, to_u64};
use crate::storage::{Access, FileId, Privacy, Stat, Storage, StorageFile};

/// Bytes of a hash in a row.
pub(crate) const HASH_SIZE: u64 = 32;
/// Hashes of a row that fold to one of the next.
const FANOUT: usize = 256;

/// Why rows were not extended.
#[derive(Debug)]
pub(crate) enum ExtendError {
    /// Nothing changed: it may be tried again.
    Refused(IoFailure),
    /// What is on the disk is not known, or it is not in the folder.
    Unknown(HaltCause),
}

/// The rows of one log, open for appending.
#[derive(Debug)]
pub(crate) struct TreeStore {
    storage: Arc<dyn Storage>,
    layout: Layout,
    rows: Vec<Row>,
    frontier: Frontier,
}

#[derive(Debug)]
struct Row {
    file: Box<dyn StorageFile>,
    id: FileId,
    /// Hashes that are synced.
    count: u64,
    /// The hashes behind the last full tile.
    open_tile: Vec<Hash>,
}

impl TreeStore {
    /// A tree without a leaf, in a folder without rows.
    pub(crate) fn empty(storage: Arc<dyn Storage>, layout: Layout) -> Self {
        Self { storage, layout, rows: Vec::new(), frontier: Frontier::new() }
    }

    /// Opens the rows as they are for a tree of `size` leaves, whose `frontier` was read from them, and cuts back
    /// what lies beyond.
    ///
    /// # Durability
    /// The cut is synced on return, and the names of the rows.
    pub(crate) fn open(
        storage: Arc<dyn Storage>,
        layout: Layout,
        frontier: Frontier,
    ) -> Result<Self, IoFailure> {
        let size = frontier.size();
        let mut store = Self { storage, layout, rows: Vec::new(), frontier };
        for number in 0..rows(size) {
            let row = store.open_row(number, row_count(number, size))?;
            store.rows.push(row);
        }
        store.cut_rows_beyond(rows(size))?;
        Ok(store)
    }

    pub(crate) fn size(&self) -> u64 {
        self.frontier.size()
    }

    pub(crate) fn root(&self) -> Hash {
        self.frontier.root()
    }

    /// Appends `leaves` to the rows.
    ///
    /// # Durability
    /// On success every row is synced; on [`ExtendError::Refused`] the rows are as before.
    pub(crate) fn extend(&mut self, leaves: &[Hash]) -> Result<(), ExtendError> {
        if leaves.is_empty() {
            return Ok(());
        }
        let mut added = leaves.to_vec();
        let mut number: u8 = 0;
        let mut extensions = Vec::new();
        while !added.is_empty() {
            let open = self.row(number).map(|row| row.open_tile.clone()).unwrap_or_default();
            let mut tile = open;
            let mut above = Vec::new();
            for hash in &added {
                tile.push(*hash);
                if tile.len() == FANOUT {
                    above.extend(fold(&tile));
                    tile.clear();
                }
            }
            extensions.push((added, tile));
            added = above;
            number += 1;
        }
        self.write_all(&extensions)?;
        for (row, (added, tile)) in self.rows.iter_mut().zip(extensions) {
            row.count += to_u64(added.len());
            row.open_tile = tile;
        }
        for leaf in leaves {
            self.frontier.push(*leaf);
        }
        Ok(())
    }

    fn row(&self, number: u8) -> Option<&Row> {
        self.rows.get(usize::from(number))
    }

    fn write_all(&mut self, extensions: &[(Vec<Hash>, Vec<Hash>)]) -> Result<(), ExtendError> {
        self.create_rows(extensions.len())?;
        let mut touched = 0;
        let written = self.rows.iter().zip(extensions).enumerate().try_for_each(
            |(index, (row, (added, _)))| {
                touched = index + 1;
                let path = self.path(index);
                let bytes: Vec<u8> = added.iter().flat_map(|hash| *hash.as_bytes()).collect();
                write_whole(row.file.as_ref(), &bytes)
                    .map_err(IoFailure::of(Operation::Write, &path))
            },
        );
        if let Err(failure) = written {
            self.cut_back(touched).map_err(unknown)?;
            return Err(ExtendError::Refused(failure));
        }
        for (index, (row, _)) in self.rows.iter().zip(extensions).enumerate() {
            let path = self.path(index);
            row.file.sync_data().map_err(|e| unknown(IoFailure::new(Operation::Sync, &path, e)))?;
            stat_in_place(self.storage.as_ref(), &path, row.id).map_err(ExtendError::Unknown)?;
        }
        Ok(())
    }

    /// Creates the rows that a tree grows into. A row that a failed attempt or a crash left is taken, empty.
    fn create_rows(&mut self, count: usize) -> Result<(), ExtendError> {
        let have = self.rows.len();
        for index in have..count {
            let path = self.path(index);
            let file = match self.storage.create_new(&path, Privacy::Group) {
                Ok(file) => file,
                Err(e) => {
                    return Err(ExtendError::Refused(IoFailure::new(Operation::Create, &path, e)));
                }
            };
            let stat =
                file.stat().map_err(|e| unknown(IoFailure::new(Operation::Stat, &path, e)))?;
            self.rows.push(Row { file, id: stat.id, count: 0, open_tile: Vec::new() });
        }
        if count > have {
            let tree = self.layout.tree();
            self.storage
                .sync_folder(&tree)
                .map_err(|e| unknown(IoFailure::new(Operation::Sync, &tree, e)))?;
        }
        Ok(())
    }

    /// Cuts the first `touched` rows back to what is synced of them.
    fn cut_back(&self, touched: usize) -> Result<(), IoFailure> {
        for (index, row) in self.rows.iter().enumerate().take(touched) {
            let path = self.path(index);
            row.file
                .truncate(row.count * HASH_SIZE)
                .map_err(IoFailure::of(Operation::Truncate, &path))?;
            row.file.sync_data().map_err(IoFailure::of(Operation::Sync, &path))?;
        }
        Ok(())
    }

    fn path(&self, index: usize) -> std::path::PathBuf {
        self.layout.row(u8::try_from(index).unwrap_or(u8::MAX))
    }

    fn open_row(&self, number: u8, count: u64) -> Result<Row, IoFailure> {
        let path = self.layout.row(number);
        let file = self
            .storage
            .open(&path, Access::Append)
            .map_err(IoFailure::of(Operation::Open, &path))?;
        let Stat { size, id, .. } = file.stat().map_err(IoFailure::of(Operation::Stat, &path))?;
        if size < count * HASH_SIZE {
            let short = std::io::Error::from(std::io::ErrorKind::UnexpectedEof);
            return Err(IoFailure::new(Operation::Read, &path, short));
        }
        if size > count * HASH_SIZE {
            file.truncate(count * HASH_SIZE).map_err(IoFailure::of(Operation::Truncate, &path))?;
            file.sync_data().map_err(IoFailure::of(Operation::Sync, &path))?;
        }
        let whole_tiles = count - count % to_u64(FANOUT);
        let open_tile = read_hashes(file.as_ref(), whole_tiles, count)
            .map_err(IoFailure::of(Operation::Read, &path))?;
        Ok(Row { file, id, count, open_tile })
    }

    /// Removes rows that a tree of this size does not have: a crash left them, beyond the mark.
    fn cut_rows_beyond(&self, count: u8) -> Result<(), IoFailure> {
        let tree = self.layout.tree();
        let names = self.storage.list(&tree).map_err(IoFailure::of(Operation::List, &tree))?;
        let mut beyond: Vec<u8> = names
            .iter()
            .filter_map(|name| name.parse::<u8>().ok().filter(|row| row.to_string() == *name))
            .filter(|row| *row >= count)
            .collect();
        beyond.sort_unstable_by(|a, b| b.cmp(a));
        for row in beyond {
            let path = self.layout.row(row);
            self.storage.unlink(&path).map_err(IoFailure::of(Operation::Remove, &path))?;
        }
        // Also where nothing was cut: an explicit repair that was killed may have renamed a row and not synced it.
        self.storage.sync_folder(&tree).map_err(IoFailure::of(Operation::Sync, &tree))
    }
}

fn unknown(failure: IoFailure) -> ExtendError {
    ExtendError::Unknown(HaltCause::Io(failure))
}

/// The name under which an explicit repair writes a row before it takes its place.
pub(crate) fn is_row_tmp(name: &str) -> bool {
    let row = name.strip_suffix(".tmp").and_then(|row| Some((row, row.parse::<u8>().ok()?)));
    row.is_some_and(|(name, row)| row.to_string() == name)
}

/// Where the tree up to the durable mark is taken from: the rows as they are, or as a repair would make them.
pub(crate) trait TreeSource {
    /// The frontier of the tree of `size` leaves; `None` where it is not to be had.
    fn frontier(&self, size: u64) -> Result<Option<Frontier>, IoFailure>;
    /// The leaf of record `seq`; `None` where it is not to be had.
    fn leaf(&self, seq: u64) -> Result<Option<Hash>, IoFailure>;
}

/// Reads single nodes of the tree from the rows, without holding any of them open for writing.
#[derive(Debug)]
pub(crate) struct RowReader<'a> {
    storage: &'a dyn Storage,
    layout: &'a Layout,
}

impl<'a> RowReader<'a> {
    pub(crate) fn new(storage: &'a dyn Storage, layout: &'a Layout) -> Self {
        Self { storage, layout }
    }

    /// Hashes `first..first + count` of a row; `None` where the row is absent or shorter.
    pub(crate) fn hashes(
        &self,
        row: u8,
        first: u64,
        count: u64,
    ) -> Result<Option<Vec<Hash>>, IoFailure> {
        let path = self.layout.row(row);
        let file = match self.storage.open(&path, Access::Read) {
            Ok(file) => file,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(IoFailure::new(Operation::Open, &path, e)),
        };
        let hashes = read_hashes(file.as_ref(), first, first + count)
            .map_err(IoFailure::of(Operation::Read, &path))?;
        Ok((to_u64(hashes.len()) == count).then_some(hashes))
    }

    /// A node of the tree, folded from its row.
    pub(crate) fn node(&self, node: NodeId) -> Result<Option<Hash>, IoFailure> {
        let span = node_span(node);
        Ok(self.hashes(span.row, span.first, span.count)?.and_then(|hashes| fold(&hashes)))
    }
}

impl TreeSource for RowReader<'_> {
    fn frontier(&self, size: u64) -> Result<Option<Frontier>, IoFailure> {
        let mut hashes = Vec::new();
        for node in Frontier::nodes(size) {
            let Some(hash) = self.node(node)? else { return Ok(None) };
            hashes.push(hash);
        }
        Ok(Frontier::from_nodes(size, hashes))
    }

    fn leaf(&self, seq: u64) -> Result<Option<Hash>, IoFailure> {
        Ok(self.hashes(0, seq, 1)?.and_then(|leaf| leaf.first().copied()))
    }
}

fn read_hashes(file: &dyn StorageFile, from: u64, to: u64) -> std::io::Result<Vec<Hash>> {
    let bytes = read_range(file, from.saturating_mul(HASH_SIZE), to.saturating_mul(HASH_SIZE))?;
    let (hashes, _) = bytes.as_chunks::<32>();
    Ok(hashes.iter().map(|hash| Hash::from_bytes(*hash)).collect())
}

#[cfg(feature = "simulated-disk")]
#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::storage::simulated::SimulatedDisk;

    /// Rows of a tree of 65,536 leaves, in each of which every hash is the same.
    fn rows_of_65536(disk: &SimulatedDisk) -> (Layout, Frontier) {
        let layout = Layout::of(Path::new("/logs/audit")).unwrap();
        let mut hash = Hash::from_bytes([7; 32]);
        for (row, count) in [(0, 65_536), (1, 256), (2, 1)] {
            disk.write_file(layout.row(row), hash.as_bytes().repeat(count)).unwrap();
            hash = if row < 2 { fold(&[hash; FANOUT]).unwrap() } else { hash };
        }
        (layout, Frontier::from_nodes(65_536, vec![hash]).unwrap())
    }

    #[test]
    fn a_row_that_is_shorter_than_its_tree_is_not_appended_to_though_the_root_needs_none_of_it() {
        let disk = SimulatedDisk::new();
        let (layout, frontier) = rows_of_65536(&disk);
        let storage: Arc<dyn Storage> = Arc::new(disk.clone());
        let open = || TreeStore::open(Arc::clone(&storage), layout.clone(), frontier.clone());
        let store = open().unwrap();
        assert_eq!((store.size(), store.root()), (65_536, frontier.root()));
        let row = disk.read_file(layout.row(1)).unwrap();
        disk.write_file(layout.row(1), &row[..row.len() - 1]).unwrap();
        let failure = open().unwrap_err();
        assert_eq!((failure.operation, &failure.path), (Operation::Read, &layout.row(1)));
        assert_eq!(failure.source.kind(), std::io::ErrorKind::UnexpectedEof);
        assert_eq!(disk.read_file(layout.row(1)).unwrap().len(), row.len() - 1);
    }
}
