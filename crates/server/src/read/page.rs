//! A bounded number of records that match: [`page`].
//!
//! The log is looked through in slices of a few hundredths of a second, however costly its lines are to look at, so that a
//! query ends, and gives its thread back, soon after its time is over or its client is gone.

use std::time::{Duration, Instant};

use indelible::{Matches, Order, Reader, StoredRecord};

use crate::error::{ApiError, Code};
use crate::read::cursor::Cursor;
use crate::read::filter::Filter;
use crate::read::stop::Stop;

/// Records of the first slice, and the most of one.
const SLICE_FIRST: u64 = 256;
const SLICE_MAX: u64 = 50_000;

/// What a slice should take: one that took less is followed by one twice as long, one that took more by a shorter one.
const SLICE_TIME: Duration = Duration::from_millis(20);

/// Between which records, and in which order.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Range {
    pub(crate) first: u64,
    /// Itself included.
    pub(crate) last: Option<u64>,
    pub(crate) order: Order,
    pub(crate) cursor: Option<Cursor>,
}

impl Range {
    /// The range that a request names; an empty cursor goes on from nowhere, so that a client can begin as it goes on.
    ///
    /// # Errors
    /// Where `last` is before `first`, or the cursor is none.
    pub(crate) fn of(
        first: u64,
        last: Option<u64>,
        order: Order,
        cursor: &str,
    ) -> Result<Self, ApiError> {
        if let Some(last) = last.filter(|last| *last < first) {
            let what = format_args!("{last} is before first_seq, which is {first}");
            return Err(ApiError::field("last_seq", what));
        }
        let cursor = match cursor {
            "" => None,
            text => Some(Cursor::parse(text, order)?),
        };
        Ok(Self { first, last, order, cursor })
    }
}

/// How much one page may hold, and how long it may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PageLimit {
    pub(crate) records: u64,
    /// Bytes of lines; a single record may go past it.
    pub(crate) size: usize,
    pub(crate) time: Duration,
}

/// Some of the records that match.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) records: Vec<StoredRecord>,
    /// Where to go on; `None` where everything was looked at.
    pub(crate) next: Option<Cursor>,
    /// Every record before this one was looked at (or after it, from the newest on).
    pub(crate) reached: u64,
}

/// Reads the next page; blocks.
///
/// # Errors
/// [`Code::DataLoss`], where a place can't be read: `resume` says where to go on behind it, as `first_seq`, or as `last_seq`
/// where the newest come first. It has none where nothing is left behind it, or where more than one place is at fault.
pub(crate) fn page(
    reader: &Reader,
    filter: &Filter,
    range: &Range,
    limit: &PageLimit,
    stop: &Stop,
) -> Result<Page, ApiError> {
    page_by_slices(reader, filter, range, limit, Slices::new(SLICE_FIRST, stop))
}

/// How long slices are.
struct Slices<'s> {
    count: u64,
    stop: &'s Stop,
}

impl<'s> Slices<'s> {
    fn new(count: u64, stop: &'s Stop) -> Self {
        Self { count, stop }
    }

    /// The slice took so long.
    fn took(&mut self, time: Duration) {
        self.count = if time <= SLICE_TIME {
            self.count.saturating_mul(2).min(SLICE_MAX)
        } else if time > SLICE_TIME * 2 {
            (self.count / 4).max(1)
        } else {
            self.count
        };
    }
}

