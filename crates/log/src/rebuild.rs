//! Fills the idempotency window from the log's tail after opening, beside it: only appends that carry an `event_id`
//! wait for it.

use std::cmp::Ordering;
use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;

use indelible_format::record::{Content, Head, Record};
use indelible_format::seeded::{self, Bug};
use indelible_format::time::Timestamp;

use crate::idempotency::{EventKey, Window};
use crate::io::{IoFailure, Operation};
use crate::layout::Layout;
use crate::lines::Line;
use crate::options::{Idempotency, Options};
use crate::segment::{Segment, numbers, to_u64};
use crate::storage::{Access, FileId, Storage};
use crate::writer::group::{WindowState, Writer};

/// How often a rotation may get in the way of finding the segments.
const TRIES: u64 = 16;
/// How long to wait before the tail is read again that could not be read.
const PAUSE: Duration = Duration::from_secs(1);

/// Whether there is anything to remember: records behind the genesis, and a window to put them into.
pub(crate) fn needed(options: &Options, records: u64) -> bool {
    let limits = options.idempotency;
    let forgets = seeded::is(Bug::WindowForgotten);
    records > 1 && !forgets && (limits.records > 0 || !limits.period.is_zero())
}

/// Reads the tail into the writer's window, and lets those go on who wait for it. Where it can't be read, appends that
/// carry an `event_id` are refused until a later try succeeds.
pub(crate) fn rebuild(
    storage: &dyn Storage,
    layout: &Layout,
    writer: &Writer,
    limits: Idempotency,
) {
    // What comes later carries no `event_id` before the window is ready.
    let end = writer.durable();
    loop {
        writer.with_window(Window::clear);
        match read_tail(storage, layout, writer, &Bounds { end, limits }) {
            Ok(()) => return writer.window_is(WindowState::Ready),
            Err(failure) => writer.window_is(WindowState::Failed(failure)),
        }
        if !writer.stays_open_for(PAUSE) {
            return;
        }
    }
}

/// How much of the tail is to be remembered.
struct Bounds {
    /// Seq behind the last record.
    end: u64,
    limits: Idempotency,
}

fn read_tail(
    storage: &dyn Storage,
    layout: &Layout,
    writer: &Writer,
    bounds: &Bounds,
) -> Result<(), IoFailure> {
    let fit = writer.with_window(|window| to_u64(window.count_max()));
    let at_most = bounds.end.saturating_sub(fit);
    let found = find_from(storage, layout, |first, newest| bounds.reaches(at_most, first, newest))?;
    let mut moved = 0;
    for found in found {
        // A segment that retention has removed meanwhile has nothing left to remember.
        let Some(segment) = open_moved(storage, layout, &found, &mut moved)? else { continue };
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
            if record.seq() >= bounds.end {
                return Ok(());
            }
            remember(writer, &record);
        }
    }
    Ok(())
}

impl Bounds {
    /// Whether a segment that begins with `first` is old enough to begin with.
    fn reaches(&self, at_most: u64, first: &Head, newest: Timestamp) -> bool {
        let period = i128::try_from(self.limits.period.as_nanos()).unwrap_or(i128::MAX);
        let by_count = self.end.saturating_sub(self.limits.records);
        let is_older = first.timestamp < newest.saturating_add_ns(-period);
        first.seq <= at_most || (first.seq <= by_count && is_older)
    }
}

fn remember(writer: &Writer, record: &Record<'_>) {
    let Content::Event(fields) = record.content() else { return };
    let Some(event_id) = fields.event_id() else { return };
    let key = EventKey::new(fields.recorded_by().as_deref(), &event_id, fields.client_bytes());
    writer.with_window(|window| {
        window.recorded(&key, record.seq(), record.timestamp(), record.hash());
    });
}

/// A segment that was looked at, and closed again: there may be more of them than descriptors.
#[derive(Debug)]
struct Found {
    number: u64,
    id: FileId,
    first_seq: u64,
}

/// Finds the newest segments, oldest of them first, back to the one for which `reaches` says that it is old enough;
/// `reaches` gets a segment's first head and the newest segment's time.
fn find_from(
    storage: &dyn Storage,
    layout: &Layout,
    reaches: impl Fn(&Head, Timestamp) -> bool,
) -> Result<Vec<Found>, IoFailure> {
    let mut tries = 0;
    loop {
        let held = numbers(storage, layout)?;
        match try_find_from(storage, layout, &held, &reaches) {
            // A rotation renamed files between listing and opening.
            Err(failure) if failure.is_not_found() && tries < TRIES => tries += 1,
            found => return found,
        }
    }
}

