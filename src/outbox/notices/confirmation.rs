//! The mail to who has answered: what was sent, when, to whom, with a checksum of everything (Wmebv). Never in it:
//! the text of the answer, and names of files unless that was asked for. The caller sends it with a null reverse path.

use askama::Template;

use crate::address::Address;
use crate::clock::Timestamp;
use crate::id::{QueueId, TransferId};
use crate::locale::{Language, long_date_and_time, size};
use crate::message::crlf::CrlfBytes;
use crate::outbox::compose::{Notice, OwnHeader, one_line};
use crate::outbox::{NoticeError, style};
use crate::settings::Organisation;

/// All that a confirmation tells.
pub struct ConfirmationFacts<'a> {
    /// Of the mail.
    pub language: Language,
    /// Who runs this gateway; the mail is from it.
    pub organisation: &'a Organisation,
    /// `hostname`: the domain of our address and Message-ID.
    pub hostname: &'a str,
    /// `web.public_url`.
    pub public_url: &'a str,
    /// The verified address of who answered.
    pub to: &'a Address,
    /// What was answered.
    pub transfer: &'a TransferId,
    /// Whom the answer goes to.
    pub recipients: &'a [Address],
    /// Its message, unless there is none.
    pub message: Option<Checksum<'a>>,
    /// Its files.
    pub files: &'a [Checksum<'a>],
    /// Whether files are called by their names.
    pub show_names: bool,
    /// Makes the Message-ID.
    pub id: &'a QueueId,
    /// The moment of sending.
    pub now: Timestamp,
}

/// Something that was sent.
#[derive(Clone, Copy, Debug)]
pub struct Checksum<'a> {
    /// The name of a file; not shown of a message.
    pub name: &'a str,
    /// Octets
    pub size: u64,
    /// In hexadecimal
    pub sha256: &'a str,
}

/// Writes the confirmation.
pub fn confirmation(facts: &ConfirmationFacts) -> Result<CrlfBytes, NoticeError> {
    let mail = Mail::new(facts);
    let header = OwnHeader {
        organisation: facts.organisation,
        hostname: facts.hostname,
        to: facts.to,
        message_id: facts.id.as_str(),
        in_reply_to: None,
        now: facts.now,
    };
    Notice {
        kind: "reply-confirmation",
        language: facts.language,
        transfer: facts.transfer,
        subject: &facts.language.text("confirmation-subject"),
        text: &TextTemplate { mail: &mail }.render()?,
        html: &HtmlTemplate { mail: &mail }.render()?,
    }
    .compose(&header.fields())
}

/// What the templates show, each value one line.
struct Mail<'a> {
    language: Language,
    organisation: String,
    time: String,
    recipients: &'a [Address],
    entries: Vec<Entry<'a>>,
    more: String,
}

/// A line of the list.
struct Entry<'a> {
    name: String,
    size: String,
    sha256: &'a str,
}

impl<'a> Mail<'a> {
    fn new(facts: &ConfirmationFacts<'a>) -> Self {
        let language = facts.language;
        let entry =
            |name, sum: &Checksum<'a>| Entry { name, size: size(language, sum.size), sha256: sum.sha256 };
        let message = facts.message.iter().map(|sum| entry(language.text("confirmation-message"), sum));
        let files = facts.files.iter().zip(1u32..).map(|(sum, number)| {
            let numbered = || language.format("confirmation-file", &[("number", &number.to_string())]);
            entry(if facts.show_names { one_line(sum.name) } else { numbered() }, sum)
        });
        Self {
            language,
            organisation: one_line(&facts.organisation.name),
            time: long_date_and_time(language, facts.now),
            recipients: facts.recipients,
            entries: message.chain(files).collect(),
            more: format!("{}/help", facts.public_url),
        }
    }
}

#[derive(Template)]
#[template(path = "confirmation/text.txt")]
struct TextTemplate<'a> {
    mail: &'a Mail<'a>,
}

#[derive(Template)]
#[template(path = "confirmation/mail.html")]
struct HtmlTemplate<'a> {
    mail: &'a Mail<'a>,
}
