//! The mail to the sender: their message was sealed, for whom, until when, and the password to tell.
//! The only mail, file or column that ever holds the password (C24). The caller sends it with a null
//! reverse path, and not at all for automatic mail (H09).

use askama::Template;
use mail_builder::headers::address::Address as AddressField;
use mail_builder::headers::raw::Raw;
use mail_builder::headers::text::Text;

use super::compose::{Notice, message_id, one_line, write_field};
use super::{NoticeError, style};
use crate::address::Address;
use crate::clock::{Timestamp, rfc5322};
use crate::config::Organisation;
use crate::id::TransferId;
use crate::locale::{Language, long_date};
use crate::message::crlf::CrlfBytes;
use crate::secret::Secret;

/// All that a receipt tells.
pub struct ReceiptFacts<'a> {
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
    /// For whom it was sealed.
    pub recipients: &'a [Address],
    /// What it became.
    pub transfer: &'a TransferId,
    /// When it is destroyed.
    pub expires: Timestamp,
    /// To be told to the recipients, where one is needed.
    pub password: Option<&'a Secret>,
    /// The original's Message-ID, with or without angle brackets.
    pub message_id: Option<&'a str>,
    /// The moment of writing.
    pub now: Timestamp,
}

/// Writes the receipt.
pub fn receipt(facts: &ReceiptFacts) -> Result<CrlfBytes, NoticeError> {
    let mail = Mail::new(facts);
    Notice {
        kind: "receipt",
        language: facts.language,
        transfer: facts.transfer,
        subject: &SubjectTemplate { mail: &mail }.render()?,
        text: &TextTemplate { mail: &mail }.render()?,
        html: &HtmlTemplate { mail: &mail }.render()?,
    }
    .compose(&fields(facts))
}

/// The header above the subject. One receipt per transfer, so its id makes the Message-ID.
fn fields(facts: &ReceiptFacts) -> Vec<u8> {
    let mut out = Vec::new();
    let from = AddressField::new_address(
        Some(one_line(&facts.organisation.name)),
        format!("noreply@{}", facts.hostname),
    );
    write_field(&mut out, "From", &from);
    write_field(&mut out, "To", &Raw::new(format!("<{}>", facts.sender)));
    write_field(&mut out, "Date", &Raw::new(rfc5322(facts.now)));
    write_field(
        &mut out,
        "Message-ID",
        &Raw::new(format!("<{}.receipt@{}>", facts.transfer, facts.hostname)),
    );
    if let Some(id) = facts.message_id.and_then(message_id) {
        write_field(&mut out, "In-Reply-To", &Raw::new(id.as_str()));
        write_field(&mut out, "References", &Raw::new(id.as_str()));
    }
    // RFC 3834 5; the second is for Exchange, which answers such mail otherwise.
    write_field(&mut out, "Auto-Submitted", &Text::new("auto-generated"));
    write_field(&mut out, "X-Auto-Response-Suppress", &Text::new("All"));
    out
}

/// What the templates show, each value one line.
struct Mail<'a> {
    language: Language,
    organisation: String,
    recipients: &'a [Address],
    transfer: &'a TransferId,
    expires: String,
    password: Option<&'a str>,
    more: String,
}

impl<'a> Mail<'a> {
    fn new(facts: &ReceiptFacts<'a>) -> Self {
        Self {
            language: facts.language,
            organisation: one_line(&facts.organisation.name),
            recipients: facts.recipients,
            transfer: facts.transfer,
            expires: long_date(facts.language, facts.expires),
            password: facts.password.map(Secret::reveal),
            more: format!("{}/help", facts.public_url),
        }
    }
}

#[derive(Template)]
#[template(path = "receipt/subject.txt")]
struct SubjectTemplate<'a> {
    mail: &'a Mail<'a>,
}

#[derive(Template)]
#[template(path = "receipt/text.txt")]
struct TextTemplate<'a> {
    mail: &'a Mail<'a>,
}

#[derive(Template)]
#[template(path = "receipt/mail.html")]
struct HtmlTemplate<'a> {
    mail: &'a Mail<'a>,
}
