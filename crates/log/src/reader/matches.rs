//! Hands out what a query finds, record by record: [`Matches`], [`Follow`], [`Counted`].

use std::collections::VecDeque;
use std::iter::FusedIterator;

use super::backward::Backward;
use super::forward::Forward;
use super::query::Order;
use super::scan::{End, Hit, Step};
use super::{Limit, ReadError, Reader, StoredRecord};
use crate::segment::Segment;

/// The records that a query finds, in its order; made by [`Reader::query`].
///
/// An item that is an error [that concerns one place alone](ReadError::is_local) does not end it: what stands behind that
/// place comes all the same.
#[derive(Debug)]
pub struct Matches {
    scan: Scan,
    ready: VecDeque<Result<StoredRecord, ReadError>>,
    left: u64,
    done: bool,
    /// Kept open where the scan ends in it, so that no other file takes its place.
    _last: Option<Segment>,
}

#[derive(Debug)]
pub(super) enum Scan {
    Forward(Box<Forward>),
    Backward(Box<Backward>),
    /// Nothing can match.
    Nothing,
}

impl Scan {
    fn step(&mut self, sink: &mut dyn FnMut(Hit<'_>)) -> Result<Step, ReadError> {
        match self {
            Self::Forward(forward) => forward.step(sink),
            Self::Backward(backward) => backward.step(sink),
            Self::Nothing => Ok(Step::Ended),
        }
    }

    pub(super) fn order(&self) -> Order {
        if matches!(self, Self::Backward(_)) { Order::NewestFirst } else { Order::OldestFirst }
    }
}

impl Matches {
    pub(super) fn new(scan: Scan, limit: Option<u64>, last: Option<Segment>) -> Self {
        let left = limit.unwrap_or(u64::MAX);
        Self { scan, ready: VecDeque::new(), left, done: false, _last: last }
    }

    /// Reads until something is ready, or nothing is left.
    fn read_ahead(&mut self) -> Result<(), ReadError> {
        while self.ready.is_empty() && !self.done {
            let ready = &mut self.ready;
            let step = match self.scan.order() {
                Order::OldestFirst => self.scan.step(&mut |hit| ready.push_back(to_item(hit))),
                Order::NewestFirst => self.scan.step(&mut |hit| ready.push_front(to_item(hit))),
            };
            self.done = step? == Step::Ended;
        }
        Ok(())
    }

    /// Counts what is left, without keeping any of it.
    ///
    /// # Errors
    /// A file can't be read, or the log ends before its checkpoint.
    pub fn count_all(mut self) -> Result<Counted, ReadError> {
        let mut counted = Counted { matching: 0, faults: 0, first_fault: None };
        loop {
            let mut broken = None;
            let step = self.scan.step(&mut |hit| match hit {
                Ok(_) => counted.matching += 1,
                Err(e) if e.is_local() => {
                    counted.faults += 1;
                    counted.first_fault.get_or_insert(e);
                }
                Err(e) => broken = Some(e),
            })?;
            if let Some(e) = broken {
                return Err(e);
            }
            if counted.matching >= self.left || step == Step::Ended {
                counted.matching = counted.matching.min(self.left);
                return Ok(counted);
            }
        }
    }
}

fn to_item(hit: Hit<'_>) -> Result<StoredRecord, ReadError> {
    hit.map(super::scan::Matching::to_record)
}

impl Iterator for Matches {
    type Item = Result<StoredRecord, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.left == 0 {
            return None;
        }
        if let Err(e) = self.read_ahead() {
            self.done = true;
            return Some(Err(e));
        }
        let item = self.ready.pop_front()?;
        match &item {
            Ok(_) => self.left -= 1,
            Err(e) if e.is_local() => {}
            Err(_) => self.done = true,
        }
        Some(item)
    }
}

impl FusedIterator for Matches {}

/// How many records a query finds.
#[derive(Debug)]
#[non_exhaustive]
pub struct Counted {
    /// Records that match.
    pub matching: u64,
    /// Places that could not be read as they should, and were passed over.
    pub faults: u64,
    /// The first of them.
    pub first_fault: Option<ReadError>,
}

/// Records as they come; made by [`Reader::follow`].
#[derive(Debug)]
pub struct Follow {
    reader: Reader,
    forward: Forward,
    ready: VecDeque<Result<StoredRecord, ReadError>>,
}

impl Follow {
    pub(super) fn new(reader: Reader, forward: Forward) -> Self {
        Self { reader, forward, ready: VecDeque::new() }
    }

    /// The next record, if it is there by now; nothing where the log has no more yet: then ask again later, as a rule
    /// after [`Reader::FOLLOW_INTERVAL`]. Each record comes once, whatever rotation and retention do meanwhile; those that
    /// retention removed before they were asked for come as one [`ReadError::Absent`].
    pub fn next_ready(&mut self) -> Option<Result<StoredRecord, ReadError>> {
        let mut is_fresh = false;
        loop {
            if let Some(item) = self.ready.pop_front() {
                return Some(item);
            }
            let ready = &mut self.ready;
            match self.forward.step(&mut |hit| ready.push_back(to_item(hit))) {
                Ok(Step::Ended) if is_fresh => {
                    if self.ready.is_empty() {
                        return None;
                    }
                }
                Ok(Step::Ended) => {
                    is_fresh = true;
                    if let Err(e) = self.refresh() {
                        return Some(Err(e));
                    }
                }
                Ok(Step::GoesOn) => {}
                Err(e) => return Some(Err(e)),
            }
        }
    }

    /// Asks how far to read by now.
    fn refresh(&mut self) -> Result<(), ReadError> {
        let end = match self.reader.limit {
            Limit::LineFeed => End::LineFeed,
            Limit::Checkpoint | Limit::Told(_) => {
                End::Before { seq: self.reader.records()?, must_exist: false }
            }
        };
        self.forward.extend(end)
    }
}
