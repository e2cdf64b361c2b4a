//! time (under way).
