//! Segments: which files there are, in which order, and where in one of them a record stands.
//!
//! Invariants:
//! - a segment's place is told by its first record, never by its number;
//! - `seq` and `timestamp` grow with the byte offset, so a record is found by bisection on the file itself: no index
//!   that could rot.
//!
//! It judges nothing: a line that is no record is for recovery and verifier to report.

use std::cmp::Ordering;
use std::io;
use std::path::PathBuf;

use indelible_format::record::{Head, LINE_SIZE_MAX, Record, parse_head};

use crate::io::{IoFailure, Operation};
use crate::layout::{Layout, segment_name, segment_number};
use crate::lines::{Line, Lines, Source};
use crate::storage::{Access, FileId, Storage, StorageFile};

/// Bytes below which a bisection reads on line by line.
const SCAN_SIZE: u64 = 16 * 1024;

/// Bytes that are looked through at a time for the end of a line that is too long.
const WINDOW_SIZE: u64 = 256 * 1024;

/// Where the lines of a segment part, by [`Segment::split`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Split {
    /// The end of the last line before.
    pub(crate) before: u64,
    /// The beginning of the first line after, or the end of what was looked at.
    pub(crate) after: u64,
}

/// One file of the log, open for reading.
#[derive(Debug)]
pub(crate) struct Segment {
    /// 0 for the active one.
    pub(crate) number: u64,
    pub(crate) path: PathBuf,
    pub(crate) file: Box<dyn StorageFile>,
    pub(crate) id: FileId,
    /// Bytes when it was opened.
    pub(crate) size: u64,
    /// Its first line, where it has one that ends or is a record; without its LF.
    pub(crate) first_line: Option<Vec<u8>>,
    /// Head of the first line, where it has one.
    pub(crate) first: Option<Head>,
}

impl Segment {
    /// Opens segment `number` with `access` and reads its first line.
    pub(crate) fn open(
        storage: &dyn Storage,
        layout: &Layout,
        number: u64,
        access: Access,
    ) -> Result<Self, IoFailure> {
        Self::open_unread(storage, layout, number, access)?.with_first_line(Source::Cache)
    }

    /// Opens segment `number` for reading, syncs it, and reads its first line from the medium.
    pub(crate) fn open_on_medium(
        storage: &dyn Storage,
        layout: &Layout,
        number: u64,
    ) -> Result<Self, IoFailure> {
        let segment = Self::open_unread(storage, layout, number, Access::Read)?;
        segment.file.sync_data().map_err(IoFailure::of(Operation::Sync, &segment.path))?;
        segment.with_first_line(Source::Medium)
    }

    fn open_unread(
        storage: &dyn Storage,
        layout: &Layout,
        number: u64,
        access: Access,
    ) -> Result<Self, IoFailure> {
        let path = layout.segment(number);
        let file = storage.open(&path, access).map_err(IoFailure::of(Operation::Open, &path))?;
        let stat = file.stat().map_err(IoFailure::of(Operation::Stat, &path))?;
        let (id, size) = (stat.id, stat.size);
        Ok(Self { number, path, file, id, size, first_line: None, first: None })
    }

    fn with_first_line(mut self, source: Source) -> Result<Self, IoFailure> {
        self.first_line = self.read_first_line(source)?;
        self.first = self.first_line.as_deref().and_then(|line| parse_head(line).ok());
        Ok(self)
    }

    /// Its name in the folder.
    pub(crate) fn name(&self) -> String {
        segment_name(self.number)
    }

    /// Head of the first line, where that is an intact record.
    pub(crate) fn intact_first(&self) -> Option<Head> {
        self.first_line.as_deref().and_then(intact_head)
    }

