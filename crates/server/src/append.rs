//! What both protocols do with events before they are queued.
//!
//! Invariants:
//! - everything that can refuse an event refuses it here, before anything was accepted;
//! - nothing here waits: what has no room is refused, and the refusal says so;
//! - an event that is refused before it is queued is counted as rejected once, whatever it came by: here, or by who reads
//!   events for here ([`Log::rejected`]). What somebody sends who may not append at all is no event, but a refused access.

use indelible::Event;

use crate::auth::Caller;
use crate::auth::role::Role;
use crate::engine::{Log, Queued};
use crate::error::ApiError;

/// Queues one event of a caller's.
///
/// # Durability
/// None before the [`Queued`] resolves; dropping it does not take the event back.
pub(crate) fn submit(caller: &Caller, log: &Log, event: &Event) -> Result<Queued, ApiError> {
    caller.require(Role::Append, log.name())?;
    let queued = may(caller, event).and_then(|()| log.submit(event, caller.name()));
    queued.inspect_err(|_| log.rejected(1))
}

/// Checks that a caller who may append may append that event now, and counts it towards its rate.
///
/// # Errors
/// Says what it may not.
pub(crate) fn may(caller: &Caller, event: &Event) -> Result<(), ApiError> {
    caller.may_claim(event.actor())?;
    caller.spend(1)
}

/// Queues several events of a caller's, in order, or none of them: then the error says which was at fault, if one was. The
/// answer to a batch may be large, so none is queued while clients leave too much of such answers.
///
/// # Durability
/// As [`submit`], each on its own: a crash may keep the first of them and not the last.
pub(crate) fn submit_all(
    caller: &Caller,
    log: &Log,
    events: &[Event],
) -> Result<Vec<Queued>, ApiError> {
    caller.require(Role::Append, log.name())?;
    let queue = || {
        log.unread().batches.check()?;
        for (index, event) in events.iter().enumerate() {
            caller.may_claim(event.actor()).map_err(|error| error.at(index))?;
        }
        caller.spend(events.len())?;
        log.submit_all(events, caller.name())
    };
    queue().inspect_err(|_| log.rejected(events.len()))
}

/// Checks that a batch has as many events as it may have.
///
/// # Errors
/// Names the limit and the count.
pub(crate) fn check_count(count: usize, limit: usize) -> Result<(), ApiError> {
    match count {
        0 => Err(ApiError::field("events", "there is none: a batch has at least 1")),
        _ if count > limit => Err(ApiError::too_many_events(count, limit)),
        _ => Ok(()),
    }
}
