//! One request over HTTP/1.1, with exactly the headers that a test gives it; and tokens to send.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::Path;

use indelible_server::auth::role::Role;
use indelible_server::auth::tokens::{Token, TokenEntry, TokenFile, TokenFileError};
use indelible_server::config::Grant;

use crate::raw::{Answer, Raw};

pub(crate) const EVENT: &str = r#"{"actor":"agent:7","action":"read","resource":"file:x"}"#;
pub(crate) const JSON: (&str, &str) = ("content-type", "application/json");

/// Sends a request, with a `Host` only where `headers` has one.
pub(crate) async fn send(
    address: SocketAddr,
    line: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Answer {
    let mut head = format!("{line} HTTP/1.1\r\ncontent-length: {}\r\n", body.len());
    for (name, value) in headers {
        write!(head, "{name}: {value}\r\n").unwrap();
    }
    let mut raw = Raw::connect(address).await;
    raw.send(format!("{head}\r\n{body}")).await;
    raw.answer().await
}

/// Appends one event as `credential` has it, or as nobody.
pub(crate) async fn append(address: SocketAddr, credential: Option<&str>) -> Answer {
    let authorization = credential.map(|credential| ("authorization", credential));
    let mut headers = vec![("host", "localhost"), JSON];
    headers.extend(authorization);
    send(address, "POST /v1/records", &headers, EVENT).await
}

pub(crate) fn bearer(token: &Token) -> String {
    format!("Bearer {}", token.reveal())
}

/// One role on one log, or on all.
pub(crate) fn grant(role: Role, log: Option<&str>) -> Grant {
    Grant::new(role, log.map(str::to_owned))
}

/// Adds a token to a file, changed by `change` before.
pub(crate) fn add_token(
    file: &Path,
    name: &str,
    grants: Vec<Grant>,
    change: impl FnOnce(&mut TokenEntry),
) -> Token {
    let token = Token::random().unwrap();
    let created = "2026-01-01T00:00:00Z".parse().unwrap();
    let mut entry = TokenEntry::new(name, token.digest(), grants, created).unwrap();
    change(&mut entry);
    TokenFile::change(file, |entries| {
        entries.push(entry);
        Ok::<_, TokenFileError>(())
    })
    .unwrap();
    token
}
