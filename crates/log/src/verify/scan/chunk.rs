//! Finds the runs of one chunk of a segment: the lines that begin in it.
//!
//! Invariants:
//! - a line that it can't vouch for is in no run, and neither it nor a file that can't be read is an error;
//! - its memory is one chunk and the longest line, used again for the next.

use std::ops::Range;

use indelible_format::chain::{Hash, LinkDigits};
use indelible_format::record::{Depth, LINE_SIZE_MAX, Plain};
use indelible_format::seeded::{self, Bug};
use indelible_format::tile;
use indelible_format::time::{TIMESTAMP_SIZE, Timestamp};
use indelible_format::tree::hash_leaves;

use super::super::notes::SignedRoots;
use super::run::{Piece, Run};
use crate::segment::to_u64;
use crate::storage::StorageFile;

/// The earliest timestamp there is, before which none can be.
const EARLIEST: &[u8; TIMESTAMP_SIZE] = b"0001-01-01T00:00:00.000000000Z";
/// Bytes read at first to find the end of the last line.
const AHEAD: u64 = 4 * 1024;
/// Lines that are hashed together.
const LANES: usize = 4;
const HASH_SIZE: u64 = 32;

/// One chunk, and what its lines are held against.
#[derive(Clone, Copy, Debug)]
pub(super) struct Chunk<'c> {
    pub(super) file: &'c dyn StorageFile,
    /// Which segment, in the order of the plan.
    pub(super) segment: usize,
    /// The lines that begin from here …
    pub(super) from: u64,
    /// … to before here.
    pub(super) to: u64,
    /// Where the segment ends.
    pub(super) size: u64,
    pub(super) depth: Depth,
    pub(super) roots: &'c SignedRoots,
    /// `tree/0`, if there is one.
    pub(super) leaves: Option<&'c dyn StorageFile>,
}

/// Buffers that are used again from chunk to chunk.
#[derive(Debug, Default)]
pub(super) struct Buffers {
    bytes: Window,
    hashes: Vec<Hash>,
    row: Vec<u8>,
}

/// Bytes of a file, in memory that is never cleared.
#[derive(Debug, Default)]
struct Window {
    room: Vec<u8>,
    size: usize,
}

impl Window {
    fn bytes(&self) -> &[u8] {
        self.room.get(..self.size).unwrap_or_default()
    }

    /// Puts `from..to` of `file` behind what is there; says how many bytes came, none where they can't be read.
    fn read_on(&mut self, file: &dyn StorageFile, from: u64, to: u64) -> usize {
        let count = usize::try_from(to.saturating_sub(from)).unwrap_or_default();
        let end = self.size + count;
        self.room.resize(self.room.len().max(end), 0);
        let got = fill(file, self.room.get_mut(self.size..end).unwrap_or_default(), from);
        self.size += got;
        got
    }
}

/// The run under way.
struct Open {
    start: u64,
    end: u64,
    first_seq: u64,
    count: u64,
    prev_hash: Hash,
    hash: Hash,
    digits: [u8; 64],
    first_timestamp: [u8; TIMESTAMP_SIZE],
    timestamp: [u8; TIMESTAMP_SIZE],
}

impl Chunk<'_> {
    /// Finds the runs, in their order.
    pub(super) fn runs(&self, buffers: &mut Buffers) -> Vec<Run> {
        let Buffers { bytes, hashes, row } = buffers;
        // The byte before tells whether a line begins where the chunk does.
        let base = self.from.saturating_sub(1);
        self.read(bytes, base);
        let bytes = bytes.bytes();
        let mut finder = Finder { chunk: self, row, hashes, open: None, runs: Vec::new() };
        finder.hashes.clear();
        let mut ends = memchr::memchr_iter(b'\n', bytes);
        let mut at = 0;
        if self.from > 0 {
            at = ends.next().map_or(bytes.len(), |end| end + 1);
        }
        let mut together = Vec::with_capacity(LANES);
        let mut before = EARLIEST;
        while base + to_u64(at) < self.to {
            let Some(end) = ends.next() else { break };
            let line = bytes.get(at..end).filter(|line| line.len() <= LINE_SIZE_MAX);
            let place = base + to_u64(at)..base + to_u64(end) + 1;
            at = end + 1;
            if let Some(plain) = line.and_then(|line| self.plain(line, before)) {
                before = plain.timestamp;
                together.push(Line { plain, place });
                if let Ok(lines) = <&[_; LANES]>::try_from(together.as_slice()) {
                    finder.lines(lines);
                    together.clear();
                }
            } else {
                before = EARLIEST;
                together.drain(..).for_each(|line| finder.lines(&[line]));
                finder.close();
            }
        }
        together.drain(..).for_each(|line| finder.lines(&[line]));
        finder.close();
        finder.runs
    }

    /// Reads a line; in full form where no signature covers it, since anybody who can write may have written it.
    fn plain<'l>(&self, line: &'l [u8], before: &[u8; TIMESTAMP_SIZE]) -> Option<Plain<'l>> {
        let plain = Plain::read(line, before, self.depth)?;
        if plain.seq < self.roots.mark() {
            return Some(plain);
        }
        Plain::read(line, before, Depth::Form)
    }

    /// Reads the chunk, and on to the end of its last line.
    fn read(&self, window: &mut Window, base: u64) {
        window.size = 0;
        window.read_on(self.file, base, self.to);
        let mut searched = window.size.saturating_sub(1);
        let limit = self.to.saturating_add(to_u64(LINE_SIZE_MAX)).min(self.size);
        let mut ahead = AHEAD;
        while memchr::memchr(b'\n', window.bytes().get(searched..).unwrap_or_default()).is_none() {
            searched = window.size;
            let end = base + to_u64(searched);
            let wanted = end.saturating_add(ahead).min(limit);
            if window.read_on(self.file, end, wanted) == 0 {
                return;
            }
            ahead *= 4;
        }
    }

    /// The tree over `leaves`, the first of which is record `seq`'s.
    fn pieces(&self, seq: u64, leaves: &[Hash]) -> Vec<Piece> {
        let width = usize::from(tile::WIDTH);
        let mut seq = seq;
        let mut rest = leaves;
        let mut pieces = Vec::new();
        while let Some((leaf, others)) = rest.split_first() {
            if seq.is_multiple_of(to_u64(width))
                && let Some((whole, behind)) = rest.split_at_checked(width)
                && !self.roots.ends_within(seq..seq + to_u64(width))
                && let Some(root) = tile::fold(whole)
            {
                pieces.push(Piece::Tile(root));
                rest = behind;
                seq += to_u64(width);
                continue;
            }
            pieces.push(Piece::Leaf(*leaf));
            rest = others;
            seq += 1;
        }
        pieces
    }
}

