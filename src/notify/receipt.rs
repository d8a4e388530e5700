//! The mail to the sender: their message was sealed, for whom, until when, and the password to tell.
//! The only mail, file or column that ever holds the password (C24). The caller sends it with a null
//! reverse path, and not at all for automatic mail (H09).

use askama::Template;
use mail_builder::headers::address::Address as AddressField;
use mail_builder::headers::raw::Raw;
use mail_builder::headers::text::Text;

use super::compose::{Notice, one_line, write_field};
use super::{NoticeError, style};
use crate::address::Address;
use crate::clock::{Timestamp, rfc5322};
use crate::config::Organisation;
use crate::id::TransferId;
use crate::locale::{Language, long_date};
use crate::message::crlf::CrlfBytes;
use crate::secret::Secret;

/// Options that are named one by one.
const MAX_OPTIONS: usize = 10;

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
    /// The generated one, to be told to the recipients, where one is needed.
    pub password: Option<&'a Secret>,
    /// What became of the options behind the tag.
    pub remarks: &'a Remarks,
    /// The original's Message-ID, with or without angle brackets.
    pub message_id: Option<&'a str>,
    /// The moment of writing.
    pub now: Timestamp,
}

/// What the sender has to hear of the options behind the tag.
#[derive(Clone, Debug, Default)]
pub struct Remarks {
    /// The password is the sender's own. It is not repeated here.
    pub chosen: bool,
    /// The sender's password is too easy to guess; a generated one took its place.
    pub too_weak: bool,
    /// The sender asked for no password, but a rule wants one.
    pub password_needed: bool,
    /// Options that were not understood, or that a rule does not allow; never a password.
    pub ignored: Vec<String>,
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

/// The Message-ID in angle brackets, if it can stand in a header of ours.
fn message_id(id: &str) -> Option<String> {
    let id = id.trim().trim_start_matches('<').trim_end_matches('>');
    let fits = !id.is_empty() && id.len() <= 900;
    (fits && id.chars().all(|c| c.is_ascii_graphic() && c != '<' && c != '>')).then(|| format!("<{id}>"))
}

/// What the templates show, each value one line.
struct Mail<'a> {
    language: Language,
    organisation: String,
    recipients: &'a [Address],
    transfer: &'a TransferId,
    expires: String,
    password: Option<&'a str>,
    remarks: &'a Remarks,
    ignored: Option<String>,
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
            remarks: facts.remarks,
            ignored: ignored(&facts.remarks.ignored),
            more: format!("{}/help", facts.public_url),
        }
    }
}

/// One line of options, as they stood in the subject.
fn ignored(options: &[String]) -> Option<String> {
    let shown: Vec<String> = options.iter().take(MAX_OPTIONS).map(|option| one_line(option)).collect();
    let more = if options.len() > MAX_OPTIONS { ", …" } else { "" };
    (!shown.is_empty()).then(|| shown.join(", ") + more)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_only_to_a_sound_message_id() {
        assert_eq!(message_id("<a@voorbeeld.nl>").as_deref(), Some("<a@voorbeeld.nl>"));
        assert_eq!(message_id(" a@voorbeeld.nl ").as_deref(), Some("<a@voorbeeld.nl>"));
        for wrong in ["", "<>", "a b@x", "a@x>\r\nBcc: <b@x", "a\r\nBcc:b@x", "é@x", &"a".repeat(901)] {
            assert_eq!(message_id(wrong), None, "{wrong:?}");
        }
    }
}
