//! Why a stored line is not a record: [`DecodeError`].
//!
//! Invariants: every variant says at which byte of the line it stopped (from 0), and what it expected there; no
//! variant carries content of the line.
//!
//! The link suffix has its variants here; the record scanner adds those of the fields.

use crate::chain::LINK_SUFFIX_SIZE;

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
}
