//! Tests of the log as its users see it, a module for each property.

mod append;
mod checker;
mod crash;
mod reference;
