//! The mail to the sender when a recipient came too late and asks for the message: one button, to the status
//! page. There the date can be moved while the keys still exist; else it says to send the message once more.

use askama::Template;

use crate::address::Address;
use crate::clock::Timestamp;
use crate::id::TransferId;
use crate::locale::{Language, long_date};
use crate::message::crlf::CrlfBytes;
use crate::outbox::compose::{Notice, OwnHeader, one_line};
use crate::outbox::{NoticeError, style};
use crate::secret::Secret;
use crate::settings::Organisation;

/// All that it tells.
pub struct AskFacts<'a> {
    /// Of the mail.
    pub language: Language,
    /// Who runs this gateway; the mail is from it.
    pub organisation: &'a Organisation,
    /// `hostname`: the domain of our address and Message-ID.
    pub hostname: &'a str,
    /// `web.public_url`.
    pub public_url: &'a str,
    /// Whose message it was; the mail is for them.
    pub sender: &'a Address,
    /// Who asks.
    pub recipient: &'a Address,
    /// What for.
    pub transfer: &'a TransferId,
    /// When it was sent.
    pub sent: Timestamp,
    /// When it expired.
    pub expired: Timestamp,
    /// Until when its date can still be moved; none when its keys are gone.
    pub renewable: Option<Timestamp>,
    /// The sender's link to the status page.
    pub status: &'a Secret,
    /// Makes the Message-ID one of its own: letters and digits.
    pub id: &'a str,
    /// The moment of writing.
    pub now: Timestamp,
}

/// Writes it.
pub fn ask(facts: &AskFacts) -> Result<CrlfBytes, NoticeError> {
    let date = |time| long_date(facts.language, time);
    let mail = Mail {
        language: facts.language,
        organisation: one_line(&facts.organisation.name),
        recipient: facts.recipient.as_str(),
        sent: date(facts.sent),
        expired: date(facts.expired),
        renewable: facts.renewable.is_some(),
        until: facts.renewable.map(date).unwrap_or_default(),
        status: facts.status.reveal(),
        transfer: facts.transfer,
        more: format!("{}/help", facts.public_url),
    };
    let header = OwnHeader {
        organisation: facts.organisation,
        hostname: facts.hostname,
        to: facts.sender,
        message_id: &format!("{}.{}.ask", facts.transfer, facts.id),
        in_reply_to: Some(&format!("{}.receipt@{}", facts.transfer, facts.hostname)),
        now: facts.now,
    };
    Notice {
        kind: "ask",
        language: facts.language,
        transfer: facts.transfer,
        subject: &SubjectTemplate { mail: &mail }.render()?,
        text: &TextTemplate { mail: &mail }.render()?,
        html: &HtmlTemplate { mail: &mail }.render()?,
    }
    .compose(&header.fields())
}

/// What the templates show, each value one line.
struct Mail<'a> {
    language: Language,
    organisation: String,
    recipient: &'a str,
    sent: String,
    expired: String,
    renewable: bool,
    until: String,
    status: &'a str,
    transfer: &'a TransferId,
    more: String,
}

#[derive(Template)]
#[template(path = "ask/subject.txt")]
struct SubjectTemplate<'a> {
    mail: &'a Mail<'a>,
}

#[derive(Template)]
#[template(path = "ask/text.txt")]
struct TextTemplate<'a> {
    mail: &'a Mail<'a>,
}

#[derive(Template)]
#[template(path = "ask/mail.html")]
struct HtmlTemplate<'a> {
    mail: &'a Mail<'a>,
}
