//! The audit service: indelible logs behind gRPC and HTTP on one port.
//!
//! [`Config`] says how, [`Server`] runs it. The only crate that knows protobuf, HTTP and authentication.
//!
//! It is not: a place where a log's bytes are decided (that is the library `indelible`), nor a way to change or delete
//! a record: there is none.

mod admin;
mod append;
pub mod auth;
pub mod client;
pub mod config;
mod convert;
mod engine;
mod error;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing;
mod grpc;
mod http;
mod listen;
mod metrics;
pub mod proto;
mod read;
mod readiness;
mod records;
mod server;
mod service;
mod shutdown;
mod telemetry;
mod unread;

pub use config::Config;
pub use engine::LogError;
pub use error::Code;
pub use listen::{SocketError, TlsError};
pub use server::{Server, StartError, run, run_with};
pub use shutdown::{Closed, Drained, Stopped};
