//! Answers: from the first field that somebody fills in to the mail that staff find in their own mailbox.
//! Called by `web` with a [`Grant`], which proves that link and password were right, and a [`Browser`].
//!
//! A draft belongs to one recipient's link *and* one browser (C17). What is typed and uploaded lies in the store
//! under a key that follows from the transfer's key and the browser's secret and is kept nowhere, so nothing of it
//! can be read there (C04); it goes when it was not touched for 24 hours, or with the transfer.
//! What must never happen: an answer to an address outside the organisation (C12), from an address that was not
//! verified (C23), one that staff take for a colleague's (C40), or a line of user text that becomes a header
//! field (C13).

mod check;
mod codes;
mod compose;
mod error;
mod files;
mod impersonation;
mod inspect;
mod original;
mod pieces;
mod recipients;
pub mod scanner;
mod send;
#[cfg(test)]
mod tests;
mod types;
mod uploads;
mod vault;
mod versions;
mod writers;

use std::net::IpAddr;
use std::sync::Arc;

pub use self::error::{Field, LineFault, ReplyError, Result};
pub use self::scanner::{ScannerStatus, status as scanner_status};
pub use self::types::{
    Aside, Browser, Draft, NewUpload, Preview, ReplyChannel, ReplySettings, SentFile, SentReply, Typed,
    Upload, Verified,
};
use self::vault::Vault;
pub use self::versions::{Kept, MessageEdit, PageVersion, SettingsEdit};
use self::writers::Writers;
use crate::address::Address;
use crate::clock::{Clock, Timestamp};
use crate::delivery::smarthost::LargestMail;
use crate::fair::{FairLimits, FairSemaphore};
use crate::limits::Visitor;
use crate::queue::worker::WakeHandle;
use crate::secret::{Keys, Secret};
use crate::settings::{self, Organisation, Scope};
use crate::store::{Author, Blobs, ReplyStore, StoreError};
use crate::transfer::access::Grant;
use crate::transfer::index::Index;

/// The most files of one answer.
pub const MAX_FILES: usize = 100;

/// What is sealed in a draft's vault.
const TYPED: &str = "typed";
const SENT: &str = "sent";
const PASSWORD: &str = "password";
/// Windows that change one draft at the same moment.
const WINDOWS: usize = 20;
/// How long a summary can be looked at again.
const KEPT: jiff::SignedDuration = jiff::SignedDuration::from_hours(24);

/// What answers stand on.
#[derive(Clone)]
pub struct ReplyParts {
    /// Rows
    pub store: Arc<dyn ReplyStore>,
    /// Sealed bytes
    pub blobs: Arc<dyn Blobs>,
    /// Everything that follows from `master.key`
    pub keys: Keys,
    /// Time
    pub clock: Clock,
    /// Rung when there is mail to relay
    pub wake: WakeHandle,
    /// What the next hop takes
    pub largest: LargestMail,
}

/// Makes [`Replies`]. Cheap to clone.
#[derive(Clone)]
pub struct ReplyService {
    parts: Arc<ReplyParts>,
    /// As many answers are composed at once as there are cores.
    composing: FairSemaphore,
    /// Files are with the scanner.
    scanning: FairSemaphore,
    writers: Writers,
}

/// Takes answers to one transfer in and sends them, by the settings with which a request began.
#[derive(Clone)]
pub struct Replies {
    service: ReplyService,
    settings: Arc<settings::Settings>,
    organisation: Arc<Organisation>,
}

impl ReplyService {
    /// On these parts.
    pub fn new(parts: ReplyParts) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let composing = FairSemaphore::new(FairLimits { of_link: 1, of_client: cores, in_all: cores });
        let scanning = FairSemaphore::new(inspect::AT_ONCE);
        Self { parts: Arc::new(parts), composing, scanning, writers: Writers::default() }
    }

    /// Forgets who a browser belongs to: for a computer that others use. What they have written stays behind its link.
    pub async fn forget(&self, browser: &Browser) -> Result<()> {
        Ok(self.parts.store.forget_browser(vault::browser_hash(browser)).await?)
    }

    /// Answers for one request, which asks for the pages of this organisation.
    pub fn within(&self, scope: &Scope) -> Replies {
        let (settings, organisation) = (scope.settings().clone(), scope.organisation().clone());
        Replies { service: self.clone(), settings, organisation }
    }
}

