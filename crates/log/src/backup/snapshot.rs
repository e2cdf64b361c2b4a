//! What is to be copied of a log that may be appended to meanwhile: its notes, and which segments.

use std::collections::BTreeSet;

use indelible_format::checkpoint::Checkpoint;
use indelible_format::note::Note;

use crate::history::{note_of, whole_lines};
use crate::io::{IoFailure, Operation};
use crate::layout::Layout;
use crate::segment::{Segment, numbers, read_range};
use crate::storage::{Access, FileId, Storage};

/// How often it looks again where a rotation came in between.
const ATTEMPTS_MAX: u32 = 100;

/// `checkpoints.jsonl` and `checkpoint`, as of one moment.
#[derive(Debug)]
pub(super) struct Notes {
    /// The whole lines; `None` where there is no such file.
    pub(super) history: Option<Vec<u8>>,
    /// `None` where there is no such file.
    pub(super) checkpoint: Option<Vec<u8>>,
    noted: BTreeSet<u64>,
}

impl Notes {
    /// Reads both; `None` where notes came in between each time.
    ///
    /// A rotation notes its checkpoint before it renames. So where `checkpoints.jsonl` is the same before and after
    /// `checkpoint` was read, each boundary that `checkpoint` covers has its note here.
    pub(super) fn read(storage: &dyn Storage, layout: &Layout) -> Result<Option<Self>, IoFailure> {
        for _ in 0..ATTEMPTS_MAX {
            let mut history = read_file(storage, layout, Named::History)?;
            let checkpoint = read_file(storage, layout, Named::Checkpoint)?;
            if read_file(storage, layout, Named::History)? != history {
                continue;
            }
            if let Some(history) = &mut history {
                history.truncate(whole_lines(history));
            }
            let noted = sizes(history.as_deref().unwrap_or_default());
            return Ok(Some(Self { history, checkpoint, noted }));
        }
        Ok(None)
    }

    /// How many records the newest of them covers.
    pub(super) fn mark(&self) -> Option<u64> {
        let latest = self.checkpoint.as_deref().and_then(size_of);
        latest.max(self.noted.last().copied())
    }

    /// Leaves out the segments that a rotation began after the notes were read: the copy would have no note of that
    /// boundary. A boundary that the log itself has no note of is left as it is, as evidence. Tells whether any was left
    /// out.
    pub(super) fn leave_out_later(
        &self,
        storage: &dyn Storage,
        layout: &Layout,
        parts: &mut Vec<Part>,
    ) -> Result<bool, IoFailure> {
        let mark = self.mark().unwrap_or(0);
        let later = |part: &Part| {
            part.first_seq().filter(|first| *first >= mark && !self.noted.contains(first))
        };
        let boundaries = || parts.iter().enumerate().skip(1);
        if !boundaries().any(|(_, part)| later(part).is_some()) {
            return Ok(false);
        }
        let now = sizes(&read_file(storage, layout, Named::History)?.unwrap_or_default());
        let first = boundaries().find(|(_, part)| later(part).is_some_and(|at| now.contains(&at)));
        let first = first.map(|(index, _)| index);
        if let Some(index) = first {
            parts.truncate(index);
        }
        Ok(first.is_some())
    }
}

#[derive(Clone, Copy)]
enum Named {
    History,
    Checkpoint,
}

fn read_file(
    storage: &dyn Storage,
    layout: &Layout,
    named: Named,
) -> Result<Option<Vec<u8>>, IoFailure> {
    let path = match named {
        Named::History => layout.history(),
        Named::Checkpoint => layout.checkpoint(),
    };
    let file = match storage.open(&path, Access::Read) {
        Ok(file) => file,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(IoFailure::new(Operation::Open, &path, e)),
    };
    let size = file.stat().map_err(IoFailure::of(Operation::Stat, &path))?.size;
    read_range(file.as_ref(), 0, size).map_err(IoFailure::of(Operation::Read, &path)).map(Some)
}

