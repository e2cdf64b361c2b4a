//! Which mutant is on; made for a copy of this crate by `crates/torture/mutants`.
//!
//! `MUTANT=NUMBER` switches one on; `MUTANTS_TOUCHED=FILE` appends to it, once in a process, each number that is asked for.
//! What the compiler computes is never mutated.
//!
//! A process of which a test limits what it may open or write, or as whom it runs, must not notice: what it can't write down is
//! left to the others that ask for the same.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::Write as _;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, Ordering};

static ON: LazyLock<usize> = LazyLock::new(|| {
    std::env::var("MUTANT").map_or(usize::MAX, |number| number.parse().expect("MUTANT is a number"))
});
static TOUCHED: LazyLock<Option<OsString>> = LazyLock::new(|| {
    // A write beyond a limit of that kind ends the process.
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let mut lines = limits.lines().filter(|line| line.starts_with("Max file size "));
    let is_limited = lines.any(|line| !line.contains(" unlimited "));
    std::env::var_os("MUTANTS_TOUCHED").filter(|_| !is_limited)
});
static SEEN: [AtomicBool; 16384] = [const { AtomicBool::new(false) }; 16384];

/// Whether the mutant is on.
#[inline]
pub const fn on(number: usize) -> bool {
    core::intrinsics::const_eval_select((number,), never, at_run_time)
}

const fn never(_number: usize) -> bool {
    false
}

#[inline]
fn at_run_time(number: usize) -> bool {
    if let Some(path) = &*TOUCHED {
        touch(number, path);
    }
    *ON == number
}

#[cold]
fn touch(number: usize, path: &OsStr) {
    if SEEN[number].swap(true, Ordering::Relaxed) {
        return;
    }
    // Open no longer than it takes: some tests count what a process may have open.
    if let Ok(mut file) = File::options().append(true).open(path) {
        drop(file.write_all(format!("{number}\n").as_bytes()));
    }
}
