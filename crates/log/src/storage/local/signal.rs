//! The one signal that would end a process for writing.
//!
//! SIGPIPE is left as Rust's runtime sets it: ignored.

use std::io;
use std::sync::atomic::AtomicBool;
use std::sync::{Mutex, PoisonError};

use rustix::process::Signal;

/// Makes a write beyond the process's file size limit (`ulimit -f`) fail with `EFBIG` where it would end the process
/// by SIGXFSZ; done once per process, however often it is called.
///
/// A handler that the process has set already is still called. Programs that it starts get the signal's default back.
///
/// # Errors
/// The handler could not be set.
pub fn ignore_file_size_signal() -> io::Result<()> {
    static DONE: Mutex<bool> = Mutex::new(false);
    // The flag is never read: what counts is that a handler stands.
    static RAISED: AtomicBool = AtomicBool::new(false);

    let mut done = DONE.lock().unwrap_or_else(PoisonError::into_inner);
    if !*done {
        signal_hook::flag::register(Signal::XFSZ.as_raw(), &RAISED)?;
        *done = true;
    }
    Ok(())
}
