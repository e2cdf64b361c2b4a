//! checkpoint (under way).
