//! When recipients who have not opened a transfer are reminded. Pure; used when it is sealed, and by `reminders`.

use std::time::Duration;

use crate::calendar::Zone;
use crate::clock::{DAY, Timestamp, later};

/// The last days: then the last reminder goes out, and the sender is warned.
const LAST_DAYS: u32 = 2;
/// Nothing within this time of another reminder.
pub const APART: Duration = Duration::from_hours(24);
/// Nothing within this time of the sealing.
const SETTLED: Duration = Duration::from_hours(12);

/// The two moments, each in the morning; none where the time is too short for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReminderSchedule {
    /// The last morning before half of the time.
    pub half: Option<Timestamp>,
    /// The morning two days before the last one.
    pub last: Option<Timestamp>,
}

impl ReminderSchedule {
    /// Of a transfer of an organisation in `zone`. For one day there is no reminder; for two only the one at half
    /// time, without a warning to the sender; for three or four only the last one.
    pub fn of(created: Timestamp, expires: Timestamp, zone: &Zone) -> Self {
        let earliest = zone.next_morning(later(created, SETTLED));
        let day = zone.date(expires).saturating_sub(DAY * LAST_DAYS);
        let last = Some(zone.morning(day)).filter(|last| *last >= earliest);
        let whole = Duration::try_from(expires.duration_since(created)).unwrap_or_default();
        let half = zone.morning(zone.begun_day(later(created, whole / 2)));
        let is_apart = half >= earliest && last.is_none_or(|last| later(half, APART) <= last);
        Self { half: is_apart.then_some(half), last }
    }

    /// What expires until then is in its last days at `now`.
    pub fn last_days(now: Timestamp, zone: &Zone) -> Timestamp {
        zone.last_second(zone.begun_day(now).saturating_add(DAY * LAST_DAYS))
    }

    /// Whether the reminder at half time still makes sense at `now`: not when the last one is near.
    pub fn half_is_worth_it(self, now: Timestamp) -> bool {
        self.half.is_some() && self.last.is_none_or(|last| later(now, APART) <= last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{days_later, earlier};

    #[test]
    fn short_transfers_get_fewer_reminders() {
        let (zone, created) = (Zone::default(), "2026-11-24T10:00:00Z".parse().unwrap());
        // Days to live -> hours until the reminders, at nine in the morning.
        for (days, half, last) in [
            (1, None, None),
            (2, Some(22), None),
            (3, None, Some(22)),
            (4, None, Some(46)),
            (5, Some(46), Some(70)),
            (6, Some(70), Some(94)),
            (30, Some(358), Some(670)),
            (365, Some(4365), Some(8710)),
        ] {
            let after = |hours: Option<u64>| hours.map(|hours| later(created, Duration::from_hours(hours)));
            let schedule = ReminderSchedule::of(created, zone.end_of_day(created, days), &zone);
            assert_eq!(schedule, ReminderSchedule { half: after(half), last: after(last) }, "{days} days");
        }
        for never in [created, Timestamp::UNIX_EPOCH] {
            let schedule = ReminderSchedule::of(created, never, &zone);
            assert_eq!(schedule, ReminderSchedule { half: None, last: None });
        }
    }

    #[test]
    fn the_last_days_begin_when_the_last_reminder_is_due() {
        let (zone, created) = (Zone::default(), "2026-11-24T10:00:00Z".parse().unwrap());
        for days in [3, 4, 30, 130, 365] {
            let expires = zone.end_of_day(created, days);
            let last = ReminderSchedule::of(created, expires, &zone).last.unwrap();
            assert!(ReminderSchedule::last_days(last, &zone) >= expires);
            assert!(ReminderSchedule::last_days(earlier(last, Duration::from_secs(1)), &zone) < expires);
        }
    }

    #[test]
    fn a_late_reminder_gives_way_to_the_last() {
        let created: Timestamp = "2026-11-24T10:00:00Z".parse().unwrap();
        let schedule = ReminderSchedule::of(created, days_later(created, 30), &Zone::default());
        assert!(schedule.half_is_worth_it(days_later(created, 15)));
        let day_before = earlier(schedule.last.unwrap(), APART);
        assert!(schedule.half_is_worth_it(day_before));
        assert!(!schedule.half_is_worth_it(later(day_before, Duration::from_secs(1))));
    }

    proptest::proptest! {
        #[test]
        fn nothing_is_too_close(seconds in 0u64..40_000_000) {
            let created = Timestamp::UNIX_EPOCH;
            let expires = later(created, Duration::from_secs(seconds));
            let ReminderSchedule { half, last } = ReminderSchedule::of(created, expires, &Zone::default());
            for time in [half, last].into_iter().flatten() {
                proptest::prop_assert!(time >= later(created, SETTLED));
            }
            if let (Some(half), Some(last)) = (half, last) {
                proptest::prop_assert!(later(half, APART) <= last);
            }
        }
    }
}
