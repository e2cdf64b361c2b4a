//! The bytes and the maths of an indelible audit log.

pub mod chain;
pub mod checkpoint;
pub mod decode_error;
pub mod event;
pub mod field;
mod hex;
pub mod identity;
mod json;
pub mod note;
pub mod own;
pub mod proof;
pub mod record;
mod sha256;
pub mod tile;
pub mod time;
pub mod tree;
