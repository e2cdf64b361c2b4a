//! Who calls: nobody in particular, the holder of a token, of a certificate, or a user of this machine; and that none of
//! them is taken for another.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use indelible_server::Server;
use indelible_server::auth::role::Role;
use indelible_server::config::{Config, PrincipalConfig, load};
use indelible_server::proto::v1;
use indelible_server::proto::v1::audit_service_client::AuditServiceClient;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, SanType};
use tokio::net::UnixStream;
use tonic::Code;
use tonic::metadata::MetadataValue;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Identity};

use crate::raw::Raw;
use crate::support::{Running, assert_refused, config, event};
use crate::web::{EVENT, JSON, add_token, append, bearer, grant, send};

async fn start(change: impl FnOnce(&Path, &mut Config)) -> Running {
    let place = tempfile::tempdir().unwrap();
    let mut config = config(&place);
    change(place.path(), &mut config);
    Running { server: Server::start(config).await.unwrap(), place }
}

/// Who recorded the last record.
fn recorded_by(running: &Running, seq: u64) -> String {
    let record: serde_json::Value = serde_json::from_str(&running.line(seq)).unwrap();
    record["recorded_by"].as_str().unwrap().to_owned()
}

/// What a file says of principals.
fn principals(text: &str) -> Vec<PrincipalConfig> {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("indelible.toml");
    let text = format!(
        "[auth]\ntokens = \"t\"\n[listen]\nunix = \"s\"\n[tls]\ncertificate = \"c\"\nkey = \"k\"\nclient_ca = \"a\"\n{text}"
    );
    std::io::Write::write_all(&mut std::fs::File::create(&path).unwrap(), text.as_bytes()).unwrap();
    load(Some(&path), std::iter::empty(), &[]).unwrap().config.principals
}

