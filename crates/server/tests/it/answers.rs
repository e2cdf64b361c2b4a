//! What clients do not take of what was read for them is bounded.

use std::time::Duration;

use indelible_server::client::{Client, ConnectOptions};
use indelible_server::proto::v1;
use indelible_server::proto::v1::audit_service_client::AuditServiceClient;
use indelible_server::proto::v1::query_response::Item;
use prost::Message as _;
use tonic::Code;
use tonic::transport::Channel;
use tonic_types::StatusExt as _;

use crate::raw::{Answer, Frame, HEADERS, Raw};
use crate::support::{Running, assert_refused, event};

/// A service whose answers may wait with as many bytes as `size_max`, and whose log has `count` records of 60 kB.
async fn with_large_records(size_max: usize, count: usize) -> Running {
    let running = Running::start_with(|config| config.limits.answers_size_max = size_max).await;
    let mut client = running.client().await;
    for _ in 0..count {
        let mut event = event("read");
        event.metadata_json = format!("{{\"m\":\"{}\"}}", "x".repeat(60_000));
        client.append(v1::AppendRequest { log: String::new(), event: Some(event) }).await.unwrap();
    }
    running
}

/// A client on whose streams no more than 64 KiB come before they are read.
async fn with_a_small_window(running: &Running) -> AuditServiceClient<Channel> {
    let endpoint = Channel::from_shared(format!("http://{}", running.address())).unwrap();
    let channel = endpoint.initial_stream_window_size(65_535).connect().await.unwrap();
    AuditServiceClient::new(channel)
}

