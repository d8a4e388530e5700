//! One file for each mail that zegel writes: its facts, and how it is made of them.

pub mod ask;
pub mod confirmation;
pub mod download;
pub mod failure;
pub mod lost;
pub mod notification;
pub mod recall;
pub mod receipt;
pub mod reminder;
pub mod reply;
pub mod reply_notice;
pub mod undelivered;
pub mod unopened;
pub mod verification;

use super::compose::Fields;
use super::envelopes::from_nobody;
use super::{Context, NoticeError};
use crate::address::Address;
use crate::clock::Timestamp;
use crate::envelope::Envelope;
use crate::id::{Link, QueueId, TransferId};
use crate::message::crlf::CrlfBytes;
use crate::outbox::text::one_line;
use crate::secret::Secret;
use crate::store::QueueItemKind;

/// A mail that zegel writes.
pub trait Notice {
    /// What the queue calls it.
    const KIND: QueueItemKind;

    /// Its envelope: who gets it, and who is told when it cannot be delivered.
    fn envelope(&self) -> Envelope;

    /// The link that it brings or is about.
    fn link(&self) -> Option<&Link> {
        None
    }

    /// The transfer that it is about.
    fn transfer(&self) -> Option<&TransferId> {
        self.link().map(|link| &link.transfer)
    }

    /// Writes it. `id` is that of its item in the queue.
    fn compose(&self, context: &Context<'_>, id: &QueueId) -> Result<CrlfBytes, NoticeError>;
}

/// The [`Wording`](super::compose::Wording) of a notice from its two templates, which see it as `mail`, beside `context`.
macro_rules! wording {
    ($type:ident: $mail:expr, $context:expr, $subject:expr, $text:tt, $html:tt) => {{
        use askama::Template;

        use crate::config::Scheme;
        use crate::outbox::style;

        #[derive(Template)]
        #[template(path = $text)]
        struct Text<'a> {
            context: &'a Context<'a>,
            mail: &'a $type<'a>,
        }

        #[derive(Template)]
        #[template(path = $html)]
        struct Html<'a> {
            context: &'a Context<'a>,
            mail: &'a $type<'a>,
            light: &'a Scheme,
        }

        let (context, mail) = ($context, $mail);
        let light = &context.organisation.branding.theme.light;
        crate::outbox::compose::Wording {
            subject: $subject,
            text: Text { context, mail }.render()?,
            html: Html { context, mail, light }.render()?,
        }
    }};
}
use wording;

/// What every notice to a sender about a transfer of theirs needs.
#[derive(Clone)]
pub struct ToSender<'a> {
    /// The sender of the message, to whom the mail goes.
    pub sender: &'a Address,
    /// What it became.
    pub transfer: &'a TransferId,
    /// When it was sent.
    pub sent: Timestamp,
    /// The subject that its sender gave it, where that is known and may be told: at intake, and while a recipient has the
    /// message open. It is kept nowhere but in sealed parts.
    pub subject: Option<&'a str>,
    /// The sender's link to the status page.
    pub status: Secret,
}

impl ToSender<'_> {
    fn envelope(&self) -> Envelope {
        from_nobody(self.sender)
    }

    /// The subject as one line, where there is one to tell. Never to somebody outside, such as the author of an answer.
    fn shown_subject(&self, context: &Context<'_>) -> Option<String> {
        let organisation = context.organisation;
        let is_told = organisation.seal.staff_subject && self.sender.is_internal(&organisation.domains);
        self.subject.filter(|_| is_told).map(one_line).filter(|subject| !subject.is_empty())
    }

    /// In the thread of the receipt.
    fn fields(&self, context: &Context<'_>, id: &QueueId, name: &str) -> Fields {
        let receipt = format!("{}.receipt@{}", self.transfer, context.organisation.hostname);
        let id = format!("{}.{id}.{name}", self.transfer);
        Fields::own(context, self.sender, &id, Some(&receipt))
    }
}
