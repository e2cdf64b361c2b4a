//! What the service tells of itself to everybody: reflection, v1 and v1alpha. What it says stands in `proto/`.
//!
//! Invariant: what it holds for clients that show no token is bounded, by how large a request may be, which each answer
//! repeats twice, and by how many streams there may be.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::Response;
use http_body_util::BodyExt as _;
use tokio::sync::Semaphore;
use tonic::Status;
use tonic::service::Routes;
use tonic_reflection::pb::{v1, v1alpha};
use tonic_reflection::server::{Builder, Error};

use crate::error::{ApiError, Code};
use crate::grpc::guard;
use crate::proto;

/// Bytes of one request, which has a host and a name: far more than any that has an answer.
const REQUEST_SIZE_MAX: usize = 8 << 10;

/// Streams at one time, over all connections: each asks a few questions and ends.
const STREAMS_MAX: usize = 64;

/// The routes of both versions.
///
/// # Errors
/// The descriptors of this build can't be read.
pub(super) fn routes() -> Result<Router, Error> {
    // Either version tells of both: by itself it would know of its own alone.
    let builder = || {
        Builder::configure()
            .include_reflection_service(false)
            .register_encoded_file_descriptor_set(v1::FILE_DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(v1alpha::FILE_DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(proto::DESCRIPTORS)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    let current = builder().build_v1()?.max_decoding_message_size(REQUEST_SIZE_MAX);
    let alpha = builder().build_v1alpha()?.max_decoding_message_size(REQUEST_SIZE_MAX);
    let routes = Routes::new(current).add_service(alpha).into_axum_router().reset_fallback();
    let streams = Arc::new(Semaphore::new(STREAMS_MAX));
    Ok(routes.layer(from_fn_with_state(streams, bounded)).layer(from_fn(guard::guard)))
}

/// Answers, unless as many streams are open as may be; one is open until its client has taken all of it.
async fn bounded(State(streams): State<Arc<Semaphore>>, request: Request, next: Next) -> Response {
    let Ok(place) = streams.try_acquire_owned() else {
        let text = "as many streams of reflection are open as may be; try again";
        return Status::from(ApiError::new(Code::TooMany, text)).into_http();
    };
    next.run(request).await.map(|body| {
        Body::new(body.map_frame(move |frame| {
            let _open = &place;
            frame
        }))
    })
}
