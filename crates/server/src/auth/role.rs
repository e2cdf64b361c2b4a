//! What a principal may do with a log: [`Role`].

use std::fmt;
use std::str::FromStr;

/// What a principal may do with a log. No role can change or delete anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Role {
    /// Append events.
    Append,
    /// Read records, checkpoints and proofs.
    Read,
    /// Append and read, and look at the service itself (`/metrics`) where that needs a name.
    Admin,
}

impl Role {
    /// As it is spelt in the configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Append => "append",
            Self::Read => "read",
            Self::Admin => "admin",
        }
    }

    /// Whether who has `self` may do what takes `needed`.
    pub fn includes(self, needed: Self) -> bool {
        self == needed || self == Self::Admin
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text is no role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a role is append, read or admin")]
#[non_exhaustive]
pub struct ParseRoleError;

impl FromStr for Role {
    type Err = ParseRoleError;

    fn from_str(text: &str) -> Result<Self, ParseRoleError> {
        match text {
            "append" => Ok(Self::Append),
            "read" => Ok(Self::Read),
            "admin" => Ok(Self::Admin),
            _ => Err(ParseRoleError),
        }
    }
}
