//! The mail that tells a recipient who has confidential data for them, and gives them a link of their own. It takes the
//! place of the original message, so it keeps the original's From, To, Date and thread.
//! Never in it: the password (C24), anything of the body, a file name, and the subject unless kept.

use super::{Context, Notice, NoticeError, wording};
use crate::address::ReversePath;
use crate::clock::Timestamp;
use crate::envelope::{Envelope, EnvelopeRecipient, MailParameters};
use crate::id::{Link, QueueId};
use crate::message::crlf::CrlfBytes;
use crate::outbox::SenderCard;
use crate::outbox::compose::Fields;
use crate::outbox::envelopes::from_somebody;
use crate::secret::Secret;
use crate::store::QueueItemKind;

/// There is a transfer for somebody.
pub struct Notification<'a> {
    /// Whom failure reports go to: the original's.
    pub reverse_path: &'a ReversePath,
    /// The parameters of MAIL of the original.
    pub parameters: &'a MailParameters,
    /// The recipient, with the parameters of RCPT of the original.
    pub recipient: &'a EnvelopeRecipient,
    /// The sender of the message.
    pub sender: &'a SenderCard,
    /// What it brings.
    pub link: &'a Link,
    /// The token of that link.
    pub token: &'a Secret,
    /// When the transfer is destroyed.
    pub expires: Timestamp,
    /// Whether the link alone is not enough.
    pub password_needed: bool,
    /// Whether there is a page to answer on.
    pub reply_enabled: bool,
    /// The transfer was there before, and has a new date.
    pub is_extended: bool,
    /// The original's subject without its tag, where policy keeps it.
    pub subject: Option<&'a str>,
    /// What it has of the original's header: who it is from and to, its time and its place in the thread.
    pub fields: Fields,
}

impl Notification<'_> {
    fn sender_name(&self, context: &Context<'_>) -> String {
        self.sender.full_name(context.language)
    }
}

impl Notice for Notification<'_> {
    const KIND: QueueItemKind = QueueItemKind::Notification;

    fn envelope(&self) -> Envelope {
        let mut envelope = from_somebody(self.reverse_path.clone(), vec![self.recipient.clone()]);
        envelope.parameters.smtputf8 |= self.parameters.smtputf8;
        envelope.parameters.envid.clone_from(&self.parameters.envid);
        envelope
    }

    fn link(&self) -> Option<&Link> {
        Some(self.link)
    }

    fn compose(&self, context: &Context<'_>, _: &QueueId) -> Result<CrlfBytes, NoticeError> {
        let organisation = context.organisation_name();
        let values = [("organisation", organisation.as_str())];
        let generic = || match self.is_extended {
            true => context.language.format("notification-extended-subject", &values),
            false => context.language.format("notification-subject", &values),
        };
        let subject = self.subject.map_or_else(generic, str::to_owned);
        wording!(Notification: self, context, subject, "notification/text.txt", "notification/mail.html")
            .mail("notification", context, &self.link.transfer, self.fields.clone())
    }
}
