//! Takes what was scanned ahead, at once, where it follows; and says which records follow each other.
//!
//! Invariant: a run is taken only where the walk over its lines would find nothing and end in the same state.

use std::sync::Arc;

use indelible_format::record::Record;
use indelible_format::seeded::{self, Bug};

use super::super::collect::Findings;
use super::super::place::Place;
use super::super::scan::Run;
use super::super::stretches::Standing;
use super::{Current, Last, Walk};

impl Walk<'_> {
    /// Whether a run that can be taken begins at `offset`.
    pub(super) fn run_begins(&mut self, current: &Current<'_>, offset: u64) -> bool {
        let Some(run) = self.feed.run_at(current.index, offset) else { return false };
        let Some(last) = self.last.filter(|_| !self.gap && self.policy.form_known()) else {
            return false;
        };
        run.end <= current.size
            && run.first_seq == last.seq.saturating_add(1)
            && (run.prev_hash == last.hash || seeded::is(Bug::ComparesSeqsOnly))
            && run.first_timestamp >= last.timestamp
            && self.tree.fits(run)
    }

    /// Takes the run that begins at `offset`, and says where it ends; `None` where none can be taken.
    pub(super) fn take_run(
        &mut self,
        current: &Current<'_>,
        offset: u64,
        out: &mut Findings,
    ) -> Option<u64> {
        if !self.run_begins(current, offset) {
            return None;
        }
        let run = self.feed.take()?;
        if offset == 0 {
            self.starts.insert(run.first_seq, run.prev_hash);
        }
        if !self.stretches.go_on(run.last_seq()) {
            self.stretches.begin(&place(current, offset, run.first_seq), Standing::InPlace);
            self.stretches.go_on(run.last_seq());
        }
        self.tree.take(&run, out);
        self.records += run.count;
        self.last = Some(last(&run));
        self.progress.reach(current.before + run.end);
        Some(run.end)
    }

    /// Adds an intact record to the stretch under way, or begins another with it where it does not follow.
    pub(super) fn stretch(&mut self, current: &Current<'_>, offset: u64, record: &Record<'_>) {
        let seq = record.seq();
        let follows = self.last.is_some_and(|last| {
            !self.gap && Some(seq) == last.seq.checked_add(1) && record.prev_hash() == last.hash
        });
        if follows && self.stretches.go_on(seq) {
            return;
        }
        let standing = if self.tree.size() <= seq { Standing::InPlace } else { Standing::Beside };
        self.stretches.begin(&place(current, offset, seq), standing);
    }
}

fn place(current: &Current<'_>, offset: u64, seq: u64) -> Place {
    Place { file: Arc::clone(&current.file), offset, seq }
}

/// The last record of `run`.
fn last(run: &Run) -> Last {
    let (seq, hash, timestamp) = (run.last_seq(), run.hash, run.last_timestamp);
    Last { seq, hash, timestamp, redacted: false }
}
