//! Remembers which `event_id` became which record, so that a retry gets the first receipt and not a second record.
//!
//! Invariants (`docs/spec/append.md`):
//! - the scope of an `event_id` is one `recorded_by`, or none;
//! - an entry is held for a period and for a count of records, whichever is more, within a cap of memory;
//! - it holds digests, never an event's content.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use indelible_format::chain::Hash;
use indelible_format::identity::LogId;
use indelible_format::seeded::{self, Bug};
use indelible_format::time::Timestamp;
use sha2::{Digest as _, Sha256};

use crate::options::Idempotency;
use crate::pending::Slot;
use crate::receipt::Receipt;

/// Bytes of a bucket of the table (an entry and a byte that says whether it is one) and of its share of the queue beside
/// it, which has half as many places.
const BUCKET_SIZE: usize = size_of::<(Digest, Recorded)>() + 1 + size_of::<(Digest, u64)>() / 2;

/// 128 bits of a SHA-256: forging a collision would only deny one's own events.
pub(crate) type Digest = [u8; 16];

/// An `event_id` within its scope, and the content it stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct EventKey {
    id: Digest,
    content: Digest,
}

impl EventKey {
    /// The key of an event: `client_fields` are its fields as they are stored.
    pub(crate) fn new(recorded_by: Option<&str>, event_id: &str, client_fields: &[u8]) -> Self {
        let mut hasher = Sha256::new();
        if let Some(principal) = recorded_by {
            hasher.update(principal.as_bytes());
        }
        // No string holds this byte, so scope and id can't run into each other.
        hasher.update(if recorded_by.is_some() { [0xff] } else { [0xfe] });
        hasher.update(event_id.as_bytes());
        Self { id: short(hasher), content: short(Sha256::new_with_prefix(client_fields)) }
    }

    /// What stands for the `event_id` and its scope.
    pub(crate) fn id(&self) -> Digest {
        self.id
    }
}

fn short(hasher: Sha256) -> Digest {
    let digest: [u8; 32] = hasher.finalize().into();
    let (first, _) = digest.as_chunks::<16>();
    first.first().copied().unwrap_or_default()
}

/// What is known of an event that comes in.
#[derive(Debug)]
pub(crate) enum Sighting {
    /// Never seen, or forgotten.
    New,
    /// The same event is being written.
    InFlight(Arc<Slot>),
    /// The same event is recorded.
    Recorded(Receipt),
    /// The `event_id` stands for other content, in that record if it is written yet.
    Conflict(Option<u64>),
}

/// An event on its way to the disk.
#[derive(Debug)]
struct InFlight {
    content: Digest,
    slot: Arc<Slot>,
}

/// An event that is recorded.
#[derive(Clone, Copy, Debug)]
struct Recorded {
    content: Digest,
    seq: u64,
    timestamp: Timestamp,
    hash: Hash,
}

/// The events that are remembered.
#[derive(Debug)]
pub(crate) struct Window {
    log_id: LogId,
    limits: Idempotency,
    count_max: usize,
    /// As many as the queue holds.
    in_flight: HashMap<Digest, InFlight>,
    recorded: HashMap<Digest, Recorded>,
    /// Recorded events, oldest first, with the record that each stood for.
    order: VecDeque<(Digest, u64)>,
    forgotten_early: u64,
}

impl Window {
    pub(crate) fn new(log_id: LogId, limits: Idempotency) -> Self {
        Self {
            log_id,
            limits,
            // The next one comes before the oldest goes.
            count_max: buckets(limits.memory_size_max) / 16 * 7 - 1,
            in_flight: HashMap::new(),
            recorded: HashMap::new(),
            order: VecDeque::new(),
            forgotten_early: 0,
        }
    }

    /// How many events can be remembered at the most.
    pub(crate) fn count_max(&self) -> usize {
        self.count_max
    }

    /// How many were forgotten before their time, because the memory cap was reached.
    pub(crate) fn forgotten_early(&self) -> u64 {
        self.forgotten_early
    }

    /// Forgets everything, to be filled anew; nothing may be in flight.
    pub(crate) fn clear(&mut self) {
        self.recorded.clear();
        self.order.clear();
        self.forgotten_early = 0;
    }

    pub(crate) fn look(&self, key: &EventKey) -> Sighting {
        if let Some(InFlight { content, slot }) = self.in_flight.get(&key.id)
            && !seeded::is(Bug::InFlightForgotten)
        {
            return if *content == key.content {
                Sighting::InFlight(Arc::clone(slot))
            } else {
                Sighting::Conflict(None)
            };
        }
        match self.recorded.get(&key.id) {
            None => Sighting::New,
            Some(Recorded { content, seq, timestamp, hash }) if *content == key.content => {
                Sighting::Recorded(Receipt {
                    log_id: self.log_id,
                    seq: *seq,
                    timestamp: *timestamp,
                    hash: *hash,
                    duplicate: true,
                })
            }
            Some(Recorded { seq, .. }) => Sighting::Conflict(Some(*seq)),
        }
    }

    /// Remembers an event that was queued.
    pub(crate) fn queued(&mut self, key: &EventKey, slot: &Arc<Slot>) {
        let known = InFlight { content: key.content, slot: Arc::clone(slot) };
        self.in_flight.insert(key.id, known);
    }

    /// Forgets an event that was not written.
    pub(crate) fn failed(&mut self, key: &EventKey) {
        self.in_flight.remove(&key.id);
    }

