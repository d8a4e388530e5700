//! The only place where a link and a password are checked (C15, C16, C17). Called by the web pages;
//! gives a [`Cookie`] for the right password, and a [`Grant`] for a live session.
//!
//! The order of [`Access::unlock`] matters. The token's own proof comes first, so that a guessed token
//! costs no look at the database. What costs memory or time comes after every limit; and a try is
//! counted before it is made, so that a thousand at once are no more than one after the other.

use std::net::IpAddr;
use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::{Duration, Instant};

use super::session::{self, CookieBytes};
use super::{LinkState, LinkStep, link, password};
use crate::address::Address;
use crate::audit::{Action, Event, EventResult, Initiator};
use crate::clock::{Clock, Timestamp, later};
use crate::fair::{FairLimits, FairPermit, FairSemaphore};
use crate::id::{Link, TransferId};
use crate::limits::{Rate, TryRule, Visitor};
use crate::metrics::{Metrics, Unlock};
use crate::seal::SealError;
use crate::seal::keys::{Passphrase, TransferKey, unlock};
use crate::secret::{Keys, Secret};
use crate::settings::Scope;
use crate::store::{AccessStore, Blobs, Recipient, StoreError, Transfer, Try};
use crate::throttle::Throttle;

pub use super::error::{AccessError, LostPart};
pub use super::grant::Grant;
pub use super::pasted::{Around, Found};
pub use super::session::Cookie;

/// A session that is not used for this long is over (H23).
pub const SESSION_IDLE: Duration = Duration::from_mins(30);

/// How long a password may wait for its turn: most of it behind others of the same link or client.
const QUEUE: Duration = Duration::from_secs(10);
/// The same for another reading of a password whose first reading was tried.
const NEXT_READING: Duration = Duration::from_mins(10);
/// Openings from one client address, right and wrong ones: a whole company may sit behind it.
const PER_CLIENT: Rate = Rate::per(600, Duration::from_hours(1));
/// Openings of one link, right and wrong ones: its recipient and their colleagues, and nobody else's share (H40).
const PER_LINK: Rate = Rate::per(240, Duration::from_hours(1));
/// Openings in all, of each organisation: above what a large mailing brings, and a bound for whoever has many links and many
/// addresses.
const IN_ALL: Rate = Rate::per(60_000, Duration::from_hours(1));

/// What the page before the password may tell.
#[derive(Clone, Debug)]
pub struct LinkPreview {
    /// A password is needed.
    pub password: bool,
    /// Until when.
    pub expires: Timestamp,
    pub sender: Option<Address>,
    /// For whom the sender sent it.
    pub on_behalf_of: Vec<Address>,
    /// Its name, which opens nothing.
    pub transfer: TransferId,
    /// When it was sealed.
    pub sent: Timestamp,
}

/// What the session is for that a browser holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeldSession {
    /// This very link.
    Own,
    /// Another one.
    Other,
    /// Nothing any more, or it never was one.
    Ended,
}

/// Checks links, passwords and sessions.
pub struct Access {
    store: Arc<dyn AccessStore>,
    blobs: Arc<dyn Blobs>,
    keys: Keys,
    clock: Clock,
    rule: TryRule,
    /// Openings of each link.
    links: Throttle,
    /// One for each Argon2 run that may go on at once.
    permits: FairSemaphore,
    queue: Duration,
    metrics: Metrics,
}

/// A link that can still be opened.
struct OpenableLink {
    link: Link,
    secret: Secret,
    transfer: Transfer,
    recipient: Recipient,
    key_packet: Vec<u8>,
}

impl Access {
    /// One for the whole program: the bound on Argon2 runs is in it.
    pub fn new(
        store: Arc<dyn AccessStore>,
        blobs: Arc<dyn Blobs>,
        keys: Keys,
        clock: Clock,
        rule: TryRule,
    ) -> Self {
        let cores = available_parallelism().map_or(1, usize::from);
        // With one run at a time a link cannot keep others waiting for more than that, whatever it costs.
        let most = FairLimits { of_link: 1, of_client: cores.div_ceil(2), in_all: cores };
        let (links, permits) = (Throttle::new(PER_LINK), FairSemaphore::new(most));
        Self { store, blobs, keys, clock, rule, links, permits, queue: QUEUE, metrics: Metrics::default() }
    }

    /// What the page before the password shows. Changes nothing and counts as nothing: link scanners
    /// come here (H21).
    pub async fn preview(&self, scope: &Scope, token: &str) -> Result<LinkPreview, AccessError> {
        let Transfer { id, password, expires, sender, on_behalf_of, created, .. } =
            self.find(scope, token).await?.transfer;
        Ok(LinkPreview { password, expires, sender, on_behalf_of, transfer: id, sent: created })
    }

