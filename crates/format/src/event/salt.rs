//! [`Salt`]: random bits of a record, so that its content can't be guessed from its hash.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Size of the spelling of every salt.
pub const SALT_TEXT_SIZE: usize = 22;

/// 128 random bits, spelt as 22 characters of base64url.
///
/// [`Debug`] does not show them: a salt protects the content beside it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Salt([u8; 16]);

impl Salt {
    /// Wraps 16 bytes, which the caller drew at random.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Lends the 16 bytes.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// Reads the one spelling that records use, and nothing else.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let mut bytes = [0; 16];
        let text: &[u8; SALT_TEXT_SIZE] = text.try_into().ok()?;
        // This engine takes neither padding nor set bits after the last whole byte.
        let size = URL_SAFE_NO_PAD.decode_slice_unchecked(text, &mut bytes).ok()?;
        (size == bytes.len()).then_some(Self(bytes))
    }

    /// Appends the spelling.
    pub fn write(&self, buf: &mut Vec<u8>) {
        buf.extend_from_slice(&self.spell());
    }

    fn spell(&self) -> [u8; SALT_TEXT_SIZE] {
        let mut text = [b'A'; SALT_TEXT_SIZE];
        let written = URL_SAFE_NO_PAD.encode_slice(self.0, &mut text);
        debug_assert_eq!(written.ok(), Some(SALT_TEXT_SIZE), "128 bits are 22 characters");
        text
    }
}

impl fmt::Display for Salt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(std::str::from_utf8(&self.spell()).unwrap_or_default())
    }
}

impl fmt::Debug for Salt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Salt(…)")
    }
}

impl FromStr for Salt {
    type Err = ParseSaltError;

    fn from_str(text: &str) -> Result<Self, ParseSaltError> {
        Self::parse(text.as_bytes()).ok_or(ParseSaltError)
    }
}

/// The text is not the canonical spelling of a salt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a salt is 22 characters of base64url, the last one A, Q, g or w")]
#[non_exhaustive]
pub struct ParseSaltError;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_salt_has_one_spelling() {
        let salt = Salt::from_bytes(std::array::from_fn(|i| u8::try_from(i).unwrap()));
        assert_eq!(salt.to_string(), "AAECAwQFBgcICQoLDA0ODw");
        assert_eq!("AAECAwQFBgcICQoLDA0ODw".parse(), Ok(salt));
        assert!(Salt::parse(b"_-8CAwQFBgcICQoLDA0ODw").is_some());
        for text in [
            "",
            "AAECAwQFBgcICQoLDA0ODx",
            "AAECAwQFBgcICQoLDA0OD",
            "AAECAwQFBgcICQoLDA0ODww",
            "AAECAwQFBgcICQoLDA0ODw==",
            "AAECAwQFBgcICQoLDA0O/w",
            "AAECAwQFBgcICQoLDA0O+w",
            "AAECAwQFBgcICQoLDA0O w",
            "AAECAwQFBgcICQoLDA0OD=",
        ] {
            assert_eq!(Salt::parse(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn only_four_last_characters_are_canonical() {
        let last: String = ('0'..='z')
            .filter(|c| Salt::parse(format!("AAECAwQFBgcICQoLDA0OD{c}").as_bytes()).is_some())
            .collect();
        assert_eq!(last, "AQgw");
    }

    #[test]
    fn a_salt_is_not_shown_by_debug() {
        assert_eq!(format!("{:?}", Salt::from_bytes([7; 16])), "Salt(…)");
    }
}
