//! Judges lines in which sectors never reached the disk, or are lost: a run of NULs may have swallowed line feeds, and
//! with them the borders of records. And keeps where records are lost, of which nobody knows yet how many they were.
//!
//! Invariant: what is left of such a line stands for no record, since its head may be of one and its link of another;
//! the next intact record says how many stood there.

use std::ops::Range;
use std::sync::Arc;

use indelible_format::record::parse_head;

use super::super::collect::Findings;
use super::super::finding::{Finding, Problem};
use super::super::place::Place;
use super::{Current, Walk};
use crate::segment::to_u64;
use crate::tail::lost_sectors;

impl Walk<'_> {
    /// Reports the line that begins at `offset`, without its line feed, if sectors of it are lost; the walk goes on
    /// with the next one. Says whether it did.
    pub(super) fn lost(
        &mut self,
        current: &Current<'_>,
        offset: u64,
        line: &[u8],
        out: &mut Findings,
    ) -> bool {
        let Some(run) = lost_sectors(line, offset) else { return false };
        self.stretches.end();
        let head = parse_head(line).ok().map(|head| head.seq);
        let mut finding = Finding::new(Problem::NulRun).at(&*current.file, offset);
        finding.seq = self.seq_or_head(current, offset, line);
        out.add(finding.found(said(&run, offset)));
        if let Some(seq) = head.filter(|_| self.last.is_none() && self.first.is_none())
            && offset == 0
        {
            self.first = Some(Place { file: Arc::clone(&current.file), offset, seq });
        }
        self.lose(Problem::NulRun, current, offset);
        true
    }

    /// Says that from `offset` on records are lost, of which only the next intact one tells how many they were; `problem`
    /// is what was reported there.
    pub(super) fn lose(&mut self, problem: Problem, current: &Current<'_>, offset: u64) {
        if matches!(problem, Problem::NulRun | Problem::Unreadable) {
            self.policy.lose();
        }
        if !self.gap {
            let file = Arc::clone(&current.file);
            self.lost_at = Some(Lost { problem, file, offset });
        }
        self.gap = true;
    }

    /// Adds to what was reported where the gap begins which records stood there, now that an intact one with `seq`
    /// follows.
    pub(super) fn tell_lost(&mut self, seq: u64, out: &mut Findings) {
        let Some(Lost { problem, file, offset }) = self.lost_at.take() else { return };
        let before = self.next_seq().or_else(|| self.first.as_ref().map(|first| first.seq));
        let Some((from, to)) = before.zip(seq.checked_sub(1)).filter(|(from, to)| from <= to)
        else {
            return;
        };
        // Of a line that is one record it is said already.
        let by_line = !matches!(problem, Problem::NulRun | Problem::Unreadable);
        if from == to && by_line {
            return;
        }
        let reported = |finding: &&mut Finding| {
            finding.file.as_deref() == Some(&*file) && finding.offset == Some(offset)
        };
        if let Some(finding) = out.of(problem).find(reported) {
            finding.evidence.push(if from == to {
                format!("record {from} stood there")
            } else {
                format!("records {from} to {to} stood there")
            });
        }
    }
}

/// Where a gap begins, and what was reported there.
#[derive(Debug)]
pub(super) struct Lost {
    problem: Problem,
    file: Arc<str>,
    offset: u64,
}

/// The NULs at `run` of a line at `offset`, by their place in the file.
fn said(run: &Range<usize>, offset: u64) -> String {
    let at = |index: usize| offset.saturating_add(to_u64(index));
    format!("{} NUL bytes, {} to {}", run.len(), at(run.start), at(run.end.saturating_sub(1)))
}
