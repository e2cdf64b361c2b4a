//! Patterns for values: [`Glob`].
//!
//! Invariant: a pattern is held against the whole value, letter by letter as decoded; it takes time in proportion to
//! pattern times value at most, and no memory.

use std::fmt;
use std::str::FromStr;

/// A pattern for a value: `*` stands for any run of characters, also none, `?` for exactly one, and a backslash takes the
/// character after it as it is. Everything else stands for itself; case counts.
///
/// # Examples
/// ```
/// use indelible::Glob;
///
/// let glob: Glob = "tool.call:read_*".parse()?;
/// assert!(glob.matches("tool.call:read_file") && !glob.matches("tool.call:write_file"));
/// assert!(r"50\*".parse::<Glob>()?.matches("50*"));
/// assert!(Glob::exact("50*").matches("50*") && !Glob::exact("50*").matches("500"));
/// # Ok::<(), indelible::GlobError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Glob {
    text: String,
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Literal(String),
    One,
    Many,
}

/// Why a text is no pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GlobError {
    /// A backslash at the end takes no character.
    #[error("a backslash takes the character after it as it is, and none follows the last one")]
    Backslash,
}

/// Characters of a pattern that stand for themselves, next to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Literal<'a> {
    pub(super) text: &'a str,
    /// The value begins with them.
    pub(super) is_first: bool,
    /// The value ends with them.
    pub(super) is_last: bool,
}

impl Glob {
    /// The pattern for this value and no other.
    pub fn exact(value: &str) -> Self {
        let mut text = String::new();
        for c in value.chars() {
            if matches!(c, '*' | '?' | '\\') {
                text.push('\\');
            }
            text.push(c);
        }
        let pieces =
            if value.is_empty() { Vec::new() } else { vec![Piece::Literal(value.to_owned())] };
        Self { text, pieces }
    }

    /// Says whether `value` is one that the pattern stands for.
    pub fn matches(&self, value: &str) -> bool {
        let (mut pieces, mut rest) = (self.pieces.as_slice(), value);
        // Where to go on if what follows the last `*` does not fit: one character later.
        let mut last_many: Option<(&[Piece], &str)> = None;
        loop {
            let next = match pieces.split_first() {
                None if rest.is_empty() => return true,
                None => None,
                Some((Piece::Many, [])) => return true,
                Some((Piece::Many, after)) => {
                    last_many = Some((after, rest));
                    Some((after, rest))
                }
                Some((Piece::One, after)) => without_first(rest).map(|rest| (after, rest)),
                Some((Piece::Literal(text), after)) => {
                    rest.strip_prefix(text.as_str()).map(|rest| (after, rest))
                }
            };
            if let Some(next) = next {
                (pieces, rest) = next;
                continue;
            }
            let Some((after, from)) = last_many else { return false };
            let Some(from) = without_first(from) else { return false };
            last_many = Some((after, from));
            (pieces, rest) = (after, from);
        }
    }

    /// Its runs of characters that stand for themselves.
    pub(super) fn literals(&self) -> impl Iterator<Item = Literal<'_>> {
        let last = self.pieces.len().saturating_sub(1);
        self.pieces.iter().enumerate().filter_map(move |(at, piece)| match piece {
            Piece::Literal(text) => Some(Literal { text, is_first: at == 0, is_last: at == last }),
            Piece::One | Piece::Many => None,
        })
    }
}

fn without_first(text: &str) -> Option<&str> {
    let mut chars = text.chars();
    chars.next().map(|_| chars.as_str())
}

impl FromStr for Glob {
    type Err = GlobError;

    fn from_str(text: &str) -> Result<Self, GlobError> {
        let mut pieces = Vec::new();
        let mut chars = text.chars();
        while let Some(c) = chars.next() {
            let literal = match c {
                '*' => {
                    if pieces.last() != Some(&Piece::Many) {
                        pieces.push(Piece::Many);
                    }
                    continue;
                }
                '?' => {
                    pieces.push(Piece::One);
                    continue;
                }
                '\\' => chars.next().ok_or(GlobError::Backslash)?,
                other => other,
            };
            if let Some(Piece::Literal(text)) = pieces.last_mut() {
                text.push(literal);
            } else {
                pieces.push(Piece::Literal(literal.into()));
            }
        }
        Ok(Self { text: text.to_owned(), pieces })
    }
}

/// As it was written.
impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn glob(text: &str) -> Glob {
        text.parse().unwrap()
    }

    /// By definition, in exponential time.
    fn naive(pattern: &[char], value: &[char]) -> bool {
        match (pattern.split_first(), value.split_first()) {
            (None, _) => value.is_empty(),
            (Some(('*', after)), _) => (0..=value.len()).any(|taken| naive(after, &value[taken..])),
            (Some(('?', after)), Some((_, rest))) => naive(after, rest),
            (Some(('\\', [c, after @ ..])), Some((first, rest))) => {
                c == first && naive(after, rest)
            }
            (Some((c, after)), Some((first, rest))) => c == first && naive(after, rest),
            (Some(_), None) => false,
        }
    }

    proptest! {
        #[test]
        fn patterns_match_as_defined(pattern in r"[ab*?é]{0,7}(\\[*?ab\\])?[ab*]{0,3}", value in "[ab*é?\\\\]{0,9}") {
            let chars = |text: &str| text.chars().collect::<Vec<_>>();
            prop_assert_eq!(glob(&pattern).matches(&value), naive(&chars(&pattern), &chars(&value)));
        }

        #[test]
        fn an_exact_pattern_matches_its_value_and_reads_back(value in ".{0,9}", other in ".{0,2}") {
            let exact = Glob::exact(&value);
            prop_assert!(exact.matches(&value));
            prop_assert_eq!(exact.matches(&other), value == other);
            prop_assert_eq!(glob(&exact.to_string()), exact);
        }
    }

    #[test]
    fn many_stars_take_no_exponential_time() {
        let pattern = glob(&"a*".repeat(30));
        assert!(!pattern.matches(&("a".repeat(29) + "b")));
        assert!(!glob(&("*a".repeat(40) + "c")).matches(&"a".repeat(5_000)));
    }

    #[test]
    fn a_backslash_at_the_end_is_no_pattern() {
        assert_eq!(r"a\".parse::<Glob>(), Err(GlobError::Backslash));
        assert!(r"a\\".parse::<Glob>().is_ok_and(|glob| glob.matches(r"a\")));
    }
}
