//! What a page says of a message besides its text and its files: that it was signed or is encrypted with somebody's
//! certificate, and what a meeting request asks for. Found by `mime`, kept in the index of a transfer, put into words by
//! the pages in the language of their reader.

use serde::{Deserialize, Serialize};

use super::name::is_invisible;
use crate::clock::Timestamp;

/// Characters of a line; what is longer was written to push something else off the page.
const MAX_LINE: usize = 200;

/// One thing to say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Note {
    /// The text and the files come out of a signed file. Nobody has checked the signature.
    Signed {
        /// Whom the certificates in it name; as they say, so not to be trusted.
        by: Vec<String>,
    },
    /// A file is encrypted for the owner of a certificate.
    Encrypted,
    /// The message is about a meeting.
    Meeting(Meeting),
}

/// A meeting, as the message tells of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Meeting {
    /// What is said of it.
    pub kind: MeetingKind,
    /// What it is about.
    pub subject: Option<String>,
    /// When it begins.
    pub start: Option<Timestamp>,
    /// When it ends; not before it begins.
    pub end: Option<Timestamp>,
    /// Days count, not hours.
    pub is_whole_day: bool,
    /// Where it is.
    pub place: Option<String>,
}

/// What a message says of a meeting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MeetingKind {
    /// Come to it.
    Request,
    /// It is off.
    Cancelled,
    /// I shall come.
    Accepted,
    /// I may come.
    Tentative,
    /// I shall not come.
    Declined,
}

/// A text of a stranger as one short line, without what turns or hides.
pub(super) fn one_line(text: &str) -> String {
    let shown = text.chars().filter(|c| !is_invisible(*c)).map(|c| if c.is_control() { ' ' } else { c });
    shown.take(MAX_LINE).collect::<String>().trim().to_owned()
}
