//! The end of the service, also where a client does not want it.

use std::net::SocketAddr;
use std::sync::mpsc;
use std::time::Duration;

use indelible_server::proto::v1;
use indelible_server::{Closed, Drained, Server, run_with};
use rustix::process::{Signal, getpid, kill_process};

use crate::raw::{Frame, Raw};
use crate::support::{Running, config, event};

const GET: &str = "GET /nowhere HTTP/1.1\r\nhost: localhost\r\n\r\n";

#[tokio::test(flavor = "multi_thread")]
async fn the_log_says_that_the_service_started_and_stopped_and_how_much_it_took() {
    let running = Running::start_with(|config| config.record_lifecycle = true).await;
    let (address, folder) = (running.address(), running.place.path().join("audit"));
    let mut client = running.client().await;
    let request = v1::AppendRequest { log: String::new(), event: Some(event("read")) };
    assert_eq!(client.append(request).await.unwrap().into_inner().receipt.unwrap().seq, 2);
    drop(client);
    let report = running.server.stop().await;
    assert!(report.is_in_order(), "{report}");
    let lines = |seq| {
        let record = indelible::Reader::open(&folder).unwrap().record(seq).unwrap().unwrap();
        String::from_utf8(record.line.clone()).unwrap()
    };
    let (start, stop) = (lines(1), lines(3));
    assert!(start.contains("\"action\":\"indelible.service.start\""), "{start}");
    assert!(start.contains(&format!("\"listeners\":[\"{address}\"]")), "{start}");
    assert!(start.contains("\"authentication\":\"none\""), "{start}");
    assert!(stop.contains("\"action\":\"indelible.service.stop\""), "{stop}");
    assert!(stop.contains("\"reason\":\"request\",\"records\":2"), "{stop}");
}

/// Nothing but the end of draining ends what hangs.
fn patient(config: &mut indelible_server::Config) {
    let long = Duration::from_hours(1);
    config.timeouts.handshake = long;
    config.timeouts.headers = long;
    config.timeouts.body = long;
    config.timeouts.write = long;
    config.timeouts.idle = long;
    config.timeouts.keep_alive = long;
    config.timeouts.drain = Duration::from_millis(100);
}

async fn stop_and_verify(running: Running) -> Drained {
    let folder = running.place.path().join("audit");
    let stopped = running.server.stop().await;
    assert!(stopped.is_in_order(), "{stopped}");
    let report = indelible::Verifier::new(folder).unwrap().strict().verify().unwrap();
    assert_eq!(report.verdict(), indelible::Verdict::Sound, "{report}");
    stopped.drained
}

#[tokio::test(flavor = "multi_thread")]
async fn with_nothing_under_way_everything_ends_by_itself() {
    let running = Running::start_with(patient).await;
    let mut client = running.client().await;
    let request = v1::AppendRequest { log: String::new(), event: Some(event("read")) };
    client.append(request).await.unwrap();
    let mut idle = Raw::connect(running.address()).await;
    idle.send(GET).await;
    idle.answer().await;
    let silent = Raw::connect(running.address()).await;
    assert_eq!(stop_and_verify(running).await, Drained::Ended);
    assert_eq!(idle.rest().await, b"");
    assert_eq!(silent.rest().await, b"");
}

