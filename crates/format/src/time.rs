//! Times as records carry them: [`Timestamp`], set by the log, and `event_time`, claimed by a client.
//!
//! Invariants:
//! - a timestamp is UTC, from year 1 to year 9999, in whole nanoseconds, and has exactly one spelling;
//! - the order of timestamps is the order of their spellings.
//!
//! It reads no clock. Spec: `docs/spec/`, "A record is one line".

use std::fmt;

use jiff::SignedDuration;
use jiff::civil::{Date, DateTime, Time, datetime};
use jiff::tz::Offset;

/// Size of the spelling of every timestamp: `2026-01-02T03:04:05.000000000Z`.
pub const TIMESTAMP_SIZE: usize = 30;

const UNIX_EPOCH: DateTime = datetime(1970, 1, 1, 0, 0, 0, 0);
const NS_PER_SECOND: i64 = 1_000_000_000;

/// When a record was sequenced.
///
/// [`Display`](fmt::Display) and [`Debug`] spell it as records do.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(DateTime);

impl Timestamp {
    /// The earliest time that can be written: `0001-01-01T00:00:00.000000000Z`.
    pub const MIN: Self = Self(datetime(1, 1, 1, 0, 0, 0, 0));
    /// The latest time that can be written: `9999-12-31T23:59:59.999999999Z`.
    pub const MAX: Self = Self(datetime(9999, 12, 31, 23, 59, 59, 999_999_999));

    /// Converts from nanoseconds since 1970; `None` outside [`MIN`](Self::MIN) to [`MAX`](Self::MAX).
    pub fn from_unix_ns(ns: i128) -> Option<Self> {
        // From 1677 to 2262, where all that are real lie, at a fraction of the cost.
        if let Ok(near) = i64::try_from(ns) {
            let rest = i32::try_from(near.rem_euclid(NS_PER_SECOND)).ok()?;
            let time = jiff::Timestamp::new(near.div_euclid(NS_PER_SECOND), rest).ok()?;
            return Some(Self(Offset::UTC.to_datetime(time)));
        }
        let seconds = i64::try_from(ns.div_euclid(NS_PER_SECOND.into())).ok()?;
        let rest = i32::try_from(ns.rem_euclid(NS_PER_SECOND.into())).ok()?;
        let time = Self(UNIX_EPOCH.checked_add(SignedDuration::new(seconds, rest)).ok()?);
        (time >= Self::MIN).then_some(time)
    }

    /// Converts to nanoseconds since 1970, negative before.
    pub fn unix_ns(self) -> i128 {
        self.0.duration_since(UNIX_EPOCH).as_nanos()
    }

