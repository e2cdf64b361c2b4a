//! Where the tree's hashes lie in its row files.
//!
//! Row L is the file `tree/<L>`: hash after hash, 32 bytes each, hash I being the root of the perfect subtree over the
//! 256^L leaves from I * 256^L on. So a tile of [C2SP tlog-tiles](https://c2sp.org/tlog-tiles) is a byte range of one
//! file, and rows only ever grow at their ends.
//!
//! Owns the arithmetic: which hashes of a row fold to a node, how long rows are, where a tile lies and how its path is
//! spelt.
//!
//! It reads and writes no files. Spec: `docs/spec/`, "Tree and checkpoints".

use std::ops::Range;

use crate::chain::Hash;
use crate::tree::{NodeId, node_hash};

/// Levels of the tree that one row stands for.
pub const HEIGHT: u8 = 8;

/// Hashes of a whole tile.
pub const WIDTH: u16 = 1 << HEIGHT;

const HASH_SIZE: u64 = 32;
/// The largest level of a tile path.
const LEVEL_MAX: u8 = 63;

/// Hashes that lie side by side in one row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a range within a row, nothing else")]
pub struct RowSpan {
    /// Which row: the name of the file in `tree/`.
    pub row: u8,
    /// 0-based position of the first hash in the row.
    pub first: u64,
    /// How many hashes.
    pub count: u64,
}

impl RowSpan {
    /// Returns the bytes of the row's file; beyond 2^64 bytes, where no file reaches, an empty range.
    pub const fn bytes(self) -> Range<u64> {
        let start = self.first.saturating_mul(HASH_SIZE);
        start..start.saturating_add(self.count.saturating_mul(HASH_SIZE))
    }
}

/// Returns the 1 to 128 hashes that [`fold`] to `node`.
pub const fn node_span(node: NodeId) -> RowSpan {
    let height = node.level % HEIGHT;
    RowSpan { row: node.level / HEIGHT, first: node.index << height, count: 1 << height }
}

/// Computes the root of the perfect subtree over 1, 2, 4, … 256 hashes; `None` for any other number of them.
pub fn fold(hashes: &[Hash]) -> Option<Hash> {
    if !hashes.len().is_power_of_two() || hashes.len() > usize::from(WIDTH) {
        return None;
    }
    if let [hash] = hashes {
        return Some(*hash);
    }
    // Level by level: the processor works on several nodes at once where none waits for another.
    let mut nodes = [Hash::ZERO; 128];
    let (pairs, _) = hashes.as_chunks::<2>();
    for (node, [left, right]) in nodes.iter_mut().zip(pairs) {
        *node = node_hash(left, right);
    }
    let mut count = pairs.len();
    while count > 1 {
        count /= 2;
        for at in 0..count {
            let node = node_hash(nodes.get(2 * at)?, nodes.get(2 * at + 1)?);
            *nodes.get_mut(at)? = node;
        }
    }
    nodes.first().copied()
}

/// Returns how many hashes row `row` has for a tree of `size` leaves.
pub fn row_count(row: u8, size: u64) -> u64 {
    size.checked_shr(u32::from(row) * u32::from(HEIGHT)).unwrap_or(0)
}

/// Returns how many rows have at least one hash for a tree of `size` leaves: at most 8.
pub fn rows(size: u64) -> u8 {
    (0..=u8::MAX).take_while(|row| row_count(*row, size) > 0).count().try_into().unwrap_or(u8::MAX)
}

/// What the paths of entry bundles begin with.
const ENTRIES: &str = "tile/entries/";

/// A tile of C2SP tlog-tiles: up to 256 hashes of one row, whose first is at a multiple of 256.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tile {
    level: u8,
    index: u64,
    width: u16,
}

impl Tile {
    /// Returns the tile at `index` of row `level` for a tree of `size` leaves, `None` where it has no hash.
    pub fn of_tree(level: u8, index: u64, size: u64) -> Option<Self> {
        let first = index.checked_mul(u64::from(WIDTH))?;
        let left = row_count(level, size).checked_sub(first)?;
        let width = u16::try_from(left).map_or(WIDTH, |left| left.min(WIDTH));
        (width > 0).then_some(Self { level, index, width })
    }

    /// Returns the row that it is part of.
    pub const fn level(self) -> u8 {
        self.level
    }

    /// Returns its 0-based position in the row, in tiles.
    pub const fn index(self) -> u64 {
        self.index
    }

    /// Returns how many hashes it has: 1 to 256, fewer than 256 in a partial tile.
    pub const fn width(self) -> u16 {
        self.width
    }

