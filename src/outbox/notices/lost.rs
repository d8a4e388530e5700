//! The mail to the sender when a part of what they sent was lost on our side, and a recipient could not read it: to be
//! sent once more. It goes out once for each transfer.

use super::{Context, Notice, NoticeError, ToSender, wording};
use crate::address::Address;
use crate::envelope::Envelope;
use crate::id::{QueueId, TransferId};
use crate::message::crlf::CrlfBytes;
use crate::store::QueueItemKind;

/// A part is lost.
pub struct LostNotice<'a> {
    /// Whom it is for, and about what.
    pub to: ToSender<'a>,
    /// The recipient who wanted to read it.
    pub recipient: &'a Address,
}

impl Notice for LostNotice<'_> {
    const KIND: QueueItemKind = QueueItemKind::Lost;

    fn envelope(&self) -> Envelope {
        self.to.envelope()
    }

    fn transfer(&self) -> Option<&TransferId> {
        Some(self.to.transfer)
    }

    fn compose(&self, context: &Context<'_>, id: &QueueId) -> Result<CrlfBytes, NoticeError> {
        let subject = context.subject("lost-subject", [self.recipient].into_iter(), &self.to.sent);
        wording!(LostNotice: self, context, subject, "lost/text.txt", "lost/mail.html").mail(
            "lost",
            context,
            self.to.transfer,
            self.to.fields(context, id, "lost"),
        )
    }
}
