//! Goes over all records up to a checkpoint, and folds them to every hash of every row.
//!
//! Invariants:
//! - the records are followed by hash and link from the first one on; the leaves of pruned records come from `tree/0`;
//! - memory grows with the number of segments and rows, not with the records.
//!
//! Whether what comes of it is what was signed is for the caller to see.

use indelible_format::chain::Hash;
use indelible_format::checkpoint::Checkpoint;
use indelible_format::record::Record;
use indelible_format::tile::{WIDTH, fold, row_count};
use indelible_format::tree::{Frontier, leaf_hash};

use crate::io::IoFailure;
use crate::layout::Layout;
use crate::lines::Line;
use crate::segment::{Segment, numbers};
use crate::storage::{Access, Storage};
use crate::tree_store::RowReader;
use crate::verify::{Finding, Problem};

/// Hashes read at once.
pub(super) const CHUNK: u64 = 4_096;

/// Where a hash of the tree belongs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) row: u8,
    pub(super) index: u64,
}

/// What is wrong with the log, or that it could not be read.
#[derive(Debug)]
pub(super) enum Stopped {
    Finding(Box<Finding>),
    Io(IoFailure),
}

impl From<IoFailure> for Stopped {
    fn from(failure: IoFailure) -> Self {
        Self::Io(failure)
    }
}

impl From<Finding> for Stopped {
    fn from(finding: Finding) -> Self {
        Self::Finding(Box::new(finding))
    }
}

/// What a walk over all records gave.
#[derive(Debug)]
pub(super) struct Walked {
    /// The oldest record that is left.
    pub(super) first_seq: u64,
    /// The tree up to the checkpoint.
    pub(super) frontier: Frontier,
}

/// Follows the records up to `checkpoint`, and hands out every hash of every row, each row in its order.
pub(super) fn walk(
    storage: &dyn Storage,
    layout: &Layout,
    checkpoint: &Checkpoint,
    take: &mut dyn FnMut(Place, &Hash) -> Result<(), IoFailure>,
) -> Result<Walked, Stopped> {
    let segments = in_order(storage, layout)?;
    let Some((first_seq, _)) = segments.first().copied() else {
        return Err(Finding::new(Problem::NoRecord).into());
    };
    let mut fold = Folding { frontier: Frontier::new(), tiles: Vec::new(), take };
    let pruned = pruned_leaves(storage, layout, first_seq.min(checkpoint.size), &mut fold)?;
    let mut walk = Walk { fold, last: None, before: pruned, size: checkpoint.size };
    for (_, number) in segments {
        walk.segment(&Segment::open(storage, layout, number, Access::Read)?)?;
    }
    let frontier = walk.fold.frontier;
    if frontier.size() < checkpoint.size {
        let finding = Finding::new(Problem::CutOff)
            .expected(format!("{} records", checkpoint.size))
            .found(format!("{} whole records", frontier.size()));
        return Err(finding.into());
    }
    Ok(Walked { first_seq, frontier })
}

/// Segments by their first records, oldest first; one without a first record can only be behind the mark.
fn in_order(storage: &dyn Storage, layout: &Layout) -> Result<Vec<(u64, u64)>, IoFailure> {
    let mut segments = Vec::new();
    for number in numbers(storage, layout)? {
        let segment = Segment::open(storage, layout, number, Access::Read)?;
        segments.extend(segment.first.map(|first| (first.seq, number)));
    }
    segments.sort_unstable();
    Ok(segments)
}

/// Takes the leaves before `first` from `tree/0`; returns the last of them.
fn pruned_leaves(
    storage: &dyn Storage,
    layout: &Layout,
    first: u64,
    fold: &mut Folding<'_>,
) -> Result<Option<Hash>, Stopped> {
    let rows = RowReader::new(storage, layout);
    let (mut at, mut last) = (0, None);
    while at < first {
        let count = CHUNK.min(first - at);
        let Some(leaves) = rows.hashes(0, at, count)? else {
            let finding = Finding::new(Problem::LeavesLost).in_file("tree/0").record(first);
            return Err(finding.expected(format!("leaves of {first} pruned records")).into());
        };
        for leaf in &leaves {
            fold.push(*leaf)?;
        }
        last = leaves.last().copied();
        at += count;
    }
    Ok(last)
}

struct Walk<'a> {
    fold: Folding<'a>,
    last: Option<Hash>,
    /// The leaf before the first record.
    before: Option<Hash>,
    size: u64,
}

impl Walk<'_> {
    fn segment(&mut self, segment: &Segment) -> Result<(), Stopped> {
        let mut lines = segment.lines(0);
        while self.fold.frontier.size() < self.size {
            let line = lines.next_line().map_err(|e| segment.read_failure(e))?;
            let (offset, bytes) = match line {
                Some(Line::Whole { offset, bytes }) => (offset, bytes),
                Some(Line::Unterminated { offset, .. } | Line::TooLong { offset }) => {
                    return Err(self.not_a_record(segment, offset).into());
                }
                None => return Ok(()),
            };
            // What a newer version wrote counts too: the tree is over hashes alone.
            let Ok(record) = Record::parse_newer(bytes) else {
                return Err(self.not_a_record(segment, offset).into());
            };
            self.record(segment, offset, &record)?;
        }
        Ok(())
    }

    fn not_a_record(&self, segment: &Segment, offset: u64) -> Finding {
        Finding::new(Problem::NotARecord)
            .at(segment.name(), offset)
            .record(self.fold.frontier.size())
            .evidence("a signed checkpoint covers this record; records are restored from a copy")
    }

    fn record(
        &mut self,
        segment: &Segment,
        offset: u64,
        record: &Record<'_>,
    ) -> Result<(), Stopped> {
        let next = self.fold.frontier.size();
        let at = |problem| Finding::new(problem).at(segment.name(), offset).record(record.seq());
        if record.seq() != next {
            return Err(at(Problem::SeqOutOfOrder).expected(next).found(record.seq()).into());
        }
        let follows = match (self.last, self.before) {
            (Some(last), _) => record.prev_hash() == last,
            (None, Some(leaf)) => leaf_hash(&record.prev_hash()) == leaf,
            (None, None) => record.prev_hash() == Hash::ZERO,
        };
        if !follows {
            let lost = self.last.is_none() && self.before.is_some();
            let problem = if lost { Problem::LeavesLost } else { Problem::ChainBroken };
            return Err(at(problem).found(record.prev_hash()).into());
        }
        self.last = Some(record.hash());
        Ok(self.fold.push(leaf_hash(&record.hash()))?)
    }
}

/// Folds leaves to the hashes of all rows.
struct Folding<'a> {
    frontier: Frontier,
    /// The open tile of each row.
    tiles: Vec<Vec<Hash>>,
    take: &'a mut dyn FnMut(Place, &Hash) -> Result<(), IoFailure>,
}

impl Folding<'_> {
    fn push(&mut self, leaf: Hash) -> Result<(), IoFailure> {
        self.frontier.push(leaf);
        let size = self.frontier.size();
        let mut hash = leaf;
        for row in 0_u8.. {
            let index = row_count(row, size) - 1;
            (self.take)(Place { row, index }, &hash)?;
            if self.tiles.len() <= usize::from(row) {
                self.tiles.push(Vec::new());
            }
            let Some(tile) = self.tiles.get_mut(usize::from(row)) else { break };
            tile.push(hash);
            if tile.len() < usize::from(WIDTH) {
                break;
            }
            let Some(above) = fold(tile) else { break };
            tile.clear();
            hash = above;
        }
        Ok(())
    }
}
