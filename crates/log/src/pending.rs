//! An append that is under way: waited for by a thread, or awaited on any runtime.

use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use crate::checkpoints::{Publisher, lock};
use crate::error::{AppendError, PublishedError};
use crate::receipt::Receipt;

/// What an append came to.
pub(crate) type Outcome = Result<Receipt, AppendError>;

/// Where the outcome of one append is left for whoever waits.
#[derive(Debug, Default)]
pub(crate) struct Slot {
    state: Mutex<SlotState>,
    settled: Condvar,
}

#[derive(Debug, Default)]
struct SlotState {
    outcome: Option<Outcome>,
    wakers: Vec<Waker>,
    /// Threads in [`Slot::wait`]; without one there is nobody to notify.
    sleepers: u32,
}

impl Slot {
    /// A slot whose outcome is known already.
    pub(crate) fn settled(outcome: Outcome) -> Self {
        let slot = Self::default();
        slot.settle(outcome);
        slot
    }

    /// Leaves the outcome and wakes whoever waits.
    pub(crate) fn settle(&self, outcome: Outcome) {
        let mut state = lock(&self.state);
        state.outcome = Some(outcome);
        let wakers = mem::take(&mut state.wakers);
        let sleepers = state.sleepers;
        drop(state);
        if sleepers > 0 {
            self.settled.notify_all();
        }
        for waker in wakers {
            waker.wake();
        }
    }

    fn get(&self) -> Option<Outcome> {
        lock(&self.state).outcome.clone()
    }

    fn wait(&self) -> Outcome {
        let mut state = lock(&self.state);
        loop {
            if let Some(outcome) = &state.outcome {
                return outcome.clone();
            }
            state.sleepers += 1;
            state = self.settled.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.sleepers -= 1;
        }
    }

    fn poll(&self, waker: &Waker) -> Poll<Outcome> {
        let mut state = lock(&self.state);
        if let Some(outcome) = &state.outcome {
            return Poll::Ready(outcome.clone());
        }
        if !state.wakers.iter().any(|known| known.will_wake(waker)) {
            state.wakers.push(waker.clone());
        }
        Poll::Pending
    }
}

/// An event on its way to the disk.
///
/// Dropping it does not take the event back. It is a [`Future`] that any runtime can await.
#[derive(Debug)]
#[must_use = "the event is durable only when this resolves"]
pub struct Pending {
    slot: Arc<Slot>,
    /// Whether it joined an append of the same event that was in flight.
    joined: bool,
    publisher: Arc<Publisher>,
}

impl Pending {
    pub(crate) fn new(slot: Arc<Slot>, joined: bool, publisher: Arc<Publisher>) -> Self {
        Self { slot, joined, publisher }
    }

    /// Blocks until the event is durable, or known not to be.
    ///
    /// # Durability
    /// On `Ok` the record is on the disk, and nothing a crash does takes it away.
    ///
    /// # Errors
    /// [`AppendError::NotWritten`] and [`AppendError::Halted`]: not recorded. [`AppendError::Indeterminate`]: perhaps.
    pub fn wait(&self) -> Result<Receipt, AppendError> {
        self.finish(self.slot.wait())
    }

    /// The outcome, if there is one yet.
    pub fn try_get(&self) -> Option<Result<Receipt, AppendError>> {
        self.slot.get().map(|outcome| self.finish(outcome))
    }

    /// Blocks until a signed checkpoint covers the record, which is at most the checkpoint interval after it is
    /// durable, or until `timeout` has passed.
    ///
    /// # Durability
    /// On `Ok` the checkpoint is on the disk too.
    ///
    /// # Errors
    /// As [`Pending::wait`]; [`PublishedError::TimedOut`] and [`PublishedError::Ended`] where the record is durable
    /// without a checkpoint over it.
    pub fn published(&self, timeout: Duration) -> Result<Receipt, PublishedError> {
        let receipt = self.wait()?;
        match self.publisher.wait_covered(receipt.seq, timeout) {
            Some(true) => Ok(receipt),
            Some(false) => Err(PublishedError::Ended),
            None => Err(PublishedError::TimedOut(timeout)),
        }
    }

    fn finish(&self, outcome: Outcome) -> Outcome {
        outcome.map(|receipt| Receipt { duplicate: receipt.duplicate || self.joined, ..receipt })
    }
}

impl Future for Pending {
    type Output = Result<Receipt, AppendError>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.slot.poll(context.waker()).map(|outcome| self.finish(outcome))
    }
}
