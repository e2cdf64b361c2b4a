//! The signed notes of a log as they stand in its folder: `checkpoints.jsonl` and `checkpoint`.
//!
//! It reads and splits; whose signatures count is for the caller. Writing them is `checkpoints`.

use crate::io::{IoFailure, Operation};
use crate::layout::{CHECKPOINT, HISTORY, Layout};
use crate::lines::{Line, Lines, Source};
use crate::segment::{read_range, read_range_of, to_u64};
use crate::storage::{Access, Storage};

/// One line of `checkpoints.jsonl` may hold a note with 16 signatures of 5 kB, each escaped.
const NOTE_LINE_SIZE_MAX: u64 = 256 * 1024;

/// Lines that are no notes and are still handed out, so that memory grows with the notes alone.
const MALFORMED_MAX: u64 = 1_000;

/// A note as it stands in the folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StoredNote {
    /// `checkpoint` or `checkpoints.jsonl`.
    pub(crate) file: &'static str,
    /// Where in that file it begins.
    pub(crate) offset: u64,
    /// The note's bytes; `None` where the line is not `{"note":"…"}`.
    pub(crate) note: Option<Vec<u8>>,
}

/// The end of `checkpoints.jsonl`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct HistoryTail {
    /// The last whole line, if there is one.
    pub(crate) last: Option<StoredNote>,
    /// Where the whole lines end: a torn line begins here, if there is one.
    pub(crate) whole_size: u64,
    /// Bytes in the file.
    pub(crate) size: u64,
}

impl HistoryTail {
    /// Whether more bytes stand behind the last whole line than a crash can leave of one.
    pub(crate) fn is_too_long(&self) -> bool {
        self.size - self.whole_size > NOTE_LINE_SIZE_MAX
    }
}

/// The note in `checkpoint`; `None` where there is no such file.
pub(crate) fn read_latest(
    storage: &dyn Storage,
    layout: &Layout,
) -> Result<Option<StoredNote>, IoFailure> {
    let path = layout.checkpoint();
    let Some(bytes) = read_file(storage, &path, NOTE_LINE_SIZE_MAX)? else { return Ok(None) };
    Ok(Some(StoredNote { file: CHECKPOINT, offset: 0, note: Some(bytes) }))
}

/// All whole lines of `checkpoints.jsonl`, oldest first; a torn last line is left out, unless it is longer than a crash leaves.
pub(crate) fn read_all(
    storage: &dyn Storage,
    layout: &Layout,
) -> Result<Vec<StoredNote>, IoFailure> {
    let path = layout.history();
    let file = match storage.open(&path, Access::Read) {
        Ok(file) => file,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(IoFailure::new(Operation::Open, &path, e)),
    };
    let size = file.stat().map_err(IoFailure::of(Operation::Stat, &path))?.size;
    let mut lines = Lines::new(file.as_ref(), Source::Cache, 0, size);
    let (mut notes, mut malformed) = (Vec::new(), 0);
    while let Some(line) = lines.next_line().map_err(IoFailure::of(Operation::Read, &path))? {
        let (offset, note) = match line {
            Line::Whole { offset, bytes } => {
                let is_last = offset + to_u64(bytes.len()) + 1 == size;
                if is_last && memchr::memchr(0, bytes).is_some() {
                    break;
                }
                (offset, note_of(bytes))
            }
            // A crash leaves a part of one line.
            Line::Unterminated { bytes, .. } if to_u64(bytes.len()) <= NOTE_LINE_SIZE_MAX => break,
            Line::Unterminated { offset, .. } | Line::TooLong { offset } => (offset, None),
        };
        malformed += u64::from(note.is_none());
        if note.is_some() || malformed <= MALFORMED_MAX {
            notes.push(StoredNote { file: HISTORY, offset, note });
        }
    }
    Ok(notes)
}