/// Looks at the segments that were `held` when they were listed; "not found" where they moved since, or were being moved.
fn try_find_from(
    storage: &dyn Storage,
    layout: &Layout,
    held: &[u64],
    reaches: impl Fn(&Head, Timestamp) -> bool,
) -> Result<Vec<Found>, IoFailure> {
    let mut found: Vec<Found> = Vec::new();
    let mut newest = None;
    for number in held.iter().rev().copied() {
        let segment = Segment::open(storage, layout, number, Access::Read)?;
        let Some(first) = segment.first else { continue };
        // One seen twice was renamed meanwhile, and one that begins later came in front.
        if found.last().is_some_and(|seen| first.seq >= seen.first_seq) {
            return Err(moved(&segment.path));
        }
        let newest = *newest.get_or_insert(first.timestamp);
        found.push(Found { number, id: segment.id, first_seq: first.seq });
        if reaches(&first, newest) {
            break;
        }
    }
    // Listed amid the renames of a rotation, one was between two names.
    let gap = held.iter().zip(held.iter().skip(1)).any(|(older, newer)| *older != newer + 1);
    if gap || numbers(storage, layout)? != held {
        return Err(moved(layout.folder()));
    }
    found.reverse();
    Ok(found)
}

fn moved(path: &Path) -> IoFailure {
    IoFailure::new(Operation::Open, path, ErrorKind::NotFound.into())
}

/// Opens a segment where rotations have moved it: up by `moved` numbers since it was found, as the one before it, or by one
/// less, or by more by now. `None` where it is gone.
fn open_moved(
    storage: &dyn Storage,
    layout: &Layout,
    found: &Found,
    moved: &mut u64,
) -> Result<Option<Segment>, IoFailure> {
    let highest = numbers(storage, layout)?.first().copied().unwrap_or(0);
    // Amid a rotation an older one has moved and this one has not: the renames begin with the oldest.
    let from = found.number + moved.saturating_sub(1);
    for number in from..=highest.max(from) + TRIES {
        let segment = match Segment::open(storage, layout, number, Access::Read) {
            Err(failure) if failure.is_not_found() => continue,
            opened => opened?,
        };
        let first_seq = segment.first.as_ref().map(|head| head.seq);
        if segment.id == found.id && first_seq == Some(found.first_seq) {
            *moved = number - found.number;
            return Ok(Some(segment));
        }
    }
    Ok(None)
}

#[cfg(all(test, feature = "simulated-disk"))]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use super::{find_from, open_moved, try_find_from};
    use crate::layout::Layout;
    use crate::segment::numbers;
    use crate::storage::Storage;
    use crate::storage::simulated::SimulatedDisk;
    use crate::{AuditLog, Event, Options};

    #[test]
    fn a_segment_between_two_names_is_not_passed_over() {
        let disk = SimulatedDisk::new();
        disk.plant_folder(Path::new("/logs")).unwrap();
        let storage: Arc<dyn Storage> = Arc::new(disk.clone());
        let options = Options::default().with_entry_size_max(8 << 10).with_max_file_size(80 << 10);
        let log = AuditLog::create_on(Arc::clone(&storage), "/logs/audit", options).unwrap();
        let event = Event::new("a", "b", "c").metadata(serde_json::json!({"x": "y".repeat(7_000)}));
        for _ in 0..40 {
            log.append(event.clone()).unwrap();
        }
        let layout = Layout::of(Path::new("/logs/audit")).unwrap();
        let held = numbers(storage.as_ref(), &layout).unwrap();
        assert!(held.len() > 3, "{held:?}");
        let found = find_from(storage.as_ref(), &layout, |_, _| false).unwrap();
        assert_eq!(found.len(), held.len());
        // As a rotation shows the folder to who lists it before the last rename, and looks on after it.
        for hidden in 0..held.len() {
            let mut stale = held.clone();
            stale.remove(hidden);
            let found = try_find_from(storage.as_ref(), &layout, &stale, |_, _| false);
            assert!(found.is_err_and(|failure| failure.is_not_found()), "{stale:?}");
        }
        // As a rotation shows the folder to who opens the older ones after their renames, and the newest before its own.
        let newest = found.last().unwrap();
        let mut moved = 1;
        let opened = open_moved(storage.as_ref(), &layout, newest, &mut moved).unwrap();
        assert_eq!(opened.map(|segment| segment.number), Some(newest.number));
        assert_eq!(moved, 0);
    }
}
