//! The sync of somebody else that takes the failure of the journal upon itself, staged.
//!
//! Once the log has written a group, the device fails all writes to the journal, and no other. Then the file system is
//! synced by somebody else: the group's bytes come to their blocks, the transaction that says so can't be written, and the
//! journal is given up, of which they are told. Another sync of the same file then says success, if the kernel is one that
//! does: that is looked at and told. The log's own comes next.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::others_sync::Somebody;
use super::teller::Teller;
use super::told::word;

/// Syncs that nobody waits for.
const NONE: u64 = u64::MAX;

/// Which sync of records it comes before.
#[derive(Debug)]
pub(super) struct Stage {
    /// Syncs of records that are still to come before it.
    left: AtomicU64,
    teller: Arc<Teller>,
}

impl Stage {
    /// Not before it is set.
    pub(super) fn new(teller: &Arc<Teller>) -> Self {
        Self { left: AtomicU64::new(NONE), teller: Arc::clone(teller) }
    }

    /// It comes before the sync of records that is the `nth` from now on, from 0.
    pub(super) fn set(&self, nth: u64) {
        self.left.store(nth, Ordering::Relaxed);
    }

    /// Plays it, where this is the sync of `records` that it comes before.
    pub(super) fn comes(&self, records: &Path) -> io::Result<()> {
        let less = |left: u64| if left == NONE { None } else { Some(left.wrapping_sub(1)) };
        if self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less) != Ok(0) {
            return Ok(());
        }
        let somebody = Somebody::beside(records)?;
        self.teller.tell(word::BREAKS, &"")?;
        let theirs = somebody.syncs();
        let again = somebody.syncs_file();
        let what = match (theirs, again) {
            (Ok(()), _) => "theirs succeeded",
            (Err(_), Err(_)) => "the next failed too",
            (Err(_), Ok(())) => word::MET,
        };
        self.teller.tell(word::STAGED, &what)
    }
}