fn page_by_slices(
    reader: &Reader,
    filter: &Filter,
    range: &Range,
    limit: &PageLimit,
    mut slices: Slices<'_>,
) -> Result<Page, ApiError> {
    let began = Instant::now();
    let newest_first = range.order == Order::NewestFirst;
    let (mut first, mut end) = bounds(reader, filter, range)?;
    let mut page = Page { records: Vec::new(), next: None, reached: first };
    let mut size = 0;
    while first < end {
        let slice_began = Instant::now();
        let slice = if newest_first {
            (end.saturating_sub(slices.count).max(first), end)
        } else {
            (first, first.saturating_add(slices.count).min(end))
        };
        let query =
            filter.query.clone().with_seq(slice.0, Some(slice.1 - 1)).with_order(range.order);
        let mut found = reader.query(&query)?;
        while let Some(record) = found.next() {
            let record = match record {
                Ok(record) => record,
                Err(error) => {
                    let (next, resume) =
                        behind(&error, &mut found, slice, (first, end), range.order);
                    let edge = if newest_first { slice.1 - 1 } else { slice.0 };
                    match next.filter(|record| record.seq == edge) {
                        // A query may come upon what lies just outside its bounds.
                        Some(record) => record,
                        None => return broken(page, &error, resume, range.order),
                    }
                }
            };
            size += record.line.len();
            page.reached = if newest_first { record.seq } else { record.seq + 1 };
            page.records.push(record);
            if u64::try_from(page.records.len()).is_ok_and(|n| n >= limit.records)
                || size >= limit.size
            {
                page.next = next(range.order, page.reached, first, end);
                return Ok(page);
            }
        }
        if newest_first {
            end = slice.0;
            page.reached = end;
        } else {
            first = slice.1;
            page.reached = first;
        }
        slices.took(slice_began.elapsed());
        if (began.elapsed() >= limit.time || slices.stop.is_set()) && first < end {
            page.next = next(range.order, page.reached, first, end);
            return Ok(page);
        }
    }
    page.reached = if newest_first { first } else { end.max(first) };
    Ok(page)
}

/// The first record and the one behind the last, with times and cursor taken in.
fn bounds(reader: &Reader, filter: &Filter, range: &Range) -> Result<(u64, u64), ApiError> {
    let mut end = reader.records()?;
    if let Some(last) = range.last {
        end = end.min(last.saturating_add(1));
    }
    let mut first = range.first.max(reader.first_seq()?);
    if let Some(since) = filter.since {
        first = first.max(reader.first_since(since)?.map_or(u64::MAX, |record| record.seq));
    }
    if let Some(until) = filter.until
        && let Some(record) = reader.first_since(until)?
    {
        end = end.min(record.seq);
    }
    match range.cursor {
        Some(Cursor { order: Order::NewestFirst, seq }) => end = end.min(seq.saturating_add(1)),
        Some(Cursor { seq, .. }) => first = first.max(seq),
        None => {}
    }
    Ok((first, end))
}

fn next(order: Order, reached: u64, first: u64, end: u64) -> Option<Cursor> {
    match order {
        Order::NewestFirst if reached > first => Some(Cursor { order, seq: reached - 1 }),
        Order::NewestFirst => None,
        Order::OldestFirst | _ if reached < end => Some(Cursor { order, seq: reached }),
        Order::OldestFirst | _ => None,
    }
}

/// The next match of the slice behind a place that can't be read, and where to go on: there, else behind the slice, of which
/// all has been looked at then. Unless that match is at the edge of the slice, it is always further on, so that whoever goes
/// on from there comes to an end.
fn behind(
    error: &indelible::ReadError,
    found: &mut Matches,
    slice: (u64, u64),
    left: (u64, u64),
    order: Order,
) -> (Option<StoredRecord>, Option<u64>) {
    if !error.is_local() {
        return (None, None);
    }
    for record in found {
        match record {
            Ok(record) => {
                let seq = record.seq;
                return (Some(record), Some(seq));
            }
            Err(error) if error.is_local() => {}
            Err(_) => return (None, None),
        }
    }
    let next = match order {
        Order::NewestFirst => slice.0.checked_sub(1).filter(|_| slice.0 > left.0),
        Order::OldestFirst | _ => Some(slice.1).filter(|next| *next < left.1),
    };
    (None, next)
}

/// What was found before a place that can't be read is handed out first; the next page says what is wrong.
fn broken(
    mut page: Page,
    error: &indelible::ReadError,
    resume: Option<u64>,
    order: Order,
) -> Result<Page, ApiError> {
    if page.records.is_empty() {
        let mut told = ApiError::new(
            Code::DataLoss,
            format!("{error}; the log is damaged there: its operator should verify it"),
        );
        told.resume = resume;
        return Err(told);
    }
    let seq = match order {
        Order::NewestFirst => page.reached.checked_sub(1),
        Order::OldestFirst | _ => Some(page.reached),
    };
    page.next = seq.map(|seq| Cursor { order, seq });
    Ok(page)
}

#[cfg(test)]
mod tests {
    use indelible::{AuditLog, Event, Options};

