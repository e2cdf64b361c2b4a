//! What to look for: [`Query`].
//!
//! It reads nothing; [`Reader::query`](super::Reader::query) does.

use std::fmt;
use std::str::FromStr;

use indelible_format::time::Timestamp;

use super::glob::Glob;

/// What records to look for: all that is set must hold. A new one finds every record, the oldest first.
///
/// # Examples
/// ```
/// use indelible::{Order, Query};
///
/// let denied = Query::new()
///     .with_outcome("denied".parse()?)
///     .with_session("user".parse()?, "mia_*".parse()?)
///     .with_order(Order::NewestFirst)
///     .with_limit(10);
/// # let _ = denied;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Query {
    pub(super) filters: Vec<Filter>,
    pub(super) from_seq: u64,
    /// Seq of the last one.
    pub(super) to_seq: Option<u64>,
    pub(super) since: Option<Timestamp>,
    pub(super) until: Option<Timestamp>,
    pub(super) order: Order,
    pub(super) limit: Option<u64>,
}

/// In which order records come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Order {
    /// By growing seq.
    #[default]
    OldestFirst,
    /// By falling seq, from the end on: what lies before the last match is not read.
    NewestFirst,
}

/// One value of a record, and what it must be.
#[derive(Clone, Debug)]
pub(super) struct Filter {
    pub(super) of: Value,
    pub(super) glob: Glob,
}

/// Which value of a record.
#[derive(Clone, Debug)]
pub(super) enum Value {
    Actor,
    Action,
    Resource,
    Outcome,
    EventId,
    RecordedBy,
    Session(SessionPath),
}

impl Query {
    /// Finds every record.
    pub fn new() -> Self {
        Self::default()
    }

    /// Only records of an actor that matches.
    #[must_use]
    pub fn with_actor(self, glob: Glob) -> Self {
        self.with(Value::Actor, glob)
    }

    /// Only records of an action that matches.
    #[must_use]
    pub fn with_action(self, glob: Glob) -> Self {
        self.with(Value::Action, glob)
    }

    /// Only records of a resource that matches.
    #[must_use]
    pub fn with_resource(self, glob: Glob) -> Self {
        self.with(Value::Resource, glob)
    }

    /// Only records that have an outcome that matches.
    #[must_use]
    pub fn with_outcome(self, glob: Glob) -> Self {
        self.with(Value::Outcome, glob)
    }

    /// Only records that have an `event_id` that matches.
    #[must_use]
    pub fn with_event_id(self, glob: Glob) -> Self {
        self.with(Value::EventId, glob)
    }

    /// Only records that have a `recorded_by` that matches.
    #[must_use]
    pub fn with_recorded_by(self, glob: Glob) -> Self {
        self.with(Value::RecordedBy, glob)
    }

    /// Only records that have a member of `session` at `path` that matches: a string by what it says, a number, `true`
    /// or `false` by how it is written (`1.0` is not `1`). May be given several times: then all must hold.
    #[must_use]
    pub fn with_session(self, path: SessionPath, glob: Glob) -> Self {
        self.with(Value::Session(path), glob)
    }

    /// Only records from `first` to `last`, both included; without `last`, to the end.
    #[must_use]
    pub fn with_seq(mut self, first: u64, last: Option<u64>) -> Self {
        (self.from_seq, self.to_seq) = (first, last);
        self
    }

    /// Only records with a timestamp at or after `time`.
    #[must_use]
    pub fn with_since(mut self, time: Timestamp) -> Self {
        self.since = Some(time);
        self
    }

    /// Only records with a timestamp before `time`.
    #[must_use]
    pub fn with_until(mut self, time: Timestamp) -> Self {
        self.until = Some(time);
        self
    }

    /// The order in which records come.
    #[must_use]
    pub fn with_order(mut self, order: Order) -> Self {
        self.order = order;
        self
    }

    /// No more than the first `count` records that match, in their order.
    #[must_use]
    pub fn with_limit(mut self, count: u64) -> Self {
        self.limit = Some(count);
        self
    }

    fn with(mut self, of: Value, glob: Glob) -> Self {
        self.filters.push(Filter { of, glob });
        self
    }
}

/// The way to a member of `session`: names divided by dots. A backslash takes the character after it as it is, so that a
/// name may have a dot.
///
/// # Examples
/// ```
/// let path: indelible::SessionPath = r"user.e\.mail".parse()?;
/// assert_eq!(path.names(), ["user", "e.mail"]);
/// assert!("user..mail".parse::<indelible::SessionPath>().is_err());
/// # Ok::<(), indelible::SessionPathError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionPath {
    text: String,
    names: Vec<String>,
}

/// Why a text is no path of a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SessionPathError {
    /// A name is empty.
    #[error("a name of the path is empty: expected names divided by single dots, such as user.id")]
    EmptyName,
    /// A backslash at the end takes no character.
    #[error("a backslash takes the character after it as it is, and none follows the last one")]
    Backslash,
}

impl SessionPath {
    /// The names, outermost first; at least one.
    pub fn names(&self) -> &[String] {
        &self.names
    }
}

impl FromStr for SessionPath {
    type Err = SessionPathError;

    fn from_str(text: &str) -> Result<Self, SessionPathError> {
        let (mut names, mut name) = (Vec::new(), String::new());
        let mut chars = text.chars();
        while let Some(c) = chars.next() {
            match c {
                '.' if name.is_empty() => return Err(SessionPathError::EmptyName),
                '.' => names.push(std::mem::take(&mut name)),
                '\\' => name.push(chars.next().ok_or(SessionPathError::Backslash)?),
                other => name.push(other),
            }
        }
        if name.is_empty() {
            return Err(SessionPathError::EmptyName);
        }
        names.push(name);
        Ok(Self { text: text.to_owned(), names })
    }
}

/// As it was written.
impl fmt::Display for SessionPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
