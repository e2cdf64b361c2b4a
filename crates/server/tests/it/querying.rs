//! `GetRecord` and `Query`: the exact stored lines, filters, order, and where to go on.

use indelible_server::proto::v1;
use indelible_server::proto::v1::query_response::Item;
use tonic::Code;

use crate::support::{Running, assert_refused, event};

/// A service with `count` records: actors `agent:0` to `agent:4` in turn, every tenth denied.
async fn with_records(count: usize) -> Running {
    with_records_and(count, |_| {}).await
}

async fn with_records_and(
    count: usize,
    change: impl FnOnce(&mut indelible_server::Config),
) -> Running {
    let running = Running::start_with(change).await;
    let event = |n: usize| v1::Event {
        actor: format!("agent:{}", n % 5),
        outcome: if n.is_multiple_of(10) { v1::Outcome::Denied } else { v1::Outcome::Success }
            .into(),
        session_json: format!("{{\"user\":{{\"id\":{n}}}}}"),
        ..event(&format!("act-{n}"))
    };
    let events: Vec<_> = (1..=count).map(event).collect();
    for events in events.chunks(1000) {
        let request = v1::AppendBatchRequest { log: String::new(), events: events.to_vec() };
        running.client().await.append_batch(request).await.unwrap();
    }
    running
}

async fn find(running: &Running, request: v1::QueryRequest) -> (Vec<v1::Record>, String) {
    let mut answers = running.client().await.query(request).await.unwrap().into_inner();
    let mut records = Vec::new();
    while let Some(answer) = answers.message().await.unwrap() {
        match answer.item.unwrap() {
            Item::Record(record) => records.push(record),
            Item::End(end) => {
                assert!(answers.message().await.unwrap().is_none(), "nothing comes after the end");
                return (records, end.cursor);
            }
        }
    }
    panic!("a query without an end");
}

fn seqs(records: &[v1::Record]) -> Vec<u64> {
    records.iter().map(|record| record.seq).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_comes_as_its_exact_stored_line() {
    let running = with_records(3).await;
    let mut client = running.client().await;
    for seq in 0..=3 {
        let request = v1::GetRecordRequest { log: String::new(), seq };
        let record = client.get_record(request).await.unwrap().into_inner().record.unwrap();
        assert_eq!(record.seq, seq);
        assert_eq!(String::from_utf8(record.line.to_vec()).unwrap(), running.line(seq));
    }
    let refused = client.get_record(v1::GetRecordRequest { log: String::new(), seq: 4 }).await;
    assert_refused(&refused.unwrap_err(), Code::NotFound, "not_found");
    running.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_streams_all_that_matches_in_its_order() {
    let running = with_records(2_500).await;
    let (all, cursor) = find(&running, v1::QueryRequest::default()).await;
    assert_eq!(seqs(&all), (0..=2_500).collect::<Vec<_>>());
    assert_eq!(cursor, "");
    for record in all.iter().step_by(100) {
        assert_eq!(record.line, running.line(record.seq).as_bytes());
    }
    let denied = v1::Filter {
        outcome: "denied".to_owned(),
        session: vec![v1::SessionFilter { path: "user.id".to_owned(), glob: "1?0".to_owned() }],
        ..v1::Filter::default()
    };
    let request = v1::QueryRequest {
        filter: Some(denied),
        order: v1::Order::NewestFirst.into(),
        ..v1::QueryRequest::default()
    };
    let (found, _) = find(&running, request).await;
    assert_eq!(seqs(&found), [190, 180, 170, 160, 150, 140, 130, 120, 110, 100]);
    running.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_ends_a_query_with_a_cursor_from_which_it_goes_on() {
    let running = with_records(1_000).await;
    for order in [v1::Order::OldestFirst, v1::Order::NewestFirst] {
        let actor = v1::Filter { actor: "agent:3".to_owned(), ..v1::Filter::default() };
        let (mut all, mut cursor) = (Vec::new(), String::new());
        loop {
            let request = v1::QueryRequest {
                filter: Some(actor.clone()),
                order: order.into(),
                limit: 30,
                cursor: cursor.clone(),
                ..v1::QueryRequest::default()
            };
            let (found, next) = find(&running, request).await;
            assert!(found.len() <= 30);
            all.extend(seqs(&found));
            if next.is_empty() {
                break;
            }
            cursor = next;
        }
        let mut expected: Vec<u64> = (3..=1_000).step_by(5).collect();
        if order == v1::Order::NewestFirst {
            expected.reverse();
        }
        assert_eq!(all, expected);
    }
    running.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_range_of_seqs_has_both_its_ends() {
    let running = with_records(20).await;
    let request =
        v1::QueryRequest { first_seq: 7, last_seq: Some(9), ..v1::QueryRequest::default() };
    assert_eq!(seqs(&find(&running, request).await.0), [7, 8, 9]);
    let request = v1::QueryRequest { last_seq: Some(0), ..v1::QueryRequest::default() };
    assert_eq!(seqs(&find(&running, request).await.0), [0]);
    running.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_query_is_refused_and_the_field_is_named() {
    let running = with_records(1).await;
    let filter = |filter| v1::QueryRequest { filter: Some(filter), ..Default::default() };
    let none = v1::Filter::default;
    let session = |count: usize| {
        let member = v1::SessionFilter { path: "a".to_owned(), glob: "b".to_owned() };
        filter(v1::Filter { session: vec![member; count], ..none() })
    };
    let cases = [
        (filter(v1::Filter { actor: "a\\".to_owned(), ..none() }), "actor"),
        (filter(v1::Filter { actor: "a".repeat(2049), ..none() }), "actor"),
        (filter(v1::Filter { since: "yesterday".to_owned(), ..none() }), "since"),
        (filter(v1::Filter { until: "2026-13-01T00:00:00Z".to_owned(), ..none() }), "until"),
        (session(17), "session"),
        (v1::QueryRequest { order: 3, ..Default::default() }, "order"),
        (v1::QueryRequest { cursor: "x".repeat(129), ..Default::default() }, "cursor"),
        (v1::QueryRequest { first_seq: 5, last_seq: Some(2), ..Default::default() }, "last_seq"),
        (v1::QueryRequest { cursor: "o05".to_owned(), ..Default::default() }, "cursor"),
        (v1::QueryRequest { cursor: "n5".to_owned(), ..Default::default() }, "cursor"),
    ];
    let mut client = running.client().await;
    for (request, field) in cases {
        let refused = client.query(request).await.unwrap_err();
        assert_refused(&refused, Code::InvalidArgument, "invalid_argument");
        assert!(refused.message().starts_with(&format!("{field}: ")), "{}", refused.message());
    }
    client.query(session(16)).await.unwrap();
    running.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_that_takes_its_time_ends_with_a_cursor() {
    let running =
        with_records_and(2_000, |config| config.timeouts.query = std::time::Duration::ZERO).await;
    let (mut all, mut cursor) = (Vec::new(), String::new());
    loop {
        let request = v1::QueryRequest { cursor: cursor.clone(), ..Default::default() };
        let (found, next) = find(&running, request).await;
        assert!(found.len() < 2_000);
        all.extend(seqs(&found));
        if next.is_empty() {
            break;
        }
        cursor = next;
    }
    assert_eq!(all, (0..=2_000).collect::<Vec<_>>());
    running.stop_and_verify().await;
}
