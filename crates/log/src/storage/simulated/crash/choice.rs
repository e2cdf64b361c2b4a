//! What a crash can leave of one file's unsynced operations: all of it, what is worth trying, or something by chance.

use std::ops::Range;

use crate::storage::simulated::file::{Content, Kept, SECTOR_SIZE};

/// What a file system writes whole, most of the time.
const PAGE_SIZE: usize = 4096;
/// How many pieces of one size are lost one by one, from either end.
const SINGLES_MAX: usize = 8;

impl Kept {
    /// The first `steps`, with all their bytes.
    pub(super) fn first(steps: usize) -> Self {
        Self { steps, missing: Vec::new() }
    }
}

/// All that a crash can leave, where there is no more of it than `limit`.
pub(super) fn every(content: &Content, limit: usize) -> Option<Vec<Kept>> {
    let mut all = Vec::new();
    for steps in 0..=content.steps() {
        let sectors: Vec<_> = pieces(&content.dirty(steps), SECTOR_SIZE).collect();
        let subsets =
            u32::try_from(sectors.len()).ok().and_then(|count| 1_usize.checked_shl(count));
        let subsets = subsets.filter(|subsets| all.len().saturating_add(*subsets) <= limit)?;
        for subset in 0..subsets {
            let chosen = sectors.iter().enumerate().filter(|(bit, _)| (subset >> bit) & 1 == 1);
            all.push(Kept { steps, missing: chosen.map(|(_, sector)| sector.clone()).collect() });
        }
    }
    Some(all)
}

/// One of each kind of loss, the telling ones first.
pub(super) fn notable(content: &Content) -> Vec<Kept> {
    let steps = content.steps();
    let dirty = content.dirty(steps);
    let mut choices = vec![Kept::first(0), Kept::first(steps)];
    let mut lose = |steps, missing| choices.push(Kept { steps, missing });

    // All but the line end, a torn first and last byte, and the size without the bytes.
    lose(steps.saturating_sub(1), vec![]);
    lose(steps, vec![dirty.clone()]);
    lose(steps.min(1), vec![]);
    lose(steps / 2, vec![]);
    for position in content.boundaries().chain(ends(content.line_ends().collect())) {
        lose(position, vec![]);
        lose(position.saturating_sub(1), vec![]);
        lose((position + 1).min(steps), vec![]);
    }
    for size in [PAGE_SIZE, SECTOR_SIZE] {
        let all: Vec<_> = pieces(&dirty, size).collect();
        // The later ones came first, and the other way round; then every other one.
        lose(steps, all.first().cloned().into_iter().collect());
        lose(steps, all.last().cloned().into_iter().collect());
        lose(steps, all.iter().skip(1).cloned().collect());
        lose(steps, all.iter().rev().skip(1).cloned().collect());
        lose(steps, all.iter().step_by(2).cloned().collect());
        lose(steps, all.iter().skip(1).step_by(2).cloned().collect());
        for piece in ends(all) {
            // The size grew up to here only, with and without the bytes before.
            let grown = steps.saturating_sub(dirty.end - piece.start.max(dirty.start));
            lose(grown, vec![]);
            lose(grown, vec![dirty.clone()]);
            let behind = piece.start..dirty.end;
            lose(steps, std::iter::once(behind).collect());
            lose(steps, vec![piece]);
        }
    }
    choices
}

/// Something that a crash can leave.
pub(super) fn random(content: &Content, notable: &[Kept], source: &mut Random) -> Kept {
    if source.below(4) == 0 {
        let chosen = notable.get(source.below(notable.len()));
        return chosen.cloned().unwrap_or_default();
    }
    let steps = source.below(content.steps() + 1);
    let steps = if source.below(3) == 0 { content.steps() } else { steps };
    let size = match source.below(3) {
        0 => return Kept::first(steps),
        1 => SECTOR_SIZE,
        _ => PAGE_SIZE,
    };
    let rarity = 2 + source.below(3);
    let mut missing: Vec<Range<usize>> = Vec::new();
    for piece in pieces(&content.dirty(steps), size) {
        if source.below(rarity) == 0 {
            match missing.last_mut() {
                Some(last) if last.end == piece.start => last.end = piece.end,
                _ => missing.push(piece),
            }
        }
    }
    Kept { steps, missing }
}

/// The pieces of `size`, at multiples of it, that `range` touches.
fn pieces(range: &Range<usize>, size: usize) -> impl Iterator<Item = Range<usize>> + use<> {
    let first = range.start - range.start % size;
    let end = if range.is_empty() { first } else { range.end };
    (first..end).step_by(size).map(move |start| start..start + size)
}

/// The first and the last few.
fn ends<T: Clone>(all: Vec<T>) -> Vec<T> {
    if all.len() <= 2 * SINGLES_MAX {
        return all;
    }
    let last = all.iter().rev().take(SINGLES_MAX).rev();
    all.iter().take(SINGLES_MAX).chain(last).cloned().collect()
}

/// A stream of numbers that is the same for the same seed (`SplitMix64`).
pub(in super::super) struct Random(u64);

impl Random {
    pub(in super::super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number below `end`; 0 where there is none.
    pub(in super::super) fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        let end = u64::try_from(end).unwrap_or(u64::MAX);
        usize::try_from(mixed.checked_rem(end).unwrap_or(0)).unwrap_or(0)
    }
}