/// Puts lines together to runs.
struct Finder<'f> {
    chunk: &'f Chunk<'f>,
    row: &'f mut Vec<u8>,
    /// Of the run under way: hashes of its records.
    hashes: &'f mut Vec<Hash>,
    open: Option<Open>,
    runs: Vec<Run>,
}

impl Finder<'_> {
    fn lines<const N: usize>(&mut self, lines: &[Line<'_>; N]) {
        let hashes = LinkDigits::right_hashes(&lines.each_ref().map(|line| line.plain.link));
        for (line, hash) in lines.iter().zip(hashes) {
            self.line(line, hash);
        }
    }

    /// Takes a line into the run under way, or begins one with it; with one that can't be taken, the run ends before it.
    fn line(&mut self, line: &Line<'_>, hash: Option<Hash>) {
        let Line { plain, place } = line;
        let Some(hash) = hash else { return self.close() };
        if let Some(open) = &mut self.open {
            let follows = plain.link.follows(&open.digits) || seeded::is(Bug::ComparesSeqsOnly);
            if plain.seq != open.first_seq + open.count || !follows {
                return self.close();
            }
            open.end = place.end;
            open.count += 1;
            open.hash = hash;
            open.digits = *plain.link.hash;
            open.timestamp = *plain.timestamp;
        } else {
            let Some(prev_hash) = Hash::parse_hex(plain.link.prev_hash) else { return };
            self.open = Some(Open {
                start: place.start,
                end: place.end,
                first_seq: plain.seq,
                count: 1,
                prev_hash,
                hash,
                digits: *plain.link.hash,
                first_timestamp: *plain.timestamp,
                timestamp: *plain.timestamp,
            });
        }
        self.hashes.push(hash);
    }

    fn close(&mut self) {
        if let Some(open) = self.open.take() {
            let run = self.run(&open);
            self.runs.extend(run);
            self.hashes.clear();
        }
    }

    /// The run under way; `None` where a leaf is not the one in the row.
    fn run(&mut self, open: &Open) -> Option<Run> {
        let Self { chunk, row, hashes: leaves, .. } = self;
        hash_leaves(leaves);
        let covered = chunk.roots.mark().saturating_sub(open.first_seq).min(open.count);
        if covered > 0 {
            let covered = usize::try_from(covered).ok()?;
            row.resize(covered * 32, 0);
            let got = fill(chunk.leaves?, row, open.first_seq.checked_mul(HASH_SIZE)?);
            let (stored, _) = row.get(..got)?.as_chunks::<32>();
            if !leaves.iter().take(covered).map(Hash::as_bytes).eq(stored) {
                return None;
            }
        }
        Some(Run {
            segment: chunk.segment,
            start: open.start,
            end: open.end,
            first_seq: open.first_seq,
            count: open.count,
            prev_hash: open.prev_hash,
            hash: open.hash,
            first_timestamp: Timestamp::parse(&open.first_timestamp)?,
            last_timestamp: Timestamp::parse(&open.timestamp)?,
            pieces: chunk.pieces(open.first_seq, leaves),
        })
    }
}

/// A line, and the bytes from its beginning to the next one's.
#[derive(Debug)]
struct Line<'l> {
    plain: Plain<'l>,
    place: Range<u64>,
}

/// Fills `room` from `offset` on; says how many bytes came.
fn fill(file: &dyn StorageFile, room: &mut [u8], offset: u64) -> usize {
    let mut have = 0;
    while let Some(rest) = room.get_mut(have..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, offset + to_u64(have)) {
            Ok(0) | Err(_) => break,
            Ok(got) => have += got,
        }
    }
    have
}
