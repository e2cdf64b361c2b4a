//! Callers whose request lasts: whether they are still let in is asked again while a stream is open.
//!
//! Invariants:
//! - a stream ends, with `unauthenticated`, when its caller's token was revoked or has expired, also while nothing comes;
//! - it goes on under the roles and actors that the token has now, where those were changed.
//!
//! Certificates and users of the Unix socket can't be taken back from a connection that is there.

use std::pin::Pin;
use std::time::Duration;

use futures_util::stream::BoxStream;
use futures_util::{Stream, StreamExt as _, stream};
use tokio::sync::watch;

use crate::auth::authenticate::now;
use crate::auth::caller::{Caller, Lease};
use crate::auth::role::Role;
use crate::auth::tokens::watch::Tokens;
use crate::error::ApiError;
use crate::service::Service;

/// After how long the clock is looked at again: it can be set, and a timer would not know.
const CLOCK_PERIOD: Duration = Duration::from_secs(30);

/// Who a caller is, each time that this may have changed; after an error nothing comes.
pub(crate) type Renewals = BoxStream<'static, Result<Caller, ApiError>>;

/// Follows who `caller` is.
pub(crate) fn renewals(service: &Service, caller: &Caller) -> Renewals {
    let generations = service.authenticator.tokens().map(Tokens::generations);
    let (Some(generations), Some(_)) = (generations, caller.lease()) else {
        return stream::pending().boxed();
    };
    let state = Some((service.clone(), generations, caller.clone()));
    stream::unfold(state, |state| async move {
        let (service, mut generations, caller) = state?;
        if let Some(lease) = caller.lease() {
            moved(lease, &mut generations).await;
        }
        match service.authenticator.renew(&caller) {
            Ok(renewed) => Some((Ok(renewed.clone()), Some((service, generations, renewed)))),
            Err(denied) => {
                if let Some(reason) = denied.reason {
                    caller.refused(reason);
                }
                Some((Err(denied.error), None))
            }
        }
    })
    .boxed()
}

/// Waits until there is another set of tokens, or the token's time may be over.
async fn moved(lease: &Lease, generations: &mut watch::Receiver<u64>) {
    let expiry = async {
        let Some(expires) = lease.expires else { return std::future::pending().await };
        // Behind the clock: none, which is over at once. The timer's steps are of a millisecond.
        let left = Duration::try_from(expires.duration_since(now())).unwrap_or_default();
        tokio::time::sleep(left.min(CLOCK_PERIOD)).await;
    };
    tokio::select! {
        // Its sender lives as long as the service, which the caller of this has.
        _ = generations.wait_for(|generation| *generation != lease.generation) => {}
        () = expiry => {}
    }
}

/// What is sent to a caller as long as it may read a log.
struct Reading<S> {
    renewals: Renewals,
    items: Pin<Box<S>>,
    log: String,
    /// Where a client goes on that was sent what has passed.
    resume: Option<u64>,
}

/// `items`, until the caller may no longer read the log of that name; `last` gives the seq behind which a client goes on
/// that was sent an item, and `resume` where it begins.
pub(crate) fn while_readable<T, S, L>(
    service: &Service,
    caller: &Caller,
    log: &str,
    resume: Option<u64>,
    items: S,
    last: L,
) -> impl Stream<Item = Result<T, ApiError>> + Send + use<T, S, L>
where
    T: Send,
    S: Stream<Item = Result<T, ApiError>> + Send,
    L: Fn(&T) -> Option<u64> + Send + Sync,
{
    let renewals = renewals(service, caller);
    let reading = Reading { renewals, items: Box::pin(items), log: log.to_owned(), resume };
    let last = std::sync::Arc::new(last);
    stream::unfold(Some(reading), move |reading| {
        let last = std::sync::Arc::clone(&last);
        async move {
            let mut reading = reading?;
            loop {
                tokio::select! {
                    biased;
                    Some(renewed) = reading.renewals.next() => {
                        let may = renewed.and_then(|caller| caller.require(Role::Read, &reading.log));
                        if let Err(mut error) = may {
                            error.resume = reading.resume;
                            return Some((Err(error), None));
                        }
                    }
                    item = reading.items.next() => {
                        let item = item?;
                        if let Some(seq) = item.as_ref().ok().and_then(|item| last(item)) {
                            reading.resume = Some(seq.saturating_add(1));
                        }
                        return Some((item, Some(reading)));
                    }
                }
            }
        }
    })
}

/// The last seq of some records.
pub(crate) fn last_seq(records: &[indelible::StoredRecord]) -> Option<u64> {
    records.last().map(|record| record.seq)
}
