//! Reads certificates and keys from their files.

use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::TlsError;
use crate::config::Tls;

/// Larger than any file of certificates: what is configured by mistake (a log, a device) is not read to its end.
const SIZE_MAX: u64 = 1 << 20;

/// The bytes of all files.
pub(super) struct Files {
    pub(super) certificate: Vec<u8>,
    pub(super) key: Vec<u8>,
    pub(super) client_ca: Option<Vec<u8>>,
}

/// Reads them all.
pub(super) fn read(tls: &Tls) -> Result<Files, TlsError> {
    Ok(Files {
        certificate: contents(&tls.certificate, Secrecy::Public)?,
        key: contents(&tls.key, Secrecy::Secret)?,
        client_ca: tls
            .client_ca
            .as_deref()
            .map(|path| contents(path, Secrecy::Public))
            .transpose()?,
    })
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Secrecy {
    Public,
    /// A group may read it: service managers and orchestrators hand keys out so. Others may not.
    Secret,
}

fn contents(path: &Path, secrecy: Secrecy) -> Result<Vec<u8>, TlsError> {
    let failed = |source| TlsError::Read { path: path.to_path_buf(), source };
    let file = File::open(path).map_err(failed)?;
    let mode = file.metadata().map_err(failed)?.permissions().mode() & 0o7777;
    if secrecy == Secrecy::Secret && mode & 0o007 != 0 {
        return Err(TlsError::Exposed { path: path.to_path_buf(), mode });
    }
    let mut bytes = Vec::new();
    let size = file.take(SIZE_MAX + 1).read_to_end(&mut bytes).map_err(failed)?;
    if u64::try_from(size).is_ok_and(|size| size <= SIZE_MAX) {
        return Ok(bytes);
    }
    Err(TlsError::TooLarge { path: path.to_path_buf(), limit: SIZE_MAX })
}

/// The certificates of a file, in its order.
pub(super) fn chain(path: &Path, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let malformed = |source| TlsError::Pem { path: path.to_path_buf(), source };
    let chain: Vec<_> =
        CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>().map_err(malformed)?;
    if chain.is_empty() {
        return Err(TlsError::Empty { path: path.to_path_buf() });
    }
    Ok(chain)
}

/// The private key of a file.
pub(super) fn key(path: &Path, pem: &[u8]) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_slice(pem)
        .map_err(|source| TlsError::Pem { path: path.to_path_buf(), source })
}
