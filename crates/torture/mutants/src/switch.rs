//! Which mutant is on; made for a copy of this crate by `crates/torture/mutants`.
//!
//! `MUTANT=NUMBER` switches one on; `MUTANTS_TOUCHED=FILE` appends to it, once in a process, each number that is asked for.
//! What the compiler computes is never mutated.

use std::fs::File;
use std::io::Write as _;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, Ordering};

static ON: LazyLock<usize> = LazyLock::new(|| {
    std::env::var("MUTANT").map_or(usize::MAX, |number| number.parse().expect("MUTANT is a number"))
});
static TOUCHED: LazyLock<Option<File>> = LazyLock::new(|| {
    let path = std::env::var_os("MUTANTS_TOUCHED")?;
    Some(File::options().append(true).create(true).open(path).expect("MUTANTS_TOUCHED can be opened"))
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
    if let Some(file) = &*TOUCHED {
        touch(number, file);
    }
    *ON == number
}

#[cold]
fn touch(number: usize, mut file: &File) {
    if !SEEN[number].swap(true, Ordering::Relaxed) {
        file.write_all(format!("{number}\n").as_bytes()).expect("MUTANTS_TOUCHED can be written");
    }
}
