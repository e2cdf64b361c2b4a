//! The content of one file: what reads see, what is on the medium, and what lies between.

use std::mem;
use std::ops::Range;
use std::sync::Arc;

use super::crash::Random;
use super::fault::Drop;

/// What the medium writes whole or not at all.
pub(super) const SECTOR_SIZE: usize = 512;

/// A file's content, in the cache and on the medium.
///
/// Invariant: `durable` with the whole journal applied is never longer than `cached`, and equal to it unless
/// `diverged`.
#[derive(Clone, Debug, Default)]
pub(super) struct Content {
    cached: Arc<Vec<u8>>,
    durable: Arc<Vec<u8>>,
    /// What was done since `durable` was reached.
    journal: Vec<Change>,
    /// Whether a failed sync dropped what was written: from then on the cache shows what the medium never gets.
    diverged: bool,
}

/// One unsynced operation on a file's content.
#[derive(Clone, Debug)]
enum Change {
    Write { offset: usize, bytes: Arc<[u8]> },
    Resize { size: usize },
}

/// What a crash left of a file's journal.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Kept {
    /// How far the journal got: each byte written is a step, and so is each cut.
    pub(super) steps: usize,
    /// Which of the unsynced bytes read as NUL.
    pub(super) missing: Vec<Range<usize>>,
}

impl Content {
    pub(super) fn synced(bytes: Vec<u8>) -> Self {
        let cached = Arc::new(bytes);
        Self { durable: Arc::clone(&cached), cached, journal: Vec::new(), diverged: false }
    }

    pub(super) fn cached(&self) -> &[u8] {
        &self.cached
    }

    pub(super) fn shared(&self) -> Arc<Vec<u8>> {
        Arc::clone(&self.cached)
    }

    pub(super) fn append(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        self.journal.push(Change::Write { offset: self.cached.len(), bytes: bytes.into() });
        Arc::make_mut(&mut self.cached).extend_from_slice(bytes);
    }

    pub(super) fn resize(&mut self, size: usize) {
        if size != self.cached.len() {
            self.journal.push(Change::Resize { size });
            Arc::make_mut(&mut self.cached).resize(size, 0);
        }
    }

    pub(super) fn sync(&mut self) {
        if !self.journal.is_empty() {
            let durable = Arc::make_mut(&mut self.durable);
            for change in self.journal.drain(..) {
                change.apply(durable, change.steps());
            }
        }
    }

    /// Loses what was written since the last sync, or some of it, and keeps showing it. Cuts are not data, and stay to be
    /// synced.
    pub(super) fn drop_dirty_data(&mut self, drop: Drop) {
        let mut chance = match drop {
            Drop::All => None,
            Drop::Some(seed) => Some(Random::new(seed)),
        };
        let mut is_lost = || chance.as_mut().is_none_or(|chance| chance.below(2) == 0);
        let mut kept = Vec::new();
        for change in mem::take(&mut self.journal) {
            let Change::Write { offset, bytes } = change else {
                kept.push(change);
                continue;
            };
            for sector in sectors(offset, &bytes) {
                if is_lost() {
                    self.diverged = true;
                } else {
                    kept.push(sector);
                }
            }
        }
        self.journal = kept;
        if chance.is_some() {
            // What was written of it is on the medium, whatever comes.
            self.sync();
        }
    }

    /// Changes one byte where it stands, in the cache and on the medium; tells whether it stood anywhere.
    pub(super) fn flip(&mut self, offset: usize, mask: u8) -> bool {
        let mut flipped = false;
        for side in [&mut self.cached, &mut self.durable] {
            if offset < side.len()
                && let Some(byte) = Arc::make_mut(side).get_mut(offset)
            {
                *byte ^= mask;
                flipped = true;
            }
        }
        flipped
    }

