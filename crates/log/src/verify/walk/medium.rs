//! Finds its way around bytes that the medium does not give.
//!
//! Invariant: it reads, and judges nothing.

use std::ops::Range;

use super::Current;
use crate::segment::to_u64;

/// Bytes that are probed at once.
const PROBE_SIZE: usize = 4096;
/// Probes that may fail before the rest of a file is given up.
const PROBES_MAX: usize = 4096;

/// The first bytes at or behind `at` that can't be read, to the probe.
pub(super) fn unreadable_range(current: &Current<'_>, at: u64) -> Range<u64> {
    let readable = |from: &u64| {
        let mut probe = [0; PROBE_SIZE];
        current.segment.file.read_at(&mut probe, *from).is_ok()
    };
    let start = probes(current, at).find(|from| !readable(from)).unwrap_or(current.size);
    let mut behind = probes(current, start).skip(1).take(PROBES_MAX);
    // Where everything could be read at the second try, nothing is left between the two.
    start.max(at)..behind.find(readable).unwrap_or(current.size)
}

/// Where the line behind the one that `from` stands in begins, or bytes that can't be read, where those come first; the
/// end where there is neither.
pub(super) fn next_line(current: &Current<'_>, from: u64) -> u64 {
    if let Ok(start) = current.segment.next_line_start(from) {
        return start.map_or(current.size, |start| start.min(current.size));
    }
    for probe in probes(current, from) {
        let (start, end) = (probe.max(from), probe + to_u64(PROBE_SIZE));
        let Ok(bytes) = current.segment.read_range(start, end.min(current.size)) else {
            // The next pass over it reports what can't be read.
            return start;
        };
        if let Some(found) = memchr::memchr(b'\n', &bytes) {
            return start + to_u64(found) + 1;
        }
    }
    current.size
}

/// Where the probes begin, from the one that `from` stands in on.
fn probes(current: &Current<'_>, from: u64) -> impl Iterator<Item = u64> {
    (from - from % to_u64(PROBE_SIZE)..current.size).step_by(PROBE_SIZE)
}
