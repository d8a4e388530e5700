//! The mail with a verification code, to the address that somebody gave: copy, go back, paste. The code is in no other
//! mail, and not in the subject, which mail servers log.

use super::{Context, Notice, NoticeError, wording};
use crate::address::Address;
use crate::envelope::Envelope;
use crate::id::{QueueId, TransferId};
use crate::message::crlf::CrlfBytes;
use crate::outbox::compose::Fields;
use crate::outbox::envelopes::from_nobody;
use crate::secret::Secret;
use crate::store::QueueItemKind;

/// A code that proves an address.
pub struct Verification<'a> {
    /// The address that is to be proved.
    pub to: &'a Address,
    /// What is answered.
    pub transfer: &'a TransferId,
    /// Eight digits.
    pub code: &'a Secret,
}

impl Notice for Verification<'_> {
    const KIND: QueueItemKind = QueueItemKind::Verification;

    fn envelope(&self) -> Envelope {
        from_nobody(self.to)
    }

    fn transfer(&self) -> Option<&TransferId> {
        Some(self.transfer)
    }

    fn compose(&self, context: &Context<'_>, id: &QueueId) -> Result<CrlfBytes, NoticeError> {
        let subject = context.language.text("verification-subject");
        let fields = Fields::own(context, self.to, id.as_str(), None);
        wording!(Verification: self, context, subject, "verification/text.txt", "verification/mail.html")
            .mail("verification", context, self.transfer, fields)
    }
}
