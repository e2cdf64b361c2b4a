//! Bearer tokens: [`Token`], the secret that a caller holds; [`TokenEntry`], what the service keeps of one; [`TokenFile`],
//! where it keeps them.
//!
//! Invariants:
//! - the secret is shown once, by whoever makes it, and is kept nowhere: the file has its SHA-256;
//! - digests are compared in constant time;
//! - a file that others could write is not read.
//!
//! Who changes the file while the service runs is followed by `watch`.

mod entry;
mod file;
mod secret;
mod set;
pub(crate) mod watch;

pub use self::entry::{TokenEntry, TokenEntryError};
pub use self::file::{TokenFile, TokenFileError};
pub use self::secret::{Token, TokenError};
pub(crate) use self::set::Found;
