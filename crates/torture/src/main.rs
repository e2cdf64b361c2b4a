//! The bench that breaks the disk, the process, the clock and the files under indelible, and looks whether anything was
//! lost or anything lied.
//!
//! Each layer breaks one thing in many ways, its cases. A case is made from the seed and its number alone, so that it can
//! be replayed. What is tried, how often, and what is not covered: `docs/design/reliability.md`.

#![expect(clippy::print_stdout, reason = "a command: what it finds is for whoever runs it")]

mod args;
mod bench;
mod cases;
mod command;
mod http;
mod invariants;
mod layer;
mod layers;
mod need;
mod plan;
mod show;
mod threads;
mod variant;

use std::process::ExitCode;

use clap::Parser;

use crate::args::Args;

fn main() -> ExitCode {
    match bench::run(&Args::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            println!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
