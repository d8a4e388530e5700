//! The mail to a recipient: who has confidential data for them, and their own link to it. It stands in
//! the place of the original message, so it keeps the original's From, To, Date and thread.
//! Never in it: the password (C24), anything of the body, a file name, and the subject unless kept.

use askama::Template;

use crate::address::Address;
use crate::clock::Timestamp;
use crate::id::TransferId;
use crate::locale::{Language, long_date};
use crate::message::crlf::CrlfBytes;
use crate::outbox::compose::{Notice, one_line, tel};
use crate::outbox::{NoticeError, SenderCard, style};
use crate::secret::Secret;
use crate::settings::Organisation;

/// All that a notification tells.
pub struct NotificationFacts<'a> {
    /// Of the mail.
    pub language: Language,
    /// Who runs this gateway.
    pub organisation: &'a Organisation,
    /// `web.public_url`: what every link starts with (C22).
    pub public_url: &'a str,
    /// Who sent the message.
    pub sender: &'a SenderCard,
    /// Whose notification this is.
    pub recipient: &'a Address,
    /// The token of the recipient's own link.
    pub token: &'a Secret,
    /// What the link opens.
    pub transfer: &'a TransferId,
    /// When it is destroyed.
    pub expires: Timestamp,
    /// Whether the link alone is not enough.
    pub password_needed: bool,
    /// Whether there is a page to answer on.
    pub reply_enabled: bool,
    /// The original's subject without its tag, where policy keeps it.
    pub subject: Option<&'a str>,
    /// The original's From, To, Cc, Date, Message-ID, In-Reply-To and References as they came.
    pub original: &'a [u8],
}

/// Writes the notification.
pub fn notification(facts: &NotificationFacts) -> Result<CrlfBytes, NoticeError> {
    let mail = Mail::new(facts);
    Notice {
        kind: "notification",
        language: facts.language,
        transfer: facts.transfer,
        subject: &SubjectTemplate { mail: &mail }.render()?,
        text: &TextTemplate { mail: &mail }.render()?,
        html: &HtmlTemplate { mail: &mail }.render()?,
    }
    .compose(facts.original)
}

/// What the templates show, each value one line.
struct Mail<'a> {
    language: Language,
    subject: Option<&'a str>,
    sender: &'a SenderCard,
    sender_tel: Option<String>,
    organisation: String,
    help_phone: Option<String>,
    help_tel: Option<String>,
    recipient: &'a str,
    link: String,
    reply_link: String,
    more: String,
    expires: String,
    password_needed: bool,
    reply_enabled: bool,
}

impl<'a> Mail<'a> {
    fn new(facts: &NotificationFacts<'a>) -> Self {
        let help_phone = Some(one_line(&facts.organisation.phone)).filter(|phone| !phone.is_empty());
        let link = format!("{}/t/{}", facts.public_url, facts.token.reveal());
        Self {
            language: facts.language,
            subject: facts.subject,
            sender: facts.sender,
            sender_tel: facts.sender.phone.as_deref().and_then(tel),
            organisation: one_line(&facts.organisation.name),
            help_tel: help_phone.as_deref().and_then(tel),
            help_phone,
            recipient: facts.recipient.as_str(),
            reply_link: format!("{link}/reply"),
            link,
            more: format!("{}/help", facts.public_url),
            expires: long_date(facts.language, facts.expires),
            password_needed: facts.password_needed,
            reply_enabled: facts.reply_enabled,
        }
    }
}

#[derive(Template)]
#[template(path = "notification/subject.txt")]
struct SubjectTemplate<'a> {
    mail: &'a Mail<'a>,
}

#[derive(Template)]
#[template(path = "notification/text.txt")]
struct TextTemplate<'a> {
    mail: &'a Mail<'a>,
}

#[derive(Template)]
#[template(path = "notification/mail.html")]
struct HtmlTemplate<'a> {
    mail: &'a Mail<'a>,
}
