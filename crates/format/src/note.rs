//! note (under way).
