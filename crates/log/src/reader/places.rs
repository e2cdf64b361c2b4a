//! Finds where in the segments something begins, and which segment stands beside another.
//!
//! Invariant: segments stand in the order of their numbers; which one is meant is told by the file itself, so that a
//! rename in between changes nothing.

use indelible_format::record::Head;

use super::ReadError;
use super::locate::{Settled, steadily};
use crate::io::{IoFailure, Operation};
use crate::layout::Layout;
use crate::segment::Segment;
use crate::storage::{Access, Storage};

/// What a head is asked.
pub(super) type IsAfter<'a> = &'a dyn Fn(&Head) -> bool;

/// A segment, and a place between two of its lines.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) segment: Segment,
    pub(super) offset: u64,
}

/// The place behind the last record whose head is not `is_after`, or the beginning of the oldest segment; nothing where
/// there is no segment.
pub(super) fn behind_last_before(
    storage: &dyn Storage,
    layout: &Layout,
    is_after: IsAfter<'_>,
) -> Result<Option<Place>, ReadError> {
    steadily(storage, layout, |numbers| {
        let Some(segment) = last_beginning_before(storage, layout, numbers, is_after)? else {
            return Ok(Settled::Unless(None));
        };
        let offset = segment.split(0, segment.size, is_after)?.before;
        Ok(Settled::Unless(Some(Place { segment, offset })))
    })
}

/// The segment behind `current`, whatever its name is by now.
pub(super) fn newer(
    storage: &dyn Storage,
    layout: &Layout,
    current: &Segment,
) -> Result<Option<Segment>, ReadError> {
    steadily(storage, layout, |numbers| {
        let number = match position(storage, layout, numbers, current)? {
            Some(at) => numbers.get(at + 1),
            // It is gone: then everything older is, too.
            None => numbers.first(),
        };
        let opened = number.map(|number| Segment::open(storage, layout, *number, Access::Read));
        Ok(Settled::Unless(opened.transpose()?))
    })
}

/// The segment before `current`; nothing where `current` is gone.
pub(super) fn older(
    storage: &dyn Storage,
    layout: &Layout,
    current: &Segment,
) -> Result<Option<Segment>, ReadError> {
    steadily(storage, layout, |numbers| {
        let at = position(storage, layout, numbers, current)?;
        let number = at.and_then(|at| at.checked_sub(1)).and_then(|at| numbers.get(at));
        let opened = number.map(|number| Segment::open(storage, layout, *number, Access::Read));
        Ok(Settled::Unless(opened.transpose()?))
    })
}

/// The segment that is appended to, or the newest of a log that lacks it.
pub(super) fn newest(storage: &dyn Storage, layout: &Layout) -> Result<Option<Segment>, ReadError> {
    steadily(storage, layout, |numbers| {
        let opened =
            numbers.last().map(|number| Segment::open(storage, layout, *number, Access::Read));
        Ok(Settled::Unless(opened.transpose()?))
    })
}

/// Where in `numbers`, from the oldest to the newest, `current` stands: as a rule where it did, or one further.
fn position(
    storage: &dyn Storage,
    layout: &Layout,
    numbers: &[u64],
    current: &Segment,
) -> Result<Option<usize>, IoFailure> {
    let numbered = || numbers.iter().enumerate().rev();
    let likely = numbered().filter(|(_, number)| **number >= current.number);
    for (at, number) in likely.chain(numbered().filter(|(_, number)| **number < current.number)) {
        let path = layout.segment(*number);
        let stat = storage.stat(&path).map_err(IoFailure::of(Operation::Stat, &path))?;
        if stat.id == current.id {
            return Ok(Some(at));
        }
    }
    Ok(None)
}

/// The last segment that begins with a record that is not `is_after`, or else the oldest.
fn last_beginning_before(
    storage: &dyn Storage,
    layout: &Layout,
    numbers: &[u64],
    is_after: IsAfter<'_>,
) -> Result<Option<Segment>, IoFailure> {
    let mut best = None;
    let mut rest = numbers;
    while !rest.is_empty() {
        let (older, newer) = rest.split_at(rest.len() / 2);
        let Some((middle, newer)) = newer.split_first() else { break };
        let segment = Segment::open(storage, layout, *middle, Access::Read)?;
        match &segment.intact_first() {
            Some(first) if !is_after(first) => {
                best = Some(segment);
                rest = newer;
            }
            Some(_) => rest = older,
            // The active one may be empty, or torn at its beginning.
            None if newer.is_empty() => rest = older,
            None => {
                best = last_of_damaged(storage, layout, numbers, is_after)?;
                break;
            }
        }
    }
    match (best, numbers.first()) {
        (None, Some(oldest)) => Segment::open(storage, layout, *oldest, Access::Read).map(Some),
        (best, _) => Ok(best),
    }
}

/// As above, where some segment's beginning can't be told: looks at each.
fn last_of_damaged(
    storage: &dyn Storage,
    layout: &Layout,
    numbers: &[u64],
    is_after: IsAfter<'_>,
) -> Result<Option<Segment>, IoFailure> {
    for number in numbers.iter().rev() {
        let segment = Segment::open(storage, layout, *number, Access::Read)?;
        if segment.intact_first().is_some_and(|first| !is_after(&first)) {
            return Ok(Some(segment));
        }
    }
    Ok(None)
}
