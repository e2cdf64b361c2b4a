//! Finds its way around bytes that the medium does not give.
//!
//! Invariant: it reads, and judges nothing.

use std::ops::Range;

use crate::segment::{Segment, to_u64};

/// Bytes that are probed at once.
const PROBE_SIZE: usize = 4096;
/// Probes that may fail before the rest of a file is given up.
const PROBES_MAX: usize = 4096;

/// The first bytes at or behind `at` that can't be read, to the probe; of `size` bytes of a segment.
pub(super) fn unreadable_range(segment: &Segment, size: u64, at: u64) -> Range<u64> {
    let readable = |from: &u64| {
        let mut probe = [0; PROBE_SIZE];
        segment.file.read_at(&mut probe, *from).is_ok()
    };
    let start = probes(size, at).find(|from| !readable(from)).unwrap_or(size);
    let mut behind = probes(size, start).skip(1).take(PROBES_MAX);
    // Where everything could be read at the second try, nothing is left between the two.
    start.max(at)..behind.find(readable).unwrap_or(size)
}

/// Where the line behind the one that `from` stands in begins, or bytes that can't be read, where those come first; the
/// end where there is neither.
pub(super) fn next_line(segment: &Segment, size: u64, from: u64) -> u64 {
    if let Ok(start) = segment.next_line_start(from) {
        return start.map_or(size, |start| start.min(size));
    }
    let found = probes(size, from).find_map(|probe| {
        let (start, end) = (probe.max(from), probe + to_u64(PROBE_SIZE));
        match segment.read_range(start, end.min(size)) {
            Ok(bytes) => memchr::memchr(b'\n', &bytes).map(|feed| start + to_u64(feed) + 1),
            // The next pass over it reports what can't be read.
            Err(_) => Some(start),
        }
    });
    found.unwrap_or(size)
}

/// Where the probes begin, from the one that `from` stands in on.
fn probes(size: u64, from: u64) -> impl Iterator<Item = u64> {
    (from - from % to_u64(PROBE_SIZE)..size).step_by(PROBE_SIZE)
}
