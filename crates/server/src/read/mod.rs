//! Reading for both protocols: which records ([`filter`]), a bounded number of them at a time ([`page`]), where to go on
//! ([`cursor`]), all of them one page after the other ([`stream`]), and those that come ([`follow`]); and what proves that
//! they are there ([`growth`]).
//!
//! Invariants:
//! - what is read lies in memory a page at a time, bounded in records and bytes, and nothing is read for a client that
//!   does not take what was read before;
//! - no thread is held while a client is waited for, and none for longer than a slice of the log takes to scan.

pub(crate) mod cursor;
pub(crate) mod filter;
pub(crate) mod follow;
pub(crate) mod growth;
pub(crate) mod number;
pub(crate) mod page;
pub(crate) mod record;
pub(crate) mod stop;
pub(crate) mod stream;
