//! The answer of a recipient as staff get it: an ordinary mail in the thread of the message that was sealed, from
//! the gateway's own address (so that DMARC holds, M06) in the author's name, and answered to the author. What the
//! author typed stands only in the text; header fields have cleaned lines and checked addresses (C13).
//!
//! What must never happen: that staff take somebody outside for a colleague (C40). The address that was verified comes
//! first wherever a mail program shows who writes, and the name behind it only where nobody can be misled by it.

use askama::Template;
use mail_builder::headers::address::Address as AddressField;
use mail_builder::headers::raw::Raw;

use crate::address::Address;
use crate::clock::{Timestamp, rfc5322};
use crate::id::{QueueId, TransferId};
use crate::locale::{Language, long_date};
use crate::outbox::compose::{Attachment, Notice, Segment, message_id, one_line, write_field};
use crate::outbox::{NoticeError, style};
use crate::secret::Secret;
use crate::settings::Organisation;

/// The most Message-IDs in a References field: the first ones, and the last.
const MAX_REFERENCES: usize = 20;

/// What an answer and the notice of one have in common.
#[derive(Clone, Copy)]
pub struct Letter<'a> {
    /// Of our own words in the mail.
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
    /// What the policy seals by: whoever forwards the answer has it sealed.
    pub tag: Option<&'a str>,
    /// Makes the Message-ID and the boundaries.
    pub id: &'a QueueId,
    /// The moment of writing.
    pub now: Timestamp,
}

/// All that an answer to staff tells.
pub struct ReplyFacts<'a> {
    /// From whom, to whom.
    pub letter: Letter<'a>,
    /// What it answers.
    pub transfer: &'a TransferId,
    /// The answer, with line feeds and no other control characters than tabs.
    pub message: &'a str,
    /// What did not fit into the mail.
    pub link: Option<FilesLink<'a>>,
}

/// Who has answered.
#[derive(Clone, Copy, Debug)]
pub struct Author<'a> {
    /// As typed.
    pub name: &'a str,
    /// The name looks like an address, or like that of somebody who works here.
    pub is_claimed: bool,
    /// Verified.
    pub address: &'a Address,
    /// Whom the link was made for, where that is another address.
    pub invited: Option<&'a Address>,
    /// As typed; may be empty.
    pub phone: &'a str,
}

/// Files that did not fit, and where they are.
#[derive(Clone, Copy, Debug)]
pub struct FilesLink<'a> {
    /// Of the link that opens them.
    pub token: &'a Secret,
    /// When they are destroyed.
    pub expires: Timestamp,
    /// What they are called.
    pub names: &'a [&'a str],
}

/// What ties an answer to the message that it answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Thread {
    /// The subject of the original, without its tag.
    pub subject: String,
    /// The original's Message-ID.
    pub message_id: Option<String>,
    /// The Message-IDs of the thread, the original's last.
    pub references: Vec<String>,
    /// Thread-Index for the answer (MS-OXOMSG 2.2.1.3), in base64.
    pub index: Option<String>,
    /// Thread-Topic as the original has it.
    pub topic: Option<String>,
}

/// The Message-ID of the answer with this id.
pub fn reply_id(id: &QueueId, hostname: &str) -> String {
    format!("<{id}.reply@{hostname}>")
}

/// Writes the answer. The files' octets are for the caller to put in.
pub fn reply(facts: &ReplyFacts, files: &[Attachment<'_>]) -> Result<Vec<Segment>, NoticeError> {
    let written = write(facts)?;
    Notice {
        kind: "reply",
        language: facts.letter.language,
        transfer: facts.transfer,
        subject: &facts.letter.tagged(&written.subject),
        text: &written.text,
        html: &written.html,
    }
    .compose_with_files(&facts.letter.fields(), facts.letter.id, files)
}

/// What people see of the answer.
pub struct Written {
    /// Of the From field
    pub from: String,
    /// Subject, without the tag
    pub subject: String,
    /// The text part
    pub text: String,
    /// The HTML part
    pub html: String,
}

/// What staff will see, for the preview as well.
pub fn write(facts: &ReplyFacts) -> Result<Written, NoticeError> {
    let mail = Mail::new(facts);
    Ok(Written {
        from: facts.letter.author.shown(facts.letter.organisation),
        subject: subject(&facts.letter),
        text: TextTemplate { mail: &mail }.render()?,
        html: HtmlTemplate { mail: &mail }.render()?,
    })
}

impl Author<'_> {
    /// The name in the From field: whose address was verified, what they call themselves, and who vouches for it. The
    /// address comes first, so that no length of a name can push it out of sight.
    pub fn shown(&self, organisation: &Organisation) -> String {
        let (address, organisation) = (one_line(self.address.as_str()), one_line(&organisation.name));
        match self.name() {
            Some(name) => format!("{address} - {name} (via {organisation})"),
            None => format!("{address} (via {organisation})"),
        }
    }

    /// What to call them in a sentence.
    pub(super) fn who(&self) -> String {
        self.name().unwrap_or_else(|| one_line(self.address.as_str()))
    }

    /// The name as one line, where nobody can be misled by it.
    fn name(&self) -> Option<String> {
        Some(one_line(self.name)).filter(|name| !self.is_claimed && !name.is_empty())
    }

    /// The phone number as one line, if there is one.
    pub(super) fn phone(&self) -> Option<String> {
        Some(one_line(self.phone)).filter(|phone| !phone.is_empty())
    }
}

