//! How principals are called: by what authenticated them, so that none can be taken for one of another kind.
//!
//! | name | who |
//! |---|---|
//! | `token:agent-7` | holds the token of that name |
//! | `cert:spiffe://example.com/agent-7` | showed a certificate with that URI |
//! | `cert:agent-7.example.com` | showed a certificate with that DNS name |
//! | `uid:1000` | runs as that user of this machine, and came over the Unix socket |
//! | `anonymous:loopback` | anybody on this machine |
//! | `anonymous:192.0.2.7` | anybody at that address |
//!
//! A URI and a DNS name can't be alike: a DNS name has no colon, and a URI has one.

use std::net::IpAddr;

/// Most bytes of a name: what a record's `recorded_by` may have.
pub(crate) const NAME_SIZE_MAX: usize = 256;

/// What anybody on this machine is called, where nobody is authenticated.
pub(crate) const LOOPBACK: &str = "anonymous:loopback";

/// What authenticates a principal that can be configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Token,
    Certificate,
    Uid,
}

impl Kind {
    const ALL: [Self; 3] = [Self::Token, Self::Certificate, Self::Uid];

    const fn prefix(self) -> &'static str {
        match self {
            Self::Token => "token:",
            Self::Certificate => "cert:",
            Self::Uid => "uid:",
        }
    }

    /// What a principal's name says of it, and the name proper.
    pub(crate) fn of(name: &str) -> Option<(Self, &str)> {
        Self::ALL.into_iter().find_map(|kind| Some((kind, name.strip_prefix(kind.prefix())?)))
    }

    /// The principal of that kind with this name proper.
    pub(crate) fn name(self, proper: impl std::fmt::Display) -> String {
        format!("{}{proper}", self.prefix())
    }
}

/// What an anonymous caller at an address of another machine is called.
pub(crate) fn anonymous_name(address: IpAddr) -> String {
    format!("anonymous:{}", address.to_canonical())
}
