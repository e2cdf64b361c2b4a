//! The command `indelible`.
fn main() {}