/// The last whole line of `checkpoints.jsonl`, read from the file's end; from the medium, and synced before: what counts as
/// noted must outlast the cache, which shows lines that a failed sync dropped.
pub(crate) fn read_tail(storage: &dyn Storage, layout: &Layout) -> Result<HistoryTail, IoFailure> {
    let path = layout.history();
    let file = match storage.open(&path, Access::Read) {
        Ok(file) => file,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(HistoryTail::default()),
        Err(e) => return Err(IoFailure::new(Operation::Open, &path, e)),
    };
    file.sync_data().map_err(IoFailure::of(Operation::Sync, &path))?;
    let size = file.stat().map_err(IoFailure::of(Operation::Stat, &path))?.size;
    // Two lines at the most: a whole one, and a torn one behind it.
    let from = size.saturating_sub(NOTE_LINE_SIZE_MAX * 2);
    let bytes = read_range_of(file.as_ref(), Source::Medium, from, size)
        .map_err(IoFailure::of(Operation::Read, &path))?;
    let whole = whole_lines(&bytes);
    let lines = bytes.get(..whole).unwrap_or_default();
    // Without any line in sight, nobody knows where the last one ends: at the beginning at the latest.
    let whole_size = if whole == 0 { 0 } else { from + to_u64(whole) };
    let last = lines.strip_suffix(b"\n").map(|rest| {
        let start = memchr::memrchr(b'\n', rest).map_or(0, |at| at + 1);
        stored(from + to_u64(start), lines.get(start..).unwrap_or_default())
    });
    Ok(HistoryTail { last, whole_size, size })
}

/// Bytes up to the end of the last line that a crash did not tear: a line without a line feed is torn, and so is a
/// last line that holds NULs, which are pages that never reached the disk.
pub(crate) fn whole_lines(bytes: &[u8]) -> usize {
    let Some(last) = memchr::memrchr(b'\n', bytes) else { return 0 };
    let ends_with_line = last + 1 == bytes.len();
    let before = bytes.get(..last).unwrap_or_default();
    let start = memchr::memrchr(b'\n', before).map_or(0, |at| at + 1);
    let has_nul = memchr::memchr(0, bytes.get(start..last).unwrap_or_default()).is_some();
    if ends_with_line && has_nul { start } else { last + 1 }
}

fn stored(offset: u64, line: &[u8]) -> StoredNote {
    StoredNote { file: HISTORY, offset, note: note_of(line.strip_suffix(b"\n").unwrap_or(line)) }
}

/// A line as it is written; other members are not ours.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct NoteLine {
    note: String,
}

/// The note in a line, without its line feed; `None` where it is not `{"note":"…"}`.
pub(crate) fn note_of(line: &[u8]) -> Option<Vec<u8>> {
    serde_json::from_slice(line).ok().map(|line: NoteLine| line.note.into_bytes())
}

/// The line that holds `note`, with its line feed.
pub(crate) fn line_of(note: &str) -> Vec<u8> {
    let mut line = b"{\"note\":".to_vec();
    indelible_format::event::write_string(&mut line, note);
    line.extend_from_slice(b"}\n");
    line
}

fn read_file(
    storage: &dyn Storage,
    path: &std::path::Path,
    size_max: u64,
) -> Result<Option<Vec<u8>>, IoFailure> {
    let file = match storage.open(path, Access::Read) {
        Ok(file) => file,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(IoFailure::new(Operation::Open, path, e)),
    };
    let size = file.stat().map_err(IoFailure::of(Operation::Stat, path))?.size;
    let bytes = read_range(file.as_ref(), 0, size.min(size_max))
        .map_err(IoFailure::of(Operation::Read, path))?;
    Ok(Some(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_torn_last_line_is_not_counted_and_its_place_is_known() {
        let mut bytes = line_of("one\n");
        let whole = bytes.len();
        assert_eq!(whole_lines(&bytes), whole);
        bytes.extend_from_slice(b"{\"note\":\"tw");
        assert_eq!(whole_lines(&bytes), whole);
        bytes.truncate(whole);
        bytes.extend_from_slice(b"{\"note\":\0\0\0\0\"}\n");
        assert_eq!(whole_lines(&bytes), whole);
        assert_eq!(whole_lines(b"\0\0\0"), 0);
    }

    #[test]
    fn a_note_comes_back_as_it_was_written() {
        let line = line_of("origin\n5\nroot=\n\n\u{2014} name sig=\n");
        assert_eq!(
            note_of(line.strip_suffix(b"\n").unwrap()).unwrap(),
            "origin\n5\nroot=\n\n\u{2014} name sig=\n".as_bytes()
        );
        assert_eq!(note_of(b"{\"note\": 5}"), None);
        assert_eq!(note_of(b"{\"note\":\"a\",\"x\":1}"), None);
    }
}
