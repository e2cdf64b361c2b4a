//! Which path asks for which role, and which for none.

use indelible_server::Server;
use indelible_server::auth::role::Role;
use indelible_server::auth::tokens::{Token, TokenEntry, TokenFile, TokenFileError};
use indelible_server::config::{Grant, LogConfig};

use super::event;
use crate::support::{Running, config};

const READS: [&str; 6] = [
    "/records",
    "/records/0",
    "/records/0/proof",
    "/checkpoint",
    "/consistency?from=1",
    "/tail?from_seq=x",
];

/// A service with the public log `default` and the log `b`, and a token for each role on both.
async fn start(roles: &[Role]) -> (Running, Vec<String>) {
    let place = tempfile::tempdir().unwrap();
    let mut config = config(&place);
    config.logs[0].public_tree = true;
    let mut other = LogConfig::new("b", place.path().join("b"));
    other.create = true;
    config.logs.push(other);
    let file = place.path().join("tokens");
    let tokens = roles.iter().map(|role| {
        let token = Token::random().unwrap();
        let created = "2026-01-01T00:00:00Z".parse().unwrap();
        let grants = vec![Grant::new(*role, None)];
        let entry = TokenEntry::new(role.as_str(), token.digest(), grants, created).unwrap();
        TokenFile::change(&file, |entries| {
            entries.push(entry);
            Ok::<_, TokenFileError>(())
        })
        .unwrap();
        format!("Bearer {}", token.reveal())
    });
    let tokens = tokens.collect();
    config.tokens = Some(file);
    (Running { server: Server::start(config).await.unwrap(), place }, tokens)
}

#[tokio::test(flavor = "multi_thread")]
async fn appending_takes_the_role_append_and_all_else_the_role_read() {
    let (running, tokens) = start(&[Role::Append, Role::Read, Role::Admin]).await;
    for (token, [append, read]) in tokens.iter().zip([[201, 403], [403, 200], [201, 200]]) {
        for prefix in ["/v1", "/v1/logs/b"] {
            let headers = [("authorization", token.as_str()), ("content-type", "application/json")];
            let line = format!("POST {prefix}/records");
            let answer = running.http(&line, &headers, event("read").as_bytes()).await;
            assert_eq!(answer.status, append, "{prefix} {}", answer.text());
            if append == 403 {
                answer.problem(403, "permission_denied");
            }
            for path in READS {
                let answer = running.http(&format!("GET {prefix}{path}"), &headers[..1], b"").await;
                // A tail has no end: what is asked wrongly shows that it would have been answered.
                let allowed = if path.starts_with("/tail") { 400 } else { 200 };
                // The checkpoint of a public tree is everybody's.
                let is_open = prefix == "/v1" && path == "/checkpoint";
                let expected = if read == 200 {
                    allowed
                } else if is_open {
                    200
                } else {
                    403
                };
                assert_eq!(answer.status, expected, "{prefix}{path} {}", answer.text());
            }
        }
    }
    running.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_told_anything_but_what_is_public() {
    let (running, _tokens) = start(&[Role::Read]).await;
    for prefix in ["/v1", "/v1/logs/b", "/v1/logs/nowhere"] {
        for path in READS {
            let answer = running.get(&format!("{prefix}{path}")).await;
            if prefix == "/v1" && path == "/checkpoint" {
                assert_eq!(answer.status, 200, "{}", answer.text());
                continue;
            }
            answer.problem(401, "unauthenticated");
            assert!(answer.header("www-authenticate").unwrap().starts_with("Bearer"));
        }
        let lacking = running.http(&format!("DELETE {prefix}/records"), &[], b"").await;
        lacking.problem(405, "method_not_allowed");
        let json = [("content-type", "application/json")];
        let line = format!("POST {prefix}/records");
        let answer = running.http(&line, &json, event("read").as_bytes()).await;
        answer.problem(401, "unauthenticated");
    }
    for prefix in ["", "/v1", "/v1/logs/default"] {
        for path in ["/checkpoint", "/tile/0/000.p/1", "/tile/entries/000.p/1"] {
            let answer = running.get(&format!("{prefix}{path}")).await;
            assert_eq!(answer.status, 200, "{prefix}{path} {}", answer.text());
        }
    }
    assert_eq!(running.get("/openapi.json").await.status, 200);
    running.get("/v1/logs/b/tile/0/000.p/1").await.problem(404, "not_found");
    running.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_append_is_told_before_the_body_comes() {
    let (running, tokens) = start(&[Role::Read]).await;
    let mut connection = super::Connection::to(running.address()).await;
    let headers = [
        ("authorization", tokens[0].as_str()),
        ("content-type", "application/json"),
        ("content-length", "1000"),
    ];
    let head = super::head(running.address(), "POST /v1/records", &headers);
    connection.send(format!("{head}\r\n").as_bytes()).await;
    connection.answer(false).await.problem(403, "permission_denied");
    running.stop_and_verify().await;
}
