//! The file system of this machine.