    /// Lines from `offset`, which must be the beginning of one, to the size at opening.
    pub(crate) fn lines(&self, offset: u64) -> Lines<'_> {
        Lines::new(self.file.as_ref(), Source::Cache, offset, self.size)
    }

    /// A failure to read this file.
    pub(crate) fn read_failure(&self, source: io::Error) -> IoFailure {
        IoFailure::new(Operation::Read, &self.path, source)
    }

    fn read_first_line(&self, source: Source) -> Result<Option<Vec<u8>>, IoFailure> {
        let mut lines = Lines::new(self.file.as_ref(), source, 0, self.size);
        match lines.next_line().map_err(|e| self.read_failure(e))? {
            Some(Line::Whole { bytes, .. }) => Ok(Some(bytes.to_vec())),
            // A record that only lacks its line feed holds all the same.
            Some(Line::Unterminated { bytes, .. }) if Record::parse(bytes).is_ok() => {
                Ok(Some(bytes.to_vec()))
            }
            Some(Line::Unterminated { .. } | Line::TooLong { .. }) | None => Ok(None),
        }
    }

    /// The last line that ends with a line feed before `end`, with its offset.
    pub(crate) fn last_line(&self, end: u64) -> Result<Option<(u64, Vec<u8>)>, IoFailure> {
        let mut window = SCAN_SIZE;
        loop {
            let from = end.saturating_sub(window);
            let bytes = self.read_range(from, end)?;
            if let Some(last) = memchr::memrchr(b'\n', &bytes) {
                let before = bytes.get(..last).unwrap_or_default();
                let start = memchr::memrchr(b'\n', before).map(|at| at + 1);
                if let Some(start) = start.or((from == 0).then_some(0)) {
                    let line = before.get(start..).unwrap_or_default().to_vec();
                    return Ok(Some((from + to_u64(start), line)));
                }
            }
            if from == 0 || window > to_u64(LINE_SIZE_MAX) * 2 {
                return Ok(None);
            }
            window *= 8;
        }
    }

    /// Reads `from..to` whole; fewer bytes where the file ends.
    pub(crate) fn read_range(&self, from: u64, to: u64) -> Result<Vec<u8>, IoFailure> {
        read_range(self.file.as_ref(), from, to).map_err(|e| self.read_failure(e))
    }

    /// Offset of the last line before `end` whose head is not `Greater`, by bisection; 0 where there is none.
    /// `order` compares a head with what is sought and must not decrease along the file. Where the bisection meets
    /// bytes that are no record, it goes on before them.
    pub(crate) fn seek(
        &self,
        end: u64,
        order: impl Fn(&Head) -> Ordering,
    ) -> Result<u64, IoFailure> {
        let end = end.min(self.size);
        // What is sought begins at or after `low` and before `high`; where its line ends is another matter.
        let (mut low, mut high) = (0, end);
        while high - low > SCAN_SIZE {
            let middle = low + (high - low) / 2;
            match self.head_from(middle, end)?.filter(|(start, _)| *start < high) {
                Some((start, head)) if start > low && order(&head) != Ordering::Greater => {
                    low = start;
                }
                Some(_) | None => high = middle,
            }
        }
        let mut at = low;
        let mut lines = Lines::new(self.file.as_ref(), Source::Cache, low, end);
        while let Some(line) = lines.next_line().map_err(|e| self.read_failure(e))? {
            let Line::Whole { offset, bytes } = line else { break };
            if offset >= high {
                break;
            }
            let Ok(head) = parse_head(bytes) else { break };
            if order(&head) == Ordering::Greater {
                break;
            }
            at = offset;
        }
        Ok(at)
    }

    /// Parts the lines between `from`, the beginning of one, and `to` at the first whose head `is_after`. `is_after` must
    /// not turn false again along the file. Lines that are no intact records belong to neither side.
    pub(crate) fn split(
        &self,
        from: u64,
        to: u64,
        is_after: &dyn Fn(&Head) -> bool,
    ) -> Result<Split, IoFailure> {
        let to = to.min(self.size);
        let (mut low, mut high) = (from, to);
        while high.saturating_sub(low) > SCAN_SIZE {
            let middle = low + (high - low) / 2;
            match self.intact_after(middle, high)? {
                Some((end, head)) if !is_after(&head) => low = end,
                Some(_) | None => high = middle,
            }
        }
        let mut split = Split { before: low.min(to), after: to };
        let mut lines = Lines::new(self.file.as_ref(), Source::Cache, low, to);
        while let Some(line) = lines.next_line().map_err(|e| self.read_failure(e))? {
            let Line::Whole { offset, bytes } = line else { break };
            let Some(head) = intact_head(bytes) else { continue };
            if is_after(&head) {
                split.after = offset;
                break;
            }
            split.before = offset + to_u64(bytes.len()) + 1;
        }
        Ok(split)
    }

    /// The first intact record that begins after `from` and before `to`: where it ends, and its head.
    fn intact_after(&self, from: u64, to: u64) -> Result<Option<(u64, Head)>, IoFailure> {
        let mut start = from;
        loop {
            let mut lines = Lines::new(self.file.as_ref(), Source::Cache, start, self.size);
            // The rest of the line that `start` stands in.
            let mut is_rest = true;
            let too_long = loop {
                match lines.next_line().map_err(|e| self.read_failure(e))? {
                    Some(Line::Whole { offset, .. }) if offset >= to => return Ok(None),
                    Some(Line::Whole { offset, bytes }) => {
                        if !is_rest && let Some(head) = intact_head(bytes) {
                            return Ok(Some((offset + to_u64(bytes.len()) + 1, head)));
                        }
                        is_rest = false;
                    }
                    Some(Line::TooLong { offset }) => break offset,
                    Some(Line::Unterminated { .. }) | None => return Ok(None),
                }
            };
            start = too_long + to_u64(LINE_SIZE_MAX);
            if start >= to {
                return Ok(None);
            }
        }
    }

    /// The offset behind the first line feed at or after `from`.
    pub(crate) fn next_line_start(&self, from: u64) -> Result<Option<u64>, IoFailure> {
        let mut at = from;
        while at < self.size {
            let bytes = self.read_range(at, (at + WINDOW_SIZE).min(self.size))?;
            if let Some(feed) = memchr::memchr(b'\n', &bytes) {
                return Ok(Some(at + to_u64(feed) + 1));
            }
            if bytes.is_empty() {
                break;
            }
            at += to_u64(bytes.len());
        }
        Ok(None)
    }

    /// The offset behind the last line feed before `end`; 0 where there is none.
    pub(crate) fn last_line_start(&self, end: u64) -> Result<u64, IoFailure> {
        let (mut end, mut window) = (end, SCAN_SIZE);
        while end > 0 {
            let from = end.saturating_sub(window);
            let bytes = self.read_range(from, end)?;
            if let Some(feed) = memchr::memrchr(b'\n', &bytes) {
                return Ok(from + to_u64(feed) + 1);
            }
            (end, window) = (from, WINDOW_SIZE);
        }
        Ok(0)
    }

    /// The first line that begins after `from` and ends before `end`, if its head can be read.
    fn head_from(&self, from: u64, end: u64) -> Result<Option<(u64, Head)>, IoFailure> {
        let mut lines = Lines::new(self.file.as_ref(), Source::Cache, from, end);
        // The rest of the line that `from` stands in.
        match lines.next_line().map_err(|e| self.read_failure(e))? {
            Some(Line::Whole { .. }) => {}
            Some(Line::Unterminated { .. } | Line::TooLong { .. }) | None => return Ok(None),
        }
        match lines.next_line().map_err(|e| self.read_failure(e))? {
            Some(Line::Whole { offset, bytes }) => {
                Ok(parse_head(bytes).ok().map(|head| (offset, head)))
            }
            Some(Line::Unterminated { .. } | Line::TooLong { .. }) | None => Ok(None),
        }
    }
}

