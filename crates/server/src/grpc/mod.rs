//! The gRPC side: one method a function, each in the module of its kind.
//!
//! It decides nothing: what both protocols share is in `append` and `engine`.

mod append;
mod guard;
mod health;
mod prove;
mod read;
mod reflection;
mod scan;
pub(crate) mod status;
mod stream;
mod unread;

use axum::Router;
use prost::Message;
use tokio_stream::Stream;
use tonic::{Request, Response, Status, Streaming};

pub(crate) use self::guard::Methods;
use self::unread::Counting;
use crate::auth::Caller;
use crate::error::ApiError;
use crate::proto::v1;
use crate::proto::v1::audit_service_server::{AuditService, AuditServiceServer};
use crate::service::Service;
use crate::unread::Unread;

/// The stream of answers of a method.
type Items<T> = std::pin::Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// The methods of `AuditService`.
pub(crate) fn methods(service: &Service) -> Methods {
    let size_max = service.config.limits.request_size_max;
    let audit = AuditServiceServer::new(Audit { service: service.clone() })
        .max_decoding_message_size(size_max)
        .max_encoding_message_size(usize::MAX);
    Methods::new(service, audit)
}

/// What is told to everybody, and needs no [`Caller`].
///
/// # Errors
/// The descriptors of this build can't be read.
pub(crate) fn open_routes(service: &Service) -> Result<Router, tonic_reflection::server::Error> {
    Ok(reflection::routes()?.merge(health::routes(service)))
}

/// `AuditService`.
#[derive(Clone, Debug)]
struct Audit {
    service: Service,
}

/// Who sent the request.
fn caller<T>(request: &Request<T>) -> Result<Caller, ApiError> {
    let caller = request.extensions().get::<Caller>().cloned();
    caller.ok_or_else(|| ApiError::internal("a request that nobody authenticated"))
}

/// An answer with a message that may be large.
fn counted<M: Message>(message: M, unread: &Unread) -> Response<M> {
    let counting = Counting::made(unread, message.encoded_len());
    let mut response = Response::new(message);
    response.extensions_mut().insert(counting);
    response
}

impl Audit {
    /// An answer with a message that was read and may be large.
    fn read<M: Message>(&self, message: M) -> Response<M> {
        counted(message, &self.service.logs.unread().reads)
    }
}

#[tonic::async_trait]
impl AuditService for Audit {
    type AppendStreamStream = stream::Appending;
    type QueryStream = Items<v1::QueryResponse>;
    type TailStream = Items<v1::TailResponse>;

    async fn append(
        &self,
        request: Request<v1::AppendRequest>,
    ) -> Result<Response<v1::AppendResponse>, Status> {
        let caller = caller(&request)?;
        Ok(Response::new(append::one(&self.service, &caller, request.into_inner()).await?))
    }

    async fn append_batch(
        &self,
        request: Request<v1::AppendBatchRequest>,
    ) -> Result<Response<v1::AppendBatchResponse>, Status> {
        let caller = caller(&request)?;
        let answer = append::batch(&self.service, &caller, request.into_inner()).await?;
        Ok(counted(answer, &self.service.logs.unread().batches))
    }

    async fn append_stream(
        &self,
        request: Request<Streaming<v1::AppendStreamRequest>>,
    ) -> Result<Response<Self::AppendStreamStream>, Status> {
        let caller = caller(&request)?;
        Ok(Response::new(stream::Appending::new(&self.service, caller, request.into_inner())))
    }

    async fn get_record(
        &self,
        request: Request<v1::GetRecordRequest>,
    ) -> Result<Response<v1::GetRecordResponse>, Status> {
        let caller = caller(&request)?;
        Ok(self.read(read::one(&self.service, &caller, request.into_inner()).await?))
    }

    async fn query(
        &self,
        request: Request<v1::QueryRequest>,
    ) -> Result<Response<Self::QueryStream>, Status> {
        let caller = caller(&request)?;
        let found = read::query(&self.service, &caller, request.into_inner())?;
        let mut response = Response::new(found);
        response.extensions_mut().insert(Counting::encoded(&self.service.logs.unread().reads));
        Ok(response)
    }

    async fn tail(
        &self,
        request: Request<v1::TailRequest>,
    ) -> Result<Response<Self::TailStream>, Status> {
        let caller = caller(&request)?;
        Ok(Response::new(read::tail(&self.service, &caller, request.into_inner()).await?))
    }

    async fn get_checkpoint(
        &self,
        request: Request<v1::GetCheckpointRequest>,
    ) -> Result<Response<v1::GetCheckpointResponse>, Status> {
        let caller = caller(&request)?;
        Ok(self.read(prove::checkpoint(&self.service, &caller, request.into_inner()).await?))
    }

    async fn get_inclusion_proof(
        &self,
        request: Request<v1::GetInclusionProofRequest>,
    ) -> Result<Response<v1::GetInclusionProofResponse>, Status> {
        let caller = caller(&request)?;
        Ok(self.read(prove::inclusion(&self.service, &caller, request.into_inner()).await?))
    }

    async fn get_consistency_proof(
        &self,
        request: Request<v1::GetConsistencyProofRequest>,
    ) -> Result<Response<v1::GetConsistencyProofResponse>, Status> {
        let caller = caller(&request)?;
        Ok(self.read(prove::consistency(&self.service, &caller, request.into_inner()).await?))
    }
}
