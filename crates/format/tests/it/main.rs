//! What the crate promises, seen from outside.

mod tree_vectors;