impl Replies {
    /// Who asks, for limits and for what is shared.
    fn visitor(&self, client: IpAddr) -> Visitor {
        self.settings.visitor(&self.organisation, client)
    }

    /// This browser's draft for this link. Where there is none: an empty one, addressed to the sender and signed by
    /// whom the browser is remembered as; nothing is stored before something is kept or uploaded.
    pub async fn draft(&self, grant: &Grant, browser: &Browser) -> Result<Draft> {
        self.check_enabled()?;
        let row = self.service.parts.store.draft(self.author(grant, browser)).await?;
        let (typed, uploads) = row.map_or((None, Vec::new()), |row| (row.typed, row.uploads));
        let vault = Vault::of_draft(grant, browser);
        let uploads = uploads.iter().map(|row| uploads::open_row(&vault, row)).collect::<Result<_>>()?;
        let typed = match typed {
            Some(sealed) => vault.open(TYPED, &sealed)?,
            None => self.beginning(grant, browser).await?,
        };
        Ok(Draft { typed, uploads })
    }

    /// Keeps who answers, right or wrong, as everything that is kept: only what is endless is refused, and nothing of it
    /// is checked here. [`Replies::check`] does that.
    pub async fn keep_author(
        &self,
        grant: &Grant,
        browser: &Browser,
        name: &str,
        email: &str,
        phone: &str,
    ) -> Result<Kept> {
        let [name, email, phone] = [name, email, phone].map(str::to_owned);
        let own = |there| Typed { name: name.clone(), email: email.clone(), phone: phone.clone(), ..there };
        self.change(grant, browser, |there, _| Kept::of(own(there))).await
    }

    /// Keeps the message as a page brings it. What another window has changed as well is not kept, but comes back.
    pub async fn keep_message(&self, grant: &Grant, browser: &Browser, edit: &MessageEdit) -> Result<Kept> {
        let was_sent = self.sent(grant, browser).await?.is_some_and(|sent| edit.was_sent(&sent));
        self.change(grant, browser, |there, is_kept| {
            let kept = edit.over(there, is_kept);
            Kept { is_sent: was_sent && !is_kept, ..kept }
        })
        .await
    }

    /// The same for what is folded away.
    pub async fn keep_settings(&self, grant: &Grant, browser: &Browser, edit: &SettingsEdit) -> Result<Kept> {
        self.change(grant, browser, |there, is_kept| edit.over(there, is_kept)).await
    }

    /// Changes what was typed. `change` sees what is there at that moment, and whether anybody has kept it; it is asked
    /// again where another window was quicker, so that none overwrites what it has not seen.
    async fn change(
        &self,
        grant: &Grant,
        browser: &Browser,
        change: impl Fn(Typed, bool) -> Kept,
    ) -> Result<Kept> {
        self.check_enabled()?;
        let (vault, parts) = (Vault::of_draft(grant, browser), &self.service.parts);
        for _ in 0..WINDOWS {
            let row = parts.store.draft(self.author(grant, browser)).await?;
            let former = row.and_then(|row| row.typed);
            let there = match &former {
                Some(sealed) => vault.open(TYPED, sealed)?,
                None => self.beginning(grant, browser).await?,
            };
            let kept = change(there.clone(), former.is_some());
            let with_aside = || Typed { aside: kept.aside.clone(), ..there.clone() };
            let changed = if kept.conflicts.is_empty() { kept.typed.clone() } else { with_aside() };
            let is_nothing = !kept.conflicts.is_empty() && (kept.aside.is_none() || changed == there);
            if kept.is_sent || is_nothing {
                return Ok(kept);
            }
            check::check_length(&changed)?;
            let (author, sealed) = (self.author(grant, browser), vault.seal(TYPED, &changed)?);
            match parts.store.save_draft(author, sealed, former, parts.clock.now()).await {
                Ok(()) => return Ok(kept),
                Err(StoreError::Changed) => {}
                Err(StoreError::TooMany(until)) => return Err(ReplyError::TooManyDrafts(until)),
                Err(error) => return Err(error.into()),
            }
        }
        Err(ReplyError::Busy)
    }

