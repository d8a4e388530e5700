//! The mail to a recipient whose link was taken back, where the sender wants them to know. It has no link and
//! nothing of the message: only that there is nothing to open any more, and whom to ask.

use askama::Template;

use crate::address::Address;
use crate::clock::Timestamp;
use crate::id::Link;
use crate::locale::{Language, long_date};
use crate::message::crlf::CrlfBytes;
use crate::outbox::compose::{Notice, OwnHeader, one_line};
use crate::outbox::{NoticeError, style};
use crate::settings::Organisation;

/// All that it tells.
pub struct RecallFacts<'a> {
    /// Of the mail.
    pub language: Language,
    /// Who runs this gateway; the mail is from it.
    pub organisation: &'a Organisation,
    /// `hostname`: the domain of our address and Message-ID.
    pub hostname: &'a str,
    /// `web.public_url`.
    pub public_url: &'a str,
    /// Whose message it was.
    pub sender: &'a Address,
    /// Who is told.
    pub recipient: &'a Address,
    /// What was taken back.
    pub link: &'a Link,
    /// Its Message-ID.
    pub message_id: Option<&'a str>,
    /// When it was sent.
    pub sent: Timestamp,
    /// The moment of writing.
    pub now: Timestamp,
}

/// Writes it.
pub fn recall(facts: &RecallFacts) -> Result<CrlfBytes, NoticeError> {
    let mail = Mail {
        language: facts.language,
        organisation: one_line(&facts.organisation.name),
        sender: facts.sender.as_str(),
        sent: long_date(facts.language, facts.sent),
        transfer: facts.link.transfer.as_str(),
        more: format!("{}/help", facts.public_url),
    };
    let header = OwnHeader {
        organisation: facts.organisation,
        hostname: facts.hostname,
        to: facts.recipient,
        // A link is taken back once.
        message_id: &format!("{}.{}.recall", facts.link.transfer, facts.link.recipient),
        in_reply_to: facts.message_id,
        now: facts.now,
    };
    Notice {
        kind: "recall",
        language: facts.language,
        transfer: &facts.link.transfer,
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
    sender: &'a str,
    sent: String,
    transfer: &'a str,
    more: String,
}

#[derive(Template)]
#[template(path = "recall/subject.txt")]
struct SubjectTemplate<'a> {
    mail: &'a Mail<'a>,
}

#[derive(Template)]
#[template(path = "recall/text.txt")]
struct TextTemplate<'a> {
    mail: &'a Mail<'a>,
}

#[derive(Template)]
#[template(path = "recall/mail.html")]
struct HtmlTemplate<'a> {
    mail: &'a Mail<'a>,
}
