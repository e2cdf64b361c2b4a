//! An event that was queued: [`Queued`], which measures what becomes of it.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Instant;

use indelible::{AppendError, Obstacle, Pending, Receipt};

use crate::engine::refusing::Refusing;
use crate::metrics::{AppendOutcome, LogMetrics, Protocol};

/// Resolves as the [`Pending`] in it; dropping it does not take the event back.
#[derive(Debug)]
#[must_use = "the event is durable only when this resolves"]
pub(crate) struct Queued {
    pending: Option<Pending>,
    measured: Option<Measured>,
    abandoned: Arc<Abandoned>,
    refusing: Arc<Refusing>,
}

/// What nobody waits for any more and is written all the same.
#[derive(Debug, Default)]
pub(super) struct Abandoned(Mutex<Vec<Pending>>);

impl Abandoned {
    fn add(&self, pending: Pending) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // What has resolved is let go before room is made for more: there are never many more than are queued.
        if all.len() == all.capacity() {
            all.retain(|pending| pending.try_get().is_none());
        }
        all.push(pending);
    }

    /// Waits until none of it is on its way; blocks.
    pub(super) fn wait(&self) {
        let all = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        for pending in all {
            // What became of it was for who has gone.
            drop(pending.wait());
        }
    }
}

/// How it is measured.
#[derive(Clone, Debug)]
pub(super) struct Measured {
    pub(super) metrics: Arc<LogMetrics>,
    pub(super) protocol: Protocol,
    pub(super) since: Instant,
}

impl Queued {
    pub(super) fn new(
        pending: Pending,
        measured: Option<Measured>,
        abandoned: &Arc<Abandoned>,
        refusing: &Arc<Refusing>,
    ) -> Self {
        let (abandoned, refusing) = (Arc::clone(abandoned), Arc::clone(refusing));
        Self { pending: Some(pending), measured, abandoned, refusing }
    }
}

impl Future for Queued {
    type Output = Result<Receipt, AppendError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(pending) = &mut self.pending else { return Poll::Pending };
        let resolved = ready!(Pin::new(pending).poll(context));
        self.pending = None;
        match &resolved {
            // A duplicate's receipt is from before.
            Ok(receipt) if !receipt.duplicate => self.refusing.took(),
            Err(AppendError::NotWritten { cause: Obstacle::Io(_) }) => self.refusing.refused(),
            Ok(_) | Err(_) => {}
        }
        if let Some(Measured { metrics, protocol, since }) = self.measured.take() {
            let outcome = match &resolved {
                Ok(_) => AppendOutcome::Committed,
                Err(error) if error.is_indeterminate() => AppendOutcome::Indeterminate,
                Err(_) => AppendOutcome::Rejected,
            };
            metrics.appended(protocol, outcome, since.elapsed());
        }
        Poll::Ready(resolved)
    }
}

impl Drop for Queued {
    fn drop(&mut self) {
        if let Some(pending) = self.pending.take() {
            self.abandoned.add(pending);
        }
    }
}
