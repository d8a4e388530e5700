//! The mail to a recipient whose link was taken back, where the sender wants them to know. It has no link and
//! nothing of the message: only that there is nothing to open any more, and whom to ask.

use super::{Context, Notice, NoticeError, wording};
use crate::address::Address;
use crate::clock::Timestamp;
use crate::envelope::Envelope;
use crate::id::{Link, QueueId};
use crate::message::crlf::CrlfBytes;
use crate::outbox::SenderCard;
use crate::outbox::compose::Fields;
use crate::outbox::envelopes::from_nobody;
use crate::store::QueueItemKind;

/// A link was taken back.
pub struct RecallNotice<'a> {
    /// The sender of the message.
    pub sender: &'a SenderCard,
    /// The recipient of the mail.
    pub recipient: &'a Address,
    /// What was taken back.
    pub link: &'a Link,
    /// The Message-ID of the message.
    pub message_id: Option<&'a str>,
    /// When it was sent.
    pub sent: Timestamp,
}

impl Notice for RecallNotice<'_> {
    const KIND: QueueItemKind = QueueItemKind::Recall;

    fn envelope(&self) -> Envelope {
        from_nobody(self.recipient)
    }

    fn link(&self) -> Option<&Link> {
        Some(self.link)
    }

    fn compose(&self, context: &Context<'_>, _: &QueueId) -> Result<CrlfBytes, NoticeError> {
        let Link { transfer, recipient } = self.link;
        // A link is taken back once.
        let id = format!("{transfer}.{recipient}.recall");
        let fields = Fields::own(context, self.recipient, &id, self.message_id);
        let subject = context
            .language
            .format("recall-subject", &[("organisation", context.organisation_name().as_str())]);
        wording!(RecallNotice: self, context, subject, "recall/text.txt", "recall/mail.html")
            .mail("recall", context, transfer, fields)
    }
}

impl RecallNotice<'_> {
    fn sender_name(&self, context: &Context<'_>) -> String {
        self.sender.full_name(context.language)
    }
}
