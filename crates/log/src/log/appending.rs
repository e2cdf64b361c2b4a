//! How events come in: one or many, waiting or refusing to, for a principal or for nobody.
//!
//! Invariants:
//! - everything that needs no order is done on the caller's thread, before any lock: checking, and the bytes between
//!   timestamp and link suffix;
//! - of a call that fails nothing was queued.
//!
//! It queues, and commits nothing: that is `writer`.

use std::borrow::Borrow;
use std::sync::Arc;

use indelible_format::event::{Event, EventError, check_recorded_by, write_string};
use indelible_format::own::{Announcement, OwnContext, ServiceRecord, write_own};

use super::AuditLog;
use crate::error::{AppendError, BatchError, Obstacle};
use crate::idempotency::EventKey;
use crate::pending::Pending;
use crate::receipt::Receipt;
use crate::signer::unsigned;
use crate::writer::group::Accepted;
use crate::writer::submission::Submission;

/// Bytes of an entry besides its fields, with a seq of 18 digits: the most that one has.
const ENTRY_FRAME_SIZE: usize =
    "{\"seq\":999999999999999999,\"timestamp\":\"2026-01-02T03:04:05.000000000Z\",}".len();

/// Bytes of the field `recorded_by` besides the principal.
const RECORDED_BY_FRAME_SIZE: usize = ",\"recorded_by\":\"\"".len();

impl AuditLog {
    /// Appends an event and blocks until it is durable. Concurrent appends share one write and one sync.
    ///
    /// # Durability
    /// On `Ok` the record is on the disk, and nothing a crash does takes it away.
    ///
    /// # Errors
    /// Says whether the event was rejected, not written, or perhaps written: [`AppendError::is_indeterminate`].
    pub fn append(&self, event: impl Borrow<Event>) -> Result<Receipt, AppendError> {
        self.append_one(event.borrow(), None)
    }

    /// As [`AuditLog::append`], for an authenticated `principal` that stands in the record as `recorded_by`.
    ///
    /// # Durability
    /// As [`AuditLog::append`].
    ///
    /// # Errors
    /// As [`AuditLog::append`].
    pub fn append_recorded_by(
        &self,
        event: impl Borrow<Event>,
        principal: &str,
    ) -> Result<Receipt, AppendError> {
        self.append_one(event.borrow(), Some(principal))
    }

    /// Queues an event, waiting for room where the queue is full.
    ///
    /// # Durability
    /// None before the [`Pending`] resolves; dropping it does not take the event back.
    ///
    /// # Errors
    /// Where the event is outside the limits, or the log closed or halted: nothing was queued.
    pub fn submit(&self, event: impl Borrow<Event>) -> Result<Pending, AppendError> {
        self.submit_one(event.borrow(), None)
    }

    /// As [`AuditLog::submit`], for an authenticated `principal`.
    ///
    /// # Durability
    /// As [`AuditLog::submit`].
    ///
    /// # Errors
    /// As [`AuditLog::submit`].
    pub fn submit_recorded_by(
        &self,
        event: impl Borrow<Event>,
        principal: &str,
    ) -> Result<Pending, AppendError> {
        self.submit_one(event.borrow(), Some(principal))
    }

    /// Queues an event, or refuses it; it never waits.
    ///
    /// # Durability
    /// As [`AuditLog::submit`].
    ///
    /// # Errors
    /// As [`AuditLog::submit`]; [`AppendError::QueueFull`] where the queue has no room, [`AppendError::NotReady`] where
    /// the event carries an `event_id` and opening is still reading which the log has, and [`AppendError::Conflict`].
    pub fn try_submit(&self, event: impl Borrow<Event>) -> Result<Pending, AppendError> {
        self.try_submit_one(event.borrow(), None)
    }

    /// As [`AuditLog::try_submit`], for an authenticated `principal`.
    ///
    /// # Durability
    /// As [`AuditLog::submit`].
    ///
    /// # Errors
    /// As [`AuditLog::try_submit`].
    pub fn try_submit_recorded_by(
        &self,
        event: impl Borrow<Event>,
        principal: &str,
    ) -> Result<Pending, AppendError> {
        self.try_submit_one(event.borrow(), Some(principal))
    }

    /// Queues many events, in order, waiting for room as needed. All are checked before any is queued.
    ///
    /// # Durability
    /// As [`AuditLog::submit`], each on its own: a crash may keep the first of them and not the last.
    ///
    /// # Errors
    /// Nothing was queued: one of the events is outside the limits, and the error says which, or the log is closed or
    /// halted. What an `event_id` comes to, the [`Pending`] of its event tells.
    pub fn submit_all(&self, events: &[Event]) -> Result<Vec<Pending>, BatchError> {
        let accepted = self.writer.submit(self.prepare_all(events, None)?)?;
        self.writer.hand_off();
        Ok(self.pending(accepted))
    }

    /// Queues many events, in order and with no other event between them, or refuses them all; it never waits. All are
    /// checked before any is queued: also their `event_id`s, against what is recorded, what is under way, and each other.
    ///
    /// Two events of the batch with the same `event_id` and content become one record, whose receipt both get.
    ///
    /// # Durability
    /// As [`AuditLog::submit_all`].
    ///
    /// # Errors
    /// As [`AuditLog::try_submit`], nothing was queued, and the error says which event is at fault, where one is. A batch
    /// that needs more than [`Waiting::limit`](crate::Waiting::limit) bytes never fits.
    pub fn try_submit_all(&self, events: &[Event]) -> Result<Vec<Pending>, BatchError> {
        let accepted = self.writer.try_submit(self.prepare_all(events, None)?)?;
        Ok(self.pending(accepted))
    }