    /// Remembers an event that is durable, and forgets those whose time is over.
    pub(crate) fn recorded(&mut self, key: &EventKey, seq: u64, timestamp: Timestamp, hash: Hash) {
        self.in_flight.remove(&key.id);
        self.order.push_back((key.id, seq));
        self.recorded.insert(key.id, Recorded { content: key.content, seq, timestamp, hash });
        while let Some((oldest, old)) = self.order.front().copied() {
            // An id that was forgotten and used again belongs to its later record.
            let then = self.recorded.get(&oldest).filter(|known| known.seq == old);
            let then = then.map(|known| known.timestamp);
            let over = then.is_none_or(|then| {
                seq.saturating_sub(old) >= self.limits.records
                    && timestamp.unix_ns() - then.unix_ns() >= self.period_ns()
            });
            if !over && self.order.len() <= self.count_max {
                break;
            }
            self.forgotten_early += u64::from(!over);
            self.order.pop_front();
            if then.is_some() {
                self.recorded.remove(&oldest);
            }
        }
    }

    fn period_ns(&self) -> i128 {
        i128::try_from(self.limits.period.as_nanos()).unwrap_or(i128::MAX)
    }
}

/// Buckets of the largest table that fits into `memory_size_max` bytes. A hash table has a power of two of them, and once
/// events come and go it is cleaned in place, instead of doubled, only as long as it is filled to less than seven
/// sixteenths.
fn buckets(memory_size_max: usize) -> usize {
    let fit = (memory_size_max / BUCKET_SIZE).max(16);
    1 << fit.ilog2()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn window(records: u64, period: u64, memory_size_max: usize) -> Window {
        let period = Duration::from_secs(period);
        Window::new(LogId::from_bytes([0; 16]), Idempotency { period, records, memory_size_max })
    }

    fn at(second: i128) -> Timestamp {
        Timestamp::from_unix_ns(second * 1_000_000_000).unwrap()
    }

    fn key(id: &str) -> EventKey {
        EventKey::new(None, id, b"content")
    }

    #[test]
    fn the_same_id_and_content_is_the_same_record_and_other_content_a_conflict() {
        let mut window = window(10, 10, 1 << 20);
        window.recorded(&key("a"), 7, at(1), Hash::ZERO);
        assert!(
            matches!(window.look(&key("a")), Sighting::Recorded(r) if r.seq == 7 && r.duplicate)
        );
        assert!(matches!(
            window.look(&EventKey::new(None, "a", b"other")),
            Sighting::Conflict(Some(7))
        ));
        assert!(matches!(window.look(&EventKey::new(Some("p"), "a", b"content")), Sighting::New));
        assert!(matches!(window.look(&key("b")), Sighting::New));
    }

    #[test]
    fn an_event_is_forgotten_only_when_both_period_and_count_are_over() {
        let mut window = window(3, 10, 1 << 20);
        window.recorded(&key("a"), 0, at(0), Hash::ZERO);
        window.recorded(&key("b"), 5, at(1), Hash::ZERO);
        assert!(matches!(window.look(&key("a")), Sighting::Recorded(_)), "the period still runs");
        window.recorded(&key("c"), 6, at(10), Hash::ZERO);
        assert!(matches!(window.look(&key("a")), Sighting::New));
        assert!(matches!(window.look(&key("b")), Sighting::Recorded(_)));
        assert_eq!(window.forgotten_early(), 0);
    }

    #[test]
    fn the_memory_cap_forgets_the_oldest_and_counts_it() {
        let mut window = window(1_000_000, 10, 16 * BUCKET_SIZE);
        for seq in 0..20 {
            window.recorded(&key(&seq.to_string()), seq, at(0), Hash::ZERO);
        }
        assert_eq!(window.count_max(), 6);
        assert_eq!(
            (window.order.len(), window.recorded.len(), window.forgotten_early()),
            (6, 6, 14)
        );
    }

    #[test]
    fn the_tables_stay_within_the_cap_however_many_events_come_and_go() {
        let cap = 1 << 20;
        let mut window = window(1_000_000_000, 10, cap);
        for seq in 0..200_000 {
            window.recorded(&key(&seq.to_string()), seq, at(0), Hash::ZERO);
            // What a table of this capacity has as buckets.
            let buckets = (window.recorded.capacity() * 8 / 7).next_power_of_two();
            let table = buckets * (size_of::<(Digest, Recorded)>() + 1);
            let queue = window.order.capacity() * size_of::<(Digest, u64)>();
            assert!(table + queue <= cap, "{table} + {queue} bytes at {seq}");
        }
    }

    #[test]
    fn the_default_cap_holds_the_records_that_are_promised() {
        let limits = Idempotency::default();
        let window = Window::new(LogId::from_bytes([0; 16]), limits);
        let promised = usize::try_from(limits.records).unwrap();
        assert!(window.count_max() >= promised, "{}", window.count_max());
    }

    #[test]
    fn an_event_that_was_not_written_may_come_again() {
        let mut window = window(10, 10, 1 << 20);
        let slot = Arc::new(Slot::default());
        window.queued(&key("a"), &slot);
        assert!(matches!(window.look(&key("a")), Sighting::InFlight(_)));
        window.failed(&key("a"));
        assert!(matches!(window.look(&key("a")), Sighting::New));
    }
}
