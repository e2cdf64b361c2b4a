//! Whom the service refused, for the log: [`Refusals`] counts, and gives a record of it at most once a minute for each.
//!
//! Invariants:
//! - nothing of a caller's text is kept: who it is known to be, a reason of a closed list, a count, two times;
//! - memory and records are bounded under a flood from many addresses: beyond [`PRINCIPALS_MAX`]
//!   principals and [`ADDRESSES_MAX`] addresses in a minute all others are one,
//!   which is called by the address `::` that nobody has.
//!
//! It writes nothing; `housekeeping` does. Spec: `docs/spec/own-records.md`.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU64;
use std::sync::{Mutex, MutexGuard, PoisonError};

use indelible::format::own::{RefuseReason, ServiceRefuse, Who};
use indelible::format::time::Timestamp;
use indelible::{Clock as _, ClockReading, SystemClock};
use tokio::sync::Notify;

/// Principals and users that are told apart at one time.
const PRINCIPALS_MAX: usize = 256;
/// Addresses that are told apart at one time: anybody may have as many as they like, and each would make a record.
const ADDRESSES_MAX: usize = 16;
/// Between two records of one caller.
const PAUSE_NS: i128 = 60_000_000_000;

/// Counts refusals.
#[derive(Debug, Default)]
pub(crate) struct Refusals {
    tallies: Mutex<HashMap<Who, Tally>>,
    /// Told when there is one that was not there before.
    news: Notify,
}

/// The refusals of one caller.
#[derive(Debug, Default)]
struct Tally {
    /// Those that no record tells of yet.
    waiting: Option<Waiting>,
    /// When a record told of it last, as the clock counts.
    told_ns: Option<i128>,
}

#[derive(Clone, Copy, Debug)]
struct Waiting {
    count: NonZeroU64,
    reason: RefuseReason,
    since: Timestamp,
    until: Timestamp,
}

impl Tally {
    /// Whether a record may tell of it.
    fn is_due(&self, now: &ClockReading) -> bool {
        self.told_ns.is_none_or(|told| now.counted_ns.saturating_sub(told) >= PAUSE_NS)
    }
}

impl Refusals {
    /// Counts a refusal.
    pub(crate) fn note(&self, who: Who, reason: RefuseReason) {
        if self.note_at(who, reason, &SystemClock::default().now()) {
            self.news.notify_one();
        }
    }

    /// Says whether a record may tell of it at once.
    fn note_at(&self, who: Who, reason: RefuseReason, now: &ClockReading) -> bool {
        let mut tallies = self.tallies();
        let who = network(who);
        if !tallies.contains_key(&who) && is_full(&tallies, &who) {
            tallies.retain(|_, tally| tally.waiting.is_some() || !tally.is_due(now));
        }
        let known = tallies.contains_key(&who);
        let who = if known || !is_full(&tallies, &who) { who } else { others() };
        let tally = tallies.entry(who).or_default();
        let before = tally.waiting;
        tally.waiting = Some(Waiting {
            count: before.map_or(NonZeroU64::MIN, |before| before.count.saturating_add(1)),
            reason,
            since: before.map_or(now.wall, |before| before.since),
            until: now.wall,
        });
        before.is_none() && tally.is_due(now)
    }

    /// Waits for a refusal of which a record may tell at once.
    pub(crate) async fn news(&self) {
        self.news.notified().await;
    }

    /// Takes what may be told now: everything `at_the_end`, when no other time comes.
    pub(crate) fn take(&self, at_the_end: bool) -> Vec<ServiceRefuse> {
        self.take_at(at_the_end, &SystemClock::default().now())
    }

    fn take_at(&self, at_the_end: bool, now: &ClockReading) -> Vec<ServiceRefuse> {
        let mut taken = Vec::new();
        self.tallies().retain(|who, tally| {
            if !at_the_end && !tally.is_due(now) {
                return true;
            }
            let Some(waiting) = tally.waiting.take() else { return false };
            tally.told_ns = Some(now.counted_ns);
            let Waiting { count, reason, since, until } = waiting;
            taken.push(ServiceRefuse { who: who.clone(), reason, count, since, until });
            true
        });
        taken
    }

    /// Gives back what could not be written; it is told of with what comes until the next time.
    pub(crate) fn give_back(&self, refused: ServiceRefuse) {
        let mut tallies = self.tallies();
        let tally = tallies.entry(refused.who).or_default();
        let later = tally.waiting;
        tally.waiting = Some(Waiting {
            count: later
                .map_or(refused.count, |later| later.count.saturating_add(refused.count.get())),
            reason: later.map_or(refused.reason, |later| later.reason),
            since: refused.since,
            until: later.map_or(refused.until, |later| later.until),
        });
    }

