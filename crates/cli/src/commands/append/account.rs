//! Keeps account of what became of each line, so that whoever sent them knows, whatever happens on the way.
//!
//! Invariants: memory does not grow with the number of lines (lines of one fate that follow each other are one run);
//! what [`Account`] says covers every line that was taken, and claims nothing about a line whose fate it was not told.
//!
//! It does not know how lines are appended.

use std::collections::BTreeMap;
use std::fmt;

/// What became of one line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// There was nothing on it.
    Blank,
    /// It is recorded and durable.
    Recorded { seq: u64 },
    /// It had been recorded before, and was not recorded again.
    Known { seq: u64 },
    /// It is not in the log.
    Refused,
    /// Whether it is in the log is not known.
    Unknown,
}

/// What became of all lines.
#[derive(Debug, Default)]
pub(super) struct Account {
    runs: Vec<Run>,
    /// Lines whose predecessors are still under way.
    early: BTreeMap<u64, Fate>,
    fault: Option<(u64, anyhow::Error)>,
}

/// Lines that follow each other and share a fate.
#[derive(Debug)]
struct Run {
    first: u64,
    last: u64,
    kind: Kind,
    recorded: Seqs,
    known: Seqs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Blank,
    InLog,
    Refused,
    Unknown,
}

/// How many sequence numbers, and the range that they span.
#[derive(Clone, Copy, Debug, Default)]
struct Seqs {
    count: u64,
    span: Option<(u64, u64)>,
}

impl Account {
    /// Takes note of what became of `line`.
    pub(super) fn settle(&mut self, line: u64, fate: Fate) {
        self.early.insert(line, fate);
        while let Some(fate) = self.early.remove(&self.next_line()) {
            self.count(fate);
        }
    }

    /// Takes note that `line` failed, and why; the first line that failed gives the reason.
    pub(super) fn fail(&mut self, line: u64, fate: Fate, why: anyhow::Error) {
        self.settle(line, fate);
        if self.fault.as_ref().is_none_or(|(earlier, _)| line < *earlier) {
            self.fault = Some((line, why));
        }
    }

    /// The first line that failed, and why.
    pub(super) fn take_fault(&mut self) -> Option<(u64, anyhow::Error)> {
        self.fault.take()
    }

    /// The line from which on nothing was appended.
    pub(super) fn rest(&self) -> u64 {
        match self.runs.last() {
            Some(run) if run.kind == Kind::Refused => run.first,
            Some(_) | None => self.next_line(),
        }
    }

    /// How many lines may or may not be recorded.
    pub(super) fn in_doubt(&self) -> u64 {
        let unknown = self.runs.iter().filter(|run| run.kind == Kind::Unknown);
        unknown.map(|run| run.last - run.first + 1).sum()
    }

    /// One sentence for a person when every line was taken.
    pub(super) fn summary(&self) -> String {
        let (mut recorded, mut known) = (Seqs::default(), Seqs::default());
        for run in &self.runs {
            recorded.join(run.recorded);
            known.join(run.known);
        }
        match (recorded.count, known.count) {
            (0, 0) => "there was no event to append".to_owned(),
            (0, _) => format!("{} had been recorded before, as {known}", events(known.count)),
            (_, 0) => format!("recorded {} as {recorded}", events(recorded.count)),
            (_, _) => format!(
                "recorded {} as {recorded}; {} had been recorded before, as {known}",
                events(recorded.count),
                events(known.count)
            ),
        }
    }

    fn next_line(&self) -> u64 {
        self.runs.last().map_or(1, |run| run.last + 1)
    }

    fn count(&mut self, fate: Fate) {
        let line = self.next_line();
        let kind = Kind::of(fate);
        let run = match self.runs.last_mut() {
            Some(run) if run.kind == kind || kind == Kind::Blank || run.kind == Kind::Blank => run,
            Some(_) | None => self.runs.push_mut(Run::from(line)),
        };
        run.last = line;
        if kind != Kind::Blank {
            run.kind = kind;
        }
        match fate {
            Fate::Recorded { seq } => run.recorded.join(Seqs::one(seq)),
            Fate::Known { seq } => run.known.join(Seqs::one(seq)),
            Fate::Blank | Fate::Refused | Fate::Unknown => {}
        }
    }
}

/// What became of the lines, for a person, when it stopped before the end.
impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut runs = self.runs.as_slice();
        if let Some((last, before)) = runs.split_last()
            && last.kind == Kind::Refused
        {
            // It is part of what was not appended.
            runs = before;
        }
        for run in runs {
            if run.kind != Kind::Blank {
                write!(f, "{run}; ")?;
            }
        }
        write!(f, "nothing from line {} on was appended", self.rest())
    }
}

impl Run {
    fn from(line: u64) -> Self {
        Self {
            first: line,
            last: line,
            kind: Kind::Blank,
            recorded: Seqs::default(),
            known: Seqs::default(),
        }
    }
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { first, last, kind, recorded, known } = self;
        let one = first == last;
        if one {
            write!(f, "line {first} ")?;
        } else {
            write!(f, "lines {first} to {last} ")?;
        }
        match (kind, known.count) {
            (Kind::Blank, _) => f.write_str(if one { "is empty" } else { "are empty" }),
            (Kind::InLog, 0) => {
                write!(f, "{} recorded as {recorded}", if one { "is" } else { "are" })
            }
            (Kind::InLog, _) if recorded.count == 0 => {
                write!(f, "had been recorded before, as {known}")
            }
            (Kind::InLog, count) => {
                write!(
                    f,
                    "are recorded as {recorded}, but for {count} that had been recorded before, as {known}"
                )
            }
            (Kind::Refused, _) => write!(f, "{} not appended", if one { "was" } else { "were" }),
            (Kind::Unknown, _) => f.write_str("may or may not be recorded"),
        }
    }
}