    /// Returns where it lies in its row.
    pub fn span(self) -> RowSpan {
        let first = self.index * u64::from(WIDTH);
        RowSpan { row: self.level, first, count: self.width.into() }
    }

    /// Spells its path below a log's address, such as `tile/0/x001/067.p/5`.
    pub fn path(self) -> String {
        let mut index = format!("{:03}", self.index % 1_000);
        let mut rest = self.index / 1_000;
        while rest > 0 {
            index = format!("x{:03}/{index}", rest % 1_000);
            rest /= 1_000;
        }
        let partial = if self.width < WIDTH { format!(".p/{}", self.width) } else { String::new() };
        format!("tile/{}/{index}{partial}", self.level)
    }

    /// Spells the path of the entry bundle whose leaf hashes it has, such as `tile/entries/x001/067.p/5`; only for level 0.
    pub fn entries_path(self) -> Option<String> {
        let path = self.path();
        Some(format!("{ENTRIES}{}", path.strip_prefix("tile/0/")?))
    }

    /// Reads a path exactly as [`Tile::entries_path`] spells it, and gives the tile with the leaf hashes of those entries.
    pub fn parse_entries(path: &str) -> Option<Self> {
        Self::parse(&format!("tile/0/{}", path.strip_prefix(ENTRIES)?))
    }

