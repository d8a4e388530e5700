//! The mail to the sender when a part of what they sent was lost on our side, and a recipient could not read it: to be
//! sent once more. It goes out once for each transfer.

use askama::Template;

use crate::address::Address;
use crate::clock::Timestamp;
use crate::id::TransferId;
use crate::locale::{Language, long_date};
use crate::message::crlf::CrlfBytes;
use crate::outbox::compose::{Notice, OwnHeader, one_line};
use crate::outbox::{NoticeError, SenderFacts, style};

/// All that it tells.
pub struct LostFacts<'a> {
    /// Whom it is for, and about what.
    pub to: SenderFacts<'a>,
    /// Who wanted to read it.
    pub recipient: &'a Address,
    /// When it was sent.
    pub sent: Timestamp,
}

/// Writes it.
pub fn lost(facts: &LostFacts) -> Result<CrlfBytes, NoticeError> {
    let SenderFacts { language, organisation, hostname, public_url, sender, transfer, id, now, .. } =
        facts.to;
    let mail = Mail {
        language,
        organisation: one_line(&organisation.name),
        recipient: facts.recipient.as_str(),
        sent: long_date(language, facts.sent),
        transfer,
        more: format!("{public_url}/help"),
    };
    let header = OwnHeader {
        organisation,
        hostname,
        to: sender,
        message_id: &format!("{transfer}.{id}.lost"),
        in_reply_to: Some(&format!("{transfer}.receipt@{hostname}")),
        now,
    };
    Notice {
        kind: "lost",
        language,
        transfer,
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
    transfer: &'a TransferId,
    more: String,
}

#[derive(Template)]
#[template(path = "lost/subject.txt")]
struct SubjectTemplate<'a> {
    mail: &'a Mail<'a>,
}

#[derive(Template)]
#[template(path = "lost/text.txt")]
struct TextTemplate<'a> {
    mail: &'a Mail<'a>,
}

#[derive(Template)]
#[template(path = "lost/mail.html")]
struct HtmlTemplate<'a> {
    mail: &'a Mail<'a>,
}