    /// Every fault in what was typed and uploaded so far, for the messages beside the fields, in the order of the
    /// fields. Empty: it can be sent.
    pub async fn check(&self, grant: &Grant, browser: &Browser) -> Result<Vec<ReplyError>> {
        let draft = self.draft(grant, browser).await?;
        let verified = self.verified(browser).await?;
        let now = self.service.parts.clock.now();
        let original = original::read(grant, now).await?;
        let allowed = recipients::allowed(&self.organisation, grant, &original.people);
        let checked = check::check(&draft, verified.as_ref(), &allowed, &self.organisation, now);
        Ok(checked.err().unwrap_or_default())
    }

    /// Sends the draft, and ends it. Called twice it sends once: the second call gives the same summary. It goes on when the caller goes away.
    pub async fn send(&self, grant: &Grant, browser: &Browser, client: IpAddr) -> Result<SentReply> {
        self.check_enabled()?;
        let task = tokio::spawn(self.clone().send_draft(grant.clone(), browser.clone(), client));
        task.await.unwrap_or_else(|error| Err(ReplyError::Trouble(error.to_string())))
    }

    /// What this browser sent last on this link, within 24 hours.
    pub async fn sent(&self, grant: &Grant, browser: &Browser) -> Result<Option<SentReply>> {
        let since = self.service.parts.clock.now().saturating_sub(KEPT).unwrap_or(Timestamp::MIN);
        let sealed = self.service.parts.store.last_reply(self.author(grant, browser), since).await?;
        let Some(sealed) = sealed else { return Ok(None) };
        let mut sent: SentReply = Vault::of_draft(grant, browser).open(SENT, &sealed)?;
        // Under another session it stays closed: that is what it was sealed for.
        let open = |sealed: &Vec<u8>| Vault::of_session(grant, browser).open::<String>(PASSWORD, sealed).ok();
        sent.password = sent.sealed_password.as_ref().and_then(open).map(Secret::new);
        Ok(Some(sent))
    }

    fn scope(&self) -> Scope {
        Scope::new(self.settings.clone(), self.organisation.clone())
    }

    fn check_enabled(&self) -> Result<()> {
        if self.organisation.reply.enabled { Ok(()) } else { Err(ReplyError::Disabled) }
    }

    fn author(&self, grant: &Grant, browser: &Browser) -> Author {
        Author { link: grant.link().clone(), browser: vault::browser_hash(browser) }
    }

    /// Where what this transfer brings is answered.
    pub fn channel(&self, grant: &Grant, index: &Index) -> ReplyChannel {
        let domains = &self.organisation.domains;
        let from = index.from_address.as_deref().and_then(|from| Address::parse(from).ok());
        let is_staff = recipients::internal(&grant.recipient().address, domains).is_some();
        match recipients::addressees(grant, from.as_ref(), domains).is_empty() {
            true if is_staff => ReplyChannel::Mail,
            _ if self.organisation.reply.enabled => ReplyChannel::Here,
            _ => ReplyChannel::Nowhere,
        }
    }

    /// What is in the fields before anybody has typed.
    async fn beginning(&self, grant: &Grant, browser: &Browser) -> Result<Typed> {
        let original = original::read(grant, self.service.parts.clock.now()).await?;
        let domains = &self.organisation.domains;
        let to = recipients::addressees(grant, original.from.as_ref(), domains);
        let to = to.into_iter().map(Address::as_str).collect::<Vec<_>>().join(", ");
        let own = &grant.recipient().address;
        let remembered = self.verified(browser).await?;
        Ok(match remembered.filter(|verified| verified.address.is_same_mailbox(own)) {
            Some(Verified { name, address, phone, .. }) => {
                Typed { name, email: address.to_string(), phone, to, ..Typed::default() }
            }
            // Somebody else may sit here now: who answers says so, and nobody is shown whose browser it was.
            None => Typed { email: own.to_string(), to, ..Typed::default() },
        })
    }
}
