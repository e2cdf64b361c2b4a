//! The messages and services of `proto/`, generated when the crate is built.
//!
//! Only `convert`, `grpc` and `client` use them.

/// `indelible.v1`.
#[expect(
    unused_qualifications,
    clippy::pedantic,
    clippy::allow_attributes,
    clippy::allow_attributes_without_reason,
    clippy::as_conversions,
    clippy::exhaustive_structs,
    clippy::exhaustive_enums,
    reason = "generated"
)]
pub mod v1 {
    tonic::include_proto!("indelible.v1");
}

/// The descriptors of `proto/`, for reflection.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));