#[tokio::test(flavor = "multi_thread")]
async fn half_a_body_does_not_hold_it_up() {
    let running = Running::start_with(patient).await;
    let mut half = Raw::connect(running.address()).await;
    half.send(
        "POST /v1/records HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
         expect: 100-continue\r\ncontent-length: 100\r\n\r\n",
    )
    .await;
    // It is under way once it was told to go on.
    let mut told = [0; 25];
    tokio::io::AsyncReadExt::read_exact(&mut half.stream, &mut told).await.unwrap();
    half.send("{").await;
    assert_eq!(stop_and_verify(running).await, Drained::CutOff(1));
    assert_eq!(half.rest().await, b"");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_is_neither_read_nor_ended_does_not_hold_it_up() {
    let running = Running::start_with(patient).await;
    let initial_window_size = 4;
    let mut raw = Raw::connect_http2(running.address(), &[(initial_window_size, 0)]).await;
    raw.send_frames(&[Frame::get(1)]).await;
    raw.frame(crate::raw::HEADERS, 0).await;
    let Drained::CutOff(count) = stop_and_verify(running).await else { panic!() };
    assert!(count > 0);
    raw.rest().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_http_2_connection_that_never_answers_does_not_hold_it_up() {
    let running = Running::start_with(patient).await;
    let mut raw = Raw::connect_http2(running.address(), &[]).await;
    raw.frame(crate::raw::SETTINGS, 0).await;
    stop_and_verify(running).await;
    raw.rest().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_under_way_is_answered_and_the_service_is_not_ready_meanwhile() {
    let running = Running::start_with(|config| {
        patient(config);
        config.timeouts.drain = Duration::from_hours(1);
        config.admin = Some(([127, 0, 0, 1], 0).into());
    })
    .await;
    let (address, admin) = (running.address(), running.server.admin_address().unwrap());
    let body = r#"{"actor":"a","action":"b","resource":"c"}"#;
    let mut raw = Raw::connect(address).await;
    let length = body.len();
    raw.send(format!(
        "POST /v1/records HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
         expect: 100-continue\r\ncontent-length: {length}\r\n\r\n"
    ))
    .await;
    let mut told = [0; 25];
    tokio::io::AsyncReadExt::read_exact(&mut raw.stream, &mut told).await.unwrap();

    let stopping = tokio::spawn(stop_and_verify(running));
    // Connections are taken until it has begun to stop.
    while tokio::net::TcpStream::connect(address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    let mut probe = Raw::connect(admin).await;
    probe.send("GET /readyz HTTP/1.1\r\nhost: localhost\r\n\r\n").await;
    let answer = probe.answer().await;
    assert_eq!((answer.status(), answer.body.lines().next()), ("503", Some("stopping")));
    drop(probe);

    raw.send(body).await;
    assert_eq!(raw.answer().await.status(), "201");
    assert_eq!(stopping.await.unwrap(), Drained::Ended);
}

fn signal(signal: Signal) {
    kill_process(getpid(), signal).unwrap();
}

/// One after the other in one test: signals are for the whole process.
#[test]
fn signals_end_it_in_order_and_the_second_at_once() {
    let place = tempfile::tempdir().unwrap();
    let stopped = run_with(config(&place), |_| {
        signal(Signal::HUP);
        signal(Signal::TERM);
    })
    .unwrap();
    assert!(stopped.is_in_order(), "{stopped}");

    let mut config = config(&place);
    patient(&mut config);
    config.timeouts.drain = Duration::from_hours(1);
    let (client, appended) = mpsc::channel();
    let stopped = run_with(config, |server: &Server| {
        let address = server.addresses()[0];
        client.send(std::thread::spawn(move || append_hang_and_signal_twice(address))).unwrap();
    })
    .unwrap();
    assert!(matches!(stopped.logs[0].1, Closed::LeftOpen), "{stopped}");
    appended.recv().unwrap().join().unwrap();
    let report = indelible::Verifier::new(place.path().join("audit")).unwrap().verify().unwrap();
    assert_eq!(report.records, 2, "the genesis record and what was acknowledged");
}

fn append_hang_and_signal_twice(address: SocketAddr) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let body = r#"{"actor":"a","action":"b","resource":"c"}"#;
        let mut raw = Raw::connect(address).await;
        let length = body.len();
        let head = "POST /v1/records HTTP/1.1\r\nhost: localhost\r\n\
                    content-type: application/json\r\ncontent-length: ";
        raw.send(format!("{head}{length}\r\n\r\n{body}")).await;
        assert_eq!(raw.answer().await.status(), "201");
        raw.send(format!("{head}{length}\r\nexpect: 100-continue\r\n\r\n")).await;
        // Asked for its body, the second request is under way.
        let mut told = [0; 25];
        tokio::io::AsyncReadExt::read_exact(&mut raw.stream, &mut told).await.unwrap();
        raw.send("{").await;
        signal(Signal::TERM);
        while tokio::net::TcpStream::connect(address).await.is_ok() {
            tokio::task::yield_now().await;
        }
        signal(Signal::TERM);
        raw.rest().await;
    });
}
