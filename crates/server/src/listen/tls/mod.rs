//! TLS on the TCP listeners: [`Certificates`], which are read again when they change.
//!
//! Invariants:
//! - a connection keeps what it began with: reading them again ends none;
//! - what can't be used leaves in use what was before;
//! - a client is known by the URI and DNS names of a certificate that a configured authority signed, never by its
//!   common name.

mod error;
mod files;
mod names;
mod validity;

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use indelible::format::chain::Hash;
use jiff::Timestamp;
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::sign::CertifiedKey;
use rustls::{RootCertStore, ServerConfig};
use sha2::{Digest as _, Sha256};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tracing::{error, info};

pub use self::error::TlsError;
use crate::config::Config;
use crate::config::Tls;
use crate::metrics::Metrics;

/// The certificates in use.
#[derive(Debug)]
pub(crate) struct Certificates {
    tls: Tls,
    clients: Clients,
    current: RwLock<Arc<ServerConfig>>,
    digests: Mutex<Digests>,
}

/// Of all files together.
#[derive(Clone, Copy, Debug)]
struct Digests {
    /// Of those in use.
    used: [u8; 32],
    /// Of those that were read last, whether they could be used or not.
    read: [u8; 32],
}

/// Whether clients have to show a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Clients {
    /// Each of them.
    Required,
    /// They may call themselves by a token instead.
    Optional,
}

/// What the files gave.
struct Loaded {
    config: ServerConfig,
    expires: Timestamp,
}

/// What became of reading the certificates again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reloaded {
    /// The files are as they were when they were read last.
    Unchanged,
    /// New connections get the new ones: the SHA-256 of all their files, before and now.
    Changed { before: Hash, after: Hash },
    /// They can't be used; the old ones stay.
    Refused,
}

impl Certificates {
    /// Reads them; blocks.
    pub(crate) fn load(config: &Config, metrics: &Metrics) -> Result<Option<Arc<Self>>, TlsError> {
        let Some(tls) = &config.tls else { return Ok(None) };
        let clients = if config.tokens.is_some() { Clients::Optional } else { Clients::Required };
        let files = files::read(tls)?;
        let loaded = load(tls, &files, clients)?;
        metrics.certificates_loaded(Some(loaded.expires.as_second()));
        info!(
            certificate = %tls.certificate.display(),
            expires = %loaded.expires,
            client_certificates = tls.client_ca.is_some(),
            "TLS is on"
        );
        Ok(Some(Arc::new(Self {
            tls: tls.clone(),
            clients,
            current: RwLock::new(Arc::new(loaded.config)),
            digests: Mutex::new(Digests { used: files.digest(), read: files.digest() }),
        })))
    }

    /// Reads them again, and uses them from the next connection on; blocks. Files that are as they were when they were
    /// last read are not looked at further.
    pub(crate) fn reload(&self, metrics: &Metrics) -> Reloaded {
        let files = match files::read(&self.tls) {
            Ok(files) => files,
            Err(refused) => return self.refused([0; 32], &refused, metrics),
        };
        let digest = files.digest();
        if self.digests().read == digest {
            return Reloaded::Unchanged;
        }
        match load(&self.tls, &files, self.clients) {
            Ok(loaded) => {
                let before =
                    std::mem::replace(&mut *self.digests(), Digests { used: digest, read: digest });
                let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
                *current = Arc::new(loaded.config);
                metrics.certificates_loaded(Some(loaded.expires.as_second()));
                info!(expires = %loaded.expires, "the certificates changed and are in use");
                let (before, after) = (Hash::from_bytes(before.used), Hash::from_bytes(digest));
                Reloaded::Changed { before, after }
            }
            Err(refused) => self.refused(digest, &refused, metrics),
        }
    }

    /// Tells of files that can't be used, once for the same files.
    fn refused(&self, digest: [u8; 32], refused: &TlsError, metrics: &Metrics) -> Reloaded {
        if std::mem::replace(&mut self.digests().read, digest) == digest {
            return Reloaded::Unchanged;
        }
        metrics.certificates_loaded(None);
        error!(error = %refused, "the new certificates can't be used; the old ones stay in use");
        Reloaded::Refused
    }

    fn digests(&self) -> MutexGuard<'_, Digests> {
        self.digests.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes the handshake; returns the names of the client's certificate too.
    pub(super) async fn accept(
        &self,
        stream: TcpStream,
    ) -> io::Result<(TlsStream<TcpStream>, Arc<[String]>)> {
        let current = Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner));
        let stream = TlsAcceptor::from(current).accept(stream).await?;
        let (_, session) = stream.get_ref();
        let certificate = session.peer_certificates().and_then(<[_]>::first);
        let names = certificate.map_or_else(Vec::new, names::of);
        Ok((stream, names.into()))
    }
}

/// Checks what was read, and makes a configuration of it.
fn load(tls: &Tls, files: &files::Files, clients: Clients) -> Result<Loaded, TlsError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let chain = files::chain(&tls.certificate, &files.certificate)?;
    let key = files::key(&tls.key, &files.key)?;
    let mismatch = |source| TlsError::Pair {
        certificate: tls.certificate.clone(),
        key: tls.key.clone(),
        source,
    };
    let pair = CertifiedKey::from_der(chain, key, &provider).map_err(mismatch)?;
    let expires = in_time(tls, &pair)?;
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(mismatch)?;
    let builder = match (&tls.client_ca, &files.client_ca) {
        (Some(path), Some(pem)) => {
            let mut authorities = RootCertStore::empty();
            for authority in files::chain(path, pem)? {
                let unusable = |source| TlsError::Authority { path: path.clone(), source };
                authorities.add(authority).map_err(unusable)?;
            }
            builder.with_client_cert_verifier(verifier(authorities, provider, clients, path)?)
        }
        _ => builder.with_no_client_auth(),
    };
    let mut config =
        builder.with_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(pair)));
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Loaded { config, expires })
}

fn verifier(
    authorities: RootCertStore,
    provider: Arc<rustls::crypto::CryptoProvider>,
    clients: Clients,
    path: &std::path::Path,
) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
    let mut builder = WebPkiClientVerifier::builder_with_provider(Arc::new(authorities), provider);
    if clients == Clients::Optional {
        builder = builder.allow_unauthenticated();
    }
    builder.build().map_err(|source| TlsError::Verifier { path: path.to_path_buf(), source })
}

/// Until when the certificate is valid, if it is now.
fn in_time(tls: &Tls, pair: &CertifiedKey) -> Result<Timestamp, TlsError> {
    let path = || tls.certificate.clone();
    let leaf = pair.cert.first().ok_or_else(|| TlsError::Empty { path: path() })?;
    let validity = validity::of(leaf).ok_or_else(|| TlsError::Malformed { path: path() })?;
    let now = Timestamp::now();
    if now > validity.to {
        return Err(TlsError::Expired { path: path(), since: validity.to });
    }
    if now < validity.from {
        return Err(TlsError::NotYetValid { path: path(), from: validity.from });
    }
    Ok(validity.to)
}

impl files::Files {
    /// By which a change is seen.
    fn digest(&self) -> [u8; 32] {
        let mut digest = Sha256::new();
        for part in [Some(&self.certificate), Some(&self.key), self.client_ca.as_ref()] {
            digest.update(Sha256::digest(part.map_or(&[][..], Vec::as_slice)));
        }
        digest.finalize().into()
    }
}
