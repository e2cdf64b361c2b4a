//! Records of the log's own: what the log says of itself.
//!
//! Owns the members of `metadata` of each such record, writing and reading them, and the signed text of those that carry
//! `signed`.
//!
//! Invariants:
//! - what [`write_own`] writes, [`Record::parse`](crate::record::Record::parse) reads back as the same;
//! - members stand exactly as listed here, in this order, with names spelt literally; their types are always checked;
//! - a record that needs `signed` and has no valid one is told apart by [`OwnRecord::verify_signed`], and only there.
//!
//! It does not know whether a record stands where it may, names the log it stands in, or tells the truth: that takes the
//! whole log. Spec: `docs/spec/`, "Records of the log's own".

pub mod action;
mod decode;
mod encode;
mod service;

use std::fmt;
use std::str::FromStr;

use crate::chain::Hash;
use crate::identity::{LogId, Origin};
use crate::note::{SignatureLine, VerifierKey};
use crate::time::Timestamp;

pub(crate) use decode::Metadata;
pub use encode::{Announcement, OwnContext, write_own};
pub use service::{
    Authentication, Configured, LABEL_SIZE_MAX, LISTENERS_MAX, Label, Listeners, ParseLabelError,
    RefuseReason, ServiceConfigure, ServiceRecord, ServiceRefuse, ServiceStart, ServiceStop,
    StopReason, Who,
};

const SIGNED_HEADER: &[u8] = b"indelible signed record\n";
const BEFORE_SIGNED: &[u8] = b",\"signed\":";

/// What the log says of itself in one record.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OwnRecord {
    /// The log begins: record 0, and only there.
    Create(Create),
    /// Open found records that no signature covered.
    Adopt(Adopt),
    /// Open repaired what a crash left.
    Recover(Recover),
    /// Retention removed records.
    Prune(Signed<Prune>),
    /// The content of a record was removed.
    Redact(Signed<Redact>),
    /// From here on a newer version of the format.
    Format(Signed<NewFormat>),
    /// The clock stood behind the last timestamp.
    ClockBehind(ClockBehind),
    /// The clock jumped ahead, or such a jump is over.
    ClockJump(ClockJump),
    /// Written by the service in front of the log.
    Service(ServiceRecord),
    /// An action that this version does not know; `metadata` is any object.
    #[non_exhaustive]
    Other {
        /// The action, which begins with `indelible.`.
        action: String,
    },
}

/// Something that the log announces over its signature.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the format fixes the members")]
pub struct Signed<T> {
    /// What is announced.
    pub what: T,
    /// The signature as the record states it, not verified.
    pub signed: SignatureLine,
}

/// The log begins.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the format fixes the members")]
pub struct Create {
    /// Version of the format.
    pub format: u64,
    /// Random identity of the log.
    pub log_id: LogId,
    /// Name of the log.
    pub origin: Origin,
    /// The log's key.
    pub key: VerifierKey,
    /// The log that it takes over from.
    pub continues: Option<Continues>,
}

/// A log that can't go on, and that another one takes over from.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the format fixes the members")]
pub struct Continues {
    /// Identity of the old log.
    pub log_id: LogId,
    /// The old log's last checkpoint, as a signed note with its own signature only.
    pub checkpoint: String,
    /// Why it can't go on.
    pub reason: String,
}

/// Open found records beyond the durable mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the format fixes the members")]
pub struct Adopt {
    /// The first of them.
    pub from_seq: u64,
    /// The last of them.
    pub to_seq: u64,
}

/// Open repaired what a crash left.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the format fixes the members")]
pub struct Recover {
    /// The segment.
    pub file: String,
    /// Where in it the repair begins.
    pub offset: u64,
    /// How many bytes are concerned.
    pub length: u64,
    /// SHA-256 of those bytes.
    pub sha256: Hash,
    /// What was found.
    pub kind: TailKind,
    /// Where the bytes were put.
    pub quarantine: String,
}

/// What kind of tail was repaired.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TailKind {
    /// Part of a line.
    Partial,
    /// Pages that never reached the disk.
    Nul,
    /// A whole record without its line feed.
    NoLf,
}

impl TailKind {
    /// Spells it as records do.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Partial => "partial",
            Self::Nul => "nul",
            Self::NoLf => "no_lf",
        }
    }
}

impl fmt::Display for TailKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for TailKind {
    type Err = ParseTailKindError;

