//! The bytes and the maths of an indelible audit log.
//!
//! It owns everything that an auditor must trust, and nothing else: records and their hash chain ([`record`], [`chain`]),
//! events as clients send them ([`event`]), records of the log's own ([`own`]), the Merkle tree with its proofs and tiles
//! ([`tree`], [`proof`], [`tile`]), signed notes, keys and checkpoints ([`note`], [`checkpoint`]).
//!
//! ```
//! use indelible_format::chain::Link;
//! use indelible_format::record::{Content, Record};
//!
//! # fn main() -> Result<(), indelible_format::decode_error::DecodeError> {
//! // A line as it is stored, without its line feed.
//! let line = concat!(
//!     r#"{"seq":2,"timestamp":"2026-01-02T03:04:05.000000001Z","actor":"user:zoë","action":"login","#,
//!     r#""resource":"app \"console\"","outcome":"denied","session":{"ip":"2001:db8::1"}"#,
//!     r#","_prev_hash":"af3d7c7adf16555572944dab5422c8bdeac850ec3208c8c99e2b539a0a33cd29""#,
//!     r#","_hash":"b13a2403ebfd6231ab329d11f883ad3248297a8a84f29e27321719f7b9fe2199"}"#,
//! );
//! let record = Record::parse(line.as_bytes())?;
//! assert_eq!(record.seq(), 2);
//! if let Content::Event(event) = record.content() {
//!     assert_eq!(event.resource(), r#"app "console""#);
//! }
//!
//! // Parsing looks at the form; whether the hash is right is asked apart.
//! assert_eq!(Link::split(line.as_bytes())?.computed_hash(), record.hash());
//! let changed = line.replace("denied", "success");
//! assert_ne!(Link::split(changed.as_bytes())?.computed_hash(), record.hash());
//! # Ok(())
//! # }
//! ```
//!
//! Bytes go in, values or errors come out: no I/O, no clock, no thread, no randomness. No input makes it panic, memory is
//! in proportion to the line, and nothing is written anew to be verified: hashes are taken over the stored bytes. It
//! reads format version 1; the repository's `docs/spec` describes the bytes, and what a later version must still read.
//!
//! It does not know files: that is the crate `indelible`.

pub mod chain;
pub mod checkpoint;
pub mod decode_error;
pub mod event;
pub mod field;
mod hex;
pub mod identity;
mod json;
pub mod note;
pub mod own;
pub mod proof;
pub mod record;
#[doc(hidden)]
pub mod seeded;
mod sha256;
pub mod tile;
pub mod time;
pub mod tree;