impl Kind {
    fn of(fate: Fate) -> Self {
        match fate {
            Fate::Blank => Self::Blank,
            Fate::Recorded { .. } | Fate::Known { .. } => Self::InLog,
            Fate::Refused => Self::Refused,
            Fate::Unknown => Self::Unknown,
        }
    }
}

impl Seqs {
    fn one(seq: u64) -> Self {
        Self { count: 1, span: Some((seq, seq)) }
    }

    fn join(&mut self, other: Self) {
        self.count += other.count;
        self.span = match (self.span, other.span) {
            (Some((first, last)), Some((other_first, other_last))) => {
                Some((first.min(other_first), last.max(other_last)))
            }
            (span, None) | (None, span) => span,
        };
    }
}

impl fmt::Display for Seqs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.span {
            Some((first, last)) if first == last => write!(f, "seq {first}"),
            Some((first, last)) => write!(f, "seq {first} to {last}"),
            None => f.write_str("no seq"),
        }
    }
}

fn events(count: u64) -> String {
    if count == 1 { "1 event".to_owned() } else { format!("{count} events") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recorded(seqs: std::ops::RangeInclusive<u64>) -> Account {
        let mut account = Account::default();
        for (line, seq) in (1..).zip(seqs) {
            account.settle(line, Fate::Recorded { seq });
        }
        account
    }

    #[test]
    fn a_bad_line_leaves_the_lines_before_it_recorded() {
        let mut account = recorded(5..=45);
        account.fail(42, Fate::Refused, anyhow::anyhow!("metadata: not an object"));
        assert_eq!(
            account.to_string(),
            "lines 1 to 41 are recorded as seq 5 to 45; nothing from line 42 on was appended"
        );
        assert_eq!(account.rest(), 42);
    }

    #[test]
    fn a_bad_first_line_leaves_nothing() {
        let mut account = Account::default();
        account.fail(1, Fate::Refused, anyhow::anyhow!("x"));
        assert_eq!(account.to_string(), "nothing from line 1 on was appended");
    }

    #[test]
    fn empty_lines_belong_to_their_neighbours() {
        let mut account = Account::default();
        account.settle(1, Fate::Blank);
        account.settle(2, Fate::Recorded { seq: 7 });
        account.settle(3, Fate::Blank);
        account.fail(4, Fate::Refused, anyhow::anyhow!("x"));
        assert_eq!(
            account.to_string(),
            "lines 1 to 3 are recorded as seq 7; nothing from line 4 on was appended"
        );
        assert_eq!(account.summary(), "recorded 1 event as seq 7");
    }

    #[test]
    fn lines_after_a_failed_one_that_were_under_way_are_told() {
        let mut account = recorded(5..=33);
        account.settle(32, Fate::Recorded { seq: 35 });
        account.settle(31, Fate::Recorded { seq: 34 });
        account.fail(30, Fate::Refused, anyhow::anyhow!("conflict"));
        assert_eq!(
            account.to_string(),
            "lines 1 to 29 are recorded as seq 5 to 33; line 30 was not appended; \
             lines 31 to 32 are recorded as seq 34 to 35; nothing from line 33 on was appended"
        );
        assert_eq!(
            account.take_fault().map(|(line, why)| (line, why.to_string())),
            Some((30, "conflict".to_owned()))
        );
    }

    #[test]
    fn the_first_line_that_failed_gives_the_reason() {
        let mut account = recorded(1..=1);
        account.fail(4, Fate::Refused, anyhow::anyhow!("halted"));
        account.fail(2, Fate::Unknown, anyhow::anyhow!("sync failed"));
        account.fail(3, Fate::Unknown, anyhow::anyhow!("sync failed too"));
        assert_eq!(
            account.to_string(),
            "line 1 is recorded as seq 1; lines 2 to 3 may or may not be recorded; \
             nothing from line 4 on was appended"
        );
        assert_eq!(
            account.take_fault().map(|(line, why)| (line, why.to_string())),
            Some((2, "sync failed".to_owned()))
        );
    }

    #[test]
    fn what_had_been_recorded_before_is_told_apart() {
        let mut account = Account::default();
        account.settle(1, Fate::Known { seq: 3 });
        account.settle(2, Fate::Known { seq: 4 });
        assert_eq!(account.summary(), "2 events had been recorded before, as seq 3 to 4");
        account.settle(3, Fate::Recorded { seq: 9 });
        assert_eq!(
            account.summary(),
            "recorded 1 event as seq 9; 2 events had been recorded before, as seq 3 to 4"
        );
        assert_eq!(
            account.to_string(),
            "lines 1 to 3 are recorded as seq 9, but for 2 that had been recorded before, as seq 3 to 4; \
             nothing from line 4 on was appended"
        );
    }

    #[test]
    fn no_line_at_all_is_told_too() {
        assert_eq!(Account::default().summary(), "there was no event to append");
    }

    #[test]
    fn a_million_lines_of_one_fate_take_one_run() {
        let account = recorded(1..=1_000_000);
        assert_eq!((account.runs.len(), account.early.len()), (1, 0));
    }
}
