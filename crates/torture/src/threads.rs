//! Threads that do the same work, and how the others learn that one of them is gone.

use std::any::Any;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use anyhow::anyhow;

/// Does `work` on each processor; all that came of it, or the first error. A panic is an error.
pub(crate) fn on_all_processors<T: Send>(
    work: impl Fn() -> anyhow::Result<T> + Sync,
) -> anyhow::Result<Vec<T>> {
    on(thread::available_parallelism().map_or(1, usize::from), work)
}

/// The same on so many threads.
pub(crate) fn on<T: Send>(
    threads: usize,
    work: impl Fn() -> anyhow::Result<T> + Sync,
) -> anyhow::Result<Vec<T>> {
    thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(&work)).collect();
        // All are waited for before one is told of.
        let ended: Vec<_> = threads.into_iter().map(thread::ScopedJoinHandle::join).collect();
        let panicked = |panic: Box<dyn Any + Send>| Err(anyhow!("panicked: {}", text_of(&*panic)));
        ended.into_iter().map(|ended| ended.unwrap_or_else(panicked)).collect()
    })
}

/// What a panic said.
pub(crate) fn text_of(panic: &(dyn Any + Send)) -> &str {
    let owned = panic.downcast_ref::<String>().map(String::as_str);
    owned.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no text")
}

/// Tells others to stop when it is dropped, by a panic too: a scope waits for all its threads.
#[derive(Debug)]
pub(crate) struct StopsOthers<'a>(pub(crate) &'a AtomicBool);

impl Drop for StopsOthers<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_of_one_thread_is_an_error_and_the_others_end() {
        let (turn, stop) = (AtomicBool::new(false), AtomicBool::new(false));
        let ended = on(3, || {
            let _stops = StopsOthers(&stop);
            assert!(turn.swap(true, Ordering::Relaxed), "the first one");
            while !stop.load(Ordering::Relaxed) {
                thread::yield_now();
            }
            Ok(())
        });
        assert_eq!(ended.unwrap_err().to_string(), "panicked: the first one");
    }
}
