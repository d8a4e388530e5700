//! The mail to the sender: their message was sealed, for whom, until when, and the password to tell.
//! The only mail, file or column that ever holds the password (C24). The caller sends it with a null
//! reverse path, and not at all for automatic mail (H09).

use askama::Template;

use crate::address::Address;
use crate::clock::Timestamp;
use crate::id::TransferId;
use crate::locale::{Language, long_date};
use crate::message::crlf::CrlfBytes;
use crate::outbox::compose::{Notice, OwnHeader, one_line};
use crate::outbox::{NoticeError, style};
use crate::policy::TagReading;
use crate::secret::Secret;
use crate::settings::Organisation;

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
    /// Whom the message went to, and which way.
    pub recipients: &'a [Way<'a>],
    /// What it became.
    pub transfer: &'a TransferId,
    /// When it is destroyed.
    pub expires: Timestamp,
    /// The generated one, to be told to the recipients, where one is needed.
    pub password: Option<&'a Secret>,
    /// What became of the options behind the tag.
    pub remarks: &'a Remarks,
    /// The sender's link to the status page of the transfer.
    pub status: &'a Secret,
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
    /// How the subject was read, where its tag is not written as the manual says.
    pub reading: Option<TagReading>,
}

/// Which way the message went for one recipient.
#[derive(Clone, Debug)]
pub struct Way<'a> {
    /// Whom to.
    pub address: &'a Address,
    /// What the policy made of it; of a message with a receipt, nothing was refused.
    pub taken: Taken<'a>,
}

/// What became of the message for one recipient.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken<'a> {
    /// Sealed: a notification with a link.
    Sealed,
    /// It went on unchanged.
    Passed {
        /// By this rule; none where no rule matched.
        rule: Option<&'a str>,
    },
}

/// Writes the receipt.
pub fn receipt(facts: &ReceiptFacts) -> Result<CrlfBytes, NoticeError> {
    let mail = Mail::new(facts);
    let header = OwnHeader {
        organisation: facts.organisation,
        hostname: facts.hostname,
        to: facts.sender,
        // One receipt per transfer, so its id makes the Message-ID.
        message_id: &format!("{}.receipt", facts.transfer),
        in_reply_to: facts.message_id,
        now: facts.now,
    };
    Notice {
        kind: "receipt",
        language: facts.language,
        transfer: facts.transfer,
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
    recipients: &'a [Way<'a>],
    transfer: &'a TransferId,
    expires: String,
    password: Option<&'a str>,
    remarks: &'a Remarks,
    ignored: Option<String>,
    status: &'a str,
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
            status: facts.status.reveal(),
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

impl Mail<'_> {
    /// That the tag was not written as the manual says, and what it was taken for.
    fn reading(&self) -> Option<String> {
        let TagReading { written, tag, .. } = self.remarks.reading.as_ref()?;
        Some(
            self.language
                .format("receipt-reading", &[("written", &one_line(written)), ("tag", &one_line(tag))]),
        )
    }

    /// Some of the recipients got the message as it was.
    fn is_mixed(&self) -> bool {
        self.recipients.iter().any(|way| way.taken != Taken::Sealed)
    }

    fn way(&self, way: &Way<'_>) -> String {
        match way.taken {
            Taken::Sealed => self.language.text("receipt-sealed"),
            Taken::Passed { rule: None } => self.language.text("receipt-passed"),
            Taken::Passed { rule: Some(rule) } => {
                self.language.format("receipt-passed-by", &[("rule", &one_line(rule))])
            }
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
