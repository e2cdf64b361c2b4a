//! record (under way).
