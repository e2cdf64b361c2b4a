//! Finds its way around bytes that the medium does not give.
//!
//! Invariant: it reads, and judges nothing.

use std::ops::Range;

use super::Current;
use crate::segment::to_u64;

/// Bytes that are probed at once.
const PROBE_SIZE: u64 = 4096;
/// Probes that may fail before the rest of a file is given up.
const PROBES_MAX: u32 = 4096;

/// The first bytes at or behind `at` that can't be read, to the probe.
pub(super) fn unreadable_range(current: &Current<'_>, at: u64) -> Range<u64> {
    let readable = |from: u64| {
        let mut probe = [0; 4096];
        current.segment.file.read_at(&mut probe, from).is_ok()
    };
    let mut start = at - at % PROBE_SIZE;
    while start < current.size && readable(start) {
        start += PROBE_SIZE;
    }
    let mut end = start;
    for _ in 0..PROBES_MAX {
        if end >= current.size || (end > start && readable(end)) {
            // Where everything could be read at the second try, nothing is left between the two.
            return start.max(at).min(current.size)..end.max(at + 1).min(current.size);
        }
        end += PROBE_SIZE;
    }
    start.max(at).min(current.size)..current.size
}

/// Where the line behind the one that `from` stands in begins; the end where there is none, or it can't be read.
pub(super) fn next_line(current: &Current<'_>, from: u64) -> u64 {
    let mut at = from;
    while at < current.size {
        let Ok(bytes) = current.segment.read_range(at, (at + 64 * 1024).min(current.size)) else {
            // The next pass over it reports what can't be read.
            return if at > from { at } else { current.size };
        };
        if bytes.is_empty() {
            break;
        }
        if let Some(found) = memchr::memchr(b'\n', &bytes) {
            return at + to_u64(found) + 1;
        }
        at += to_u64(bytes.len());
    }
    current.size
}
