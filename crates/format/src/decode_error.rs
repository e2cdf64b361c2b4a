//! Why a stored line is not a record: [`DecodeError`].
//!
//! Invariants: every variant says at which byte of the line it stopped (from 0), and what it expected there; no
//! variant carries content of the line.
//!
//! The variants follow the way of a line: link suffix, head, hash, fields, and what the log's own records add.

use crate::chain::{Hash, LINK_SUFFIX_SIZE};
use crate::field::Field;
use crate::json::JsonFault;
use crate::record::ENTRY_SIZE_MAX;

/// Says why a line is not a record, and at which byte.
///
/// The variants of the link suffix come from [`Link::split`](crate::chain::Link::split); the record scanner adds its
/// own.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The line has no room for an entry and the link suffix.
    #[error("line of {size} bytes: expected an entry and {LINK_SUFFIX_SIZE} bytes of link suffix")]
    TooShort {
        /// Bytes of the line, without its LF.
        size: usize,
    },
    /// A literal part of the link suffix is not where it must be.
    #[error("byte {offset}: expected the {expected} of the link suffix")]
    Link {
        /// Byte in the line at which the literal should begin.
        offset: usize,
        /// The literal.
        expected: &'static str,
    },
    /// A hash in the link suffix is not 64 lower-case hexadecimal digits.
    #[error("byte {offset}: {field} is not 64 lower-case hexadecimal digits")]
    LinkHash {
        /// Byte in the line of the first character that is no such digit.
        offset: usize,
        /// `_prev_hash` or `_hash`.
        field: &'static str,
    },
    /// The line does not begin with `seq` and `timestamp` as records spell them.
    #[error("byte {offset}: expected {expected}")]
    Head {
        /// Byte in the line.
        offset: usize,
        /// What should stand there.
        expected: &'static str,
    },
    /// `_hash` is not that of the entry.
    #[error("byte {offset}: _hash is {stated}, but the entry's is {computed}")]
    HashMismatch {
        /// Byte in the line at which the link suffix begins.
        offset: usize,
        /// What the line says.
        stated: Hash,
        /// What its bytes give.
        computed: Hash,
    },
    /// The entry is larger than any entry may be.
    #[error("byte {offset}: the entry goes on beyond {ENTRY_SIZE_MAX} bytes")]
    EntryTooLarge {
        /// Byte in the line beyond which it must not go.
        offset: usize,
    },
    /// The entry is not strict JSON.
    #[error("byte {offset}: {reason}")]
    Json {
        /// Byte in the line.
        offset: usize,
        /// What is wrong there.
        reason: JsonFault,
    },
    /// A field that no record has, or a name that is not spelt literally.
    #[error("byte {offset}: no record has such a field")]
    UnknownField {
        /// Byte in the line at which the name begins.
        offset: usize,
    },
    /// A field that stands twice, or after one that it must precede.
    #[error("byte {offset}: {field} stands twice, or out of order")]
    FieldOrder {
        /// Byte in the line at which the name begins.
        offset: usize,
        /// The field.
        field: Field,
    },
    /// A required field is not there.
    #[error("byte {offset}: the entry ends without {field}")]
    MissingField {
        /// Byte in the line at which the entry ends.
        offset: usize,
        /// The field.
        field: Field,
    },
    /// A field has a value of another kind.
    #[error("byte {offset}: {field} is not {expected}")]
    FieldValue {
        /// Byte in the line at which the value begins.
        offset: usize,
        /// The field.
        field: Field,
        /// What it must be.
        expected: &'static str,
    },
    /// A field has a string of no bytes.
    #[error("byte {offset}: {field} is empty")]
    FieldEmpty {
        /// Byte in the line at which the value begins.
        offset: usize,
        /// The field.
        field: Field,
    },
    /// A field has a string over its limit.
    #[error("byte {offset}: {field} has {size} bytes, at most {limit} are allowed")]
    FieldTooLong {
        /// Byte in the line at which the value begins.
        offset: usize,
        /// The field.
        field: Field,
        /// Bytes of decoded UTF-8 that it may have.
        limit: usize,
        /// Bytes of decoded UTF-8 that it has.
        size: usize,
    },
    /// The actor is the log itself and the action is not, or the other way round.
    #[error(
        "byte {offset}: actor \"indelible\" and actions that begin with \"indelible.\" go together"
    )]
    OwnName {
        /// Byte in the line at which the fields begin.
        offset: usize,
    },
    /// A record of the log's own has a field that those do not have, or spells its actor or action with escapes.
    #[error("byte {offset}: a record of the log's own has no such {field}")]
    OwnField {
        /// Byte in the line at which the fields begin.
        offset: usize,
        /// The field.
        field: Field,
    },
    /// `metadata` of a record of the log's own lacks a member where it must stand.
    #[error("byte {offset}: metadata of {action}: expected {expected} here")]
    OwnMember {
        /// Byte in the line.
        offset: usize,
        /// The record's action.
        action: &'static str,
        /// Name of the member, or what ends the members.
        expected: &'static str,
    },
    /// A member of `metadata` of a record of the log's own has a value of another kind.
    #[error("byte {offset}: metadata of {action}: {member} is not {expected}")]
    OwnValue {
        /// Byte in the line at which the value begins.
        offset: usize,
        /// The record's action.
        action: &'static str,
        /// Name of the member.
        member: &'static str,
        /// What it must be.
        expected: &'static str,
    },
}