/// The head of a line whose link and hash are right, so that a damaged one can't lead a bisection astray.
pub(crate) fn intact_head(line: &[u8]) -> Option<Head> {
    Record::parse_newer(line).ok().and_then(|_| parse_head(line).ok())
}

/// Numbers of the segments in the folder, from the highest (the oldest) down to 0.
pub(crate) fn numbers(storage: &dyn Storage, layout: &Layout) -> Result<Vec<u64>, IoFailure> {
    let names =
        storage.list(layout.folder()).map_err(IoFailure::of(Operation::List, layout.folder()))?;
    let mut numbers: Vec<u64> = names.iter().filter_map(|name| segment_number(name)).collect();
    numbers.sort_unstable_by(|a, b| b.cmp(a));
    Ok(numbers)
}

/// Reads `from..to` of `file`; fewer bytes where it ends.
pub(crate) fn read_range(file: &dyn StorageFile, from: u64, to: u64) -> io::Result<Vec<u8>> {
    read_range_of(file, Source::Cache, from, to)
}

/// As [`read_range`], from where `source` says.
pub(crate) fn read_range_of(
    file: &dyn StorageFile,
    source: Source,
    from: u64,
    to: u64,
) -> io::Result<Vec<u8>> {
    let size = usize::try_from(to.saturating_sub(from)).map_err(io::Error::other)?;
    let mut bytes = vec![0; size];
    let mut have = 0;
    while let Some(room) = bytes.get_mut(have..).filter(|room| !room.is_empty()) {
        match source.read_at(file, room, from + to_u64(have))? {
            0 => break,
            got => have += got,
        }
    }
    bytes.truncate(have);
    Ok(bytes)
}

