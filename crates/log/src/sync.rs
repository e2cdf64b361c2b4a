//! What the threads of a log meet at: the primitives of the standard library; or, under `--cfg shuttle`, those of a
//! scheduler that tries the orders in which threads can run (the layer `schedules` of `crates/torture`).
//!
//! Invariant: whatever waits for another thread of the log waits through these. What nobody holds while it waits, as the
//! storages' own locks, may be the standard library's.

#[cfg(shuttle)]
pub(crate) use shuttle::{
    sync::{Condvar, Mutex, MutexGuard},
    thread,
};
#[cfg(not(shuttle))]
pub(crate) use std::{
    sync::{Condvar, Mutex, MutexGuard},
    thread,
};

use std::sync::PoisonError;

/// Locks, whatever a thread that panicked left: the state behind each lock is whole between statements.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
