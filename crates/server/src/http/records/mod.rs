//! `/records`: appended one ([`append`]) or many ([`batch`]) at a time, found ([`find`](mod@find)), and taken by their
//! number ([`one`]).

pub(super) mod append;
mod batch;
pub(super) mod find;
#[cfg(fuzzing)]
pub(super) mod fuzzing;
pub(super) mod one;
