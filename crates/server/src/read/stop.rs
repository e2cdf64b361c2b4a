//! Whether anybody still waits for what is read: [`Stop`].

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Told to a thread that reads: whoever waited for it is gone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stop(Arc<AtomicBool>);

impl Stop {
    pub(crate) fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Sets a [`Stop`] when it is dropped: kept by the future that waits.
#[derive(Debug, Default)]
pub(crate) struct SetOnDrop(Stop);

impl SetOnDrop {
    pub(crate) fn stop(&self) -> Stop {
        self.0.clone()
    }
}

impl Drop for SetOnDrop {
    fn drop(&mut self) {
        self.0.0.store(true, Ordering::Relaxed);
    }
}
