//! The Merkle tree over the records, against the signed roots and against the rows.
//!
//! It holds two trees while they differ: the one that the records give, and the one that the rows give. A signed root
//! says which of them was changed: where the records give it, the rows are damaged; where only the rows give it, the
//! records were rewritten, and the first leaf that differs says from where on.
//!
//! Invariants:
//! - leaves are pushed by rising seq, each once; one that the walk can't give is taken from the rows;
//! - no difference becomes a finding before a signed root has decided whose it is;
//! - rows are compared up to the mark; behind it they mean nothing.

#[cfg(test)]
mod tests;

use std::ops::Range;

use indelible_format::chain::Hash;
use indelible_format::checkpoint::spell_root;
use indelible_format::seeded::{self, Bug};
use indelible_format::tile;
use indelible_format::tree::{Frontier, leaf_hash};

use super::collect::Findings;
use super::count::{first_records, first_records_are, leaves};
use super::finding::{Finding, Problem};
use super::notes::{SignedRoot, SignedRoots};
use super::place::Place;
use super::rows::{Gap, HASH_SIZE, Row};
use super::scan::{Piece, Run};
use crate::io::IoFailure;
use crate::layout::Layout;
use crate::storage::Storage;

/// Evidence where rows differ and the records are right.
const BY_RECORDS: &str =
    "the records give the root that was signed, so the row can be rebuilt from them";
/// Evidence where rows differ and nothing says what is right.
const UNDECIDED: &str =
    "no signed checkpoint over these records is left to say which of them is right";
/// Evidence where a row above differs and records were changed that it is not over.
const BY_LEAVES: &str =
    "tree/0 gives the root that was signed, so the row can be rebuilt from that";
/// Evidence where records were changed and no link between them is broken.
const REHASHED: &str = "no link is broken, so from this record on everything was hashed again";

/// A hash of a row that is not the one that the records give.
#[derive(Clone, Debug)]
struct Difference {
    row: u8,
    index: u64,
    /// The record, where it is a leaf.
    place: Option<Place>,
    expected: Hash,
    found: Hash,
}

/// The first difference since the last signed root, and how many there are.
#[derive(Debug, Default)]
struct Differing {
    first: Option<Difference>,
    count: u64,
}

impl Differing {
    fn add(&mut self, difference: Difference) {
        self.count += 1;
        self.first.get_or_insert(difference);
    }
}

impl Difference {
    /// The first leaf that it is over.
    fn first_leaf(&self) -> u64 {
        first_leaf(self.row, self.index)
    }

    /// The leaf behind the last that it is over.
    fn leaf_behind(&self) -> u64 {
        first_leaf(self.row, self.index.saturating_add(1))
    }
}

/// The first leaf that the hash at `index` of `row` is over.
fn first_leaf(row: u8, index: u64) -> u64 {
    index.saturating_mul(u64::from(tile::WIDTH).saturating_pow(u32::from(row)))
}

/// Both trees, and what has been compared.
#[derive(Debug)]
pub(super) struct Tree<'a> {
    roots: &'a SignedRoots,
    mark: u64,
    rows: Vec<Row>,
    by_records: Frontier,
    /// Only while it is another one.
    by_rows: Option<Frontier>,
    /// Leaves that differ.
    leaves: Differing,
    /// Hashes of the rows above that do.
    above: Differing,
    /// Per row, the hashes of the tile under way.
    tiles: Vec<Vec<Hash>>,
    /// Rows of which it was said that they are short or unreadable.
    gaps_told: Vec<u8>,
    /// The last size whose signed root was found right.
    agreed: Option<u64>,
    /// The last size whose root that somebody had kept was found right.
    agreed_kept: Option<u64>,
    /// Whether the last signed root was not what the records gave: then the next ones are not, either.
    rewritten: bool,
    /// The last size with a signed root.
    checked: u64,
    /// Records that signed roots cover as they stand, by rising seq.
    confirmed: Vec<Range<u64>>,
    /// The last record whose leaf differs from its row, since the last signed root.
    last_different: u64,
    /// Whether a leaf is not to be had, or no tree gives the signed root any more.
    lost: bool,
    /// How many leaves are of pruned records.
    pruned: u64,
    /// How many of these it was said of that one of them is wrong.
    pruned_told: u64,
}

