//! A gRPC client that costs little: unary appends, all with the same bytes, on HTTP/2 itself.
//!
//! Where a client shares the processors with the server whose latency it measures, what it takes of them is measured too:
//! tonic's has two queues and two tasks in front of each connection.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use h2::client::{ResponseFuture, SendRequest};
use http::{HeaderMap, Request, Uri};
use indelible_server::proto::v1;
use prost::Message as _;
use tokio::net::TcpStream;

use crate::Failure;
use crate::child::Child;
use crate::load::{event, one_after_another};

/// Whether it is compressed, and its length in four bytes: what gRPC puts in front of each message.
const PREFIX_SIZE: usize = 5;

/// Unary appends, each sent as soon as the one before it is answered: how many a second.
pub(crate) async fn unary(
    server: &Child,
    connections: usize,
    in_flight: usize,
    time: Duration,
) -> Result<f64, Failure> {
    let callers = Caller::connect_all(server, connections).await?;
    one_after_another(callers, in_flight, time, |caller: Caller| async move {
        caller.append().await?.answered().await?;
        Ok(1)
    })
    .await
}

/// One connection.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    connection: SendRequest<Bytes>,
    append: Uri,
    message: Bytes,
}

/// A call that was sent.
#[derive(Debug)]
pub(crate) struct Call(ResponseFuture);

impl Caller {
    /// A caller on each of so many connections.
    pub(crate) async fn connect_all(
        server: &Child,
        connections: usize,
    ) -> Result<Vec<Self>, Failure> {
        let mut callers = Vec::with_capacity(connections);
        for _ in 0..connections {
            callers.push(Self::connect(server).await?);
        }
        Ok(callers)
    }

    async fn connect(server: &Child) -> Result<Self, Failure> {
        let socket = TcpStream::connect(server.address).await?;
        socket.set_nodelay(true)?;
        // Whatever the server sends is taken, also where this process was late.
        let (connection, driver) = h2::client::Builder::new()
            .initial_connection_window_size(64 << 20)
            .handshake(socket)
            .await?;
        // It ends with the connection; a call tells of an error.
        drop(tokio::spawn(driver));
        let append =
            format!("http://{}/indelible.v1.AuditService/Append", server.address).parse()?;
        let request = v1::AppendRequest { log: String::new(), event: Some(event()) };
        let mut message = vec![0];
        message.extend(u32::try_from(request.encoded_len())?.to_be_bytes());
        request.encode(&mut message)?;
        Ok(Self { connection, append, message: message.into() })
    }

    /// Sends an append.
    pub(crate) async fn append(&self) -> Result<Call, Failure> {
        let request = Request::post(self.append.clone())
            .header("te", "trailers")
            .header("content-type", "application/grpc")
            .body(())?;
        let mut connection = self.connection.clone().ready().await?;
        let (answer, mut body) = connection.send_request(request, false)?;
        body.send_data(self.message.clone(), true)?;
        Ok(Call(answer))
    }
}

impl Call {
    /// Waits for the answer: a receipt, and no error.
    pub(crate) async fn answered(self) -> Result<(), Failure> {
        let answer = self.0.await?;
        let status = |headers: &HeaderMap| headers.get("grpc-status").cloned();
        let refused = status(answer.headers());
        let mut body = answer.into_body();
        let mut message = BytesMut::new();
        while let Some(part) = body.data().await {
            let part = part?;
            body.flow_control().release_capacity(part.len())?;
            message.extend_from_slice(&part);
        }
        let trailers = body.trailers().await?;
        let status = refused.or_else(|| trailers.as_ref().and_then(status));
        if status.as_ref().is_none_or(|status| status != "0") {
            return Err(format!("an answer with grpc-status {status:?}").into());
        }
        let message = message.get(PREFIX_SIZE..).ok_or("no message")?;
        v1::AppendResponse::decode(message)?.receipt.ok_or("no receipt")?;
        Ok(())
    }
}
