//! Fills the idempotency window from the log's tail after opening, beside it: only appends that carry an `event_id`
//! wait for it.

use std::cmp::Ordering;

use indelible_format::record::{Content, Head, Record};
use indelible_format::time::Timestamp;

use crate::idempotency::EventKey;
use crate::io::{IoFailure, Operation};
use crate::layout::Layout;
use crate::lines::Line;
use crate::options::{Idempotency, Options};
use crate::segment::{Segment, numbers, to_u64};
use crate::storage::{Access, Storage};
use crate::writer::group::{WindowState, Writer};

/// How often a rotation may get in the way of finding the segments.
const TRIES: u32 = 16;

/// Whether there is anything to remember: records behind the genesis, and a window to put them into.
pub(crate) fn needed(options: &Options, records: u64) -> bool {
    let limits = options.idempotency;
    records > 1 && (limits.records > 0 || !limits.period.is_zero())
}

/// Reads the tail into the writer's window, and lets those go on who wait for it.
pub(crate) fn rebuild(
    storage: &dyn Storage,
    layout: &Layout,
    writer: &Writer,
    limits: Idempotency,
) {
    let state = match read_tail(storage, layout, writer, limits) {
        Ok(()) => WindowState::Ready,
        Err(failure) => WindowState::Failed(failure),
    };
    writer.window_is(state);
}

fn read_tail(
    storage: &dyn Storage,
    layout: &Layout,
    writer: &Writer,
    limits: Idempotency,
) -> Result<(), IoFailure> {
    let end = writer.durable();
    let fit = writer.with_window(|window| to_u64(window.count_max()));
    let by_count = end.saturating_sub(limits.records);
    let at_most = end.saturating_sub(fit);
    let segments = open_from(storage, layout, |first, newest| {
        let cutoff = newest
            .saturating_add_ns(-i128::try_from(limits.period.as_nanos()).unwrap_or(i128::MAX));
        first.seq <= at_most || (first.seq <= by_count && first.timestamp < cutoff)
    })?;
    for segment in &segments {
        let from = segment.seek(segment.size, |head| {
            if head.seq < at_most { Ordering::Less } else { Ordering::Greater }
        })?;
        let mut lines = segment.lines(from);
        while let Some(line) = lines.next_line().map_err(|e| segment.read_failure(e))? {
            let Line::Whole { bytes, .. } = line else { break };
            if !writer.is_open() {
                return Ok(());
            }
            let Ok(record) = Record::parse(bytes) else { continue };
            if record.seq() >= end {
                return Ok(());
            }
            remember(writer, &record);
        }
    }
    Ok(())
}

fn remember(writer: &Writer, record: &Record<'_>) {
    let Content::Event(fields) = record.content() else { return };
    let Some(event_id) = fields.event_id() else { return };
    let key = EventKey::new(fields.recorded_by().as_deref(), &event_id, fields.client_bytes());
    writer.with_window(|window| {
        window.recorded(&key, record.seq(), record.timestamp(), record.hash());
    });
}

/// Opens the newest segments, oldest of them first, back to the one for which `reaches` says that it is old enough;
/// `reaches` gets a segment's first head and the newest segment's time.
fn open_from(
    storage: &dyn Storage,
    layout: &Layout,
    reaches: impl Fn(&Head, Timestamp) -> bool,
) -> Result<Vec<Segment>, IoFailure> {
    let mut tries = 0;
    loop {
        match try_open_from(storage, layout, &reaches) {
            // A rotation renamed a file between listing and opening.
            Err(failure) if failure.is_not_found() && tries < TRIES => tries += 1,
            opened => return opened,
        }
    }
}

fn try_open_from(
    storage: &dyn Storage,
    layout: &Layout,
    reaches: impl Fn(&Head, Timestamp) -> bool,
) -> Result<Vec<Segment>, IoFailure> {
    let mut opened: Vec<Segment> = Vec::new();
    let mut newest = None;
    for number in numbers(storage, layout)?.into_iter().rev() {
        let segment = Segment::open(storage, layout, number, Access::Read)?;
        let Some(first) = segment.first else { continue };
        // A file seen twice was renamed meanwhile, and another one moved out of sight.
        if opened.iter().any(|seen| seen.id == segment.id) {
            let moved = std::io::Error::from(std::io::ErrorKind::NotFound);
            return Err(IoFailure::new(Operation::Open, &segment.path, moved));
        }
        let newest = *newest.get_or_insert(first.timestamp);
        opened.push(segment);
        if reaches(&first, newest) {
            break;
        }
    }
    opened.reverse();
    Ok(opened)
}
