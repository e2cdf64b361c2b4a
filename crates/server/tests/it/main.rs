//! The service as its clients meet it: real sockets, real folders.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests fail as tests do"
)]

mod admin;
mod amplifying;
mod answers;
mod appending;
mod authentication;
mod batches;
mod browser;
mod client;
mod config;
mod connections;
mod failure;
mod health;
mod http;
mod lasting;
mod outcomes;
mod proving;
mod querying;
mod queueing;
mod rates;
mod raw;
mod reflection;
mod refusals;
mod roles;
mod shutdown;
mod space;
mod streams;
mod support;
mod tailing;
mod tls;
mod tokens;
mod web;
