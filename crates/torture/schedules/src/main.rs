//! The group-commit queue of the log, and every thread around it, under a scheduler that tries the orders in which threads
//! can run: a program of its own, since all of the log must be built with `--cfg shuttle` for it. The layer `schedules` of
//! the bench builds and runs it.
//!
//! - `scenario`: who does what at once, made from a seed, and what fails meanwhile;
//! - `caller`: a thread that does it;
//! - `seen`: what was told to whom, and whether that holds;
//! - `base`: the logs that scenarios begin with.
//!
//! Without `--cfg shuttle` it is empty.

#[cfg(shuttle)]
mod base;
#[cfg(shuttle)]
mod bench;
#[cfg(shuttle)]
mod caller;
#[cfg(shuttle)]
mod scenario;
#[cfg(shuttle)]
mod seen;

fn main() {
    #[cfg(shuttle)]
    bench::main();
}
