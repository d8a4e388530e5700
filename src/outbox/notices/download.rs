//! The mail to the sender when a recipient has downloaded something: who, and how much of it. File names only where the
//! policy says so, for this mail is not sealed.

use askama::Template;

use crate::address::Address;
use crate::clock::Timestamp;
use crate::id::TransferId;
use crate::locale::{Language, long_date_and_time};
use crate::message::crlf::CrlfBytes;
use crate::outbox::compose::{Notice, OwnHeader, one_line};
use crate::outbox::{NoticeError, SenderFacts, style};

/// File names that are told one by one.
const MAX_NAMES: usize = 50;

/// All that it tells.
pub struct DownloadFacts<'a> {
    /// Whom it is for, and about what.
    pub to: SenderFacts<'a>,
    /// Who has downloaded.
    pub recipient: &'a Address,
    /// When for the last time.
    pub time: Timestamp,
    /// How many files they have by now.
    pub files: usize,
    /// How many there are.
    pub of: u32,
    /// They have the message itself.
    pub message: bool,
    /// What they have just downloaded, where names may be told.
    pub names: &'a [String],
}

/// Writes it.
pub fn download(facts: &DownloadFacts) -> Result<CrlfBytes, NoticeError> {
    let SenderFacts { language, organisation, hostname, public_url, sender, transfer, status, id, now } =
        facts.to;
    let (files, of) = (facts.files.to_string(), facts.of.to_string());
    let mail = Mail {
        language,
        organisation: one_line(&organisation.name),
        recipient: facts.recipient.as_str(),
        time: long_date_and_time(language, facts.time),
        files: (facts.files > 0)
            .then(|| language.format("download-files", &[("files", &files), ("count", &of)])),
        message: facts.message,
        names: facts.names.iter().take(MAX_NAMES).map(|name| one_line(name)).collect(),
        status: status.reveal(),
        transfer,
        more: format!("{public_url}/help"),
    };
    let header = OwnHeader {
        organisation,
        hostname,
        to: sender,
        message_id: &format!("{transfer}.{id}.download"),
        in_reply_to: Some(&format!("{transfer}.receipt@{hostname}")),
        now,
    };
    Notice {
        kind: "download",
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
    time: String,
    files: Option<String>,
    message: bool,
    names: Vec<String>,
    status: &'a str,
    transfer: &'a TransferId,
    more: String,
}

#[derive(Template)]
#[template(path = "download/subject.txt")]
struct SubjectTemplate<'a> {
    mail: &'a Mail<'a>,
}

#[derive(Template)]
#[template(path = "download/text.txt")]
struct TextTemplate<'a> {
    mail: &'a Mail<'a>,
}

#[derive(Template)]
#[template(path = "download/mail.html")]
struct HtmlTemplate<'a> {
    mail: &'a Mail<'a>,
}