    /// The first token of ours in what somebody pasted, or a mail program made of a link. The store is asked only for a
    /// genuine one, which may be another organisation's.
    pub async fn find_token(
        &self,
        scope: &Scope,
        text: &str,
        around: Around,
    ) -> Result<Option<Found>, AccessError> {
        let Some(found) = link::find(&self.keys.link, text, around) else { return Ok(None) };
        let (link, _) = self.parse(&found.token)?;
        Ok(self.sees(scope, &link).await?.then_some(found))
    }

    /// Whether a link is one of this organisation's, or may have been.
    async fn sees(&self, scope: &Scope, link: &Link) -> Result<bool, AccessError> {
        let transfer = self.store.transfer(link.transfer.clone()).await?;
        Ok(transfer.map_or(scope.knows_forgotten(), |transfer| scope.sees(transfer.organisation.as_ref())))
    }

    /// Counts there.
    pub fn with_metrics(self, metrics: Metrics) -> Self {
        Self { metrics, ..self }
    }

    /// Tries a password and begins a session.
    pub async fn unlock(
        &self,
        scope: &Scope,
        token: &str,
        password: Option<Secret>,
        by: impl Into<Visitor>,
    ) -> Result<Cookie, AccessError> {
        let (begun, by) = (Instant::now(), by.into());
        let unlocked = self.try_unlock(scope, token, password, &by).await;
        let result = match &unlocked {
            Ok(_) => Unlock::Opened,
            Err(AccessError::WrongPassword) => Unlock::WrongPassword,
            Err(AccessError::Locked(_) | AccessError::Busy) => Unlock::Locked,
            Err(AccessError::Unknown | AccessError::Gone | AccessError::Expired { .. }) => Unlock::Gone,
            Err(_) => Unlock::Trouble,
        };
        self.metrics.unlock(by.organisation.as_ref(), result, begun.elapsed());
        unlocked
    }

    async fn try_unlock(
        &self,
        scope: &Scope,
        token: &str,
        password: Option<Secret>,
        by: &Visitor,
    ) -> Result<Cookie, AccessError> {
        let openable = self.find(scope, token).await?;
        let passphrases = openable.passphrases(password)?;
        let client = by.client;
        self.check_limits(&openable, by).await?;
        // The wait for a turn comes before the try is counted: a visitor who is told to come back has not tried.
        let permit = self.permits.acquire(&openable.link, by, self.queue).await.ok_or(AccessError::Busy)?;
        let lock = self.count_try(&openable).await?;
        match self.try_passphrases(&openable, passphrases, permit).await {
            Ok(Some(key)) => self.begin_session(&openable, &key, client).await,
            Ok(None) => Err(self.wrong_password(&openable, lock, client).await),
            Err(AccessError::Busy) => {
                self.store.withdraw_try(openable.link, lock).await?;
                Err(AccessError::Busy)
            }
            Err(error) => Err(error),
        }
    }

    /// What the session behind `cookie` may open, if it belongs to this very link (C17) and the
    /// transfer is still there (C25).
    pub async fn resume(&self, scope: &Scope, token: &str, cookie: &str) -> Result<Grant, AccessError> {
        let (link, secret) = self.parse(token)?;
        let asked = CookieBytes::parse(cookie);
        let now = self.clock.now();
        let idle_since = now.saturating_sub(SESSION_IDLE).unwrap_or(Timestamp::MIN);
        let session = async {
            let cookie = asked.as_ref().ok_or(AccessError::NoSession)?;
            let session = self.store.session(cookie.session_id(), now, idle_since).await?;
            session.map(|session| (cookie, session)).ok_or(AccessError::NoSession)
        };
        // Both at once, because a download waits for every step. That the transfer is gone takes precedence.
        let (openable, session) = tokio::join!(self.openable(scope, link, secret), session);
        let (OpenableLink { link, transfer, recipient, .. }, (cookie, session)) = (openable?, session?);
        if session.link != link {
            return Err(AccessError::NoSession);
        }
        let key = cookie.unwrap(&self.keys.session, &session);
        let key = key.ok_or_else(|| self.unless_key_is_missing(AccessError::NoSession))?;
        // Before anything goes out. A password that is right is no proof that anybody sees the message; this is more.
        if recipient.opened.is_none() {
            self.store.note_opened(link.clone(), now).await?;
        }
        let session = (cookie.session_id(), cookie.secret());
        Ok(Grant::new(link, transfer, recipient, key, session, self.blobs.clone()))
    }

