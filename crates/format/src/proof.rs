//! proof (under way).
