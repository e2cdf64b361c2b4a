//! TLS: handshakes, client certificates, new certificates.

#![expect(clippy::disallowed_methods, reason = "certificates are written as operators do")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use indelible_server::auth::role::Role;
use indelible_server::config::{Grant, PrincipalConfig, Tls};
use indelible_server::{Server, StartError, TlsError};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, SanType,
};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::raw::Raw;
use crate::support::{Running, config, scrape};

const GET: &str = "GET /nowhere HTTP/1.1\r\nhost: localhost\r\n\r\n";

/// An authority and the files of what it issued.
struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    place: TempDir,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let place = tempfile::tempdir().unwrap();
        let authority = Self { issuer, place };
        authority.write("ca.pem", &authority.issuer.pem(), 0o644);
        authority
    }

    fn path(&self, name: &str) -> PathBuf {
        self.place.path().join(name)
    }

    fn write(&self, name: &str, text: &str, mode: u32) {
        fs::write(self.path(name), text).unwrap();
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(mode)).unwrap();
    }

    /// Writes `<name>.pem` and `<name>.key`.
    fn issue(&self, name: &str, change: impl FnOnce(&mut CertificateParams)) {
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        self.write(&format!("{name}.pem"), &certificate.pem(), 0o644);
        self.write(&format!("{name}.key"), &key.serialize_pem(), 0o600);
    }

    fn tls(&self) -> Tls {
        Tls::new(self.path("server.pem"), self.path("server.key"))
    }

    async fn start(&self, client_ca: bool) -> Running {
        let mut tls = self.tls();
        tls.client_ca = client_ca.then(|| self.path("ca.pem"));
        Running::start_with(|config| {
            config.tls = Some(tls);
            config.admin = Some(([127, 0, 0, 1], 0).into());
            let grants = [Role::Append, Role::Read].map(|role| Grant::new(role, None));
            if client_ca {
                config.principals =
                    vec![PrincipalConfig::new("cert:spiffe://here/agent", grants.to_vec())];
            }
        })
        .await
    }

    /// A client that trusts the authority, with a certificate of that name.
    fn client(&self, name: Option<&str>) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        roots.add(self.issuer.der().clone()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        match name {
            None => builder.with_no_client_auth(),
            Some(name) => {
                let read = |end| fs::read(self.path(&format!("{name}.{end}"))).unwrap();
                let certificate = CertificateDer::from_pem_slice(&read("pem")).unwrap();
                let key = PrivateKeyDer::from_pem_slice(&read("key")).unwrap();
                builder.with_client_auth_cert(vec![certificate], key).unwrap()
            }
        }
    }
}

async fn connect(
    running: &Running,
    config: ClientConfig,
) -> std::io::Result<Raw<TlsStream<TcpStream>>> {
    let stream = TcpStream::connect(running.address()).await?;
    let name = ServerName::try_from("localhost").unwrap();
    Ok(Raw { stream: TlsConnector::from(Arc::new(config)).connect(name, stream).await? })
}

