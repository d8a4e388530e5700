//! The mail that tells the sender, two days before a transfer expires, which recipients have not opened it. Its button
//! leads to the status page, where the date can be moved.

use super::{Context, Notice, NoticeError, ToSender, wording};
use crate::address::Address;
use crate::clock::Timestamp;
use crate::envelope::Envelope;
use crate::id::{QueueId, TransferId};
use crate::message::crlf::CrlfBytes;
use crate::store::QueueItemKind;

/// Recipients have not opened a transfer that expires soon.
pub struct Unopened<'a> {
    /// Whom it is for, and about what.
    pub to: ToSender<'a>,
    /// Those who have not opened it.
    pub recipients: &'a [Address],
    /// When it is destroyed.
    pub expires: Timestamp,
}

impl Notice for Unopened<'_> {
    const KIND: QueueItemKind = QueueItemKind::Unopened;

    fn envelope(&self) -> Envelope {
        self.to.envelope()
    }

    fn transfer(&self) -> Option<&TransferId> {
        Some(self.to.transfer)
    }

    fn compose(&self, context: &Context<'_>, id: &QueueId) -> Result<CrlfBytes, NoticeError> {
        let subject = context.subject("unopened-subject", self.recipients.iter(), &self.to.sent);
        wording!(Unopened: self, context, subject, "unopened/text.txt", "unopened/mail.html").mail(
            "unopened",
            context,
            self.to.transfer,
            self.to.fields(context, id, "unopened"),
        )
    }
}
