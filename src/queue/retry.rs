//! When to try again, and when to give up (H05). Pure arithmetic on times that a clock may have told wrongly
//! (H34): a clock that jumps neither gives mail up early nor keeps it for ever.

use std::time::Duration;

use crate::clock::{Timestamp, later};

/// The wait after the configured ones are used up.
const LAST_WAIT: Duration = Duration::from_hours(4);

/// `[relay] retry` and `give_up_after`.
#[derive(Clone, Copy, Debug)]
pub struct RetrySchedule<'a> {
    /// Waits after the first, second, ... attempt.
    pub waits: &'a [Duration],
    /// Age at which a mail is given up.
    pub give_up_after: Duration,
}

/// What follows an attempt that left recipients waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Try again then.
    Again(Timestamp),
    /// It has been tried long enough.
    GiveUp,
}

impl RetrySchedule<'_> {
    /// What follows attempt number `attempts` (counted from 1), which ended at `now`, of a mail that was
    /// accepted at `created`. The last attempt falls on the moment of giving up, so that the sender hears in time.
    pub fn after(&self, attempts: u32, created: Timestamp, now: Timestamp) -> Next {
        let end = later(created, self.give_up_after);
        let tries = self.tries();
        let over = if now < created { attempts >= tries } else { now >= end && attempts >= tries / 2 };
        if over {
            return Next::GiveUp;
        }
        let again = later(now, self.wait(attempts));
        Next::Again(if now < end && end < again { end } else { again })
    }

    /// Whether a due time lies further ahead than any wait: then the clock has been set back since.
    pub fn is_beyond(&self, due: Timestamp, now: Timestamp) -> bool {
        let longest = self.waits.iter().copied().max().unwrap_or(LAST_WAIT).max(LAST_WAIT);
        due > later(now, longest)
    }

    fn wait(&self, attempts: u32) -> Duration {
        let used = attempts.saturating_sub(1) as usize;
        self.waits.get(used).copied().unwrap_or(LAST_WAIT)
    }

    /// Attempts that fit before giving up. Time alone does not end a mail: half of these must have been made,
    /// or else a clock that jumps ahead would bounce the whole queue.
    fn tries(&self) -> u32 {
        let (mut age, mut tries) = (Duration::ZERO, 0);
        while age < self.give_up_after && tries < 10_000 {
            tries += 1;
            age = age.saturating_add(self.wait(tries).max(Duration::from_secs(1)));
        }
        tries + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_mins(1);
    const HOUR: Duration = Duration::from_hours(1);
    const DAY: Duration = Duration::from_hours(24);
    const USUAL: RetrySchedule<'_> = RetrySchedule {
        waits: &[
            MINUTE,
            Duration::from_mins(5),
            Duration::from_mins(15),
            HOUR,
            Duration::from_hours(2),
            Duration::from_hours(4),
        ],
        give_up_after: Duration::from_secs(5 * 86_400),
    };

    fn start() -> Timestamp {
        "2026-11-23T12:00:00Z".parse().unwrap()
    }

    /// Attempts at the given times until giving up.
    fn play(schedule: &RetrySchedule<'_>) -> Vec<Duration> {
        let (mut now, mut times) = (start(), Vec::new());
        loop {
            times.push(now.duration_since(start()).unsigned_abs());
            match schedule.after(times.len() as u32, start(), now) {
                Next::Again(next) => now = next,
                Next::GiveUp => return times,
            }
            assert!(times.len() < 100, "endless");
        }
    }

    #[test]
    fn follows_the_schedule_and_ends_after_five_days() {
        let times = play(&USUAL);
        let minutes: Vec<u64> = times.iter().take(8).map(|time| time.as_secs() / 60).collect();
        assert_eq!(minutes, [0, 1, 6, 21, 81, 201, 441, 681]);
        assert_eq!(*times.last().unwrap(), 5 * DAY);
    }

    #[test]
    fn a_short_schedule_ends_on_time_too() {
        let second = Duration::from_secs(1);
        let waits = [second, second];
        let times = play(&RetrySchedule { waits: &waits, give_up_after: 5 * second });
        assert_eq!(times, [0, 1, 2, 5].map(Duration::from_secs));
        assert_eq!(play(&RetrySchedule { waits: &[], give_up_after: Duration::ZERO }), [Duration::ZERO]);
    }

    #[test]
    fn a_clock_that_jumps_ahead_gives_nothing_up_early() {
        let ahead = later(start(), 3650 * DAY);
        assert_eq!(USUAL.after(1, start(), ahead), Next::Again(later(ahead, MINUTE)));
        assert_eq!(USUAL.after(40, start(), ahead), Next::GiveUp);
    }

    #[test]
    fn a_clock_that_jumps_back_ends_by_count() {
        let back = Timestamp::UNIX_EPOCH;
        assert_eq!(USUAL.after(2, start(), back), Next::Again(later(back, 5 * MINUTE)));
        assert_eq!(USUAL.after(40, start(), back), Next::GiveUp);
        assert!(USUAL.is_beyond(start(), back));
        assert!(!USUAL.is_beyond(later(back, 4 * HOUR), back));
    }
    #[test]
    fn nothing_is_tried_again_at_once() {
        let end = later(start(), USUAL.give_up_after);
        assert_eq!(USUAL.after(1, start(), end), Next::Again(later(end, MINUTE)));
    }

    /// What is accepted and tried in one moment is as old as it says.
    #[test]
    fn a_clock_that_stands_still_was_not_set_back() {
        assert!(matches!(USUAL.after(1000, start(), start()), Next::Again(_)));
    }

    #[test]
    fn even_an_endless_schedule_ends() {
        let schedule = RetrySchedule { waits: &[], give_up_after: Duration::MAX };
        let back = Timestamp::UNIX_EPOCH;
        assert!(matches!(schedule.after(10_000, start(), back), Next::Again(_)));
        assert_eq!(schedule.after(10_001, start(), back), Next::GiveUp);
    }

    #[test]
    fn counts_the_tries_that_fit() {
        let waits = [MINUTE, MINUTE];
        let schedule = |minutes| RetrySchedule { waits: &waits, give_up_after: minutes * MINUTE };
        // Set back, a clock ends nothing by time.
        let back = Timestamp::UNIX_EPOCH;
        for (minutes, tries) in [(1, 2), (2, 3), (3, 4)] {
            let schedule = schedule(minutes);
            assert!(matches!(schedule.after(tries - 1, start(), back), Next::Again(_)), "{minutes}");
            assert_eq!(schedule.after(tries, start(), back), Next::GiveUp, "{minutes}");
        }
    }
}
