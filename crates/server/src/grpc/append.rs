//! `Append`, `AppendBatch`.

use indelible::Event;

use crate::auth::Caller;
use crate::auth::role::Role;
use crate::error::ApiError;
use crate::proto::v1;
use crate::service::Service;
use crate::{append, convert};

/// Appends one event.
///
/// # Durability
/// On `Ok` the record is on the disk. Where the future is dropped after the event was queued, it is written all the same.
pub(super) async fn one(
    service: &Service,
    caller: &Caller,
    request: v1::AppendRequest,
) -> Result<v1::AppendResponse, ApiError> {
    let log = service.logs.get(&request.log)?;
    caller.require(Role::Append, log.name())?;
    let event = convert::event(request.event).inspect_err(|_| log.rejected(1))?;
    let receipt = append::submit(caller, log, &event)?.await?;
    Ok(v1::AppendResponse { receipt: Some(convert::receipt(&receipt)) })
}

/// Appends several events in order, or none where one of them can't be taken.
///
/// # Durability
/// On `Ok` each record that has a receipt is on the disk. Where the future is dropped after they were queued, they are
/// written all the same.
pub(super) async fn batch(
    service: &Service,
    caller: &Caller,
    request: v1::AppendBatchRequest,
) -> Result<v1::AppendBatchResponse, ApiError> {
    let log = service.logs.get(&request.log)?;
    caller.require(Role::Append, log.name())?;
    let count = request.events.len();
    let events = append::check_count(count, service.config.limits.batch_events_max)
        .and_then(|()| events(request.events))
        .inspect_err(|_| log.rejected(count))?;
    let pending = append::submit_all(caller, log, &events)?;
    drop(events);
    let mut results = Vec::with_capacity(pending.len());
    // Outcomes come in the order of the queue, so this waits no longer than for the last one.
    for pending in pending {
        results.push(convert::result(pending.await));
    }
    Ok(v1::AppendBatchResponse { results })
}

fn events(messages: Vec<v1::Event>) -> Result<Vec<Event>, ApiError> {
    let numbered = messages.into_iter().enumerate();
    let event =
        |(index, event)| convert::event(Some(event)).map_err(|error: ApiError| error.at(index));
    numbered.map(event).collect()
}
