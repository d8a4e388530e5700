//! Verification codes: proof that somebody reads what comes to a destination (C23). A code is eight digits (26 bits), lives
//! ten minutes, works once, and only for the destination, on the link and in the browser that it was asked for. The store
//! counts tries and messages in the transactions that make them; a new code adds no tries (H18).
//!
//! What brings a code is a [`Channel`]; [`MailChannel`] is the only one. Nothing here needs an opened transfer, or knows what
//! a code proves: `reply` seals that, and opens it again.

mod mail;

use std::time::Duration;

use icu_normalizer::ComposingNormalizerBorrowed;

pub use self::mail::{MailChannel, is_unambiguous};
use crate::audit::{Action, Event, EventResult, Initiator};
use crate::clock::{Clock, Timestamp, later};
use crate::limits::{Rate, Visitor};
use crate::locale::digits;
use crate::outbox::NoticeError;
use crate::secret::{self, ReplyKey, Secret};
use crate::store::{
    Author, BrowserRow, CodeLimits, CodeTry, NewCode, NewItem, StoreError, VerificationStore,
};

/// How long a code works.
const LIFE: Duration = Duration::from_mins(10);
/// Days that a browser is remembered after a right code.
pub const REMEMBERED_DAYS: u32 = crate::limits::REMEMBERED_DAYS;
/// Characters that are looked at for a code.
const MOST: usize = 1000;
/// Digits of a code.
const DIGITS: usize = 8;
/// C23, H18 and H42.
const LIMITS: CodeLimits = CodeLimits {
    tries: 5,
    per_address: 5,
    per_client: 20,
    per_link: Rate::per(10, HOUR),
    per_link_and_day: Rate::per(40, Duration::from_hours(24)),
    in_all: Rate::per(1000, HOUR),
};
const HOUR: Duration = Duration::from_hours(1);

/// The way on which a code reaches somebody.
pub trait Channel {
    /// Where it goes: a code is bound to this.
    fn destination(&self) -> String;
    /// What the spellings of one destination have in common: codes to them are counted together (H42).
    fn counted(&self) -> String;
    /// The message with the code, ready for the queue.
    fn message(&self, code: &Secret) -> Result<NewItem, NoticeError>;
}

/// Where a code is asked for, and tried.
#[derive(Clone, Debug)]
pub struct Asker {
    /// The link and the browser: a code works nowhere else.
    pub author: Author,
    /// For the audit trail and the limits.
    pub by: Visitor,
}

/// Why a code is not sent, or does not prove anything.
#[derive(Debug, thiserror::Error)]
pub enum CodeError {
    /// There were as many codes as there may be; not before then.
    #[error("too many codes, the next one at {0}")]
    TooMany(Timestamp),
    /// It is another one; with no tries left it is spent.
    #[error("wrong code, {left} tries left")]
    Wrong {
        /// Tries that are left
        left: u32,
    },
    /// Its ten minutes are over.
    #[error("the code has expired")]
    Expired,
    /// None was sent, or it is spent.
    #[error("there is no code")]
    None,
    /// The store cannot be asked.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The message cannot be written.
    #[error(transparent)]
    Notice(#[from] NoticeError),
}

/// Sends codes and tries them.
#[derive(Clone, Copy)]
pub struct Verifier<'a> {
    /// Keeps and counts them.
    pub store: &'a dyn VerificationStore,
    /// Makes their hashes, together with the secret of the browser that asks.
    pub key: &'a ReplyKey,
    /// That secret.
    pub browser: &'a [u8; 32],
    /// Says how old they are.
    pub clock: &'a Clock,
}

