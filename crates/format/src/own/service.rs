//! Records of the log's own that the service in front of it has it write: start, stop, change of configuration, refused
//! access.
//!
//! Owns their members and limits. Invariants:
//! - everything is bounded: a [`Label`] has 256 bytes, there are 8 listeners, all else is a number, a time, a digest or one
//!   of a closed list of words;
//! - no text of a caller's is in them: [`Who`] is a principal as the configuration names it, an address, or a user of this
//!   machine.
//!
//! Writing and reading them is the business of `encode` and `decode`. Spec: `docs/spec/own-records.md`.

use std::fmt;
use std::net::IpAddr;
use std::num::NonZeroU64;
use std::str::FromStr;

use super::action;
use crate::chain::Hash;
use crate::time::Timestamp;

/// Most bytes of a [`Label`].
pub const LABEL_SIZE_MAX: usize = 256;
/// Most listeners that a start names.
pub const LISTENERS_MAX: usize = 8;

/// What the service has the log say.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ServiceRecord {
    /// The service started, and appends to this log.
    Start(ServiceStart),
    /// The service stops in order: the last record of its own.
    Stop(ServiceStop),
    /// Something that the service is configured by changed while it ran.
    Configure(ServiceConfigure),
    /// The service refused access.
    Refuse(ServiceRefuse),
}

impl ServiceRecord {
    /// Lends the action.
    pub const fn action(&self) -> &'static str {
        match self {
            Self::Start(_) => action::SERVICE_START,
            Self::Stop(_) => action::SERVICE_STOP,
            Self::Configure(_) => action::SERVICE_CONFIGURE,
            Self::Refuse(_) => action::SERVICE_REFUSE,
        }
    }
}

/// The service started, and appends to this log.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the format fixes the members")]
pub struct ServiceStart {
    /// Version of the program.
    pub version: Label,
    /// Its process id.
    pub pid: u32,
    /// Where it listens.
    pub listeners: Listeners,
    /// SHA-256 of the configuration in force.
    pub configuration: Hash,
    /// Whether callers must say who they are.
    pub authentication: Authentication,
}

/// The service stops in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the format fixes the members")]
pub struct ServiceStop {
    /// Why.
    pub reason: StopReason,
    /// Records that the log took since the service started, those of its own among them.
    pub records: u64,
}

/// Something that the service is configured by changed while it ran.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the format fixes the members")]
pub struct ServiceConfigure {
    /// What changed.
    pub what: Configured,
    /// SHA-256 of it before.
    pub before: Hash,
    /// SHA-256 of it from now on.
    pub after: Hash,
}

/// The service refused access, once or more often.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the format fixes the members")]
pub struct ServiceRefuse {
    /// Whom it refused.
    pub who: Who,
    /// Why, the last time.
    pub reason: RefuseReason,
    /// How often.
    pub count: NonZeroU64,
    /// When it did the first time, by the clock of the service.
    pub since: Timestamp,
    /// When it did the last time.
    pub until: Timestamp,
}

/// Whom the service refused.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Who {
    /// An authenticated principal, as the configuration names it.
    Principal(Label),
    /// Somebody at an address, who is not authenticated.
    Address(IpAddr),
    /// A user of this machine, by number, whom no principal stands for.
    User(u32),
}

impl Who {
    /// Spells what it is.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Principal(_) => "principal",
            Self::Address(_) => "address",
            Self::User(_) => "user",
        }
    }

    /// Reads one of that kind, spelt exactly as it is written.
    pub(super) fn parse(kind: &str, text: &str) -> Option<Self> {
        let who = match kind {
            "principal" => Self::Principal(text.parse().ok()?),
            "address" => Self::Address(text.parse().ok()?),
            "user" => Self::User(text.parse().ok()?),
            _ => return None,
        };
        (who.to_string() == text).then_some(who)
    }
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Principal(principal) => principal.fmt(f),
            Self::Address(address) => address.fmt(f),
            Self::User(user) => user.fmt(f),
        }
    }
}

/// A short text: 1 to 256 bytes, no control character.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Label(String);

impl Label {
    /// Lends the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Label {
    type Err = ParseLabelError;

    fn from_str(text: &str) -> Result<Self, ParseLabelError> {
        if !(1..=LABEL_SIZE_MAX).contains(&text.len()) {
            return Err(ParseLabelError::Size { size: text.len() });
        }
        if text.contains(char::is_control) {
            return Err(ParseLabelError::Control);
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a text is no [`Label`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseLabelError {
    /// It has no bytes, or too many.
    #[error("a text of {size} bytes: 1 to {LABEL_SIZE_MAX} are allowed")]
    Size {
        /// Its bytes.
        size: usize,
    },
    /// It has a control character in it.
    #[error("a text with a control character in it")]
    Control,
}

/// Where the service listens: at most 8 places.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listeners(Vec<Label>);

impl Listeners {
    /// Takes up to 8 places; `None` where there are more.
    pub fn new(places: Vec<Label>) -> Option<Self> {
        (places.len() <= LISTENERS_MAX).then_some(Self(places))
    }

    /// Lends the places.
    pub fn places(&self) -> &[Label] {
        &self.0
    }
}

/// Makes an enum of words, each spelt in one way.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident, $words:literal: $($(#[$of:meta])* $variant:ident = $word:literal,)+) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$of])* $variant,)+
        }

        impl $name {
            /// All of them, in the order of the specification.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// What a value must be, in words.
            pub(super) const EXPECTED: &str = concat!("one of ", $words);

            /// Spells it as records do.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }

            /// Reads it as records spell it.
            pub(super) fn parse(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|word| word.as_str() == text)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

words! {
    /// Whether callers must say who they are.
    Authentication, "required, none":
    /// On every listener that appends or reads.
    Required = "required",
    /// Not on every one.
    None = "none",
}

words! {
    /// Why the service stops.
    StopReason, "signal, request, halted, failed":
    /// A signal told it to.
    Signal = "signal",
    /// An operator asked it to by another way.
    Request = "request",
    /// A log halted, and the service does not go on without it.
    Halted = "halted",
    /// It failed otherwise.
    Failed = "failed",
}

words! {
    /// What the service is configured by.
    Configured, "configuration, tokens, certificates":
    /// The configuration itself.
    Configuration = "configuration",
    /// The tokens that are let in.
    Tokens = "tokens",
    /// Its certificates, or those that it trusts.
    Certificates = "certificates",
}

words! {
    /// Why the service refused access.
    RefuseReason, "unauthenticated, token_unknown, token_expired, certificate, origin, role, actor, rate":
    /// The caller did not say who it is.
    Unauthenticated = "unauthenticated",
    /// A token that is not known, or not any more.
    TokenUnknown = "token_unknown",
    /// A token whose time is over.
    TokenExpired = "token_expired",
    /// A certificate that is not trusted, or that no principal stands for.
    Certificate = "certificate",
    /// A web page of another origin, or a request for another host.
    Origin = "origin",
    /// The principal does not have the role, for this log.
    Role = "role",
    /// The principal may not speak for that actor.
    Actor = "actor",
    /// More than the principal's, or the address's, share.
    Rate = "rate",
}
