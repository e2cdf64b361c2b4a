//! A disk on which something happens before one of the operations that a reader asks of it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use indelible::storage::Storage;
use indelible::storage::in_hand::{Hand, InHand};

/// Does something once, before the operation with a given number.
pub(crate) type Interleaved = InHand<Turn>;

pub(crate) struct Turn {
    /// Only operations of this thread count, where one is named.
    thread: Option<&'static str>,
    left: AtomicU64,
    act: Mutex<Box<dyn FnMut() + Send>>,
}

impl Turn {
    /// Does `act` before operation `number`, from 0.
    pub(crate) fn before(number: u64, act: impl FnMut() + Send + 'static) -> Self {
        Self { thread: None, left: AtomicU64::new(number + 1), act: Mutex::new(Box::new(act)) }
    }

    /// Counts only the operations of the thread of this name.
    pub(crate) fn on_thread(self, name: &'static str) -> Self {
        Self { thread: Some(name), ..self }
    }

    /// The operations are those of `disk`.
    pub(crate) fn of(self, disk: Arc<dyn Storage>) -> Interleaved {
        InHand::new(disk, &Arc::new(self))
    }

    /// Whether there were as many operations.
    pub(crate) fn has_acted(&self) -> bool {
        self.left.load(Ordering::Relaxed) == 0
    }
}

impl Hand for Turn {
    fn looks(&self) {
        if self.thread.is_some() && std::thread::current().name() != self.thread {
            return;
        }
        let less = |left: u64| left.checked_sub(1);
        if self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less) == Ok(1) {
            (self.act.lock().unwrap())();
        }
    }
}
