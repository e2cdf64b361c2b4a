//! An embedded, tamper-evident audit log: append-only files, a hash chain, group commit, signed checkpoints.
//!
//! ```
//! use indelible::{AuditLog, Event, Options, Outcome};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let folder = folder.path().join("audit");
//! let log = AuditLog::create(&folder, Options::default())?;
//! let event = Event::new("agent:7", "tool.call:read_file", "file:/etc/hosts")
//!     .outcome(Outcome::Success)
//!     .session(serde_json::json!({"id": "s-1"}));
//! let receipt = log.append(&event)?; // blocks until durable
//! assert_eq!(receipt.seq, 1);
//! let pending = log.submit(&event)?; // wait(), or .await on any runtime
//! assert_eq!(pending.wait()?.seq, 2);
//! log.close()?; // last checkpoint; drop does the same, quietly
//! # Ok(())
//! # }
//! ```
//!
//! It is not a logging framework, not a database, and no server: no network, no async runtime, no index.

mod backup;
mod checkpoints;
mod clock;
mod continuation;
mod creation;
mod error;
mod history;
mod idempotency;
mod identity;
mod in_place;
mod io;
mod keys;
mod layout;
mod left_over;
mod lines;
mod lock_file;
mod log;
mod opening;
mod options;
mod pending;
mod prove;
mod reader;
mod rebuild;
mod receipt;
mod recovery;
mod repair;
mod segment;
mod signer;
pub mod storage;
mod tail;
mod tree_store;
mod verify;
mod writer;

pub use indelible_format as format;
pub use indelible_format::event::{Event, Outcome};

pub use backup::{Backup, BackupError, backup, backup_on};
pub use clock::{Clock, ClockReading, SystemClock};
pub use continuation::continue_from;
pub use error::{
    AppendError, CheckpointError, CloseError, Halt, HaltCause, Insecurity, IoFailure, NotRemoved,
    Obstacle, OpenError, Operation, OptionLimit, PublishedError, Refusal,
};
pub use identity::Identity;
pub use log::AuditLog;
pub use opening::find_log;
pub use options::{Idempotency, LastTimestamp, NetworkFileSystem, Options, Salting};
pub use pending::Pending;
pub use prove::{ProveError, Prover};
pub use reader::{
    Counted, Follow, Glob, GlobError, Matches, Order, Query, ReadError, Reader, Records,
    SessionPath, SessionPathError, StoredRecord,
};
pub use receipt::Receipt;
pub use recovery::{Adopted, Mended, Recovery};
pub use repair::{Repair, RepairError, RepairPlan, RepairStep, Repaired};
pub use signer::{SignError, Signer};
pub use verify::{
    Anchoring, Finding, FindingClass, KeptCheckpoint, KeptError, Problem, Progress, ReceiptError,
    ReceiptFault, Receipts, Report, Stretch, Verdict, Verifier, VerifyError, Voucher,
};

/// The README's example compiles.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
