//! chain (under way).
