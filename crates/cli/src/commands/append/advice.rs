//! What to do once a stream of events stopped half-way: mend a line, go on with it, or look first.
//!
//! It reads error values, never their text, and prints nothing.

use std::path::Path;

use indelible::AppendError;

use super::input::{LineError, Source};
use crate::hint::{self, quote};

/// Which way events go.
#[derive(Clone, Copy, Debug)]
pub(super) struct Way<'a> {
    pub(super) dir: &'a Path,
    pub(super) source: &'a Source,
}

/// Where a stream of events stopped.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stop {
    /// The first line that failed.
    pub(super) line: u64,
    /// From this line on nothing was appended.
    pub(super) rest: u64,
    /// How many lines may or may not be recorded.
    pub(super) in_doubt: u64,
    /// Whether each of those has an `event_id`.
    pub(super) all_named: bool,
}

impl Way<'_> {
    /// What to do about the first failure.
    #[expect(clippy::wildcard_enum_match_arm, reason = "only what is no fault of a line is named")]
    pub(super) fn advice(self, why: &anyhow::Error, stop: Stop) -> String {
        let Self { dir, source } = self;
        if let Some(error) = why.downcast_ref::<AppendError>() {
            return match error {
                AppendError::Indeterminate(_) if stop.all_named => {
                    format!("{}; {}", in_doubt(dir, stop.in_doubt, true), source.go_on(stop.line))
                }
                AppendError::Indeterminate(_) => in_doubt(dir, stop.in_doubt, false),
                AppendError::Halted(_) | AppendError::Closed => format!(
                    "line {} is not at fault: put right what is named above, and {}",
                    stop.rest,
                    source.go_on(stop.rest)
                ),
                AppendError::NotWritten { .. } => {
                    let room = hint::of(why, dir).unwrap_or_default();
                    format!("{room}: {}", source.go_on(stop.rest))
                }
                _ => hint::of(why, dir).unwrap_or_else(|| source.resume(stop.rest)),
            };
        }
        match why.downcast_ref::<LineError>() {
            Some(LineError::Io(_)) => source.go_on(stop.rest),
            Some(LineError::NotOneObject(_)) => format!(
                "an event is one JSON object on one line, as `jq -c .` writes it, or `jq -c '.[]'` from an array; {}",
                source.resume(stop.rest)
            ),
            Some(LineError::TooLong | LineError::ByteOrderMark) | None => source.resume(stop.rest),
        }
    }
}

/// What to do about events that may or may not be recorded: without an `event_id` each could be recorded twice.
pub(super) fn in_doubt(dir: &Path, count: u64, named: bool) -> String {
    if named {
        return "append the same events again, with the same event_id: what is recorded is not recorded twice".to_owned();
    }
    let dir = quote(dir);
    format!(
        "don't send them again before you have looked, since without an event_id they would be recorded twice: \
         `indelible checkpoint {dir}` opens the log and settles it, `indelible tail {dir} -n {}` then shows what it has",
        count.max(10)
    )
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    #[test]
    fn a_line_is_only_to_be_mended_where_it_is_at_fault() {
        let source = Source::File(PathBuf::from("e.jsonl"));
        let way = Way { dir: Path::new("audit"), source: &source };
        let stop = Stop { line: 34, rest: 34, in_doubt: 0, all_named: true };
        let go_on = "go on with line 34: tail -n +34 e.jsonl | indelible append … --file -";
        assert_eq!(
            way.advice(&AppendError::Closed.into(), stop),
            format!("line 34 is not at fault: put right what is named above, and {go_on}")
        );
        let unread = LineError::Io(std::io::ErrorKind::StaleNetworkFileHandle.into());
        assert_eq!(way.advice(&unread.into(), stop), go_on);
        let bad = indelible::format::event::Event::from_json(b"{}").expect_err("no event");
        assert!(way.advice(&bad.into(), stop).starts_with("mend line 34, then go on with it: "));
    }
}