    fn from_str(text: &str) -> Result<Self, ParseTailKindError> {
        match text {
            "partial" => Ok(Self::Partial),
            "nul" => Ok(Self::Nul),
            "no_lf" => Ok(Self::NoLf),
            _ => Err(ParseTailKindError),
        }
    }
}

/// The text is none of the kinds of tail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a tail is partial, nul or no_lf")]
#[non_exhaustive]
pub struct ParseTailKindError;

/// Retention removed records; says again all that the genesis said.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the format fixes the members")]
pub struct Prune {
    /// Version of the format.
    pub format: u64,
    /// Random identity of the log.
    pub log_id: LogId,
    /// Name of the log.
    pub origin: Origin,
    /// The log's keys.
    pub keys: Vec<VerifierKey>,
    /// The first record that is kept.
    pub first_kept_seq: u64,
    /// Hash of the record before it.
    pub last_pruned_hash: Hash,
    /// How many files are removed.
    pub files: u64,
    /// Why.
    pub reason: String,
}

/// The content of a record was removed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the format fixes the members")]
pub struct Redact {
    /// The record.
    pub seq: u64,
    /// Its hash.
    pub hash: Hash,
    /// Its timestamp.
    pub timestamp: Timestamp,
    /// Why.
    pub reason: String,
}

/// From here on a newer version of the format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the format fixes the members")]
pub struct NewFormat {
    /// That version.
    pub format: u64,
}

/// The clock stood behind the last timestamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the format fixes the members")]
pub struct ClockBehind {
    /// What the clock said.
    pub wall: Timestamp,
}

/// The clock jumped ahead, or such a jump is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the format fixes the members")]
pub struct ClockJump {
    /// What the clock said.
    pub wall: Timestamp,
    /// What it should have said by the time that was counted.
    pub counted: Timestamp,
    /// Whether the clock is believed now.
    pub believed: bool,
}

impl OwnRecord {
    /// Lends the action.
    pub fn action(&self) -> &str {
        match self {
            Self::Create(_) => action::CREATE,
            Self::Adopt(_) => action::ADOPT,
            Self::Recover(_) => action::RECOVER,
            Self::Prune(_) => action::PRUNE,
            Self::Redact(_) => action::REDACT,
            Self::Format(_) => action::FORMAT,
            Self::ClockBehind(_) => action::CLOCK_BEHIND,
            Self::ClockJump(_) => action::CLOCK_JUMP,
            Self::Service(what) => what.action(),
            Self::Other { action } => action,
        }
    }

    /// Lends the signature that the record states, where its action has one.
    pub fn signed(&self) -> Option<&SignatureLine> {
        match self {
            Self::Prune(Signed { signed, .. })
            | Self::Redact(Signed { signed, .. })
            | Self::Format(Signed { signed, .. }) => Some(signed),
            Self::Create(_)
            | Self::Adopt(_)
            | Self::Recover(_)
            | Self::ClockBehind(_)
            | Self::ClockJump(_)
            | Self::Service(_)
            | Self::Other { .. } => None,
        }
    }

    /// Says whether the record may be believed as far as its signature goes.
    ///
    /// True where one of `keys` made the signature over `entry_head` (of this same record) in the log `log_id`, or where
    /// the action needs none. A record for which this is false excuses nothing.
    pub fn verify_signed(&self, entry_head: &[u8], log_id: &LogId, keys: &[VerifierKey]) -> bool {
        let Some(signed) = self.signed() else {
            return true;
        };
        let Some(text) = signed_text(entry_head, log_id) else {
            return false;
        };
        keys.iter().any(|key| key.verify(&text, signed))
    }
}

/// Gives the text that `signed` of a record covers; `None` where there is no such member.
///
/// `entry_head` is `entry_json`, with or without its closing `}`, of a record whose action has `signed`.
pub fn signed_text(entry_head: &[u8], log_id: &LogId) -> Option<Vec<u8>> {
    // No string holds these bytes, since its quotes are escaped, and `signed` is the last member: the last place is it.
    let end = memchr::memmem::rfind(entry_head, BEFORE_SIGNED)?;
    entry_head.get(..end).map(|covered| text_to_sign(covered, log_id))
}

fn text_to_sign(covered: &[u8], log_id: &LogId) -> Vec<u8> {
    [SIGNED_HEADER, log_id.to_string().as_bytes(), b"\n", covered, b"\n"].concat()
}

#[cfg(test)]
mod tests;
