//! The mail with a verification code, to the address that somebody gave: copy, go back, paste. The code stands in
//! no other mail, and not in the subject, which mail servers log. The caller sends it with a null reverse path.

use askama::Template;

use crate::address::Address;
use crate::clock::Timestamp;
use crate::id::{QueueId, TransferId};
use crate::locale::Language;
use crate::message::crlf::CrlfBytes;
use crate::outbox::compose::{Notice, OwnHeader};
use crate::outbox::{NoticeError, compose::one_line, style};
use crate::secret::Secret;
use crate::settings::Organisation;

/// All that the mail tells.
pub struct VerificationFacts<'a> {
    /// Of the mail.
    pub language: Language,
    /// Who runs this gateway; the mail is from it.
    pub organisation: &'a Organisation,
    /// `hostname`: the domain of our address and Message-ID.
    pub hostname: &'a str,
    /// `web.public_url`.
    pub public_url: &'a str,
    /// The address that is to be proved.
    pub to: &'a Address,
    /// What is answered.
    pub transfer: &'a TransferId,
    /// Eight digits.
    pub code: &'a Secret,
    /// Makes the Message-ID.
    pub id: &'a QueueId,
    /// The moment of writing.
    pub now: Timestamp,
}

/// Writes the mail.
pub fn verification(facts: &VerificationFacts) -> Result<CrlfBytes, NoticeError> {
    let mail = Mail {
        language: facts.language,
        organisation: one_line(&facts.organisation.name),
        code: facts.code.reveal(),
        more: format!("{}/help", facts.public_url),
    };
    let header = OwnHeader {
        organisation: facts.organisation,
        hostname: facts.hostname,
        to: facts.to,
        message_id: facts.id.as_str(),
        in_reply_to: None,
        now: facts.now,
    };
    Notice {
        kind: "verification",
        language: facts.language,
        transfer: facts.transfer,
        subject: &facts.language.text("verification-subject"),
        text: &TextTemplate { mail: &mail }.render()?,
        html: &HtmlTemplate { mail: &mail }.render()?,
    }
    .compose(&header.fields())
}

/// What the templates show, each value one line.
struct Mail<'a> {
    language: Language,
    organisation: String,
    code: &'a str,
    more: String,
}

#[derive(Template)]
#[template(path = "verification/text.txt")]
struct TextTemplate<'a> {
    mail: &'a Mail<'a>,
}

#[derive(Template)]
#[template(path = "verification/mail.html")]
struct HtmlTemplate<'a> {
    mail: &'a Mail<'a>,
}
