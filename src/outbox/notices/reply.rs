//! The answer of a recipient as staff get it: an ordinary mail in the thread of the message that was sealed, from
//! the gateway's own address (so that DMARC holds, M06) in the author's name, and answered to the author. What the
//! author typed is only in the text; header fields have cleaned lines and checked addresses (C13).
//!
//! What must never happen: that staff take somebody outside for a colleague (C40). The address that was verified comes
//! first wherever a mail program shows who writes, and the name behind it only where nobody can be misled by it.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::{Context, Notice, NoticeError, wording};
use crate::address::{Address, ReversePath};
use crate::clock::Timestamp;
use crate::envelope::{Envelope, EnvelopeRecipient};
use crate::id::{QueueId, TransferId};
use crate::message::crlf::CrlfBytes;
use crate::outbox::attachment::{Attachment, StreamedMail};
use crate::outbox::compose::{Fields, Wording, message_id};
use crate::outbox::envelopes::from_somebody;
use crate::outbox::text::one_line;
use crate::secret::Secret;
use crate::settings::Organisation;
use crate::store::QueueItemKind;

/// The most Message-IDs in a References field: the first ones, and the last.
const MAX_REFERENCES: usize = 20;

/// What an answer and the notice of one have in common.
#[derive(Clone, Copy)]
pub struct ReplyHeader<'a> {
    /// The recipient who has answered.
    pub author: Author<'a>,
    /// In the To field.
    pub to: &'a [Address],
    /// In the Cc field.
    pub cc: &'a [Address],
    /// Where it belongs.
    pub thread: &'a Thread,
    /// The tag that the policy seals by: an answer that is forwarded is sealed.
    pub tag: Option<&'a str>,
}

/// The answer of a recipient.
pub struct Reply<'a> {
    /// From whom, to whom.
    pub header: ReplyHeader<'a>,
    /// All who get it, those in Bcc as well.
    pub recipients: &'a [Address],
    /// What it answers.
    pub transfer: &'a TransferId,
    /// The answer, with line feeds and no other control characters than tabs.
    pub message: &'a str,
    /// Files that did not fit into the mail.
    pub link: Option<FilesLink<'a>>,
}

/// The recipient who has answered.
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

impl Notice for Reply<'_> {
    const KIND: QueueItemKind = QueueItemKind::Reply;

    fn envelope(&self) -> Envelope {
        self.header.envelope(self.recipients)
    }

    fn transfer(&self) -> Option<&TransferId> {
        Some(self.transfer)
    }

    fn compose(&self, context: &Context<'_>, id: &QueueId) -> Result<CrlfBytes, NoticeError> {
        Ok(self.stream(context, id, Vec::new())?.start)
    }
}

impl Reply<'_> {
    /// Writes it with its files.
    pub fn stream(
        &self,
        context: &Context<'_>,
        id: &QueueId,
        files: Vec<Attachment>,
    ) -> Result<StreamedMail, NoticeError> {
        let mut wording = self.wording(context)?;
        wording.subject = self.header.tagged(&wording.subject);
        let fields = self.header.fields(context, id);
        wording.mail_with_files("reply", context, self.transfer, fields, (id, files))
    }

    /// What staff will see, for the preview as well; the subject is without the tag.
    pub fn wording(&self, context: &Context<'_>) -> Result<Wording, NoticeError> {
        let subject = self.header.subject(context);
        Ok(wording!(Reply: self, context, subject, "reply/text.txt", "reply/mail.html"))
    }

    fn shown_message(&self, context: &Context<'_>) -> String {
        match self.message.trim().is_empty() {
            true => context.language.text("reply-empty"),
            false => self.message.to_owned(),
        }
    }
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

    /// The name as it was typed, as one line.
    pub(super) fn typed_name(&self) -> String {
        one_line(self.name)
    }

    /// The address in a `mailto:` link.
    fn mailto(&self) -> String {
        utf8_percent_encode(self.address.as_str(), NON_ALPHANUMERIC).to_string().replace("%40", "@")
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

impl ReplyHeader<'_> {
    /// The reverse path is for failure reports alone; see [`QueueItemKind::Reply`].
    pub(super) fn envelope(&self, recipients: &[Address]) -> Envelope {
        let author = ReversePath::Address(self.author.address.clone());
        from_somebody(author, recipients.iter().cloned().map(EnvelopeRecipient::from).collect())
    }

    /// All fields of the header but those that every mail of ours has.
    pub(super) fn fields(&self, context: &Context<'_>, id: &QueueId) -> Fields {
        let from = self.author.shown(context.organisation);
        let fields = Fields::default()
            .mailbox("From", Some(&from), &format!("noreply@{}", context.organisation.hostname))
            .mailbox("Reply-To", self.author.name().as_deref(), self.author.address.as_str())
            .addresses("To", self.to)
            .addresses("Cc", self.cc)
            .date(context.now)
            .exact("Message-ID", &reply_id(id, &context.organisation.hostname));
        thread_fields(fields, self.thread)
    }

    /// `Re:` once, whatever the original began with.
    fn subject(&self, context: &Context<'_>) -> String {
        let original = one_line(&self.thread.subject);
        let lower = original.to_lowercase();
        match original.is_empty() {
            true => context.language.text("reply-subject"),
            false if PREFIXES.iter().any(|prefix| lower.starts_with(prefix)) => original,
            false => format!("Re: {original}"),
        }
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
    pub(super) fn banner(&self, context: &Context<'_>) -> String {
        let (organisation, address) = (context.organisation_name(), one_line(self.author.address.as_str()));
        let values = [("organisation", organisation.as_str()), ("address", &address)];
        let banner = context.language.format("reply-banner", &values);
        let Some(invited) = self.author.invited.map(|invited| one_line(invited.as_str())) else {
            return banner;
        };
        format!("{banner}\n{}", context.language.format("reply-invited", &[("address", &invited)]))
    }
}

/// In-Reply-To and References (RFC 5322 3.6.4), and what Exchange goes by.
fn thread_fields(fields: Fields, thread: &Thread) -> Fields {
    let mut references: Vec<String> = thread.references.iter().filter_map(|id| message_id(id)).collect();
    if references.len() > MAX_REFERENCES {
        references.drain(MAX_REFERENCES / 2..references.len() - MAX_REFERENCES / 2);
    }
    let topic = thread.topic.as_deref().map(one_line).filter(|topic| !topic.is_empty());
    let fields = fields
        .optional("In-Reply-To", thread.message_id.as_deref().and_then(message_id).as_deref())
        .list("References", &references, "");
    let fields = match topic {
        Some(topic) => fields.free_text("Thread-Topic", &topic),
        None => fields,
    };
    fields.optional("Thread-Index", thread.index.as_deref())
}