    /// As [`AuditLog::try_submit_all`], for an authenticated `principal`.
    ///
    /// # Durability
    /// As [`AuditLog::submit_all`].
    ///
    /// # Errors
    /// As [`AuditLog::try_submit_all`].
    pub fn try_submit_all_recorded_by(
        &self,
        events: &[Event],
        principal: &str,
    ) -> Result<Vec<Pending>, BatchError> {
        let accepted = self.writer.try_submit(self.prepare_all(events, Some(principal))?)?;
        Ok(self.pending(accepted))
    }

    /// Queues a record of the log's own that tells of the service in front of the log; it never waits. This is for the
    /// service itself: no event that a client sends becomes such a record.
    ///
    /// # Durability
    /// As [`AuditLog::submit`].
    ///
    /// # Errors
    /// [`AppendError::QueueFull`], or the log is closed or halted: nothing was queued.
    pub fn record_service(&self, what: ServiceRecord) -> Result<Pending, AppendError> {
        let identity = self.publisher.identity();
        let context = OwnContext { log_id: identity.log_id(), origin: identity.origin() };
        let mut fields = Vec::new();
        let what = Announcement::Service(what);
        write_own(&mut fields, 0, &what, &context, &mut unsigned);
        self.write_salt(&mut fields)?;
        let accepted = self.writer.try_submit(vec![Submission::new(fields, None)]);
        let accepted = accepted.map_err(|refused| refused.error)?;
        self.pending(accepted).pop().ok_or(AppendError::Closed)
    }

    /// Says whether an event is within the limits, the size of its entry among them, and queues nothing. What was found
    /// good here is good in any call that follows, with the same `principal`.
    ///
    /// # Errors
    /// As [`AuditLog::submit`] would say it.
    pub fn check(
        &self,
        event: impl Borrow<Event>,
        principal: Option<&str>,
    ) -> Result<(), EventError> {
        let client = event.borrow().encode()?;
        let recorded_by = recorded_by(principal)?;
        self.check_size(client.bytes().len() + recorded_by.len())
    }

    fn append_one(&self, event: &Event, principal: Option<&str>) -> Result<Receipt, AppendError> {
        let accepted = self.writer.submit(vec![self.prepare(event, principal)?])?;
        self.writer.drive();
        self.pending(accepted).first().map_or(Err(AppendError::Closed), Pending::wait)
    }

    fn submit_one(&self, event: &Event, principal: Option<&str>) -> Result<Pending, AppendError> {
        let accepted = self.writer.submit(vec![self.prepare(event, principal)?])?;
        self.writer.hand_off();
        self.pending(accepted).pop().ok_or(AppendError::Closed)
    }

    fn try_submit_one(
        &self,
        event: &Event,
        principal: Option<&str>,
    ) -> Result<Pending, AppendError> {
        let prepared = vec![self.prepare(event, principal)?];
        let accepted = self.writer.try_submit(prepared).map_err(|refused| refused.error)?;
        self.pending(accepted).pop().ok_or(AppendError::Closed)
    }

    fn pending(&self, accepted: Vec<Accepted>) -> Vec<Pending> {
        let pending = |a: Accepted| Pending::new(a.slot, a.joined, Arc::clone(&self.publisher));
        accepted.into_iter().map(pending).collect()
    }

    fn prepare_all(
        &self,
        events: &[Event],
        principal: Option<&str>,
    ) -> Result<Vec<Submission>, BatchError> {
        let prepared = events.iter().enumerate().map(|(index, event)| {
            self.prepare(event, principal).map_err(|error| BatchError { index: Some(index), error })
        });
        prepared.collect()
    }

    fn prepare(&self, event: &Event, principal: Option<&str>) -> Result<Submission, AppendError> {
        let client = event.encode()?;
        let recorded_by = recorded_by(principal)?;
        self.check_size(client.bytes().len() + recorded_by.len())?;
        let key = client.event_id().map(|id| EventKey::new(principal, id, client.bytes()));
        let mut fields = client.into_bytes();
        fields.extend_from_slice(&recorded_by);
        self.write_salt(&mut fields)?;
        Ok(Submission::new(fields, key))
    }

    fn write_salt(&self, fields: &mut Vec<u8>) -> Result<(), AppendError> {
        let written = self.salts.write(fields);
        written.map_err(|failure| AppendError::NotWritten { cause: Obstacle::Io(failure) })
    }

    /// Checks the size of an entry of which `fields_size` bytes are fields, salt aside.
    fn check_size(&self, fields_size: usize) -> Result<(), EventError> {
        let size = fields_size + self.salts.field_size() + ENTRY_FRAME_SIZE;
        if size > self.entry_size_max {
            return Err(EventError::EntryTooLarge { limit: self.entry_size_max, size });
        }
        Ok(())
    }
}

/// The field `recorded_by` with the comma before it; nothing where there is no principal.
fn recorded_by(principal: Option<&str>) -> Result<Vec<u8>, EventError> {
    let mut field = Vec::new();
    if let Some(principal) = principal {
        check_recorded_by(principal)?;
        field.reserve(RECORDED_BY_FRAME_SIZE + principal.len());
        field.extend_from_slice(b",\"recorded_by\":");
        write_string(&mut field, principal);
    }
    Ok(field)
}
