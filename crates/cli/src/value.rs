//! Reads the values of flags and of the environment that are more than a word: sizes, durations, patterns, ranges.
//!
//! Every error says what was given and which forms there are. It does not know which values make sense for a log: it
//! asks the library.

use std::time::Duration;

use indelible::format::note::SignerKey;
use indelible::{Clock as _, Glob, SessionPath, SystemClock};
use indelible::{OpenError, OptionLimit, Options};
use indelible_server::config::units::{self, UnitError};

/// How a private key's text begins.
const PRIVATE_KEY: &str = "PRIVATE+KEY+";

/// What a value of a flag is not.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum ValueError {
    Unit(UnitError),
    Number { given: String, of: &'static str },
    NumberTooLarge { given: String, of: &'static str },
    LimitZero,
    Seq { given: String },
    SeqTooLarge { given: String },
    Switch { given: String },
    OutsideLimits { given: String, limit: OptionLimit, unit: &'static str },
    Pattern { given: String, reason: String },
    Outcome { given: String },
    SessionMember { given: String },
    SessionPath { given: String, reason: String },
    SeqRange { given: String },
    SeqRangeReversed { given: String },
    Assignment { given: String },
    Expiry { given: String },
}

impl std::fmt::Display for ValueError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unit(error) => error.fmt(f),
            Self::Number { given, of } => {
                write!(f, "`{given}` is not a number of {of}: write a whole number")
            }
            Self::NumberTooLarge { given, of } => {
                write!(f, "`{given}` is more {of} than there can be")
            }
            Self::LimitZero => {
                f.write_str("a limit of 0 shows nothing: write 1 or more, or leave it out")
            }
            Self::Seq { given } => write!(f, "`{given}` is not a sequence number (0, 1, 2 …)"),
            Self::SeqTooLarge { given } => {
                write!(
                    f,
                    "`{given}` is larger than any sequence number: they have at most 18 digits"
                )
            }
            Self::Switch { given } => {
                write!(
                    f,
                    "`{given}` is neither yes nor no: write true, yes, on or 1, or false, no, off or 0"
                )
            }
            Self::OutsideLimits { given, limit, unit } => {
                write!(f, "`{given}` is outside its limits: it must be {limit}{unit}")
            }
            Self::Pattern { given, reason } => write!(f, "`{given}` is not a pattern: {reason}"),
            Self::Outcome { given } => write!(
                f,
                "`{given}` is no outcome: it takes success, failure, denied or unknown, or a pattern that one of them fits"
            ),
            Self::SessionMember { given } => write!(
                f,
                "`{given}` names no member of the session: write PATH=PATTERN (user=mia*, user.id=7)"
            ),
            Self::SessionPath { given, reason } => {
                write!(f, "`{given}` names no member of the session: {reason}")
            }
            Self::SeqRange { given } => write!(
                f,
                "`{given}` is not a range of sequence numbers: write both ends, one, or a number alone (100..199, \
                 100.., ..199, 42); both ends are included"
            ),
            Self::Assignment { given } => {
                write!(f, "`{given}` sets no key: write KEY=VALUE (limits.events_per_second=100)")
            }
            Self::Expiry { given } => write!(
                f,
                "`{given}` is no time in the future: write how long (90d, 12h), a time (2027-01-31T00:00:00Z), or never"
            ),
            Self::SeqRangeReversed { given } => write!(
                f,
                "`{given}` ends before it begins: write the lower sequence number first; --reverse turns the order"
            ),
        }
    }
}

impl std::error::Error for ValueError {}

impl From<UnitError> for ValueError {
    fn from(error: UnitError) -> Self {
        Self::Unit(error)
    }
}

/// Reads a duration that is more than zero, as the service's configuration does.
pub(crate) fn duration(given: &str) -> Result<Duration, ValueError> {
    Ok(units::duration(given)?)
}

/// Reads a size at which a log may be rotated.
pub(crate) fn max_file_size(given: &str) -> Result<u64, ValueError> {
    let bytes = units::size(given)?;
    within_limits(given, &Options::default().with_max_file_size(bytes), " bytes").map(|()| bytes)
}

/// Reads how many rotated files may be kept.
pub(crate) fn max_files(given: &str) -> Result<u32, ValueError> {
    let of = "files";
    let count = u32::try_from(number(given, of)?)
        .map_err(|_too_large| ValueError::NumberTooLarge { given: given.to_owned(), of })?;
    within_limits(given, &Options::default().with_max_files(count), "").map(|()| count)
}

/// Reads how many records are meant.
pub(crate) fn records(given: &str) -> Result<u64, ValueError> {
    number(given, "records")
}

