//! The fast scan against the careful walk alone.
