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
use indelible_format::time::Timestamp;
use sha2::{Digest as _, Sha256};

use crate::options::Idempotency;
use crate::pending::Slot;
use crate::receipt::Receipt;

/// Bytes that an entry takes in the table and the queue beside it.
const ENTRY_SIZE: usize = 128;

/// 128 bits of a SHA-256: forging a collision would only deny one's own events.
type Digest = [u8; 16];

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

#[derive(Debug)]
enum Known {
    InFlight { content: Digest, slot: Arc<Slot> },
    Recorded { content: Digest, seq: u64, timestamp: Timestamp, hash: Hash },
}

/// The events that are remembered.
#[derive(Debug)]
pub(crate) struct Window {
    log_id: LogId,
    limits: Idempotency,
    count_max: usize,
    known: HashMap<Digest, Known>,
    /// Recorded events, oldest first, with the record that each stood for.
    order: VecDeque<(Digest, u64)>,
    forgotten_early: u64,
}

impl Window {
    pub(crate) fn new(log_id: LogId, limits: Idempotency) -> Self {
        // A hash table doubles when it is filled to seven eighths: the most buckets that fit, with a quarter of them
        // left for events in flight, which stand in the same table.
        let fit = (limits.memory_size_max / ENTRY_SIZE).max(8);
        let buckets =
            fit.checked_next_power_of_two().map_or(fit, |up| if up == fit { up } else { up / 2 });
        Self {
            log_id,
            limits,
            count_max: buckets - buckets / 8 - buckets / 4,
            known: HashMap::new(),
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
        self.known.clear();
        self.order.clear();
        self.forgotten_early = 0;
    }

    pub(crate) fn look(&self, key: &EventKey) -> Sighting {
        match self.known.get(&key.id) {
            None => Sighting::New,
            Some(Known::InFlight { content, slot }) if *content == key.content => {
                Sighting::InFlight(Arc::clone(slot))
            }
            Some(Known::InFlight { .. }) => Sighting::Conflict(None),
            Some(Known::Recorded { content, seq, timestamp, hash }) if *content == key.content => {
                Sighting::Recorded(Receipt {
                    log_id: self.log_id,
                    seq: *seq,
                    timestamp: *timestamp,
                    hash: *hash,
                    duplicate: true,
                })
            }
            Some(Known::Recorded { seq, .. }) => Sighting::Conflict(Some(*seq)),
        }
    }

    /// Remembers an event that was queued.
    pub(crate) fn queued(&mut self, key: &EventKey, slot: &Arc<Slot>) {
        let known = Known::InFlight { content: key.content, slot: Arc::clone(slot) };
        self.known.insert(key.id, known);
    }

    /// Forgets an event that was not written.
    pub(crate) fn failed(&mut self, key: &EventKey) {
        self.known.remove(&key.id);
    }

    /// Remembers an event that is durable, and forgets those whose time is over.
    pub(crate) fn recorded(&mut self, key: &EventKey, seq: u64, timestamp: Timestamp, hash: Hash) {
        self.order.push_back((key.id, seq));
        self.known.insert(key.id, Known::Recorded { content: key.content, seq, timestamp, hash });
        while let Some((oldest, old)) = self.order.front().copied() {
            // An id that was forgotten and used again belongs to its later record.
            let then = match self.known.get(&oldest) {
                Some(Known::Recorded { seq, timestamp, .. }) if *seq == old => Some(*timestamp),
                Some(Known::Recorded { .. } | Known::InFlight { .. }) | None => None,
            };
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
                self.known.remove(&oldest);
            }
        }
    }

    fn period_ns(&self) -> i128 {
        i128::try_from(self.limits.period.as_nanos()).unwrap_or(i128::MAX)
    }
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
        let mut window = window(1_000_000, 10, 16 * ENTRY_SIZE);
        for seq in 0..20 {
            window.recorded(&key(&seq.to_string()), seq, at(0), Hash::ZERO);
        }
        assert_eq!(window.count_max(), 10);
        assert_eq!(
            (window.order.len(), window.known.len(), window.forgotten_early()),
            (10, 10, 10)
        );
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
