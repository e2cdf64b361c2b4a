//! Where a record stands.

use std::sync::Arc;

use super::finding::{Finding, Problem};

/// File, byte and sequence number of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) file: Arc<str>,
    pub(super) offset: u64,
    pub(super) seq: u64,
}

impl Place {
    /// A finding about this record.
    pub(super) fn finding(&self, problem: Problem) -> Finding {
        Finding::new(problem).at(&*self.file, self.offset).record(self.seq)
    }
}
