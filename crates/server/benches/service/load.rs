//! Clients that send as much as is taken, and count what is answered.

use std::time::{Duration, Instant};

use indelible_server::proto::v1;
use indelible_server::proto::v1::append_result::Outcome as ResultOutcome;
use indelible_server::proto::v1::append_stream_response::Outcome;
use indelible_server::proto::v1::audit_service_client::AuditServiceClient;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;

use crate::Failure;
use crate::child::Child;

/// Clones of it share its connection.
type Client = AuditServiceClient<Channel>;

/// Makes the line of a record as long as 400 bytes.
const PADDING: &str = "{\"padding\":\"0123456789abcdefghijklmnopqrstuvwx\"}";

/// An event of which the log makes a line of about 400 bytes.
pub(crate) fn event() -> v1::Event {
    v1::Event {
        actor: "agent:7".to_owned(),
        action: "tool.call:read_file".to_owned(),
        resource: "file:/etc/hosts".to_owned(),
        outcome: v1::Outcome::Success.into(),
        metadata_json: PADDING.to_owned(),
        ..v1::Event::default()
    }
}

pub(crate) async fn connect(server: &Child) -> Result<Client, Failure> {
    let endpoint = Channel::from_shared(format!("http://{}", server.address))?.tcp_nodelay(true);
    Ok(Client::new(endpoint.connect().await?))
}

/// A client on each of so many connections.
async fn connect_all(server: &Child, connections: usize) -> Result<Vec<Client>, Failure> {
    let mut clients = Vec::with_capacity(connections);
    for _ in 0..connections {
        clients.push(connect(server).await?);
    }
    Ok(clients)
}

/// Adds up what tasks have counted, as a rate over the time that they took.
async fn rate(mut tasks: JoinSet<Result<u64, Failure>>, began: Instant) -> Result<f64, Failure> {
    let mut count = 0;
    while let Some(done) = tasks.join_next().await {
        count += done??;
    }
    Ok(per_second(count, began.elapsed()))
}

#[expect(clippy::as_conversions, clippy::cast_precision_loss, reason = "a rate")]
pub(crate) fn per_second(count: u64, took: Duration) -> f64 {
    count as f64 / took.as_secs_f64()
}

/// Unary appends: records a second.
pub(crate) async fn unary(
    server: &Child,
    connections: usize,
    in_flight: usize,
    time: Duration,
) -> Result<f64, Failure> {
    let clients = connect_all(server, connections).await?;
    one_after_another(clients, in_flight, time, |mut client: Client| async move {
        let request = v1::AppendRequest { log: String::new(), event: Some(event()) };
        client.append(request).await?.into_inner().receipt.ok_or("no receipt")?;
        Ok(1)
    })
    .await
}

/// Batches: records a second.
pub(crate) async fn batch(
    server: &Child,
    connections: usize,
    in_flight: usize,
    size: usize,
    time: Duration,
) -> Result<f64, Failure> {
    let clients = connect_all(server, connections).await?;
    one_after_another(clients, in_flight, time, move |mut client: Client| async move {
        let events = vec![event(); size];
        let request = v1::AppendBatchRequest { log: String::new(), events };
        let mut count = 0;
        for result in client.append_batch(request).await?.into_inner().results {
            let Some(ResultOutcome::Receipt(_)) = result.outcome else {
                return Err("no receipt".into());
            };
            count += 1;
        }
        Ok(count)
    })
    .await
}

/// Has each of `in_flight` callers on each connection make a call as soon as the one before is answered; a call gives how many
/// records it made. Records a second.
pub(crate) async fn one_after_another<C, F>(
    clients: Vec<C>,
    in_flight: usize,
    time: Duration,
    call: impl Fn(C) -> F + Copy + Send + 'static,
) -> Result<f64, Failure>
where
    C: Clone + Send + Sync + 'static,
    F: Future<Output = Result<u64, Failure>> + Send,
{
    let (mut tasks, began) = (JoinSet::new(), Instant::now());
    for client in clients {
        for _ in 0..in_flight {
            let client = client.clone();
            tasks.spawn(async move {
                let mut count = 0;
                while began.elapsed() < time {
                    count += call(client.clone()).await?;
                }
                Ok(count)
            });
        }
    }
    rate(tasks, began).await
}

/// One stream a connection: records a second.
pub(crate) async fn stream(
    server: &Child,
    connections: usize,
    in_flight: usize,
    time: Duration,
) -> Result<f64, Failure> {
    let mut tasks = JoinSet::new();
    let clients = connect_all(server, connections).await?;
    let began = Instant::now();
    for client in clients {
        tasks.spawn(stream_for(client, in_flight, move |_| (began.elapsed() < time).then(event)));
    }
    rate(tasks, began).await
}

/// Keeps `in_flight` events in flight on one stream until `next` gives none; returns how many were answered.
async fn stream_for(
    mut client: Client,
    in_flight: usize,
    next: impl Fn(u64) -> Option<v1::Event>,
) -> Result<u64, Failure> {
    let (sender, requests) = mpsc::channel(in_flight);
    let mut sender = Some(sender);
    let mut sent = 0;
    let mut give = |number: &mut u64| {
        let Some(event) = next(*number) else {
            sender = None;
            return;
        };
        if let Some(sender) = &sender {
            let (log, request_id) = (String::new(), *number);
            // There is room for as many as may be in flight.
            drop(sender.try_send(v1::AppendStreamRequest { log, request_id, event: Some(event) }));
            *number += 1;
        }
    };
    for _ in 0..in_flight {
        give(&mut sent);
    }
    let mut answers = client.append_stream(ReceiverStream::new(requests)).await?.into_inner();
    let mut answered = 0;
    while let Some(answer) = answers.message().await? {
        let Some(Outcome::Receipt(_)) = answer.outcome else {
            return Err(format!("no receipt: {answer:?}").into());
        };
        if answer.request_id != answered {
            return Err("out of order".into());
        }
        answered += 1;
        give(&mut sent);
    }
    if answered != sent {
        return Err(format!("{sent} were sent, {answered} answered").into());
    }
    Ok(answered)
}

/// Sends `count` events that carry an `event_id` each, from the `first` on.
pub(crate) async fn identified(
    server: &Child,
    connections: usize,
    first: u64,
    count: u64,
) -> Result<(), Failure> {
    let mut tasks = JoinSet::new();
    let each = count / u64::try_from(connections)?;
    for connection in 0..u64::try_from(connections)? {
        let client = connect(server).await?;
        tasks.spawn(stream_for(client, 256, move |n| {
            let number = first + connection * each + n;
            (n < each).then(|| v1::Event { event_id: format!("event-{number:012}"), ..event() })
        }));
    }
    while let Some(done) = tasks.join_next().await {
        done??;
    }
    Ok(())
}

/// Opens connections while all places are taken, and returns how many were refused.
pub(crate) async fn flood(server: &Child, count: u64) -> Result<u64, Failure> {
    let mut held = Vec::new();
    for _ in 0..64 {
        held.push(TcpStream::connect(server.address).await?);
    }
    let mut refused = 0;
    for _ in 0..count {
        let mut connection = TcpStream::connect(server.address).await?;
        let mut answer = Vec::new();
        let ended =
            tokio::time::timeout(Duration::from_secs(5), connection.read_to_end(&mut answer));
        // Refused: it ends by itself, with an answer or without.
        refused += u64::from(ended.await.is_ok());
    }
    Ok(refused)
}
