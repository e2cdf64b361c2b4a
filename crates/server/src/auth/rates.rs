//! How many events each principal may append a second: [`Rates`].
//!
//! Invariants:
//! - a batch is let pass whole or not at all, before anything of it was accepted;
//! - memory is bounded however many anonymous addresses call.

use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::{Clock as _, DefaultClock};
use governor::state::keyed::HashMapStateStore;
use governor::{InsufficientCapacity, Quota, RateLimiter};

use crate::config::Limits;
use crate::error::{ApiError, Code};

/// Principals whose rate is counted one by one; beyond them, those that are new share one rate.
const PRINCIPALS_MAX: usize = 16_384;
/// The name under which those are counted; none has it, since each has a colon.
const OTHERS: &str = "others";

/// Counts what each principal appends; without a limit it counts nothing.
#[derive(Debug)]
pub(super) struct Rates {
    limiter: Option<Limiter>,
    burst: u32,
}

type Limiter = RateLimiter<String, HashMapStateStore<String>, DefaultClock>;

impl Rates {
    pub(super) fn new(limits: &Limits) -> Self {
        let burst = NonZeroU32::new(limits.events_burst).unwrap_or(NonZeroU32::MIN);
        let quota = limits.events_per_second.and_then(NonZeroU32::new);
        let limiter =
            quota.map(|rate| RateLimiter::hashmap(Quota::per_second(rate).allow_burst(burst)));
        Self { limiter, burst: burst.get() }
    }

    /// Whether the principal of that name may append so many events now; they are counted if so.
    ///
    /// # Errors
    /// [`Code::RateLimited`] with when to try again; [`Code::TooLarge`] where so many can never pass at once.
    pub(super) fn check(&self, principal: &str, events: usize) -> Result<(), ApiError> {
        let events = NonZeroU32::new(u32::try_from(events).unwrap_or(u32::MAX));
        let (Some(limiter), Some(events)) = (&self.limiter, events) else {
            return Ok(());
        };
        if limiter.len() >= PRINCIPALS_MAX {
            limiter.retain_recent();
        }
        let name = if limiter.len() >= PRINCIPALS_MAX { OTHERS } else { principal };
        match limiter.check_key_n(&name.to_owned(), events) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(until)) => {
                let pause = until.wait_time_from(DefaultClock::default().now());
                let pause = pause.max(Duration::from_millis(1));
                Err(ApiError::new(
                    Code::RateLimited,
                    format!(
                        "{:?} sends more events than it may (limits.events_per_second); nothing of this was accepted; \
                         try again in {} ms",
                        principal,
                        pause.as_millis()
                    ),
                )
                .retry_after(pause))
            }
            Err(InsufficientCapacity(_)) => Err(ApiError::new(
                Code::TooLarge,
                format!(
                    "{events} events can never pass at once: limits.events_burst is {}; send smaller batches",
                    self.burst
                ),
            )),
        }
    }
}
