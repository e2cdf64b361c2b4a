//! A service on a folder of its own.

use std::net::SocketAddr;

use indelible_server::config::LogConfig;
use indelible_server::proto::v1;
use indelible_server::proto::v1::audit_service_client::AuditServiceClient;
use indelible_server::{Config, Server};
use tempfile::TempDir;
use tonic::transport::Channel;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::raw::Raw;

/// A running service, its folder, and where it listens.
pub(crate) struct Running {
    pub(crate) server: Server,
    pub(crate) place: TempDir,
}

/// A configuration on `place`, with one log that is made, on ports that are free.
pub(crate) fn config(place: &TempDir) -> Config {
    let mut log = LogConfig::new("default", place.path().join("audit"));
    log.create = true;
    let mut config = Config::default();
    config.logs = vec![log];
    config.listen.tcp = vec![SocketAddr::from(([127, 0, 0, 1], 0))];
    config.admin = None;
    // Seqs are counted here; `shutdown` has the test of these records.
    config.record_lifecycle = false;
    config
}

impl Running {
    pub(crate) async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    /// As the configuration above, changed by `change`.
    pub(crate) async fn start_with(change: impl FnOnce(&mut Config)) -> Self {
        let place = tempfile::tempdir().unwrap();
        let mut config = config(&place);
        change(&mut config);
        Self { server: Server::start(config).await.unwrap(), place }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.server.addresses()[0]
    }

    pub(crate) async fn client(&self) -> AuditServiceClient<Channel> {
        AuditServiceClient::new(self.channel().await)
    }

    pub(crate) async fn channel(&self) -> Channel {
        let endpoint = Channel::from_shared(format!("http://{}", self.address())).unwrap();
        endpoint.connect().await.unwrap()
    }

    /// The line of a record, read from the folder.
    pub(crate) fn line(&self, seq: u64) -> String {
        let reader = indelible::Reader::open(self.place.path().join("audit")).unwrap().unsynced();
        String::from_utf8(reader.record(seq).unwrap().unwrap().line).unwrap()
    }

    /// As [`stop_and_verify`](Self::stop_and_verify); all lines of the log, which was never rotated.
    pub(crate) async fn stop_and_read(self) -> String {
        self.server.stop().await;
        let folder = self.place.path().join("audit");
        verify(&folder);
        std::fs::read_to_string(folder.join("audit.log")).unwrap()
    }

    /// Stops it, and verifies the whole log: every test of appends ends with it.
    pub(crate) async fn stop_and_verify(self) -> indelible::Report {
        self.server.stop().await;
        verify(&self.place.path().join("audit"))
    }
}

fn verify(folder: &std::path::Path) -> indelible::Report {
    let report = indelible::Verifier::new(folder).unwrap().strict().verify().unwrap();
    assert_eq!(report.verdict(), indelible::Verdict::Sound, "{report}");
    report
}

/// An event with nothing but what is required.
pub(crate) fn event(action: &str) -> v1::Event {
    v1::Event {
        actor: "agent:7".to_owned(),
        action: action.to_owned(),
        resource: "file:/etc/hosts".to_owned(),
        ..v1::Event::default()
    }
}

/// What `/metrics` says.
pub(crate) async fn scrape(running: &Running) -> String {
    let mut raw = Raw::connect(running.server.admin_address().unwrap()).await;
    raw.send("GET /metrics HTTP/1.1\r\nhost: localhost\r\n\r\n").await;
    raw.answer().await.body
}

/// The stable code of a status.
pub(crate) fn reason(status: &Status) -> String {
    status.get_details_error_info().map(|info| info.reason).unwrap_or_default()
}

/// Asserts both codes of a refusal.
pub(crate) fn assert_refused(status: &Status, code: Code, stable: &str) {
    assert_eq!((status.code(), reason(status).as_str()), (code, stable), "{status:?}");
}
