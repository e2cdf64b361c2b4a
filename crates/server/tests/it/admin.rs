//! The admin listener.

use indelible_server::auth::role::Role;
use indelible_server::auth::tokens::{Token, TokenEntry, TokenFile, TokenFileError};
use indelible_server::config::Grant;
use indelible_server::proto::v1;

use crate::raw::{Answer, Raw};
use crate::support::{Running, event, scrape};

async fn get(running: &Running, path: &str) -> Answer {
    get_with(running, path, "").await
}

async fn get_with(running: &Running, path: &str, headers: &str) -> Answer {
    let mut raw = Raw::connect(running.server.admin_address().unwrap()).await;
    raw.send(format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n{headers}\r\n")).await;
    raw.answer().await
}

async fn start(address: [u8; 4]) -> Running {
    Running::start_with(|config| config.admin = Some((address, 0).into())).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_whose_logs_take_appends_is_alive_and_ready() {
    let running = start([127, 0, 0, 1]).await;
    let alive = get(&running, "/healthz").await;
    assert_eq!((alive.status(), alive.body.as_str()), ("200", "alive\n"));
    let ready = get(&running, "/readyz").await;
    assert_eq!((ready.status(), ready.body.as_str()), ("200", "ready\ndefault: takes appends\n"));
    assert_eq!(get(&running, "/v1/records").await.status(), "404", "no log is served here");
    running.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_loopback_a_web_page_gets_nothing() {
    let running = start([127, 0, 0, 1]).await;
    for path in ["/metrics", "/healthz", "/readyz"] {
        for headers in [
            "host: evil.example\r\n",
            "host: evil.example@localhost\r\n",
            "host: localhost\r\norigin: http://evil.example\r\n",
        ] {
            let mut raw = Raw::connect(running.server.admin_address().unwrap()).await;
            raw.send(format!("GET {path} HTTP/1.1\r\n{headers}\r\n")).await;
            let answer = raw.answer().await;
            let refused = matches!(answer.status(), "400" | "403");
            assert!(refused, "{path} {headers:?}: {answer:?}");
        }
    }
    running.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_log_does_is_measured() {
    let running = start([127, 0, 0, 1]).await;
    let mut client = running.client().await;
    let request = v1::AppendRequest { log: String::new(), event: Some(event("read")) };
    client.append(request).await.unwrap();
    client.append(v1::AppendRequest::default()).await.unwrap_err();
    // A group is measured after those who waited for it were told.
    let metrics = loop {
        let metrics = scrape(&running).await;
        let written = metrics.lines().find_map(|line| {
            line.strip_prefix("indelible_written_bytes_total{log=\"default\"} ")?.parse().ok()
        });
        if written.is_some_and(|written: u64| written > 100) {
            break metrics;
        }
    };
    for expected in [
        "# TYPE indelible_sync_duration_seconds histogram\n",
        "indelible_sync_duration_seconds_bucket{log=\"default\",le=\"+Inf\"} ",
        "indelible_group_records_bucket{log=\"default\",le=\"1\"} ",
        "indelible_log_appendable{log=\"default\"} 1\n",
        "indelible_ready 1\n",
        "indelible_requests_total{protocol=\"grpc\",status=\"ok\"} 1\n",
        "indelible_requests_total{protocol=\"grpc\",status=\"error\"} 1\n",
        "indelible_refusals_total{code=\"invalid_argument\"} 1\n",
        "indelible_free_space_bytes{log=\"default\"} ",
    ] {
        assert!(metrics.contains(expected), "{expected} is not in {metrics}");
    }
    drop(client);
    running.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn off_loopback_nothing_is_shown_to_strangers_but_whether_it_is_ready() {
    let running = start([0, 0, 0, 0]).await;
    let metrics = get(&running, "/metrics").await;
    assert!(["401", "403"].contains(&metrics.status()), "{metrics:?}");
    assert!(!metrics.body.contains("indelible_"), "{metrics:?}");
    let ready = get(&running, "/readyz").await;
    assert_eq!((ready.status(), ready.body.as_str()), ("200", "ready\n"));
    assert_eq!(get(&running, "/healthz").await.status(), "200");
    running.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn off_loopback_a_token_with_the_role_shows_everything_and_one_without_it_nothing() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("tokens");
    let token = |name: &str, role| {
        let token = Token::random().unwrap();
        let grants = vec![Grant::new(role, None)];
        let created = "2026-01-01T00:00:00Z".parse().unwrap();
        let entry = TokenEntry::new(name, token.digest(), grants, created).unwrap();
        TokenFile::change::<TokenFileError>(&path, |entries| {
            entries.push(entry);
            Ok(())
        })
        .unwrap();
        format!("authorization: Bearer {}\r\n", token.reveal())
    };
    let (admin, reader) = (token("admin", Role::Admin), token("reader", Role::Read));
    let running = Running::start_with(|config| {
        config.tokens = Some(path.clone());
        config.admin = Some(([0, 0, 0, 0], 0).into());
    })
    .await;
    let metrics = get_with(&running, "/metrics", &admin).await;
    assert_eq!(metrics.status(), "200");
    assert!(metrics.body.contains("indelible_ready 1\n"), "{metrics:?}");
    let ready = get_with(&running, "/readyz", &admin).await;
    assert_eq!(ready.body, "ready\ndefault: takes appends\n");
    assert_eq!(get_with(&running, "/metrics", &reader).await.status(), "403");
    assert_eq!(get_with(&running, "/readyz", &reader).await.body, "ready\n");
    assert_eq!(get(&running, "/metrics").await.status(), "401");
    running.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_is_refused_before_it_is_queued_is_counted_as_rejected_once() {
    let running = Running::start_with(|config| {
        config.admin = Some(([127, 0, 0, 1], 0).into());
        config.limits.batch_events_max = 3;
    })
    .await;
    let good = || event("read");
    let bad = || v1::Event { actor: String::new(), ..event("read") };
    let unreadable = || v1::Event { outcome: 9, ..event("read") };
    let mut client = running.client().await;
    for event in [bad(), unreadable()] {
        let request = v1::AppendRequest { log: String::new(), event: Some(event) };
        client.append(request).await.unwrap_err();
    }
    for events in [vec![good(), bad()], vec![good(), unreadable(), good()], vec![good(); 4]] {
        let request = v1::AppendBatchRequest { log: String::new(), events };
        client.append_batch(request).await.unwrap_err();
    }
    let items = [good(), bad(), good(), unreadable()].map(|event| v1::AppendStreamRequest {
        log: String::new(),
        request_id: 1,
        event: Some(event),
    });
    let mut answers = client.append_stream(tokio_stream::iter(items)).await.unwrap().into_inner();
    while answers.message().await.unwrap().is_some() {}

    let text = r#"{"actor":"a","action":"b","resource":"c"}"#;
    for (kind, body) in [
        ("application/json", "{}".to_owned()),
        ("application/x-ndjson", format!("{text}\n\n{{}}\n")),
        ("application/x-ndjson", format!("{text}\n").repeat(4)),
        ("application/x-ndjson", format!("{text}\n").repeat(2)),
    ] {
        let mut raw = Raw::connect(running.address()).await;
        let size = body.len();
        raw.send(&format!(
            "POST /v1/records HTTP/1.1\r\nhost: localhost\r\ncontent-type: {kind}\r\ncontent-length: {size}\r\n\r\n{body}"
        ))
        .await;
        raw.answer().await;
    }
    let metrics = scrape(&running).await;
    for (protocol, outcome, count) in [
        // A batch of too many events is refused before anybody reads them.
        ("grpc", "rejected", 2 + 2 + 3 + 2),
        ("grpc", "committed", 2),
        ("http", "rejected", 1 + 2 + 4),
        ("http", "committed", 2),
    ] {
        let line = format!(
            "indelible_appends_total{{log=\"default\",protocol=\"{protocol}\",outcome=\"{outcome}\"}} {count}"
        );
        assert!(metrics.lines().any(|known| known == line), "no {line} in\n{metrics}");
    }
    running.stop_and_verify().await;
}
