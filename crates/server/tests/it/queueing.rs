//! A log's queue is bounded in bytes: who comes while it is full is told when to come again.

use std::time::{Duration, Instant};

use indelible_server::proto::v1;
use tokio::task::JoinSet;
use tonic::Code;
use tonic_types::StatusExt as _;

use crate::raw::Raw;
use crate::support::{Running, assert_refused, event};

/// How many events are sent at once; the queue holds two.
const AT_ONCE: usize = 64;

/// How long that may take.
const PATIENCE: Duration = Duration::from_mins(1);

async fn with_a_short_queue() -> Running {
    Running::start_with(|config| {
        config.logs[0].entry_size_max = 8 << 10;
        config.logs[0].queue_size_max = 16 << 10;
    })
    .await
}

fn text() -> String {
    "x".repeat(7_000)
}

/// Stops the service; how many events were recorded.
async fn recorded(running: Running) -> usize {
    running.stop_and_read().await.matches("\"recorded_by\"").count()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_queue_does_not_hold_is_refused_over_grpc_before_anything_was_accepted() {
    let running = with_a_short_queue().await;
    let client = running.client().await;
    let (mut committed, mut refused) = (0, Vec::new());
    // The disk may be faster than they come.
    let started = Instant::now();
    while refused.is_empty() {
        assert!(started.elapsed() < PATIENCE, "the queue never was full");
        let mut calls = JoinSet::new();
        for _ in 0..AT_ONCE {
            let mut client = client.clone();
            let metadata_json = format!("{{\"m\":\"{}\"}}", text());
            let event = Some(v1::Event { metadata_json, ..event("read") });
            let request = v1::AppendRequest { log: String::new(), event };
            calls.spawn(async move { client.append(request).await });
        }
        for answer in calls.join_all().await {
            match answer {
                Ok(_) => committed += 1,
                Err(status) => refused.push(status),
            }
        }
    }
    for status in &refused {
        assert_refused(status, Code::ResourceExhausted, "queue_full");
        let pause = status.get_details_retry_info().and_then(|info| info.retry_delay);
        assert_eq!(pause, Some(Duration::from_secs(1)));
    }
    drop(client);
    assert_eq!(recorded(running).await, committed);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_queue_does_not_hold_is_refused_over_http_before_anything_was_accepted() {
    let running = with_a_short_queue().await;
    let (mut committed, mut refused) = (0, Vec::new());
    let started = Instant::now();
    while refused.is_empty() {
        assert!(started.elapsed() < PATIENCE, "the queue never was full");
        let mut requests = JoinSet::new();
        for _ in 0..AT_ONCE {
            let address = running.address();
            let event = format!(
                r#"{{"actor":"a","action":"b","resource":"c","metadata":{{"m":"{}"}}}}"#,
                text()
            );
            requests.spawn(async move {
                let mut raw = Raw::connect(address).await;
                raw.post(&event).await;
                raw.answer().await
            });
        }
        for answer in requests.join_all().await {
            if answer.status() == "201" {
                committed += 1;
            } else {
                refused.push(answer);
            }
        }
    }
    for answer in &refused {
        assert_eq!(answer.status(), "429", "{answer:?}");
        assert!(answer.head.contains("retry-after: 1\r\n"), "{answer:?}");
        assert!(answer.body.contains("\"code\":\"queue_full\""), "{answer:?}");
    }
    assert_eq!(recorded(running).await, committed);
}
