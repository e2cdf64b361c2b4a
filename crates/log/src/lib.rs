//! An embedded, tamper-evident audit log.
