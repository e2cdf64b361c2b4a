//! What there is to verify: the segments in their order, and whose log they say that they are.
//!
//! Invariants:
//! - a [`Plan`] was the whole folder at one moment: where segments moved under the look, it looks again;
//! - one descriptor at a time, however many segments there are.

use indelible_format::chain::LINK_SUFFIX_SIZE;
use indelible_format::identity::{LogId, Origin};
use indelible_format::note::VerifierKey;
use indelible_format::own::{Create, OwnRecord, Prune};
use indelible_format::record::{Content, Record};

use crate::io::{IoFailure, Operation};
use crate::layout::{Layout, segment_name};
use crate::lines::Line;
use crate::segment::{Segment, numbers, to_u64};
use crate::storage::{Access, FileId, Storage};

/// Lines of a segment among which its first intact record is sought.
const LINES_MAX: u32 = 8;
/// What every record begins with.
const HEAD: &[u8] = b"{\"seq\":";
/// What every link begins with.
const BEFORE_LINK: &[u8] = b",\"_prev_hash\":\"";

/// One segment, not open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Planned {
    pub(super) number: u64,
    id: FileId,
    /// Bytes when it was planned: what comes later is not looked at.
    pub(super) size: u64,
    /// Seq of its first record, where that can be told.
    pub(super) first_seq: Option<u64>,
    /// Seq as its first line has it, changed or not.
    head_seq: Option<u64>,
}

impl Planned {
    pub(super) fn name(&self) -> String {
        segment_name(self.number)
    }
}

/// What the log says of itself: its genesis, or a prune record that repeats it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) log_id: LogId,
    pub(super) origin: Origin,
    pub(super) keys: Vec<VerifierKey>,
    /// Seq of the record that says so.
    pub(super) seq: u64,
}

/// The folder at one moment.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// Not empty, from the oldest to the newest.
    pub(super) segments: Vec<Planned>,
    /// Names of segments without a byte; the active one may be so, others not.
    pub(super) empty: Vec<String>,
    /// Names of segments at which something else than a file stands.
    pub(super) strange: Vec<String>,
    pub(super) identity: Option<Identity>,
}

impl Plan {
    /// Looks at every segment's first line. `None` where segments moved meanwhile.
    pub(super) fn of(storage: &dyn Storage, layout: &Layout) -> Result<Option<Self>, IoFailure> {
        let mut seen = Vec::new();
        let mut plan = Self::default();
        let mut keyed: Vec<(u64, Planned)> = Vec::new();
        let mut place = 0;
        let mut identified_by = u64::MAX;
        for number in numbers(storage, layout)? {
            let segment = match Segment::open(storage, layout, number, Access::Read) {
                Err(failure) if failure.is_not_found() => return Ok(None),
                Err(failure) if failure.is_no_file() => {
                    let path = layout.segment(number);
                    let stat =
                        storage.stat(&path).map_err(IoFailure::of(Operation::Stat, &path))?;
                    seen.push((number, stat.id));
                    plan.strange.push(segment_name(number));
                    continue;
                }
                // A first line that can't be read is for the walk to report.
                Err(failure) if failure.operation == Operation::Read => {
                    unread(storage, layout, number)?
                }
                opened => opened?,
            };
            seen.push((number, segment.id));
            if segment.size == 0 {
                plan.empty.push(segment.name());
                continue;
            }
            let first_seq = first_seq(&segment);
            place = first_seq.unwrap_or(place);
            if let Some(line) = segment.first_line.as_deref().filter(|_| place < identified_by)
                && let Some(identity) = identity(line)
            {
                plan.identity = Some(identity);
                identified_by = place;
            }
            let head_seq = segment.first.as_ref().map(|head| head.seq);
            let Segment { id, size, .. } = segment;
            keyed.push((place, Planned { number, id, size, first_seq, head_seq }));
        }
        if !unmoved(storage, layout, &seen)? {
            return Ok(None);
        }
        // Stable: where a head can't be read, the number gives the place.
        keyed.sort_by_key(|(place, _)| *place);
        plan.segments = keyed.into_iter().map(|(_, planned)| planned).collect();
        Ok(Some(plan))
    }

