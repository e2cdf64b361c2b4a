//! The secret that a caller holds: [`Token`].

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use indelible::format::chain::Hash;
use sha2::{Digest as _, Sha256};

/// How every token begins, so that one that got into a repository or a log is found by it.
const PREFIX: &str = "indelible_";
/// Random bytes of a token.
const SECRET_SIZE: usize = 32;

/// A bearer token: `indelible_` and 43 letters that stand for 256 random bits.
///
/// `Debug` does not show it; [`Token::reveal`] does.
#[derive(Clone)]
pub struct Token(String);

impl Token {
    /// Makes a new one.
    ///
    /// # Errors
    /// The system has no randomness to give.
    pub fn random() -> Result<Self, TokenError> {
        let mut bytes = [0; SECRET_SIZE];
        getrandom::fill(&mut bytes).map_err(TokenError::Random)?;
        Ok(Self(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes))))
    }

    /// The token itself, to be shown once.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// What is kept of it: its SHA-256.
    pub fn digest(&self) -> Hash {
        Hash::from_bytes(Sha256::digest(self.0.as_bytes()).into())
    }
}

impl FromStr for Token {
    type Err = TokenError;

    fn from_str(text: &str) -> Result<Self, TokenError> {
        let secret = text.strip_prefix(PREFIX).ok_or(TokenError::Form)?;
        match URL_SAFE_NO_PAD.decode(secret) {
            Ok(bytes) if bytes.len() == SECRET_SIZE => Ok(Self(text.to_owned())),
            Ok(_) | Err(_) => Err(TokenError::Form),
        }
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// The text is none.
    #[error("this is no token: one is `indelible_` and 43 letters")]
    Form,
    /// The system has no randomness to give.
    #[error("the system has no randomness to give: {0}")]
    Random(getrandom::Error),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_recognised_read_again_and_never_shown_by_debug() {
        let token = Token::random().unwrap();
        let again: Token = token.reveal().parse().unwrap();
        assert_eq!(again.digest(), token.digest());
        assert_eq!((token.reveal().len(), format!("{token:?}").as_str()), (53, "Token(…)"));
        assert_ne!(Token::random().unwrap().digest(), token.digest());
        let short = token.reveal().strip_prefix("indel").unwrap();
        for wrong in ["", "indelible_", "indelible_abc", short, "Bearer x"] {
            assert!(wrong.parse::<Token>().is_err(), "{wrong}");
        }
    }
}
