//! What a repair would do, step by step, for people and programs.

use std::fmt;

use indelible_format::own::TailKind;

use crate::error::OpenError;
use crate::io::exists;
use crate::layout::{HISTORY, QUARANTINE, TREE};
use crate::recovery::mend::Mend;
use crate::recovery::quarantine::is_tmp;
use crate::segment::to_u64;
use crate::tree_store::is_row_tmp;
use crate::verify::Finding;

/// What a repair would do, and what it can't.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RepairPlan {
    /// What it would do, in this order; empty where there is nothing to do, and where a fault is left.
    pub steps: Vec<RepairStep>,
    /// What is wrong and can't be repaired, as a verification says it; such a log stays as it is.
    pub left: Vec<Finding>,
    /// Records that no signature covers, where opening has nothing to do but to adopt them: that is no repair.
    pub adopts: Option<Unsigned>,
}

/// Records beyond every signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Unsigned {
    /// The first of them.
    pub from_seq: u64,
    /// The last of them.
    pub to_seq: u64,
}

impl RepairPlan {
    /// Takes a lone adoption out of the steps; drops them all where a fault is left, so that the evidence stays as it is.
    pub(super) fn settle(&mut self) {
        if self.left.iter().any(|finding| finding.class.is_fault()) {
            self.steps.clear();
            return;
        }
        let is_lone = self.steps.iter().filter(|step| step.is_for_opening()).count() == 1;
        if let Some(RepairStep::Adopt { from_seq, to_seq }) = self.steps.last()
            && is_lone
        {
            self.adopts = Some(Unsigned { from_seq: *from_seq, to_seq: *to_seq });
            self.steps.pop();
        }
    }
}

/// One thing that a repair does.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RepairStep {
    /// Rebuilds a row of the tree from the records, which give the root that was signed.
    RebuildRow {
        /// Which row.
        row: u8,
        /// Hashes that it will have.
        count: u64,
        /// How many of them are absent or wrong.
        wrong: u64,
        /// Byte position of the first of them.
        offset: u64,
    },
    /// Removes a file that was being written when a crash came.
    RemoveTmp {
        /// Its name, relative to the folder.
        file: String,
    },
    /// Cuts a torn last line of `checkpoints.jsonl`.
    CutHistory {
        /// Where it begins.
        offset: u64,
        /// How many bytes.
        length: u64,
    },
    /// Puts the torn bytes at the end into quarantine, cuts them, and records it.
    CutTail {
        /// What they are.
        kind: TailKind,
        /// In which file.
        file: String,
        /// Where in it.
        offset: u64,
        /// How many bytes.
        length: u64,
    },
    /// Ends the last record, which is whole, with its line feed, and records it.
    EndLine {
        /// In which file.
        file: String,
        /// Where in it.
        offset: u64,
    },
    /// Finishes the renames of a rotation.
    FinishRotation,
    /// Writes the record that tells of a quarantine file.
    TellOfQuarantine {
        /// Its name, relative to the folder.
        file: String,
    },
    /// Adopts records that no signature covers, and records it.
    Adopt {
        /// The first of them.
        from_seq: u64,
        /// The last of them.
        to_seq: u64,
    },
    /// Removes segments that a signed prune record announced.
    RemoveSegments {
        /// How many.
        count: u64,
    },
}

impl RepairStep {
    /// Whether opening for appending does it too.
    pub(super) fn is_for_opening(&self) -> bool {
        !matches!(self, Self::RebuildRow { .. })
    }
}

