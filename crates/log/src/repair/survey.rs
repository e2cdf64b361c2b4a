//! Compares every hash of every row with what the records up to the durable mark give.
//!
//! Invariant: rows count as rebuildable only where the records, and the leaves of pruned ones, give the root that was
//! signed.

use indelible_format::chain::Hash;
use indelible_format::checkpoint::Checkpoint;
use indelible_format::tile::{WIDTH, row_count, rows};
use indelible_format::tree::Frontier;

use super::plan::RepairStep;
use super::walk::{CHUNK, Stopped, walk};
use crate::io::{IoFailure, Operation};
use crate::layout::Layout;
use crate::segment::{read_range, to_u64};
use crate::storage::{Access, Storage, StorageFile};
use crate::verify::{Finding, Problem};

const HASH_SIZE: u64 = 32;

/// What the records give, and where the rows differ from it.
#[derive(Debug)]
pub(super) struct Survey {
    checkpoint: Checkpoint,
    first_seq: u64,
    frontier: Frontier,
    rows: Vec<Surveyed>,
}

/// One row, compared.
#[derive(Debug)]
struct Surveyed {
    row: u8,
    count: u64,
    wrong: u64,
    first_wrong: u64,
}

impl Survey {
    /// Compares everything that `checkpoint` covers; the inner error is why rows can't be rebuilt.
    pub(super) fn take(
        storage: &dyn Storage,
        layout: &Layout,
        checkpoint: &Checkpoint,
    ) -> Result<Result<Self, Box<Finding>>, IoFailure> {
        match Self::compare(storage, layout, checkpoint) {
            Ok(survey) => Ok(Ok(survey)),
            Err(Stopped::Finding(finding)) => Ok(Err(finding)),
            Err(Stopped::Io(failure)) => Err(failure),
        }
    }

    fn compare(
        storage: &dyn Storage,
        layout: &Layout,
        checkpoint: &Checkpoint,
    ) -> Result<Self, Stopped> {
        let size = checkpoint.size;
        let mut stored: Vec<StoredRow> = Vec::new();
        let mut surveyed = Vec::new();
        for row in 0..rows(size) {
            stored.push(StoredRow::open(storage, layout, row)?);
            let count = row_count(row, size);
            surveyed.push(Surveyed { row, count, wrong: 0, first_wrong: 0 });
        }
        let walked = walk(storage, layout, checkpoint, &mut |place, hash| {
            let row = usize::from(place.row);
            let right = stored.get_mut(row).and_then(|stored| stored.hash(place.index));
            if right != Some(*hash)
                && let Some(surveyed) = surveyed.get_mut(row)
            {
                if surveyed.wrong == 0 {
                    surveyed.first_wrong = place.index;
                }
                surveyed.wrong += 1;
            }
            Ok(())
        })?;
        let survey = Self {
            checkpoint: checkpoint.clone(),
            first_seq: walked.first_seq,
            frontier: walked.frontier,
            rows: surveyed,
        };
        if survey.frontier.root() == checkpoint.root {
            return Ok(survey);
        }
        Err(survey.not_as_signed().into())
    }

    /// Why records and leaves don't give the signed root.
    fn not_as_signed(&self) -> Finding {
        let above = self.rows.get(1).filter(|row| row.wrong > 0);
        let first_leaf = above.map(|row| row.first_wrong * u64::from(WIDTH));
        let found = self.frontier.root();
        let (expected, size) = (self.checkpoint.root, self.checkpoint.size);
        if let Some(leaf) = first_leaf.filter(|leaf| *leaf < self.first_seq) {
            return Finding::new(Problem::LeavesLost)
                .at("tree/0", leaf * HASH_SIZE)
                .expected(expected)
                .found(found)
                .evidence("the leaves of pruned records from there on do not give tree/1");
        }
        let finding = Finding::new(Problem::RootMismatch)
            .expected(expected)
            .found(found)
            .evidence(format!("the signed checkpoint covers {size} records"));
        if self.first_seq == 0 {
            return finding;
        }
        finding
            .evidence("either the leaves of pruned records in tree/0 or the records were changed")
    }

    pub(super) fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// The oldest record that is left.
    pub(super) fn first_seq(&self) -> u64 {
        self.first_seq
    }

    pub(super) fn frontier(&self) -> &Frontier {
        &self.frontier
    }

    /// The rows with a hash that is absent or wrong.
    pub(super) fn wrong_rows(&self) -> Vec<u8> {
        self.rows.iter().filter(|row| row.wrong > 0).map(|row| row.row).collect()
    }

    pub(super) fn steps(&self) -> impl Iterator<Item = RepairStep> {
        self.rows.iter().filter(|row| row.wrong > 0).map(|row| RepairStep::RebuildRow {
            row: row.row,
            count: row.count,
            wrong: row.wrong,
            offset: row.first_wrong * HASH_SIZE,
        })
    }
}

/// A row as it is, read in its order.
#[derive(Debug)]
struct StoredRow {
    file: Option<Box<dyn StorageFile>>,
    /// Hashes that the file holds.
    count: u64,
    chunk: Vec<u8>,
    /// Index of the chunk's first hash.
    from: u64,
}

impl StoredRow {
    fn open(storage: &dyn Storage, layout: &Layout, row: u8) -> Result<Self, IoFailure> {
        let path = layout.row(row);
        let file = match storage.open(&path, Access::Read) {
            Ok(file) => Some(file),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => None,
            Err(e) => return Err(IoFailure::new(Operation::Open, &path, e)),
        };
        let mut count = 0;
        if let Some(file) = &file {
            count = file.stat().map_err(IoFailure::of(Operation::Stat, &path))?.size / HASH_SIZE;
        }
        Ok(Self { file, count, chunk: Vec::new(), from: 0 })
    }

    /// The hash at `index`; bytes that can't be read are as good as absent.
    fn hash(&mut self, index: u64) -> Option<Hash> {
        if index >= self.count {
            return None;
        }
        let held = to_u64(self.chunk.len()) / HASH_SIZE;
        if index < self.from || index >= self.from + held {
            let read = |count: u64| {
                let file = self.file.as_deref()?;
                read_range(file, index * HASH_SIZE, (index + count) * HASH_SIZE).ok()
            };
            // A chunk may reach into bytes that can't be read while the hash itself can.
            self.chunk = read(CHUNK).or_else(|| read(1))?;
            self.from = index;
        }
        let (hashes, _) = self.chunk.as_chunks::<32>();
        let at = usize::try_from(index - self.from).ok()?;
        hashes.get(at).copied().map(Hash::from_bytes)
    }
}