    /// What a browser's session is worth here. This is no use of it, and begins nothing.
    pub async fn look_at_session(
        &self,
        scope: &Scope,
        token: &str,
        cookie: &str,
    ) -> Result<HeldSession, AccessError> {
        let idle_since = self.clock.now().saturating_sub(SESSION_IDLE).unwrap_or(Timestamp::MIN);
        let Some(cookie) = CookieBytes::parse(cookie) else { return Ok(HeldSession::Ended) };
        let held = self.store.session_link(cookie.session_id(), idle_since).await?;
        let Some(held) = held else { return Ok(HeldSession::Ended) };
        if !self.sees(scope, &held).await? {
            return Ok(HeldSession::Ended);
        }
        let asked = link::parse(&self.keys.link, token).map(|(link, _)| link);
        Ok(if asked == Some(held) { HeldSession::Own } else { HeldSession::Other })
    }

    /// Whether what is being read through `grant` is still open: for streams that go on for long (C25).
    pub async fn check_open(&self, grant: &Grant) -> Result<(), AccessError> {
        let link = grant.link();
        let transfer = self.store.transfer(link.transfer.clone()).await?.ok_or(AccessError::Unknown)?;
        let recipient = transfer.recipients.iter().find(|one| one.number == link.recipient);
        let state = recipient.map(|recipient| LinkState::of(&transfer, recipient, self.clock.now()));
        match state.and_then(|state| state.after(LinkStep::Open)) {
            Some(_) => Ok(()),
            None => Err(AccessError::Gone),
        }
    }

    /// Ends the session: the cookie opens nothing any more.
    pub async fn finish(&self, grant: Grant, client: IpAddr) -> Result<(), AccessError> {
        let event = self.event(Action::Finish, grant.link(), EventResult::Ok, client);
        Ok(self.store.end_session(grant.session(), event).await?)
    }

    /// From the token to a link that can be opened. Without a genuine token the store is not asked.
    async fn find(&self, scope: &Scope, token: &str) -> Result<OpenableLink, AccessError> {
        let (link, secret) = self.parse(token)?;
        self.openable(scope, link, secret).await
    }

    fn parse(&self, token: &str) -> Result<(Link, Secret), AccessError> {
        link::parse(&self.keys.link, token).ok_or_else(|| self.unless_key_is_missing(AccessError::Unknown))
    }

    /// What no key here opens, another node may have made.
    fn unless_key_is_missing(&self, error: AccessError) -> AccessError {
        match self.keys.generations.lacks_current() {
            true => StoreError::NoMasterKey.into(),
            false => error,
        }
    }

    async fn openable(&self, scope: &Scope, link: Link, secret: Secret) -> Result<OpenableLink, AccessError> {
        // The token has proved itself: what it opened was there once, and has been forgotten since.
        let forgotten = || match scope.knows_forgotten() {
            true => AccessError::Expired { askable: false },
            false => AccessError::Unknown,
        };
        let transfer = self.store.transfer(link.transfer.clone()).await?.ok_or_else(forgotten)?;
        if !scope.sees(transfer.organisation.as_ref()) {
            return Err(AccessError::Unknown);
        }
        let mut recipients = transfer.recipients.iter();
        let recipient = recipients.find(|one| one.number == link.recipient).cloned().ok_or_else(forgotten)?;
        let state = LinkState::of(&transfer, &recipient, self.clock.now());
        match (state.after(LinkStep::Open), recipient.key_packet.clone()) {
            (Some(_), Some(key_packet)) => Ok(OpenableLink { link, secret, transfer, recipient, key_packet }),
            _ if state == LinkState::Expired => {
                Err(AccessError::Expired { askable: transfer.has_sender_to_tell() })
            }
            _ => Err(AccessError::Gone),
        }
    }

    /// A link that is locked, or has used up its own share, is told so before it takes anything from the common limits:
    /// otherwise one link could be used to shut out everybody.
    async fn check_limits(&self, openable: &OpenableLink, by: &Visitor) -> Result<(), AccessError> {
        let now = self.clock.now();
        if let Some(until) = openable.recipient.locked_until.filter(|until| *until > now) {
            return Err(AccessError::Locked(until));
        }
        if !self.links.allows(&openable.link.to_string()) {
            return Err(AccessError::Locked(later(now, PER_LINK.interval)));
        }
        let buckets = [(format!("open {}", by.key()), PER_CLIENT), (by.bucket("open"), IN_ALL)];
        for (bucket, rate) in buckets {
            if let Some(until) = self.store.check_rate(bucket, rate, now).await? {
                return Err(AccessError::Locked(until));
            }
        }
        Ok(())
    }

