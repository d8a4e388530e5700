//! The mails that zegel itself writes. One file in [`notices`] each, with its facts; its words are in `web/locales`, its
//! looks in `web/mails`. [`Context`] is what they have in common, and [`Outbox`] turns them into items of the queue.
//! Called by `intake`, `sender`, `reply` and `queue`.
//!
//! What must never happen: text from a mail or a list adding a header field, a line or a recipient (C13);
//! a password in any mail but the receipt (C24); content of the sealed message in a notice.

pub mod attachment;
pub mod body;
pub mod compose;
mod context;
mod envelopes;
pub mod notices;
pub mod origin;
pub mod original;
mod queue_item;
mod sender_card;
mod style;
pub mod text;

pub use self::context::Context;
pub use self::queue_item::Outbox;
pub use self::sender_card::{SenderCard, represented};
use crate::message::crlf::LineError;
use crate::store::StoreError;

/// Why a mail cannot be written. The action that it reports must not go on without it.
#[derive(Debug, thiserror::Error)]
pub enum NoticeError {
    /// The template engine failed.
    #[error("the template: {0}")]
    Template(#[from] askama::Error),
    /// The copied header fields are not whole lines of a header.
    #[error("the copied header fields are not whole lines of a header")]
    Fields,
    /// There is a line end in the result that is none.
    #[error("the notice has {0}")]
    Lines(#[from] LineError),
    /// It cannot be sealed.
    #[error(transparent)]
    Store(#[from] StoreError),
}
