//! Ways in for the fuzz targets of `fuzz/`, which have no socket and no file. It is in no other build.

use std::path::Path;

use indelible::Event;

use crate::config::{ConfigError, Loaded, load_text};

/// The configuration that `text` is, as the file `/etc/indelible/indelible.toml`.
///
/// # Errors
/// As [`load`](crate::config::load).
pub fn configuration(text: &str) -> Result<Loaded, ConfigError> {
    load_text(Path::new("/etc/indelible/indelible.toml"), text)
}

/// The events of the body of a `POST …/records`.
///
/// # Errors
/// The body of the answer.
pub fn body(
    content_type: &[u8],
    content_encoding: Option<&[u8]>,
    body: &[u8],
    count_max: usize,
) -> Result<Vec<Event>, Vec<u8>> {
    crate::http::take_body(content_type, content_encoding, body, count_max)
}