/// A length in memory as a position in a file.
pub(crate) fn to_u64(size: usize) -> u64 {
    u64::try_from(size).unwrap_or(u64::MAX)
}

#[cfg(feature = "simulated-disk")]
#[cfg(test)]
mod tests {
    use std::path::Path;

    use indelible_format::chain::{Hash, seal};
    use indelible_format::record::write_head;
    use indelible_format::time::Timestamp;

    use super::*;
    use crate::storage::simulated::SimulatedDisk;

    /// The active segment of a folder, with these bytes; and its disk.
    fn segment(bytes: impl Into<Vec<u8>>) -> (Segment, SimulatedDisk) {
        let disk = SimulatedDisk::new();
        let layout = Layout::of(Path::new("/logs/audit")).unwrap();
        disk.write_file(layout.segment(0), bytes).unwrap();
        (Segment::open(&disk, &layout, 0, Access::Read).unwrap(), disk)
    }

    fn record(seq: u64, size: usize) -> Vec<u8> {
        let mut line = Vec::new();
        write_head(&mut line, seq, Timestamp::MIN);
        let resource = "x".repeat(size);
        let fields = format!("\"actor\":\"a\",\"action\":\"b\",\"resource\":\"{resource}\"");
        line.extend_from_slice(fields.as_bytes());
        seal(&mut line, 0, &Hash::ZERO);
        line.push(b'\n');
        line
    }

    #[test]
    fn the_next_line_begins_behind_the_next_line_feed_however_far_it_is() {
        let window = usize::try_from(WINDOW_SIZE).unwrap();
        let (segment, disk) = segment([&vec![b'x'; 3 * window][..], b"\none\ntwo"].concat());
        let end = 3 * WINDOW_SIZE + 1;
        assert_eq!(segment.next_line_start(0).unwrap(), Some(end));
        assert_eq!(segment.next_line_start(end - 1).unwrap(), Some(end));
        assert_eq!(segment.next_line_start(end).unwrap(), Some(end + 4));
        assert_eq!(segment.next_line_start(end + 4).unwrap(), None, "the last has no end");
        assert_eq!(segment.next_line_start(segment.size).unwrap(), None);
        // Somebody cut the file since it was opened.
        disk.write_file(&segment.path, vec![b'x'; window]).unwrap();
        assert_eq!(segment.next_line_start(0).unwrap(), None);
    }

    #[test]
    fn the_last_line_begins_behind_the_last_line_feed_however_far_back_it_is() {
        let window = usize::try_from(WINDOW_SIZE).unwrap();
        let (of_two, _disk) = segment([b"one\n", &vec![b'x'; 3 * window][..]].concat());
        assert_eq!(of_two.last_line_start(of_two.size).unwrap(), 4);
        assert_eq!(of_two.last_line_start(4).unwrap(), 4);
        assert_eq!(of_two.last_line_start(3).unwrap(), 0, "none before the first");
        assert_eq!(of_two.last_line_start(0).unwrap(), 0);
    }

    #[test]
    fn a_stretch_is_parted_also_where_no_whole_record_follows() {
        let records = [record(0, 10), record(1, 10), record(2, 10)].concat();
        let size = to_u64(records.len());
        let long = usize::try_from(2 * SCAN_SIZE).unwrap();
        // Behind the records a long line that ends, or does not, or is no record.
        for tail in [vec![b'x'; long], [&vec![b'x'; long][..], b"\n"].concat()] {
            let (segment, _disk) = segment([&records[..], &tail].concat());
            let part = |seq: u64| segment.split(0, segment.size, &|head| head.seq >= seq).unwrap();
            assert_eq!(part(9), Split { before: size, after: segment.size });
            let line = size / 3;
            assert_eq!(part(1), Split { before: line, after: line });
            assert_eq!(part(0), Split { before: 0, after: 0 });
        }
    }
}
