//! Reads whole lines of a segment, many at once, forwards or backwards.
//!
//! Invariant: memory is that of one block, or of one line where that is longer; bytes without a line feed where none can
//! be a record are passed over in pieces.

use indelible_format::record::LINE_SIZE_MAX;

use crate::io::IoFailure;
use crate::segment::{Segment, to_u64};

/// Bytes of a block: they stay in the processor's cache between reading and searching.
const BLOCK_SIZE: usize = 256 * 1024;
/// Bytes of the first block from the end.
const FIRST_SIZE_BACKWARD: usize = 16 * 1024;

/// What stands next.
#[derive(Debug)]
pub(super) enum Block<'b> {
    /// Whole lines, the last line feed included; the first begins at `offset`.
    Lines { offset: u64, bytes: &'b [u8] },
    /// Too many bytes without a line feed, from `offset` on.
    Unended { offset: u64 },
    /// Nothing that ends in a line feed.
    End,
}

/// The memory that blocks are read into.
#[derive(Debug, Default)]
pub(super) struct Blocks {
    buf: Vec<u8>,
    /// How many bytes to read backwards next.
    size_backward: usize,
}

impl Blocks {
    /// The lines that begin at `offset`, where one begins, and end by `end`; and where to go on.
    pub(super) fn forward(
        &mut self,
        segment: &Segment,
        offset: u64,
        end: u64,
    ) -> Result<(Block<'_>, u64), IoFailure> {
        let mut size = BLOCK_SIZE;
        loop {
            let wanted = end.saturating_sub(offset).min(to_u64(size));
            let got = self.read(segment, offset, wanted)?;
            let bytes = self.buf.get(..got).unwrap_or_default();
            if let Some(feed) = memchr::memrchr(b'\n', bytes) {
                let bytes = self.buf.get(..=feed).unwrap_or_default();
                return Ok((Block::Lines { offset, bytes }, offset + to_u64(bytes.len())));
            }
            if got < size {
                return Ok((Block::End, offset));
            }
            if got > LINE_SIZE_MAX {
                let next = segment.next_line_start(offset + to_u64(got))?;
                let Some(next) = next.filter(|next| *next <= end) else {
                    return Ok((Block::End, offset));
                };
                return Ok((Block::Unended { offset }, next));
            }
            size *= 8;
        }
    }

    /// The last lines that end by `end`, behind a line feed, and begin at or after `floor`, where one begins; and where
    /// to go on.
    pub(super) fn backward(
        &mut self,
        segment: &Segment,
        floor: u64,
        end: u64,
    ) -> Result<(Block<'_>, u64), IoFailure> {
        let mut size = self.size_backward.max(FIRST_SIZE_BACKWARD);
        self.size_backward = (size * 2).min(BLOCK_SIZE);
        loop {
            let from = end.saturating_sub(to_u64(size)).max(floor);
            let got = self.read(segment, from, end.saturating_sub(from))?;
            if got == 0 {
                return Ok((Block::End, floor));
            }
            let bytes = self.buf.get(..got).unwrap_or_default();
            let start =
                if from == floor { Some(0) } else { memchr::memchr(b'\n', bytes).map(|at| at + 1) };
            if let Some(start) = start.filter(|start| *start < got) {
                let bytes = self.buf.get(start..got).unwrap_or_default();
                let offset = from + to_u64(start);
                return Ok((Block::Lines { offset, bytes }, offset));
            }
            if got > LINE_SIZE_MAX {
                let offset = segment.last_line_start(end.saturating_sub(1))?.max(floor);
                return Ok((Block::Unended { offset }, offset));
            }
            size *= 8;
        }
    }

    /// Reads up to `size` bytes from `offset` on to the beginning of the memory.
    fn read(&mut self, segment: &Segment, offset: u64, size: u64) -> Result<usize, IoFailure> {
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        if self.buf.len() < size {
            self.buf.resize(size, 0);
        }
        let mut got = 0;
        while let Some(room) = self.buf.get_mut(got..size).filter(|room| !room.is_empty()) {
            match segment.file.read_at(room, offset + to_u64(got)) {
                Ok(0) => break,
                Ok(more) => got += more,
                Err(e) => return Err(segment.read_failure(e)),
            }
        }
        Ok(got)
    }
}
