//! What has no path, no method and no permission.

use super::event;
use crate::support::Running;

/// Each path, and the methods that it has.
const PATHS: [(&str, &str); 12] = [
    ("/v1/records", "POST,GET,HEAD"),
    ("/v1/records/0", "GET,HEAD"),
    ("/v1/records/0/proof", "GET,HEAD"),
    ("/v1/checkpoint", "GET,HEAD"),
    ("/v1/consistency", "GET,HEAD"),
    ("/v1/tail", "GET,HEAD"),
    ("/v1/logs/default/records", "POST,GET,HEAD"),
    ("/checkpoint", "GET,HEAD"),
    ("/v1/logs/default/checkpoint", "GET,HEAD"),
    ("/tile/0/000", "GET,HEAD"),
    ("/v1/logs/default/tile/0/000", "GET,HEAD"),
    ("/openapi.json", "GET,HEAD"),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_method_that_a_path_lacks_is_refused_with_those_that_it_has() {
    let running = Running::start().await;
    for (path, allowed) in PATHS {
        for method in ["DELETE", "PUT", "PATCH", "OPTIONS", "TRACE"] {
            let page = [("origin", "http://localhost")];
            let answer = running.http(&format!("{method} {path}"), &page, b"").await;
            answer.problem(405, "method_not_allowed");
            assert_eq!(answer.header("allow"), Some(allowed), "{method} {path}");
            assert!(answer.headers.iter().all(|(name, _)| !name.starts_with("access-control")));
        }
    }
    running.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn there_is_nothing_at_other_paths() {
    let running = Running::start().await;
    for path in [
        "/",
        "/v1",
        "/v1/",
        "/v1/record",
        "/v1/records/",
        "/v2/records",
        "/v1/logs",
        "/v1/logs/default",
        "/v1//records",
        "/index.html",
    ] {
        for method in ["GET", "POST", "DELETE"] {
            let json = [("content-type", "application/json")];
            let answer = running.http(&format!("{method} {path}"), &json, b"{}").await;
            answer.problem(404, "not_found");
        }
    }
    running.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_path_passes_over_a_parameter_that_it_does_not_take() {
    let running = Running::start_with(|config| config.logs[0].public_tree = true).await;
    for path in [
        "/v1/records",
        "/v1/records/0",
        "/v1/records/0/proof",
        "/v1/consistency",
        "/v1/tail",
        "/v1/checkpoint",
        "/checkpoint",
        "/tile/0/000.p/1",
        "/openapi.json",
    ] {
        let answer = running.get(&format!("{path}?size=1")).await;
        let detail = answer.problem_of(400, "invalid_argument", "size");
        assert!(detail.contains("no parameter \"size\""), "{path}: {detail}");
    }
    let json = [("content-type", "application/json")];
    let answer = running.http("POST /v1/records?dry_run=1", &json, event("read").as_bytes()).await;
    answer.problem_of(400, "invalid_argument", "dry_run");
    running.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn head_is_answered_as_get_is_without_the_body() {
    let running = Running::start().await;
    assert_eq!(running.post(&event("read")).await.status, 201);
    for path in ["/v1/records", "/v1/records/0", "/v1/records/9", "/v1/checkpoint", "/openapi.json"]
    {
        let (got, headed) =
            (running.get(path).await, running.http(&format!("HEAD {path}"), &[], b"").await);
        assert_eq!(got.status, headed.status, "{path}");
        for name in ["content-type", "content-length", "etag", "cache-control"] {
            assert_eq!(got.header(name), headed.header(name), "{path} {name}");
        }
    }
    running.stop_and_verify().await;
}
