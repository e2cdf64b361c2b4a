//! identity (under way).
