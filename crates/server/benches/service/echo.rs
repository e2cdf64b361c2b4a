//! Bare servers that do nothing but answer.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;

use axum::Router;
use axum::routing::post;
use bytes::Bytes;
use http::StatusCode;
use indelible_server::proto::v1;
use indelible_server::proto::v1::audit_service_server::{AuditService, AuditServiceServer};
use tokio::net::TcpListener;
use tokio_stream::Stream;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status, Streaming};

use crate::Failure;

type Serving = Pin<Box<dyn Future<Output = Result<(), Failure>> + Send>>;
type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// tonic's own server, as its users start it.
pub(crate) async fn grpc() -> Result<(SocketAddr, Serving), Failure> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
    let serving =
        Server::builder().add_service(AuditServiceServer::new(Echo)).serve_with_incoming(incoming);
    Ok((address, Box::pin(async { Ok(serving.await?) })))
}

/// axum's own server, as its users start it.
pub(crate) async fn http() -> Result<(SocketAddr, Serving), Failure> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let echo = |body: Bytes| async { (StatusCode::CREATED, body) };
    let serving = axum::serve(
        axum::serve::ListenerExt::tap_io(listener, |stream| drop(stream.set_nodelay(true))),
        Router::new().route("/v1/records", post(echo)),
    );
    Ok((address, Box::pin(async { Ok(serving.await?) })))
}

struct Echo;

#[tonic::async_trait]
impl AuditService for Echo {
    type AppendStreamStream = Answers<v1::AppendStreamResponse>;
    type QueryStream = Answers<v1::QueryResponse>;
    type TailStream = Answers<v1::TailResponse>;

    /// Answers with a receipt of the usual size.
    async fn append(
        &self,
        request: Request<v1::AppendRequest>,
    ) -> Result<Response<v1::AppendResponse>, Status> {
        let event = request.into_inner().event.unwrap_or_default();
        let receipt = v1::Receipt {
            log_id: "0123456789abcdef0123456789abcdef".to_owned(),
            seq: 1_000_000 + u64::from(event.actor.is_empty()),
            timestamp: "2026-01-02T03:04:05.123456789Z".to_owned(),
            hash: "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef".to_owned(),
            duplicate: false,
        };
        Ok(Response::new(v1::AppendResponse { receipt: Some(receipt) }))
    }

    async fn append_batch(
        &self,
        _: Request<v1::AppendBatchRequest>,
    ) -> Result<Response<v1::AppendBatchResponse>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn append_stream(
        &self,
        _: Request<Streaming<v1::AppendStreamRequest>>,
    ) -> Result<Response<Self::AppendStreamStream>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn get_record(
        &self,
        _: Request<v1::GetRecordRequest>,
    ) -> Result<Response<v1::GetRecordResponse>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn query(
        &self,
        _: Request<v1::QueryRequest>,
    ) -> Result<Response<Self::QueryStream>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn tail(
        &self,
        _: Request<v1::TailRequest>,
    ) -> Result<Response<Self::TailStream>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn get_checkpoint(
        &self,
        _: Request<v1::GetCheckpointRequest>,
    ) -> Result<Response<v1::GetCheckpointResponse>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn get_inclusion_proof(
        &self,
        _: Request<v1::GetInclusionProofRequest>,
    ) -> Result<Response<v1::GetInclusionProofResponse>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn get_consistency_proof(
        &self,
        _: Request<v1::GetConsistencyProofRequest>,
    ) -> Result<Response<v1::GetConsistencyProofResponse>, Status> {
        Err(Status::unimplemented(""))
    }
}
