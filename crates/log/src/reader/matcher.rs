//! Holds lines against a query: needles first, on raw bytes, then the fields of those that are left.
//!
//! Invariants:
//! - a line that is taken is a record whose form and hash are right, and every condition of the query holds for it;
//! - of a line without the needles nothing is said, not even whether it is a record: that is for the verifier.

use std::borrow::Cow;

use indelible_format::decode_error::DecodeError;
use indelible_format::event::OWN_ACTOR;
use indelible_format::record::{Content, Record};
use indelible_format::time::Timestamp;

use super::needle::Needle;
use super::query::{Filter, Query, Value};

/// A query, made ready for many lines.
#[derive(Clone, Debug)]
pub(super) struct Matcher {
    filters: Vec<Filter>,
    /// The one that is looked for in whole blocks.
    first: Option<Needle>,
    /// Those that the line must hold as well.
    others: Vec<Needle>,
    from_seq: u64,
    to_seq: u64,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
}

impl Matcher {
    pub(super) fn new(query: &Query) -> Self {
        let mut needles: Vec<Needle> = query.filters.iter().flat_map(needles).collect();
        needles.sort_by_key(Needle::rank);
        Self {
            filters: query.filters.clone(),
            first: needles.pop(),
            others: needles,
            from_seq: query.from_seq,
            to_seq: query.to_seq.unwrap_or(u64::MAX),
            since: query.since,
            until: query.until,
        }
    }

    /// Hands `each` line of `lines` that matches, with its offset there and its seq; and why, where a line that might
    /// is no record.
    pub(super) fn search(
        &self,
        lines: &[u8],
        mut each: impl FnMut(usize, &[u8], Result<u64, DecodeError>),
    ) {
        let mut judge = |offset, line: &[u8]| {
            if let Some(judged) = self.judge(line).transpose() {
                each(offset, line, judged);
            }
        };
        if let Some(first) = &self.first {
            return first.candidates(lines, judge);
        }
        let mut from = 0;
        for feed in memchr::memchr_iter(b'\n', lines) {
            judge(from, lines.get(from..feed).unwrap_or_default());
            from = feed + 1;
        }
    }

    /// The seq of a line that matches.
    fn judge(&self, line: &[u8]) -> Result<Option<u64>, DecodeError> {
        if !self.others.iter().all(|needle| needle.may_be_in(line)) {
            return Ok(None);
        }
        let record = match Record::parse(line) {
            Ok(record) => record,
            // A newer version's record is one all the same; only what is in it can't be told.
            Err(e) if self.filters.is_empty() => Record::parse_newer(line).map_err(|_same| e)?,
            Err(e) => return Err(e),
        };
        let (seq, timestamp) = (record.seq(), record.timestamp());
        let matches = (self.from_seq..=self.to_seq).contains(&seq)
            && self.since.is_none_or(|since| timestamp >= since)
            && self.until.is_none_or(|until| timestamp < until)
            && self.filters.iter().all(|filter| {
                value(&record, &filter.of).is_some_and(|value| filter.glob.matches(&value))
            });
        Ok(matches.then_some(seq))
    }
}

fn needles(filter: &Filter) -> Vec<Needle> {
    let name = match &filter.of {
        Value::Actor => "actor",
        Value::Action => "action",
        Value::Resource => "resource",
        Value::Outcome => "outcome",
        Value::EventId => "event_id",
        Value::RecordedBy => "recorded_by",
        Value::Session(path) => {
            let name = path.names().last().map(String::as_str).unwrap_or_default();
            return Needle::of_session(name, &filter.glob);
        }
    };
    vec![Needle::of_field(name, &filter.glob)]
}

/// What the record says there, if it says anything.
fn value<'a>(record: &'a Record<'_>, of: &Value) -> Option<Cow<'a, str>> {
    match record.content() {
        Content::Event(fields) => match of {
            Value::Actor => Some(fields.actor()),
            Value::Action => Some(fields.action()),
            Value::Resource => Some(fields.resource()),
            Value::Outcome => fields.outcome().map(|outcome| outcome.as_str().into()),
            Value::EventId => fields.event_id(),
            Value::RecordedBy => fields.recorded_by(),
            Value::Session(path) => fields.session_scalar(path.names()),
        },
        Content::Own(own) => match of {
            Value::Actor => Some(OWN_ACTOR.into()),
            Value::Action => Some(own.action().into()),
            Value::Resource => record.resource(),
            Value::Outcome | Value::EventId | Value::RecordedBy | Value::Session(_) => None,
        },
        // Nothing is said any more, or it can't be told.
        Content::Redacted | Content::Unchecked | _ => None,
    }
}