async fn get(running: &Running, path: &str) -> Answer {
    let mut raw = Raw::connect(running.address()).await;
    raw.send(format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n")).await;
    raw.answer().await
}

/// As `GET`s of that path are answered with something else than `status`.
async fn get_until_not(running: &Running, path: &str, status: &str) -> Answer {
    let answered = async {
        loop {
            let answer = get(running, path).await;
            if answer.status() != status {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_mins(1), answered)
        .await
        .unwrap_or_else(|_| panic!("GET {path} is answered with {status} for a minute"))
}

/// A record is read each time, while what waits comes to where it stays.
async fn assert_is_read_for_long(running: &Running, path: &str) {
    for _ in 0..20 {
        assert_eq!(get(running, path).await.status(), "200");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Reads are taken again once nothing waits any more.
async fn assert_reads_go_on(running: &Running) {
    assert_eq!(get_until_not(running, "/v1/records/1", "429").await.status(), "200");
}

#[tokio::test(flavor = "multi_thread")]
async fn while_clients_take_too_little_nothing_more_is_read_and_appends_go_on() {
    let running = with_large_records(150_000, 3).await;
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
    let running = with_large_records(150_000, 3).await;
    let mut client = with_a_small_window(&running).await;
    // More comes than the window takes, and nobody reads it.
    let waiting = client.query(v1::QueryRequest::default()).await.unwrap();
    assert_eq!(get_until_not(&running, "/v1/records/1", "200").await.status(), "429");
    drop(waiting);
    assert_reads_go_on(&running).await;
    drop(client);
    running.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_was_made_counts_until_its_client_takes_it() {
    let running = with_large_records(50_000, 3).await;
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

/// A batch whose answer has 15 kB or so.
fn batch() -> v1::AppendBatchRequest {
    let named = |n| v1::Event { event_id: format!("e-{n}"), ..event("read") };
    v1::AppendBatchRequest { log: String::new(), events: (0..100).map(named).collect() }
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_to_batches_that_nobody_takes_keep_out_batches_and_no_reader() {
    let running = Running::start_with(|config| config.limits.answers_size_max = 20_000).await;
    let initial_window_size = 4;
    let mut waiting = Raw::connect_http2(running.address(), &[(initial_window_size, 0)]).await;
    for stream in [1, 3, 5] {
        let message = batch().encode_to_vec();
        waiting.send_frames(&Frame::call(stream, "AppendBatch", &message)).await;
        waiting.frame(HEADERS, 0).await;
    }
    assert_eq!(get(&running, "/v1/records/1").await.status(), "200");

    let mut client = running.client().await;
    let refused = client.append_batch(batch()).await.unwrap_err();
    assert_refused(&refused, Code::ResourceExhausted, "too_many");
    let pause = refused.get_details_retry_info().and_then(|info| info.retry_delay);
    assert_eq!(pause, Some(Duration::from_secs(1)));
    let lines = r#"{"actor":"a","action":"b","resource":"c"}"#;
    let mut raw = Raw::connect(running.address()).await;
    let length = lines.len();
    raw.send(format!(
        "POST /v1/records HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/x-ndjson\r\n\
         content-length: {length}\r\n\r\n{lines}"
    ))
    .await;
    let refused = raw.answer().await;
    assert_eq!(refused.status(), "429", "{refused:?}");
    assert!(refused.head.contains("retry-after: 1\r\n"), "{refused:?}");
    let request = v1::AppendRequest { log: String::new(), event: Some(event("read")) };
    client.append(request).await.unwrap();

    drop(waiting);
    let again = async {
        while client.append_batch(batch()).await.is_err() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_mins(1), again).await.expect("batches are taken again");
    drop(client);
    assert_eq!(
        running.stop_and_verify().await.records,
        102,
        "of what was refused there is nothing"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_append_stream_answers_keeps_out_no_reader() {
    let running = Running::start_with(|config| {
        config.limits.answers_size_max = 4096;
        config.limits.stream_in_flight_max = 256;
    })
    .await;
    let mut client = with_a_small_window(&running).await;
    let item = |n: u64| v1::AppendStreamRequest {
        log: String::new(),
        request_id: n,
        event: Some(event("read")),
    };
    let items = tokio_stream::iter((0..5_000).map(item));
    let waiting = client.append_stream(items).await.unwrap();
    // Soon more is answered than the window takes.
    let last = get_until_not(&running, "/v1/records/500", "404").await;
    assert_eq!(last.status(), "200", "{last:?}");
    assert_is_read_for_long(&running, "/v1/records/1").await;
    drop((waiting, client));
    running.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_follower_does_not_take_keeps_out_no_reader() {
    let running = with_large_records(50_000, 3).await;
    let mut client = with_a_small_window(&running).await;
    let request = v1::AppendRequest { log: String::new(), event: Some(event("read")) };
    client.append(request).await.unwrap();
    let request = v1::TailRequest { from_seq: Some(1), ..v1::TailRequest::default() };
    let mut waiting = client.tail(request).await.unwrap().into_inner();
    waiting.message().await.unwrap().unwrap();
    assert_is_read_for_long(&running, "/v1/records/4").await;
    drop((waiting, client));
    running.stop_and_verify().await;
}

/// Fills what answers may have, of a log with eight large records; until it is dropped.
async fn fill(running: &Running) -> Raw {
    let initial_window_size = 4;
    let mut waiting = Raw::connect_http2(running.address(), &[(initial_window_size, 0)]).await;
    waiting.send_frames(&[Frame::get_path(1, "/v1/records")]).await;
    waiting.frame(HEADERS, 0).await;
    waiting
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_under_way_is_told_where_to_go_on_while_others_take_too_little() {
    let running = with_large_records(450_000, 8).await;
    let mut client = with_a_small_window(&running).await;
    let mut found = client.query(v1::QueryRequest::default()).await.unwrap().into_inner();
    let mut count = 0;
    let mut waiting = None;
    let cursor = loop {
        match found.message().await.unwrap().unwrap().item.unwrap() {
            Item::Record(_) => count += 1,
            Item::End(end) => break end.cursor,
        }
        if waiting.is_none() {
            waiting = Some(fill(&running).await);
        }
    };
    assert!((1..8).contains(&count), "{count}");
    assert_ne!(cursor, "");
    drop(waiting);
    assert_reads_go_on(&running).await;
    let rest = v1::QueryRequest { cursor, ..v1::QueryRequest::default() };
    let mut found = client.query(rest).await.unwrap().into_inner();
    while let Item::Record(_) = found.message().await.unwrap().unwrap().item.unwrap() {
        count += 1;
    }
    assert_eq!(count, 9, "the eight, and that the log was made");
    drop((found, client));
    running.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_waits_with_a_query_while_others_take_too_little() {
    let running = with_large_records(450_000, 8).await;
    let waiting = fill(&running).await;
    let ended = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(300)).await;
        drop(waiting);
    });
    let url = format!("http://{}", running.address()).parse().unwrap();
    let client = Client::new(&ConnectOptions::new(url)).unwrap();
    let mut found = client.query(v1::QueryRequest::default());
    let mut count = 0;
    while found.next().await.unwrap().is_some() {
        count += 1;
    }
    assert_eq!(count, 9, "the eight, and that the log was made");
    ended.await.unwrap();
    drop((found, client));
    running.stop_and_verify().await;
}