    /// Reads the one spelling that records use, and nothing else.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let text: &[u8; TIMESTAMP_SIZE] = text.try_into().ok()?;
        let (to_seconds, rest) = text.split_first_chunk::<19>()?;
        let (dot, rest) = rest.split_first()?;
        let (fraction, zone) = rest.split_first_chunk::<9>()?;
        if *dot != b'.' || zone != b"Z" {
            return None;
        }
        let subsecond = i32::try_from(number(fraction)?).ok()?;
        let time = Self(date_and_time(to_seconds, subsecond)?);
        (time >= Self::MIN).then_some(time)
    }

    /// Says whether `text` is a timestamp, and not earlier than `before`, which is one.
    ///
    /// Much faster than [`parse`](Self::parse) where both lie within one second.
    ///
    /// # Examples
    ///
    /// ```
    /// # use indelible_format::time::Timestamp;
    /// let before = b"2026-01-02T03:04:05.000000007Z";
    /// assert!(Timestamp::is_spelt_after(b"2026-01-02T03:04:05.000000007Z", before));
    /// assert!(!Timestamp::is_spelt_after(b"2026-01-02T03:04:05.00000000xZ", before));
    /// assert!(!Timestamp::is_spelt_after(b"2026-01-02T03:04:05.000000006Z", before));
    /// ```
    pub fn is_spelt_after(text: &[u8; TIMESTAMP_SIZE], before: &[u8; TIMESTAMP_SIZE]) -> bool {
        // Up to the last second, up to the dot, and the fraction, in pieces that compare as numbers.
        let pieces = |text: &[u8; TIMESTAMP_SIZE]| {
            let (to_second, rest) = text.split_first_chunk::<16>()?;
            let (to_dot, rest) = rest.split_first_chunk::<4>()?;
            let (fraction, rest) = rest.split_first_chunk::<8>()?;
            let prefix = (u128::from_be_bytes(*to_second), u32::from_be_bytes(*to_dot));
            Some((prefix, (u64::from_be_bytes(*fraction), rest.first_chunk::<2>().copied()?)))
        };
        let (Some((prefix, end)), Some((prefix_before, end_before))) =
            (pieces(text), pieces(before))
        else {
            return false;
        };
        if prefix != prefix_before {
            return text > before && Self::parse(text).is_some();
        }
        let ((fraction, [last, zone]), (fraction_before, [last_before, _])) = (end, end_before);
        let digits = are_digits(fraction) && last.is_ascii_digit() && zone == b'Z';
        digits && (fraction, last) >= (fraction_before, last_before)
    }

    /// Appends the spelling that records use.
    pub fn write(self, buf: &mut Vec<u8>) {
        buf.extend_from_slice(&self.spell());
    }

    /// Moves the time by `ns`, or to the end of what can be written.
    #[must_use]
    pub fn saturating_add_ns(self, ns: i128) -> Self {
        let end = if ns < 0 { Self::MIN } else { Self::MAX };
        self.unix_ns().checked_add(ns).and_then(Self::from_unix_ns).unwrap_or(end)
    }

    fn spell(self) -> [u8; TIMESTAMP_SIZE] {
        let mut text = *b"0000-00-00T00:00:00.000000000Z";
        let fields = [
            (0, 4, i32::from(self.0.year())),
            (5, 2, i32::from(self.0.month())),
            (8, 2, i32::from(self.0.day())),
            (11, 2, i32::from(self.0.hour())),
            (14, 2, i32::from(self.0.minute())),
            (17, 2, i32::from(self.0.second())),
            (20, 9, self.0.subsec_nanosecond()),
        ];
        for (start, width, value) in fields {
            let mut rest = value.unsigned_abs();
            for digit in text.iter_mut().skip(start).take(width).rev() {
                *digit += u8::try_from(rest % 10).unwrap_or_default();
                rest /= 10;
            }
        }
        text
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(std::str::from_utf8(&self.spell()).unwrap_or_default())
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Whether all eight bytes of `word` are digits.
fn are_digits(word: u64) -> bool {
    const HIGH: u64 = 0xf0f0_f0f0_f0f0_f0f0;
    const ZEROS: u64 = 0x3030_3030_3030_3030;
    const SIXES: u64 = 0x0606_0606_0606_0606;
    // 0x3a to 0x3f, with 6 added, are no longer 0x3_; nothing is carried out of a byte that is 0x3_.
    word & HIGH == ZEROS && word.wrapping_add(SIXES) & HIGH == ZEROS
}

/// Says whether `text` may be an `event_time`.
///
/// That is RFC 3339 with an upper-case `T`, any number of fractional digits or none, `Z` or an offset of `±hh:mm`, a
/// date that exists, and no second 60.
///
/// # Examples
///
/// ```
/// # use indelible_format::time::is_event_time;
/// assert!(is_event_time("2026-01-02T03:04:05.5+01:00"));
/// assert!(!is_event_time("2026-02-30T03:04:05Z"));
/// ```
pub fn is_event_time(text: &str) -> bool {
    let Some((to_seconds, rest)) = text.as_bytes().split_first_chunk::<19>() else {
        return false;
    };
    let in_range = date_and_time(to_seconds, 0).is_some_and(|time| time >= Timestamp::MIN.0);
    in_range && is_zone(after_fraction(rest))
}

/// What follows a fraction, where there is a whole one.
fn after_fraction(rest: &[u8]) -> &[u8] {
    let Some(fraction) = rest.strip_prefix(b".") else {
        return rest;
    };
    match fraction.iter().position(|b| !b.is_ascii_digit()) {
        None | Some(0) => rest,
        Some(size) => fraction.get(size..).unwrap_or_default(),
    }
}

fn is_zone(zone: &[u8]) -> bool {
    match zone {
        b"Z" => true,
        [b'+' | b'-', h1, h2, b':', m1, m2] => {
            number(&[*h1, *h2]).is_some_and(|h| h < 24)
                && number(&[*m1, *m2]).is_some_and(|m| m < 60)
        }
        _ => false,
    }
}

/// Reads `2026-01-02T03:04:05`, a date and a time that exist.
fn date_and_time(text: &[u8; 19], subsecond: i32) -> Option<DateTime> {
    let [y1, y2, y3, y4, b'-', mo1, mo2, b'-', d1, d2, b'T', h1, h2, b':', mi1, mi2, b':', s1, s2] =
        *text
    else {
        return None;
    };
    let year = i16::try_from(number(&[y1, y2, y3, y4])?).ok()?;
    let date = Date::new(year, two(mo1, mo2)?, two(d1, d2)?).ok()?;
    // `Time::new` takes no second 60.
    let time = Time::new(two(h1, h2)?, two(mi1, mi2)?, two(s1, s2)?, subsecond).ok()?;
    Some(date.to_datetime(time))
}

fn two(tens: u8, ones: u8) -> Option<i8> {
    i8::try_from(number(&[tens, ones])?).ok()
}

/// Reads up to nine decimal digits.
fn number(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0, |number, digit| {
        digit.is_ascii_digit().then(|| number * 10 + u32::from(digit - b'0'))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_timestamp_has_one_spelling() {
        let time = Timestamp::parse(b"2026-01-02T03:04:05.000000001Z").unwrap();
        assert_eq!(time.to_string(), "2026-01-02T03:04:05.000000001Z");
        assert_eq!(time.unix_ns(), 1_767_323_045_000_000_001);
        assert_eq!(Timestamp::MIN.to_string(), "0001-01-01T00:00:00.000000000Z");
        assert_eq!(Timestamp::MAX.to_string(), "9999-12-31T23:59:59.999999999Z");
        for end in [Timestamp::MIN, Timestamp::MAX] {
            assert_eq!(Timestamp::parse(end.to_string().as_bytes()), Some(end));
            assert_eq!(Timestamp::from_unix_ns(end.unix_ns()), Some(end));
        }
        assert_eq!(Timestamp::from_unix_ns(Timestamp::MAX.unix_ns() + 1), None);
        assert_eq!(Timestamp::from_unix_ns(Timestamp::MIN.unix_ns() - 1), None);
        assert_eq!(Timestamp::from_unix_ns(i128::MAX), None);
        assert_eq!(Timestamp::from_unix_ns(i128::MIN), None);
    }

    #[test]
    fn other_spellings_are_no_timestamps() {
        for text in [
            "",
            "2026-01-02T03:04:05Z",
            "2026-01-02T03:04:05.000000Z",
            "2026-01-02T03:04:05.0000000000Z",
            "2026-01-02T03:04:05.000000000+00:00",
            "2026-01-02T03:04:05.000000000z",
            "2026-01-02t03:04:05.000000000Z",
            "2026-01-02 03:04:05.000000000Z",
            "2026-13-02T03:04:05.000000000Z",
            "2026-00-02T03:04:05.000000000Z",
            "2026-02-29T03:04:05.000000000Z",
            "2026-02-00T03:04:05.000000000Z",
            "2026-01-02T24:00:00.000000000Z",
            "2026-01-02T03:60:05.000000000Z",
            "2026-01-02T03:04:60.000000000Z",
            "0000-01-02T03:04:05.000000000Z",
            "+026-01-02T03:04:05.000000000Z",
            "2026-01-02T03:04:05,000000000Z",
            "2026-01-02T03:04:05.00000000-Z",
        ] {
            assert_eq!(Timestamp::parse(text.as_bytes()), None, "{text}");
        }
        assert!(Timestamp::parse(b"2024-02-29T03:04:05.000000000Z").is_some());
    }

    #[test]
    fn what_is_spelt_after_a_timestamp_is_a_timestamp_and_not_earlier() {
        let before = *b"2026-01-02T03:04:59.500000000Z";
        let parsed = Timestamp::parse(&before).unwrap();
        let mut later = before;
        // Every byte in every place, alone and before a later second.
        for second in [b'8', b'9'] {
            later[18] = second;
            for at in 0..before.len() {
                for byte in 0..=u8::MAX {
                    let mut text = later;
                    text[at] = byte;
                    let expected = Timestamp::parse(&text).is_some_and(|time| time >= parsed);
                    let shown = String::from_utf8_lossy(&text).into_owned();
                    assert_eq!(Timestamp::is_spelt_after(&text, &before), expected, "{shown}");
                }
            }
        }
    }

    #[test]
    fn adding_stops_at_the_ends() {
        let time = Timestamp::from_unix_ns(-1).unwrap();
        assert_eq!(time.to_string(), "1969-12-31T23:59:59.999999999Z");
        assert_eq!(format!("{time:?}"), time.to_string());
        assert_eq!(time.saturating_add_ns(2).unix_ns(), 1);
        assert_eq!(time.saturating_add_ns(i128::MAX), Timestamp::MAX);
        assert_eq!(time.saturating_add_ns(i128::MIN), Timestamp::MIN);
    }

    #[test]
    fn times_near_today_are_converted_as_all_others_are() {
        let (first, last) = (i128::from(i64::MIN), i128::from(i64::MAX));
        for ns in [first - 1, first, first + 1, -1_000_000_001, -1, 0, 1, last - 1, last, last + 1]
        {
            let time = Timestamp::from_unix_ns(ns).unwrap();
            assert_eq!(time.unix_ns(), ns);
            assert_eq!(Timestamp::parse(time.to_string().as_bytes()), Some(time), "{time}");
        }
        let spelt = |ns| Timestamp::from_unix_ns(ns).unwrap().to_string();
        assert_eq!(spelt(first), "1677-09-21T00:12:43.145224192Z");
        assert_eq!(spelt(last), "2262-04-11T23:47:16.854775807Z");
    }

    #[test]
    fn event_times_are_rfc_3339() {
        for text in [
            "2026-01-02T03:04:05Z",
            "2026-01-02T03:04:05.1Z",
            "2026-01-02T03:04:05.123456789012345Z",
            "2026-01-02T03:04:05+23:59",
            "2026-01-02T03:04:05.0-00:00",
            "9999-12-31T23:59:59-23:59",
            "0001-01-01T00:00:00+23:59",
        ] {
            assert!(is_event_time(text), "{text}");
        }
        for text in [
            "",
            "yesterday",
            "2026-01-02",
            "2026-01-02T03:04:05",
            "2026-01-02T03:04:05.Z",
            "2026-01-02T03:04:05.1",
            "2026-01-02T03:04:05z",
            "2026-01-02t03:04:05Z",
            "2026-01-02T03:04Z",
            "2026-01-02T03:04:60Z",
            "2026-02-30T03:04:05Z",
            "0000-01-02T03:04:05Z",
            "2026-01-02T03:04:05+24:00",
            "2026-01-02T03:04:05+01:60",
            "2026-01-02T03:04:05+0100",
            "2026-01-02T03:04:05+01:0",
            "2026-01-02T03:04:05Z\n",
            "2026-01-02T03:04:05\u{660}Z",
        ] {
            assert!(!is_event_time(text), "{text}");
        }
    }

    proptest! {
        #[test]
        fn spelling_and_number_survive_each_other(ns in Timestamp::MIN.unix_ns()..=Timestamp::MAX.unix_ns()) {
            let time = Timestamp::from_unix_ns(ns).unwrap();
            prop_assert_eq!(time.unix_ns(), ns);
            let mut text = Vec::new();
            time.write(&mut text);
            prop_assert_eq!(text.len(), TIMESTAMP_SIZE);
            prop_assert_eq!(Timestamp::parse(&text), Some(time));
        }

        #[test]
        fn order_of_spellings_is_order_of_times(
            a in Timestamp::MIN.unix_ns()..=Timestamp::MAX.unix_ns(),
            step in 0..1_000_000_000_000_i128,
        ) {
            let a = Timestamp::from_unix_ns(a).unwrap();
            let b = a.saturating_add_ns(step);
            prop_assert_eq!(a.cmp(&b), a.to_string().cmp(&b.to_string()));
        }
    }
}
