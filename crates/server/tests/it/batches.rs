//! `AppendBatch`: all or none is queued, in order, with a result each.

use indelible_server::proto::v1;
use indelible_server::proto::v1::append_result::Outcome;
use tonic::Code;
use tonic_types::StatusExt as _;

use crate::support::{Running, assert_refused, event};

fn batch(events: impl IntoIterator<Item = v1::Event>) -> v1::AppendBatchRequest {
    v1::AppendBatchRequest { log: String::new(), events: events.into_iter().collect() }
}

fn numbered(count: usize) -> Vec<v1::Event> {
    (0..count).map(|n| event(&format!("act-{n}"))).collect()
}

fn seqs(response: &v1::AppendBatchResponse) -> Vec<u64> {
    let results = response.results.iter();
    let seq = |result: &v1::AppendResult| match &result.outcome {
        Some(Outcome::Receipt(receipt)) => receipt.seq,
        other => panic!("{other:?}"),
    };
    results.map(seq).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_is_recorded_in_order_with_a_receipt_each() {
    let running = Running::start().await;
    let mut client = running.client().await;
    let response = client.append_batch(batch(numbered(100))).await.unwrap().into_inner();
    assert_eq!(seqs(&response), (1..=100).collect::<Vec<_>>());
    assert!(running.line(42).contains("\"act-41\""));
    assert_eq!(running.stop_and_verify().await.records, 101);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_bad_event_refuses_the_batch_and_is_named() {
    let running = Running::start().await;
    let mut client = running.client().await;
    for (at, bad, code) in [
        (0, v1::Event { actor: String::new(), ..event("a") }, "invalid_event"),
        (3, v1::Event { outcome: 9, ..event("a") }, "invalid_argument"),
        (5, v1::Event { metadata_json: "{".to_owned(), ..event("a") }, "invalid_event"),
    ] {
        let mut events = numbered(6);
        events[at] = bad;
        let refused = client.append_batch(batch(events)).await.unwrap_err();
        assert_refused(&refused, Code::InvalidArgument, code);
        assert!(refused.message().starts_with(&format!("event {at}: ")), "{}", refused.message());
        let info = refused.get_details_error_info().unwrap();
        assert_eq!(info.metadata["index"], at.to_string());
    }
    assert_eq!(running.stop_and_verify().await.records, 1, "nothing of it was queued");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_has_at_least_one_event_and_at_most_as_many_as_the_limit() {
    let running = Running::start_with(|config| config.limits.batch_events_max = 3).await;
    let mut client = running.client().await;
    client.append_batch(batch(numbered(3))).await.unwrap();
    let refused = client.append_batch(batch(numbered(4))).await.unwrap_err();
    assert_refused(&refused, Code::ResourceExhausted, "too_large");
    assert!(refused.message().contains('4') && refused.message().contains('3'));
    let refused = client.append_batch(batch([])).await.unwrap_err();
    assert_refused(&refused, Code::InvalidArgument, "invalid_argument");
    assert_eq!(running.stop_and_verify().await.records, 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_is_sent_again_is_recorded_once() {
    let running = Running::start().await;
    let mut client = running.client().await;
    let named = |n: usize| v1::Event { event_id: format!("e-{n}"), ..event("read") };
    let first = client.append_batch(batch((0..10).map(named))).await.unwrap().into_inner();
    let again = client.append_batch(batch((0..12).map(named))).await.unwrap().into_inner();
    assert_eq!(seqs(&first), (1..=10).collect::<Vec<_>>());
    assert_eq!(seqs(&again), (1..=12).collect::<Vec<_>>());
    let is_duplicate = |result: &v1::AppendResult| matches!(&result.outcome, Some(Outcome::Receipt(receipt)) if receipt.duplicate);
    assert_eq!(again.results.iter().filter(|result| is_duplicate(result)).count(), 10);
    assert_eq!(running.stop_and_verify().await.records, 13);
}