impl Verifier<'_> {
    /// Sends a code; `facts` is what it proves, sealed. A former code is worth nothing from then on; its tries stay counted.
    pub async fn send(
        &self,
        asker: Asker,
        facts: Vec<u8>,
        channel: &(impl Channel + Sync),
    ) -> Result<(), CodeError> {
        let (code, now) = (new_code(), self.clock.now());
        let new = NewCode {
            author: asker.author.clone(),
            facts,
            hash: self.hash(&asker.author, &channel.destination(), code.reveal()),
            address: self.key.hash_address(asker.by.bucket(&channel.counted()).as_bytes()),
            client: asker.by.key(),
            bucket: asker.by.bucket("code"),
            now,
            expires: later(now, LIFE),
            mail: channel.message(&code)?,
            event: self.event(&asker, EventResult::CodeSent),
        };
        match self.store.add_code(new, LIMITS).await? {
            None => Ok(()),
            Some(until) => {
                self.store.append_audit(self.event(&asker, EventResult::TooManyCodes)).await?;
                Err(CodeError::TooMany(until))
            }
        }
    }

    /// What the code proves that was sent last: the sealed facts.
    pub async fn facts(&self, author: Author) -> Result<Vec<u8>, CodeError> {
        Ok(self.store.code(author).await?.ok_or(CodeError::None)?.facts)
    }

    /// Tries a code that went to `destination`. When it is right, the browser is remembered with this row.
    pub async fn verify(
        &self,
        asker: &Asker,
        destination: &str,
        typed: &str,
        remembered: BrowserRow,
    ) -> Result<(), CodeError> {
        let author = asker.author.clone();
        let hash = self.hash(&author, destination, &digits(typed));
        let (now, verified) = (self.clock.now(), self.event(asker, EventResult::CodeVerified));
        let tried = self.store.try_code(author, hash, LIMITS.tries, now, remembered, verified);
        let (result, error) = match tried.await? {
            CodeTry::Right => return Ok(()),
            CodeTry::Wrong(left) => (EventResult::WrongCode, CodeError::Wrong { left }),
            CodeTry::Expired => (EventResult::ExpiredCode, CodeError::Expired),
            CodeTry::None => return Err(CodeError::None),
        };
        self.store.append_audit(self.event(asker, result)).await?;
        Err(error)
    }

    /// Everything that a code is bound to goes into its hash.
    fn hash(&self, author: &Author, destination: &str, code: &str) -> [u8; 32] {
        let Author { link, browser } = author;
        let bound = format!("{link}\n{destination}\n{code}\n");
        self.key.hash_code(self.browser, &[bound.as_bytes(), browser].concat())
    }

    fn event(&self, asker: &Asker, result: EventResult) -> Event {
        let object = asker.author.link.to_string();
        Initiator::recipient(asker.by.client).event(self.clock.now(), Action::Code, object, result)
    }
}

/// Drawn evenly: numbers beyond the last whole multiple are drawn again.
fn new_code() -> Secret {
    const COUNT: u32 = 10u32.pow(DIGITS as u32);
    loop {
        let drawn = u32::from_be_bytes(secret::random());
        if drawn < u32::MAX - u32::MAX % COUNT {
            return Secret::new(format!("{:0width$}", drawn % COUNT, width = DIGITS));
        }
    }
}

/// What people make of a code when they paste or type it: everything but digits aside, of whatever script and width.
fn digits(typed: &str) -> String {
    let normal = ComposingNormalizerBorrowed::new_nfkc().normalize_iter(typed.chars().take(MOST));
    normal.map(digits::as_ascii).filter(char::is_ascii_digit).take(64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_eight_digits_and_differ() {
        let codes: std::collections::HashSet<String> =
            (0..200).map(|_| new_code().reveal().to_owned()).collect();
        assert!(codes.len() > 190);
        assert!(codes.iter().all(|code| code.len() == 8 && code.bytes().all(|c| c.is_ascii_digit())));
    }

    #[test]
    fn a_code_may_be_pasted_with_what_is_around_it() {
        for typed in [
            "12345678",
            " 1234 5678\r\n",
            "1234-5678",
            "1234\u{a0}5678",
            "\u{200b}1234\u{2011}5678\u{feff}",
            "*１２３４５６７８*",
            "١٢٣٤٥٦٧٨",
            "Code: 12345678.",
        ] {
            assert_eq!(digits(typed), "12345678", "{typed}");
        }
        assert_eq!(digits(&"1".repeat(10_000)).len(), 64);
    }
}
