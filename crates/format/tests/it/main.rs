//! What the crate promises, seen from outside: one module a property.

#![expect(clippy::unwrap_used, reason = "a test says what it needs by failing")]

mod proof_vectors;
mod real_events;
mod tree_vectors;
mod vectors;
