//! `AppendStream`: an answer for each item, in order, whatever becomes of the others.

use bytes::Bytes;
use http::Request;
use indelible_server::proto::v1;
use indelible_server::proto::v1::append_stream_response::Outcome;
use indelible_server::proto::v1::audit_service_client::AuditServiceClient;
use prost::Message as _;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;
use tonic::{Code, Streaming};

use crate::raw::{DATA, Frame, GOAWAY, Raw};
use crate::support::{Running, assert_refused, event};

fn item(request_id: u64, event: v1::Event) -> v1::AppendStreamRequest {
    v1::AppendStreamRequest { log: String::new(), request_id, event: Some(event) }
}

async fn open(
    running: &Running,
) -> (mpsc::Sender<v1::AppendStreamRequest>, Streaming<v1::AppendStreamResponse>) {
    let (sender, requests) = mpsc::channel(16);
    let mut client = running.client().await;
    let answers = client.append_stream(ReceiverStream::new(requests)).await.unwrap().into_inner();
    (sender, answers)
}

async fn rest(mut answers: Streaming<v1::AppendStreamResponse>) -> Vec<v1::AppendStreamResponse> {
    let mut all = Vec::new();
    while let Some(answer) = answers.message().await.unwrap() {
        all.push(answer);
    }
    all
}

fn seq(answer: &v1::AppendStreamResponse) -> u64 {
    match &answer.outcome {
        Some(Outcome::Receipt(receipt)) => receipt.seq,
        other => panic!("{other:?}"),
    }
}

