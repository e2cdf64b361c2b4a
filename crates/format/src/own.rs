//! own (under way).