    use super::*;
    use crate::read::filter::FilterText;
    use crate::read::stop::SetOnDrop;

    const PLENTY: Duration = Duration::from_mins(10);

    fn log_of(events: u64) -> (tempfile::TempDir, AuditLog) {
        let place = tempfile::tempdir().unwrap();
        let log = AuditLog::create(place.path().join("audit"), Options::default()).unwrap();
        let events: Vec<_> = (1..=events)
            .map(|n| Event::new(format!("agent:{}", n % 3), format!("act:{n}"), "file:x"))
            .collect();
        for pending in log.submit_all(&events).unwrap() {
            pending.wait().unwrap();
        }
        (place, log)
    }

    fn all_pages(reader: &Reader, actor: &str, order: Order, records: u64, slice: u64) -> Vec<u64> {
        let text = FilterText { actor: actor.to_owned(), ..FilterText::default() };
        let filter = text.check().unwrap();
        let mut range = Range { first: 0, last: None, order, cursor: None };
        let limit = PageLimit { records, size: usize::MAX, time: PLENTY };
        let mut seqs = Vec::new();
        loop {
            let page = page_by_slices(
                reader,
                &filter,
                &range,
                &limit,
                Slices::new(slice, &Stop::default()),
            )
            .unwrap();
            assert!(u64::try_from(page.records.len()).unwrap() <= records);
            seqs.extend(page.records.iter().map(|record| record.seq));
            match page.next {
                Some(next) => range.cursor = Some(next),
                None => return seqs,
            }
        }
    }

    #[test]
    fn pages_of_any_size_over_slices_of_any_size_give_what_one_query_gives() {
        let (_place, log) = log_of(100);
        let reader = log.reader();
        for actor in ["", "agent:1", "nobody"] {
            for order in [Order::OldestFirst, Order::NewestFirst] {
                let whole = all_pages(&reader, actor, order, u64::MAX, u64::MAX);
                for (records, slice) in [(1, 1), (1, 7), (3, 7), (7, 3), (50, 16), (101, 101)] {
                    let paged = all_pages(&reader, actor, order, records, slice);
                    assert_eq!(paged, whole, "{actor} {order:?} {records} {slice}");
                }
            }
        }
        let oldest_first = all_pages(&reader, "agent:1", Order::OldestFirst, 9, 9);
        let naive: Vec<u64> = (1..=100).filter(|n| n % 3 == 1).collect();
        assert_eq!(oldest_first, naive);
    }

    /// What is read, going on behind each place that can't be; and how many of these there were.
    fn read_behind_faults(
        reader: &Reader,
        actor: &str,
        order: Order,
        slice: u64,
    ) -> (Vec<u64>, u64) {
        let text = FilterText { actor: actor.to_owned(), ..FilterText::default() };
        let filter = text.check().unwrap();
        let mut range = Range { first: 0, last: None, order, cursor: None };
        let limit = PageLimit { records: 3, size: usize::MAX, time: PLENTY };
        let (mut seqs, mut faults) = (Vec::new(), 0);
        loop {
            match page_by_slices(
                reader,
                &filter,
                &range,
                &limit,
                Slices::new(slice, &Stop::default()),
            ) {
                Ok(page) => {
                    seqs.extend(page.records.iter().map(|record| record.seq));
                    let Some(next) = page.next else { return (seqs, faults) };
                    range.cursor = Some(next);
                }
                Err(error) => {
                    assert_eq!(error.code, Code::DataLoss);
                    assert!(faults < 50, "{error:?}");
                    faults += 1;
                    let Some(seq) = error.resume else { return (seqs, faults) };
                    range.cursor = None;
                    match order {
                        Order::NewestFirst => range.last = Some(seq),
                        Order::OldestFirst | _ => range.first = seq,
                    }
                }
            }
        }
    }