/// Reads how many records may be shown, one at least.
pub(crate) fn limit(given: &str) -> Result<u64, ValueError> {
    match records(given)? {
        0 => Err(ValueError::LimitZero),
        limit => Ok(limit),
    }
}

/// Reads from how many threads events are appended.
pub(crate) fn threads(given: &str) -> Result<u16, ValueError> {
    let limit = OptionLimit::Between { from: 1, to: 256 };
    match u16::try_from(number(given, "threads")?) {
        Ok(threads) if (1..=256).contains(&threads) => Ok(threads),
        Ok(_) | Err(_) => {
            Err(ValueError::OutsideLimits { given: given.to_owned(), limit, unit: "" })
        }
    }
}

/// Reads a sequence number.
pub(crate) fn seq(given: &str) -> Result<u64, ValueError> {
    let text = given.trim();
    if !is_whole(text) {
        return Err(ValueError::Seq { given: given.to_owned() });
    }
    text.parse().map_err(|_too_large| ValueError::SeqTooLarge { given: given.to_owned() })
}

fn number(given: &str, of: &'static str) -> Result<u64, ValueError> {
    let text = given.trim();
    if !is_whole(text) {
        return Err(ValueError::Number { given: given.to_owned(), of });
    }
    text.parse().map_err(|_too_large| ValueError::NumberTooLarge { given: given.to_owned(), of })
}

fn is_whole(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

/// Reads how long a record may wait for a checkpoint.
pub(crate) fn checkpoint_interval(given: &str) -> Result<Duration, ValueError> {
    let interval = duration(given)?;
    let options = Options::default().with_checkpoint_interval(interval);
    within_limits(given, &options, " ms").map(|()| interval)
}

/// Reads whether something is on, for flags that the environment can set too.
pub(crate) fn switch(given: &str) -> Result<bool, ValueError> {
    match given.trim().to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" | "1" | "t" | "y" => Ok(true),
        "false" | "no" | "off" | "0" | "f" | "n" => Ok(false),
        _ => Err(ValueError::Switch { given: given.to_owned() }),
    }
}