#[tokio::test(flavor = "multi_thread")]
async fn on_loopback_without_authentication_everybody_is_anonymous_loopback() {
    let running = Running::start().await;
    assert_eq!(append(running.address(), None).await.status(), "201");
    assert_eq!(recorded_by(&running, 1), "anonymous:loopback");
    running.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_believes_to_be_known_where_nobody_is_gets_told_so_and_nothing_is_written() {
    let running = Running::start().await;
    for credential in ["Bearer whatever", "Bearer indelible_x", "Basic YTpi"] {
        let refused = append(running.address(), Some(credential)).await;
        assert_eq!(refused.status(), "401", "{refused:?}");
        assert!(refused.body.contains("this service has no tokens configured"), "{refused:?}");
    }
    let mut request = tonic::Request::new(v1::AppendRequest {
        event: Some(event("read")),
        ..v1::AppendRequest::default()
    });
    request.metadata_mut().insert("authorization", MetadataValue::from_static("Bearer whatever"));
    let status = running.client().await.append(request).await.unwrap_err();
    assert_refused(&status, Code::Unauthenticated, "unauthenticated");
    let log = running.stop_and_read().await;
    assert!(!log.contains("\"action\":\"read\""), "{log}");
    assert!(log.contains("\"reason\":\"token_unknown\""), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_let_in_under_its_name_and_nobody_without_one() {
    let mut token = None;
    let mut expired = None;
    let running = start(|place, config| {
        let file = place.join("tokens");
        token = Some(add_token(&file, "agent-7", vec![grant(Role::Append, None)], |_| {}));
        expired = Some(add_token(&file, "old", vec![grant(Role::Append, None)], |entry| {
            entry.expires = Some("2026-01-02T00:00:00Z".parse().unwrap());
        }));
        config.tokens = Some(file);
    })
    .await;
    let token = bearer(&token.unwrap());
    assert_eq!(append(running.address(), Some(&token)).await.status(), "201");
    assert_eq!(recorded_by(&running, 1), "token:agent-7");
    let lower = token.replacen("Bearer", "bearer", 1);
    assert_eq!(append(running.address(), Some(&lower)).await.status(), "201");
    let expired = bearer(&expired.unwrap());
    let wrong = bearer(&indelible_server::auth::tokens::Token::random().unwrap());
    let unknown = "is not one of this service's";
    for (credential, told) in [
        (None, "send a token"),
        (Some(expired.as_str()), "the token has expired"),
        (Some(wrong.as_str()), unknown),
        (Some("Bearer x"), unknown),
        (Some("Bearer"), "must be: Bearer"),
        (Some("Basic YTpi"), "bearer tokens only"),
    ] {
        let answer = append(running.address(), credential).await;
        assert_eq!(answer.status(), "401", "{credential:?}");
        assert!(answer.head.contains("www-authenticate: bearer"), "{}", answer.head);
        assert!(answer.body.contains(told), "{credential:?}: {}", answer.body);
        assert!(!answer.body.contains("certificate"), "none is asked for: {}", answer.body);
        let secret = credential.and_then(|credential| credential.split(' ').nth(1));
        assert!(secret.is_none_or(|secret| secret.len() < 5 || !answer.body.contains(secret)));
    }
    let twice = [("host", "a"), JSON, ("authorization", &token), ("authorization", &wrong)];
    let answer = send(running.address(), "POST /v1/records", &twice, EVENT).await;
    assert_eq!(answer.status(), "401");
    running.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn over_grpc_a_token_counts_the_same() {
    let mut token = None;
    let running = start(|place, config| {
        let file = place.join("tokens");
        token = Some(add_token(&file, "agent-7", vec![grant(Role::Append, None)], |_| {}));
        config.tokens = Some(file);
    })
    .await;
    let mut client = running.client().await;
    let request = || v1::AppendRequest { log: String::new(), event: Some(event("read")) };
    let refused = client.append(request()).await.err().unwrap();
    assert_refused(&refused, Code::Unauthenticated, "unauthenticated");
    let mut named = tonic::Request::new(request());
    let credential = MetadataValue::try_from(bearer(&token.unwrap())).unwrap();
    named.metadata_mut().insert("authorization", credential);
    let receipt = client.append(named).await.unwrap().into_inner().receipt.unwrap();
    assert_eq!(recorded_by(&running, receipt.seq), "token:agent-7");
    running.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_principal_of_the_configuration_decides_over_the_tokens_own_roles_and_actors() {
    let (mut reader, mut bound) = (None, None);
    let running = start(|place, config| {
        let file = place.join("tokens");
        reader = Some(add_token(&file, "reader", vec![grant(Role::Append, None)], |_| {}));
        bound = Some(add_token(&file, "bound", vec![grant(Role::Append, None)], |entry| {
            entry.actors = vec!["agent:8*".parse().unwrap(), "agent:9".parse().unwrap()];
        }));
        config.tokens = Some(file);
        config.principals = principals("[[principal]]\nname = \"token:reader\"\nread = [\"*\"]\n");
    })
    .await;
    let reader = bearer(&reader.unwrap());
    let refused = append(running.address(), Some(&reader)).await;
    assert_eq!(refused.status(), "403");
    assert!(refused.body.contains("lacks the role append on the log"), "{}", refused.body);
    let bound = bearer(&bound.unwrap());
    let refused = append(running.address(), Some(&bound)).await;
    assert_eq!(refused.status(), "403");
    assert!(!refused.body.contains("agent:7"), "an actor is not repeated: {}", refused.body);
    for (actor, status) in [("agent:80", "201"), ("agent:9", "201"), ("agent:90", "403")] {
        let body = EVENT.replace("agent:7", actor);
        let headers = [("host", "x"), JSON, ("authorization", bound.as_str())];
        let answer = send(running.address(), "POST /v1/records", &headers, &body).await;
        assert_eq!(answer.status(), status, "{actor}: {}", answer.body);
    }
    running.stop_and_verify().await;
}

async fn over_unix(socket: &Path, credential: Option<&str>) -> crate::raw::Answer {
    let mut raw = Raw { stream: UnixStream::connect(socket).await.unwrap() };
    let authorization =
        credential.map(|credential| format!("authorization: {credential}\r\n")).unwrap_or_default();
    raw.send(format!(
        "POST /v1/records HTTP/1.1\r\nhost: anything\r\n{authorization}content-type: application/json\r\n\
         content-length: {}\r\n\r\n{EVENT}",
        EVENT.len()
    ))
    .await;
    raw.answer().await
}

#[tokio::test(flavor = "multi_thread")]
async fn on_the_unix_socket_the_kernel_says_who_calls() {
    let uid = std::fs::metadata("/proc/self").unwrap().uid();
    let with_socket = |place: &Path, more: &str| {
        let path = place.join("indelible.toml");
        let text = format!(
            "[listen]\ntcp = []\nunix = \"socket\"\n[admin]\nlisten = \"none\"\n[log.default]\ncreate = true\n{more}"
        );
        std::io::Write::write_all(&mut std::fs::File::create(&path).unwrap(), text.as_bytes())
            .unwrap();
        let mut config = load(Some(&path), std::iter::empty(), &[]).unwrap().config;
        config.record_lifecycle = false;
        config
    };
    for (principal, status) in [
        (String::new(), "201"),
        (format!("[[principal]]\nname = \"uid:{uid}\"\nappend = [\"default\"]\n"), "201"),
        (format!("[[principal]]\nname = \"uid:{uid}\"\nread = [\"default\"]\n"), "403"),
        (format!("[[principal]]\nname = \"uid:{}\"\nappend = [\"default\"]\n", uid + 1), "401"),
    ] {
        let running = start(|place, config| *config = with_socket(place, &principal)).await;
        let socket = running.place.path().join("socket");
        let answer = over_unix(&socket, None).await;
        assert_eq!(answer.status(), status, "{principal}: {}", answer.body);
        if status == "201" {
            assert_eq!(recorded_by(&running, 1), format!("uid:{uid}"));
        }
        running.stop_and_verify().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_decides_also_where_the_user_alone_would_be_let_in() {
    let uid = std::fs::metadata("/proc/self").unwrap().uid();
    let mut token = None;
    let running = start(|place, config| {
        let file = place.join("tokens");
        token = Some(add_token(&file, "reader", vec![grant(Role::Read, None)], |_| {}));
        config.tokens = Some(file);
        let name = format!("[[principal]]\nname = \"uid:{uid}\"\nappend = [\"*\"]");
        config.principals = principals(&name);
        let path = place.join("indelible.toml");
        let text = "[listen]\nunix = \"socket\"\n";
        std::io::Write::write_all(&mut std::fs::File::create(&path).unwrap(), text.as_bytes())
            .unwrap();
        config.listen.unix = load(Some(&path), std::iter::empty(), &[]).unwrap().config.listen.unix;
    })
    .await;
    let socket = running.place.path().join("socket");
    assert_eq!(over_unix(&socket, None).await.status(), "201");
    assert_eq!(over_unix(&socket, Some(&bearer(&token.unwrap()))).await.status(), "403");
    assert_eq!(over_unix(&socket, Some("Bearer wrong")).await.status(), "401");
    running.stop_and_verify().await;
}

/// An authority, and files that it signed.
struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        Self { issuer: CertifiedIssuer::self_signed(params, key).unwrap() }
    }

    fn sign(&self, names: Vec<SanType>) -> (String, String) {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.subject_alt_names = names;
        // What a common name says is never looked at.
        params.distinguished_name.push(rcgen::DnType::CommonName, "admin");
        let key = KeyPair::generate().unwrap();
        (params.signed_by(&key, &self.issuer).unwrap().pem(), key.serialize_pem())
    }
}

fn write(path: &Path, text: &str) {
    std::io::Write::write_all(&mut std::fs::File::create(path).unwrap(), text.as_bytes()).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(path, mode).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_is_known_by_its_uri_or_dns_name_and_never_by_its_common_name() {
    let authority = Authority::new();
    let dns = |name: &str| SanType::DnsName(name.try_into().unwrap());
    let uri = |name: &str| SanType::URI(name.try_into().unwrap());
    let (certificate, key) = authority.sign(vec![dns("localhost")]);
    let ca = authority.issuer.pem();
    let running = start(|place, config| {
        for (name, text) in [("c", &certificate), ("k", &key), ("a", &ca)] {
            write(&place.join(name), text);
        }
        let path = place.join("indelible.toml");
        let text = "[admin]\nlisten = \"none\"\n[listen]\ntcp = [\"127.0.0.1:0\"]\n\
                    [tls]\ncertificate = \"c\"\nkey = \"k\"\nclient_ca = \"a\"\n[log.default]\ncreate = true\n\
                    [[principal]]\nname = \"cert:spiffe://example.com/a\"\nappend = [\"*\"]\n\
                    [[principal]]\nname = \"cert:b.example.com\"\nappend = [\"*\"]\n";
        write(&path, text);
        *config = load(Some(&path), std::iter::empty(), &[]).unwrap().config;
    })
    .await;
    let ask = async |names: Vec<SanType>| {
        let (certificate, key) = authority.sign(names);
        let tls = ClientTlsConfig::new()
            .ca_certificate(Certificate::from_pem(&ca))
            .domain_name("localhost")
            .identity(Identity::from_pem(certificate, key));
        let endpoint = Channel::from_shared(format!("https://{}", running.address())).unwrap();
        let channel = endpoint.tls_config(tls).unwrap().connect().await.unwrap();
        let request = v1::AppendRequest { log: String::new(), event: Some(event("read")) };
        AuditServiceClient::new(channel).append(request).await
    };
    for (names, expected) in [
        (vec![uri("spiffe://example.com/a")], "cert:spiffe://example.com/a"),
        (vec![dns("b.example.com")], "cert:b.example.com"),
        (
            vec![dns("b.example.com"), dns("c"), uri("spiffe://example.com/a")],
            "cert:spiffe://example.com/a",
        ),
    ] {
        let receipt = ask(names).await.unwrap().into_inner().receipt.unwrap();
        assert_eq!(recorded_by(&running, receipt.seq), expected);
    }
    for names in
        [vec![], vec![dns("admin")], vec![dns("a.example.com"), uri("spiffe://example.com/ab")]]
    {
        let refused = ask(names).await.err().unwrap();
        assert_refused(&refused, Code::Unauthenticated, "unauthenticated");
    }
    running.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn beyond_loopback_an_anonymous_caller_goes_by_its_address_where_everybody_is_taken() {
    let running = start(|_, config| {
        config.listen.tcp = vec!["0.0.0.0:0".parse().unwrap()];
        config.listen.allow_anonymous = true;
    })
    .await;
    let here = std::net::SocketAddr::from(([127, 0, 0, 1], running.address().port()));
    let headers = [("host", "192.0.2.1:99"), JSON];
    assert_eq!(send(here, "POST /v1/records", &headers, EVENT).await.status(), "201");
    assert_eq!(recorded_by(&running, 1), "anonymous:loopback");
    running.stop_and_verify().await;
}
