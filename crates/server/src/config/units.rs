//! Sizes as `64MiB` and times as `1s`: reading and writing them, for the configuration and for the command's flags.
//!
//! Every error says what was given and which forms there are. Which values make sense is not decided here.

use std::time::Duration;

use jiff::SignedDuration;

/// A text is no size or no time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UnitError {
    /// It is no size.
    #[error(
        "`{given}` is not a size: write bytes (262144) or a number with KiB, MiB or GiB (256KiB, 64MiB)"
    )]
    Size {
        /// The text.
        given: String,
    },
    /// It is a size beyond any file's.
    #[error("`{given}` is more bytes than a file can have")]
    SizeTooLarge {
        /// The text.
        given: String,
    },
    /// It is no time.
    #[error("`{given}` is not a duration: write a number with ms, s, m or h (500ms, 1s, 2m)")]
    Duration {
        /// The text.
        given: String,
    },
    /// It is a time, but none that passes.
    #[error("`{given}` is not more than no time at all")]
    DurationNotPositive {
        /// The text.
        given: String,
    },
}

/// Units of sizes, largest first, each with the power of two that it stands for.
const UNITS: [(&str, u32); 4] = [("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10)];

/// Reads a size: plain bytes, or a whole number with `B`, `KiB`, `MiB`, `GiB` or `TiB`.
///
/// # Errors
/// [`UnitError::Size`] and [`UnitError::SizeTooLarge`].
pub fn size(given: &str) -> Result<u64, UnitError> {
    let malformed = || UnitError::Size { given: given.to_owned() };
    let too_large = || UnitError::SizeTooLarge { given: given.to_owned() };
    let text = given.trim();
    let unit_at = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, unit) = text.split_at_checked(unit_at).ok_or_else(malformed)?;
    if digits.is_empty() {
        return Err(malformed());
    }
    let unit = unit.trim_start();
    let shift = if unit.is_empty() || unit.eq_ignore_ascii_case("B") {
        0
    } else {
        let known = UNITS.iter().find(|(name, _)| unit.eq_ignore_ascii_case(name));
        known.ok_or_else(malformed)?.1
    };
    // Only digits are left, so the one thing that can be wrong is their number.
    let count: u64 = digits.parse().map_err(|_too_many_digits| too_large())?;
    let bytes = count.checked_mul(1 << shift).ok_or_else(too_large)?;
    if i64::try_from(bytes).is_err() { Err(too_large()) } else { Ok(bytes) }
}

/// Reads a duration that is more than zero, in jiff's friendly form: `500ms`, `1s`, `2m`, `1h 30m`, `90d`.
///
/// # Errors
/// [`UnitError::Duration`] and [`UnitError::DurationNotPositive`].
pub fn duration(given: &str) -> Result<Duration, UnitError> {
    let malformed = |_reason| UnitError::Duration { given: given.to_owned() };
    let read: SignedDuration = given.trim().parse().map_err(malformed)?;
    match Duration::try_from(read) {
        Ok(duration) if !duration.is_zero() => Ok(duration),
        Ok(_) | Err(_) => Err(UnitError::DurationNotPositive { given: given.to_owned() }),
    }
}

/// A size in the largest unit that it is a whole number of; [`size`] reads it again.
pub fn size_text(bytes: u64) -> String {
    let whole = |&&(_, shift): &&(&str, u32)| bytes != 0 && bytes.trailing_zeros() >= shift;
    match UNITS.iter().find(whole) {
        Some((unit, shift)) => format!("{}{unit}", bytes >> shift),
        None => bytes.to_string(),
    }
}

/// A time in the largest of `h`, `m`, `s` and `ms` that it is a whole number of; [`duration`] reads it again.
pub fn duration_text(time: Duration) -> String {
    let ms = time.as_millis();
    for (unit, length) in [("h", 3_600_000), ("m", 60_000), ("s", 1000)] {
        if ms != 0 && ms.is_multiple_of(length) {
            return format!("{}{unit}", ms / length);
        }
    }
    format!("{ms}ms")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_with_binary_units_or_as_bytes() {
        for (given, bytes) in [
            ("0", 0),
            ("262144", 262_144),
            ("12B", 12),
            ("256KiB", 262_144),
            ("256 KiB", 262_144),
            ("64MiB", 67_108_864),
            ("64mib", 67_108_864),
            ("1GiB", 1 << 30),
            ("9223372036854775807", i64::MAX.unsigned_abs()),
        ] {
            assert_eq!(size(given), Ok(bytes), "{given}");
        }
    }

    #[test]
    fn what_is_no_size_is_named_with_the_forms_there_are() {
        for given in ["", "KiB", "1.5MiB", "-1", "+1", "64MB", "64K", "0x10", "1KiB2", "1é", "١MiB"]
        {
            assert_eq!(size(given), Err(UnitError::Size { given: given.to_owned() }), "{given}");
        }
        assert_eq!(
            size("64MB").expect_err("no size").to_string(),
            "`64MB` is not a size: write bytes (262144) or a number with KiB, MiB or GiB (256KiB, 64MiB)"
        );
        for given in ["9223372036854775808", "18446744073709551616", "99999999999TiB"] {
            assert_eq!(
                size(given),
                Err(UnitError::SizeTooLarge { given: given.to_owned() }),
                "{given}"
            );
        }
    }

    #[test]
    fn durations_are_read_in_friendly_form() {
        for (given, read) in [
            ("1s", Duration::from_secs(1)),
            ("500ms", Duration::from_millis(500)),
            ("2m", Duration::from_mins(2)),
            ("1h 30m", Duration::from_mins(90)),
            ("1.5s", Duration::from_millis(1_500)),
        ] {
            assert_eq!(duration(given), Ok(read), "{given}");
        }
    }

    #[test]
    fn what_is_no_duration_is_named_with_the_forms_there_are() {
        for given in ["", "5", "s", "fast", "1 fortnight"] {
            assert_eq!(
                duration(given),
                Err(UnitError::Duration { given: given.to_owned() }),
                "{given}"
            );
        }
        for given in ["0s", "-1s", "1s ago"] {
            assert_eq!(
                duration(given),
                Err(UnitError::DurationNotPositive { given: given.to_owned() }),
                "{given}"
            );
        }
        assert_eq!(
            duration("5").expect_err("no duration").to_string(),
            "`5` is not a duration: write a number with ms, s, m or h (500ms, 1s, 2m)"
        );
    }

    #[test]
    fn what_is_written_is_read_again() {
        for bytes in [0, 1, 1023, 1024, 1536, 64 << 20, 3 << 30, 1 << 40, (1 << 40) + 1] {
            assert_eq!(size(&size_text(bytes)), Ok(bytes));
        }
        assert_eq!((size_text(64 << 20), size_text(1000)), ("64MiB".to_owned(), "1000".to_owned()));
        for ms in [1, 999, 1000, 1500, 60_000, 90_000, 3_600_000] {
            let time = Duration::from_millis(ms);
            assert_eq!(duration(&duration_text(time)), Ok(time));
        }
        assert_eq!(duration_text(Duration::from_mins(5)), "5m");
    }
}
