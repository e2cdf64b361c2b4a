//! The seam to the key: who signs checkpoints and the records that need it.

use std::fmt;

use indelible_format::note::{SignatureLine, SignerKey, VerifierKey};

/// Signs for the log.
///
/// Two methods and not one: a log that is created writes the verifier key into its genesis, and one that is opened
/// refuses a signer whose key is not the log's.
pub trait Signer: fmt::Debug + Send + Sync {
    /// The key that verifies what [`Signer::sign`] makes.
    fn verifier_key(&self) -> VerifierKey;

    /// Signs `message` with Ed25519, as C2SP signed-note does.
    ///
    /// # Errors
    /// Where the key can't be used now, such as a token that was pulled out.
    fn sign(&self, message: &[u8]) -> Result<SignatureLine, SignError>;
}

/// Why nothing was signed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignError {
    /// The key can't be used now.
    #[error("the key can't be used: {reason}")]
    Unavailable {
        /// As the signer says.
        reason: String,
    },
}

impl Signer for SignerKey {
    fn verifier_key(&self) -> VerifierKey {
        SignerKey::verifier_key(self)
    }

    fn sign(&self, message: &[u8]) -> Result<SignatureLine, SignError> {
        Ok(SignerKey::sign(self, message))
    }
}

/// Stands in where nothing needs a signature.
pub(crate) fn unsigned(_message: &[u8]) -> SignatureLine {
    SignatureLine { name: String::new(), id: [0; 4], signature: Vec::new() }
}
