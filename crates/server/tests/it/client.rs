//! The client for Rust: what it sends arrives once, whatever becomes of the connection.

use std::net::SocketAddr;

use indelible::Event;
use indelible_server::client::{Client, ClientError, ConnectOptions, Retry};
use indelible_server::config::LogConfig;
use indelible_server::proto::v1;
use indelible_server::{Config, Server};

use crate::support::Running;

fn config(folder: &std::path::Path, address: SocketAddr) -> Config {
    let mut log = LogConfig::new("default", folder);
    log.create = true;
    let mut config = Config::default();
    config.logs = vec![log];
    config.listen.tcp = vec![address];
    config.admin = None;
    config.record_lifecycle = false;
    config
}

fn client(address: SocketAddr) -> Client {
    Client::new(&ConnectOptions::new(format!("http://{address}").parse().unwrap())).unwrap()
}

fn event(number: u64) -> Event {
    Event::new("agent:7", format!("act-{number}"), "file:/etc/hosts")
}

#[tokio::test(flavor = "multi_thread")]
async fn events_in_flight_are_recorded_once_over_a_restart_of_the_service() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("audit");
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let server = Server::start(config(&folder, any)).await.unwrap();
    let address = server.addresses()[0];
    let mut appending = client(address).append_many();
    let (mut sent, mut answered, mut server) = (0, 0, Some(server));
    while answered < 3_000 {
        while sent < 3_000 && appending.has_room() {
            appending.send(sent, &event(sent)).unwrap();
            sent += 1;
        }
        let (_, outcome) = appending.next().await.unwrap().unwrap();
        outcome.unwrap();
        answered += 1;
        if answered == 1_000 {
            server.take().unwrap().stop().await;
            server = Some(Server::start(config(&folder, address)).await.unwrap());
        }
    }
    assert!(appending.next().await.unwrap().is_none());
    server.unwrap().stop().await;
    let report = indelible::Verifier::new(&folder).unwrap().strict().verify().unwrap();
    assert_eq!(report.verdict(), indelible::Verdict::Sound, "{report}");
    assert_eq!(report.records, 3_001);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follower_goes_on_behind_the_last_record_over_a_restart() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("audit");
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let server = Server::start(config(&folder, any)).await.unwrap();
    let address = server.addresses()[0];
    let client = client(address);
    let request = v1::TailRequest { from_seq: Some(0), ..v1::TailRequest::default() };
    let mut following = client.tail(request);
    client.append(&event(1)).await.unwrap();
    for seq in [0, 1] {
        assert_eq!(following.next().await.unwrap().seq, seq);
    }
    server.stop().await;
    let server = Server::start(config(&folder, address)).await.unwrap();
    client.append(&event(2)).await.unwrap();
    assert_eq!(following.next().await.unwrap().seq, 2);
    drop(following);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_says_whether_the_event_may_have_been_recorded() {
    let running = Running::start().await;
    let client = client(running.address());
    let error = client.append(&Event::new("", "b", "c")).await.unwrap_err();
    assert!(matches!(error, ClientError::Event(_)) && !error.is_indeterminate(), "{error}");
    client.append(&event(1).event_id("e-1")).await.unwrap();
    let error = client.append(&event(2).event_id("e-1")).await.unwrap_err();
    assert_eq!((error.code(), error.is_indeterminate()), (Some("conflict"), false));
    let address = running.address();
    running.stop_and_verify().await;
    let options =
        ConnectOptions::new(format!("http://{address}").parse().unwrap()).with_retry(Retry::NEVER);
    let error = Client::new(&options).unwrap().append(&event(3)).await.unwrap_err();
    assert!(matches!(error, ClientError::Unreachable { .. }), "{error:?}");
    assert!(error.is_indeterminate());
}

/// What is told of asking at `url`.
async fn told_of(url: &str, ca: Option<Vec<u8>>) -> String {
    let mut options = ConnectOptions::new(url.parse().unwrap()).with_retry(Retry::NEVER);
    if let Some(ca) = ca {
        options = options.with_ca(ca);
    }
    Client::new(&options).unwrap().checkpoint().await.unwrap_err().to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn why_a_service_is_not_reached_is_told_once_and_in_plain_words() {
    let key = |name: &str| rcgen::generate_simple_self_signed(vec![name.to_owned()]).unwrap();
    let (own, other) = (key("localhost"), key("localhost"));
    let place = tempfile::tempdir().unwrap();
    let path = |name: &str| place.path().join(name);
    for (name, text) in [("cert.pem", own.cert.pem()), ("key.pem", own.signing_key.serialize_pem())]
    {
        let mut file = std::fs::File::create(path(name)).unwrap();
        file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        std::io::Write::write_all(&mut file, text.as_bytes()).unwrap();
    }
    let plain = Running::start_with(|config| config.admin = Some(([127, 0, 0, 1], 0).into())).await;
    let secret = Running::start_with(|config| {
        config.tls = Some(indelible_server::config::Tls::new(path("cert.pem"), path("key.pem")));
    })
    .await;
    let port = secret.address().port();
    let ca = |of: &rcgen::CertifiedKey<rcgen::KeyPair>| Some(of.cert.pem().into_bytes());
    for (url, ca, told) in [
        ("http://127.0.0.1:1".to_owned(), None, ": Connection refused (os error 111)"),
        (
            format!("https://{}", plain.address()),
            ca(&own),
            ": what answers there does not speak TLS",
        ),
        (
            format!("https://localhost:{port}"),
            ca(&other),
            ": its certificate is signed by no authority that is trusted here",
        ),
        (
            format!("https://127.0.0.1:{port}"),
            ca(&own),
            ": its certificate is for another name than the one in the URL",
        ),
        (
            format!("http://{}", plain.server.admin_address().unwrap()),
            None,
            ": what answers there is no service of indelible: it speaks HTTP, and no gRPC",
        ),
    ] {
        let text = told_of(&url, ca).await;
        assert!(text.ends_with(told), "{url}: {text}");
        assert!(!text.contains("Error(") && text.len() < 160, "{text}");
    }
    plain.stop_and_verify().await;
    secret.stop_and_verify().await;
}
