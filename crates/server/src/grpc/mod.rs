//! The gRPC side: one method a function, each in the module of its kind.
//!
//! It decides nothing: what both protocols share is in `append` and `engine`.

mod append;
mod counted;
mod guard;
mod health;
mod prove;
mod read;
mod reflection;
mod scan;
pub(crate) mod status;
mod stream;

use axum::Router;
use prost::Message;
use tokio_stream::Stream;
use tonic::{Request, Response, Status, Streaming};

use self::counted::Made;
pub(crate) use self::guard::Methods;
use crate::auth::Caller;
use crate::error::ApiError;
use crate::proto::v1;
use crate::proto::v1::audit_service_server::{AuditService, AuditServiceServer};
use crate::service::Service;

/// The stream of answers of a method.
type Answers<T> = std::pin::Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

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

impl Audit {
    /// An answer with a message that may be large.
    fn answer<M: Message>(&self, message: M) -> Response<M> {
        let made = self.service.logs.answers().hold(message.encoded_len());
        let mut response = Response::new(message);
        if let Some(made) = made {
            response.extensions_mut().insert(Made::new(made));
        }
        response
    }
}

#[tonic::async_trait]
impl AuditService for Audit {
    type AppendStreamStream = stream::Appending;
    type QueryStream = Answers<v1::QueryResponse>;
    type TailStream = Answers<v1::TailResponse>;

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
        Ok(self.answer(append::batch(&self.service, &caller, request.into_inner()).await?))
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
        Ok(self.answer(read::one(&self.service, &caller, request.into_inner()).await?))
    }

    async fn query(
        &self,
        request: Request<v1::QueryRequest>,
    ) -> Result<Response<Self::QueryStream>, Status> {
        let caller = caller(&request)?;
        Ok(Response::new(read::query(&self.service, &caller, request.into_inner())?))
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
        Ok(self.answer(prove::checkpoint(&self.service, &caller, request.into_inner()).await?))
    }

    async fn get_inclusion_proof(
        &self,
        request: Request<v1::GetInclusionProofRequest>,
    ) -> Result<Response<v1::GetInclusionProofResponse>, Status> {
        let caller = caller(&request)?;
        Ok(self.answer(prove::inclusion(&self.service, &caller, request.into_inner()).await?))
    }

    async fn get_consistency_proof(
        &self,
        request: Request<v1::GetConsistencyProofRequest>,
    ) -> Result<Response<v1::GetConsistencyProofResponse>, Status> {
        let caller = caller(&request)?;
        Ok(self.answer(prove::consistency(&self.service, &caller, request.into_inner()).await?))
    }
}
