//! When recipients who have not opened a transfer are reminded. Pure; used when it is sealed, and by `reminders`.

use std::time::Duration;

use crate::calendar::Zone;
use crate::clock::{Timestamp, later};

/// The last days: then the last reminder goes out, and the sender is warned.
pub const LAST_DAYS: u32 = 2;
/// Nothing within this time of the sealing, or of another reminder.
pub const APART: Duration = Duration::from_hours(24);

/// The two moments; none where the time is too short for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReminderSchedule {
    /// Half of the time has passed.
    pub half: Option<Timestamp>,
    /// Two days are left.
    pub last: Option<Timestamp>,
}

impl ReminderSchedule {
    /// Of a transfer of an organisation in `zone`. Under two days there is no reminder; under three only the one at half
    /// time, without a warning to the sender; under six only the last one.
    pub fn of(created: Timestamp, expires: Timestamp, zone: &Zone) -> Self {
        let earliest = later(created, APART);
        let last = Some(zone.days_earlier(expires, LAST_DAYS)).filter(|last| *last >= earliest);
        let whole = Duration::try_from(expires.duration_since(created)).unwrap_or_default();
        let half = later(created, whole / 2);
        let is_apart = half >= earliest && last.is_none_or(|last| later(half, APART) <= last);
        Self { half: is_apart.then_some(half), last }
    }

    /// Whether the reminder at half time still makes sense at `now`: not when the last one is near.
    pub fn half_is_worth_it(self, now: Timestamp) -> bool {
        self.half.is_some() && self.last.is_none_or(|last| later(now, APART) <= last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::days_later;

    #[test]
    fn short_transfers_get_fewer_reminders() {
        let created: Timestamp = "2026-11-24T10:00:00Z".parse().unwrap();
        // Days to live -> hours until the reminders.
        for (days, half, last) in [
            (1, None, None),
            (2, Some(24), None),
            (3, None, Some(24)),
            (5, None, Some(72)),
            (6, Some(72), Some(96)),
            (30, Some(360), Some(672)),
            (365, Some(4380), Some(8712)),
        ] {
            let after =
                |hours: Option<u64>| hours.map(|hours| later(created, Duration::from_secs(hours * 3600)));
            let schedule = ReminderSchedule::of(created, days_later(created, days), &Zone::default());
            assert_eq!(schedule, ReminderSchedule { half: after(half), last: after(last) }, "{days} days");
        }
        assert_eq!(
            ReminderSchedule::of(created, created, &Zone::default()),
            ReminderSchedule { half: None, last: None }
        );
        assert_eq!(
            ReminderSchedule::of(created, Timestamp::UNIX_EPOCH, &Zone::default()),
            ReminderSchedule { half: None, last: None }
        );
    }

    #[test]
    fn a_late_reminder_gives_way_to_the_last() {
        let created: Timestamp = "2026-11-24T10:00:00Z".parse().unwrap();
        let schedule = ReminderSchedule::of(created, days_later(created, 30), &Zone::default());
        assert!(schedule.half_is_worth_it(days_later(created, 15)));
        assert!(schedule.half_is_worth_it(days_later(created, 27)));
        assert!(!schedule.half_is_worth_it(later(days_later(created, 27), Duration::from_secs(1))));
    }

    proptest::proptest! {
        #[test]
        fn nothing_is_too_close(seconds in 0u64..40_000_000) {
            let created = Timestamp::UNIX_EPOCH;
            let expires = later(created, Duration::from_secs(seconds));
            let ReminderSchedule { half, last } = ReminderSchedule::of(created, expires, &Zone::default());
            for time in [half, last].into_iter().flatten() {
                proptest::prop_assert!(time >= later(created, APART));
            }
            if let (Some(half), Some(last)) = (half, last) {
                proptest::prop_assert!(later(half, APART) <= last);
            }
        }
    }
}
