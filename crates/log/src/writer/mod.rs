//! Writing: from an event that a caller hands over to a record that no crash takes away.
//!
//! - [`group`]: the queue of [`submission`]s, who commits and who waits;
//! - [`commit`]: the one commit point, and [`active`], the file that it writes to;
//! - [`rotation`]: what happens when the file is full, and retention;
//! - [`salts`]: the random bits of records;
//! - [`timekeeper`]: the log's own time.
//!
//! Invariant: data flows one way, from `group` to `commit` to the disk; only outcomes come back.

pub(crate) mod active;
pub(crate) mod commit;
pub(crate) mod group;
mod rotation;
pub(crate) mod salts;
pub(crate) mod submission;
pub(crate) mod timekeeper;
