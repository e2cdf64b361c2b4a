//! Where the appending process writes down what it says, outside of the log's file system: line by line, at once and
//! unbuffered.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

/// Writes lines down, each with one call.
#[derive(Debug)]
pub(super) struct Teller {
    file: File,
    lock: Mutex<()>,
}

impl Teller {
    pub(super) fn to(path: &Path) -> io::Result<Self> {
        #[expect(clippy::disallowed_methods, reason = "not a file of the log")]
        let file = File::options().append(true).open(path)?;
        Ok(Self { file, lock: Mutex::default() })
    }

    /// Says `word` and `rest`, whatever is in it, on one line.
    pub(super) fn tell(&self, word: &str, rest: &impl ToString) -> io::Result<()> {
        let line = format!("{word} {}", rest.to_string().replace('\n', " | "));
        let _held = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        (&self.file).write_all(format!("{}\n", line.trim_end()).as_bytes())
    }
}
