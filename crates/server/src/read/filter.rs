//! Which records a client asks for, as text: [`FilterText`].

use std::str::FromStr as _;

use indelible::format::time::Timestamp;
use indelible::{Glob, Query, SessionPath};

use crate::error::ApiError;

/// Bytes that one glob may have.
pub(crate) const GLOB_SIZE_MAX: usize = 2048;
/// How many characters of all globs of one query may be `*` or `?`: what one costs on a line grows with them.
pub(crate) const WILDCARDS_MAX: usize = 32;
/// Bytes that the path of a member of `session` may have.
pub(crate) const SESSION_PATH_SIZE_MAX: usize = 256;
/// How many conditions on `session` there may be.
pub(crate) const SESSION_FILTERS_MAX: usize = 16;

/// Which records, as a client says it; an empty text is no condition.
#[derive(Clone, Debug, Default)]
pub(crate) struct FilterText {
    pub(crate) actor: String,
    pub(crate) action: String,
    pub(crate) resource: String,
    pub(crate) outcome: String,
    pub(crate) event_id: String,
    pub(crate) recorded_by: String,
    /// Path and glob.
    pub(crate) session: Vec<(String, String)>,
    pub(crate) since: String,
    pub(crate) until: String,
}

/// Which records, checked.
#[derive(Clone, Debug)]
pub(crate) struct Filter {
    /// Without bounds of seq and time.
    pub(crate) query: Query,
    pub(crate) since: Option<Timestamp>,
    pub(crate) until: Option<Timestamp>,
}

impl FilterText {
    /// Checks it.
    ///
    /// # Errors
    /// Names the field, its limit and what is wrong with it.
    pub(crate) fn check(&self) -> Result<Filter, ApiError> {
        type With = fn(Query, Glob) -> Query;
        let conditions: [(&str, &str, With); 6] = [
            ("actor", &self.actor, Query::with_actor),
            ("action", &self.action, Query::with_action),
            ("resource", &self.resource, Query::with_resource),
            ("outcome", &self.outcome, Query::with_outcome),
            ("event_id", &self.event_id, Query::with_event_id),
            ("recorded_by", &self.recorded_by, Query::with_recorded_by),
        ];
        let globs = conditions.iter().map(|(_, text, _)| *text);
        let globs = globs.chain(self.session.iter().map(|(_, text)| text.as_str()));
        let wildcards: usize = globs.map(wildcards).sum();
        if wildcards > WILDCARDS_MAX {
            let what = format_args!(
                "the patterns have {wildcards} wildcards (* and ?) between them, at most {WILDCARDS_MAX} are allowed"
            );
            return Err(ApiError::field("filter", what));
        }
        let mut query = Query::new();
        for (field, text, with) in conditions {
            if !text.is_empty() {
                query = with(query, glob(field, text)?);
            }
        }
        if self.session.len() > SESSION_FILTERS_MAX {
            let count = self.session.len();
            let what =
                format_args!("{count} conditions, at most {SESSION_FILTERS_MAX} are allowed");
            return Err(ApiError::field("session", what));
        }
        for (path, text) in &self.session {
            sized("session", path, SESSION_PATH_SIZE_MAX)?;
            let path = SessionPath::from_str(path).map_err(|e| ApiError::field("session", e))?;
            query = query.with_session(path, glob("session", text)?);
        }
        let (since, until) = (time("since", &self.since)?, time("until", &self.until)?);
        Ok(Filter { query, since, until })
    }
}

fn sized(field: &str, text: &str, limit: usize) -> Result<(), ApiError> {
    if text.len() > limit {
        let what = format_args!("it has {} bytes, at most {limit} are allowed", text.len());
        return Err(ApiError::field(field, what));
    }
    Ok(())
}

fn wildcards(glob: &str) -> usize {
    let mut chars = glob.chars();
    let mut count = 0;
    while let Some(c) = chars.next() {
        match c {
            '\\' => drop(chars.next()),
            '*' | '?' => count += 1,
            _ => {}
        }
    }
    count
}

fn glob(field: &str, text: &str) -> Result<Glob, ApiError> {
    sized(field, text, GLOB_SIZE_MAX)?;
    text.parse().map_err(|error| ApiError::field(field, error))
}

fn time(field: &str, text: &str) -> Result<Option<Timestamp>, ApiError> {
    if text.is_empty() {
        return Ok(None);
    }
    let read = text.parse::<jiff::Timestamp>().ok();
    match read.and_then(|time| Timestamp::from_unix_ns(time.as_nanosecond())) {
        Some(time) => Ok(Some(time)),
        None => Err(ApiError::field(
            field,
            "it is not a time as RFC 3339 spells it, such as 2026-01-02T03:04:05.678Z",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_has_so_many_wildcards_and_no_more() {
        let of = |actor: String| FilterText { actor, ..FilterText::default() }.check();
        assert!(of("a?".repeat(WILDCARDS_MAX)).is_ok());
        assert!(of(format!(r"{}\*\?", "a*".repeat(WILDCARDS_MAX))).is_ok());
        let error = of("a?".repeat(WILDCARDS_MAX + 1)).unwrap_err();
        assert_eq!(error.field.as_deref(), Some("filter"));
        assert!(error.message.contains("33 wildcards"), "{}", error.message);
    }

    #[test]
    fn a_field_that_is_wrong_is_named() {
        let long = "x".repeat(GLOB_SIZE_MAX + 1);
        let wrong = [
            (FilterText { actor: "a\\".to_owned(), ..FilterText::default() }, "actor"),
            (FilterText { resource: long, ..FilterText::default() }, "resource"),
            (FilterText { since: "yesterday".to_owned(), ..FilterText::default() }, "since"),
            (
                FilterText {
                    session: vec![("a..b".to_owned(), "x".to_owned())],
                    ..FilterText::default()
                },
                "session",
            ),
            (
                FilterText {
                    session: vec![("a".to_owned(), "x".to_owned()); SESSION_FILTERS_MAX + 1],
                    ..FilterText::default()
                },
                "session",
            ),
        ];
        for (text, field) in wrong {
            assert_eq!(text.check().unwrap_err().field.as_deref(), Some(field));
        }
        assert!(FilterText::default().check().is_ok());
    }
}
