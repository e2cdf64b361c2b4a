//! An embedded, tamper-evident audit log.

pub mod storage;
