//! What a log is called: its [`LogId`], random and unique, and its [`Origin`], the name that people and notes use.
//!
//! Invariants: an [`Origin`] is always fit to be a key name and the first line of a checkpoint; a [`LogId`] is 16 bytes,
//! spelt as 32 lower-case hexadecimal digits.
//!
//! It does not make random ids. Spec: `docs/spec/`, "Records of the log's own".

use std::fmt;
use std::str::FromStr;

use crate::hex;

/// Longest origin, in bytes.
pub const ORIGIN_SIZE_MAX: usize = 255;

/// The random identity of one log.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LogId([u8; 16]);

impl LogId {
    /// Wraps 16 raw bytes.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Lends the 16 raw bytes.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Display for LogId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hex::write(f, &self.0)
    }
}

impl fmt::Debug for LogId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for LogId {
    type Err = IdentityError;

    fn from_str(text: &str) -> Result<Self, IdentityError> {
        hex::decode(text.as_bytes()).map(Self).ok_or(IdentityError::LogId)
    }
}

/// The name of a log: the name of its key, and the first line of each of its notes.
///
/// 1 to [`ORIGIN_SIZE_MAX`] bytes, no Unicode space, no `+`, no control character.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Origin(String);

impl Origin {
    /// Names a log to which nobody gave a name: `indelible.invalid/<log_id>`.
    pub fn unnamed(log_id: &LogId) -> Self {
        Self(format!("indelible.invalid/{log_id}"))
    }

    /// Lends the name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl AsRef<str> for Origin {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Origin {
    type Error = IdentityError;

    fn try_from(name: String) -> Result<Self, IdentityError> {
        check_origin(&name).map(|()| Self(name))
    }
}

impl FromStr for Origin {
    type Err = IdentityError;

    fn from_str(name: &str) -> Result<Self, IdentityError> {
        check_origin(name).map(|()| Self(name.to_owned()))
    }
}

fn check_origin(name: &str) -> Result<(), IdentityError> {
    if name.is_empty() {
        return Err(IdentityError::OriginEmpty);
    }
    if name.len() > ORIGIN_SIZE_MAX {
        return Err(IdentityError::OriginTooLong { size: name.len() });
    }
    let forbidden = |c: char| c.is_whitespace() || c.is_control() || c == '+';
    match name.char_indices().find(|(_, c)| forbidden(*c)) {
        Some((offset, found)) => Err(IdentityError::OriginCharacter { offset, found }),
        None => Ok(()),
    }
}

/// Says why a text is no log id, or no origin.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IdentityError {
    /// Not 32 lower-case hexadecimal digits.
    #[error("a log id is 32 lower-case hexadecimal digits")]
    LogId,
    /// An origin of no bytes.
    #[error("origin is empty")]
    OriginEmpty,
    /// An origin over [`ORIGIN_SIZE_MAX`].
    #[error("origin has {size} bytes, at most {ORIGIN_SIZE_MAX} are allowed")]
    OriginTooLong {
        /// Its size in bytes.
        size: usize,
    },
    /// A space, a plus sign or a control character.
    #[error(
        "origin has {found:?} at byte {offset}: spaces, plus signs and control characters are not allowed"
    )]
    OriginCharacter {
        /// Byte at which it stands.
        offset: usize,
        /// The character.
        found: char,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_id_text_survives_and_is_strict() {
        let id = LogId::from_bytes(std::array::from_fn(|i| u8::try_from(i).unwrap()));
        assert_eq!(id.to_string(), "000102030405060708090a0b0c0d0e0f");
        assert_eq!(format!("{id:?}"), id.to_string());
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!("000102030405060708090A0B0C0D0E0F".parse::<LogId>(), Err(IdentityError::LogId));
        assert_eq!("00".parse::<LogId>(), Err(IdentityError::LogId));
    }

    #[test]
    fn unnamed_origin_is_an_origin() {
        let origin = Origin::unnamed(&LogId::from_bytes([0xab; 16]));
        assert_eq!(origin.as_str(), "indelible.invalid/abababababababababababababababab");
        assert_eq!(AsRef::<str>::as_ref(&origin), origin.as_str());
        assert_eq!(origin.as_str().parse(), Ok(origin));
    }

    #[test]
    fn origins_are_limited_in_size_and_characters() {
        let error = |name: &str| name.parse::<Origin>().unwrap_err();
        let character = |offset, found| IdentityError::OriginCharacter { offset, found };
        assert!("a".repeat(255).parse::<Origin>().is_ok());
        assert!("zoë.example/log".parse::<Origin>().is_ok());
        assert_eq!(error(""), IdentityError::OriginEmpty);
        assert_eq!(error(&"é".repeat(128)), IdentityError::OriginTooLong { size: 256 });
        assert_eq!(error("a b"), character(1, ' '));
        assert_eq!(error("é\u{a0}"), character(2, '\u{a0}'));
        assert_eq!(error("a\u{2003}"), character(1, '\u{2003}'));
        assert_eq!(error("a+b"), character(1, '+'));
        assert_eq!(error("a\nb"), character(1, '\n'));
        assert_eq!(error("a\u{85}"), character(1, '\u{85}'));
        assert_eq!(error("a\u{7f}"), character(1, '\u{7f}'));
        assert_eq!(
            error("a\tb").to_string(),
            r"origin has '\t' at byte 1: spaces, plus signs and control characters are not allowed"
        );
    }
}