    /// What a read that passes by the cache finds: what is dirty is written first, what was dropped is not there.
    pub(super) fn on_medium(&self) -> Arc<Vec<u8>> {
        if !self.diverged {
            return Arc::clone(&self.cached);
        }
        let mut content = self.after_crash(&Kept { steps: self.steps(), missing: Vec::new() });
        Arc::make_mut(&mut content).resize(self.cached.len(), 0);
        content
    }

    /// How many steps the whole journal has.
    pub(super) fn steps(&self) -> usize {
        self.journal.iter().map(Change::steps).sum()
    }

    /// Positions at which one unsynced operation ends and the next begins.
    pub(super) fn boundaries(&self) -> impl Iterator<Item = usize> {
        self.journal.iter().scan(0, |position, change| {
            *position += change.steps();
            Some(*position)
        })
    }

    /// Positions right behind each line end that is not synced.
    pub(super) fn line_ends(&self) -> impl Iterator<Item = usize> {
        let starts = std::iter::once(0).chain(self.boundaries());
        starts.zip(&self.journal).flat_map(|(start, change)| {
            let bytes: &[u8] = match change {
                Change::Write { bytes, .. } => bytes,
                Change::Resize { .. } => &[],
            };
            memchr::memchr_iter(b'\n', bytes).map(move |at| start + at + 1)
        })
    }

    /// The range of the file that was written, not synced, after that many steps.
    pub(super) fn dirty(&self, steps: usize) -> Range<usize> {
        let mut start = self.durable.len();
        let mut end = start;
        let mut left = steps;
        for change in &self.journal {
            let taken = left.min(change.steps());
            if taken == 0 {
                break;
            }
            left -= taken;
            match *change {
                Change::Write { offset, .. } => end = offset + taken,
                Change::Resize { size } => {
                    start = start.min(size);
                    end = size;
                }
            }
        }
        start..end
    }

    /// What is there after a crash.
    pub(super) fn after_crash(&self, kept: &Kept) -> Arc<Vec<u8>> {
        if kept.steps == 0 {
            return Arc::clone(&self.durable);
        }
        if kept.missing.is_empty() && !self.diverged && kept.steps >= self.steps() {
            return Arc::clone(&self.cached);
        }
        let mut content = Vec::clone(&self.durable);
        let mut left = kept.steps;
        for change in &self.journal {
            let taken = left.min(change.steps());
            change.apply(&mut content, taken);
            left -= taken;
        }
        let dirty = self.dirty(kept.steps);
        for missing in &kept.missing {
            let range = missing.start.max(dirty.start)..missing.end.min(dirty.end);
            // An empty range may begin behind its end.
            content.get_mut(range).unwrap_or_default().fill(0);
        }
        Arc::new(content)
    }
}

impl From<Arc<Vec<u8>>> for Content {
    fn from(bytes: Arc<Vec<u8>>) -> Self {
        Self { durable: Arc::clone(&bytes), cached: bytes, journal: Vec::new(), diverged: false }
    }
}

/// One write, as writes of one sector each.
fn sectors(offset: usize, bytes: &[u8]) -> Vec<Change> {
    let (mut offset, mut rest) = (offset, bytes);
    let mut sectors = Vec::new();
    while !rest.is_empty() {
        let size = (SECTOR_SIZE - offset % SECTOR_SIZE).min(rest.len());
        let (sector, behind) = rest.split_at(size);
        sectors.push(Change::Write { offset, bytes: sector.into() });
        (offset, rest) = (offset + size, behind);
    }
    sectors
}

impl Change {
    fn steps(&self) -> usize {
        match self {
            Self::Write { bytes, .. } => bytes.len(),
            Self::Resize { .. } => 1,
        }
    }

    /// Makes the first `steps` of it happen.
    fn apply(&self, content: &mut Vec<u8>, steps: usize) {
        if steps == 0 {
            return;
        }
        match self {
            Self::Write { offset, bytes } => {
                // Further only where a failed sync dropped what stood before.
                content.resize(*offset, 0);
                content.extend_from_slice(bytes.get(..steps).unwrap_or(bytes));
            }
            Self::Resize { size } => content.resize(*size, 0),
        }
    }
}