    #[test]
    fn behind_a_damaged_line_it_says_where_to_go_on_in_slices_of_any_size() {
        let (place, log) = log_of(40);
        log.close().unwrap();
        let path = place.path().join("audit/audit.log");
        let text = std::fs::read_to_string(&path).unwrap();
        let lines = text.lines().enumerate().map(|(seq, line)| match seq {
            9 | 22 | 40 => "x".repeat(line.len()) + "\n",
            _ => format!("{line}\n"),
        });
        #[expect(clippy::disallowed_methods, reason = "this is who damages it")]
        std::fs::write(&path, lines.collect::<String>()).unwrap();
        let reader = Reader::open(place.path().join("audit")).unwrap();
        let mut readable: Vec<u64> = (0..40).filter(|seq| ![9, 22].contains(seq)).collect();
        for slice in [1, 2, 3, 7, 10, 100] {
            let (seqs, faults) = read_behind_faults(&reader, "", Order::OldestFirst, slice);
            assert_eq!((&seqs, faults), (&readable, 3), "{slice}");
            let (seqs, _) = read_behind_faults(&reader, "agent:1", Order::OldestFirst, slice);
            assert_eq!(
                seqs,
                readable.iter().copied().filter(|seq| seq % 3 == 1).collect::<Vec<_>>()
            );
        }
        readable.reverse();
        for slice in [1, 2, 3, 7, 10, 100] {
            let (seqs, faults) = read_behind_faults(&reader, "", Order::NewestFirst, slice);
            assert_eq!((&seqs, faults), (&readable, 3), "{slice}");
        }
    }

    #[test]
    fn a_page_ends_when_its_time_is_over_and_says_where_to_go_on() {
        let (_place, log) = log_of(40);
        let filter = FilterText { actor: "nobody".to_owned(), ..FilterText::default() };
        let range = Range { first: 0, last: None, order: Order::OldestFirst, cursor: None };
        let limit = PageLimit { records: 10, size: 1 << 20, time: Duration::ZERO };
        let filter = filter.check().unwrap();
        let page = page_by_slices(
            &log.reader(),
            &filter,
            &range,
            &limit,
            Slices::new(8, &Stop::default()),
        )
        .unwrap();
        assert_eq!(page.next.unwrap().to_string(), "o8");
        assert!(page.records.is_empty());
    }

    #[test]
    fn a_page_ends_where_nobody_waits_for_it_any_more() {
        let (_place, log) = log_of(2000);
        let filter = FilterText { actor: "nobody".to_owned(), ..FilterText::default() };
        let range = Range { first: 0, last: None, order: Order::OldestFirst, cursor: None };
        let limit = PageLimit { records: 10, size: 1 << 20, time: PLENTY };
        let waiting = SetOnDrop::default();
        let stop = waiting.stop();
        drop(waiting);
        let page = page(&log.reader(), &filter.check().unwrap(), &range, &limit, &stop).unwrap();
        assert_eq!(page.next.unwrap().to_string(), format!("o{SLICE_FIRST}"));
    }

    #[test]
    fn slices_get_shorter_where_lines_are_costly_and_longer_where_they_are_not() {
        let stop = Stop::default();
        let mut slices = Slices::new(SLICE_FIRST, &stop);
        for _ in 0..20 {
            slices.took(Duration::from_millis(1));
        }
        assert_eq!(slices.count, SLICE_MAX);
        for _ in 0..20 {
            slices.took(Duration::from_secs(1));
        }
        assert_eq!(slices.count, 1);
    }

    #[test]
    fn bounds_of_seq_and_time_hold_together() {
        let (_place, log) = log_of(20);
        let reader = log.reader();
        let time_of = |seq| {
            let line = reader.record(seq).unwrap().unwrap().line;
            let text = String::from_utf8(line).unwrap();
            text.split('"').nth(5).unwrap().to_owned()
        };
        let filter =
            FilterText { since: time_of(5), until: time_of(5), ..FilterText::default() }.check();
        let range = Range { first: 0, last: Some(9), order: Order::OldestFirst, cursor: None };
        let limit = PageLimit { records: 99, size: 1 << 20, time: PLENTY };
        let none = page(&reader, &filter.unwrap(), &range, &limit, &Stop::default()).unwrap();
        assert!(none.records.is_empty());
        let filter = FilterText { since: time_of(5), ..FilterText::default() }.check().unwrap();
        let some = page(&reader, &filter, &range, &limit, &Stop::default()).unwrap();
        assert_eq!(some.records.last().unwrap().seq, 9);
        assert!(some.records.first().unwrap().seq <= 5);
    }
}