fn rejected(answer: &v1::AppendStreamResponse) -> &v1::Failure {
    match &answer.outcome {
        Some(Outcome::Rejected(failure)) => failure,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_item_is_answered_in_order_under_the_number_that_the_client_gave_it() {
    let running = Running::start().await;
    let mut client = running.client().await;
    let items = (0..5_000).map(|n| item(n * 7, event(&format!("act-{n}"))));
    let answers = client.append_stream(tokio_stream::iter(items)).await.unwrap().into_inner();
    let answers = rest(answers).await;
    assert_eq!(answers.len(), 5_000);
    for (n, answer) in (0..).zip(&answers) {
        assert_eq!((answer.request_id, seq(answer)), (n * 7, n + 1));
    }
    assert!(running.line(4_321).contains("\"act-4320\""));
    assert_eq!(running.stop_and_verify().await.records, 5_001);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_item_is_answered_before_the_next_one_is_sent() {
    let running = Running::start().await;
    let (sender, mut answers) = open(&running).await;
    for n in 0..10 {
        sender.send(item(n, event("read"))).await.unwrap();
        let answer = answers.message().await.unwrap().unwrap();
        assert_eq!((answer.request_id, seq(&answer)), (n, n + 1));
    }
    drop(sender);
    assert!(answers.message().await.unwrap().is_none());
    running.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_item_is_rejected_and_those_around_it_are_recorded() {
    let running = Running::start().await;
    let mut client = running.client().await;
    let items = vec![
        item(0, event("a")),
        item(1, v1::Event { actor: String::new(), ..event("a") }),
        item(2, event("b")),
        v1::AppendStreamRequest { request_id: 3, ..Default::default() },
        v1::AppendStreamRequest { log: "other".to_owned(), ..item(4, event("a")) },
        item(5, v1::Event { outcome: 17, ..event("a") }),
        v1::AppendStreamRequest { log: "default".to_owned(), ..item(6, event("c")) },
        item(7, v1::Event { metadata_json: "{".to_owned(), ..event("a") }),
        item(8, v1::Event { actor: String::new(), ..event("a") }),
        item(9, event("d")),
    ];
    let answers = client.append_stream(tokio_stream::iter(items)).await.unwrap().into_inner();
    let answers = rest(answers).await;
    let ids: Vec<u64> = answers.iter().map(|answer| answer.request_id).collect();
    assert_eq!(ids, (0..10).collect::<Vec<_>>());
    let recorded: Vec<u64> = [0, 2, 6, 9].map(|at: usize| seq(&answers[at])).into();
    assert_eq!(recorded, [1, 2, 3, 4]);
    let codes = [1, 3, 4, 5, 7, 8].map(|at: usize| rejected(&answers[at]).code.clone());
    assert_eq!(
        codes,
        [
            "invalid_event",
            "invalid_argument",
            "not_found",
            "invalid_argument",
            "invalid_event",
            "invalid_event"
        ]
    );
    assert!(rejected(&answers[1]).message.contains("actor"));
    assert_eq!(running.stop_and_verify().await.records, 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_event_id_is_recorded_once_and_other_content_under_it_is_rejected() {
    let running = Running::start().await;
    let mut client = running.client().await;
    let named = |action| v1::Event { event_id: "e-1".to_owned(), ..event(action) };
    let items = vec![
        item(0, named("read")),
        item(1, named("read")),
        item(2, named("write")),
        item(3, event("other")),
    ];
    let answers = client.append_stream(tokio_stream::iter(items)).await.unwrap().into_inner();
    let answers = rest(answers).await;
    assert_eq!([0, 1, 3].map(|at: usize| seq(&answers[at])), [1, 1, 2]);
    assert_eq!(rejected(&answers[2]).code, "conflict");
    assert_eq!(running.stop_and_verify().await.records, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_queue_slows_the_client_down_and_rejects_nothing() {
    let running = Running::start_with(|config| {
        config.logs[0].entry_size_max = 8 << 10;
        config.logs[0].queue_size_max = 16 << 10;
    })
    .await;
    let mut client = running.client().await;
    let large = |n: u64| v1::Event {
        metadata_json: format!("{{\"n\":{n},\"x\":\"{}\"}}", "x".repeat(6_000)),
        ..event("a")
    };
    let items = (0..500).map(move |n| item(n, large(n)));
    let answers = client.append_stream(tokio_stream::iter(items)).await.unwrap().into_inner();
    let answers = rest(answers).await;
    let seqs: Vec<u64> = answers.iter().map(seq).collect();
    assert_eq!(seqs, (1..=500).collect::<Vec<_>>());
    running.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_item_that_can_never_fit_is_rejected_and_does_not_stop_the_stream() {
    let running = Running::start_with(|config| config.limits.stream_in_flight_max = 1).await;
    let mut client = running.client().await;
    let huge =
        v1::Event { metadata_json: format!("{{\"x\":\"{}\"}}", "x".repeat(70_000)), ..event("a") };
    let items = vec![item(0, event("a")), item(1, huge), item(2, event("b"))];
    let answers = client.append_stream(tokio_stream::iter(items)).await.unwrap().into_inner();
    let answers = rest(answers).await;
    assert_eq!(rejected(&answers[1]).code, "too_large");
    assert_eq!([0, 2].map(|at: usize| seq(&answers[at])), [1, 2]);
    running.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_than_the_limit_is_taken_from_a_client_that_reads_no_answers() {
    let running = Running::start_with(|config| config.limits.stream_in_flight_max = 8).await;
    let (sender, requests) = mpsc::channel(1);
    // A window in which few answers fit.
    let endpoint = Channel::from_shared(format!("http://{}", running.address())).unwrap();
    let channel = endpoint.initial_stream_window_size(1 << 12).connect().await.unwrap();
    let mut client = AuditServiceClient::new(channel);
    let answers = client.append_stream(ReceiverStream::new(requests)).await.unwrap().into_inner();
    // As much as windows and buffers take, and no more: the sender has to wait at some point.
    let filler = "x".repeat(2_000);
    let large = |n: u64| v1::Event {
        metadata_json: format!("{{\"n\":{n},\"x\":\"{filler}\"}}"),
        ..event("a")
    };
    let mut sent = 0;
    while let Ok(permit) =
        tokio::time::timeout(std::time::Duration::from_millis(500), sender.reserve()).await
    {
        permit.unwrap().send(item(sent, large(sent)));
        sent += 1;
        if sent == 100_000 {
            break;
        }
    }
    assert!(sent < 100_000, "the service took everything from a client that reads nothing");
    drop(sender);
    let answers = rest(answers).await;
    let seqs: Vec<u64> = answers.iter().map(seq).collect();
    assert_eq!(seqs, (1..=sent).collect::<Vec<_>>());
    running.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_is_dropped_leaves_what_was_queued_written() {
    let running = Running::start().await;
    let (sender, mut answers) = open(&running).await;
    for n in 0..100 {
        let named = v1::Event { event_id: format!("e-{n}"), ..event("read") };
        sender.send(item(n, named)).await.unwrap();
    }
    let first = answers.message().await.unwrap().unwrap();
    assert_eq!(seq(&first), 1);
    drop((sender, answers));
    let mut client = running.client().await;
    for n in 0..100 {
        let named = v1::Event { event_id: format!("e-{n}"), ..event("read") };
        let request = v1::AppendRequest { log: String::new(), event: Some(named) };
        client.append(request).await.unwrap();
    }
    assert_eq!(running.stop_and_verify().await.records, 101);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_stops_answers_what_it_took_and_says_that_it_stops() {
    let running = Running::start().await;
    let (sender, mut answers) = open(&running).await;
    for n in 0..10 {
        sender.send(item(n, event("read"))).await.unwrap();
    }
    let first = answers.message().await.unwrap().unwrap();
    assert_eq!(seq(&first), 1);
    // The client neither ends the stream nor reads on meanwhile.
    let stopping = tokio::spawn(running.stop_and_verify());
    let mut answered = 1;
    let end = loop {
        match answers.message().await {
            Ok(Some(answer)) => {
                answered += 1;
                assert_eq!(seq(&answer), answered);
            }
            Ok(None) => panic!("the end must say why"),
            Err(status) => break status,
        }
    };
    assert_refused(&end, Code::Unavailable, "shutting_down");
    let report = stopping.await.unwrap();
    assert_eq!(report.records, 1 + answered, "each was answered that was recorded");
    drop(sender);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_message_ends_the_stream_after_the_answers_to_those_before_it() {
    let running = Running::start_with(|config| config.limits.request_size_max = 64 << 10).await;
    let mut client = running.client().await;
    let large = v1::Event { metadata_json: "x".repeat(65 << 10), ..event("a") };
    let items = vec![item(0, event("a")), item(1, large), item(2, event("b"))];
    let mut answers = client.append_stream(tokio_stream::iter(items)).await.unwrap().into_inner();
    assert_eq!(seq(&answers.message().await.unwrap().unwrap()), 1);
    assert_refused(&answers.message().await.unwrap_err(), Code::ResourceExhausted, "too_large");
    assert_eq!(running.stop_and_verify().await.records, 2);
}

/// As clients send that make a frame of each message, and send on for as long as a stream's window lets them.
#[tokio::test(flavor = "multi_thread")]
async fn small_items_in_a_frame_each_that_fill_the_windows_of_two_streams_are_all_answered() {
    const ITEMS: u64 = 4_000;
    let running = Running::start().await;
    let socket = TcpStream::connect(running.address()).await.unwrap();
    let (mut connection, driver) = h2::client::Builder::new()
        .initial_window_size(16 << 20)
        .initial_connection_window_size(64 << 20)
        .handshake(socket)
        .await
        .unwrap();
    let driver = tokio::spawn(driver);
    let mut calls = Vec::new();
    for _ in 0..2 {
        let uri = format!("http://{}/indelible.v1.AuditService/AppendStream", running.address());
        let head = Request::post(uri)
            .header("te", "trailers")
            .header("content-type", "application/grpc")
            .body(())
            .unwrap();
        let (answer, mut body) = connection.send_request(head, false).unwrap();
        for n in 0..ITEMS {
            let message = item(n, event("tool.call:read_file.begin")).encode_to_vec();
            let mut frame = vec![0];
            frame.extend(u32::try_from(message.len()).unwrap().to_be_bytes());
            frame.extend(message);
            assert!((60..=64).contains(&frame.len()), "{} bytes are no small item", frame.len());
            body.send_data(Bytes::from(frame), n + 1 == ITEMS).unwrap();
        }
        calls.push(answer);
    }
    for call in calls {
        let mut answers = call.await.unwrap().into_body();
        while let Some(part) = answers.data().await {
            answers.flow_control().release_capacity(part.unwrap().len()).unwrap();
        }
        let trailers = answers.trailers().await.unwrap().unwrap();
        assert_eq!(trailers.get("grpc-status").unwrap(), "0");
    }
    drop(connection);
    driver.await.unwrap().unwrap();
    assert_eq!(running.stop_and_verify().await.records, 2 * ITEMS + 1);
}

/// Of what is not read only so much may be in small frames: three streams whose answers nobody takes, and which so are not
/// read on, have more.
#[tokio::test(flavor = "multi_thread")]
async fn a_connection_on_which_too_many_small_items_wait_unread_is_ended() {
    const ENHANCE_YOUR_CALM: u32 = 11;
    let running = Running::start_with(|config| config.limits.stream_in_flight_max = 1).await;
    // Streams have no window for answers.
    let mut raw = Raw::connect_http2(running.address(), &[(4, 0)]).await;
    for stream in [1, 3, 5] {
        let [head, _] = Frame::call(stream, "AppendStream", &[]);
        let mut frames = vec![head];
        for n in 0..1_000 {
            let message = item(n, event("tool.call:read_file.begin")).encode_to_vec();
            let mut body = vec![0];
            body.extend(u32::try_from(message.len()).unwrap().to_be_bytes());
            body.extend(message);
            frames.push(Frame::new(DATA, 0, stream, body));
        }
        raw.send_frames(&frames).await;
    }
    let mut goaway = raw.frame(GOAWAY, 0).await;
    goaway.payload.truncate(8);
    assert_eq!(goaway.error(), ENHANCE_YOUR_CALM);
    // Others are served as before.
    let request = v1::AppendRequest { log: String::new(), event: Some(event("after")) };
    running.client().await.append(request).await.unwrap();
    running.stop_and_verify().await;
}
