//! Why a log was not looked at for repair, or not repaired.

use crate::error::{CloseError, OpenError};
use crate::io::IoFailure;
use crate::verify::{Finding, VerifyError};

/// Why a log was not looked at for repair, or not repaired.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RepairError {
    /// The log can't be opened, for another reason than what a repair is for.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The log could not be verified, to find out what is wrong with it.
    #[error(transparent)]
    Verify(#[from] VerifyError),
    /// A file operation failed; rows are as they were, or some of them are rebuilt.
    #[error(transparent)]
    Io(#[from] IoFailure),
    /// The records changed after they were looked at: nothing was put in place.
    #[error("the log changed while it was being repaired: {0}")]
    Changed(Box<Finding>),
    /// All is repaired, but no last checkpoint was made.
    #[error("repaired, and then: {source}")]
    Close {
        /// What stood in the way.
        source: CloseError,
    },
}
