//! The mail to the sender two days before a transfer expires: who has not opened it. With a button to the status page,
//! where there is more time to be had.

use askama::Template;

use crate::address::Address;
use crate::clock::Timestamp;
use crate::id::TransferId;
use crate::locale::{Language, long_date};
use crate::message::crlf::CrlfBytes;
use crate::outbox::compose::{Notice, OwnHeader, one_line};
use crate::outbox::{NoticeError, SenderFacts, style};

/// All that it tells.
pub struct UnopenedFacts<'a> {
    /// Whom it is for, and about what.
    pub to: SenderFacts<'a>,
    /// Who has not opened it.
    pub recipients: &'a [Address],
    /// When it was sent.
    pub sent: Timestamp,
    /// When it is destroyed.
    pub expires: Timestamp,
}

/// Writes it.
pub fn unopened(facts: &UnopenedFacts) -> Result<CrlfBytes, NoticeError> {
    let SenderFacts { language, organisation, hostname, public_url, sender, transfer, status, id, now } =
        facts.to;
    let mail = Mail {
        language,
        organisation: one_line(&organisation.name),
        recipients: facts.recipients,
        sent: long_date(language, facts.sent),
        expires: long_date(language, facts.expires),
        status: status.reveal(),
        transfer,
        more: format!("{public_url}/help"),
    };
    let header = OwnHeader {
        organisation,
        hostname,
        to: sender,
        message_id: &format!("{transfer}.{id}.unopened"),
        in_reply_to: Some(&format!("{transfer}.receipt@{hostname}")),
        now,
    };
    Notice {
        kind: "unopened",
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
    recipients: &'a [Address],
    sent: String,
    expires: String,
    status: &'a str,
    transfer: &'a TransferId,
    more: String,
}

#[derive(Template)]
#[template(path = "unopened/subject.txt")]
struct SubjectTemplate<'a> {
    mail: &'a Mail<'a>,
}

#[derive(Template)]
#[template(path = "unopened/text.txt")]
struct TextTemplate<'a> {
    mail: &'a Mail<'a>,
}

#[derive(Template)]
#[template(path = "unopened/mail.html")]
struct HtmlTemplate<'a> {
    mail: &'a Mail<'a>,
}
