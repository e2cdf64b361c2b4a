//! event (under way).
