//! The mail to staff where answers stay behind a link (`reply.delivery = "transfer"`): who has answered, and the
//! recipient's own link. Never in it: the password, and anything of the answer.

use askama::Template;
use mail_builder::headers::raw::Raw;

use super::compose::{Notice, one_line, write_field};
use super::reply::{Author, Thread, envelope_fields, reply_id, thread_fields};
use super::{NoticeError, style};
use crate::address::Address;
use crate::clock::Timestamp;
use crate::config::Organisation;
use crate::id::{QueueId, TransferId};
use crate::locale::{Language, long_date};
use crate::message::crlf::CrlfBytes;
use crate::secret::Secret;

/// All that the notice tells.
pub struct ReplyNoticeFacts<'a> {
    /// Of the mail.
    pub language: Language,
    /// Who runs this gateway.
    pub organisation: &'a Organisation,
    /// `hostname`: the domain of our address and Message-ID.
    pub hostname: &'a str,
    /// `web.public_url`.
    pub public_url: &'a str,
    /// Who has answered.
    pub author: Author<'a>,
    /// In the To field.
    pub to: &'a [Address],
    /// In the Cc field.
    pub cc: &'a [Address],
    /// Where it belongs.
    pub thread: &'a Thread,
    /// The transfer that the answer has become.
    pub transfer: &'a TransferId,
    /// The token of this recipient's own link; `None` in a preview.
    pub token: Option<&'a Secret>,
    /// When it is destroyed.
    pub expires: Timestamp,
    /// Makes the Message-ID.
    pub id: &'a QueueId,
    /// The moment of writing.
    pub now: Timestamp,
}

/// Writes the notice.
pub fn reply_notice(facts: &ReplyNoticeFacts) -> Result<CrlfBytes, NoticeError> {
    let (subject, text, html) = write(facts)?;
    let mut fields = Vec::new();
    let to = (facts.to, facts.cc);
    envelope_fields(&mut fields, &facts.author, facts.organisation, facts.hostname, to, facts.now);
    write_field(&mut fields, "Message-ID", &Raw::new(reply_id(facts.id, facts.hostname)));
    thread_fields(&mut fields, facts.thread);
    Notice {
        kind: "reply",
        language: facts.language,
        transfer: facts.transfer,
        subject: &subject,
        text: &text,
        html: &html,
    }
    .compose(&fields)
}

/// Subject, text and HTML, for the preview as well.
pub fn write(facts: &ReplyNoticeFacts) -> Result<(String, String, String), NoticeError> {
    let mail = Mail::new(facts);
    let subject = facts.language.format("reply-notice-subject", &[("name", &mail.name)]);
    Ok((subject, TextTemplate { mail: &mail }.render()?, HtmlTemplate { mail: &mail }.render()?))
}

/// What the templates show, each value one line.
struct Mail<'a> {
    language: Language,
    organisation: String,
    banner: String,
    name: String,
    email: &'a Address,
    phone: Option<String>,
    link: String,
    expires: String,
    more: String,
}

impl<'a> Mail<'a> {
    fn new(facts: &ReplyNoticeFacts<'a>) -> Self {
        let token = facts.token.map_or("…", Secret::reveal);
        Self {
            language: facts.language,
            organisation: one_line(&facts.organisation.name),
            banner: facts.author.banner(facts.language, facts.organisation),
            name: one_line(facts.author.name),
            email: facts.author.address,
            phone: facts.author.phone(),
            link: format!("{}/t/{token}", facts.public_url),
            expires: long_date(facts.language, facts.expires),
            more: format!("{}/help", facts.public_url),
        }
    }
}

#[derive(Template)]
#[template(path = "reply_notice/text.txt")]
struct TextTemplate<'a> {
    mail: &'a Mail<'a>,
}

#[derive(Template)]
#[template(path = "reply_notice/mail.html")]
struct HtmlTemplate<'a> {
    mail: &'a Mail<'a>,
}
