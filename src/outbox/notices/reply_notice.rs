//! The mail to staff where answers stay behind a link (`reply.delivery = "transfer"`): who has answered, and the
//! recipient's own link. Never in it: the password, and anything of the answer.

use askama::Template;

use super::reply::Letter;
use crate::address::Address;
use crate::clock::Timestamp;
use crate::id::TransferId;
use crate::locale::{Language, long_date};
use crate::message::crlf::CrlfBytes;
use crate::outbox::compose::{Notice, one_line};
use crate::outbox::{NoticeError, style};
use crate::secret::Secret;

/// All that the notice tells.
pub struct ReplyNoticeFacts<'a> {
    /// From whom, to whom.
    pub letter: Letter<'a>,
    /// The transfer that the answer has become.
    pub transfer: &'a TransferId,
    /// The token of this recipient's own link; `None` in a preview.
    pub token: Option<&'a Secret>,
    /// When it is destroyed.
    pub expires: Timestamp,
}

/// Writes the notice.
pub fn reply_notice(facts: &ReplyNoticeFacts) -> Result<CrlfBytes, NoticeError> {
    let (subject, text, html) = write(facts)?;
    let subject = facts.letter.tagged(&subject);
    Notice {
        kind: "reply",
        language: facts.letter.language,
        transfer: facts.transfer,
        subject: &subject,
        text: &text,
        html: &html,
    }
    .compose(&facts.letter.fields())
}

/// Subject, text and HTML, for the preview as well.
pub fn write(facts: &ReplyNoticeFacts) -> Result<(String, String, String), NoticeError> {
    let mail = Mail::new(facts);
    let subject = facts.letter.language.format("reply-notice-subject", &[("name", &mail.who)]);
    Ok((subject, TextTemplate { mail: &mail }.render()?, HtmlTemplate { mail: &mail }.render()?))
}

/// What the templates show, each value one line.
struct Mail<'a> {
    language: Language,
    organisation: String,
    banner: String,
    /// Their name, or where that is not to be believed their address.
    who: String,
    name: String,
    name_label: String,
    email: &'a Address,
    phone: Option<String>,
    link: String,
    expires: String,
    more: String,
}

impl<'a> Mail<'a> {
    fn new(facts: &ReplyNoticeFacts<'a>) -> Self {
        let ReplyNoticeFacts { letter, token, expires, .. } = facts;
        let Letter { language, organisation, author, public_url, .. } = *letter;
        let token = token.map_or("…", Secret::reveal);
        Self {
            language,
            organisation: one_line(&organisation.name),
            banner: letter.banner(),
            who: author.who(),
            name: one_line(author.name),
            name_label: language.text(if author.is_claimed {
                "reply-claimed-name"
            } else {
                "notification-name"
            }),
            email: author.address,
            phone: author.phone(),
            link: format!("{public_url}/t/{token}"),
            expires: long_date(language, *expires),
            more: format!("{public_url}/help"),
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