fn serial(raw: &Raw<TlsStream<TcpStream>>) -> Vec<u8> {
    raw.stream.get_ref().1.peer_certificates().unwrap()[0].to_vec()
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_are_served_over_tls_and_h2_is_offered() {
    let authority = Authority::new();
    authority.issue("server", |_| {});
    let running = authority.start(false).await;
    let mut raw = connect(&running, authority.client(None)).await.unwrap();
    raw.send(GET).await;
    assert_eq!(raw.answer().await.status(), "404");

    let mut config = authority.client(None);
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let offered = connect(&running, config).await.unwrap();
    assert_eq!(offered.stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    drop((raw, offered));
    running.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handshake_that_does_not_end_is_hung_up_on() {
    let authority = Authority::new();
    authority.issue("server", |_| {});
    let tls = authority.tls();
    let running = Running::start_with(|config| {
        config.tls = Some(tls);
        config.timeouts.handshake = Duration::from_millis(50);
    })
    .await;
    let mut raw = Raw::connect(running.address()).await;
    raw.send([22, 3, 1]).await;
    raw.rest().await;
    running.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_an_authority_for_clients_nobody_gets_in_without_its_certificate() {
    let (authority, other) = (Authority::new(), Authority::new());
    authority.issue("server", |_| {});
    let client = |params: &mut CertificateParams| {
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        params.subject_alt_names = vec![SanType::URI("spiffe://here/agent".try_into().unwrap())];
        params.distinguished_name.push(DnType::CommonName, "admin");
    };
    authority.issue("client", client);
    other.issue("stranger", client);
    let running = authority.start(true).await;
    let mut raw = connect(&running, authority.client(Some("client"))).await.unwrap();
    let body = r#"{"actor":"a","action":"b","resource":"c"}"#;
    raw.post(body).await;
    assert_eq!(raw.answer().await.status(), "201");
    raw.send("GET /v1/records/1 HTTP/1.1\r\nhost: localhost\r\n\r\n").await;
    let recorded = raw.answer().await.body;
    assert!(recorded.contains("\"recorded_by\":\"cert:spiffe://here/agent\""), "{recorded}");

    let mut roots = authority.client(None);
    for stranger in [None, Some("stranger")] {
        if let Some(name) = stranger {
            let read = |end| fs::read(other.path(&format!("{name}.{end}"))).unwrap();
            let certificate = CertificateDer::from_pem_slice(&read("pem")).unwrap();
            let key = PrivateKeyDer::from_pem_slice(&read("key")).unwrap();
            let mut store = RootCertStore::empty();
            store.add(authority.issuer.der().clone()).unwrap();
            let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
            roots = ClientConfig::builder_with_provider(provider)
                .with_safe_default_protocol_versions()
                .unwrap()
                .with_root_certificates(store)
                .with_client_auth_cert(vec![certificate], key)
                .unwrap();
        }
        // In TLS 1.3 a client learns of it when it reads.
        if let Ok(refused) = connect(&running, roots.clone()).await {
            assert_eq!(refused.rest().await, b"");
        }
    }
    let metrics = scrape(&running).await;
    let refused = "indelible_connections_refused_total{reason=\"handshake\"} 2\n";
    assert!(metrics.contains(refused), "{metrics}");
    drop(raw);
    running.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn new_certificates_are_for_new_connections_and_end_no_old_one() {
    let authority = Authority::new();
    authority.issue("server", |_| {});
    let running = authority.start(false).await;
    let mut old = connect(&running, authority.client(None)).await.unwrap();
    authority.issue("server", |_| {});
    running.server.reload().await;
    let new = connect(&running, authority.client(None)).await.unwrap();
    assert_ne!(serial(&old), serial(&new));
    old.send(GET).await;
    assert_eq!(old.answer().await.status(), "404");
    drop((old, new));
    // The same files again are no change.
    running.server.reload().await;
    let folder = running.place.path().join("audit");
    assert!(running.server.stop().await.is_in_order());
    let reader = indelible::Reader::open(folder).unwrap();
    assert_eq!(reader.records().unwrap(), 2, "the genesis record and the change");
    let record = reader.record(1).unwrap().unwrap();
    let line = String::from_utf8(record.line.clone()).unwrap();
    assert!(line.contains("\"action\":\"indelible.service.configure\""), "{line}");
    assert!(line.contains("\"what\":\"certificates\""), "{line}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_new_certificate_leaves_the_old_one_in_use() {
    let authority = Authority::new();
    authority.issue("server", |_| {});
    let running = authority.start(false).await;
    let before = serial(&connect(&running, authority.client(None)).await.unwrap());
    authority.write("server.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n", 0o644);
    running.server.reload().await;
    let after = serial(&connect(&running, authority.client(None)).await.unwrap());
    assert_eq!(before, after);
    let metrics = scrape(&running).await;
    assert!(metrics.contains("indelible_tls_loads_total{result=\"refused\"} 1\n"), "{metrics}");
    running.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn new_authorities_for_clients_are_taken_too() {
    let (authority, other) = (Authority::new(), Authority::new());
    authority.issue("server", |_| {});
    let client = |params: &mut CertificateParams| {
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    };
    authority.issue("client", client);
    let running = authority.start(true).await;
    connect(&running, authority.client(Some("client"))).await.unwrap();
    authority.write("ca.pem", &other.issuer.pem(), 0o644);
    running.server.reload().await;
    if let Ok(refused) = connect(&running, authority.client(Some("client"))).await {
        assert_eq!(refused.rest().await, b"");
    }
    running.stop_and_verify().await;
}

async fn refusal(tls: Tls) -> TlsError {
    let place = tempfile::tempdir().unwrap();
    let mut config = config(&place);
    config.tls = Some(tls);
    let StartError::Tls(error) = Server::start(config).await.unwrap_err() else { panic!() };
    assert!(!place.path().join("audit").exists(), "no log is made by a service that can't start");
    error
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_that_can_t_be_used_are_refused_at_the_start_each_with_its_reason() {
    let authority = Authority::new();
    authority.issue("server", |_| {});
    let missing = Path::new("/nonexistent/server.pem");
    let error = refusal(Tls::new(missing, authority.path("server.key"))).await;
    assert!(error.to_string().contains("/nonexistent/server.pem"), "{error}");

    authority.issue("other", |_| {});
    let error = refusal(Tls::new(authority.path("server.pem"), authority.path("other.key"))).await;
    assert!(matches!(error, TlsError::Pair { .. }), "{error}");

    authority.issue("old", |params| params.not_after = rcgen::date_time_ymd(2020, 1, 2));
    let error = refusal(Tls::new(authority.path("old.pem"), authority.path("old.key"))).await;
    assert!(
        error.to_string().ends_with("this certificate expired at 2020-01-02T00:00:00Z"),
        "{error}"
    );

    authority.issue("later", |params| params.not_before = rcgen::date_time_ymd(2999, 1, 2));
    let error = refusal(Tls::new(authority.path("later.pem"), authority.path("later.key"))).await;
    assert!(matches!(error, TlsError::NotYetValid { .. }), "{error}");

    authority.write("empty.pem", "", 0o644);
    let error = refusal(Tls::new(authority.path("empty.pem"), authority.path("server.key"))).await;
    assert!(matches!(error, TlsError::Empty { .. }), "{error}");

    let key = authority.path("server.key");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    let error = refusal(authority.tls()).await;
    assert!(matches!(error, TlsError::Exposed { mode: 0o644, .. }), "{error}");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o640)).unwrap();
    authority.start(false).await.stop_and_verify().await;
}