    /// Opens a planned segment, wherever rotation has moved it; `None` where it is gone.
    pub(super) fn open(
        storage: &dyn Storage,
        layout: &Layout,
        planned: &Planned,
    ) -> Result<Option<Segment>, IoFailure> {
        // Rotation only moves a segment to a higher number.
        for number in numbers(storage, layout)?.into_iter().rev() {
            if number < planned.number {
                continue;
            }
            let path = layout.segment(number);
            match storage.stat(&path) {
                Ok(stat) if stat.id == planned.id => {}
                Ok(_) => continue,
                Err(e) if e.kind() == std::io::ErrorKind::NotFound => continue,
                Err(e) => return Err(IoFailure::new(Operation::Stat, &path, e)),
            }
            let segment = match Segment::open(storage, layout, number, Access::Read) {
                Ok(segment) => segment,
                Err(failure) if failure.is_not_found() => continue,
                Err(failure) if failure.operation == Operation::Read => {
                    unread(storage, layout, number)?
                }
                Err(failure) => return Err(failure),
            };
            // A number of a removed file may have been given to a new one.
            let same_head = segment.first.as_ref().map(|head| head.seq) == planned.head_seq;
            if segment.id == planned.id && same_head {
                return Ok(Some(segment));
            }
        }
        Ok(None)
    }
}

/// Seq of the first record: as it says itself, where it is intact, for its seq may be what was changed; else by the
/// first record that is.
fn first_seq(segment: &Segment) -> Option<u64> {
    let mut lines = segment.lines(0);
    let mut stood = Stood::default();
    for passed_over in 0..LINES_MAX {
        let Ok(Some(Line::Whole { bytes, .. })) = lines.next_line() else { break };
        // A redacted record is known by its form alone.
        if let Ok(record) = Record::parse_newer(bytes) {
            let before = if passed_over == 0 { 0 } else { stood.records.max(1) };
            return record.seq().checked_sub(before);
        }
        if memchr::memchr(0, bytes).is_some() {
            // Sectors may be lost here, and nobody knows how many records.
            break;
        }
        stood.line(bytes);
    }
    segment.first.as_ref().map(|head| head.seq)
}

/// How many records stood in lines that are none. A line feed may be what was changed: then one line is two records, or two
/// lines are one.
///
/// Heads and links count where they stand at an edge of a record: a client may write the like of them anywhere else.
#[derive(Debug, Default)]
struct Stood {
    records: u64,
    /// Whether the last of them began, and has not ended yet.
    open: bool,
}

impl Stood {
    fn line(&mut self, bytes: &[u8]) {
        let joined = joined(bytes);
        let begins = bytes.starts_with(HEAD);
        let ends = bytes
            .split_last_chunk::<LINK_SUFFIX_SIZE>()
            .is_some_and(|(_, link)| link.starts_with(BEFORE_LINK));
        let (goes_on, has_edge) = (self.open && !begins, begins || ends || joined > 0);
        self.records += joined + u64::from(has_edge && !goes_on);
        self.open = (begins || joined > 0 || self.open) && !ends;
    }
}

/// How many records follow another one in the same line: a link, perhaps one byte that was the line feed, and a head.
fn joined(bytes: &[u8]) -> u64 {
    let follows = |at: usize| {
        let behind = bytes.get(at + LINK_SUFFIX_SIZE..).unwrap_or_default();
        let parted = behind.split_first().is_some_and(|(between, rest)| {
            // Parted by a comma, they may stand in one record: a client may write so.
            *between != b',' && rest.starts_with(HEAD)
        });
        behind.starts_with(HEAD) || parted
    };
    to_u64(memchr::memmem::find_iter(bytes, BEFORE_LINK).filter(|at| follows(*at)).count())
}

