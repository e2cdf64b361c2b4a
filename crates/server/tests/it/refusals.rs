//! Refused access stands in the log, with no text of the caller's.

use indelible_server::Server;
use indelible_server::auth::role::Role;

use crate::support::{Running, config};
use crate::web::{EVENT, JSON, add_token, append, bearer, grant, send};

#[tokio::test(flavor = "multi_thread")]
async fn whom_the_service_refused_stands_in_the_log_counted_and_without_what_they_sent() {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("tokens");
    let reader = bearer(&add_token(&file, "reader", vec![grant(Role::Read, None)], |_| {}));
    let mut config = config(&place);
    config.tokens = Some(file);
    let running = Running { server: Server::start(config).await.unwrap(), place };
    for _ in 0..20 {
        assert_eq!(append(running.address(), Some("Bearer sesame")).await.status(), "401");
    }
    let body = EVENT.replace("file:x", "marker");
    for _ in 0..7 {
        let headers = [("host", "x"), JSON, ("authorization", reader.as_str())];
        let refused = send(running.address(), "POST /v1/records", &headers, &body).await;
        assert_eq!(refused.status(), "403");
    }
    let page = [("host", "x"), JSON, ("origin", "https://evil.example")];
    assert_eq!(send(running.address(), "POST /v1/records", &page, EVENT).await.status(), "403");
    let text = running.stop_and_read().await;
    for sent in ["sesame", "marker", "evil.example", "agent:7"] {
        assert!(!text.contains(sent), "{sent}");
    }
    let refused: Vec<serde_json::Value> = text
        .lines()
        .filter(|line| line.contains("\"indelible.service.refuse\""))
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let of = |kind: &str, who: &str| {
        let mine = refused.iter().map(|record| &record["metadata"]);
        let mine: Vec<_> =
            mine.filter(|refused| refused["kind"] == kind && refused["who"] == who).collect();
        // One at once, and one of the rest when the service stopped.
        assert!(mine.len() <= 2, "{mine:?}");
        let count: u64 = mine.iter().map(|refused| refused["count"].as_u64().unwrap()).sum();
        (count, mine.last().unwrap()["reason"].as_str().unwrap().to_owned())
    };
    assert_eq!(of("address", "127.0.0.1"), (21, "origin".to_owned()));
    assert_eq!(of("principal", "token:reader"), (7, "role".to_owned()));
}
