//! Reads a segment line by line, in memory that depends on the longest line and not on the file.
//!
//! Invariant: a line is handed out only whole; what has no line feed by the end is said to have none. Whether a
//! line is a record is for the caller to judge.

use std::io;

use indelible_format::record::LINE_SIZE_MAX;

use crate::storage::StorageFile;

/// What stands next in the file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Line<'a> {
    /// A line, without its line feed.
    Whole { offset: u64, bytes: &'a [u8] },
    /// The rest of the file, which has no line feed.
    Unterminated { offset: u64, bytes: &'a [u8] },
    /// More bytes without a line feed than any record has; reading ends here.
    TooLong { offset: u64 },
}

/// Where the bytes come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// The kernel's cache will do.
    Cache,
    /// The medium itself.
    Medium,
}

impl Source {
    /// Reads up to `buf.len()` bytes of `file` at `offset`; 0 means its end.
    pub(crate) fn read_at(
        self,
        file: &dyn StorageFile,
        buf: &mut [u8],
        offset: u64,
    ) -> io::Result<usize> {
        match self {
            Self::Cache => file.read_at(buf, offset),
            Self::Medium => file.read_medium_at(buf, offset),
        }
    }
}

const CHUNK: usize = 256 * 1024;

/// A reader of lines from an offset on.
#[derive(Debug)]
pub(crate) struct Lines<'f> {
    file: &'f dyn StorageFile,
    source: Source,
    buf: Vec<u8>,
    /// Bytes of `buf` already handed out.
    taken: usize,
    /// File offset of `buf`'s first byte.
    base: u64,
    /// Where to stop, whatever the file's size.
    end: u64,
    chunk: usize,
    finished: bool,
}

impl<'f> Lines<'f> {
    /// Reads the lines of `file` that begin at `from`, up to `end`.
    pub(crate) fn new(file: &'f dyn StorageFile, source: Source, from: u64, end: u64) -> Self {
        // The first reads are small: opening a log looks at one line of each segment.
        Self {
            file,
            source,
            buf: Vec::new(),
            taken: 0,
            base: from,
            end,
            chunk: 8 * 1024,
            finished: false,
        }
    }

    /// The next line, or `None` at the end.
    pub(crate) fn next_line(&mut self) -> io::Result<Option<Line<'_>>> {
        if self.finished {
            return Ok(None);
        }
        let mut searched = 0;
        let found = loop {
            let rest = self.buf.get(self.taken..).unwrap_or_default();
            if let Some(at) = memchr::memchr(b'\n', rest.get(searched..).unwrap_or_default()) {
                break Some(searched + at);
            }
            searched = rest.len();
            if searched > LINE_SIZE_MAX {
                self.finished = true;
                return Ok(Some(Line::TooLong { offset: self.position() }));
            }
            if self.fill()? == 0 {
                break None;
            }
        };
        let offset = self.position();
        let rest = self.buf.get(self.taken..).unwrap_or_default();
        if let Some(at) = found {
            self.taken += at + 1;
            return Ok(Some(Line::Whole { offset, bytes: rest.get(..at).unwrap_or_default() }));
        }
        self.finished = true;
        Ok((!rest.is_empty()).then_some(Line::Unterminated { offset, bytes: rest }))
    }

    fn position(&self) -> u64 {
        self.base + u64::try_from(self.taken).unwrap_or(u64::MAX)
    }

    /// Reads one more chunk behind what is there; returns how many bytes came.
    fn fill(&mut self) -> io::Result<usize> {
        self.base = self.position();
        self.buf.drain(..self.taken);
        self.taken = 0;
        let have = self.buf.len();
        let at = self.base + u64::try_from(have).unwrap_or(u64::MAX);
        let want =
            usize::try_from(self.end.saturating_sub(at)).unwrap_or(usize::MAX).min(self.chunk);
        self.chunk = CHUNK;
        self.buf.resize(have + want, 0);
        let room = self.buf.get_mut(have..).unwrap_or_default();
        let got = if room.is_empty() { 0 } else { self.source.read_at(self.file, room, at)? };
        self.buf.truncate(have + got);
        Ok(got)
    }
}
