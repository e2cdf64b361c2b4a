//! tile (under way).
