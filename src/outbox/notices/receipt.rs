//! The mail to the sender: their message was sealed, for whom, until when, and the password to tell.
//! The only mail, file or column that ever holds the password (C24). Not sent at all for automatic mail (H09).

use super::{Context, Notice, NoticeError, ToSender, wording};
use crate::address::Address;
use crate::clock::Timestamp;
use crate::envelope::Envelope;
use crate::id::{QueueId, TransferId};
use crate::message::crlf::CrlfBytes;
use crate::outbox::compose::Fields;
use crate::outbox::text::one_line;
use crate::policy::TagReading;
use crate::secret::Secret;
use crate::store::QueueItemKind;

/// Options that are named one by one.
const MAX_OPTIONS: usize = 10;

/// A message was sealed.
pub struct Receipt<'a> {
    /// Whom it is for, and about what.
    pub to: ToSender<'a>,
    /// What became of the message for each of its recipients.
    pub recipients: &'a [ReceiptLine<'a>],
    /// When the transfer is destroyed.
    pub expires: Timestamp,
    /// The generated one, to be told to the recipients, where one is needed.
    pub password: Option<&'a Secret>,
    /// What became of the options behind the tag.
    pub remarks: &'a Remarks,
    /// The Message-ID of the message, with or without angle brackets.
    pub message_id: Option<&'a str>,
}

/// What the sender has to hear of the options behind the tag.
#[derive(Clone, Debug, Default)]
pub struct Remarks {
    /// The password is the sender's own. It is not repeated here.
    pub chosen: bool,
    /// The sender's password is too easy to guess; a generated one took its place.
    pub too_weak: bool,
    /// The sender asked for no password, but a rule wants one.
    pub password_needed: bool,
    /// Options that were not understood, or that a rule does not allow; never a password.
    pub ignored: Vec<String>,
    /// How the subject was read, where its tag is not written as the manual says.
    pub reading: Option<TagReading>,
}

/// What became of the message for one recipient.
#[derive(Clone, Debug)]
pub struct ReceiptLine<'a> {
    /// The recipient.
    pub address: &'a Address,
    /// What the policy made of it; of a message with a receipt, nothing was refused.
    pub disposition: Disposition<'a>,
}

/// What the policy made of a message for one recipient.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disposition<'a> {
    /// Sealed: a notification with a link.
    Sealed,
    /// It went on unchanged.
    Passed {
        /// By this rule; none where no rule matched.
        rule: Option<&'a str>,
    },
}

impl Notice for Receipt<'_> {
    const KIND: QueueItemKind = QueueItemKind::Receipt;

    fn envelope(&self) -> Envelope {
        self.to.envelope()
    }

    fn transfer(&self) -> Option<&TransferId> {
        Some(self.to.transfer)
    }

    fn compose(&self, context: &Context<'_>, _: &QueueId) -> Result<CrlfBytes, NoticeError> {
        let ToSender { sender, transfer, .. } = &self.to;
        // There is one receipt for each transfer, so its id makes the Message-ID.
        let fields = Fields::own(context, sender, &format!("{transfer}.receipt"), self.message_id);
        let subject = context.subject("receipt-subject", self.sealed_for(), &self.to.sent);
        wording!(Receipt: self, context, subject, "receipt/text.txt", "receipt/mail.html")
            .mail("receipt", context, transfer, fields)
    }
}

impl Receipt<'_> {
    /// Those who have got a link.
    fn sealed_for(&self) -> impl Iterator<Item = &Address> {
        let sealed = self.recipients.iter().filter(|line| line.disposition == Disposition::Sealed);
        sealed.map(|line| line.address)
    }

    /// One line of options that were ignored, as they stood in the subject.
    fn ignored(&self) -> Option<String> {
        let options = &self.remarks.ignored;
        let shown: Vec<String> = options.iter().take(MAX_OPTIONS).map(|option| one_line(option)).collect();
        let more = if options.len() > MAX_OPTIONS { ", …" } else { "" };
        (!shown.is_empty()).then(|| shown.join(", ") + more)
    }

    /// That the tag was not written as the manual says, and what it was taken for.
    fn reading(&self, context: &Context<'_>) -> Option<String> {
        let TagReading { written, tag, .. } = self.remarks.reading.as_ref()?;
        let (written, tag) = (one_line(written), one_line(tag));
        Some(context.language.format("receipt-reading", &[("written", &written), ("tag", &tag)]))
    }

    /// Whether some of the recipients got the message as it was.
    fn is_mixed(&self) -> bool {
        self.recipients.iter().any(|line| line.disposition != Disposition::Sealed)
    }
}

impl ReceiptLine<'_> {
    fn way(&self, context: &Context<'_>) -> String {
        match self.disposition {
            Disposition::Sealed => context.language.text("receipt-sealed"),
            Disposition::Passed { rule: None } => context.language.text("receipt-passed"),
            Disposition::Passed { rule: Some(rule) } => {
                context.language.format("receipt-passed-by", &[("rule", &one_line(rule))])
            }
        }
    }
}
