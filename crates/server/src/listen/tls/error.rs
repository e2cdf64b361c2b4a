//! Why certificates can't be used: [`TlsError`].

use std::path::PathBuf;

use jiff::Timestamp;

/// Why certificates can't be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file can't be read.
    #[error("{}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// A file is larger than any such file is.
    #[error("{}: over {limit} bytes, which is no file of certificates or keys", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The most bytes.
        limit: u64,
    },
    /// Everybody on the machine can read or change the private key.
    #[error("{}: mode {mode:04o}: others may read or write this private key (chmod o-rwx)", path.display())]
    Exposed {
        /// The key.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// A file is not PEM.
    #[error("{}: not PEM: {source}", path.display())]
    Pem {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: rustls::pki_types::pem::Error,
    },
    /// No certificate is in the file.
    #[error("{}: no certificate is in it", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// The certificate is none that can be read.
    #[error("{}: its first certificate is malformed", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
    },
    /// The certificate has expired.
    #[error("{}: this certificate expired at {since}", path.display())]
    Expired {
        /// The file.
        path: PathBuf,
        /// When.
        since: Timestamp,
    },
    /// The certificate is for later.
    #[error("{}: this certificate is valid only from {from} on; is the clock right?", path.display())]
    NotYetValid {
        /// The file.
        path: PathBuf,
        /// From when.
        from: Timestamp,
    },
    /// The key is not that of the certificate, or of no kind that can be used.
    #[error("{} and {}: they can't be used together: {source}", certificate.display(), key.display())]
    Pair {
        /// The certificate.
        certificate: PathBuf,
        /// The key.
        key: PathBuf,
        /// Why not.
        source: rustls::Error,
    },
    /// One of the clients' authorities can't be used.
    #[error("{}: {source}", path.display())]
    Authority {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: rustls::Error,
    },
    /// Clients can't be verified by these authorities.
    #[error("{}: {source}", path.display())]
    Verifier {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: rustls::server::VerifierBuilderError,
    },
}
