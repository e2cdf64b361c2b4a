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
//! # Where to begin
//!
//! | you want to | use |
//! |---|---|
//! | make, open and append | [`AuditLog`], set up by [`Options`], fed with [`Event`]s, answered by [`Receipt`]s |
//! | read records, find some of them, follow | [`Reader`], [`Query`]; [`find_log`] says whether there is a log |
//! | check a log, also against what was kept outside of it | [`Verifier`], which gives a [`Report`] of [`Finding`]s |
//! | prove to somebody without the log | [`Prover`] |
//! | go on after damage | [`Repair`]; [`continue_from`] for a new log that takes over |
//! | copy a log in use | [`backup()`] |
//! | keep the private key elsewhere, or the clock, or the disk | [`Signer`], [`Clock`], [`storage::Storage`] |
//! | count what a log does | [`Observer`] |
//! | work on bytes without files | [`format`](mod@format), the crate `indelible-format` |
//!
//! What was appended is read, found and followed:
//!
//! ```
//! use indelible::{AuditLog, Event, Options, Order, Query, Reader};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let place = tempfile::tempdir()?;
//! # let folder = place.path().join("audit");
//! # let log = AuditLog::create(&folder, Options::default())?;
//! # log.append(Event::new("agent:7", "tool.call:read_file", "file:/etc/hosts"))?;
//! # log.append(Event::new("user:mia", "logout", "app:console"))?;
//! # log.close()?;
//! let reader = Reader::open(&folder)?; // in any process, also while another appends
//! let agents = Query::new().with_actor("agent:*".parse()?).with_order(Order::NewestFirst);
//! for record in reader.query(&agents)? {
//!     let record = record?; // a damaged place is an error of its own; the query goes on behind it
//!     assert_eq!(record.seq, 1);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! verified, proven and copied:
//!
//! ```
//! use indelible::{AuditLog, Event, KeptCheckpoint, Options, Prover, Verdict, Verifier, backup};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let place = tempfile::tempdir()?;
//! # let (folder, destination) = (place.path().join("audit"), place.path().join("copy"));
//! # let log = AuditLog::create(&folder, Options::default())?;
//! # log.append(Event::new("agent:7", "tool.call:read_file", "file:/etc/hosts"))?;
//! let key = log.identity().verifier_key().clone(); // keep both where who can write the log can't
//! let kept = log.checkpoint()?;
//! # log.close()?;
//!
//! let mut verifier = Verifier::new(&folder)?.with_key(key);
//! for checkpoint in KeptCheckpoint::read_all("kept.txt", kept.as_bytes())? {
//!     verifier = verifier.with_checkpoint(checkpoint);
//! }
//! let report = verifier.verify()?;
//! assert_eq!(report.verdict(), Verdict::Sound);
//! println!("{}", report.not_ruled_out());
//!
//! let proof = Prover::open(&folder)?.record(1)?.to_string(); // a C2SP .tlog-proof
//! # assert!(proof.starts_with("c2sp.org/tlog-proof@v1\n"), "{proof}");
//! let copy = backup(&folder, &destination)?;
//! assert_eq!(copy.last_seq, Some(1));
//! # Ok(())
//! # }
//! ```
//!
//! and looked at for repair, which changes nothing before it is told to:
//!
//! ```
//! use indelible::{AuditLog, Options, Repair};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let place = tempfile::tempdir()?;
//! # let folder = place.path().join("audit");
//! # AuditLog::create(&folder, Options::default())?.close()?;
//! let repair = Repair::look(&folder, Options::default())?;
//! for step in &repair.plan().steps {
//!     println!("would {step}");
//! }
//! repair.run()?;
//! # Ok(())
//! # }
//! ```
//!
//! # Which logs it reads
//!
//! Logs of format version 1, the only one so far. Every later version of this library reads and verifies the logs of every
//! earlier format, for good; of a newer format it checks hashes, tree and signatures, says that it did not check the
//! form, and does not append to it. The bytes are described in the repository's `docs/spec`.
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
mod observer;
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
mod sync;
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
    AppendError, BatchError, CheckpointError, CloseError, Halt, HaltCause, Insecurity, IoFailure,
    NotRemoved, Obstacle, OpenError, Operation, OptionLimit, PublishedError, Refusal,
};
pub use identity::Identity;
pub use log::AuditLog;
pub use observer::{CommittedGroup, MadeCheckpoint, Observer, PrunedSegment, RotatedSegment};
pub use opening::find_log;
pub use options::{Idempotency, LastTimestamp, NetworkFileSystem, Options, Salting};
pub use pending::Pending;
pub use prove::{ConsistencyProof, InclusionProof, ProveError, Prover};
pub use reader::{
    Counted, Follow, Glob, GlobError, Matches, Order, Query, ReadError, Reader, Records,
    SessionPath, SessionPathError, StoredRecord,
};
pub use receipt::Receipt;
pub use recovery::{Adopted, Mended, Recovery};
pub use repair::{Repair, RepairError, RepairPlan, RepairStep, Repaired, Unsigned};
pub use signer::{SignError, Signer};
pub use verify::{
    Anchoring, Finding, FindingClass, KeptCheckpoint, KeptError, Problem, Progress, ReceiptError,
    ReceiptFault, Receipts, Report, Stretch, Verdict, Verifier, VerifyError, Voucher,
};
pub use writer::group::{Stored, Waiting};

/// The README's example compiles.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
