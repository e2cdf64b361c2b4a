//! `GET /v1/tail`.

use std::time::Duration;

use serde_json::Value;

use super::{Connection, event, head};
use crate::support::Running;

/// One event of a stream.
#[derive(Debug)]
struct Sent {
    id: Option<u64>,
    kind: String,
    data: Value,
    line: String,
}

/// A stream that is read event by event.
struct Tail {
    connection: Connection,
    unread: String,
}

impl Tail {
    async fn open(running: &Running, path: &str, headers: &[(&str, &str)]) -> Self {
        let mut connection = Connection::to(running.address()).await;
        let head = head(running.address(), &format!("GET {path}"), headers);
        connection.send(format!("{head}\r\n").as_bytes()).await;
        let answer = connection.head().await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.header("content-type"), Some("text/event-stream"));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        Self { connection, unread: String::new() }
    }

    /// The next event; `None` at the end.
    async fn next(&mut self) -> Option<Sent> {
        loop {
            if let Some((event, rest)) = self.unread.split_once("\n\n") {
                let (event, rest) = (event.to_owned(), rest.to_owned());
                self.unread = rest;
                if !event.starts_with(':') {
                    return Some(read(&event));
                }
                continue;
            }
            let chunk = self.connection.chunk().await?;
            self.unread.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }

    async fn record(&mut self) -> Sent {
        let sent = self.next().await.unwrap();
        assert_eq!(sent.kind, "record", "{sent:?}");
        assert_eq!(sent.id, sent.data["seq"].as_u64());
        sent
    }
}

fn read(event: &str) -> Sent {
    let field = |name: &str| {
        let prefix = format!("{name}: ");
        event.lines().find_map(|line| line.strip_prefix(&prefix)).map(str::to_owned)
    };
    let line = field("data").unwrap();
    Sent {
        id: field("id").map(|id| id.parse().unwrap()),
        kind: field("event").unwrap(),
        data: serde_json::from_str(&line).unwrap(),
        line,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn records_come_as_they_become_durable_in_their_stored_form() {
    let running = Running::start().await;
    assert_eq!(running.post(&event("before")).await.status, 201);
    let mut tail = Tail::open(&running, "/v1/tail", &[]).await;
    for seq in 2..5 {
        assert_eq!(running.post(&event("after")).await.status, 201);
        let sent = tail.record().await;
        assert_eq!((sent.id, &sent.line), (Some(seq), running.stored().last().unwrap()));
    }
    drop(tail);
    running.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tail_begins_where_it_is_told_and_goes_on_behind_the_last_event() {
    let running = Running::start().await;
    let lines: String = (1..=9).map(|number| event(&format!("do:{}", number % 2)) + "\n").collect();
    assert_eq!(running.post_lines(&lines).await.status, 201);
    for (path, headers, expected) in [
        ("/v1/tail?from_seq=0", vec![], vec![0, 1, 2]),
        ("/v1/logs/default/tail?from_seq=7", vec![], vec![7, 8, 9]),
        ("/v1/tail?from_seq=2&action=do:1&actor=agent:*", vec![], vec![3, 5, 7, 9]),
        ("/v1/tail", vec![("last-event-id", "6")], vec![7, 8, 9]),
        ("/v1/tail?from_seq=0", vec![("last-event-id", "7")], vec![8, 9]),
    ] {
        let mut tail = Tail::open(&running, path, &headers).await;
        for seq in expected {
            assert_eq!(tail.record().await.id, Some(seq), "{path} {headers:?}");
        }
    }
    running.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_tail_does_not_know_is_refused() {
    let running = Running::start_with(|config| config.limits.tails_max = 1).await;
    running.get("/v1/tail?from_seq=x").await.problem_of(400, "invalid_argument", "from_seq");
    running.get("/v1/tail?since=2026-01-01T00:00:00Z").await.problem_of(
        400,
        "invalid_argument",
        "since",
    );
    running.get("/v1/tail?actor=a%5C").await.problem_of(400, "invalid_argument", "actor");
    let odd = running.http("GET /v1/tail", &[("last-event-id", "x")], b"").await;
    odd.problem_of(400, "invalid_argument", "last-event-id");
    let tail = Tail::open(&running, "/v1/tail", &[]).await;
    let answer = running.get("/v1/tail").await;
    answer.problem(429, "too_many");
    assert!(answer.header("retry-after").is_some());
    drop(tail);
    running.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_follows_when_the_service_stops_is_told_where_to_go_on() {
    let running = Running::start().await;
    let mut tail = Tail::open(&running, "/v1/tail?from_seq=0", &[]).await;
    assert_eq!(tail.record().await.id, Some(0));
    let stopping = tokio::spawn(running.stop_and_verify());
    let sent = tail.next().await.unwrap();
    assert_eq!((sent.kind.as_str(), sent.id), ("error", None), "{sent:?}");
    assert_eq!(sent.data["code"], "shutting_down");
    assert_eq!(sent.data["resume_seq"], 1);
    assert!(tail.next().await.is_none(), "nothing comes after it");
    stopping.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_takes_nothing_is_told_where_to_go_on() {
    let running = Running::start_with(|config| {
        config.timeouts.write = Duration::from_millis(50);
        config.limits.tails_max = 1;
    })
    .await;
    let mut tail = Tail::open(&running, "/v1/tail?from_seq=0", &[]).await;
    // More than all buffers between the log and the client hold.
    let large = event("read")
        .replace('}', &format!(",\"metadata\":{{\"m\":\"{}\"}}}}", "x".repeat(60_000)));
    for _ in 0..20 {
        let answer = running.post_lines(&format!("{large}\n").repeat(20)).await;
        assert_eq!(answer.status, 201, "{}", answer.text());
    }
    // Its place is free again once it was given up.
    while running.get("/v1/tail?from_seq=x").await.status != 400 {}
    loop {
        let mut probe = Connection::to(running.address()).await;
        let head = head(running.address(), "GET /v1/tail", &[]);
        probe.send(format!("{head}\r\n").as_bytes()).await;
        if probe.head().await.status == 200 {
            break;
        }
    }
    let (mut seq, mut told) = (0, None);
    while let Some(sent) = tail.next().await {
        if sent.kind == "record" {
            assert_eq!(sent.id, Some(seq), "no gap");
            seq += 1;
        } else {
            told = Some(sent.data);
        }
    }
    let told = told.unwrap();
    assert_eq!((&told["code"], &told["resume_seq"]), (&Value::from("lagging"), &Value::from(seq)));
    assert!(seq < 401, "it was not sent everything");
    running.stop_and_verify().await;
}
