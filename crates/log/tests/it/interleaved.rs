//! A disk on which something happens before one of the operations that a reader asks of it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use indelible::storage::Storage;

use crate::in_hand::{Hand, InHand};

/// Does something once, before the operation with a given number.
pub(crate) type Interleaved = InHand<Turn>;

pub(crate) struct Turn {
    /// Only operations of this thread count, where one is named.
    thread: Option<&'static str>,
    left: AtomicU64,
    act: Mutex<Box<dyn FnMut() + Send>>,
}

impl Interleaved {
    /// `act` is done before operation `number`, from 0.
    pub(crate) fn before(
        number: u64,
        disk: Arc<dyn Storage>,
        act: impl FnMut() + Send + 'static,
    ) -> Self {
        let act: Box<dyn FnMut() + Send> = Box::new(act);
        let (left, act) = (AtomicU64::new(number + 1), Mutex::new(act));
        Self::new(disk, &Arc::new(Turn { thread: None, left, act }))
    }

    /// Counts only the operations of the thread of this name.
    pub(crate) fn on_thread(mut self, name: &'static str) -> Self {
        self.hand_mut().thread = Some(name);
        self
    }

    /// Whether there were as many operations.
    pub(crate) fn has_acted(&self) -> bool {
        self.hand().left.load(Ordering::Relaxed) == 0
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
