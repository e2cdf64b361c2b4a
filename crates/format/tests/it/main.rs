//! What the crate does, seen from outside: one module a property.

mod real_events;
mod vectors;
