//! Reads the values of flags and of the environment that are more than a word: sizes and durations.
//!
//! Every error says what was given and which forms there are. It does not know which values make sense for a log:
//! the library checks that when the log is opened.

use std::time::Duration;

use jiff::SignedDuration;

/// What a value of a flag is not.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum ValueError {
    Size { given: String },
    SizeTooLarge { given: String },
    Duration { given: String },
    DurationNotPositive { given: String },
}

impl std::fmt::Display for ValueError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Size { given } => {
                write!(
                    f,
                    "`{given}` is not a size: write bytes (262144) or a number with KiB, MiB or GiB (256KiB, 64MiB)"
                )
            }
            Self::SizeTooLarge { given } => {
                write!(f, "`{given}` is more bytes than a file can have")
            }
            Self::Duration { given } => {
                write!(
                    f,
                    "`{given}` is not a duration: write a number with ms, s, m or h (500ms, 1s, 2m)"
                )
            }
            Self::DurationNotPositive { given } => {
                write!(f, "`{given}` is not more than no time at all")
            }
        }
    }
}

impl std::error::Error for ValueError {}

/// Reads a size: plain bytes, or a whole number with `B`, `KiB`, `MiB`, `GiB` or `TiB`.
pub(crate) fn size(given: &str) -> Result<u64, ValueError> {
    let malformed = || ValueError::Size { given: given.to_owned() };
    let too_large = || ValueError::SizeTooLarge { given: given.to_owned() };
    let text = given.trim();
    let unit_at = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, unit) = text.split_at_checked(unit_at).ok_or_else(malformed)?;
    if digits.is_empty() {
        return Err(malformed());
    }
    let shift = match unit.trim_start().to_ascii_lowercase().as_str() {
        "" | "b" => 0,
        "kib" => 10,
        "mib" => 20,
        "gib" => 30,
        "tib" => 40,
        _ => return Err(malformed()),
    };
    // Only digits are left, so the one thing that can be wrong is their number.
    let count: u64 = digits.parse().map_err(|_too_many_digits| too_large())?;
    let bytes = count.checked_mul(1 << shift).ok_or_else(too_large)?;
    if i64::try_from(bytes).is_err() { Err(too_large()) } else { Ok(bytes) }
}

/// Reads a duration that is more than zero, in jiff's friendly form: `500ms`, `1s`, `2m`, `1h 30m`.
pub(crate) fn duration(given: &str) -> Result<Duration, ValueError> {
    let read: SignedDuration =
        given.trim().parse().map_err(|_reason| ValueError::Duration { given: given.to_owned() })?;
    match Duration::try_from(read) {
        Ok(duration) if !duration.is_zero() => Ok(duration),
        Ok(_) | Err(_) => Err(ValueError::DurationNotPositive { given: given.to_owned() }),
    }
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
            assert_eq!(size(given), Err(ValueError::Size { given: given.to_owned() }), "{given}");
        }
        assert_eq!(
            size("64MB").expect_err("no size").to_string(),
            "`64MB` is not a size: write bytes (262144) or a number with KiB, MiB or GiB (256KiB, 64MiB)"
        );
        for given in ["9223372036854775808", "18446744073709551616", "99999999999TiB"] {
            assert_eq!(
                size(given),
                Err(ValueError::SizeTooLarge { given: given.to_owned() }),
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
                Err(ValueError::Duration { given: given.to_owned() }),
                "{given}"
            );
        }
        for given in ["0s", "-1s", "1s ago"] {
            assert_eq!(
                duration(given),
                Err(ValueError::DurationNotPositive { given: given.to_owned() }),
                "{given}"
            );
        }
        assert_eq!(
            duration("5").expect_err("no duration").to_string(),
            "`5` is not a duration: write a number with ms, s, m or h (500ms, 1s, 2m)"
        );
    }
}
