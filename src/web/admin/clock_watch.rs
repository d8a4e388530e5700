//! Whether the clock of this machine was set while the gateway ran: what it says is compared with a clock that nobody can set.
//! Asked at every look at the gateway.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::SignedDuration;

use crate::clock::Timestamp;

/// A smaller step is no jump: clocks are slewed to the right time by less.
const JUMP: Duration = Duration::from_secs(5);
/// For so long a jump is told.
const TOLD: Duration = Duration::from_hours(1);

/// A step of the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Jump {
    /// How far; less than none is back.
    pub by: SignedDuration,
    /// How long ago it was found.
    pub ago: Duration,
}

/// Remembers the last look.
#[derive(Debug, Default)]
pub(super) struct ClockWatch(Mutex<Looks>);

#[derive(Debug, Default)]
struct Looks {
    last: Option<(Timestamp, Duration)>,
    /// The last jump, and when it was found, in time since boot.
    jump: Option<(SignedDuration, Duration)>,
}

impl ClockWatch {
    /// Looks at both clocks, `since_boot` being the one that nobody can set; the last jump of the last hour.
    pub fn look(&self, now: Timestamp, since_boot: Duration) -> Option<Jump> {
        let mut looks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((then, boot_then)) = looks.last {
            let passed = SignedDuration::try_from(since_boot.saturating_sub(boot_then)).unwrap_or_default();
            let by = now.duration_since(then).saturating_sub(passed);
            if by.unsigned_abs() >= JUMP {
                looks.jump = Some((by, since_boot));
            }
        }
        looks.last = Some((now, since_boot));
        let (by, found) = looks.jump?;
        let ago = since_boot.saturating_sub(found);
        (ago < TOLD).then_some(Jump { by, ago })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_told_for_an_hour_and_a_slow_correction_never() {
        let watch = ClockWatch::default();
        let at = |wall: i64, boot: u64| {
            let now = Timestamp::from_second(1_000_000 + wall).unwrap();
            watch.look(now, Duration::from_secs(boot)).map(|jump| jump.by.as_secs())
        };
        assert_eq!([at(0, 50), at(60, 110), at(121, 170), at(180, 232)], [None; 4]);
        assert_eq!(at(180 + 3600, 233), Some(3599));
        assert_eq!(at(180 + 3660, 293), Some(3599), "it is told again");
        assert_eq!(at(0, 353), Some(-3900));
        assert_eq!(at(3599, 353 + 3599), Some(-3900));
        assert_eq!(at(3600, 353 + 3600), None);
    }
}
