//! The only source of time. Everything that asks "what time is it" holds a [`Clock`],
//! so that tests can move it; nothing else may call the operating system's clock.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

pub use jiff::Timestamp;
use rustix::time::{ClockId, clock_gettime};

use crate::secret;

/// A day as a duration. Days that people count are in [`crate::calendar`].
pub const DAY: Duration = Duration::from_hours(24);

/// A clock that is either the system's or, in tests, one that is moved by hand.
#[derive(Clone, Debug, Default)]
pub struct Clock(Option<Arc<Mutex<Timestamp>>>);

impl Clock {
    /// The system's clock (UTC).
    pub fn system() -> Self {
        Self(None)
    }

    /// A clock that stands still at `start` until [`Clock::advance`] moves it.
    pub fn movable(start: Timestamp) -> Self {
        Self(Some(Arc::new(Mutex::new(start))))
    }

    /// The present moment.
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            None => Timestamp::now(),
            Some(moved) => *moved.lock().unwrap_or_else(PoisonError::into_inner),
        }
    }

    /// Moves a movable clock forward; the system's clock ignores it.
    pub fn advance(&self, by: Duration) {
        if let Some(moved) = &self.0 {
            let mut now = moved.lock().unwrap_or_else(PoisonError::into_inner);
            *now = later(*now, by);
        }
    }
}

/// `start + by`, or the end of time where that does not fit.
pub fn later(start: Timestamp, by: Duration) -> Timestamp {
    start.saturating_add(by).unwrap_or(Timestamp::MAX)
}

/// `end - by`, or the start of time where that does not fit.
pub fn earlier(end: Timestamp, by: Duration) -> Timestamp {
    end.saturating_sub(by).unwrap_or(Timestamp::MIN)
}

/// `days` times 24 hours after `start`.
pub fn days_later(start: Timestamp, days: u32) -> Timestamp {
    later(start, DAY.saturating_mul(days))
}

/// How long this machine has been up, the time in which it slept or this process was stopped included (CLOCK_BOOTTIME): what
/// a promise is measured by that others rely on meanwhile.
pub fn since_boot() -> Duration {
    let time = clock_gettime(ClockId::Boottime);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// Between half of `pause` and all of it, at random: nodes that met with the same trouble do not come back at the same moment.
pub fn jittered(pause: Duration) -> Duration {
    let part = u32::from(u16::from_be_bytes(secret::random()));
    pause / 2 + pause / 2 * part / u32::from(u16::MAX)
}

/// The date and time format of RFC 5322 3.3, in UTC: `Mon, 23 Nov 2026 23:58:33 +0000`.
pub fn rfc5322(time: Timestamp) -> String {
    time.strftime("%a, %d %b %Y %H:%M:%S +0000").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moves_only_when_told() {
        let clock = Clock::movable(Timestamp::UNIX_EPOCH);
        assert_eq!(clock.now(), Timestamp::UNIX_EPOCH);
        clock.advance(Duration::from_secs(90));
        assert_eq!(clock.now().as_second(), 90);
        assert_eq!(days_later(clock.now(), 2).as_second(), 90 + 172_800);
        assert_eq!(later(Timestamp::MAX, Duration::from_secs(1)), Timestamp::MAX);
    }

    #[test]
    fn a_jittered_pause_is_no_longer_and_at_least_half() {
        let pause = Duration::from_secs(8);
        let pauses: Vec<_> = (0..100).map(|_| jittered(pause)).collect();
        assert!(pauses.iter().all(|it| (pause / 2..=pause).contains(it)), "{pauses:?}");
        assert!(pauses.iter().any(|it| *it != pauses[0]));
    }

    #[test]
    fn writes_mail_dates() {
        assert_eq!(rfc5322(Timestamp::UNIX_EPOCH), "Thu, 01 Jan 1970 00:00:00 +0000");
    }
}
