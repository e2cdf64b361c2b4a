//! Streams that are open while what their caller was let in on ends.

use std::path::{Path, PathBuf};
use std::time::Duration;

use indelible::{Clock as _, SystemClock};
use indelible_server::Server;
use indelible_server::auth::role::Role;
use indelible_server::auth::tokens::{Token, TokenEntry, TokenFile, TokenFileError};
use indelible_server::proto::v1;
use indelible_server::proto::v1::append_stream_response::Outcome;
use tokio::io::AsyncReadExt as _;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Streaming};
use tonic_types::StatusExt as _;

use crate::raw::Raw;
use crate::roles::client;
use crate::support::{Running, assert_refused, config, event};
use crate::web::{add_token, bearer, grant};

/// A service that takes one token for everything, and its file.
async fn running(change: impl FnOnce(&mut TokenEntry)) -> (Running, PathBuf, Token) {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("tokens.jsonl");
    let token = add_token(&file, "agent-7", vec![grant(Role::Admin, None)], change);
    let mut config = config(&place);
    config.tokens = Some(file.clone());
    (Running { server: Server::start(config).await.unwrap(), place }, file, token)
}

fn change(file: &Path, change: impl FnOnce(&mut Vec<TokenEntry>)) {
    TokenFile::change(file, |entries| {
        change(entries);
        Ok::<_, TokenFileError>(())
    })
    .unwrap();
}

type Sender = mpsc::Sender<v1::AppendStreamRequest>;

fn item(request_id: u64) -> v1::AppendStreamRequest {
    v1::AppendStreamRequest { log: String::new(), request_id, event: Some(event("a")) }
}

/// A stream on which one event was appended: record 1, as 0 is the log's own.
async fn appending(
    running: &Running,
    token: &Token,
) -> (Sender, Streaming<v1::AppendStreamResponse>) {
    let (sender, requests) = mpsc::channel(16);
    sender.send(item(0)).await.unwrap();
    let mut client = client(running, &bearer(token)).await;
    let answers = client.append_stream(ReceiverStream::new(requests)).await.unwrap();
    let mut answers = answers.into_inner();
    let first = answers.message().await.unwrap().unwrap();
    assert!(matches!(first.outcome, Some(Outcome::Receipt(_))), "{first:?}");
    (sender, answers)
}

/// A follower that was sent the first record.
async fn following(running: &Running, token: &Token) -> Streaming<v1::TailResponse> {
    let filter = Some(v1::Filter { action: "a".to_owned(), ..v1::Filter::default() });
    let request = v1::TailRequest { from_seq: Some(0), filter, ..v1::TailRequest::default() };
    let mut records =
        client(running, &bearer(token)).await.tail(request).await.unwrap().into_inner();
    assert_eq!(seq(&mut records).await, 1);
    records
}

async fn seq(records: &mut Streaming<v1::TailResponse>) -> u64 {
    records.message().await.unwrap().unwrap().record.unwrap().seq
}

/// All that is sent over HTTP until the end.
async fn following_over_http(running: &Running, token: &Token) -> Raw {
    let mut raw = Raw::connect(running.address()).await;
    let credential = bearer(token);
    raw.send(format!(
        "GET /v1/tail?from_seq=0&action=a HTTP/1.1\r\nhost: localhost\r\nauthorization: {credential}\r\nconnection: close\r\n\r\n"
    ))
    .await;
    let mut told = Vec::new();
    // The first record is there: from now on it is known where to go on.
    while !told.windows(8).any(|bytes| bytes == b"\"_hash\":") {
        told.push(raw.stream.read_u8().await.unwrap());
    }
    assert!(told.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&told));
    raw
}

/// Asserts that all streams of a token end although nobody sends anything, and say so.
async fn assert_all_end(running: Running, token: &Token, end: impl AsyncFnOnce(&Running)) {
    let (_sender, mut answers) = appending(&running, token).await;
    let mut records = following(&running, token).await;
    let over_http = following_over_http(&running, token).await;
    end(&running).await;
    let told = answers.message().await.unwrap_err();
    assert_refused(&told, Code::Unauthenticated, "unauthenticated");
    let told = records.message().await.unwrap_err();
    assert_refused(&told, Code::Unauthenticated, "unauthenticated");
    // The log may have said by then that its tokens changed, as record 2.
    let resume = &told.get_details_error_info().unwrap().metadata["resume_seq"];
    assert!(["2", "3"].contains(&resume.as_str()), "{resume}");
    let told = String::from_utf8(over_http.rest().await).unwrap();
    assert!(told.contains("event: error\ndata: ") && told.contains("unauthenticated"), "{told}");
    let resumes = ["\"resume_seq\":2", "\"resume_seq\":3"];
    assert!(resumes.iter().any(|resume| told.contains(resume)), "{told}");
    let lines = running.stop_and_read().await;
    assert!(lines.contains("indelible.service.refuse"), "{lines}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_token_ends_the_streams_that_are_open() {
    let (running, file, token) = running(|_| {}).await;
    assert_all_end(running, &token, async |running| {
        change(&file, Vec::clear);
        running.server.reload().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_expires_ends_the_streams_that_are_open() {
    let now = jiff::Timestamp::from_nanosecond(SystemClock::default().now().wall.unix_ns());
    let expires = now.unwrap() + Duration::from_secs(5);
    let (running, _file, token) = running(|entry| entry.expires = Some(expires)).await;
    assert_all_end(running, &token, async |_| {}).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_whose_roles_change_has_those_of_now_on_streams_that_are_open() {
    let (running, file, token) = running(|_| {}).await;
    let (sender, mut answers) = appending(&running, &token).await;
    let mut records = following(&running, &token).await;
    // Another token alone ends nothing.
    add_token(&file, "another", vec![grant(Role::Read, None)], |_| {});
    running.server.reload().await;
    sender.send(item(1)).await.unwrap();
    let answer = answers.message().await.unwrap().unwrap();
    let Some(Outcome::Receipt(receipt)) = answer.outcome else { panic!("{answer:?}") };
    assert_eq!(seq(&mut records).await, receipt.seq);
    change(&file, |entries| entries[0].grants = vec![grant(Role::Read, None)]);
    // The follower is let read on; who appends is told once the service has seen it.
    for request_id in 2.. {
        sender.send(item(request_id)).await.unwrap();
        let answer = answers.message().await.unwrap().unwrap();
        assert_eq!(answer.request_id, request_id);
        match answer.outcome {
            Some(Outcome::Receipt(receipt)) => {
                assert_eq!(seq(&mut records).await, receipt.seq);
            }
            Some(Outcome::Rejected(failure)) => {
                assert_eq!(failure.code, "permission_denied");
                break;
            }
            other => panic!("{other:?}"),
        }
    }
    change(&file, |entries| entries[0].grants = vec![grant(Role::Append, None)]);
    let told = records.message().await.unwrap_err();
    assert_refused(&told, Code::PermissionDenied, "permission_denied");
    running.stop_and_verify().await;
}