impl<'a> Tree<'a> {
    pub(super) fn open(
        storage: &dyn Storage,
        layout: &Layout,
        roots: &'a SignedRoots,
    ) -> Result<Self, IoFailure> {
        let mark = roots.mark();
        let rows = (0..tile::rows(mark).clamp(1, 8))
            .map(|number| Row::open(storage, layout, number))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Self {
            roots,
            mark,
            tiles: vec![Vec::new(); rows.len()],
            rows,
            by_records: Frontier::new(),
            by_rows: None,
            leaves: Differing::default(),
            above: Differing::default(),
            gaps_told: Vec::new(),
            agreed: None,
            agreed_kept: None,
            rewritten: false,
            checked: 0,
            confirmed: Vec::new(),
            last_different: 0,
            lost: false,
            pruned: 0,
            pruned_told: 0,
        })
    }

    /// Leaves so far.
    pub(super) fn size(&self) -> u64 {
        self.by_records.size()
    }

    /// Root over all leaves so far; `None` where a leaf is not to be had.
    pub(super) fn root(&self) -> Option<Hash> {
        (!self.lost).then(|| self.by_records.root())
    }

    /// The records that signed roots cover as they stand, by rising seq.
    pub(super) fn confirmed(&self) -> &[Range<u64>] {
        &self.confirmed
    }

    /// The leaf of record `seq` in the rows, as far as a signed root covers it.
    pub(super) fn row_leaf(&mut self, seq: u64) -> Option<Hash> {
        (seq < self.mark).then(|| self.stored(0, seq).ok()).flatten()
    }

    /// The leaf of a pruned record in the rows.
    pub(super) fn stored_leaf(&mut self, seq: u64) -> Option<Hash> {
        self.stored(0, seq).ok()
    }

    /// Takes the leaves of pruned records, those before `first`, from the rows. `prev_hash` is the hash that the first
    /// record names.
    pub(super) fn begin(
        &mut self,
        first: u64,
        prev_hash: &Hash,
        place: &Place,
        out: &mut Findings,
    ) {
        self.pruned = first;
        for seq in 0..first {
            match self.stored(0, seq) {
                Ok(leaf) if seq + 1 == first => self.last_pruned(leaf, prev_hash, place, out),
                Ok(leaf) => self.grow(leaf, None, out),
                Err(gap) => {
                    self.lost = true;
                    let name = self.row_name(0);
                    let mut finding = Finding::new(Problem::LeavesLost)
                        .at(name, seq.saturating_mul(HASH_SIZE))
                        .record(seq)
                        .expected(format_args!("leaves of {first} pruned records"))
                        .found(leaves(seq));
                    if let Gap::Unreadable(why) = gap {
                        finding = finding.evidence(format!("the next can't be read: {why}"));
                    }
                    out.add(finding);
                    return;
                }
            }
        }
    }

    /// Takes the leaf of the last pruned record, which the first record at `place` names too.
    fn last_pruned(&mut self, found: Hash, prev_hash: &Hash, place: &Place, out: &mut Findings) {
        let expected = leaf_hash(prev_hash);
        if found == expected {
            return self.grow(found, None, out);
        }
        let mut named = self.by_records.clone();
        named.push(expected);
        let signed = self.roots.at(named.size()).filter(|_| !self.lost);
        if signed.is_some_and(|signed| signed.root == named.root()) {
            out.add(
                Finding::new(Problem::RowsDiffer)
                    .at(self.row_name(0), self.size().saturating_mul(HASH_SIZE))
                    .expected(expected)
                    .found(found)
                    .evidence(
                        "the hash that the first record names gives the root that was signed",
                    ),
            );
            return self.grow(expected, None, out);
        }
        self.grow(found, None, out);
        out.add(
            place
                .finding(Problem::ChainBroken)
                .expected(format_args!("the record of leaf {found} in tree/0"))
                .found(format_args!("{prev_hash}, whose leaf is {expected}"))
                .evidence(if self.agreed == Some(self.size()) {
                    "a signed checkpoint covers the leaf of the pruned record before it"
                } else {
                    "no signed checkpoint of just these records was found to agree with either"
                }),
        );
    }

    /// Takes the next record's leaf. Records that were passed over since the last are taken from the rows.
    pub(super) fn push(&mut self, seq: u64, hash: &Hash, place: &Place, out: &mut Findings) {
        self.borrow_up_to(seq, out);
        if self.lost || seq != self.size() {
            return;
        }
        let leaf = leaf_hash(hash);
        if seq < self.mark {
            self.compare(0, seq, leaf, Some(place), out);
        }
        self.grow(leaf, Some(place), out);
    }

    /// Whether `run` can be taken at once: it follows, nothing is undecided, and every signed root within it is right.
    pub(super) fn fits(&self, run: &Run) -> bool {
        let same = self.leaves.first.is_none() && self.above.first.is_none();
        let clean = !self.lost && same && self.by_rows.is_none();
        if !clean || self.size() != run.first_seq {
            return false;
        }
        let end = run.first_seq.saturating_add(run.count);
        if !self.roots.ends_within(run.first_seq..end.saturating_add(1)) {
            return true;
        }
        let mut tree = self.by_records.clone();
        run.pieces.iter().all(|piece| {
            add(&mut tree, *piece);
            self.roots.at(tree.size()).is_none_or(|signed| signed.root == tree.root())
        })
    }

    /// Takes the leaves of a run that [fits](Self::fits).
    pub(super) fn take(&mut self, run: &Run, out: &mut Findings) {
        for piece in &run.pieces {
            add(&mut self.by_records, *piece);
            if self.size() <= self.mark {
                match *piece {
                    Piece::Leaf(leaf) => self.fold(0, leaf, out),
                    Piece::Tile(root) => {
                        self.compare_tile(1, root, out);
                        self.fold(1, root, out);
                    }
                }
            }
            self.check_root(None, out);
        }
    }

    /// Takes the leaves before `seq` from the rows, for records that are not intact.
    pub(super) fn borrow_up_to(&mut self, seq: u64, out: &mut Findings) {
        while !self.lost && self.size() < seq {
            let at = self.size();
            match self.row_leaf(at) {
                Some(leaf) => self.grow(leaf, None, out),
                None => self.lost = true,
            }
        }
    }

    /// Says what no signed root has decided.
    pub(super) fn finish(&mut self, out: &mut Findings) {
        self.report_differing(UNDECIDED, out);
    }

    fn grow(&mut self, leaf: Hash, place: Option<&Place>, out: &mut Findings) {
        let index = self.size();
        if let Some(by_rows) = &mut self.by_rows {
            let stored = self.rows.first_mut().and_then(|row| row.hash(index).ok());
            by_rows.push(stored.unwrap_or(leaf));
        }
        self.by_records.push(leaf);
        if self.size() <= self.mark {
            self.fold(0, leaf, out);
        }
        self.check_root(place, out);
    }

    /// Adds `hash` to the tile under way of `row`; each that is full is one hash of the row above.
    fn fold(&mut self, row: u8, hash: Hash, out: &mut Findings) {
        let mut hash = hash;
        for row in row.. {
            let Some(tile) = self.tiles.get_mut(usize::from(row)) else { return };
            tile.push(hash);
            if tile.len() < usize::from(tile::WIDTH) {
                return;
            }
            let Some(root) = tile::fold(tile) else { return };
            tile.clear();
            hash = root;
            self.compare_tile(row + 1, hash, out);
        }
    }

    /// Compares the root over the tile that was just filled with its hash in `row`: below the mark, a row that fills a
    /// tile has one above it.
    fn compare_tile(&mut self, row: u8, root: Hash, out: &mut Findings) {
        let index = tile::row_count(row, self.size()) - 1;
        self.compare(row, index, root, None, out);
    }

    /// Compares one hash with that of its row, and keeps a difference until a signed root decides.
    fn compare(
        &mut self,
        row: u8,
        index: u64,
        expected: Hash,
        place: Option<&Place>,
        out: &mut Findings,
    ) {
        let found = match self.stored(row, index) {
            Ok(found) if found == expected || seeded::is(Bug::RowsUncompared) => return,
            Ok(found) => found,
            Err(gap) => return self.report_gap(row, index, gap, out),
        };
        let place = place.cloned();
        let difference = Difference { row, index, place, expected, found };
        if row > 0 {
            // Of leaves of which it was said already that one is wrong, the rows above show it too.
            if difference.first_leaf() >= self.pruned_told {
                self.above.add(difference);
            }
            return;
        }
        self.last_different = index;
        if self.by_rows.is_none() {
            self.by_rows = Some(self.by_records.clone());
        }
        self.leaves.add(difference);
    }

    fn check_root(&mut self, place: Option<&Place>, out: &mut Findings) {
        let size = self.size();
        let Some(signed) = self.roots.at(size).filter(|_| !self.lost) else { return };
        let checked = std::mem::replace(&mut self.checked, size);
        if self.by_records.root() == signed.root {
            confirm(&mut self.confirmed, checked..size);
            self.report_differing(BY_RECORDS, out);
            self.by_rows = None;
            self.agreed = Some(size);
            self.agreed_kept = signed.kept.as_ref().map(|_| size).or(self.agreed_kept);
            self.rewritten = false;
            return;
        }
        // A kept checkpoint may be of another log than these rows.
        if size <= self.pruned && signed.noted.is_some() {
            return self.report_pruned(signed.root, out);
        }
        let rows_agree = self.by_rows.as_ref().is_some_and(|tree| tree.root() == signed.root);
        if signed.noted.is_none() && !rows_agree {
            return self.report_kept(signed, place, out);
        }
        let chained = !out.has_fault();
        let changed = std::mem::take(&mut self.leaves).first;
        let above = std::mem::take(&mut self.above);
        if let Some(changed) = changed.as_ref().filter(|_| rows_agree) {
            confirm(&mut self.confirmed, checked..changed.index);
            confirm(&mut self.confirmed, self.last_different + 1..size);
        }
        let mut finding = Finding::new(Problem::RootMismatch);
        finding = match changed.as_ref().and_then(|d| d.place.as_ref()).or(place) {
            Some(place) => finding.at(&*place.file, place.offset).record(place.seq),
            None => finding.in_file("tree/0"),
        };
        finding =
            finding.expected(spell_root(&signed.root)).found(spell_root(&self.by_records.root()));
        finding = finding.evidence(format!(
            "the root over {} is signed in {}",
            first_records(size),
            signed.place()
        ));
        finding = match (rows_agree, self.agreed) {
            (true, _) => {
                let finding = finding.evidence(
                    "tree/0 still gives the signed root, and this is the first record that differs from it",
                );
                if chained { finding.evidence(REHASHED) } else { finding }
            }
            (false, Some(agreed)) => finding.evidence(format!(
                "{} as signed; what was changed is one of those after that",
                first_records_are(agreed)
            )),
            (false, None) => finding,
        };
        if !std::mem::replace(&mut self.rewritten, true) {
            out.add(finding);
        }
        // Rows over records that were changed differ from them, of course.
        let first = changed.map_or(size, |changed| changed.index);
        if above.first.as_ref().is_some_and(|above| above.leaf_behind() <= first) {
            self.report_rows(above, if rows_agree { BY_LEAVES } else { UNDECIDED }, out);
        }
        // What was signed is what later roots build on.
        match self.by_rows.take() {
            Some(tree) if rows_agree => {
                self.by_records = tree;
                self.refold();
            }
            Some(_) | None => self.lost = true,
        }
    }

    /// Neither records nor rows give the root of a note that somebody has kept. The log's own notes are still compared:
    /// they say whether it was also signed again.
    fn report_kept(&self, signed: &SignedRoot, place: Option<&Place>, out: &mut Findings) {
        let size = self.size();
        let mut finding = Finding::new(Problem::KeptRootMismatch);
        finding = match place {
            Some(place) => finding.at(&*place.file, place.offset).record(place.seq),
            None => finding.in_file("tree/0"),
        };
        let changed = match self.agreed_kept {
            Some(agreed) => format!(
                "{} as in another kept checkpoint; what was changed is one of the {} after that",
                first_records_are(agreed),
                size - agreed
            ),
            None => format!("what was changed is one of {}", first_records(size)),
        };
        finding = finding
            .expected(spell_root(&signed.root))
            .found(spell_root(&self.by_records.root()))
            .evidence(format!(
                "the root over {} is signed in {}",
                first_records(size),
                signed.place()
            ))
            .evidence(changed);
        let same = self.leaves.first.is_none() && self.above.first.is_none();
        if same && !out.has_fault() {
            finding = finding.evidence(if self.agreed > self.agreed_kept {
                "chain, rows and the log's own checkpoints agree with each other: it was hashed and signed again"
            } else {
                "chain and rows agree with each other: everything after the change was hashed again"
            });
        }
        out.add(signed.with_signers(finding));
    }

    /// Says that leaves of pruned records, which only the row has, do not give the root that was signed over them.
    fn report_pruned(&mut self, signed: Hash, out: &mut Findings) {
        self.lost = true;
        self.above = Differing::default();
        self.pruned_told = self.size();
        let from = self.agreed.unwrap_or(0);
        out.add(
            Finding::new(Problem::RowsDiffer)
                .at(self.row_name(0), from.saturating_mul(HASH_SIZE))
                .expected(format_args!("root {}", spell_root(&signed)))
                .found(format_args!("root {}", spell_root(&self.by_records.root())))
                .evidence(format!(
                    "it is a leaf of the pruned records {from} to {}, and only a copy of the row has it",
                    self.size() - 1
                )),
        );
    }

    /// After the rows' leaves took the place of the records', the tiles under way are theirs too.
    fn refold(&mut self) {
        let size = self.size();
        for (number, row) in (0_u8..).zip(&mut self.rows) {
            let Some(tile) = self.tiles.get_mut(usize::from(number)) else { return };
            let count = tile::row_count(number, size);
            let first = count - count % u64::from(tile::WIDTH);
            *tile = (first..count).map(|index| row.hash(index).unwrap_or(Hash::ZERO)).collect();
        }
    }

    /// Says which rows differ, since the last signed root.
    fn report_differing(&mut self, evidence: &str, out: &mut Findings) {
        for differing in [std::mem::take(&mut self.leaves), std::mem::take(&mut self.above)] {
            self.report_rows(differing, evidence, out);
        }
    }

    fn report_rows(&self, differing: Differing, evidence: &str, out: &mut Findings) {
        let Differing { first: Some(difference), count } = differing else { return };
        let mut finding = Finding::new(Problem::RowsDiffer)
            .at(self.row_name(difference.row), difference.index.saturating_mul(HASH_SIZE))
            .expected(difference.expected)
            .found(difference.found);
        if let Some(place) = &difference.place {
            finding = finding.record(place.seq);
        }
        finding = finding.evidence(evidence);
        if count > 1 {
            finding = finding.evidence(format!("{count} hashes differ up to here"));
        }
        out.add(finding);
    }

    /// Says once a row that a row is shorter than the mark, or can't be read.
    fn report_gap(&mut self, row: u8, index: u64, gap: Gap, out: &mut Findings) {
        if self.gaps_told.contains(&row) {
            return;
        }
        self.gaps_told.push(row);
        let size = self.rows.get(usize::from(row)).map_or(0, |row| row.size);
        let name = self.row_name(row);
        out.add(match gap {
            Gap::Short => Finding::new(Problem::RowsMissing)
                .at(name, size)
                .expected(format_args!("{} bytes", tile::row_count(row, self.mark) * HASH_SIZE))
                .found(format_args!("{size} bytes"))
                .evidence("the row can be rebuilt from the records"),
            Gap::Unreadable(why) => {
                Finding::new(Problem::Unreadable).at(name, index * HASH_SIZE).found(why)
            }
        });
    }

    fn stored(&mut self, row: u8, index: u64) -> Result<Hash, Gap> {
        self.rows.get_mut(usize::from(row)).ok_or(Gap::Short)?.hash(index)
    }

    fn row_name(&self, row: u8) -> String {
        self.rows.get(usize::from(row)).map_or_else(String::new, Row::name)
    }
}

/// Adds a piece at the edge of `tree`, where it belongs.
fn add(tree: &mut Frontier, piece: Piece) {
    match piece {
        Piece::Leaf(leaf) => tree.push(leaf),
        Piece::Tile(root) => {
            let added = tree.push_subtree(tile::HEIGHT, root);
            debug_assert!(added.is_some(), "tiles stand at multiples of their width");
        }
    }
}

/// Adds `range`, which lies behind all others, to `ranges`.
fn confirm(ranges: &mut Vec<Range<u64>>, range: Range<u64>) {
    match ranges.last_mut() {
        _ if range.is_empty() => {}
        Some(last) if last.end == range.start => last.end = range.end,
        _ => ranges.push(range),
    }
}
