//! json (under way).