/// Sizes of the notes in the lines of `checkpoints.jsonl`, whoever signed them.
fn sizes(history: &[u8]) -> BTreeSet<u64> {
    let lines = history.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines.filter_map(|line| size_of(&note_of(line)?)).collect()
}

fn size_of(note: &[u8]) -> Option<u64> {
    let note = Note::parse(note).ok()?;
    Checkpoint::parse_text(&note.text).ok().map(|checkpoint| checkpoint.size)
}

/// A segment that is to be copied, wherever it is by then.
#[derive(Debug)]
pub(super) struct Part {
    number: u64,
    id: FileId,
    first_line: Option<Vec<u8>>,
    first_seq: Option<u64>,
}

impl Part {
    fn of(segment: Segment) -> Self {
        let first_seq = segment.first.map(|first| first.seq);
        Self { number: segment.number, id: segment.id, first_line: segment.first_line, first_seq }
    }

    pub(super) fn first_seq(&self) -> Option<u64> {
        self.first_seq
    }

    /// Opens it under its name of now: rotations move it to higher numbers. `None` where it is gone.
    pub(super) fn find(
        &self,
        storage: &dyn Storage,
        layout: &Layout,
    ) -> Result<Option<Segment>, IoFailure> {
        let mut number = self.number;
        loop {
            match Segment::open(storage, layout, number, Access::Read) {
                Ok(segment) if self.is(&segment) => return Ok(Some(segment)),
                Ok(_) => number += 1,
                // A gap amid the renames of a rotation, or the end.
                Err(failure) if failure.is_not_found() => {
                    let held = numbers(storage, layout)?;
                    match held.into_iter().rev().find(|held| *held > number) {
                        Some(next) => number = next,
                        None => return Ok(None),
                    }
                }
                Err(failure) => return Err(failure),
            }
        }
    }

    /// An inode may be that of another file by now, a first line only that of this one.
    fn is(&self, segment: &Segment) -> bool {
        let grown = self.first_line.is_none();
        segment.id == self.id && (grown || segment.first_line == self.first_line)
    }
}

/// Where the oldest segment begins; `None` where there is none, or it went away meanwhile.
pub(super) fn first_seq(storage: &dyn Storage, layout: &Layout) -> Result<Option<u64>, IoFailure> {
    let Some(oldest) = numbers(storage, layout)?.first().copied() else { return Ok(None) };
    match Segment::open(storage, layout, oldest, Access::Read) {
        Ok(segment) => Ok(segment.first.map(|first| first.seq)),
        Err(failure) if failure.is_not_found() => Ok(None),
        Err(failure) => Err(failure),
    }
}

/// The segments as they stand, oldest first; `None` where they moved each time.
pub(super) fn snapshot(
    storage: &dyn Storage,
    layout: &Layout,
) -> Result<Option<Vec<Part>>, IoFailure> {
    for _ in 0..ATTEMPTS_MAX {
        let held = numbers(storage, layout)?;
        let mut parts = Vec::new();
        let mut moved = false;
        for number in &held {
            match Segment::open(storage, layout, *number, Access::Read) {
                // An active segment without a byte has nothing to copy, and no place to tell.
                Ok(segment) if segment.size == 0 => {}
                Ok(segment) => parts.push(Part::of(segment)),
                Err(failure) if failure.is_not_found() => moved = true,
                Err(failure) => return Err(failure),
            }
        }
        if !moved && numbers(storage, layout)? == held && is_at_its_place(storage, layout, &parts)?
        {
            return Ok(Some(parts));
        }
    }
    Ok(None)
}

/// Whether the newest is still where it was: after a rotation it is not.
fn is_at_its_place(
    storage: &dyn Storage,
    layout: &Layout,
    parts: &[Part],
) -> Result<bool, IoFailure> {
    let Some(newest) = parts.last() else { return Ok(true) };
    match Segment::open(storage, layout, newest.number, Access::Read) {
        Ok(segment) => Ok(newest.is(&segment)),
        Err(failure) if failure.is_not_found() => Ok(false),
        Err(failure) => Err(failure),
    }
}