impl fmt::Display for RepairStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RebuildRow { row, count, wrong, offset } => write!(
                f,
                "rebuild {TREE}/{row} from the records: {wrong} of {count} hashes are absent or wrong, the first at \
                 byte {offset}"
            ),
            Self::RemoveTmp { file } => {
                write!(f, "remove {file}, which was being written when a crash came")
            }
            Self::CutHistory { offset, length } => {
                write!(f, "cut the torn last line of {HISTORY}: {length} bytes at byte {offset}")
            }
            Self::CutTail { kind, file, offset, length } => write!(
                f,
                "cut the torn tail of {file} ({kind}): {length} bytes at byte {offset} go to {QUARANTINE}/, and a \
                 record tells of it"
            ),
            Self::EndLine { file, offset } => write!(
                f,
                "end the last line of {file} at byte {offset}, a whole record, and tell of it in a record"
            ),
            Self::FinishRotation => f.write_str("finish a rotation that was cut short"),
            Self::TellOfQuarantine { file } => {
                write!(f, "write the record that tells of {file}")
            }
            Self::Adopt { from_seq, to_seq } => write!(
                f,
                "adopt records {from_seq} to {to_seq}, which lie beyond every signature, and record that"
            ),
            Self::RemoveSegments { count } => {
                write!(f, "remove {count} old segments that a signed prune record announced")
            }
        }
    }
}

/// What opening for appending would do.
pub(super) fn steps_of(mend: &Mend<'_>) -> Result<Vec<RepairStep>, OpenError> {
    let gap = mend.check_numbers()?;
    let mut steps = tmp_files(mend)?;
    let history = &mend.seen.mark.history;
    if history.size > history.whole_size {
        let (offset, length) = (history.whole_size, history.size - history.whole_size);
        steps.push(RepairStep::CutHistory { offset, length });
    }
    let told_of = mend.untold_files()?;
    let mut records = to_u64(told_of.len());
    if let Some(torn) = &mend.tail.torn {
        let (file, offset) = (mend.tail.segment.name(), mend.tail.end);
        let length = to_u64(torn.bytes.len());
        steps.push(if torn.kind == TailKind::NoLf {
            RepairStep::EndLine { file, offset }
        } else {
            RepairStep::CutTail { kind: torn.kind, file, offset, length }
        });
        records += 1;
    }
    if gap.is_some() || !mend.seen.numbers.contains(&0) {
        steps.push(RepairStep::FinishRotation);
    }
    for (file, _) in told_of {
        steps.push(RepairStep::TellOfQuarantine { file: file.path() });
    }
    steps.extend(adoption(mend, records));
    let count = doomed(mend);
    if count > 0 {
        steps.push(RepairStep::RemoveSegments { count });
    }
    Ok(steps)
}

fn tmp_files(mend: &Mend<'_>) -> Result<Vec<RepairStep>, OpenError> {
    let mut steps = Vec::new();
    if exists(mend.storage.as_ref(), &mend.layout.checkpoint_tmp())? {
        steps.push(RepairStep::RemoveTmp { file: "checkpoint.tmp".to_owned() });
    }
    let mut left = |name: &str, files: Vec<String>, is_own: fn(&str) -> bool| {
        let own = files.into_iter().filter(|file| is_own(file));
        steps.extend(own.map(|file| RepairStep::RemoveTmp { file: format!("{name}/{file}") }));
    };
    left(TREE, mend.names(&mend.layout.tree())?, is_row_tmp);
    left(QUARANTINE, mend.names(&mend.layout.quarantine())?, is_tmp);
    Ok(steps)
}

/// The records beyond the mark, and the repair records that will stand before the adoption.
fn adoption(mend: &Mend<'_>, records: u64) -> Option<RepairStep> {
    let mark = mend.seen.mark.size;
    let told = mend.tail.adopted_from == Some(mark) && records == 0;
    if mend.tail.hashes.is_empty() || told {
        return None;
    }
    Some(RepairStep::Adopt { from_seq: mark, to_seq: mend.tail.last.seq + records })
}

/// Segments that are removed since the one behind them begins at or before the first record that is kept.
fn doomed(mend: &Mend<'_>) -> u64 {
    let begins = mend.seen.segments.iter().skip(1).filter_map(|seen| seen.first);
    to_u64(begins.filter(|first| first.first_seq <= mend.seen.kept_from).count())
}
