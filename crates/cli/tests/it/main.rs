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
mod backing_up;
mod by_hand;
mod checkpoint;
mod config;
mod doubt;
mod errors;
mod follow;
mod help;
mod kill;
mod limits;
mod manual;
mod newcomer;
mod over_the_wire;
mod places;
mod proofs;
mod query;
mod reading;
mod repaired;
mod repairing;
mod serve;
mod settings;
mod stdout;
mod support;
mod terminal;
mod token;
mod verify;
