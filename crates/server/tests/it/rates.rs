//! How many events each principal may append a second.

use indelible_server::Server;
use indelible_server::auth::role::Role;
use indelible_server::proto::v1;
use tonic::Code;

use crate::support::{Running, assert_refused, config, event};
use crate::web::{EVENT, add_token, append, bearer, grant, send};

/// A service that takes 5 events at once from each principal, and one more an hour or so.
async fn running() -> (Running, String, String) {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("tokens");
    let mut config = config(&place);
    let [a, b] = ["a", "b"]
        .map(|name| bearer(&add_token(&file, name, vec![grant(Role::Append, None)], |_| {})));
    config.tokens = Some(file);
    config.limits.events_per_second = Some(1);
    config.limits.events_burst = 5;
    (Running { server: Server::start(config).await.unwrap(), place }, a, b)
}

fn records(running: &Running) -> usize {
    let log = running.place.path().join("audit/audit.log");
    std::fs::read_to_string(log).unwrap().matches("\"recorded_by\"").count()
}

async fn append_batch(running: &Running, credential: &str, count: usize) -> crate::raw::Answer {
    let headers =
        [("host", "x"), ("content-type", "application/x-ndjson"), ("authorization", credential)];
    send(running.address(), "POST /v1/records", &headers, &format!("{EVENT}\n").repeat(count)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn who_sends_more_than_its_rate_is_told_when_to_try_again_and_others_are_not_hindered() {
    let (running, a, b) = running().await;
    assert_eq!(append_batch(&running, &a, 5).await.status(), "201");
    let refused = append(running.address(), Some(&a)).await;
    assert_eq!(refused.status(), "429", "{refused:?}");
    assert!(refused.head.contains("retry-after: 1\r\n"), "{}", refused.head);
    assert!(
        refused.body.contains("\"rate_limited\"")
            && refused.body.contains("limits.events_per_second")
    );
    assert_eq!(append(running.address(), Some(&b)).await.status(), "201");
    running.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_is_let_pass_whole_or_refused_before_anything_was_accepted() {
    let (running, a, _) = running().await;
    assert_eq!(append_batch(&running, &a, 3).await.status(), "201");
    assert_eq!(append_batch(&running, &a, 5).await.status(), "429");
    assert_eq!(records(&running), 3);
    let never = append_batch(&running, &a, 6).await;
    assert_eq!(never.status(), "413", "{never:?}");
    assert!(never.body.contains("limits.events_burst is 5"), "{}", never.body);
    assert!(!never.head.contains("retry-after"), "{}", never.head);
    assert_eq!(records(&running), 3);
    running.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn over_grpc_unary_calls_and_streams_count_towards_the_same_rate() {
    let (running, a, _) = running().await;
    let mut client = running.client().await;
    let credential: tonic::metadata::MetadataValue<_> = a.parse().unwrap();
    let mut request =
        tonic::Request::new(v1::AppendRequest { log: String::new(), event: Some(event("x")) });
    request.metadata_mut().insert("authorization", credential.clone());
    client.append(request).await.unwrap();
    let item = |request_id| v1::AppendStreamRequest {
        log: String::new(),
        request_id,
        event: Some(event("s")),
    };
    let mut request = tonic::Request::new(tokio_stream::iter((0..8).map(item)));
    request.metadata_mut().insert("authorization", credential.clone());
    let mut answers = client.append_stream(request).await.unwrap().into_inner();
    let (mut receipts, mut limited) = (0, 0);
    while let Some(answer) = answers.message().await.unwrap() {
        match answer.outcome.unwrap() {
            v1::append_stream_response::Outcome::Receipt(_) => receipts += 1,
            v1::append_stream_response::Outcome::Rejected(failure) => {
                assert_eq!(failure.code, "rate_limited");
                limited += 1;
            }
            other @ v1::append_stream_response::Outcome::Indeterminate(_) => panic!("{other:?}"),
        }
    }
    assert!(receipts >= 4 && limited >= 1, "{receipts} and {limited}");
    let events = (0..6).map(|_| event("b")).collect();
    let mut request = tonic::Request::new(v1::AppendBatchRequest { log: String::new(), events });
    request.metadata_mut().insert("authorization", credential);
    let refused = client.append_batch(request).await.err().unwrap();
    assert_refused(&refused, Code::ResourceExhausted, "too_large");
    running.stop_and_verify().await;
}