    /// Counts the try that is about to be made; gives the lock that a wrong password now means.
    /// A link without a password cannot be guessed at: its token has already proved itself.
    async fn count_try(&self, openable: &OpenableLink) -> Result<Option<Timestamp>, AccessError> {
        if !openable.transfer.password {
            return Ok(None);
        }
        match self.store.begin_try(openable.link.clone(), self.rule, self.clock.now()).await? {
            Try::Allowed { locked } => Ok(locked),
            Try::Locked(until) => Err(AccessError::Locked(until)),
            Try::Unknown => Err(AccessError::Unknown),
        }
    }

    /// Runs Argon2, once for each reading. The turn ends with the run, not with the request: a client that goes away must
    /// not make room for another run beside it.
    async fn try_passphrases(
        &self,
        openable: &OpenableLink,
        passphrases: Vec<Passphrase>,
        turn: FairPermit,
    ) -> Result<Option<TransferKey>, AccessError> {
        let (key_packet, patience) = (openable.key_packet.clone(), self.queue);
        let run = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            // Once one reading was tried the try counts, so the others are tried as well.
            let patience = std::iter::once(patience).chain(std::iter::repeat(NEXT_READING));
            let opened =
                passphrases.iter().zip(patience).map(|(one, patience)| unlock(&key_packet, one, patience));
            opened.into_iter().find_map(Result::transpose).transpose()
        });
        match run.await {
            Ok(Ok(key)) => Ok(key),
            Ok(Err(SealError::Busy)) => Err(AccessError::Busy),
            Ok(Err(error)) => Err(openable.damaged(&error)),
            Err(error) => Err(openable.damaged(&SealError::Io(error.into()))),
        }
    }

    async fn begin_session(
        &self,
        openable: &OpenableLink,
        key: &TransferKey,
        client: IpAddr,
    ) -> Result<Cookie, AccessError> {
        let (cookie, session) = session::new(&self.keys.session, &openable.link, key, self.clock.now())
            .map_err(|_| openable.damaged(&SealError::Foreign("the session's key could not be wrapped")))?;
        let event = self.event(Action::Open, &openable.link, EventResult::Ok, client);
        self.store.open(session, event).await?;
        Ok(cookie)
    }

    async fn wrong_password(
        &self,
        openable: &OpenableLink,
        lock: Option<Timestamp>,
        client: IpAddr,
    ) -> AccessError {
        if !openable.transfer.password {
            return openable
                .damaged(&SealError::Foreign("the link's own secret does not open its key packet"));
        }
        let tried = self.event(Action::Open, &openable.link, EventResult::WrongPassword, client);
        let locked =
            lock.map(|until| self.event(Action::Lock, &openable.link, EventResult::Until(until), client));
        for event in [Some(tried), locked].into_iter().flatten() {
            if let Err(error) = self.store.append_audit(event).await {
                return error.into();
            }
        }
        AccessError::WrongPassword
    }

    fn event(&self, action: Action, link: &Link, result: EventResult, client: IpAddr) -> Event {
        Initiator::recipient(client).event(self.clock.now(), action, link.to_string(), result)
    }
}

impl OpenableLink {
    /// The readings of what was typed: as passwords are compared now and, where that is another, as they were when an
    /// older transfer was locked. A missing password is a wrong one, but no try: nobody can guess with it.
    fn passphrases(&self, password: Option<Secret>) -> Result<Vec<Passphrase>, AccessError> {
        if !self.transfer.password {
            return Ok(vec![Passphrase::new(&self.secret, None)]);
        }
        let typed = password.ok_or(AccessError::WrongPassword)?;
        let now = password::normalise(typed.reveal());
        let before = password::normalise_as_before(typed.reveal());
        let readings = [Some(&now), Some(&before).filter(|before| before.reveal() != now.reveal())];
        let readings = readings.into_iter().flatten().filter(|reading| !reading.reveal().is_empty());
        let passphrases: Vec<_> =
            readings.map(|reading| Passphrase::new(&self.secret, Some(reading))).collect();
        if passphrases.is_empty() { Err(AccessError::WrongPassword) } else { Ok(passphrases) }
    }

    fn damaged(&self, cause: &SealError) -> AccessError {
        tracing::error!(link = %self.link, %cause, "a transfer cannot be opened");
        AccessError::Damaged
    }
}

#[cfg(test)]
mod tests;
