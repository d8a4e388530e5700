//! The mail to the sender when a recipient came too late and asks for the message: one button, to the status
//! page. There the date can be moved while the keys still exist; else it says to send the message once more.

use super::{Context, Notice, NoticeError, ToSender, wording};
use crate::address::Address;
use crate::clock::Timestamp;
use crate::envelope::Envelope;
use crate::id::{QueueId, TransferId};
use crate::message::crlf::CrlfBytes;
use crate::store::QueueItemKind;

/// A recipient asks for a transfer that has expired.
pub struct Ask<'a> {
    /// Whom it is for, and about what.
    pub to: ToSender<'a>,
    /// The recipient who asks.
    pub recipient: &'a Address,
    /// When it expired.
    pub expired: Timestamp,
    /// Until when its date can still be moved; none when its keys are gone.
    pub renewable: Option<Timestamp>,
}

impl Notice for Ask<'_> {
    const KIND: QueueItemKind = QueueItemKind::Ask;

    fn envelope(&self) -> Envelope {
        self.to.envelope()
    }

    fn transfer(&self) -> Option<&TransferId> {
        Some(self.to.transfer)
    }

    fn compose(&self, context: &Context<'_>, id: &QueueId) -> Result<CrlfBytes, NoticeError> {
        let subject = context.subject("ask-subject", [self.recipient].into_iter(), &self.to.sent);
        wording!(Ask: self, context, subject, "ask/text.txt", "ask/mail.html").mail(
            "ask",
            context,
            self.to.transfer,
            self.to.fields(context, id, "ask"),
        )
    }
}
