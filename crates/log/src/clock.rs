//! The seam to the clocks of the machine, and the log's own time made from them.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use indelible_format::time::Timestamp;

/// What both clocks said at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "other clocks build it")]
pub struct ClockReading {
    /// The wall clock, UTC.
    pub wall: Timestamp,
    /// Nanoseconds that `CLOCK_BOOTTIME` has counted, suspended time included.
    pub counted_ns: i128,
}

/// Tells the time.
pub trait Clock: fmt::Debug + Send + Sync {
    /// What the clocks say now.
    fn now(&self) -> ClockReading;
}

/// The clocks of this machine.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> ClockReading {
        #[expect(clippy::disallowed_methods, reason = "this is the clock")]
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        let unix_ns = match since {
            Ok(after) => i128::try_from(after.as_nanos()).unwrap_or(i128::MAX),
            Err(before) => i128::try_from(before.duration().as_nanos()).map_or(i128::MIN, |ns| -ns),
        };
        let boot = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        ClockReading {
            wall: Timestamp::from_unix_ns(unix_ns).unwrap_or(Timestamp::MIN),
            counted_ns: i128::from(boot.tv_sec) * 1_000_000_000 + i128::from(boot.tv_nsec),
        }
    }
}
