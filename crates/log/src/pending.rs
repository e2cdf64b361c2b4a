//! An append that is under way: waited for by a thread, or awaited on any runtime.

use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use crate::checkpoints::Publisher;
use crate::error::{AppendError, PublishedError};
use crate::receipt::Receipt;
use crate::sync::{Condvar, Mutex, lock};

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
    /// Whoever polls; only those who joined the same event are more than one.
    waker: Option<Waker>,
    more_wakers: Vec<Waker>,
    /// Threads in [`Slot::wait`]; without one there is nobody to notify.
    sleepers: u32,
}

impl Slot {
    /// A slot whose outcome is known already.
    pub(crate) fn settled(outcome: Outcome) -> Self {
        let state = SlotState { outcome: Some(outcome), ..SlotState::default() };
        Self { state: Mutex::new(state), settled: Condvar::new() }
    }

    /// Leaves the outcome and wakes whoever waits.
    pub(crate) fn settle(self: &Arc<Self>, outcome: Outcome) {
        let mut waiters = Waiters::default();
        self.leave(outcome, &mut waiters);
        waiters.wake();
    }

    /// Leaves the outcome; whoever waits for it is added to `waiters`.
    pub(crate) fn leave(self: &Arc<Self>, outcome: Outcome, waiters: &mut Waiters) {
        let mut state = lock(&self.state);
        state.outcome = Some(outcome);
        for waker in state.waker.take().into_iter().chain(mem::take(&mut state.more_wakers)) {
            waiters.add(waker);
        }
        if state.sleepers > 0 {
            waiters.sleepers.push(Arc::clone(self));
        }
    }

    fn get(&self) -> Option<Outcome> {
        lock(&self.state).outcome.clone()
    }

    pub(crate) fn wait(&self) -> Outcome {
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
        if !state.waker.iter().chain(&state.more_wakers).any(|known| known.will_wake(waker)) {
            match &mut state.waker {
                none @ None => *none = Some(waker.clone()),
                Some(_) => state.more_wakers.push(waker.clone()),
            }
        }
        Poll::Pending
    }
}

/// Those who wait for outcomes that are there by now. They are woken after all outcomes of a group were left, so that a
/// task which waits for many of them is woken once, and finds them all.
#[derive(Debug, Default)]
pub(crate) struct Waiters {
    wakers: Vec<Waker>,
    /// Slots that threads sleep at.
    sleepers: Vec<Arc<Slot>>,
}

impl Waiters {
    fn add(&mut self, waker: Waker) {
        if !self.wakers.last().is_some_and(|last| last.will_wake(&waker)) {
            self.wakers.push(waker);
        }
    }

    pub(crate) fn wake(self) {
        for slot in self.sleepers {
            slot.settled.notify_all();
        }
        for waker in self.wakers {
            waker.wake();
        }
    }
}

/// An event on its way to the disk.
///
/// Dropping it does not take the event back. It is a [`Future`] that any runtime can await.
///
/// Many are best awaited one after the other, in the order in which they were queued: outcomes come in that order, and
/// all of a group are there before anybody is woken, so a task is woken once a group however many it waits for.
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

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::task::Wake;

    use super::*;

    #[derive(Default)]
    struct Count(AtomicU32);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn a_task_that_waits_for_many_of_a_group_is_woken_once_and_finds_them_all() {
        let slots: Vec<Arc<Slot>> = (0..100).map(|_| Arc::default()).collect();
        let (one, other) = (Arc::new(Count::default()), Arc::new(Count::default()));
        for slot in &slots {
            assert!(slot.poll(&Arc::clone(&one).into()).is_pending());
        }
        // The second task joined one of the events.
        assert!(slots[99].poll(&Arc::clone(&other).into()).is_pending());
        let mut waiters = Waiters::default();
        for slot in &slots {
            slot.leave(Err(AppendError::Closed), &mut waiters);
        }
        assert_eq!(one.0.load(Ordering::SeqCst), 0, "nobody is woken before all are there");
        waiters.wake();
        assert_eq!([&one, &other].map(|count| count.0.load(Ordering::SeqCst)), [1, 1]);
        for slot in &slots {
            assert!(slot.poll(&Arc::clone(&one).into()).is_ready());
        }
    }

    #[test]
    fn polling_again_with_the_same_waker_remembers_it_once() {
        let slot = Arc::new(Slot::default());
        let count = Arc::new(Count::default());
        for _ in 0..10 {
            assert!(slot.poll(&Arc::clone(&count).into()).is_pending());
        }
        slot.settle(Err(AppendError::Closed));
        assert_eq!(count.0.load(Ordering::SeqCst), 1);
    }
}
