//! Days as people count them, in the time zone of an organisation: a day that is promised lasts until its end, and a day
//! on which the clocks change is one day. Whoever names a day to a reader, or counts days that a reader was told of,
//! does it here; `clock::DAY` is for durations.
//!
//! The rules of all zones are in the binary: nothing depends on what the system has installed.

use std::fmt;
use std::time::Duration;

use jiff::ZonedDateTime;
use jiff::civil::{Date, DateTime};
use jiff::tz::{self, TimeZone};
use serde::Deserialize;

use crate::clock::{DAY, Timestamp, earlier};

/// The hour of [`Zone::morning`].
const MORNING: i8 = 9;

/// A time zone of the IANA database.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Zone(TimeZone);

/// There is no time zone of this name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown time zone {name:?}; did you mean {nearest}?")]
pub struct UnknownZone {
    name: String,
    nearest: String,
}

/// A day as a date picker sends it, `2026-12-31`, or as people type it where there is none, `31-12-2026` and `31/12/2026`.
pub fn read_day(typed: &str) -> Option<Date> {
    const LONGEST: usize = 10;
    let typed = Some(typed.trim()).filter(|typed| typed.len() <= LONGEST)?;
    ["%Y-%m-%d", "%d-%m-%Y", "%d/%m/%Y"].iter().find_map(|form| Date::strptime(form, typed).ok())
}

impl Zone {
    /// Its name in the IANA database.
    pub fn name(&self) -> &str {
        self.0.iana_name().unwrap_or("UTC")
    }

    /// The moment on the clocks of this zone.
    pub fn local(&self, time: Timestamp) -> ZonedDateTime {
        time.to_zoned_datetime(self.0.clone())
    }

    /// The day that it is in this zone.
    pub fn date(&self, time: Timestamp) -> Date {
        self.local(time).date()
    }

    /// The beginning of a day.
    pub fn first_moment(&self, day: Date) -> Timestamp {
        let start = self.0.to_zoned_datetime(day.into()).and_then(|start| start.start_of_day());
        start.map_or(Timestamp::MIN, |start| start.timestamp())
    }

    /// The last second of a day: 23:59:59, however long the day is.
    pub fn last_second(&self, day: Date) -> Timestamp {
        let next = day.tomorrow().and_then(|next| self.0.to_zoned_datetime(next.into()));
        // Where the clocks change at midnight the day does not begin at 00:00.
        match next.and_then(|next| next.start_of_day()) {
            Ok(next) => earlier(next.timestamp(), Duration::from_secs(1)),
            Err(_) => Timestamp::MAX,
        }
    }

    /// The last second of the day that comes so many days after that of `start`: until then lasts what is promised for
    /// so many days.
    pub fn end_of_day(&self, start: Timestamp, days: u32) -> Timestamp {
        self.last_second(self.date(start).saturating_add(DAY.saturating_mul(days)))
    }

    /// 09:00 of a day: when mails go out that nothing but the calendar makes.
    pub fn morning(&self, day: Date) -> Timestamp {
        self.0.to_timestamp(day.at(MORNING, 0, 0, 0)).unwrap_or(Timestamp::MAX)
    }

    /// The first [`Zone::morning`] at or after `time`.
    pub fn next_morning(&self, time: Timestamp) -> Timestamp {
        let day = self.date(time);
        let this = self.morning(day);
        if this >= time { this } else { self.morning(day.saturating_add(DAY)) }
    }

    /// The last day whose [`Zone::morning`] has come at `time`.
    pub fn begun_day(&self, time: Timestamp) -> Date {
        let day = self.date(time);
        if self.morning(day) <= time { day } else { day.saturating_sub(DAY) }
    }

    /// Whether it is the last second of its day.
    pub fn is_end_of_day(&self, time: Timestamp) -> bool {
        time >= self.last_second(self.date(time))
    }

    /// The same time of day so many days after `start`.
    pub fn days_later(&self, start: Timestamp, days: u32) -> Timestamp {
        self.moved(start, days, |civil, by| civil.saturating_add(by)).unwrap_or(Timestamp::MAX)
    }

