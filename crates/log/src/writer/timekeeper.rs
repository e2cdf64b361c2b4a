//! The log's own time: what `timestamp` the next record gets, and what the log must say about its clock.
//!
//! Invariants (`docs/spec/record.md`, *Time*):
//! - a timestamp never decreases;
//! - a wall clock that runs over an hour ahead of what `CLOCK_BOOTTIME` has counted is not believed until it has kept
//!   step with it for five minutes, so that one wrong clock can't freeze the log's time for years.
//!
//! It reads no clock itself: readings come in, timestamps go out.

use indelible_format::own::{Announcement, ClockBehind, ClockJump};
use indelible_format::seeded::{self, Bug};
use indelible_format::time::Timestamp;

use crate::clock::ClockReading;

const SECOND_NS: i128 = 1_000_000_000;
/// A wall clock further ahead than this is not believed.
const AHEAD_NS_MAX: i128 = 3_600 * SECOND_NS;
/// How long it must then keep step to be believed.
const STEP_NS_MIN: i128 = 300 * SECOND_NS;
/// What counts as keeping step.
const STEP_NS_TOLERANCE: i128 = SECOND_NS;
/// A wall clock further behind the last timestamp than this is told.
const BEHIND_NS_MAX: i128 = SECOND_NS;

/// What the log records about its clock before the next record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Notice {
    /// The clock stands behind the last timestamp.
    Behind { wall: Timestamp },
    /// The clock jumped ahead (`believed` false), is believed now (true), or has come back (false).
    Jump { wall: Timestamp, counted: Timestamp, believed: bool },
}

impl From<Notice> for Announcement {
    fn from(notice: Notice) -> Self {
        match notice {
            Notice::Behind { wall } => Self::ClockBehind(ClockBehind { wall }),
            Notice::Jump { wall, counted, believed } => {
                Self::ClockJump(ClockJump { wall, counted, believed })
            }
        }
    }
}

/// The state of the log's time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timekeeper {
    last: Timestamp,
    /// The last reading that a timestamp was taken from.
    reference: ClockReading,
    /// Its wall clock, converted once: this is asked for every record.
    reference_ns: i128,
    /// Since when a clock that is too far ahead has kept step.
    ahead_since: Option<ClockReading>,
    behind: bool,
}

impl Timekeeper {
    /// Time that goes on after `last`, with the clocks standing at `now`.
    pub(crate) fn new(last: Timestamp, now: ClockReading) -> Self {
        let reference_ns = now.wall.unix_ns();
        Self { last, reference: now, reference_ns, ahead_since: None, behind: false }
    }

    /// Whether `last` is so far ahead of the wall clock that the log's time would stand still for over an hour.
    pub(crate) fn is_far_ahead(last: Timestamp, wall: Timestamp) -> bool {
        last.unix_ns() - wall.unix_ns() > AHEAD_NS_MAX
    }

    /// The timestamp of the next record, and what is to be recorded before it, with that same timestamp.
    pub(crate) fn next(&mut self, now: ClockReading) -> (Timestamp, Vec<Notice>) {
        let mut notices = Vec::new();
        let wall_ns = now.wall.unix_ns();
        let passed_ns = now.counted_ns.saturating_sub(self.reference.counted_ns);
        if wall_ns - self.reference_ns - passed_ns > AHEAD_NS_MAX {
            let counted = self.counted(now);
            let since = *self.ahead_since.get_or_insert_with(|| {
                notices.push(Notice::Jump { wall: now.wall, counted, believed: false });
                now
            });
            let kept = now.counted_ns.saturating_sub(since.counted_ns);
            let moved = wall_ns - since.wall.unix_ns();
            if (moved - kept).abs() > STEP_NS_TOLERANCE {
                self.ahead_since = Some(now);
            } else if kept >= STEP_NS_MIN {
                notices.push(Notice::Jump { wall: now.wall, counted, believed: true });
                self.ahead_since = None;
            }
        } else if self.ahead_since.take().is_some() {
            let counted = self.counted(now);
            notices.push(Notice::Jump { wall: now.wall, counted, believed: false });
        }

        if self.ahead_since.is_some() {
            self.last = self.last.max(self.counted(now));
        } else if now.wall >= self.last || seeded::is(Bug::TimeGoesBack) {
            self.last = now.wall;
            self.reference = now;
            self.reference_ns = wall_ns;
            self.behind = false;
        } else if self.last.unix_ns() - wall_ns > BEHIND_NS_MAX && !self.behind {
            self.behind = true;
            notices.push(Notice::Behind { wall: now.wall });
        }
        (self.last, notices)
    }