fn within_limits(given: &str, options: &Options, unit: &'static str) -> Result<(), ValueError> {
    match options.validate() {
        Err(OpenError::InvalidOption { limit, .. }) => {
            Err(ValueError::OutsideLimits { given: given.to_owned(), limit, unit })
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Whether a text is, or holds, a private key, also one that lost its first words.
pub(crate) fn is_private_key(text: &str) -> bool {
    text.contains(PRIVATE_KEY)
        || format!("{PRIVATE_KEY}{}", text.trim()).parse::<SignerKey>().is_ok()
}

/// `text` without the private keys in it.
pub(crate) fn without_private_keys(text: &str) -> String {
    let mut parts = text.split(PRIVATE_KEY);
    let mut shown = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let rest = part.find(char::is_whitespace).and_then(|end| part.get(end..));
        shown.push_str(PRIVATE_KEY);
        shown.push('…');
        shown.push_str(rest.unwrap_or_default());
    }
    shown
}

/// Reads a pattern for a value that is never empty.
pub(crate) fn pattern(given: &str) -> Result<Glob, ValueError> {
    let wrong = |reason: String| ValueError::Pattern { given: given.to_owned(), reason };
    if given.is_empty() {
        return Err(wrong("it is empty, and no record has an empty value there".to_owned()));
    }
    given.parse().map_err(|e: indelible::GlobError| wrong(e.to_string()))
}

/// Reads a pattern that fits an outcome.
pub(crate) fn outcome_pattern(given: &str) -> Result<Glob, ValueError> {
    let glob = pattern(given)?;
    let outcomes = ["success", "failure", "denied", "unknown"];
    if outcomes.iter().any(|outcome| glob.matches(outcome)) {
        return Ok(glob);
    }
    Err(ValueError::Outcome { given: given.to_owned() })
}

/// Reads `PATH=PATTERN`; the first `=` that no backslash takes divides them.
pub(crate) fn session_member(given: &str) -> Result<(SessionPath, Glob), ValueError> {
    let mut taken = false;
    let is_divider = |c: char| {
        let is_divider = c == '=' && !taken;
        taken = c == '\\' && !taken;
        is_divider
    };
    let divided = given.split_once(is_divider);
    let (path, pattern) =
        divided.ok_or_else(|| ValueError::SessionMember { given: given.to_owned() })?;
    let path = path.parse().map_err(|e: indelible::SessionPathError| ValueError::SessionPath {
        given: given.to_owned(),
        reason: e.to_string(),
    })?;
    let glob = pattern.parse().map_err(|e: indelible::GlobError| ValueError::Pattern {
        given: pattern.to_owned(),
        reason: e.to_string(),
    })?;
    Ok((path, glob))
}

/// Reads `A..B`, both included, `A..`, `..B` or `A`.
pub(crate) fn seq_range(given: &str) -> Result<(u64, Option<u64>), ValueError> {
    let malformed = || ValueError::SeqRange { given: given.to_owned() };
    let number =
        |text: &str| text.parse::<u64>().ok().filter(|_| is_whole(text)).ok_or_else(malformed);
    let text = given.trim();
    let Some((first, last)) = text.split_once("..") else {
        let one = number(text)?;
        return Ok((one, Some(one)));
    };
    if first.is_empty() && last.is_empty() {
        return Err(malformed());
    }
    let first = if first.is_empty() { 0 } else { number(first)? };
    let last = if last.is_empty() { None } else { Some(number(last)?) };
    if last.is_some_and(|last| last < first) {
        return Err(ValueError::SeqRangeReversed { given: given.to_owned() });
    }
    Ok((first, last))
}

/// Reads `KEY=VALUE`.
pub(crate) fn assignment(given: &str) -> Result<(String, String), ValueError> {
    let divided = given.split_once('=').filter(|(key, _)| !key.trim().is_empty());
    let (key, value) = divided.ok_or_else(|| ValueError::Assignment { given: given.to_owned() })?;
    Ok((key.trim().to_owned(), value.to_owned()))
}

/// When something ends that is made now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expiry {
    Never,
    At(jiff::Timestamp),
}

/// Reads how long something holds, until when, or `never`.
pub(crate) fn expiry(given: &str) -> Result<Expiry, ValueError> {
    let ns = SystemClock::default().now().wall.unix_ns();
    expiry_at(given, jiff::Timestamp::from_nanosecond(ns).unwrap_or(jiff::Timestamp::MAX))
}

fn expiry_at(given: &str, now: jiff::Timestamp) -> Result<Expiry, ValueError> {
    let text = given.trim();
    if text == "never" {
        return Ok(Expiry::Never);
    }
    let wrong = || ValueError::Expiry { given: given.to_owned() };
    let at = if let Ok(time) = text.parse::<jiff::Timestamp>() {
        time
    } else {
        // An ISO 8601 duration (`P90D`) is a span to jiff as well; a sign is not, here.
        let plain = text.starts_with(|c: char| c.is_ascii_digit()) && !text.ends_with("ago");
        let span = text.parse::<jiff::Span>().ok().filter(|_| plain).ok_or_else(wrong)?;
        let then = now.to_zoned(jiff::tz::TimeZone::UTC).checked_add(span);
        then.map_err(|_bounds| wrong())?.timestamp()
    };
    if at > now { Ok(Expiry::At(at)) } else { Err(wrong()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_keys_are_known_and_taken_out_of_texts() {
        let key = SignerKey::from_seed(&"example.com/a".parse().expect("a name"), &[7; 32]);
        let secret = key.encode().as_str().to_owned();
        let short = secret.strip_prefix(PRIVATE_KEY).expect("so it begins").to_owned();
        let public = key.verifier_key().to_string();
        assert!(is_private_key(&secret) && is_private_key(&short) && !is_private_key(&public));
        assert_eq!(
            without_private_keys(&format!("a {secret} b {secret}")),
            "a PRIVATE+KEY+… b PRIVATE+KEY+…"
        );
        assert_eq!(without_private_keys(&public), public);
    }

    #[test]
    fn what_is_outside_the_limits_of_a_log_is_named_with_them() {
        let told = |error: Option<ValueError>| error.map(|error| error.to_string());
        assert_eq!(
            told(max_file_size("64KiB").err()).as_deref(),
            Some("`64KiB` is outside its limits: it must be at least 196608 bytes")
        );
        assert_eq!(
            told(max_files("0").err()).as_deref(),
            Some("`0` is outside its limits: it must be at least 1")
        );
        assert_eq!(
            told(checkpoint_interval("2h").err()).as_deref(),
            Some("`2h` is outside its limits: it must be from 1 to 3600000 ms")
        );
        assert_eq!(
            (max_file_size("64MiB"), max_files("3"), checkpoint_interval("1h")),
            (Ok(64 << 20), Ok(3), Ok(Duration::from_hours(1)))
        );
    }

    #[test]
    fn numbers_are_whole_and_named_by_what_they_count() {
        let told = |error: Option<ValueError>| error.map(|error| error.to_string());
        assert_eq!((seq("42"), records("0"), limit("1")), (Ok(42), Ok(0), Ok(1)));
        assert_eq!((threads("1"), threads("256")), (Ok(1), Ok(256)));
        for (error, text) in [
            (told(seq("kept.txt").err()), "`kept.txt` is not a sequence number (0, 1, 2 …)"),
            (told(seq("-1").err()), "`-1` is not a sequence number (0, 1, 2 …)"),
            (
                told(seq("99999999999999999999").err()),
                "`99999999999999999999` is larger than any sequence number: they have at most 18 digits",
            ),
            (told(records("x").err()), "`x` is not a number of records: write a whole number"),
            (
                told(limit("0").err()),
                "a limit of 0 shows nothing: write 1 or more, or leave it out",
            ),
            (told(threads("0").err()), "`0` is outside its limits: it must be from 1 to 256"),
            (told(threads("257").err()), "`257` is outside its limits: it must be from 1 to 256"),
            (told(max_files("+1").err()), "`+1` is not a number of files: write a whole number"),
            (told(max_files("4294967296").err()), "`4294967296` is more files than there can be"),
        ] {
            assert_eq!(error.as_deref(), Some(text));
        }
    }

    #[test]
    fn ranges_of_seq_include_both_ends() {
        for (given, range) in [
            ("100..199", (100, Some(199))),
            ("7..7", (7, Some(7))),
            ("100..", (100, None)),
            ("..199", (0, Some(199))),
            ("42", (42, Some(42))),
        ] {
            assert_eq!(seq_range(given), Ok(range), "{given}");
        }
        for given in ["", "..", "a..b", "1...2", "-1..2", "1..+2", "1-2", "99999999999999999999"] {
            assert_eq!(seq_range(given), Err(ValueError::SeqRange { given: given.to_owned() }));
        }
        assert_eq!(
            seq_range("5..4").expect_err("reversed").to_string(),
            "`5..4` ends before it begins: write the lower sequence number first; --reverse turns the order"
        );
    }

    #[test]
    fn an_expiry_lies_in_the_future_or_is_never() {
        let now = "2026-03-31T12:00:00Z".parse().expect("a time");
        let read = |given| match expiry_at(given, now) {
            Ok(Expiry::At(at)) => Ok(at.to_string()),
            Ok(Expiry::Never) => Ok("never".to_owned()),
            Err(error) => Err(error),
        };
        for (given, at) in [
            ("90d", "2026-06-29T12:00:00Z"),
            ("12h", "2026-04-01T00:00:00Z"),
            ("1w 2d", "2026-04-09T12:00:00Z"),
            ("2027-01-31T00:00:00Z", "2027-01-31T00:00:00Z"),
            ("never", "never"),
        ] {
            assert_eq!(read(given).as_deref(), Ok(at), "{given}");
        }
        for given in ["", "90", "soon", "-1d", "1d ago", "0s", "2026-03-31T12:00:00Z", "P90D"] {
            assert_eq!(read(given), Err(ValueError::Expiry { given: given.to_owned() }), "{given}");
        }
    }

    #[test]
    fn an_assignment_has_a_key() {
        let read = assignment("a.b=c=d").expect("one");
        assert_eq!(read, ("a.b".to_owned(), "c=d".to_owned()));
        assert!(assignment("a.b").is_err() && assignment("=c").is_err());
    }

    #[test]
    fn a_session_member_is_a_path_and_a_pattern() {
        let (path, glob) = session_member(r"user.a\=b=x=*").expect("a member");
        assert_eq!(
            (path.names(), glob.to_string().as_str()),
            (&["user".to_owned(), "a=b".to_owned()][..], "x=*")
        );
        let (_, empty) = session_member("note=").expect("a member");
        assert!(empty.matches("") && !empty.matches("x"));
        for given in ["", "user", "=x", "user..id=7", ".=1", r"user\=x"] {
            assert!(session_member(given).is_err(), "{given}");
        }
    }

    #[test]
    fn an_outcome_that_there_is_not_is_refused() {
        assert!(outcome_pattern("denied").is_ok() && outcome_pattern("*e*").is_ok());
        assert_eq!(
            outcome_pattern("succeeded").expect_err("no outcome").to_string(),
            "`succeeded` is no outcome: it takes success, failure, denied or unknown, or a pattern that one of them fits"
        );
        assert_eq!(
            pattern("a\\").expect_err("no pattern").to_string(),
            "`a\\` is not a pattern: a backslash takes the character after it as it is, and none follows the last one"
        );
    }
}
