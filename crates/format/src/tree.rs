//! tree (under way).
