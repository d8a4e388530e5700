//! Verification codes (C23, H18), and browsers that are remembered because of one. Used by `verification` and `reply/codes`.

use async_trait::async_trait;

use super::{AuditStore, Author, NewItem, Result};
use crate::audit::Event;
use crate::clock::Timestamp;
use crate::limits::Rate;

/// Codes, and the browsers that they prove.
#[async_trait]
pub trait VerificationStore: AuditStore {
    /// Keeps a code and queues its mail; `Some` is when there may be one again.
    async fn add_code(&self, code: NewCode, limits: CodeLimits) -> Result<Option<Timestamp>>;
    /// The code that this author was mailed last.
    async fn code(&self, author: Author) -> Result<Option<CodeRow>>;
    /// Tries a code; when it is right, remembers the browser and keeps `event`.
    async fn try_code(
        &self,
        author: Author,
        hash: [u8; 32],
        tries: u32,
        now: Timestamp,
        browser: BrowserRow,
        event: Event,
    ) -> Result<CodeTry>;
    /// Whose browser this is.
    async fn browser(&self, browser: [u8; 32], now: Timestamp) -> Result<Option<BrowserRow>>;
    /// Forgets it.
    async fn forget_browser(&self, browser: [u8; 32]) -> Result<()>;
}

/// A code that is to be mailed.
#[derive(Clone, Debug)]
pub struct NewCode {
    /// Who asked
    pub author: Author,
    /// Sealed: whom it verifies
    pub facts: Vec<u8>,
    /// Keyed hash of code, author and address
    pub hash: [u8; 32],
    /// Keyed hash of what spellings of the address have in common, for counting
    pub address: [u8; 32],
    /// The client's key, for counting
    pub client: String,
    /// Now
    pub now: Timestamp,
    /// The code's end
    pub expires: Timestamp,
    /// The mail that brings it
    pub mail: NewItem,
    /// What the audit trail says
    pub event: Event,
}

impl NewCode {
    /// The buckets of [`CodeLimits::per_link`], [`CodeLimits::per_link_and_day`] and [`CodeLimits::in_all`].
    pub fn buckets(&self) -> [String; 3] {
        let link = &self.author.link;
        [format!("code {link}"), format!("code day {link}"), "code".to_owned()]
    }
}

/// How many codes there may be (C23, H18, H42).
#[derive(Clone, Copy, Debug)]
pub struct CodeLimits {
    /// Tries, over all codes of an hour
    pub tries: u32,
    /// Mails to one address within an hour
    pub per_address: u32,
    /// Mails asked for by one client within an hour
    pub per_client: u32,
    /// Mails asked for through one link
    pub per_link: Rate,
    /// The same over a longer time
    pub per_link_and_day: Rate,
    /// Mails asked for by everybody
    pub in_all: Rate,
}

/// A code that was mailed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CodeRow {
    /// Sealed: whom it verifies
    pub facts: Vec<u8>,
    /// It is worth nothing from then on
    pub expires: Timestamp,
}

/// What became of a try. It is counted before it is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CodeTry {
    /// The browser is remembered, the code is spent.
    Right,
    /// This many tries are left; with none left the code is spent.
    Wrong(u32),
    /// It has run out.
    Expired,
    /// There is none.
    None,
}

/// A browser that is to be remembered, or is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrowserRow {
    /// Sealed: whose it is
    pub facts: Vec<u8>,
    /// Until when
    pub until: Timestamp,
}
