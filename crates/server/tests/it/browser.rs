//! A web page in somebody's browser can neither append nor read.

use indelible_server::proto::v1;
use indelible_server::proto::v1::audit_service_client::AuditServiceClient;
use tonic::Code;
use tonic::transport::Channel;

use crate::support::{Running, assert_refused, event};
use crate::web::{EVENT, JSON, send};

async fn status(running: &Running, line: &str, headers: &[(&str, &str)], body: &str) -> String {
    let answer = send(running.address(), line, headers, body).await;
    assert!(!answer.head.contains("access-control"), "{}", answer.head);
    answer.status().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_form_or_a_script_sends_without_asking_is_refused_by_its_content_type() {
    let running = Running::start().await;
    let host = ("host", "localhost");
    for kind in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "text/plain; application/json",
        "application/jsonp",
        "",
    ] {
        let headers = [host, ("content-type", kind)];
        assert_eq!(status(&running, "POST /v1/records", &headers, EVENT).await, "415", "{kind}");
    }
    assert_eq!(status(&running, "POST /v1/records", &[host], EVENT).await, "415");
    for kind in ["application/json", "Application/JSON; charset=utf-8"] {
        let headers = [host, ("content-type", kind)];
        assert_eq!(status(&running, "POST /v1/records", &headers, EVENT).await, "201", "{kind}");
    }
    let web = [host, ("content-type", "application/grpc-web+proto")];
    let answer = send(running.address(), "POST /indelible.v1.AuditService/Append", &web, "").await;
    assert!(answer.head.contains("grpc-status: 3"), "{}", answer.head);
    // The question that a browser asks before it sends what needs permission.
    let asked = [
        host,
        ("origin", "https://evil.example"),
        ("access-control-request-method", "POST"),
        ("access-control-request-headers", "content-type"),
    ];
    let answer = status(&running, "OPTIONS /v1/records", &asked, "").await;
    assert_eq!(answer, "405", "nobody is told that anything is permitted");
    // What made it, and two events.
    assert_eq!(running.stop_and_verify().await.records, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_another_origin_is_refused_whatever_it_sends() {
    let running = Running::start().await;
    let host = format!("localhost:{}", running.address().port());
    let own = format!("http://{host}");
    let neighbour = "http://localhost:1".to_owned();
    for (origin, taken) in [
        (own.as_str(), true),
        (neighbour.as_str(), false),
        ("https://evil.example", false),
        ("null", false),
        ("", false),
        ("http://localhost", false),
    ] {
        let headers = [("host", host.as_str()), JSON, ("origin", origin)];
        let posted = status(&running, "POST /v1/records", &headers, EVENT).await;
        let read = status(&running, "GET /v1/records", &headers, "").await;
        assert_eq!((posted == "201", read == "200"), (taken, taken), "{origin}: {posted}, {read}");
    }
    for (site, taken) in
        [("same-origin", true), ("none", true), ("same-site", false), ("cross-site", false)]
    {
        let headers = [("host", host.as_str()), ("sec-fetch-site", site)];
        let read = status(&running, "GET /v1/records/0", &headers, "").await;
        assert_eq!(read == "200", taken, "{site}: {read}");
    }
    running.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_was_made_to_lead_here_is_refused_where_callers_are_anonymous() {
    let running = Running::start_with(|config| {
        config.listen.hosts = vec!["audit.example".to_owned(), "port.example:81".to_owned()];
    })
    .await;
    for (host, taken) in [
        ("localhost", true),
        ("LocalHost:8600", true),
        ("127.0.0.1:9", true),
        ("127.8.8.8", true),
        ("[::1]:8600", true),
        ("audit.example", true),
        ("AUDIT.example:99", true),
        ("port.example:81", true),
        ("port.example:82", false),
        ("port.example", false),
        ("evil.example", false),
        ("localhost.evil.example", false),
        ("audit.example.evil.example", false),
        ("192.0.2.1", false),
        ("", false),
        ("a b", false),
    ] {
        for line in ["POST /v1/records", "GET /v1/records/0", "GET /v1/checkpoint"] {
            let headers = [("host", host), JSON];
            let body = if line.starts_with("POST") { EVENT } else { "" };
            let answered = status(&running, line, &headers, body).await;
            assert_eq!(answered.starts_with('2'), taken, "{line}, {host}: {answered}");
        }
    }
    let two = [("host", "localhost"), ("host", "evil.example"), JSON];
    assert!(!status(&running, "POST /v1/records", &two, EVENT).await.starts_with('2'));
    let other = [("host", "localhost"), JSON];
    let absolute = "POST http://evil.example/v1/records";
    assert!(!status(&running, absolute, &other, EVENT).await.starts_with('2'));
    running.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn over_grpc_the_authority_counts_as_the_host() {
    let running = Running::start().await;
    for (authority, taken) in [("http://localhost", true), ("http://evil.example", false)] {
        let endpoint = Channel::from_shared(format!("http://{}", running.address())).unwrap();
        let channel = endpoint.origin(authority.parse().unwrap()).connect().await.unwrap();
        let request = v1::AppendRequest { log: String::new(), event: Some(event("read")) };
        let answer = AuditServiceClient::new(channel).append(request).await;
        assert_eq!(answer.is_ok(), taken, "{authority}: {answer:?}");
        if let Err(refused) = answer {
            assert_refused(&refused, Code::PermissionDenied, "permission_denied");
        }
    }
    running.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_with_a_user_and_a_body_in_another_coding_are_refused() {
    let running = Running::start().await;
    let mut raw = crate::raw::Raw::connect(running.address()).await;
    raw.send("GET /v1/records HTTP/1.1\r\nhost: evil.example@localhost\r\n\r\n").await;
    let answer = raw.answer().await;
    assert_eq!(answer.status(), "400", "{answer:?}");
    for (coding, status) in [("gzip, chunked", "415"), ("chunked", "201")] {
        let mut raw = crate::raw::Raw::connect(running.address()).await;
        let event = EVENT;
        raw.send(format!(
            "POST /v1/records HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
             transfer-encoding: {coding}\r\n\r\n{:x}\r\n{event}\r\n0\r\n\r\n",
            event.len()
        ))
        .await;
        let answer = raw.answer().await;
        assert_eq!(answer.status(), status, "{coding}: {answer:?}");
    }
    running.stop_and_verify().await;
}