/// What the subject of an answer may begin with.
const PREFIXES: [&str; 3] = ["re:", "antw:", "aw:"];

/// `Re:` once, whatever the original began with.
fn subject(letter: &Letter) -> String {
    let original = one_line(&letter.thread.subject);
    let lower = original.to_lowercase();
    match original.is_empty() {
        true => letter.language.text("reply-subject"),
        false if PREFIXES.iter().any(|prefix| lower.starts_with(prefix)) => original,
        false => format!("Re: {original}"),
    }
}

impl Letter<'_> {
    /// The header, but for what every notice has.
    pub(super) fn fields(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let from = self.author.shown(self.organisation);
        let from = AddressField::new_address(Some(from), format!("noreply@{}", self.hostname));
        write_field(&mut out, "From", &from);
        let author = AddressField::new_address(self.author.name(), self.author.address.as_str());
        write_field(&mut out, "Reply-To", &author);
        for (field, addresses) in [("To", self.to), ("Cc", self.cc)] {
            if !addresses.is_empty() {
                let listed: Vec<String> = addresses.iter().map(|address| format!("<{address}>")).collect();
                out.extend_from_slice(format!("{field}: {}\r\n", listed.join(",\r\n\t")).as_bytes());
            }
        }
        write_field(&mut out, "Date", &Raw::new(rfc5322(self.now)));
        write_field(&mut out, "Message-ID", &Raw::new(reply_id(self.id, self.hostname)));
        thread_fields(&mut out, self.thread);
        out
    }

    /// The subject with the tag, behind the prefix of an answer: mail programs go by what follows that (MS-OXCMSG
    /// 2.2.1.10), and so the answer stays beside the original.
    pub(super) fn tagged(&self, subject: &str) -> String {
        let Some(tag) = self.tag else { return subject.to_owned() };
        match subject.split_once(' ') {
            Some((prefix, rest)) if PREFIXES.contains(&prefix.to_lowercase().as_str()) => {
                format!("{prefix} [{tag}] {rest}")
            }
            _ => format!("[{tag}] {subject}"),
        }
    }

    /// How it came in, from whom, and for whom that way in was made.
    pub(super) fn banner(&self) -> String {
        let (organisation, address) =
            (one_line(&self.organisation.name), one_line(self.author.address.as_str()));
        let banner =
            self.language.format("reply-banner", &[("organisation", &organisation), ("address", &address)]);
        match self.author.invited.map(|invited| one_line(invited.as_str())) {
            Some(invited) => {
                format!("{banner}\n{}", self.language.format("reply-invited", &[("address", &invited)]))
            }
            None => banner,
        }
    }
}

/// In-Reply-To and References (RFC 5322 3.6.4), and what Exchange goes by.
fn thread_fields(out: &mut Vec<u8>, thread: &Thread) {
    if let Some(id) = thread.message_id.as_deref().and_then(message_id) {
        write_field(out, "In-Reply-To", &Raw::new(id));
    }
    let mut references: Vec<String> = thread.references.iter().filter_map(|id| message_id(id)).collect();
    if references.len() > MAX_REFERENCES {
        references.drain(MAX_REFERENCES / 2..references.len() - MAX_REFERENCES / 2);
    }
    if !references.is_empty() {
        out.extend_from_slice(format!("References: {}\r\n", references.join("\r\n\t")).as_bytes());
    }
    if let Some(topic) = thread.topic.as_deref().map(one_line).filter(|topic| !topic.is_empty()) {
        write_field(out, "Thread-Topic", &mail_builder::headers::text::Text::new(topic));
    }
    if let Some(index) = &thread.index {
        write_field(out, "Thread-Index", &Raw::new(index.as_str()));
    }
}

/// What the templates show.
struct Mail<'a> {
    language: Language,
    banner: String,
    message: String,
    name: String,
    is_claimed: bool,
    email: &'a Address,
    mailto: String,
    phone: Option<String>,
    link: Option<ShownLink<'a>>,
}

/// A link as it is shown.
struct ShownLink<'a> {
    url: String,
    expires: String,
    names: &'a [&'a str],
}

impl<'a> Mail<'a> {
    fn new(facts: &ReplyFacts<'a>) -> Self {
        let (letter, language) = (&facts.letter, facts.letter.language);
        let message = match facts.message.trim().is_empty() {
            true => language.text("reply-empty"),
            false => facts.message.to_owned(),
        };
        let shown = |link: FilesLink<'a>| ShownLink {
            url: format!("{}/t/{}", letter.public_url, link.token.reveal()),
            expires: long_date(language, link.expires),
            names: link.names,
        };
        let address = letter.author.address;
        Self {
            language,
            banner: letter.banner(),
            message,
            name: one_line(letter.author.name),
            is_claimed: letter.author.is_claimed,
            email: address,
            mailto: percent_encoding::utf8_percent_encode(
                address.as_str(),
                percent_encoding::NON_ALPHANUMERIC,
            )
            .to_string()
            .replace("%40", "@"),
            phone: letter.author.phone(),
            link: facts.link.map(shown),
        }
    }
}

#[derive(Template)]
#[template(path = "reply/text.txt")]
struct TextTemplate<'a> {
    mail: &'a Mail<'a>,
}

#[derive(Template)]
#[template(path = "reply/mail.html")]
struct HtmlTemplate<'a> {
    mail: &'a Mail<'a>,
}
