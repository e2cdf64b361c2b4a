//! The bytes and the maths of an indelible audit log.
