//! The command as people meet it: the real binary on real files.

mod append;
mod checkpoint;
mod errors;
mod help;
mod kill;
mod newcomer;
mod reading;
mod support;
mod terminal;
mod verify;
