//! The mail to staff where answers stay behind a link (`reply.delivery = "transfer"`): it names the author and gives the
//! recipient a link of their own. Never in it: the password, and anything of the answer.

use super::reply::ReplyHeader;
use super::{Context, Notice, NoticeError, wording};
use crate::address::Address;
use crate::clock::Timestamp;
use crate::envelope::Envelope;
use crate::id::{Link, QueueId};
use crate::message::crlf::CrlfBytes;
use crate::outbox::compose::Wording;
use crate::secret::Secret;
use crate::store::QueueItemKind;

/// There is an answer behind a link.
pub struct ReplyNotice<'a> {
    /// From whom, to whom.
    pub header: ReplyHeader<'a>,
    /// The recipient of this notice.
    pub recipient: &'a Address,
    /// To the transfer that the answer has become.
    pub link: &'a Link,
    /// The token of that link; `None` in a preview.
    pub token: Option<&'a Secret>,
    /// When it is destroyed.
    pub expires: Timestamp,
}

impl Notice for ReplyNotice<'_> {
    const KIND: QueueItemKind = QueueItemKind::Reply;

    fn envelope(&self) -> Envelope {
        self.header.envelope(std::slice::from_ref(self.recipient))
    }

    fn link(&self) -> Option<&Link> {
        Some(self.link)
    }

    fn compose(&self, context: &Context<'_>, id: &QueueId) -> Result<CrlfBytes, NoticeError> {
        let mut wording = self.wording(context)?;
        wording.subject = self.header.tagged(&wording.subject);
        wording.mail("reply", context, &self.link.transfer, self.header.fields(context, id))
    }
}

impl ReplyNotice<'_> {
    /// What staff will see, for the preview as well; the subject is without the tag.
    pub fn wording(&self, context: &Context<'_>) -> Result<Wording, NoticeError> {
        let who = self.header.author.who();
        let subject = context.language.format("reply-notice-subject", &[("name", &who)]);
        Ok(wording!(ReplyNotice: self, context, subject, "reply_notice/text.txt", "reply_notice/mail.html"))
    }

    fn shown_link(&self, context: &Context<'_>) -> String {
        let token = self.token.map_or("…", Secret::reveal);
        format!("{}/t/{token}", context.organisation.public_url)
    }

    fn name_label(&self, context: &Context<'_>) -> String {
        match self.header.author.is_claimed {
            true => context.language.text("reply-claimed-name"),
            false => context.language.text("notification-name"),
        }
    }
}
