//! `GetRecord`, `Query`, `Tail`.

use std::sync::Arc;

use futures_util::{Stream, StreamExt as _, stream};
use indelible::StoredRecord;
use tonic::Status;

use crate::auth::role::Role;
use crate::auth::{Caller, lasting};
use crate::convert;
use crate::engine::Log;
use crate::error::ApiError;
use crate::grpc::Items;
use crate::proto::v1;
use crate::proto::v1::query_response::Item;
use crate::read::page::Range;
use crate::read::stream::Part;
use crate::read::{follow, record, stream as all};
use crate::service::Service;

/// The log of a request that reads.
pub(super) fn readable<'s>(
    service: &'s Service,
    caller: &Caller,
    log: &str,
) -> Result<&'s Arc<Log>, ApiError> {
    let log = service.logs.get(log)?;
    caller.require(Role::Read, log.name())?;
    Ok(log)
}

/// Returns one record.
pub(super) async fn one(
    service: &Service,
    caller: &Caller,
    request: v1::GetRecordRequest,
) -> Result<v1::GetRecordResponse, ApiError> {
    let log = readable(service, caller, &request.log)?;
    let stored = log.read(move |reader, _| record::record(reader, request.seq)).await?;
    Ok(v1::GetRecordResponse { record: Some(convert::record(stored)) })
}

/// Streams what a query finds, and at the end where to go on.
pub(super) fn query(
    service: &Service,
    caller: &Caller,
    request: v1::QueryRequest,
) -> Result<Items<v1::QueryResponse>, ApiError> {
    let log = readable(service, caller, &request.log)?;
    let filter = convert::filter(request.filter).check()?;
    let order = convert::order(request.order)?;
    let range = Range::of(request.first_seq, request.last_seq, order, &request.cursor)?;
    let parts = all::stream(service, log, filter, range, request.limit);
    let parts = lasting::while_readable(service, caller, log.name(), None, parts, |_| None);
    Ok(Box::pin(
        flat(parts.map(|part| {
            part.map(|part| match part {
                Part::Records(records) => {
                    let item = |stored| Item::Record(convert::record(stored));
                    records.into_iter().map(item).collect()
                }
                Part::End(next) => {
                    let cursor = next.map(|next| next.to_string()).unwrap_or_default();
                    vec![Item::End(v1::QueryEnd { cursor })]
                }
            })
        }))
        .map(|item| item.map(|item| v1::QueryResponse { item: Some(item) })),
    ))
}

/// Streams what matches and what comes.
pub(super) async fn tail(
    service: &Service,
    caller: &Caller,
    request: v1::TailRequest,
) -> Result<Items<v1::TailResponse>, ApiError> {
    let log = readable(service, caller, &request.log)?;
    let filter = convert::filter(request.filter);
    for (field, text) in [("since", &filter.since), ("until", &filter.until)] {
        if !text.is_empty() {
            return Err(ApiError::field(field, "it is not for following: leave it empty"));
        }
    }
    let from = request.from_seq;
    let batches = follow::follow(service, log, filter.check()?, from).await?;
    let batches = lasting::while_readable(service, caller, log.name(), from, batches, |records| {
        lasting::last_seq(records)
    });
    let response =
        |stored: StoredRecord| v1::TailResponse { record: Some(convert::record(stored)) };
    Ok(Box::pin(flat(batches).map(move |item| item.map(response))))
}

/// The items of batches one by one, with errors as this protocol has them.
fn flat<T>(
    batches: impl Stream<Item = Result<Vec<T>, ApiError>>,
) -> impl Stream<Item = Result<T, Status>> {
    batches.flat_map(|batch| {
        let (items, error) = match batch {
            Ok(items) => (items, None),
            Err(error) => (Vec::new(), Some(Err(error.into()))),
        };
        stream::iter(items.into_iter().map(Ok).chain(error))
    })
}
