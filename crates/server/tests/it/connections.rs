//! What a connection may cost, and how long it may take.

use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::time::Duration;

use indelible_server::config::UnixListen;
use indelible_server::proto::v1;
use indelible_server::{Config, Server, SocketError, StartError};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, UnixListener, UnixStream};

use crate::raw::{ACK, DATA, END_STREAM, Frame, GOAWAY, HEADERS, PING, RST_STREAM, Raw, SETTINGS};
use crate::support::{Running, config, event, scrape};

const SHORT: Duration = Duration::from_millis(50);
/// With little patience for who takes nothing.
fn takes_nothing(config: &mut Config) {
    config.timeouts.write = SHORT;
    config.timeouts.idle = SHORT;
}

const GET: &str = "GET /nowhere HTTP/1.1\r\nhost: localhost\r\n\r\n";

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_beyond_the_limit_is_refused_at_once_and_the_others_go_on() {
    let running = Running::start_with(|config| config.limits.connections_max = 2).await;
    let mut first = Raw::connect(running.address()).await;
    first.send(GET).await;
    assert_eq!(first.answer().await.status(), "404");
    let mut second = Raw::connect(running.address()).await;
    second.send(GET).await;
    assert_eq!(second.answer().await.status(), "404");

    let mut refused = Raw::connect(running.address()).await;
    let answer = refused.answer().await;
    assert_eq!(answer.status(), "429", "{answer:?}");
    assert!(answer.head.contains("retry-after: 1\r\n"), "{answer:?}");
    assert!(answer.head.contains("content-type: application/problem+json\r\n"), "{answer:?}");
    assert!(answer.body.contains("\"code\":\"too_many\""), "{answer:?}");
    assert_eq!(refused.rest().await, b"");

    first.send(GET).await;
    assert_eq!(first.answer().await.status(), "404");
    drop(second);
    loop {
        let mut next = Raw::connect(running.address()).await;
        // Refused ones may be closed before this is sent.
        if next.stream.write_all(GET.as_bytes()).await.is_ok() {
            let mut byte = [0; 10];
            if next.stream.read_exact(&mut byte).await.is_ok() && byte[9] == b'4' {
                let mut rest = [0; 2];
                next.stream.read_exact(&mut rest).await.unwrap();
                if &rest == b"04" {
                    break;
                }
            }
        }
    }
    drop(first);
    running.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_of_the_admin_listener_names_no_limit_that_is_not_its_own() {
    let running =
        Running::start_with(|config| config.admin = Some(([127, 0, 0, 1], 0).into())).await;
    let address = running.server.admin_address().unwrap();
    let mut open = Vec::new();
    for _ in 0..64 {
        open.push(Raw::connect(address).await);
    }
    let answer = Raw::connect(address).await.answer().await;
    assert_eq!(answer.status(), "429", "{answer:?}");
    assert!(answer.head.contains("retry-after: 1\r\n"), "{answer:?}");
    assert!(answer.body.contains("\"code\":\"too_many\""), "{answer:?}");
    assert!(!answer.body.contains("limits."), "{answer:?}");
    drop(open);
    running.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_connections_is_refused_each_and_the_service_goes_on() {
    let running = Running::start_with(|config| {
        config.limits.connections_max = 1;
        config.admin = Some(([127, 0, 0, 1], 0).into());
    })
    .await;
    let mut client = running.client().await;
    let request = || v1::AppendRequest { log: String::new(), event: Some(event("read")) };
    client.append(request()).await.unwrap();
    for _ in 0..10_000 {
        let refused = Raw::connect(running.address()).await.rest().await;
        assert!(refused.is_empty() || refused.starts_with(b"HTTP/1.1 429 "));
    }
    client.append(request()).await.unwrap();
    let metrics = scrape(&running).await;
    let counted = "indelible_connections_refused_total{reason=\"over_limit\"} 10000\n";
    assert!(metrics.contains(counted), "{metrics}");
    drop(client);
    running.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_sends_nothing_or_half_a_preface_is_hung_up_on() {
    let running = Running::start_with(|config| config.timeouts.handshake = SHORT).await;
    assert_eq!(Raw::connect(running.address()).await.rest().await, b"");
    let mut half = Raw::connect(running.address()).await;
    half.send("PRI * HT").await;
    assert_eq!(half.rest().await, b"");
    running.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_that_do_not_end_in_time_end_the_connection_also_the_second_ones() {
    let running = Running::start_with(|config| config.timeouts.headers = SHORT).await;
    let mut raw = Raw::connect(running.address()).await;
    raw.send("GET /nowhere HTTP/1.1\r\nhost: ").await;
    raw.rest().await;

    let mut raw = Raw::connect(running.address()).await;
    raw.send(GET).await;
    assert_eq!(raw.answer().await.status(), "404");
    raw.send("GET /nowhere HTTP/1.1\r\nhost: ").await;
    assert_eq!(raw.rest().await, b"");
    running.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_that_are_too_large_are_refused_over_http_1() {
    let running = Running::start_with(|config| config.limits.header_size_max = 8 << 10).await;
    let mut raw = Raw::connect(running.address()).await;
    let large = "x".repeat(9 << 10);
    raw.send(format!("GET / HTTP/1.1\r\nhost: localhost\r\nx-large: {large}\r\n\r\n")).await;
    assert_eq!(raw.answer().await.status(), "431");
    running.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_that_are_too_large_are_refused_over_http_2_and_the_connection_goes_on() {
    let running = Running::start_with(|config| config.limits.header_size_max = 8 << 10).await;
    let mut client = running.client().await;
    let append = |note: String| {
        let message = v1::AppendRequest { log: String::new(), event: Some(event("read")) };
        let mut request = tonic::Request::new(message);
        request.metadata_mut().insert("x-note", note.parse().unwrap());
        request
    };
    client.append(append("x".repeat(9 << 10))).await.unwrap_err();
    client.append(append("x".to_owned())).await.unwrap();
    drop(client);
    let report = running.stop_and_verify().await;
    assert_eq!(report.records, 2, "the genesis record and one");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_does_not_come_in_time_is_answered_with_a_timeout() {
    let running = Running::start_with(|config| config.timeouts.body = SHORT).await;
    let mut raw = Raw::connect(running.address()).await;
    raw.send(
        "POST /v1/records HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
         content-length: 100\r\n\r\n{",
    )
    .await;
    let answer = raw.answer().await;
    assert_eq!(answer.status(), "408", "{answer:?}");
    assert!(answer.body.contains("\"code\":\"timeout\""), "{answer:?}");
    assert!(answer.body.contains("timeouts.body"), "{answer:?}");
    running.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_beyond_what_all_may_have_together_are_refused() {
    let running = Running::start_with(|config| config.limits.bodies_size_max = 1000).await;
    let post = |size: usize| {
        format!(
            "POST /v1/records HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
             content-length: {size}\r\n\r\n"
        )
    };
    let mut first = Raw::connect(running.address()).await;
    first.send(post(700) + &" ".repeat(600)).await;
    let mut second = Raw::connect(running.address()).await;
    let refused = loop {
        second.send(post(500) + &" ".repeat(500)).await;
        let answer = second.answer().await;
        // The first may not be read yet; then the second is no event, and nothing more.
        if answer.status() != "400" {
            break answer;
        }
    };
    assert_eq!(refused.status(), "429", "{refused:?}");
    assert!(refused.head.contains("retry-after: "), "{refused:?}");
    assert!(refused.body.contains("limits.bodies_size_max"), "{refused:?}");
    first.send(" ".repeat(100)).await;
    assert_eq!(first.answer().await.status(), "400");
    drop(first);
    let mut third = Raw::connect(running.address()).await;
    third.send(post(900) + &" ".repeat(900)).await;
    assert_eq!(third.answer().await.status(), "400", "what ended no longer counts");
    running.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_body_over_the_limit_is_refused() {
    const LIMIT: usize = 100_000;
    let running = Running::start_with(|config| config.limits.request_size_max = LIMIT).await;
    let mut raw = Raw::connect(running.address()).await;
    raw.send(format!(
        "POST /v1/records HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
         content-length: {size}\r\n\r\n{body}",
        size = LIMIT + 1,
        body = " ".repeat(LIMIT + 1)
    ))
    .await;
    assert_eq!(raw.answer().await.status(), "413");
    running.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_without_requests_is_ended() {
    let running = Running::start_with(|config| {
        config.timeouts.idle = SHORT;
        config.timeouts.write = SHORT;
    })
    .await;
    let mut raw = Raw::connect(running.address()).await;
    raw.send(GET).await;
    assert_eq!(raw.answer().await.status(), "404");
    assert_eq!(raw.rest().await, b"");

    let mut raw = Raw::connect_http2(running.address(), &[]).await;
    assert_eq!(raw.frame(GOAWAY, 0).await.error(), 0);
    // It never says that it has read that.
    raw.rest().await;
    running.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_takes_nothing_is_dropped() {
    let running = Running::start_with(takes_nothing).await;
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let mut stream = socket.connect(running.address()).await.unwrap();
    let many = GET.repeat(100);
    // Its answers fill every buffer on the way, then nothing more is read from it, then it is dropped.
    while stream.write_all(many.as_bytes()).await.is_ok() {}
    running.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_a_client_takes_no_window_for_is_reset_alone() {
    let running = Running::start_with(takes_nothing).await;
    let initial_window_size = 4;
    let mut raw = Raw::connect_http2(running.address(), &[(initial_window_size, 0)]).await;
    raw.send_frames(&[Frame::get(1)]).await;
    let head = raw.frame(HEADERS, 0).await;
    assert_eq!((head.stream, head.flags & END_STREAM), (1, 0), "a body is to come");
    let reset = raw.frame(RST_STREAM, 0).await;
    assert_eq!((reset.stream, reset.error()), (1, 8), "CANCEL");
    raw.send_frames(&[Frame::new(PING, 0, 0, [7; 8])]).await;
    assert_eq!(raw.frame(PING, ACK).await.payload, [7; 8], "the connection goes on");
    drop(raw);
    running.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_beyond_the_limit_are_refused_before_anything_is_taken() {
    let running = Running::start_with(|config| config.limits.streams_per_connection_max = 1).await;
    let mut raw = Raw::connect_http2(running.address(), &[]).await;
    let settings = raw.frame(SETTINGS, 0).await.payload;
    assert!(settings.windows(6).any(|setting| setting == [0, 3, 0, 0, 0, 1]), "{settings:?}");
    raw.send_frames(&[Frame::new(SETTINGS, ACK, 0, [])]).await;
    // To the audit service, so that it waits for a body.
    let open = |stream| {
        let mut block = vec![0x83, 0x86, 0x04, 11];
        block.extend(b"/v1/records");
        block.extend([0x01, 9]);
        block.extend(b"localhost");
        Frame::new(HEADERS, 4, stream, block)
    };
    raw.send_frames(&[open(1), open(3)]).await;
    let reset = raw.frame(RST_STREAM, 0).await;
    assert_eq!((reset.stream, reset.error()), (3, 7), "REFUSED_STREAM");
    raw.send_frames(&[Frame::new(DATA, END_STREAM, 1, *b"{}")]).await;
    assert_eq!(raw.frame(HEADERS, 0).await.stream, 1);
    drop(raw);
    running.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_resets_ends_the_connection() {
    let running = Running::start().await;
    let mut raw = Raw::connect_http2(running.address(), &[]).await;
    let cancel = 8_u32.to_be_bytes();
    let frames: Vec<Frame> = (0..100)
        .map(|n| 2 * n + 1)
        .flat_map(|stream| [Frame::get(stream), Frame::new(RST_STREAM, 0, stream, cancel)])
        .collect();
    raw.send_frames(&frames).await;
    assert_eq!(raw.frame(GOAWAY, 0).await.error(), 11, "ENHANCE_YOUR_CALM");
    drop(raw);
    running.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_carries_a_request_id_of_its_own() {
    let running = Running::start().await;
    let mut raw = Raw::connect(running.address()).await;
    let mut ids = Vec::new();
    for _ in 0..2 {
        raw.send(GET).await;
        let answer = raw.answer().await;
        let id = answer.head.split("x-request-id: ").nth(1).unwrap().split('\r').next().unwrap();
        assert!(id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{id}");
        ids.push(id.to_owned());
    }
    assert_ne!(ids[0], ids[1]);
    drop(raw);
    running.stop_and_verify().await;
}

fn unix(path: impl Into<std::path::PathBuf>) -> UnixListen {
    UnixListen::new(path, 0o660)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_unix_socket_serves_has_its_mode_and_is_removed_at_the_end() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("socket");
    // What a process that was killed left behind.
    drop(UnixListener::bind(&path).unwrap());
    let running = Running::start_with(|config| config.listen.unix = Some(unix(path.clone()))).await;
    let metadata = std::fs::symlink_metadata(&path).unwrap();
    assert!(metadata.file_type().is_socket());
    assert_eq!(metadata.permissions().mode() & 0o777, 0o660);
    let mut raw = Raw { stream: UnixStream::connect(&path).await.unwrap() };
    let body = r#"{"actor":"a","action":"b","resource":"c"}"#;
    raw.post(body).await;
    assert_eq!(raw.answer().await.status(), "201");
    raw.send("GET /v1/records/1 HTTP/1.1\r\nhost: localhost\r\n\r\n").await;
    let recorded = raw.answer().await.body;
    let uid = rustix::process::getuid().as_raw();
    assert!(recorded.contains(&format!("\"recorded_by\":\"uid:{uid}\"")), "{recorded}");
    drop(raw);
    running.stop_and_verify().await;
    assert!(!path.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_in_use_and_a_file_that_is_none_are_left_alone() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("socket");
    let start = || {
        let mut config = config(&place);
        config.listen.unix = Some(unix(path.clone()));
        Server::start(config)
    };
    let listener = UnixListener::bind(&path).unwrap();
    let error = start().await.unwrap_err();
    assert!(matches!(error, StartError::Socket { source: SocketError::InUse, .. }), "{error}");
    drop(listener);
    std::fs::remove_file(&path).unwrap();
    std::fs::create_dir(&path).unwrap();
    let error = start().await.unwrap_err();
    assert!(matches!(error, StartError::Socket { source: SocketError::NotASocket, .. }), "{error}");
    assert!(path.is_dir());
}
