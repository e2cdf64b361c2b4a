//! A thread that hands over events, and what it can see of their order.

use indelible::{AppendError, AuditLog, BatchError, CheckpointError, Pending, Receipt};

use crate::base::event;
use crate::scenario::{Act, Made, Then};
use crate::seen::{Outcome, Seen};

/// Does `acts` one after the other.
pub(crate) fn run(log: &AuditLog, acts: &[Act], seen: &Seen) {
    let mut caller = Caller { log, seen, promised: Vec::new() };
    for act in acts {
        caller.act(act);
    }
    caller.end();
}

struct Caller<'a> {
    log: &'a AuditLog,
    seen: &'a Seen,
    /// What was accepted of it, in that order.
    promised: Vec<(Made, Pending)>,
}

impl Caller<'_> {
    fn act(&mut self, act: &Act) {
        let had_halted = self.log.halted().is_some();
        match act {
            Act::Append(made) => {
                let outcome = self.log.append(event(made));
                self.told(made, outcome, had_halted);
            }
            Act::Submit(made, then) => {
                let accepted = self.log.submit(event(made));
                self.accepted(made, accepted, *then, had_halted);
            }
            Act::TrySubmit(made, then) => {
                let accepted = self.log.try_submit(event(made));
                self.accepted(made, accepted, *then, had_halted);
            }
            Act::SubmitAll(all) => {
                let events: Vec<_> = all.iter().map(event).collect();
                self.all_accepted(all, self.log.submit_all(&events), had_halted);
            }
            Act::TrySubmitAll(all) => {
                let events: Vec<_> = all.iter().map(event).collect();
                self.all_accepted(all, self.log.try_submit_all(&events), had_halted);
            }
            Act::Checkpoint => match self.log.checkpoint() {
                Ok(note) => self.seen.checkpoint(&note),
                Err(CheckpointError::Closed | CheckpointError::Halted(_)) => {}
                Err(error) => self.seen.wrong(format!("a checkpoint was refused: {error}")),
            },
            Act::Close => {
                drop(self.log.close());
                self.seen.closed();
                self.all_are_settled("after the close");
            }
        }
    }

    fn accepted(
        &mut self,
        made: &Made,
        accepted: Result<Pending, AppendError>,
        then: Then,
        had_halted: bool,
    ) {
        match (accepted, then) {
            (Err(error), _) => self.told(made, Err(error), had_halted),
            (Ok(pending), Then::Waits) => {
                let outcome = pending.wait();
                self.is_final(made, &pending, &outcome);
                self.told(made, outcome, had_halted);
            }
            (Ok(pending), Then::Awaits) => {
                let outcome = shuttle::future::block_on(pending);
                self.told(made, outcome, had_halted);
            }
            (Ok(_), Then::Drops) => self.seen.told(made, Outcome::Dropped),
            (Ok(pending), Then::Later) => self.promised.push((made.clone(), pending)),
        }
    }

    fn all_accepted(
        &mut self,
        all: &[Made],
        accepted: Result<Vec<Pending>, BatchError>,
        had_halted: bool,
    ) {
        match accepted {
            Ok(pending) => {
                if pending.len() != all.len() {
                    self.seen.wrong(format!("{} promises for {}", pending.len(), all.len()));
                }
                self.promised.extend(all.iter().cloned().zip(pending));
            }
            // What is wrong with one says nothing about the others, but that they were not queued.
            Err(refused) => {
                for made in all {
                    self.told(made, Err(refused.error.clone()), had_halted);
                }
            }
        }
    }

    fn told(&self, made: &Made, outcome: Result<Receipt, AppendError>, had_halted: bool) {
        if had_halted && outcome.is_ok() {
            self.seen.wrong(format!("{made:?} was acknowledged after the log had halted"));
        }
        self.seen.told(made, Outcome::Told(outcome));
    }

    /// Waits for the last of what was promised: all that was promised before it is there by then.
    fn end(&mut self) {
        let Some((made, pending)) = self.promised.last() else { return };
        let last = pending.wait();
        if last.as_ref().is_ok_and(|receipt| !receipt.duplicate) {
            self.all_are_settled(&format!("when {made:?}, which came later, was acknowledged"));
        }
        let mut before: Option<Receipt> = None;
        for (made, pending) in &self.promised {
            let outcome = pending.wait();
            self.is_final(made, pending, &outcome);
            if let Ok(receipt) = outcome
                && !receipt.duplicate
            {
                if let Some(before) = before.filter(|before| before.seq >= receipt.seq) {
                    self.seen.wrong(format!("{made:?} is {receipt}, handed over after {before}"));
                }
                before = Some(receipt);
            }
            self.told(made, outcome, false);
        }
    }

    fn is_final(&self, made: &Made, pending: &Pending, first: &Result<Receipt, AppendError>) {
        let again = pending.try_get().map(|again| format!("{again:?}"));
        if again.as_ref() != Some(&format!("{first:?}")) {
            self.seen.wrong(format!("{made:?}: told {first:?}, and then {again:?}"));
        }
    }

    fn all_are_settled(&self, when: &str) {
        for (made, pending) in &self.promised {
            if pending.try_get().is_none() {
                self.seen.wrong(format!("{made:?} had no outcome {when}"));
            }
        }
    }
}