    /// The same time of day so many days before `end`.
    pub fn days_earlier(&self, end: Timestamp, days: u32) -> Timestamp {
        self.moved(end, days, |civil, by| civil.saturating_sub(by)).unwrap_or(Timestamp::MIN)
    }

    fn moved(
        &self,
        from: Timestamp,
        days: u32,
        by: impl FnOnce(DateTime, Duration) -> DateTime,
    ) -> Option<Timestamp> {
        // In the hour that comes twice the time of day does not say which of the two it is.
        if days == 0 {
            return Some(from);
        }
        self.0.to_timestamp(by(self.local(from).datetime(), DAY.saturating_mul(days))).ok()
    }
}

impl Default for Zone {
    /// That of the Netherlands in Europe.
    fn default() -> Self {
        // The database in the binary has it: a test says so.
        Self(tz::db().get("Europe/Amsterdam").unwrap_or(TimeZone::UTC))
    }
}

impl TryFrom<String> for Zone {
    type Error = UnknownZone;

    fn try_from(name: String) -> Result<Self, UnknownZone> {
        match tz::db().get(&name) {
            Ok(zone) if !zone.is_unknown() => Ok(Self(zone)),
            _ => Err(UnknownZone { nearest: nearest(&name), name }),
        }
    }
}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The known name that looks most like this one; people leave out the continent.
fn nearest(name: &str) -> String {
    let wanted = name.to_lowercase();
    let distance = |known: &String| {
        let known = known.to_lowercase();
        let city = known.rsplit('/').next().unwrap_or("");
        strsim::levenshtein(&known, &wanted).min(strsim::levenshtein(city, &wanted))
    };
    tz::db().available().map(|known| known.to_string()).min_by_key(distance).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zone(name: &str) -> Zone {
        Zone::try_from(name.to_owned()).unwrap()
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_promised_day_lasts_to_its_end() {
        let dutch = Zone::default();
        for (start, days, end) in [
            // Chosen at 04:12, and in the first and the last second of a day.
            ("2026-11-30T04:12:00+01:00", 1, "2026-12-01T23:59:59+01:00"),
            ("2026-11-30T00:00:00+01:00", 1, "2026-12-01T23:59:59+01:00"),
            ("2026-11-30T23:59:59+01:00", 1, "2026-12-01T23:59:59+01:00"),
            ("2026-11-30T23:59:59.999999+01:00", 0, "2026-11-30T23:59:59+01:00"),
            // In London it is still the day before.
            ("2026-12-01T00:30:00+01:00", 30, "2026-12-31T23:59:59+01:00"),
            // Over the change of the clocks, on its very day, and back.
            ("2026-03-28T12:00:00+01:00", 1, "2026-03-29T23:59:59+02:00"),
            ("2026-03-29T01:59:59+01:00", 14, "2026-04-12T23:59:59+02:00"),
            ("2026-10-24T12:00:00+02:00", 1, "2026-10-25T23:59:59+01:00"),
            ("2026-10-11T23:30:00+02:00", 14, "2026-10-25T23:59:59+01:00"),
            // Leap days.
            ("2028-02-28T10:00:00+01:00", 1, "2028-02-29T23:59:59+01:00"),
            ("2028-02-29T10:00:00+01:00", 365, "2029-02-28T23:59:59+01:00"),
            ("2027-02-28T10:00:00+01:00", 1, "2027-03-01T23:59:59+01:00"),
        ] {
            let found = dutch.end_of_day(at(start), days);
            assert_eq!(found, at(end), "{start} and {days} days");
            assert!(
                dutch.is_end_of_day(found) && !dutch.is_end_of_day(earlier(found, Duration::from_secs(1)))
            );
        }
    }

    #[test]
    fn every_zone_has_days_of_its_own() {
        let start = at("2026-11-30T03:30:00Z");
        assert_eq!(zone("America/Curacao").end_of_day(start, 1), at("2026-11-30T23:59:59-04:00"));
        assert_eq!(zone("Pacific/Kiritimati").end_of_day(start, 1), at("2026-12-01T23:59:59+14:00"));
        // At midnight of this day Beirut's clocks go to 01:00, so that the day before has no 24:00.
        assert_eq!(
            zone("Asia/Beirut").end_of_day(at("2026-03-28T10:00:00+02:00"), 0),
            at("2026-03-28T23:59:59+02:00")
        );
    }

    #[test]
    fn days_are_counted_by_the_clock_on_the_wall() {
        let dutch = Zone::default();
        let (winter, summer) = (at("2026-03-20T23:59:59+01:00"), at("2026-04-03T23:59:59+02:00"));
        assert_eq!(dutch.days_later(winter, 14), summer);
        assert_eq!(dutch.days_earlier(summer, 14), winter);
        let second_of_two = at("2026-10-25T02:30:00+01:00");
        assert_eq!(dutch.days_later(second_of_two, 0), second_of_two);
        assert_eq!(dutch.days_earlier(at("2028-03-01T08:00:00+01:00"), 1), at("2028-02-29T08:00:00+01:00"));
        assert_eq!(dutch.days_later(Timestamp::MAX, u32::MAX), Timestamp::MAX);
        assert_eq!(dutch.days_earlier(Timestamp::MIN, 1), Timestamp::MIN);
        assert_eq!(dutch.end_of_day(Timestamp::MAX, u32::MAX), Timestamp::MAX);
    }

    #[test]
    fn a_morning_is_at_nine_by_the_clock_on_the_wall() {
        let dutch = Zone::default();
        for (time, next, begun) in [
            ("2026-11-30T08:59:59+01:00", "2026-11-30T09:00:00+01:00", "2026-11-29"),
            ("2026-11-30T09:00:00+01:00", "2026-11-30T09:00:00+01:00", "2026-11-30"),
            ("2026-11-30T09:00:01+01:00", "2026-12-01T09:00:00+01:00", "2026-11-30"),
            ("2026-03-28T12:00:00+01:00", "2026-03-29T09:00:00+02:00", "2026-03-28"),
            ("2026-10-25T01:00:00+02:00", "2026-10-25T09:00:00+01:00", "2026-10-24"),
        ] {
            assert_eq!(dutch.next_morning(at(time)), at(next), "{time}");
            assert_eq!(dutch.begun_day(at(time)), begun.parse().unwrap(), "{time}");
        }
    }

    #[test]
    fn a_day_is_read_as_pickers_and_people_write_it() {
        let day: Date = "2027-02-01".parse().unwrap();
        for typed in ["2027-02-01", " 2027-02-01\n", "01-02-2027", "1-2-2027", "1/2/2027", "2027-2-1"] {
            assert_eq!(read_day(typed), Some(day), "{typed:?}");
        }
        let long = "1".repeat(1 << 20);
        for typed in [
            "",
            "2027",
            "2027-02-30",
            "31-02-2027",
            "2027-02-01T10:00",
            "morgen",
            "1-2-27x",
            "-1-2-2027",
            "٣-٣-٢٠٢٧",
            &long,
        ] {
            assert_eq!(read_day(typed), None, "{typed:?}");
        }
    }

    #[test]
    fn an_unknown_zone_is_told_its_nearest() {
        assert_eq!(format!("{:?}", Zone::default()), "Europe/Amsterdam");
        assert_eq!(zone("europe/amsterdam"), Zone::default());
        for (name, nearest) in [
            ("Europe/Amsterdm", "Europe/Amsterdam"),
            ("Amsterdam", "Europe/Amsterdam"),
            ("America/Curaçao", "America/Curacao"),
            ("Kralendijk", "America/Kralendijk"),
        ] {
            let error = Zone::try_from(name.to_owned()).unwrap_err();
            assert_eq!(error.to_string(), format!("unknown time zone {name:?}; did you mean {nearest}?"));
        }
        for name in ["", "Etc/Unknown", "CET-1CEST,M3.5.0,M10.5.0/3", "../etc/passwd", "localtime"] {
            assert!(Zone::try_from(name.to_owned()).is_err(), "{name}");
        }
    }
}
