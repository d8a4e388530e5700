//! How a link is opened: passwords are counted before they are tried, and a right one begins a session. Used by
//! `transfer/access` alone.

use async_trait::async_trait;
use jiff::SignedDuration;

use super::{AuditStore, RateStore, Result, TransferStore};
use crate::audit::Event;
use crate::clock::{Timestamp, later};
use crate::id::Link;
use crate::limits::TryRule;

/// Tries and sessions.
#[async_trait]
pub trait AccessStore: TransferStore + RateStore + AuditStore {
    /// Counts a try on a link before it is made, and locks it when it was one too many.
    async fn begin_try(&self, link: Link, rule: TryRule, now: Timestamp) -> Result<Try>;
    /// Takes back a try that was counted and then not made, with the lock `locked` that its count meant.
    async fn withdraw_try(&self, link: Link, locked: Option<Timestamp>) -> Result<()>;
    /// A right password: tries are forgotten, the session is kept. [`StoreError::Gone`] when the link was closed
    /// meanwhile. Whether its cookie ever comes back is not known yet: see [`AccessStore::note_opened`].
    async fn open(&self, session: Session, event: Event) -> Result<()>;
    /// A request came with a session of this link: from then on it has been opened, since the first time.
    /// [`StoreError::Gone`] when the link was closed meanwhile.
    async fn note_opened(&self, link: Link, now: Timestamp) -> Result<()>;
    /// What a session is for, if it was used at or after `idle_since`. This is no use of it.
    async fn session_link(&self, id: [u8; 32], idle_since: Timestamp) -> Result<Option<Link>>;
    /// The live session with this id, not idle since `idle_since`; its use is noted, to the minute.
    async fn session(&self, id: [u8; 32], now: Timestamp, idle_since: Timestamp) -> Result<Option<Session>>;
    /// Ends a session; the event is kept if there was one.
    async fn end_session(&self, id: [u8; 32], event: Event) -> Result<()>;
}

/// A session's use is noted to the minute: a page with twenty pictures costs one commit, not twenty.
pub(super) const USE_NOTED: SignedDuration = SignedDuration::from_secs(60);
/// Sessions of one link beside a new one (H42): the one that was used longest ago ends.
pub(super) const OTHER_SESSIONS: u32 = 19;

/// The tries on a link since the last right password, and until when it is closed for them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tries {
    pub made: u32,
    pub locked_until: Option<Timestamp>,
}

impl Tries {
    /// Counts one more, before it is made. `Err` is the moment before which none may be made.
    pub fn and_one(self, rule: TryRule, now: Timestamp) -> std::result::Result<Self, Timestamp> {
        if let Some(until) = self.locked_until
            && until > now
        {
            return Err(until);
        }
        let made = self.made.saturating_add(1);
        Ok(Self { made, locked_until: rule.lock_after(made).map(|lock| later(now, lock)) })
    }
}

/// Whether a password may be tried now. A try is counted before it is made, so that no number of
/// parallel tries gets around the limit (C16); a right password sets the count back.
#[derive(Clone, Debug)]
pub enum Try {
    /// Go on. `locked` tells that this was the last try before the lock.
    Allowed {
        /// The lock that a wrong password now means
        locked: Option<Timestamp>,
    },
    /// Not before then.
    Locked(Timestamp),
    /// There is no such link.
    Unknown,
}

/// A browser session: opens one recipient's transfer and nothing else (C17).
pub struct Session {
    /// SHA-256 of the cookie's value; the value itself is never stored.
    pub id: [u8; 32],
    /// What it opens.
    pub link: Link,
    /// The transfer's key, wrapped with a key that needs the cookie.
    pub wrapped_key: Vec<u8>,
    /// When it was last used.
    pub used: Timestamp,
}
