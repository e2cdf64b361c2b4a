//! Who a log is: its id, its name and its key, as its genesis or a prune record says.

use indelible_format::identity::{LogId, Origin};
use indelible_format::note::VerifierKey;

/// Who a log is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    log_id: LogId,
    origin: Origin,
    verifier_key: VerifierKey,
}

impl Identity {
    pub(crate) fn new(log_id: LogId, origin: Origin, verifier_key: VerifierKey) -> Self {
        Self { log_id, origin, verifier_key }
    }

    /// 128 random bits, drawn when the log was made.
    pub fn log_id(&self) -> LogId {
        self.log_id
    }

    /// Its name, and the first line of every checkpoint.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The key that verifies its checkpoints: what an auditor should keep elsewhere.
    pub fn verifier_key(&self) -> &VerifierKey {
        &self.verifier_key
    }
}
