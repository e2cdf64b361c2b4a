//! What clients do not take of what was read for them is bounded.

use std::time::Duration;

use indelible_server::proto::v1;
use indelible_server::proto::v1::audit_service_client::AuditServiceClient;
use tonic::Code;
use tonic::transport::Channel;

use crate::raw::{Answer, Frame, HEADERS, Raw};
use crate::support::{Running, assert_refused, event};

/// A service whose answers may wait with as many bytes as `size_max`, and whose log has three records of 60 kB.
async fn with_large_records(size_max: usize) -> Running {
    let running = Running::start_with(|config| config.limits.answers_size_max = size_max).await;
    let mut client = running.client().await;
    for _ in 0..3 {
        let mut event = event("read");
        event.metadata_json = format!("{{\"m\":\"{}\"}}", "x".repeat(60_000));
        client.append(v1::AppendRequest { log: String::new(), event: Some(event) }).await.unwrap();
    }
    running
}

async fn get(running: &Running, path: &str) -> Answer {
    let mut raw = Raw::connect(running.address()).await;
    raw.send(format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n")).await;
    raw.answer().await
}

/// Reads are taken again once nothing waits any more.
async fn assert_reads_go_on(running: &Running) {
    while get(running, "/v1/records/1").await.status() == "429" {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(get(running, "/v1/records/1").await.status(), "200");
}

#[tokio::test(flavor = "multi_thread")]
async fn while_clients_take_too_little_nothing_more_is_read_and_appends_go_on() {
    let running = with_large_records(150_000).await;
    assert_reads_go_on(&running).await;
    let initial_window_size = 4;
    let mut waiting = Raw::connect_http2(running.address(), &[(initial_window_size, 0)]).await;
    waiting.send_frames(&[Frame::get_path(1, "/v1/records")]).await;
    waiting.frame(HEADERS, 0).await;

    for path in ["/v1/records", "/v1/records/1", "/v1/records/1/proof", "/v1/checkpoint"] {
        let refused = get(&running, path).await;
        assert_eq!(refused.status(), "429", "{path}: {refused:?}");
        assert!(refused.head.contains("retry-after: 1\r\n"), "{path}: {refused:?}");
        assert!(refused.body.contains("limits.answers_size_max"), "{path}: {refused:?}");
    }
    let mut client = running.client().await;
    let request = v1::GetRecordRequest { log: String::new(), seq: 1 };
    let refused = client.get_record(request).await.unwrap_err();
    assert_refused(&refused, Code::ResourceExhausted, "too_many");
    let request = v1::AppendRequest { log: String::new(), event: Some(event("read")) };
    client.append(request).await.unwrap();

    drop(waiting);
    assert_reads_go_on(&running).await;
    drop(client);
    running.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_query_has_read_and_nobody_takes_counts_too() {
    let running = with_large_records(150_000).await;
    let endpoint = Channel::from_shared(format!("http://{}", running.address())).unwrap();
    let channel = endpoint.initial_stream_window_size(65_535).connect().await.unwrap();
    let mut client = AuditServiceClient::new(channel);
    // More comes than the window takes, and nobody reads it.
    let waiting = client.query(v1::QueryRequest::default()).await.unwrap();
    loop {
        let answer = get(&running, "/v1/records/1").await;
        if answer.status() == "429" {
            break;
        }
        assert_eq!(answer.status(), "200");
    }
    drop(waiting);
    assert_reads_go_on(&running).await;
    drop(client);
    running.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_was_made_counts_until_its_client_takes_it() {
    let running = with_large_records(50_000).await;
    let initial_window_size = 4;
    let mut waiting = Raw::connect_http2(running.address(), &[(initial_window_size, 0)]).await;
    // GetRecord of record 1.
    waiting.send_frames(&Frame::call(1, "GetRecord", &[0x10, 1])).await;
    waiting.frame(HEADERS, 0).await;
    assert_eq!(get(&running, "/v1/records/1").await.status(), "429");
    drop(waiting);
    assert_reads_go_on(&running).await;
    running.stop_and_verify().await;
}
