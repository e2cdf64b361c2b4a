//! `POST /v1/records`, one event at a time.

use indelible_server::config::LogConfig;
use serde_json::Value;

use super::{Connection, event, event_with_id, head};
use crate::support::Running;

#[tokio::test(flavor = "multi_thread")]
async fn an_event_is_answered_with_the_receipt_of_its_record() {
    let running = Running::start().await;
    let answer = running.post(&event("read")).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let receipt = answer.json();
    let line = format!(
        "{{\"log_id\":{},\"seq\":1,\"timestamp\":{},\"hash\":{}}}\n",
        receipt["log_id"], receipt["timestamp"], receipt["hash"]
    );
    assert_eq!(answer.text(), line, "as the library spells it");
    let stored: Value = serde_json::from_str(&running.stored()[1]).unwrap();
    assert_eq!(stored["_hash"], receipt["hash"]);
    assert_eq!(stored["action"], "read");
    assert_eq!(stored["recorded_by"], "anonymous:loopback");
    let location = answer.header("location").unwrap();
    assert_eq!(location, "/v1/records/1");
    assert_eq!(running.get(location).await.json(), stored);
    running.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_with_the_same_id_gets_the_first_receipt_and_other_content_a_conflict() {
    let running = Running::start().await;
    let first = running.post(&event_with_id("read", "e-1")).await;
    assert_eq!(first.status, 201, "{}", first.text());
    let again = running.post(&event_with_id("read", "e-1")).await;
    assert_eq!(again.status, 200, "{}", again.text());
    assert_eq!(again.text(), first.text().replace("\"}\n", "\",\"duplicate\":true}\n"));
    assert_eq!(again.header("location"), first.header("location"));
    running.post(&event_with_id("write", "e-1")).await.problem(409, "conflict");
    assert_eq!(running.stored().len(), 2);
    running.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_log_has_its_own_paths() {
    let running = Running::start_with(|config| {
        let mut other = LogConfig::new("b", config.logs[0].folder.with_file_name("b"));
        other.create = true;
        config.logs.push(other);
    })
    .await;
    let json = [("content-type", "application/json")];
    let body = event("read");
    for (path, name) in [
        ("/v1/records", "default"),
        ("/v1/logs/default/records", "default"),
        ("/v1/logs/b/records", "b"),
    ] {
        let answer = running.http(&format!("POST {path}"), &json, body.as_bytes()).await;
        assert_eq!(answer.status, 201, "{path}: {}", answer.text());
        let location = answer.header("location").unwrap();
        assert_eq!(location.rsplit_once('/').unwrap().0, path);
        let record = running.get(location).await;
        assert_eq!(record.json()["_hash"], answer.json()["hash"]);
        let last = answer.json()["seq"].as_u64().unwrap();
        let found = running.get(&format!("/v1/logs/{name}/records?first_seq={last}")).await;
        assert_eq!(found.lines(), [record.json()]);
    }
    let lacking = running.http("POST /v1/logs/c/records", &json, body.as_bytes()).await;
    lacking.problem_of(404, "not_found", "log");
    running.get("/v1/logs/%ff/records").await.problem_of(400, "invalid_argument", "path");
    running.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_json_as_it_is_is_taken() {
    let running = Running::start().await;
    let body = event("read");
    for (headers, status) in [
        (vec![("content-type", "application/json; charset=UTF-8")], 201),
        (vec![("content-type", "Application/JSON"), ("content-encoding", "identity")], 201),
        (vec![], 415),
        (vec![("content-type", "text/plain")], 415),
        (vec![("content-type", "application/x-www-form-urlencoded")], 415),
        (vec![("content-type", "application/jsonx")], 415),
        (vec![("content-type", "application/json; charset=latin1")], 415),
        (vec![("content-type", "application/json"), ("content-encoding", "gzip")], 415),
    ] {
        let answer = running.http("POST /v1/records", &headers, body.as_bytes()).await;
        assert_eq!(answer.status, status, "{headers:?}: {}", answer.text());
        if status == 415 {
            answer.problem(415, "unsupported_media_type");
        }
    }
    running.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_event_is_refused_with_what_it_lacks() {
    let running = Running::start().await;
    for (body, code, text) in [
        (String::new(), "invalid_argument", "it is empty"),
        (" \n".to_owned(), "invalid_argument", "it is empty"),
        (format!("\u{feff}{}", event("read")), "invalid_argument", "byte order mark"),
        (format!("[{}]", event("read")), "invalid_argument", "application/x-ndjson"),
        (event("read") + &event("read"), "invalid_event", "byte 64"),
        (event("read").replace("actor", "actr"), "invalid_event", "is \"actor\" meant?"),
        ("{'actor': 'a'}".to_owned(), "invalid_event", "JSON takes double quotes"),
        (event("read").replace("agent:7", ""), "invalid_event", "actor is empty"),
        (event("read").replace("agent:7", &"x".repeat(1025)), "invalid_event", "1024"),
        (event("read").replace("agent:7", "indelible"), "invalid_event", "log's own"),
        (event("indelible.x"), "invalid_event", "log's own"),
    ] {
        let problem = running.post(&body).await.problem(400, code);
        assert!(
            problem["field"].is_string() || text.starts_with("byte") || text.starts_with("JSON"),
            "{problem}"
        );
        assert!(problem["detail"].as_str().unwrap().contains(text), "{problem}");
    }
    let mut bytes = event("read").into_bytes();
    bytes[12] = 0xff;
    let json = [("content-type", "application/json")];
    running.http("POST /v1/records", &json, &bytes).await.problem(400, "invalid_event");
    assert_eq!(running.stored().len(), 1, "nothing was recorded");
    running.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_larger_than_its_limit_is_refused_with_the_limit() {
    let running = Running::start_with(|config| {
        config.limits.request_size_max = 16_384;
        config.logs[0].entry_size_max = 8192;
    })
    .await;
    let large =
        event("read").replace('}', &format!(",\"metadata\":{{\"m\":\"{}\"}}}}", "x".repeat(8192)));
    let problem = running.post(&large).await.problem(413, "too_large");
    assert!(problem["detail"].as_str().unwrap().contains("8192"), "{problem}");

    // Told beforehand: refused before a byte of it came.
    let mut connection = Connection::to(running.address()).await;
    let headers = [
        ("content-type", "application/json"),
        ("content-length", "16385"),
        ("expect", "100-continue"),
    ];
    let told = head(running.address(), "POST /v1/records", &headers);
    connection.send(format!("{told}\r\n").as_bytes()).await;
    let answer = connection.answer(false).await;
    let detail = answer.problem_of(413, "too_large", "body");
    assert!(detail.contains("16385 bytes") && detail.contains("16384"), "{detail}");

    // Not told: refused where the limit is crossed, and taken up to it.
    for (size, status) in [(16_384, 201), (16_385, 413)] {
        let mut connection = Connection::to(running.address()).await;
        let headers = [("content-type", "application/json"), ("transfer-encoding", "chunked")];
        let untold = head(running.address(), "POST /v1/records", &headers);
        let body = format!("{:size$}", event("read"));
        connection.send(format!("{untold}\r\n{size:x}\r\n{body}\r\n0\r\n\r\n").as_bytes()).await;
        let answer = connection.answer(false).await;
        assert_eq!(answer.status, status, "{}", answer.text());
    }
    running.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_whose_client_went_away_is_recorded_once_however_often_it_is_sent() {
    let running = Running::start().await;
    for number in 0..20 {
        let body = event_with_id("read", &format!("e-{number}"));
        let mut connection = Connection::to(running.address()).await;
        let size = body.len().to_string();
        let headers = [("content-type", "application/json"), ("content-length", size.as_str())];
        let head = head(running.address(), "POST /v1/records", &headers);
        connection.send(format!("{head}\r\n{body}").as_bytes()).await;
        drop(connection);
        let answer = running.post(&body).await;
        assert!([200, 201].contains(&answer.status), "{}", answer.text());
    }
    let stored = running.stored();
    assert_eq!(stored.len(), 21, "{stored:#?}");
    running.stop_and_verify().await;
}
