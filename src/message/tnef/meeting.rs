//! Meeting requests of Outlook and what is answered to them (MS-OXOCAL), as far as a reader needs them: what, when and
//! where; used by `tnef`. An invitation within Exchange travels so, without a calendar part.

use jiff::civil;
use jiff::tz::TimeZone;

use super::super::note::{Meeting as Note, MeetingKind};
use super::code_page::CodePages;
use super::property::{Name, Property, id as property, properties};
use super::stream::{Reader, id};
use crate::clock::Timestamp;

pub type Meeting = Note;

/// `PSETID_Appointment` and `PSETID_Meeting` (MS-OXPROPS 1.3.2).
const APPOINTMENT: [u8; 16] = [2, 0x20, 6, 0, 0, 0, 0, 0, 0xc0, 0, 0, 0, 0, 0, 0, 0x46];
const MEETING: [u8; 16] =
    [0x90, 0xda, 0xd8, 0x6e, 0x0b, 0x45, 0x1b, 0x10, 0x98, 0xda, 0, 0xaa, 0, 0x3f, 0x13, 0x05];

/// Named properties: their set, their number.
const LOCATION: ([u8; 16], u32) = (APPOINTMENT, 0x8208);
const START: ([u8; 16], u32) = (APPOINTMENT, 0x820d);
const END: ([u8; 16], u32) = (APPOINTMENT, 0x820e);
const WHOLE_DAY: ([u8; 16], u32) = (APPOINTMENT, 0x8215);
const WHERE: ([u8; 16], u32) = (MEETING, 0x0002);

/// Message classes, in lower case, without what old ones and new ones have before it.
const CLASSES: &[(&str, MeetingKind)] = &[
    ("ipm.microsoft schedule.mtgreq", MeetingKind::Request),
    ("ipm.microsoft schedule.mtgcncl", MeetingKind::Cancelled),
    ("ipm.microsoft schedule.mtgrespp", MeetingKind::Accepted),
    ("ipm.microsoft schedule.mtgrespa", MeetingKind::Tentative),
    ("ipm.microsoft schedule.mtgrespn", MeetingKind::Declined),
    ("ipm.schedule.meeting.request", MeetingKind::Request),
    ("ipm.schedule.meeting.canceled", MeetingKind::Cancelled),
    ("ipm.schedule.meeting.resp.pos", MeetingKind::Accepted),
    ("ipm.schedule.meeting.resp.tent", MeetingKind::Tentative),
    ("ipm.schedule.meeting.resp.neg", MeetingKind::Declined),
    ("ipm.appointment", MeetingKind::Request),
];

/// Collects what is said of a meeting.
#[derive(Default)]
pub struct MeetingBuilder {
    class: String,
    subject: Option<String>,
    start: Option<Timestamp>,
    end: Option<Timestamp>,
    place: Option<String>,
    is_whole_day: bool,
}

impl MeetingBuilder {
    /// Takes what an attribute says.
    pub fn take(&mut self, id: u16, data: &[u8], pages: &CodePages) {
        match id {
            id::MESSAGE_CLASS => self.class = pages.attribute(data),
            id::SUBJECT => self.subject = self.subject.take().or_else(|| Some(pages.attribute(data))),
            id::DATE_START => self.start = self.start.or_else(|| date(data)),
            id::DATE_END => self.end = self.end.or_else(|| date(data)),
            id::MESSAGE_PROPERTIES => {
                properties(data).iter().for_each(|found| self.take_property(found, pages));
            }
            _ => {}
        }
    }

    fn take_property(&mut self, found: &Property, pages: &CodePages) {
        let named = match found.name {
            Some(Name::Number { set, number }) => Some((set, number)),
            _ => None,
        };
        match (found.id, named) {
            (property::MESSAGE_CLASS, _) if self.class.is_empty() => {
                self.class = found.text(pages).unwrap_or_default();
            }
            (property::SUBJECT, _) => self.subject = found.text(pages).or(self.subject.take()),
            (_, Some(START)) => self.start = found.time().or(self.start),
            (_, Some(END)) => self.end = found.time().or(self.end),
            (property::START_DATE, _) => self.start = self.start.or_else(|| found.time()),
            (property::END_DATE, _) => self.end = self.end.or_else(|| found.time()),
            (_, Some(LOCATION)) => self.place = found.text(pages).or(self.place.take()),
            (_, Some(WHERE)) => self.place = self.place.take().or_else(|| found.text(pages)),
            (_, Some(WHOLE_DAY)) => self.is_whole_day = found.number() == Some(1),
            _ => {}
        }
    }

    /// The meeting, where the message is about one.
    pub fn finish(self) -> Option<Meeting> {
        let class = self.class.to_ascii_lowercase();
        let class = class.trim_end();
        let is_class = |name: &str| {
            class.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        let (_, kind) = CLASSES.iter().find(|(name, _)| is_class(name))?;
        let some = |text: Option<String>| {
            let shown = super::super::note::one_line(&text?);
            (!shown.is_empty()).then_some(shown)
        };
        Some(Meeting {
            kind: *kind,
            subject: some(self.subject),
            start: self.start,
            end: self.end.filter(|end| self.start.is_none_or(|start| *end >= start)),
            is_whole_day: self.is_whole_day,
            place: some(self.place),
        })
    }
}

/// A date among the attributes: year, month, day, hour, minute and second, in UTC (MS-OXTNEF 2.1.3.3).
pub fn date(data: &[u8]) -> Option<Timestamp> {
    let mut reader = Reader(data);
    let mut next = || i16::try_from(reader.u16()?).ok();
    let (year, month, day) = (next()?, next()?, next()?);
    let (hour, minute, second) = (next()?, next()?, next()?);
    let small = |number: i16| i8::try_from(number).ok();
    let date = civil::DateTime::new(
        year,
        small(month)?,
        small(day)?,
        small(hour)?,
        small(minute)?,
        small(second)?,
        0,
    );
    Some(date.ok()?.to_zoned_datetime(TimeZone::UTC).ok()?.timestamp())
}
