//! `Tail`: the records that are there, and those that come.

use indelible_server::proto::v1;
use tonic::{Code, Streaming};
use tonic_types::StatusExt as _;

use crate::support::{Running, assert_refused, event};

async fn tail(running: &Running, request: v1::TailRequest) -> Streaming<v1::TailResponse> {
    running.client().await.tail(request).await.unwrap().into_inner()
}

async fn next(answers: &mut Streaming<v1::TailResponse>) -> v1::Record {
    answers.message().await.unwrap().unwrap().record.unwrap()
}

async fn append(running: &Running, event: v1::Event) -> u64 {
    let request = v1::AppendRequest { log: String::new(), event: Some(event) };
    let answer = running.client().await.append(request).await.unwrap();
    answer.into_inner().receipt.unwrap().seq
}

#[tokio::test(flavor = "multi_thread")]
async fn records_that_are_there_come_first_and_then_each_as_it_becomes_durable() {
    let running = Running::start().await;
    append(&running, event("before")).await;
    let mut answers =
        tail(&running, v1::TailRequest { from_seq: Some(0), ..Default::default() }).await;
    for seq in [0, 1] {
        let record = next(&mut answers).await;
        assert_eq!((record.seq, &record.line[..]), (seq, running.line(seq).as_bytes()));
    }
    for seq in 2..10 {
        assert_eq!(append(&running, event("after")).await, seq);
        assert_eq!(next(&mut answers).await.seq, seq);
    }
    drop(answers);
    running.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_seq_only_what_comes_is_sent_and_only_what_matches() {
    let running = Running::start().await;
    append(&running, event("before")).await;
    let filter = v1::Filter { action: "wanted-*".to_owned(), ..Default::default() };
    let mut answers =
        tail(&running, v1::TailRequest { filter: Some(filter), ..Default::default() }).await;
    append(&running, event("other")).await;
    let seq = append(&running, event("wanted-1")).await;
    assert_eq!(next(&mut answers).await.seq, seq);
    drop(answers);
    running.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_stops_says_where_to_go_on() {
    let running = Running::start().await;
    append(&running, event("a")).await;
    let mut answers =
        tail(&running, v1::TailRequest { from_seq: Some(1), ..Default::default() }).await;
    assert_eq!(next(&mut answers).await.seq, 1);
    let stopping = tokio::spawn(running.stop_and_verify());
    let end = answers.message().await.unwrap_err();
    assert_refused(&end, Code::Unavailable, "shutting_down");
    assert_eq!(end.get_details_error_info().unwrap().metadata["resume_seq"], "2");
    stopping.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_reads_nothing_is_told_that_it_lags_and_where_to_go_on() {
    let running = Running::start_with(|config| {
        config.timeouts.write = std::time::Duration::from_millis(50);
        config.limits.tails_max = 1;
    })
    .await;
    let mut answers =
        tail(&running, v1::TailRequest { from_seq: Some(0), ..Default::default() }).await;
    let large =
        v1::Event { metadata_json: format!("{{\"x\":\"{}\"}}", "x".repeat(60_000)), ..event("a") };
    // More than windows and buffers hold.
    for _ in 0..20 {
        let request =
            v1::AppendBatchRequest { log: String::new(), events: vec![large.clone(); 20] };
        running.client().await.append_batch(request).await.unwrap();
    }
    // Only when the service has lost its patience is there room for another follower.
    while running.client().await.tail(v1::TailRequest::default()).await.is_err() {
        tokio::task::yield_now().await;
    }
    let mut reached = 0;
    let end = loop {
        match answers.message().await {
            Ok(Some(answer)) => {
                assert_eq!(answer.record.unwrap().seq, reached);
                reached += 1;
            }
            Ok(None) => panic!("the end must say why"),
            Err(status) => break status,
        }
    };
    assert_refused(&end, Code::ResourceExhausted, "lagging");
    let info = end.get_details_error_info().unwrap();
    let resume: u64 = info.metadata["resume_seq"].parse().unwrap();
    assert_eq!(resume, reached, "nothing is lost in between");
    running.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn more_followers_than_the_limit_are_refused() {
    let running = Running::start_with(|config| config.limits.tails_max = 2).await;
    let followers = [
        tail(&running, v1::TailRequest::default()).await,
        tail(&running, v1::TailRequest::default()).await,
    ];
    let refused = running.client().await.tail(v1::TailRequest::default()).await.unwrap_err();
    assert_refused(&refused, Code::ResourceExhausted, "too_many");
    assert!(refused.get_details_retry_info().is_some());
    drop(followers);
    running.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn times_are_not_for_following() {
    let running = Running::start().await;
    let filter = v1::Filter { since: "2026-01-01T00:00:00Z".to_owned(), ..Default::default() };
    let request = v1::TailRequest { filter: Some(filter), ..Default::default() };
    let refused = running.client().await.tail(request).await.unwrap_err();
    assert_refused(&refused, Code::InvalidArgument, "invalid_argument");
    running.stop_and_verify().await;
}
