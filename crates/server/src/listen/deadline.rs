//! A time by which something must have happened, which costs nothing while it does not wait: [`Deadline`].

use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::time::{Instant, Sleep, sleep_until};

/// Set when somebody begins to wait, and lifted by what was waited for.
#[derive(Debug, Default)]
pub(super) struct Deadline {
    timer: Option<Pin<Box<Sleep>>>,
    set: bool,
}

impl Deadline {
    /// Whether the time has come; where none is set, the one that `when` gives is from now on. Wakes the task then.
    pub(super) fn poll(
        &mut self,
        context: &mut Context<'_>,
        when: impl FnOnce() -> Instant,
    ) -> Poll<()> {
        let set = std::mem::replace(&mut self.set, true);
        let timer = match &mut self.timer {
            Some(timer) => {
                if !set {
                    timer.as_mut().reset(when());
                }
                timer
            }
            empty => empty.insert(Box::pin(sleep_until(when()))),
        };
        timer.as_mut().poll(context)
    }

    /// What was waited for has happened.
    pub(super) fn lift(&mut self) {
        self.set = false;
    }
}
