//! A client of the service: appends that survive a lost connection, queries that go on by themselves, records as they come.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use indelible::Event;
//! use indelible_server::client::{Client, ConnectOptions};
//!
//! let client = Client::new(&ConnectOptions::new("http://127.0.0.1:8600".parse()?))?;
//! let receipt = client.append(&Event::new("agent:7", "login", "app:console")).await?;
//! println!("{receipt}");
//! # Ok(())
//! # }
//! ```
//!
//! Invariants:
//! - an append is tried again only under an `event_id`: an event without one is given one, so that it is recorded once;
//! - an error says whether the event may have been recorded ([`ClientError::is_indeterminate`]).
//!
//! It verifies nothing: records come as their stored lines, for `indelible-format` to check.

mod append;
mod connect;
mod error;
mod event;
mod read;
mod receipt;
mod retry;
mod unreachable;
mod url;

pub use self::append::Appending;
pub use self::connect::{Client, ConnectOptions, Token, TokenError};
pub use self::error::ClientError;
pub use self::read::{Following, Found};
pub use self::retry::{Notice, Observer, Retry};
pub use self::unreachable::Unreachable;
pub use self::url::{ServerUrl, ServerUrlError};
