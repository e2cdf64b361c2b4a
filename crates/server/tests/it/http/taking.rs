//! `GET /v1/records/{seq}`.

use super::event;
use crate::support::Running;

#[tokio::test(flavor = "multi_thread")]
async fn a_record_is_its_stored_line_and_a_line_feed() {
    let running = Running::start().await;
    let spaced = event("read").replace('}', r#", "metadata": {"n": 1.0, "e": "\u00e9 é"}}"#);
    assert_eq!(running.post(&spaced).await.status, 201);
    for (seq, line) in running.stored().iter().enumerate() {
        let answer = running.get(&format!("/v1/records/{seq}")).await;
        assert_eq!((answer.status, answer.text()), (200, format!("{line}\n").as_str()));
        assert_eq!(answer.header("content-type"), Some("application/json"));
        let hash = answer.json()["_hash"].as_str().unwrap().to_owned();
        assert_eq!(answer.header("etag"), Some(format!("\"{hash}\"").as_str()));
        let kept = answer.header("cache-control").unwrap();
        assert!(kept == "private, no-cache", "{kept}");
    }
    running.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_a_record_is_not_sent_it_again() {
    let running = Running::start().await;
    let first = running.get("/v1/records/0").await;
    let tag = first.header("etag").unwrap();
    for known in [tag, "*", &format!("\"other\", W/{tag}")] {
        let again = running.http("GET /v1/records/0", &[("if-none-match", known)], b"").await;
        assert_eq!(again.status, 304, "{known}");
        assert_eq!(again.header("etag"), Some(tag));
    }
    let other = running.http("GET /v1/records/0", &[("if-none-match", "\"other\"")], b"").await;
    assert_eq!(other.body, first.body);
    running.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_is_not_there_is_told_apart_from_one_that_is_not_any_more() {
    let running = Running::start_with(|config| {
        config.logs[0].entry_size_max = 8192;
        config.logs[0].max_file_size = 80 << 10;
        config.logs[0].max_files = Some(2);
    })
    .await;
    let large =
        event("read").replace('}', &format!(",\"metadata\":{{\"m\":\"{}\"}}}}", "x".repeat(3000)));
    for _ in 0..5 {
        assert_eq!(running.post_lines(&format!("{large}\n").repeat(30)).await.status, 201);
    }
    let detail =
        running.get("/v1/records/1000").await.problem(404, "not_found")["detail"].to_string();
    assert!(detail.contains("no record 1000"), "{detail}");
    let detail = running.get("/v1/records/0").await.problem(410, "pruned")["detail"].to_string();
    assert!(detail.contains("the first that is kept is"), "{detail}");
    running.get("/v1/records/0/proof").await.problem(410, "pruned");
    let first = detail.split("the first that is kept is ").nth(1).unwrap();
    let first: u64 = first.trim_end_matches('"').parse().unwrap();
    assert_eq!(running.get(&format!("/v1/records/{first}")).await.json()["seq"], first);
    let answer = running.get("/v1/tail?from_seq=0").await;
    assert_eq!(answer.problem(410, "pruned")["resume_seq"], first);
    running.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_seq_is_a_number() {
    let running = Running::start().await;
    for seq in ["x", "-1", "+1", "00", "01", "1.0", "18446744073709551616", "%31x", "1%20"] {
        let answer = running.get(&format!("/v1/records/{seq}")).await;
        let detail = answer.problem_of(400, "invalid_argument", "seq");
        assert!(detail.contains("18446744073709551615"), "{detail}");
        running.get(&format!("/v1/records/{seq}/proof")).await.problem_of(
            400,
            "invalid_argument",
            "seq",
        );
    }
    running.get("/v1/records/%ff").await.problem_of(400, "invalid_argument", "path");
    assert_eq!(running.get("/v1/records/%30").await.status, 200);
    running.stop_and_verify().await;
}
