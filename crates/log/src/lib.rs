//! An embedded, tamper-evident audit log.

mod history;
mod io;
mod layout;
mod lines;
mod reader;
mod segment;
pub mod storage;
mod tail;
mod verify;

pub use indelible_format as format;

pub use io::{IoFailure, Operation};
pub use reader::{ReadError, Reader, Records, StoredRecord};
pub use verify::{Finding, FindingClass, Problem, Report, Verdict, Verifier, VerifyError};