    /// Reads a path exactly as [`Tile::path`] spells it.
    pub fn parse(path: &str) -> Option<Self> {
        let (level, rest) = path.strip_prefix("tile/")?.split_once('/')?;
        let (index, width) = match rest.split_once(".p/") {
            Some((index, width)) => (index, width.parse().ok()?),
            None => (rest, WIDTH),
        };
        let index = index.split('/').try_fold(0_u64, |index, part| {
            let digits = part.strip_prefix('x').unwrap_or(part);
            index.checked_mul(1_000)?.checked_add(digits.parse().ok()?)
        })?;
        let fits = width > 0 && index <= u64::MAX / u64::from(WIDTH);
        let level = level.parse().ok().filter(|level| *level <= LEVEL_MAX)?;
        let tile = Self { level, index, width };
        // The one check of zeros, signs, lengths, widths and x's: there is one spelling.
        (fits && tile.path() == path).then_some(tile)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::Frontier;
    use crate::tree::tests::{leaves, naive_root, read, wide};
    use proptest::prelude::*;

    /// The rows of a tree, as their definition says.
    fn rows_of(leaves: &[Hash]) -> Vec<Vec<Hash>> {
        let mut rows = vec![leaves.to_vec()];
        while let Some(row) = rows.last().filter(|row| row.len() >= 256) {
            let above = row.chunks_exact(256).map(naive_root).collect();
            rows.push(above);
        }
        rows
    }

    #[test]
    fn every_perfect_subtree_folds_from_its_row() {
        let leaves = leaves(1_200);
        let rows = rows_of(&leaves);
        for level in 0..=10_u8 {
            for index in 0..1_200 >> level {
                let node = NodeId { level, index };
                let span = node_span(node);
                let [first, count] = [span.first, span.count].map(|n| usize::try_from(n).unwrap());
                let hashes = &rows[usize::from(span.row)][first..first + count];
                assert!((1..=128).contains(&count));
                assert_eq!(fold(hashes), Some(read(&leaves, node)), "{node:?}");
            }
        }
    }

    #[test]
    fn only_whole_perfect_subtrees_fold() {
        let leaves = leaves(512);
        for count in 0..=512 {
            let expected = (count > 0 && usize::is_power_of_two(count) && count <= 256)
                .then(|| naive_root(&leaves[..count]));
            assert_eq!(fold(&leaves[..count]), expected, "{count} hashes");
        }
    }

    #[test]
    fn rows_have_the_lengths_that_tlog_tiles_says() {
        let counts = |size| (0..rows(size)).map(|row| row_count(row, size)).collect::<Vec<_>>();
        assert!(counts(0).is_empty());
        assert_eq!(counts(1), [1]);
        assert_eq!(counts(255), [255]);
        assert_eq!(counts(256), [256, 1]);
        // The example of the specification.
        assert_eq!(counts(70_000), [273 * 256 + 112, 256 + 17, 1]);
        assert_eq!(counts(u64::MAX).len(), 8);
        assert_eq!(row_count(8, u64::MAX), 0);
        assert_eq!(row_count(u8::MAX, u64::MAX), 0);
        let leaves = leaves(1_200);
        for size in [0, 1, 256, 1_200] {
            let lengths: Vec<u64> =
                rows_of(&leaves[..size]).iter().map(|row| wide(row.len())).collect();
            let lengths: Vec<u64> = lengths.into_iter().filter(|length| *length > 0).collect();
            assert_eq!(counts(wide(size)), lengths);
        }
    }

    #[test]
    fn span_is_a_byte_range_of_the_row() {
        let span = RowSpan { row: 0, first: 2, count: 3 };
        assert_eq!(span.bytes(), 64..160);
        let beyond = RowSpan { row: 0, first: u64::MAX / 2, count: 3 };
        assert!(beyond.bytes().is_empty());
    }

    #[test]
    fn tiles_of_a_tree_are_those_of_the_specification() {
        let tile = |level, index| Tile::of_tree(level, index, 70_000).map(Tile::path);
        let path = |path: &str| Some(path.to_owned());
        assert_eq!(tile(0, 0), path("tile/0/000"));
        assert_eq!(tile(0, 272), path("tile/0/272"));
        assert_eq!(tile(0, 273), path("tile/0/273.p/112"));
        assert_eq!(tile(0, 274), None);
        assert_eq!(tile(1, 0), path("tile/1/000"));
        assert_eq!(tile(1, 1), path("tile/1/001.p/17"));
        assert_eq!(tile(2, 0), path("tile/2/000.p/1"));
        assert_eq!(tile(3, 0), None);
        assert_eq!(tile(0, u64::MAX), None);
        assert_eq!(Tile::of_tree(0, 1, 256), None);
        assert_eq!(Tile::of_tree(0, 0, u64::MAX).map(Tile::width), Some(256));
    }

    #[test]
    fn entry_bundles_have_the_paths_of_the_specification() {
        let tile = Tile::parse_entries("tile/entries/x001/x234/067.p/5").unwrap();
        assert_eq!(Some(tile), Tile::parse("tile/0/x001/x234/067.p/5"));
        for path in ["tile/entries/", "tile/entries/0", "tile/entries/000.p/256", "tile/0/000"] {
            assert_eq!(Tile::parse_entries(path), None, "{path}");
        }
    }

    #[test]
    fn tile_paths_are_strict() {
        let tile = Tile::parse("tile/0/x001/x234/067.p/5").unwrap();
        assert_eq!((tile.level(), tile.index(), tile.width()), (0, 1_234_067, 5));
        assert_eq!(tile.span(), RowSpan { row: 0, first: 1_234_067 * 256, count: 5 });
        assert_eq!(Tile::parse("tile/63/000").map(Tile::level), Some(63));
        for path in [
            "",
            "tile",
            "tile/0",
            "tile/0/",
            "tile/00/000",
            "tile/64/000",
            "tile/-1/000",
            "tile/+1/000",
            "tile/0/0",
            "tile/0/00",
            "tile/0/0000",
            "tile/0/x000",
            "tile/0/x000/000",
            "tile/0/001/067",
            "tile/0/x001/x067",
            "tile/0/X001/067",
            "tile/0/xx01/067",
            "tile/0/+01",
            "tile/0/000.p/",
            "tile/0/000.p/0",
            "tile/0/000.p/00",
            "tile/0/000.p/05",
            "tile/0/000.p/256",
            "tile/0/000.p/+5",
            "tile/0/000.p/5/",
            "tile/0/000/",
            "/tile/0/000",
            "tile/entries/000",
            "tile/0/000.p",
            "tile/0/x018/x446/x744/x073/x709/x551/615",
            "tile/0/x999/x999/x999/x999/x999/x999/x999/999",
        ] {
            assert_eq!(Tile::parse(path), None, "{path}");
        }
    }

    proptest! {
        #[test]
        fn tile_path_survives(level in 0_u8..=63, index in 0..=u64::MAX >> 8, width in 1_u16..=256) {
            let tile = Tile { level, index, width };
            prop_assert_eq!(Tile::parse(&tile.path()), Some(tile));
            let entries = tile.entries_path();
            prop_assert_eq!(entries.is_some(), level == 0);
            if let Some(path) = entries {
                prop_assert_eq!(Tile::parse_entries(&path), Some(tile));
                prop_assert_eq!(Tile::parse(&path), None);
            }
        }

        #[test]
        fn nodes_of_a_tree_lie_within_its_rows(size in any::<u64>()) {
            for node in Frontier::nodes(size) {
                let span = node_span(node);
                prop_assert!(span.row < rows(size));
                prop_assert!(span.first + span.count <= row_count(span.row, size));
            }
        }
    }
}
