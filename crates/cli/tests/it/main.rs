//! The command as people meet it: the real binary on real files.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "helpers of tests fail as tests do"
)]

mod anchors;
mod append;
mod checkpoint;
mod errors;
mod help;
mod kill;
mod limits;
mod newcomer;
mod reading;
mod support;
mod terminal;
mod verify;
