//! Tests of the log as its users see it, a module for each property.

mod checker;
mod reference;
