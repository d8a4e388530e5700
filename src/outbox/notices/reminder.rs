//! The mail to a recipient who has not opened a transfer yet: it is still there, and until when. In the sender's name,
//! like the notification, but made by a machine: nobody answers it automatically.
//! Never in it: the password (C24), a file name, the subject.

use super::{Context, Notice, NoticeError, wording};
use crate::address::{Address, ReversePath};
use crate::clock::Timestamp;
use crate::envelope::{Envelope, EnvelopeRecipient};
use crate::id::{Link, QueueId};
use crate::message::crlf::CrlfBytes;
use crate::outbox::SenderCard;
use crate::outbox::compose::Fields;
use crate::outbox::envelopes::from_somebody;
use crate::secret::Secret;
use crate::store::QueueItemKind;

/// A transfer is still there.
pub struct Reminder<'a> {
    /// Whom failure reports go to.
    pub reverse_path: &'a ReversePath,
    /// The recipient who is reminded.
    pub recipient: &'a Address,
    /// The sender of the message.
    pub sender: &'a SenderCard,
    /// What it brings.
    pub link: &'a Link,
    /// The token of that link.
    pub token: &'a Secret,
    /// When the message was sent.
    pub sent: Timestamp,
    /// When the transfer is destroyed.
    pub expires: Timestamp,
    /// Whether the link alone is not enough.
    pub password_needed: bool,
    /// From, To, Date, Message-ID and the thread.
    pub fields: Fields,
}

impl Reminder<'_> {
    fn sender_name(&self, context: &Context<'_>) -> String {
        self.sender.full_name(context.language)
    }
}

impl Notice for Reminder<'_> {
    const KIND: QueueItemKind = QueueItemKind::Reminder;

    fn envelope(&self) -> Envelope {
        from_somebody(self.reverse_path.clone(), vec![EnvelopeRecipient::from(self.recipient.clone())])
    }

    fn link(&self) -> Option<&Link> {
        Some(self.link)
    }

    fn compose(&self, context: &Context<'_>, _: &QueueId) -> Result<CrlfBytes, NoticeError> {
        let organisation = context.organisation_name();
        let subject = context.language.format("reminder-subject", &[("organisation", organisation.as_str())]);
        wording!(Reminder: self, context, subject, "reminder/text.txt", "reminder/mail.html").mail(
            "reminder",
            context,
            &self.link.transfer,
            self.fields.clone().automatic(),
        )
    }
}
