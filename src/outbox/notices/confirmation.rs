//! The mail that confirms an answer to its author: what was sent, when, to whom, with a checksum of everything (Wmebv).
//! Never in it: the text of the answer, and names of files unless that was asked for.

use super::{Context, Notice, NoticeError, wording};
use crate::address::Address;
use crate::envelope::Envelope;
use crate::id::{QueueId, TransferId};
use crate::locale::size;
use crate::message::crlf::CrlfBytes;
use crate::outbox::compose::Fields;
use crate::outbox::envelopes::from_nobody;
use crate::outbox::text::one_line;
use crate::store::QueueItemKind;

/// An answer was sent.
pub struct Confirmation<'a> {
    /// The verified address of the author.
    pub to: &'a Address,
    /// What was answered.
    pub transfer: &'a TransferId,
    /// Whom the answer goes to.
    pub recipients: &'a [Address],
    /// Its message, unless there is none.
    pub message: Option<Checksum<'a>>,
    pub files: &'a [Checksum<'a>],
    /// Whether files are called by their names.
    pub show_names: bool,
}

/// Something that was sent.
#[derive(Clone, Copy, Debug)]
pub struct Checksum<'a> {
    /// The name of a file; not shown of a message.
    pub name: &'a str,
    /// In bytes.
    pub size: u64,
    /// In hexadecimal.
    pub sha256: &'a str,
}

impl Notice for Confirmation<'_> {
    const KIND: QueueItemKind = QueueItemKind::Confirmation;

    fn envelope(&self) -> Envelope {
        from_nobody(self.to)
    }

    fn transfer(&self) -> Option<&TransferId> {
        Some(self.transfer)
    }

    fn compose(&self, context: &Context<'_>, id: &QueueId) -> Result<CrlfBytes, NoticeError> {
        let subject = context.language.text("confirmation-subject");
        let fields = Fields::own(context, self.to, id.as_str(), None);
        wording!(Confirmation: self, context, subject, "confirmation/text.txt", "confirmation/mail.html")
            .mail("reply-confirmation", context, self.transfer, fields)
    }
}

/// A line of the list.
struct Entry<'a> {
    name: String,
    size: String,
    sha256: &'a str,
}

impl Confirmation<'_> {
    fn entries(&self, context: &Context<'_>) -> Vec<Entry<'_>> {
        let t = context.language;
        let file = |(number, sum): (usize, &Checksum<'_>)| match self.show_names {
            true => one_line(sum.name),
            false => t.format("confirmation-file", &[("number", &number.to_string())]),
        };
        let message = self.message.iter().map(|sum| (t.text("confirmation-message"), sum));
        let files = (1..).zip(self.files).map(|numbered| (file(numbered), numbered.1));
        let mut entries = Vec::new();
        for (name, sum) in message.chain(files) {
            entries.push(Entry { name, size: size(t, sum.size), sha256: sum.sha256 });
        }
        entries
    }
}