/// A segment whose first line can't be read from the medium.
fn unread(storage: &dyn Storage, layout: &Layout, number: u64) -> Result<Segment, IoFailure> {
    let path = layout.segment(number);
    let file = storage.open(&path, Access::Read).map_err(IoFailure::of(Operation::Open, &path))?;
    let stat = file.stat().map_err(IoFailure::of(Operation::Stat, &path))?;
    Ok(Segment { number, path, file, id: stat.id, size: stat.size, first_line: None, first: None })
}

/// Whether every name still means the file that was opened under it, and no name has come or gone.
fn unmoved(
    storage: &dyn Storage,
    layout: &Layout,
    seen: &[(u64, FileId)],
) -> Result<bool, IoFailure> {
    if numbers(storage, layout)? != seen.iter().map(|(number, _)| *number).collect::<Vec<_>>() {
        return Ok(false);
    }
    for (number, id) in seen {
        let path = layout.segment(*number);
        match storage.stat(&path) {
            Ok(stat) if stat.id == *id => {}
            Ok(_) => return Ok(false),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(false),
            Err(e) => return Err(IoFailure::new(Operation::Stat, &path, e)),
        }
    }
    Ok(true)
}

fn identity(line: &[u8]) -> Option<Identity> {
    let record = Record::parse(line).ok()?;
    let Content::Own(own) = record.content() else { return None };
    let seq = record.seq();
    if let OwnRecord::Create(create) = own {
        let Create { log_id, origin, key, .. } = create.clone();
        Some(Identity { log_id, origin, keys: vec![key], seq })
    } else if let OwnRecord::Prune(prune) = own {
        let Prune { log_id, origin, keys, .. } = prune.what.clone();
        Some(Identity { log_id, origin, keys, seq })
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stood(lines: &[&[u8]]) -> u64 {
        let mut stood = Stood::default();
        for line in lines {
            stood.line(line);
        }
        stood.records
    }

    /// Head and link of a record whose text a client made look like more.
    fn edges() -> (Vec<u8>, Vec<u8>) {
        let link = [BEFORE_LINK, &[b'0'; LINK_SUFFIX_SIZE - 15]].concat();
        (b"{\"seq\":7,\"_prev_hash\":\"x\"".to_vec(), link)
    }

    #[test]
    fn records_are_counted_by_the_edges_that_are_left_of_them() {
        let (head, link) = edges();
        let whole = [&head[..], &link].concat();
        let (no_link, no_head) = ([&head[..], &link[1..]].concat(), whole[1..].to_vec());
        assert_eq!(stood(&[&whole]), 1);
        assert_eq!(stood(&[&no_link]), 1);
        assert_eq!(stood(&[&no_head]), 1);
        assert_eq!(stood(&[&no_link, &whole]), 2);
        assert_eq!(stood(&[&no_link, &no_link]), 2);
        assert_eq!(stood(&[&no_head, &no_head]), 2);
        assert_eq!(stood(&[&whole, &no_head]), 2);
        // Split by a line feed, and by two.
        assert_eq!(stood(&[&head, &link]), 1);
        assert_eq!(stood(&[&whole[..9], &whole[9..12], &whole[12..]]), 1);
        // Joined by what was a line feed, and without it.
        assert_eq!(stood(&[&[&whole[..], b"x", &whole].concat()]), 2);
        assert_eq!(stood(&[&[&whole[..], &whole].concat(), &whole]), 3);
        assert_eq!(stood(&[b"neither"]), 0);
        assert_eq!(stood(&[b"neither", &no_head]), 1);
    }

    /// Which edge of a record is gone.
    #[derive(Clone, Copy, PartialEq)]
    enum Edge {
        Kept,
        NoHead,
        NoLink,
    }

    /// Every way in which three records may have lost an edge each, been split, and been joined, as long as it shows
    /// where they end: neither where two are joined at an edge that is gone, nor between one without its link and one
    /// without its head.
    #[test]
    fn records_are_counted_however_they_were_split_and_joined() {
        let (head, link) = edges();
        let edge = [Edge::Kept, Edge::NoHead, Edge::NoLink];
        let ways: Vec<_> = edge.into_iter().flat_map(|e| [(e, false), (e, true)]).collect();
        let between: [&[u8]; 3] = [b"\n", b"x", b""];
        let mut counted = 0;
        for number in 0..ways.len().pow(3) * between.len().pow(2) {
            let (number, joints) = (number / 9, number % 9);
            let of = [number / 36, number / 6 % 6, number % 6].map(|way| ways[way]);
            let between = [between[joints / 3], between[joints % 3]];
            let shows = |index: usize| {
                let (before, after) = (of[index].0, of[index + 1].0);
                let edges = u8::from(before == Edge::NoLink) + u8::from(after == Edge::NoHead);
                if between[index] == b"\n" { edges < 2 } else { edges == 0 }
            };
            if !shows(0) || !shows(1) {
                continue;
            }
            let mut bytes = Vec::new();
            for (index, (edge, split)) in of.into_iter().enumerate() {
                bytes.extend_from_slice(if edge == Edge::NoHead { &head[1..] } else { &head });
                bytes.extend_from_slice(if split { b"\n" } else { b"" });
                bytes.extend_from_slice(if edge == Edge::NoLink { &link[1..] } else { &link });
                bytes.extend_from_slice(between.get(index).unwrap_or(&&b"\n"[..]));
            }
            let lines: Vec<_> = bytes.split(|byte| *byte == b'\n').collect();
            assert_eq!(stood(&lines), 3, "{}", bytes.escape_ascii());
            counted += 1;
        }
        assert!(counted > 500, "{counted}");
    }
}

#[cfg(feature = "simulated-disk")]
#[cfg(test)]
mod moving {
    use std::path::Path;

    use indelible_format::chain::{Hash, seal};
    use indelible_format::record::write_head;
    use indelible_format::time::Timestamp;

    use super::*;
    use crate::storage::simulated::SimulatedDisk;

    fn record(seq: u64) -> Vec<u8> {
        let mut line = Vec::new();
        write_head(&mut line, seq, Timestamp::MIN);
        line.extend_from_slice(b"\"actor\":\"a\",\"action\":\"b\",\"resource\":\"c\"");
        seal(&mut line, 0, &Hash::ZERO);
        line.push(b'\n');
        line
    }

    /// Two segments of a record each, and the plan of them.
    fn planned() -> (SimulatedDisk, Layout, Plan) {
        let (disk, layout) = (SimulatedDisk::new(), Layout::of(Path::new("/logs/audit")).unwrap());
        disk.write_file(layout.segment(1), record(0)).unwrap();
        disk.write_file(layout.segment(0), record(1)).unwrap();
        let plan = Plan::of(&disk, &layout).unwrap().unwrap();
        assert_eq!(plan.segments.len(), 2);
        (disk, layout, plan)
    }

    #[test]
    fn a_planned_segment_is_found_where_rotation_moved_it_whatever_stands_at_its_name() {
        let (disk, layout, plan) = planned();
        disk.rename(&layout.segment(1), &layout.segment(3)).unwrap();
        disk.rename(&layout.segment(0), &layout.segment(2)).unwrap();
        disk.plant_link(layout.segment(1), "elsewhere").unwrap();
        disk.write_file(layout.segment(0), record(2)).unwrap();
        let numbers: Vec<_> = plan
            .segments
            .iter()
            .map(|planned| Plan::open(&disk, &layout, planned).unwrap().unwrap().number)
            .collect();
        assert_eq!(numbers, [3, 2]);
    }

    #[test]
    fn a_planned_segment_with_another_first_record_or_under_another_number_is_gone() {
        let (disk, layout, plan) = planned();
        // The number of a file that was removed is given to a new one.
        disk.write_file(layout.segment(1), record(7)).unwrap();
        assert!(Plan::open(&disk, &layout, &plan.segments[0]).unwrap().is_none());
        disk.remove_file(layout.segment(1)).unwrap();
        assert!(Plan::open(&disk, &layout, &plan.segments[0]).unwrap().is_none());
        // The same record in another file.
        disk.write_file(layout.segment(1), record(0)).unwrap();
        assert!(Plan::open(&disk, &layout, &plan.segments[0]).unwrap().is_none());
    }
}
