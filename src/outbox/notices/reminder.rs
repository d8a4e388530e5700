//! The mail to a recipient who has not opened a transfer yet: it is still there, and until when. In the sender's name,
//! like the notification, but made by a machine: nobody answers it automatically.
//! Never in it: the password (C24), a file name, the subject.

use askama::Template;
use mail_builder::headers::text::Text;

use crate::address::Address;
use crate::clock::Timestamp;
use crate::id::TransferId;
use crate::locale::{Language, long_date};
use crate::message::crlf::CrlfBytes;
use crate::outbox::compose::{Notice, one_line, tel, write_field};
use crate::outbox::{NoticeError, SenderCard, style};
use crate::secret::Secret;
use crate::settings::Organisation;

/// All that a reminder tells.
pub struct ReminderFacts<'a> {
    /// Of the mail.
    pub language: Language,
    /// Who runs this gateway.
    pub organisation: &'a Organisation,
    /// `web.public_url`: what every link starts with (C22).
    pub public_url: &'a str,
    /// Who sent the message.
    pub sender: &'a SenderCard,
    /// Who is reminded.
    pub recipient: &'a Address,
    /// The token of the recipient's own link.
    pub token: &'a Secret,
    /// What the link opens.
    pub transfer: &'a TransferId,
    /// When it was sealed.
    pub sent: Timestamp,
    /// When it is destroyed.
    pub expires: Timestamp,
    /// Whether the link alone is not enough.
    pub password_needed: bool,
    /// From, To, Date, Message-ID and the thread.
    pub fields: Vec<u8>,
}

/// Writes the reminder.
pub fn reminder(facts: &ReminderFacts) -> Result<CrlfBytes, NoticeError> {
    let help_phone = Some(one_line(&facts.organisation.phone)).filter(|phone| !phone.is_empty());
    let mail = Mail {
        language: facts.language,
        organisation: one_line(&facts.organisation.name),
        sender: facts.sender,
        sender_tel: facts.sender.phone.as_deref().and_then(tel),
        help_tel: help_phone.as_deref().and_then(tel),
        help_phone,
        recipient: facts.recipient.as_str(),
        link: format!("{}/t/{}", facts.public_url, facts.token.reveal()),
        more: format!("{}/help", facts.public_url),
        sent: long_date(facts.language, facts.sent),
        expires: long_date(facts.language, facts.expires),
        password_needed: facts.password_needed,
    };
    let mut fields = facts.fields.clone();
    // RFC 3834 5
    write_field(&mut fields, "Auto-Submitted", &Text::new("auto-generated"));
    Notice {
        kind: "reminder",
        language: facts.language,
        transfer: facts.transfer,
        subject: &SubjectTemplate { mail: &mail }.render()?,
        text: &TextTemplate { mail: &mail }.render()?,
        html: &HtmlTemplate { mail: &mail }.render()?,
    }
    .compose(&fields)
}

/// What the templates show, each value one line.
struct Mail<'a> {
    language: Language,
    organisation: String,
    sender: &'a SenderCard,
    sender_tel: Option<String>,
    help_phone: Option<String>,
    help_tel: Option<String>,
    recipient: &'a str,
    link: String,
    more: String,
    sent: String,
    expires: String,
    password_needed: bool,
}

#[derive(Template)]
#[template(path = "reminder/subject.txt")]
struct SubjectTemplate<'a> {
    mail: &'a Mail<'a>,
}

#[derive(Template)]
#[template(path = "reminder/text.txt")]
struct TextTemplate<'a> {
    mail: &'a Mail<'a>,
}

#[derive(Template)]
#[template(path = "reminder/mail.html")]
struct HtmlTemplate<'a> {
    mail: &'a Mail<'a>,
}
