//! The mails that zegel itself writes: one file each here, its words in `web/locales`, its looks in
//! `web/mails`. Called by `intake`, `reply` and `queue`, which only put the result into the queue.
//!
//! What must never happen: text from a mail or a list adding a header field, a line or a recipient (C13);
//! a password in any mail but the receipt (C24); content of the sealed message in a notice.

pub mod body;
pub mod compose;
pub mod notices;
pub mod origin;
mod style;

use crate::address::Address;
use crate::clock::Timestamp;
use crate::id::TransferId;
use crate::locale::Language;
use crate::message::crlf::LineError;
use crate::secret::Secret;
use crate::settings::Organisation;
use crate::staff::Person;

/// Why a notice cannot be written. Whoever waits for it must not go on without it.
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
}

/// What every notice to a sender about a transfer of theirs needs.
#[derive(Clone, Copy)]
pub struct SenderFacts<'a> {
    /// Of the mail.
    pub language: Language,
    /// Who runs this gateway; the mail is from it.
    pub organisation: &'a Organisation,
    /// `hostname`: the domain of our address and Message-ID.
    pub hostname: &'a str,
    /// `web.public_url`.
    pub public_url: &'a str,
    /// Whose message it was; the mail is for them.
    pub sender: &'a Address,
    /// What it is about.
    pub transfer: &'a TransferId,
    /// The sender's link to the status page.
    pub status: &'a Secret,
    /// Makes the Message-ID one of its own: letters and digits.
    pub id: &'a str,
    /// The moment of writing.
    pub now: Timestamp,
}

/// What a notice shows of the sender.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SenderCard {
    /// From the staff list, else from the From field, else the address.
    pub name: String,
    /// From the envelope or the From field.
    pub email: Address,
    /// As people write it.
    pub phone: Option<String>,
    /// Team or department.
    pub department: Option<String>,
}

impl SenderCard {
    /// The staff list knows best; the name in the From field is second.
    pub fn new(email: &Address, from_name: Option<&str>, person: Option<&Person>) -> Self {
        let shown = |text: &str| Some(compose::one_line(text)).filter(|text| !text.is_empty());
        let name = person.and_then(|person| person.name.as_deref()).and_then(shown);
        Self {
            name: name
                .or_else(|| from_name.and_then(shown))
                .unwrap_or_else(|| compose::one_line(email.as_str())),
            email: email.clone(),
            phone: person.and_then(|person| person.phone.as_deref()).and_then(shown),
            department: person.and_then(|person| person.department.as_deref()).and_then(shown),
        }
    }
}
