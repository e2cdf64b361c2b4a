//! A disk in memory that loses, tears, reorders and fails.
