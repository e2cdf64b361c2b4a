//! An event on its way from the caller to the committer.

use std::sync::Arc;

use crate::idempotency::EventKey;
use crate::pending::Slot;

/// Bytes that head, link suffix and line feed add to the fields, at the most.
const FRAME_SIZE_MAX: usize = 256;

/// An event that was accepted: its stored fields, and where its outcome goes.
#[derive(Debug)]
pub(crate) struct Submission {
    fields: Vec<u8>,
    pub(crate) key: Option<EventKey>,
    pub(crate) slot: Arc<Slot>,
}

impl Submission {
    /// `fields` are everything between timestamp and link suffix.
    pub(crate) fn new(fields: Vec<u8>, key: Option<EventKey>) -> Self {
        Self { fields, key, slot: Arc::default() }
    }

    pub(crate) fn fields(&self) -> &[u8] {
        &self.fields
    }

    /// Bytes that it takes in a group, at the most.
    pub(crate) fn size(&self) -> usize {
        self.fields.len() + FRAME_SIZE_MAX
    }
}
