//! Goes over records in order, across segments: [`Records`].

use std::collections::VecDeque;
use std::iter::FusedIterator;

use indelible_format::record::parse_head;

use super::locate::Search;
use super::{ReadError, Reader, StoredRecord};
use crate::lines::{Line, Lines, Source};
use crate::segment::{Segment, to_u64};

/// Bytes of lines that are read ahead.
const BATCH_SIZE: usize = 256 * 1024;

/// Records in order, each exactly where it must be; made by [`Reader::lines_from`].
#[derive(Debug)]
pub struct Records {
    reader: Reader,
    /// Seq of the next record to read from a file.
    next: u64,
    /// Seq behind the last one to read; none to read to the last line feed.
    end: Option<u64>,
    ahead: VecDeque<StoredRecord>,
    /// The segment under way, and where to go on in it.
    segment: Option<(Segment, u64)>,
    failed: Option<ReadError>,
    done: bool,
}

impl Records {
    pub(super) fn new(reader: &Reader, seq: u64, end: Option<u64>) -> Result<Self, ReadError> {
        let next = match reader.first_seq() {
            Ok(first) => seq.max(first),
            // There is nothing to go over.
            Err(ReadError::NoRecord { .. }) if end.is_none_or(|end| end == 0) => seq,
            Err(e) => return Err(e),
        };
        let reader = reader.clone();
        Ok(Self {
            reader,
            next,
            end,
            ahead: VecDeque::new(),
            segment: None,
            failed: None,
            done: false,
        })
    }

    /// Reads ahead; nothing comes of it at the end.
    fn read_ahead(&mut self) -> Result<(), ReadError> {
        if self.end.is_some_and(|end| self.next >= end) {
            return Ok(());
        }
        if let Some((segment, offset)) = self.segment.take() {
            let offset = self.read_lines(&segment, offset)?;
            if !self.ahead.is_empty() {
                self.segment = Some((segment, offset));
                return Ok(());
            }
        }
        match self.reader.find(self.next)? {
            Search::Found(found) => {
                let offset = self.read_lines(&found.segment, found.record.offset)?;
                self.segment = Some((found.segment, offset));
                Ok(())
            }
            Search::Behind if self.end.is_none() => Ok(()),
            Search::Behind | Search::Pruned => Err(self.reader.missing(self.next)),
            Search::Lost { file } => Err(ReadError::Lost { seq: self.next, file }),
        }
    }

    /// Reads lines from `offset` on, and says where to go on.
    fn read_lines(&mut self, segment: &Segment, offset: u64) -> Result<u64, ReadError> {
        let mut lines = Lines::new(segment.file.as_ref(), Source::Cache, offset, segment.size);
        let file = segment.name();
        let (mut at, mut size) = (offset, 0);
        while size < BATCH_SIZE && self.end.is_none_or(|end| self.next < end) {
            let line = lines.next_line().map_err(|e| segment.read_failure(e))?;
            let Some(Line::Whole { offset, bytes }) = line else { break };
            if !parse_head(bytes).is_ok_and(|head| head.seq == self.next) {
                let expected = self.next;
                self.failed = Some(ReadError::OutOfPlace { file, offset, expected });
                return Ok(at);
            }
            let (seq, line) = (self.next, bytes.to_vec());
            size += line.len();
            at = offset + to_u64(line.len()) + 1;
            self.ahead.push_back(StoredRecord { seq, line, file: file.clone(), offset });
            self.next += 1;
        }
        Ok(at)
    }
}

impl Iterator for Records {
    type Item = Result<StoredRecord, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ahead.is_empty()
            && !self.done
            && self.failed.is_none()
            && let Err(e) = self.read_ahead()
        {
            self.failed = Some(e);
        }
        if let Some(record) = self.ahead.pop_front() {
            return Some(Ok(record));
        }
        self.done = true;
        self.failed.take().map(Err)
    }
}

impl FusedIterator for Records {}
