//! Plays one stage on a disk, with or without a fault, and keeps what was sent and answered, and when.

use std::path::Path;
use std::sync::Arc;

use indelible::storage::Storage;
use indelible::storage::simulated::SimulatedDisk;
use indelible::{AppendError, AuditLog, Options, Receipt, Repair};

use super::workload::{Beginning, FOLDER, Script, Step, event};
use crate::invariants::{Sent, halt_holds};

/// How many appends a log that has halted must refuse before it is opened again.
const REFUSED_MIN: u32 = 2;

/// What was sent and answered, each with how many operations there had been.
#[derive(Clone, Debug, Default)]
pub(super) struct Timeline {
    before: Sent,
    told: Vec<(u64, Told)>,
}

#[derive(Clone, Debug)]
enum Told {
    Created,
    Sent(String),
    Answered(String, Result<Receipt, AppendError>),
}

impl Timeline {
    pub(super) fn after(before: Sent) -> Self {
        Self { before, told: Vec::new() }
    }

    /// What was sent and answered before the operation with this index.
    pub(super) fn at(&self, index: u64) -> Sent {
        let mut sent = self.before.clone();
        for (_, told) in self.told.iter().take_while(|(at, _)| *at <= index) {
            match told {
                Told::Created => sent.created(),
                Told::Sent(resource) => sent.send(resource.clone()),
                Told::Answered(resource, answer) => sent.answer(resource, answer),
            }
        }
        sent
    }
}

/// A stage that is being played.
#[derive(Debug)]
pub(super) struct Player {
    pub(super) disk: SimulatedDisk,
    options: Options,
    pub(super) timeline: Timeline,
    log: Option<AuditLog>,
    /// The number of the next event.
    pub(super) next: usize,
    /// What was refused or failed, the first of it; without a fault there is none.
    pub(super) failure: Option<String>,
    pub(super) violations: Vec<String>,
    refused: u32,
    /// How many operations there had been when an explicit repair had succeeded.
    repaired: Option<u64>,
}

impl Player {
    /// On this disk, whose log has been sent so much; events are numbered from `next`.
    pub(super) fn new(disk: SimulatedDisk, options: Options, sent: Sent, next: usize) -> Self {
        Self {
            disk,
            options,
            timeline: Timeline::after(sent),
            log: None,
            next,
            failure: None,
            violations: Vec::new(),
            refused: 0,
            repaired: None,
        }
    }

    /// From which operation on what is damaged on purpose is mended; never where that failed.
    pub(super) fn repaired(&self) -> u64 {
        self.repaired.unwrap_or(u64::MAX)
    }

    /// Does all of it, however much fails. The log stays open.
    pub(super) fn play(&mut self, script: &Script) {
        match script.beginning {
            Beginning::Create => self.create(),
            Beginning::Open => self.open(),
            Beginning::Repair => {
                self.repair();
                self.open();
            }
        }
        for step in &script.steps {
            self.step(*step);
        }
        if let Some(log) = &self.log {
            let resource = format!("halted{}", self.next);
            self.violations.extend(halt_holds(log, &resource));
        }
    }

    /// Ends the log in order.
    pub(super) fn close(&mut self) {
        if let Some(log) = self.log.take()
            && let Err(error) = log.close()
        {
            self.failed("close", &error);
        }
    }

    /// The process is gone; what it would still have written does not reach the disk.
    pub(super) fn kill(&mut self) -> SimulatedDisk {
        let left = self.disk.fork();
        self.disk.crash();
        self.log = None;
        left
    }

    fn storage(&self) -> Arc<dyn Storage> {
        Arc::new(self.disk.clone())
    }

    fn tell(&mut self, told: Told) {
        self.timeline.told.push((self.disk.operation_count(), told));
    }

    fn failed(&mut self, what: &str, error: &dyn std::fmt::Display) {
        self.failure.get_or_insert_with(|| format!("{what}: {error}"));
    }

    fn create(&mut self) {
        match AuditLog::create_on(self.storage(), FOLDER, self.options.clone()) {
            Ok(log) => {
                self.log = Some(log);
                self.tell(Told::Created);
            }
            Err(error) => self.failed("create", &error),
        }
    }

    fn open(&mut self) {
        match AuditLog::open_on(self.storage(), FOLDER, self.options.clone()) {
            Ok(log) => self.log = Some(log),
            Err(error) => self.failed("open", &error),
        }
    }

    fn repair(&mut self) {
        let options = self.options.clone();
        // What it can't look at it leaves, and that is no failure of what it does.
        let repaired =
            Repair::look_on(self.storage(), Path::new(FOLDER), options).and_then(|repair| {
                let is_whole = repair.plan().left.is_empty();
                repair.run().map(|_| is_whole)
            });
        match repaired {
            Ok(true) => self.repaired = Some(self.disk.operation_count()),
            Ok(false) => self.failed("repair", &"something was left"),
            Err(error) => self.failed("repair", &error),
        }
    }

    fn step(&mut self, step: Step) {
        if self.refused >= REFUSED_MIN
            && let Some(log) = self.log.take()
        {
            self.violations.extend(halt_holds(&log, &format!("halted{}", self.next)));
            self.refused = 0;
        }
        if self.log.is_none() {
            self.open();
        }
        let Some(log) = self.log.take() else { return };
        match step {
            Step::Append { size } => self.append(&log, size),
            Step::Group { count, size } => self.group(&log, count, size),
            Step::Checkpoint => {
                if let Err(error) = log.checkpoint() {
                    self.failed("checkpoint", &error);
                }
            }
        }
        self.log = Some(log);
    }

    fn append(&mut self, log: &AuditLog, size: usize) {
        let was_halted = log.halted().is_some();
        let (resource, event) = event(self.next, size);
        self.next += 1;
        self.tell(Told::Sent(resource.clone()));
        let answer = log.append(event);
        self.answer(was_halted, resource, answer);
    }

    fn group(&mut self, log: &AuditLog, count: usize, size: usize) {
        let was_halted = log.halted().is_some();
        let (resources, events): (Vec<_>, Vec<_>) =
            (0..count).map(|more| event(self.next + more, size)).unzip();
        self.next += count;
        for resource in &resources {
            self.tell(Told::Sent(resource.clone()));
        }
        match log.submit_all(&events) {
            Ok(pending) => {
                for (pending, resource) in pending.iter().zip(resources) {
                    let answer = pending.wait();
                    self.answer(was_halted, resource, answer);
                }
            }
            Err(batch) => {
                for resource in resources {
                    self.answer(was_halted, resource, Err(batch.error.clone()));
                }
            }
        }
    }

    fn answer(&mut self, was_halted: bool, resource: String, answer: Result<Receipt, AppendError>) {
        match &answer {
            Ok(_) if was_halted => {
                self.violations.push(format!("{resource} was acknowledged after the log halted"));
            }
            Err(AppendError::Indeterminate(_)) if was_halted => {
                self.violations.push(format!("{resource} is perhaps written after the log halted"));
            }
            _ => {}
        }
        if let Err(error) = &answer {
            self.failed(&resource, error);
        }
        if matches!(answer, Err(AppendError::Halted(_))) {
            self.refused += 1;
        }
        self.tell(Told::Answered(resource, answer));
    }
}
