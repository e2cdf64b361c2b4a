//! A gRPC client that costs little: unary appends, all with the same bytes, on HTTP/2 itself.
//!
//! Where a client shares the processors with the server whose latency it measures, what it takes of them is measured too:
//! tonic's has two queues and two tasks in front of each connection.

use bytes::Bytes;
use h2::client::{ResponseFuture, SendRequest};
use http::{Request, StatusCode, Uri};
use indelible_server::proto::v1;
use prost::Message as _;
use tokio::net::TcpStream;

use crate::Failure;
use crate::child::Child;
use crate::load::event;

/// Whether it is compressed, and its length in four bytes: what gRPC puts in front of each message.
const PREFIX_SIZE: usize = 5;

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
    pub(crate) async fn connect(server: &Child) -> Result<Self, Failure> {
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
    /// Waits for the answer, whole and without an error.
    pub(crate) async fn answered(self) -> Result<(), Failure> {
        let answer = self.0.await?;
        if answer.status() != StatusCode::OK {
            return Err(format!("HTTP status {}", answer.status()).into());
        }
        let mut body = answer.into_body();
        let mut size = 0;
        while let Some(part) = body.data().await {
            let part = part?;
            size += part.len();
            body.flow_control().release_capacity(part.len())?;
        }
        let trailers = body.trailers().await?.ok_or("no trailers")?;
        if trailers.get("grpc-status").is_none_or(|status| status != "0") || size <= PREFIX_SIZE {
            return Err(format!("an answer of {size} bytes with {trailers:?}").into());
        }
        Ok(())
    }
}
