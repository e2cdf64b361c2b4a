//! Appends over gRPC: what is recorded, and what is refused with which code.

use http::header::CONTENT_TYPE;
use http_body_util::BodyExt as _;
use indelible_server::proto::v1;
use tokio::io::AsyncReadExt as _;
use tonic::Code;
use tonic_types::StatusExt as _;
use tower::ServiceExt as _;

use crate::support::{Running, assert_refused, event, reason};

fn request(event: v1::Event) -> v1::AppendRequest {
    v1::AppendRequest { log: String::new(), event: Some(event) }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_append_is_answered_with_the_receipt_of_a_durable_record() {
    let running = Running::start().await;
    let mut client = running.client().await;
    let receipt =
        client.append(request(event("read"))).await.unwrap().into_inner().receipt.unwrap();
    assert_eq!(receipt.seq, 1);
    assert!(!receipt.duplicate);
    let line = running.line(1);
    assert!(line.contains(&format!("\"_hash\":\"{}\"", receipt.hash)), "{line}");
    assert!(line.contains(&format!("\"timestamp\":\"{}\"", receipt.timestamp)), "{line}");
    running.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_field_is_recorded_as_the_client_wrote_it() {
    let running = Running::start().await;
    let mut client = running.client().await;
    let event = v1::Event {
        event_id: "e-7".to_owned(),
        event_time: "2026-01-02T03:04:05.5+01:00".to_owned(),
        outcome: v1::Outcome::Denied.into(),
        parent_id: "e-6".to_owned(),
        session_json: r#"{ "id" : "s-1", "n": 123456789012345678901234567890 }"#.to_owned(),
        metadata_json: r#"{"x":1.0}"#.to_owned(),
        ..event("read")
    };
    client.append(request(event)).await.unwrap();
    let line = running.line(1);
    let expected = r#""event_id":"e-7","event_time":"2026-01-02T03:04:05.5+01:00","actor":"agent:7","action":"read","resource":"file:/etc/hosts","outcome":"denied","parent_id":"e-6","session":{"id":"s-1","n":123456789012345678901234567890},"metadata":{"x":1.0},"recorded_by":"anonymous:loopback""#;
    assert!(line.contains(expected), "{line}");
    running.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_with_the_same_event_id_gets_the_first_receipt_and_other_content_a_conflict() {
    let running = Running::start().await;
    let mut client = running.client().await;
    let named = v1::Event { event_id: "e-1".to_owned(), ..event("read") };
    let first = client.append(request(named.clone())).await.unwrap().into_inner().receipt.unwrap();
    let again = client.append(request(named.clone())).await.unwrap().into_inner().receipt.unwrap();
    assert_eq!(again, v1::Receipt { duplicate: true, ..first });
    let other = v1::Event { action: "write".to_owned(), ..named };
    let refused = client.append(request(other)).await.unwrap_err();
    assert_refused(&refused, Code::AlreadyExists, "conflict");
    let report = running.stop_and_verify().await;
    assert_eq!(report.records, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_event_is_refused_and_the_field_and_its_limit_are_named() {
    let running = Running::start().await;
    let mut client = running.client().await;
    let cases = [
        (v1::Event { actor: String::new(), ..event("a") }, "invalid_event", "actor is missing"),
        (event(""), "invalid_event", "action is missing"),
        (
            v1::Event { resource: String::new(), ..event("a") },
            "invalid_event",
            "resource is missing",
        ),
        (v1::Event { actor: "x".repeat(1025), ..event("a") }, "invalid_event", "actor"),
        (v1::Event { actor: "indelible".to_owned(), ..event("a") }, "invalid_event", "actor"),
        (event("indelible.log.create"), "invalid_event", "action"),
        (event(&"x".repeat(1025)), "invalid_event", "action"),
        (v1::Event { resource: "x".repeat(1025), ..event("a") }, "invalid_event", "resource"),
        (v1::Event { event_id: "x".repeat(257), ..event("a") }, "invalid_event", "event_id"),
        (v1::Event { parent_id: "x".repeat(257), ..event("a") }, "invalid_event", "parent_id"),
        (v1::Event { event_time: "now".to_owned(), ..event("a") }, "invalid_event", "event_time"),
        (v1::Event { session_json: "[]".to_owned(), ..event("a") }, "invalid_event", "session"),
        (v1::Event { metadata_json: "{".to_owned(), ..event("a") }, "invalid_event", "metadata"),
        (v1::Event { outcome: 5, ..event("a") }, "invalid_argument", "outcome"),
    ];
    for (bad, code, field) in cases {
        let refused = client.append(request(bad)).await.unwrap_err();
        assert_refused(&refused, Code::InvalidArgument, code);
        assert!(refused.message().contains(field), "{}", refused.message());
    }
    let none = v1::AppendRequest::default();
    let refused = client.append(none).await.unwrap_err();
    assert_refused(&refused, Code::InvalidArgument, "invalid_argument");
    assert_eq!(running.stop_and_verify().await.records, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_longest_strings_are_taken() {
    let running = Running::start().await;
    let mut client = running.client().await;
    let longest = v1::Event {
        actor: "x".repeat(1024),
        resource: "y".repeat(1024),
        event_id: "z".repeat(256),
        parent_id: "z".repeat(256),
        ..event(&"a".repeat(1024))
    };
    client.append(request(longest)).await.unwrap();
    assert_eq!(running.stop_and_verify().await.records, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_over_the_logs_limit_is_refused_with_its_size() {
    let running = Running::start_with(|config| config.logs[0].entry_size_max = 8 << 10).await;
    let mut client = running.client().await;
    let sized = |size| v1::Event {
        metadata_json: format!("{{\"x\":\"{}\"}}", "x".repeat(size)),
        ..event("a")
    };
    client.append(request(sized(7 << 10))).await.unwrap();
    let refused = client.append(request(sized(8 << 10))).await.unwrap_err();
    assert_refused(&refused, Code::ResourceExhausted, "too_large");
    assert!(refused.message().contains("8192"), "{}", refused.message());
    running.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_over_the_request_limit_is_too_large_and_not_out_of_range() {
    let running = Running::start_with(|config| config.limits.request_size_max = 64 << 10).await;
    let mut client = running.client().await;
    let large = v1::Event { metadata_json: "x".repeat(65 << 10), ..event("a") };
    let refused = client.append(request(large)).await.unwrap_err();
    assert_refused(&refused, Code::ResourceExhausted, "too_large");
    running.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_is_not_there_is_not_found() {
    let running = Running::start().await;
    let mut client = running.client().await;
    let request = v1::AppendRequest { log: "other".to_owned(), event: Some(event("a")) };
    let refused = client.append(request).await.unwrap_err();
    assert_refused(&refused, Code::NotFound, "not_found");
    let named = v1::AppendRequest { log: "default".to_owned(), event: Some(event("a")) };
    client.append(named).await.unwrap();
    running.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_append_that_is_cancelled_after_it_was_queued_is_written_all_the_same() {
    let running = Running::start().await;
    let mut cancelled = 0;
    for n in 0..50 {
        let mut client = running.client().await;
        let named = v1::Event { event_id: format!("e-{n}"), ..event("read") };
        let mut call = Box::pin(client.append(request(named.clone())));
        // However far it came: sent, queued, written.
        for _ in 0..n {
            if futures_util::poll!(&mut call).is_ready() {
                break;
            }
            tokio::task::yield_now().await;
        }
        cancelled += 1;
        drop(call);
        // A retry returns the first receipt or appends once; there is no fourth outcome.
        client.append(request(named)).await.unwrap();
    }
    assert_eq!(running.stop_and_verify().await.records, 1 + cancelled);
}

/// Sends a request of any form to a gRPC path, and returns HTTP status, gRPC status and body.
async fn raw(
    running: &Running,
    path: &str,
    kind: Option<&str>,
    body: &'static [u8],
) -> (http::StatusCode, Option<tonic::Status>, bytes::Bytes) {
    let mut request = http::Request::post(format!("http://{}{path}", running.address()));
    if let Some(kind) = kind {
        request = request.header(CONTENT_TYPE, kind);
    }
    let request = request.body(tonic::body::Body::new(http_body_util::Full::from(body))).unwrap();
    let response = running.channel().await.oneshot(request).await.unwrap();
    let status = tonic::Status::from_header_map(response.headers());
    (response.status(), status, response.into_body().collect().await.unwrap().to_bytes())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_there_is_not_is_unimplemented_in_grpc_and_not_found_in_http() {
    let running = Running::start().await;
    for path in ["/indelible.v1.AuditService/Delete", "/nothing.v1.Service/Append", "/", "/x/y/z"] {
        let (_, status, _) = raw(&running, path, Some("application/grpc"), b"\0\0\0\0\0").await;
        assert_refused(&status.unwrap(), Code::Unimplemented, "unimplemented");
    }
    for path in ["/nothing.v1.Service/Append", "/x"] {
        let (http, status, body) = raw(&running, path, Some("application/json"), b"{}").await;
        assert_eq!((http.as_u16(), status.is_none()), (404, true));
        assert!(String::from_utf8_lossy(&body).contains("\"code\":\"not_found\""));
    }
    running.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_path_of_grpc_takes_post_alone_and_head_gets_no_body() {
    let running = Running::start().await;
    let health = "/grpc.health.v1.Health/Check";
    let known = "/indelible.v1.AuditService/Append";
    for path in [known, "/indelible.v1.AuditService/Delete", health] {
        for method in ["GET", "PUT", "DELETE", "OPTIONS", "HEAD"] {
            for kind in ["application/grpc", "application/json"] {
                let mut raw = crate::raw::Raw::connect(running.address()).await;
                let head = format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\n");
                let end = format!("content-type: {kind}\r\nconnection: close\r\n\r\n");
                raw.send(&format!("{head}{end}")).await;
                let mut answer = String::new();
                raw.stream.read_to_string(&mut answer).await.unwrap();
                let (head, body) = answer.split_once("\r\n\r\n").unwrap();
                assert!(head.starts_with("HTTP/1.1 405 "), "{method} {path} {kind}: {head}");
                assert!(head.contains("\r\nallow: POST"), "{head}");
                let told = body.contains("\"code\":\"method_not_allowed\"");
                assert_eq!((told, body.is_empty()), (method != "HEAD", method == "HEAD"), "{body}");
            }
        }
    }
    running.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_without_a_method_is_nothing_with_a_slash_behind_it_or_without() {
    let running = Running::start().await;
    for path in ["/indelible.v1.AuditService", "/indelible.v1.AuditService/"] {
        let (_, status, _) = raw(&running, path, Some("application/grpc"), b"\0\0\0\0\0").await;
        assert_refused(&status.unwrap(), Code::Unimplemented, "unimplemented");
        let (http, _, body) = raw(&running, path, Some("application/json"), b"{}").await;
        assert_eq!(http.as_u16(), 404, "{path}");
        assert!(String::from_utf8_lossy(&body).contains("\"code\":\"not_found\""));
    }
    running.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_not_let_in_is_not_told_which_methods_there_are_and_admins_have_none() {
    let loopback = std::net::SocketAddr::from(([127, 0, 0, 1], 0));
    let running = Running::start_with(|config| config.admin = Some(loopback)).await;
    let post = |method: &str, more: &str| {
        format!(
            "POST /indelible.v1.AuditService/{method} HTTP/1.1\r\nhost: localhost\r\n{more}\
             content-type: application/grpc\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
        )
    };
    // No authentication is set up, so that nobody has these credentials.
    for (address, method, more, begins, told) in [
        (
            running.address(),
            "Delete",
            "authorization: Bearer x\r\n",
            "HTTP/1.1 200",
            "grpc-status: 16",
        ),
        (
            running.address(),
            "Append",
            "authorization: Bearer x\r\n",
            "HTTP/1.1 200",
            "grpc-status: 16",
        ),
        (running.address(), "Delete", "", "HTTP/1.1 200", "grpc-status: 12"),
        (running.server.admin_address().unwrap(), "Append", "", "HTTP/1.1 404", "\"not_found\""),
    ] {
        let mut raw = crate::raw::Raw::connect(address).await;
        raw.send(&post(method, more)).await;
        let mut answer = String::new();
        raw.stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with(begins) && answer.contains(told), "{method}: {answer}");
    }
    running.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_method_takes_no_content_type_but_that_of_grpc() {
    let running = Running::start().await;
    let path = "/indelible.v1.AuditService/Append";
    for kind in [
        Some("text/plain"),
        Some("application/json"),
        Some("application/x-www-form-urlencoded"),
        None,
    ] {
        let (http, status, body) = raw(&running, path, kind, b"\0\0\0\0\0").await;
        assert_eq!((http.as_u16(), status.is_none()), (415, true), "{kind:?}");
        assert!(String::from_utf8_lossy(&body).contains("\"unsupported_media_type\""));
    }
    let (_, status, _) =
        raw(&running, path, Some("application/grpc+json"), b"\0\0\0\0\x02{}").await;
    assert_refused(&status.unwrap(), Code::Unimplemented, "unimplemented");
    let (_, status, _) = raw(&running, path, Some("application/grpc+proto"), b"\0\0\0\0\0").await;
    assert_refused(&status.unwrap(), Code::InvalidArgument, "invalid_argument");
    // The service itself may tell of refused access.
    let reader = indelible::Reader::open(running.place.path().join("audit")).unwrap().unsynced();
    for record in reader.lines_from(0).unwrap() {
        let line = String::from_utf8(record.unwrap().line).unwrap();
        assert!(line.contains("\"actor\":\"indelible\""), "{line}");
    }
    running.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_message_is_an_invalid_argument_and_no_internal_error() {
    let running = Running::start().await;
    let path = "/indelible.v1.AuditService/Append";
    for body in [b"\0\0\0\0\x02\xff\xff".as_slice(), b"\0\0\0\0\x09abc", b"\x02\0\0\0\0"] {
        let (_, status, _) = raw(&running, path, Some("application/grpc"), body).await;
        let status = status.unwrap();
        assert_eq!(reason(&status), "invalid_argument", "{status:?}");
    }
    assert_eq!(running.stop_and_verify().await.records, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_says_when_a_retry_makes_sense() {
    let running = Running::start().await;
    let mut client = running.client().await;
    let refused = client.append(v1::AppendRequest::default()).await.unwrap_err();
    assert_eq!(refused.get_details_error_info().unwrap().domain, "indelible");
    assert_eq!(refused.get_details_error_info().unwrap().metadata["field"], "event");
    assert!(refused.get_details_retry_info().is_none(), "nothing comes of trying the same again");
    running.stop_and_verify().await;
}