    /// What the time would be by what was counted since the last timestamp.
    fn counted(&self, now: ClockReading) -> Timestamp {
        let passed_ns = now.counted_ns.saturating_sub(self.reference.counted_ns);
        self.reference.wall.saturating_add_ns(passed_ns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i128 = 3_600;
    const START: i128 = 1_800_000_000;

    fn at(seconds: i128) -> Timestamp {
        Timestamp::from_unix_ns((START + seconds) * SECOND_NS).expect("in range")
    }

    fn reading(wall: i128, counted: i128) -> ClockReading {
        ClockReading { wall: at(wall), counted_ns: counted * SECOND_NS }
    }

    #[test]
    fn time_is_the_wall_clock_while_it_goes_forward() {
        let mut time = Timekeeper::new(at(0), reading(0, 0));
        assert_eq!(time.next(reading(1, 1)), (at(1), vec![]));
        assert_eq!(time.next(reading(1 + HOUR, 1 + HOUR)), (at(1 + HOUR), vec![]));
        assert_eq!(
            time.next(reading(2 + 2 * HOUR, 2 + HOUR)),
            (at(2 + 2 * HOUR), vec![]),
            "exactly an hour is believed"
        );
    }

    #[test]
    fn time_stands_while_the_clock_is_behind_and_says_so_once_an_episode() {
        let mut time = Timekeeper::new(at(0), reading(0, 0));
        time.next(reading(100, 100));
        assert_eq!(time.next(reading(99, 101)), (at(100), vec![]), "a second is nothing");
        assert_eq!(time.next(reading(50, 102)), (at(100), vec![Notice::Behind { wall: at(50) }]));
        assert_eq!(time.next(reading(51, 103)), (at(100), vec![]));
        assert_eq!(time.next(reading(101, 153)), (at(101), vec![]));
        assert_eq!(time.next(reading(60, 154)), (at(101), vec![Notice::Behind { wall: at(60) }]));
    }

    #[test]
    fn a_clock_that_jumps_ahead_is_believed_after_five_minutes_in_step() {
        let mut time = Timekeeper::new(at(0), reading(0, 0));
        let far = 24 * HOUR;
        let begun = Notice::Jump { wall: at(far), counted: at(10), believed: false };
        assert_eq!(time.next(reading(far, 10)), (at(10), vec![begun]));
        assert_eq!(time.next(reading(far + 299, 309)), (at(309), vec![]));
        let ended = Notice::Jump { wall: at(far + 300), counted: at(310), believed: true };
        assert_eq!(time.next(reading(far + 300, 310)), (at(far + 300), vec![ended]));
        assert_eq!(time.next(reading(far + 301, 311)), (at(far + 301), vec![]));
    }

    #[test]
    fn a_clock_out_of_step_begins_its_five_minutes_anew() {
        let mut time = Timekeeper::new(at(0), reading(0, 0));
        time.next(reading(24 * HOUR, 10));
        assert_eq!(time.next(reading(25 * HOUR, 200)), (at(200), vec![]));
        assert_eq!(time.next(reading(25 * HOUR + 299, 499)), (at(499), vec![]));
        let (now, notices) = time.next(reading(25 * HOUR + 300, 500));
        assert_eq!((now, notices.len()), (at(25 * HOUR + 300), 1));
    }

    #[test]
    fn a_clock_that_strays_by_a_second_is_in_step() {
        for stray in [-1, 1] {
            let mut time = Timekeeper::new(at(0), reading(0, 0));
            time.next(reading(24 * HOUR, 10));
            time.next(reading(24 * HOUR + 200 + stray, 210));
            let (now, notices) = time.next(reading(24 * HOUR + 300 + stray, 310));
            assert_eq!((now, notices.len()), (at(24 * HOUR + 300 + stray), 1));
        }
    }

    #[test]
    fn a_clock_that_comes_back_ends_the_episode_unbelieved() {
        let mut time = Timekeeper::new(at(0), reading(0, 0));
        time.next(reading(24 * HOUR, 10));
        let back = Notice::Jump { wall: at(20), counted: at(20), believed: false };
        assert_eq!(time.next(reading(20, 20)), (at(20), vec![back]));
        assert_eq!(time.next(reading(21, 21)), (at(21), vec![]));
    }

    #[test]
    fn a_return_from_behind_is_no_jump() {
        let mut time = Timekeeper::new(at(0), reading(0, 0));
        time.next(reading(10 * HOUR, 10 * HOUR));
        time.next(reading(0, 10 * HOUR + 1));
        assert_eq!(time.next(reading(10 * HOUR + 2, 10 * HOUR + 2)), (at(10 * HOUR + 2), vec![]));
    }
}
