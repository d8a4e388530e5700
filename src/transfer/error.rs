//! Why a transfer is not opened.

use crate::clock::Timestamp;
use crate::id::Link;
use crate::store::StoreError;

/// Why a transfer is not opened.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// There is no such transfer, or no such part of it. Malformed and unknown tokens are alike.
    #[error("no such transfer")]
    Unknown,
    /// It was recalled, or its notification came back.
    #[error("the transfer is gone")]
    Gone,
    /// Its date has passed.
    #[error("the transfer has expired")]
    Expired {
        /// The sender can be asked for it
        askable: bool,
    },
    /// The password is wrong, or missing where one is needed.
    #[error("wrong password")]
    WrongPassword,
    /// Too many tries, on this link or from this client; not before then.
    #[error("too many tries, locked until {0}")]
    Locked(Timestamp),
    /// Too many passwords are being tried at once.
    #[error("too many passwords at once")]
    Busy,
    /// The browser has no session for this link.
    #[error("no session")]
    NoSession,
    /// The store could not be asked.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A part is missing or damaged for good.
    #[error("{0}")]
    Lost(LostPart),
    /// What is stored cannot be opened. The cause is in the log.
    #[error("the transfer is damaged")]
    Damaged,
}

/// A part of a transfer that is missing or damaged for good.
#[derive(Clone, Debug, thiserror::Error)]
#[error("part {part} of {link} is missing or damaged: {cause}")]
pub struct LostPart {
    /// Through which it was asked for.
    pub link: Link,
    /// Its number.
    pub part: u32,
    /// What is wrong with it, for the log alone.
    pub cause: String,
}