    fn tallies(&self) -> MutexGuard<'_, HashMap<Who, Tally>> {
        self.tallies.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether no more callers of that kind are told apart.
fn is_full(tallies: &HashMap<Who, Tally>, who: &Who) -> bool {
    let is_address = |who: &Who| matches!(who, Who::Address(_));
    let kind = is_address(who);
    let others = others();
    let alike = tallies.keys().filter(|known| is_address(known) == kind && **known != others);
    alike.count() >= if kind { ADDRESSES_MAX } else { PRINCIPALS_MAX }
}

/// The network that stands for an address: who has one of IPv6 has its /64.
fn network(who: Who) -> Who {
    if let Who::Address(IpAddr::V6(address)) = &who
        && !address.is_loopback()
    {
        let [a, b, c, d, ..] = address.segments();
        return Who::Address(IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0)));
    }
    who
}

/// All who are not told apart.
fn others() -> Who {
    Who::Address(IpAddr::V6(Ipv6Addr::UNSPECIFIED))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i128) -> ClockReading {
        let ns = seconds * 1_000_000_000;
        ClockReading { wall: Timestamp::from_unix_ns(ns).unwrap(), counted_ns: ns }
    }

    fn address(network: u16) -> Who {
        Who::Address(IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, network, 0, 0, 0, 0)))
    }

    fn count(refused: &[ServiceRefuse]) -> u64 {
        refused.iter().map(|refused| refused.count.get()).sum()
    }

    #[test]
    fn the_first_refusal_is_told_at_once_and_the_rest_of_a_minute_together() {
        let refusals = Refusals::default();
        assert!(refusals.note_at(address(1), RefuseReason::TokenUnknown, &at(0)));
        let first = refusals.take_at(false, &at(0));
        assert_eq!((first.len(), first[0].count.get()), (1, 1));
        for second in 1..=50 {
            assert!(!refusals.note_at(address(1), RefuseReason::TokenExpired, &at(second)));
        }
        assert!(refusals.take_at(false, &at(59)).is_empty());
        let next = refusals.take_at(false, &at(60));
        let expected = ServiceRefuse {
            who: address(1),
            reason: RefuseReason::TokenExpired,
            count: NonZeroU64::new(50).unwrap(),
            since: at(1).wall,
            until: at(50).wall,
        };
        assert_eq!(next, [expected]);
        assert!(refusals.take_at(false, &at(120)).is_empty());
        assert!(refusals.tallies().is_empty(), "who came once is forgotten");
    }

    #[test]
    fn a_flood_from_many_addresses_costs_bounded_memory_and_records_and_no_count() {
        let refusals = Refusals::default();
        for last in 0..10_000 {
            refusals.note_at(address(last), RefuseReason::Unauthenticated, &at(0));
        }
        assert_eq!(refusals.tallies().len(), ADDRESSES_MAX + 1);
        for number in 0..10_000 {
            let who = Who::Principal(format!("token:{number}").parse().unwrap());
            refusals.note_at(who, RefuseReason::Role, &at(0));
        }
        assert_eq!(refusals.tallies().len(), PRINCIPALS_MAX + ADDRESSES_MAX + 1);
        let told = refusals.take_at(false, &at(0));
        assert_eq!(count(&told), 20_000);
        let rest = told.iter().find(|refused| refused.who == others()).unwrap();
        assert_eq!(
            rest.count.get(),
            20_000 - u64::try_from(PRINCIPALS_MAX + ADDRESSES_MAX).unwrap()
        );
    }

    #[test]
    fn the_addresses_of_one_ipv6_network_are_one_caller() {
        let refusals = Refusals::default();
        for last in 0..100 {
            let address = Ipv6Addr::new(0x2001, 0xdb8, 0, 7, 1, 2, 3, last);
            refusals.note_at(Who::Address(address.into()), RefuseReason::Role, &at(0));
        }
        refusals.note_at(Who::Address(Ipv6Addr::LOCALHOST.into()), RefuseReason::Role, &at(0));
        let mut told = refusals.take_at(false, &at(0));
        told.sort_by_key(|refused| refused.count);
        let told: Vec<_> = told.into_iter().map(|told| (told.who, told.count.get())).collect();
        let here = Who::Address(Ipv6Addr::LOCALHOST.into());
        assert_eq!(told, [(here, 1), (address(7), 100)]);
    }

    #[test]
    fn what_could_not_be_written_is_told_with_what_comes() {
        let refusals = Refusals::default();
        refusals.note_at(address(1), RefuseReason::Role, &at(0));
        let first = refusals.take_at(false, &at(0)).remove(0);
        refusals.give_back(first);
        refusals.note_at(address(1), RefuseReason::Actor, &at(5));
        assert!(refusals.take_at(false, &at(30)).is_empty());
        let end = refusals.take_at(true, &at(30));
        assert_eq!((end.len(), end[0].count.get(), end[0].since), (1, 2, at(0).wall));
    }
}
