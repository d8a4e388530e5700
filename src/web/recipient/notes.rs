//! What the opened transfer says of a message besides its text ([`Note`]), in the words of its reader.

use std::time::Duration;

use crate::clock::{Timestamp, earlier};
use crate::locale;
use crate::message::note::{Meeting, MeetingKind, Note};
use crate::web::http::visit::Visit;

/// Sentences, and the facts of meetings.
#[derive(Debug, Default)]
pub struct Notes {
    pub sentences: Vec<String>,
    pub meetings: Vec<MeetingFacts>,
    /// They say why there may be no text.
    pub stand_for_text: bool,
}

/// A meeting, as it is shown.
#[derive(Debug)]
pub struct MeetingFacts {
    pub title: String,
    /// What each is called, and what it is.
    pub rows: Vec<(String, String)>,
}

impl Notes {
    /// Puts notes into words.
    pub fn of(visit: &Visit, notes: &[Note]) -> Self {
        let stands_for_text = |note: &Note| matches!(note, Note::Encrypted | Note::Meeting(_));
        let mut shown = Self { stand_for_text: notes.iter().any(stands_for_text), ..Self::default() };
        for note in notes {
            match note {
                Note::Signed { by } if by.is_empty() => {
                    shown.sentences.push(visit.text("transfer-signed-nameless"));
                }
                Note::Signed { by } => {
                    shown.sentences.push(visit.with("transfer-signed", "names", &by.join(", ")));
                }
                Note::Encrypted => shown.sentences.push(visit.text("transfer-encrypted")),
                Note::Meeting(meeting) => shown.meetings.push(facts(visit, meeting)),
            }
        }
        shown
    }
}

fn facts(visit: &Visit, meeting: &Meeting) -> MeetingFacts {
    let title = match meeting.kind {
        MeetingKind::Request => "transfer-meeting-request",
        MeetingKind::Cancelled => "transfer-meeting-cancelled",
        MeetingKind::Accepted => "transfer-meeting-accepted",
        MeetingKind::Tentative => "transfer-meeting-tentative",
        MeetingKind::Declined => "transfer-meeting-declined",
    };
    let rows = [
        ("transfer-meeting-what", meeting.subject.clone()),
        ("transfer-meeting-when", when(visit, meeting)),
        ("transfer-meeting-where", meeting.place.clone()),
    ];
    let rows = rows.into_iter().filter_map(|(key, value)| Some((visit.text(key), value?)));
    MeetingFacts { title: visit.text(title), rows: rows.collect() }
}

/// Days, where days count; else times, the second without its day where that is the same.
fn when(visit: &Visit, meeting: &Meeting) -> Option<String> {
    let (language, zone) = (visit.language, &visit.organisation.zone);
    let date = |time| locale::long_date(language, zone, time);
    let moment = |time| locale::long_date_and_time(language, zone, time);
    let start = meeting.start?;
    let (from, to) = if meeting.is_whole_day {
        // It ends when the day after it begins.
        let last = |end: Timestamp| date(earlier(end, Duration::from_secs(1)).max(start));
        (date(start), meeting.end.map(last))
    } else {
        let until = |end: Timestamp| match date(end) == date(start) {
            true => zone.local(end).strftime("%H:%M").to_string(),
            false => moment(end),
        };
        (moment(start), meeting.end.filter(|end| *end > start).map(until))
    };
    let key = if meeting.is_whole_day { "transfer-meeting-days" } else { "transfer-meeting-times" };
    let Some(to) = to.filter(|to| *to != from) else { return Some(from) };
    let times = [("start", from.as_str()), ("end", to.as_str())];
    Some(language.format(key, &times))
}
