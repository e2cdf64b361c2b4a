//! Who calls, and what they may do.
//!
//! `peer` is what a listener knows of the other end; `layer` stands in front of every route: `browser` keeps web pages
//! away, `authenticate` makes a `Caller` of the peer and of a request's headers; handlers ask the caller, which counts in
//! `oversight` (`rates`, `refusals`); `lasting` asks again as long as a stream goes on. `tokens` has the tokens and their file, `principal` how principals are called; `housekeeping`
//! runs beside it. Nothing else decides about access.

pub(crate) mod authenticate;
pub(crate) mod browser;
pub(crate) mod caller;
mod denied;
pub(crate) mod housekeeping;
pub(crate) mod lasting;
pub(crate) mod layer;
mod oversight;
pub(crate) mod peer;
pub(crate) mod principal;
mod rates;
mod refusals;
pub mod role;
pub mod tokens;

pub(crate) use self::authenticate::Authenticator;
pub(crate) use self::caller::Caller;
pub(crate) use self::oversight::Oversight;
pub(crate) use self::peer::Peer;
