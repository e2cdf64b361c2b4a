//! Reads the times that `--since` and `--until` take.

use std::fmt;

use indelible::format::time::Timestamp;
use indelible::{Clock as _, SystemClock};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Span, Zoned};

/// A time, and how it was written.
#[derive(Clone, Debug)]
pub(super) struct Moment {
    pub(super) timestamp: Timestamp,
    given: String,
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.given)
    }
}

/// What is no time.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum MomentError {
    Form { given: String },
    OutOfRange { given: String },
}

impl fmt::Display for MomentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Form { given } => write!(
                f,
                "`{given}` is not a time: write how long ago (30m, 2h, 3d, 1w 2d), a day in UTC (2026-11-24), or a time \
                 with its zone (2026-11-24T10:00:00Z, 2026-11-24T11:00:00+01:00)"
            ),
            Self::OutOfRange { given } => {
                write!(f, "`{given}` lies outside the years 1 to 9999")
            }
        }
    }
}

impl std::error::Error for MomentError {}

/// Reads a time ago, a day, or a time with its zone.
pub(super) fn parse(given: &str) -> Result<Moment, MomentError> {
    parse_at(given, SystemClock::default().now().wall)
}

fn parse_at(given: &str, now: Timestamp) -> Result<Moment, MomentError> {
    let text = given.trim();
    let out_of_range = || MomentError::OutOfRange { given: given.to_owned() };
    let ns = if let Ok(time) = text.parse::<jiff::Timestamp>() {
        time.as_nanosecond()
    } else if let Some(day) = day(text) {
        day.to_zoned(TimeZone::UTC).map_err(|_bounds| out_of_range())?.timestamp().as_nanosecond()
    } else if let Some(ago) = ago(text) {
        let now =
            jiff::Timestamp::from_nanosecond(now.unix_ns()).map_err(|_bounds| out_of_range())?;
        // In UTC a day has 24 hours, and a month ends where the calendar says.
        let then: Zoned =
            now.to_zoned(TimeZone::UTC).checked_sub(ago).map_err(|_bounds| out_of_range())?;
        then.timestamp().as_nanosecond()
    } else {
        return Err(MomentError::Form { given: given.to_owned() });
    };
    let timestamp = Timestamp::from_unix_ns(ns).ok_or_else(out_of_range)?;
    Ok(Moment { timestamp, given: given.to_owned() })
}

/// `2026-11-24`, and no time with it: that would need a zone.
fn day(text: &str) -> Option<Date> {
    let plain = text.len() == 10 && text.bytes().all(|b| b.is_ascii_digit() || b == b'-');
    text.parse().ok().filter(|_| plain)
}

/// `2h`, `3d`, `1w 2d`, also `2h ago`: all mean the past.
fn ago(text: &str) -> Option<Span> {
    // An ISO 8601 duration (`PT2H`) is a span to jiff as well; a sign is not, here.
    if !text.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    text.parse::<Span>().ok().map(Span::abs)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(given: &str) -> Result<String, MomentError> {
        let now = Timestamp::parse(b"2026-03-31T12:00:00.000000000Z").expect("a time");
        parse_at(given, now).map(|moment| moment.timestamp.to_string())
    }

    #[test]
    fn times_are_read_in_each_form() {
        for (given, time) in [
            ("2h", "2026-03-31T10:00:00.000000000Z"),
            ("2h ago", "2026-03-31T10:00:00.000000000Z"),
            ("3d", "2026-03-28T12:00:00.000000000Z"),
            ("1w 2d", "2026-03-22T12:00:00.000000000Z"),
            ("1mo", "2026-02-28T12:00:00.000000000Z"),
            ("90 minutes", "2026-03-31T10:30:00.000000000Z"),
            ("2026-03-30", "2026-03-30T00:00:00.000000000Z"),
            ("2026-03-30T10:00:00Z", "2026-03-30T10:00:00.000000000Z"),
            ("2026-03-30T10:00:00.5+01:00", "2026-03-30T09:00:00.500000000Z"),
        ] {
            assert_eq!(read(given).as_deref(), Ok(time), "{given}");
        }
    }

    #[test]
    fn what_is_no_time_is_named_with_the_forms_there_are() {
        for given in [
            "",
            "5",
            "yesterday",
            "-2h",
            "2026-13-01",
            "2026-03-30T10:00:00",
            "20260330",
            "PT2H",
            "2 fortnights",
        ] {
            assert_eq!(read(given), Err(MomentError::Form { given: given.to_owned() }), "{given}");
        }
        assert_eq!(read("9000y"), Err(MomentError::OutOfRange { given: "9000y".to_owned() }));
        let text = read("soon").expect_err("no time").to_string();
        assert!(text.starts_with("`soon` is not a time: write how long ago (30m, 2h"), "{text}");
    }
}
