//! The mail that tells the sender which recipient has downloaded something, and how much of it. It names files only where
//! the policy says so, for this mail is not sealed.

use super::{Context, Notice, NoticeError, ToSender, wording};
use crate::address::Address;
use crate::clock::Timestamp;
use crate::envelope::Envelope;
use crate::id::{QueueId, TransferId};
use crate::message::crlf::CrlfBytes;
use crate::outbox::text::one_line;
use crate::store::QueueItemKind;

/// File names that are told one by one.
const MAX_NAMES: usize = 50;

/// A recipient has downloaded something.
pub struct DownloadNotice<'a> {
    /// Whom it is for, and about what.
    pub to: ToSender<'a>,
    /// The recipient who has downloaded something.
    pub recipient: &'a Address,
    /// When for the last time.
    pub time: Timestamp,
    /// How many files they have by now.
    pub files: usize,
    /// How many there are.
    pub of: u32,
    /// They have the message itself.
    pub message: bool,
    /// What they have just downloaded, where names may be told.
    pub names: &'a [String],
}

impl Notice for DownloadNotice<'_> {
    const KIND: QueueItemKind = QueueItemKind::Download;

    fn envelope(&self) -> Envelope {
        self.to.envelope()
    }

    fn transfer(&self) -> Option<&TransferId> {
        Some(self.to.transfer)
    }

    fn compose(&self, context: &Context<'_>, id: &QueueId) -> Result<CrlfBytes, NoticeError> {
        let subject = context.subject("download-subject", [self.recipient].into_iter(), &self.to.sent);
        wording!(DownloadNotice: self, context, subject, "download/text.txt", "download/mail.html").mail(
            "download",
            context,
            self.to.transfer,
            self.to.fields(context, id, "download"),
        )
    }
}

impl DownloadNotice<'_> {
    /// How many of the files, if there is one.
    fn count(&self, context: &Context<'_>) -> Option<String> {
        let (files, of) = (self.files.to_string(), self.of.to_string());
        (self.files > 0)
            .then(|| context.language.format("download-files", &[("files", &files), ("count", &of)]))
    }

    fn shown_names(&self) -> Vec<String> {
        self.names.iter().take(MAX_NAMES).map(|name| one_line(name)).collect()
    }
}
