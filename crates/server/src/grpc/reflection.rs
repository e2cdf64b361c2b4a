//! What the service tells of itself to everybody: reflection, v1 and v1alpha. What it says stands in `proto/`.

use axum::Router;
use tonic::service::Routes;
use tonic_reflection::pb::{v1, v1alpha};
use tonic_reflection::server::{Builder, Error};

use crate::grpc::guard;
use crate::proto;

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
    let routes = Routes::new(builder().build_v1()?).add_service(builder().build_v1alpha()?);
    Ok(routes.into_axum_router().reset_fallback().layer(axum::middleware::from_fn(guard::guard)))
}
