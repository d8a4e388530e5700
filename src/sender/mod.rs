//! What a sender can do with a transfer after it was sent: recall it, give it a new expiry date, send a notification
//! again, or unlock a link. A recipient who comes too late can ask the sender for it. The status page and the command line
//! call this and nothing else, so both do the same.
//!
//! The caller has proved to be the sender (`transfer/action`), or is the administrator. Every change is one transaction of
//! the store, with its audit event and its mail: if somebody clicks twice, the second click changes nothing.

pub mod mails;

use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use jiff::civil::Date;

use self::mails::{Downloaded, Mails};
use crate::address::ReversePath;
use crate::audit::{Action, Actor, EventResult, Initiator, Origin};
use crate::calendar::Zone;
use crate::clock::{Clock, DAY, Timestamp, earlier};
use crate::id::{Link, TransferId};
use crate::limits::{self, EXPIRY_DAYS, Rate};
use crate::outbox::NoticeError;
use crate::queue::worker::WakeHandle;
use crate::secret::Keys;
use crate::settings::{Organisation, Scope, Settings};
use crate::store::{
    Download, EnqueueOutcome, Extension, LimitedNotice, NewItem, Recall, Recipient, SHOWN, SenderStore,
    StoreError, Transfer,
};
use crate::transfer::access::LostPart;
use crate::transfer::action::{self, Purpose};
use crate::transfer::pasted::{Around, Found};
use crate::transfer::recall::{self, Proof};
use crate::transfer::status::{self, Status};
use crate::transfer::{LinkState, link};

/// How often one notification can be sent again: a second click sends no second mail.
const RESEND: Rate = Rate::per(1, Duration::from_mins(10));
/// How often one recipient can ask a sender.
const ASK: Rate = Rate::per(1, Duration::from_hours(24));
/// How often in all: more than a large mailing needs, and a bound for somebody with many links.
const RESENDS: Rate = Rate::per(10_000, Duration::from_hours(1));
const ASKS: Rate = Rate::per(1000, Duration::from_hours(1));
/// The time between two mails about downloads through one link.
const DOWNLOAD_NOTICE: Duration = Duration::from_hours(1);

/// Why nothing was done.
#[derive(Debug, thiserror::Error)]
pub enum ActionError {
    /// There is no such transfer, or no such recipient of it.
    #[error("no such transfer or recipient")]
    Unknown,
    /// It has expired or was recalled: that is for good.
    #[error("the transfer has expired or was recalled; nothing can be done with it any more")]
    Closed,
    /// Not a number of days that a transfer can be kept.
    #[error("the number of days must be from 1 to 365")]
    Days,
    /// The same was done a short while ago.
    #[error("that mail went out a short while ago; the next one can go at {0}")]
    NotBefore(Timestamp),
    /// The store could not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The mail could not be written.
    #[error(transparent)]
    Notice(#[from] NoticeError),
}

type Result<T> = std::result::Result<T, ActionError>;

/// The day to whose end a transfer is to last.
#[derive(Clone, Copy, Debug)]
pub enum NewDate {
    /// So many days after today.
    InDays(u32),
    /// This one.
    On(Date),
}

/// The days that a transfer can be given as its date now.
pub fn new_dates(zone: &Zone, now: Timestamp) -> RangeInclusive<Date> {
    let day = |days: &u32| zone.date(now).saturating_add(DAY.saturating_mul(*days));
    day(EXPIRY_DAYS.start())..=day(EXPIRY_DAYS.end())
}

/// The person who acts.
#[derive(Clone, Debug)]
pub enum By {
    /// The sender, who has the link of the status page, from this address.
    Sender(IpAddr),
    /// An administrator, at the command line.
    Admin(Initiator),
}

/// Makes [`Actions`]. Cheap to clone.
#[derive(Clone)]
pub struct SenderService {
    store: Arc<dyn SenderStore>,
    /// Shared: keys of a MAC are costly to clone, and every request clones what its handler stands on.
    keys: Arc<Keys>,
    clock: Clock,
    wake: WakeHandle,
}

impl SenderService {
    /// `keys` are for links and queued bodies; `wake` is for whoever delivers what is queued.
    pub fn new(store: Arc<dyn SenderStore>, keys: Keys, clock: Clock, wake: WakeHandle) -> Self {
        Self { store, keys: Arc::new(keys), clock, wake }
    }

    /// The actions for a command or a turn of the timer, under these settings: on transfers of every organisation.
    pub fn under(&self, settings: Arc<Settings>) -> Actions {
        Actions { service: self.clone(), settings, scope: None }
    }

    /// The actions for a request, on what it may see.
    pub fn within(&self, scope: &Scope) -> Actions {
        let (settings, scope) = (scope.settings().clone(), Some(scope.clone()));
        Actions { service: self.clone(), settings, scope }
    }
}

/// What senders may do, by the settings with which a request, a command or a turn began.
#[derive(Clone)]
pub struct Actions {
    service: SenderService,
    settings: Arc<Settings>,
    /// None: every transfer is there.
    scope: Option<Scope>,
}

impl Actions {
    /// The status of the transfer that this token of a status page is for. A forged token never reaches the store.
    pub async fn status_of(&self, token: &str) -> Result<Status> {
        let id = action::parse(&self.service.keys.action, Purpose::Status, token);
        self.status(&id.ok_or_else(|| self.unknown())?).await
    }

    /// Of a token that no key here has made: another node may have.
    fn unknown(&self) -> ActionError {
        match self.service.keys.generations.lacks_current() {
            true => StoreError::NoMasterKey.into(),
            false => ActionError::Unknown,
        }
    }

    /// The first token of a status page in what somebody pasted, or a mail program made of a link. The store is asked only
    /// for a genuine one, which may be another organisation's.
    pub async fn find_token(&self, text: &str, around: Around) -> Result<Option<Found>> {
        let key = &self.service.keys.action;
        let Some(found) = action::find(key, Purpose::Status, text, around) else { return Ok(None) };
        let Some(id) = action::parse(key, Purpose::Status, &found.token) else { return Ok(None) };
        let is_here = match self.service.store.transfer(id).await? {
            Some(transfer) => self.sees(&transfer),
            None => self.scope.as_ref().is_none_or(Scope::knows_forgotten),
        };
        Ok(is_here.then_some(found))
    }

    /// Tells the queue that there is new mail.
    pub fn wake(&self) {
        self.service.wake.wake();
    }

    /// The status of a transfer, or [`ActionError::Unknown`] if there is none.
    pub async fn status(&self, id: &TransferId) -> Result<Status> {
        let (transfer, now) = (self.transfer(id).await?, self.service.clock.now());
        let known = status::known(self.service.store.as_ref(), id).await?;
        let Organisation { seal, zone, .. } = self.organisation(&transfer);
        Ok(Status::new(&transfer, &known, seal.grace_days, zone, now))
    }

    /// The proof of a recall, or [`ActionError::Unknown`] if nothing was recalled.
    pub async fn proof(&self, id: &TransferId) -> Result<Proof> {
        let status = self.status(id).await?;
        recall::proof(self.service.store.as_ref(), status, self.service.clock.now())
            .await?
            .ok_or(ActionError::Unknown)
    }

    /// Takes back the links of one recipient or of all. Gives those that this call took back; none when that was done
    /// before. `tell` sends a mail to those who had heard of it.
    pub async fn recall(
        &self,
        by: By,
        id: &TransferId,
        recipient: Option<u16>,
        tell: bool,
    ) -> Result<Vec<u16>> {
        let (transfer, now) = (self.transfer(id).await?, self.service.clock.now());
        let targets = targets(&transfer, recipient)?;
        let notices = match tell {
            true => self.mails(&transfer, now).recalls(&targets)?,
            false => Vec::new(),
        };
        let recipients = targets.iter().map(|link| link.recipient).collect();
        let (by, closed) = (by.initiator(&transfer), self.closed(&transfer, now));
        let recall = Recall { transfer: id.clone(), recipients, now, closed, by, notices };
        let recalled = self.service.store.recall(recall).await?;
        if recalled.is_empty() {
            let status = self.status(id).await?;
            let was_recalled = |link: &Link| {
                status.recipient(link.recipient).is_some_and(|recipient| recipient.recalled.is_some())
            };
            return if targets.iter().any(was_recalled) { Ok(recalled) } else { Err(ActionError::Closed) };
        }
        self.wake();
        Ok(recalled)
    }

    /// Gives the transfer a new date, to whose end it lasts. `tell` sends the recipients a mail with it.
    pub async fn extend(&self, by: By, id: &TransferId, date: NewDate, tell: bool) -> Result<()> {
        let (transfer, now) = (self.transfer(id).await?, self.service.clock.now());
        let organisation = self.organisation(&transfer);
        let zone = &organisation.zone;
        let day = match date {
            NewDate::InDays(days) => zone.date(now).saturating_add(DAY.saturating_mul(days)),
            NewDate::On(day) => day,
        };
        if !new_dates(zone, now).contains(&day) {
            return Err(ActionError::Days);
        }
        let expires = zone.last_second(day);
        let event =
            by.initiator(&transfer).event(now, Action::Extend, id.to_string(), EventResult::Until(expires));
        let closed = self.closed(&transfer, now);
        let notices =
            if tell { self.told_of(&by, Transfer { expires, ..transfer }, now)? } else { Vec::new() };
        let extension = Extension { transfer: id.clone(), expires, closed, event, now, notices };
        if !self.service.store.extend(extension).await? {
            return Err(ActionError::Closed);
        }
        self.wake();
        Ok(())
    }

    /// The mails that tell of the transfer's new date, but to those whom no mail reaches.
    fn told_of(&self, by: &By, transfer: Transfer, now: Timestamp) -> Result<Vec<LimitedNotice>> {
        let mails = self.mails(&transfer, now);
        let reached =
            transfer.recipients.iter().filter(|one| one.bounced.is_none() && one.key_packet.is_some());
        let notice = |one: &Recipient| {
            let link = Link { transfer: transfer.id.clone(), recipient: one.number };
            let item = mails.extended(&link)?;
            let event = by.initiator(&transfer).event(now, Action::Resend, link.to_string(), EventResult::Ok);
            let bucket = format!("extend {link}");
            let in_all = (self.bucket_of("resends", &transfer), RESENDS);
            Ok(LimitedNotice { link, item, invites: true, bucket, rate: RESEND, in_all, event })
        };
        reached.map(notice).collect()
    }

    /// Sends one notification again, or all that can still be opened. Gives those that went out.
    pub async fn resend(&self, by: By, id: &TransferId, recipient: Option<u16>) -> Result<Vec<u16>> {
        let (transfer, now) = (self.transfer(id).await?, self.service.clock.now());
        let mails = self.mails(&transfer, now);
        let (mut sent, mut end) = (Vec::new(), ActionError::Closed);
        for link in targets(&transfer, recipient)? {
            let item = mails.notification(&link)?;
            let event = by.initiator(&transfer).event(now, Action::Resend, link.to_string(), EventResult::Ok);
            let bucket = format!("resend {link}");
            let number = link.recipient;
            let in_all = (self.bucket_of("resends", &transfer), RESENDS);
            let notice = LimitedNotice { link, item, invites: true, bucket, rate: RESEND, in_all, event };
            match self.service.store.enqueue_limited(notice, now).await? {
                EnqueueOutcome::Queued => sent.push(number),
                EnqueueOutcome::NotBefore(again) => end = ActionError::NotBefore(again),
                EnqueueOutcome::Closed => {}
            }
        }
        if sent.is_empty() {
            return Err(end);
        }
        self.wake();
        Ok(sent)
    }

    /// Takes the lock off a recipient's link, and forgets the wrong passwords. Tells whether there was anything to
    /// forget.
    pub async fn unlock(&self, by: By, link: &Link) -> Result<bool> {
        let transfer = self.transfer(&link.transfer).await?;
        let now = self.service.clock.now();
        let is_open = |link: &Link| {
            let recipient = transfer.recipients.iter().find(|one| one.number == link.recipient);
            let state = recipient.map(|recipient| LinkState::of(&transfer, recipient, now));
            matches!(state, Some(LinkState::Waiting | LinkState::Opened))
        };
        let open: Vec<Link> = targets(&transfer, Some(link.recipient))?.into_iter().filter(is_open).collect();
        if open.is_empty() {
            return Err(ActionError::Closed);
        }
        let mut cleared = false;
        for link in open {
            let event = by.initiator(&transfer).event(now, Action::Unlock, link.to_string(), EventResult::Ok);
            cleared |= self.service.store.clear_tries(link, event).await?;
        }
        Ok(cleared)
    }

    /// A recipient came too late and asks for the message: one mail to its sender. Never to a machine (H09), and
    /// only for a link that has expired. `token` is the recipient's own.
    pub async fn ask(&self, token: &str, client: IpAddr) -> Result<()> {
        let (link, _) = link::parse(&self.service.keys.link, token).ok_or_else(|| self.unknown())?;
        let (transfer, now) = (self.transfer(&link.transfer).await?, self.service.clock.now());
        let mut recipients = transfer.recipients.iter();
        let recipient = recipients.find(|one| one.number == link.recipient).ok_or(ActionError::Unknown)?;
        if !transfer.has_sender_to_tell() || LinkState::of(&transfer, recipient, now) != LinkState::Expired {
            return Err(ActionError::Closed);
        }
        let item = self.mails(&transfer, now).ask(&recipient.address)?;
        let event = Initiator::recipient(client).event(now, Action::Ask, link.to_string(), EventResult::Ok);
        let bucket = format!("ask {link}");
        let in_all = (self.bucket_of("asks", &transfer), ASKS);
        let notice = LimitedNotice { link, item, invites: false, bucket, rate: ASK, in_all, event };
        match self.service.store.enqueue_limited(notice, now).await? {
            EnqueueOutcome::Queued => {
                self.wake();
                Ok(())
            }
            EnqueueOutcome::NotBefore(again) => Err(ActionError::NotBefore(again)),
            EnqueueOutcome::Closed => Err(ActionError::Closed),
        }
    }

    /// The mail that tells the sender of this download, and since when there must have been none; `None` where the
    /// sender does not want to hear of it. `names` are those of the files, for policies that let them be told; `subject` is
    /// that of the message.
    pub async fn download_notice(
        &self,
        transfer: &Transfer,
        link: &Link,
        parts: &[u32],
        names: Vec<String>,
        subject: Option<String>,
    ) -> Result<Option<(NewItem, Timestamp)>> {
        if !transfer.download_notice || !transfer.has_sender_to_tell() {
            return Ok(None);
        }
        let now = self.service.clock.now();
        let mut downloaded = self.downloaded(link).await?;
        downloaded
            .parts
            .extend(parts.iter().filter(|part| !downloaded.parts.contains(part)).collect::<Vec<_>>());
        downloaded.names = if transfer.file_names { names } else { Vec::new() };
        (downloaded.last, downloaded.subject) = (now, subject);
        let notice = self.mails(transfer, now).download(link, &downloaded)?;
        Ok(Some((notice, self.notices_quiet_since(now))))
    }

    /// Tells the sender what else was downloaded through this link since they last heard. Gives how many mails
    /// were queued.
    pub async fn follow_up(&self, link: &Link, now: Timestamp) -> Result<usize> {
        let transfer = self.transfer(&link.transfer).await?;
        let notice = self.mails(&transfer, now).download(link, &self.downloaded(link).await?)?;
        let queued =
            self.service.store.enqueue_follow_up(link.clone(), notice, self.notices_quiet_since(now)).await?;
        Ok(usize::from(queued))
    }

    /// Whoever heard of a link's downloads after this moment does not hear of them again.
    pub fn notices_quiet_since(&self, now: Timestamp) -> Timestamp {
        earlier(now, DOWNLOAD_NOTICE)
    }

    /// A recipient could not read a part, because it is missing or damaged for good: said once, to the administrator, and
    /// to a sender who wants to be told. Whatever goes wrong with that is in the log.
    pub async fn lost(&self, lost: &LostPart) {
        let LostPart { link, part, cause } = lost;
        match self.note_lost(link, *part).await {
            Ok(true) => tracing::error!(
                transfer = %link.transfer, part, cause,
                "a part of a transfer is lost: `zegel check --data` tells whether others are"
            ),
            Ok(false) => {}
            Err(error) => {
                tracing::error!(%link, part, cause, %error, "a part is lost, and that cannot be noted")
            }
        }
    }

    async fn note_lost(&self, link: &Link, part: u32) -> Result<bool> {
        let (transfer, now) = (self.transfer(&link.transfer).await?, self.service.clock.now());
        let mails = self.mails(&transfer, now);
        let notice = if transfer.has_sender_to_tell() { Some(mails.lost(link)?) } else { None };
        let object = format!("{}/{part}", transfer.id);
        let event = Initiator::zegel().event(now, Action::Lost, object, EventResult::PartLost);
        let is_news = self.service.store.note_lost_part(transfer.id.clone(), part, event, notice).await?;
        if is_news {
            self.wake();
        }
        Ok(is_news)
    }

    async fn downloaded(&self, link: &Link) -> Result<Downloaded> {
        let downloads = self.service.store.downloads(link.transfer.clone()).await?;
        let is_own = |one: &&Download| one.recipient == link.recipient && one.part != SHOWN;
        let own: Vec<_> = downloads.iter().filter(is_own).collect();
        let last = own.iter().map(|download| download.last).max().unwrap_or_default();
        let parts = own.iter().map(|download| download.part).collect();
        Ok(Downloaded { parts, last, ..Downloaded::default() })
    }

    /// If its date lies at or before this, the transfer is gone for good.
    fn closed(&self, transfer: &Transfer, now: Timestamp) -> Timestamp {
        let Organisation { seal, zone, .. } = self.organisation(transfer);
        zone.days_earlier(now, seal.grace_days)
    }

    /// Whose rules it is under.
    fn organisation(&self, transfer: &Transfer) -> &Organisation {
        self.settings.responsible(transfer.organisation.as_ref())
    }

    /// A bucket that all transfers of its organisation share.
    fn bucket_of(&self, name: &str, transfer: &Transfer) -> String {
        let organisation = self.settings.of(transfer.organisation.as_ref());
        limits::bucket_of(name, organisation.and_then(|one| self.settings.sharer(one)).as_ref())
    }

    async fn transfer(&self, id: &TransferId) -> Result<Transfer> {
        let found = self.service.store.transfer(id.clone()).await?;
        found.filter(|transfer| self.sees(transfer)).ok_or(ActionError::Unknown)
    }

    fn sees(&self, transfer: &Transfer) -> bool {
        self.scope.as_ref().is_none_or(|scope| scope.sees(transfer.organisation.as_ref()))
    }

    /// Writes mails about a transfer.
    pub fn mails<'a>(&'a self, transfer: &'a Transfer, now: Timestamp) -> Mails<'a> {
        let organisation = self.organisation(transfer);
        Mails { organisation, keys: &self.service.keys, transfer, now }
    }
}

impl By {
    fn initiator(&self, transfer: &Transfer) -> Initiator {
        match self {
            Self::Admin(actor) => actor.clone(),
            Self::Sender(client) => Initiator {
                actor: transfer
                    .sender
                    .clone()
                    .map_or(Actor::UnknownSender, |sender| Actor::Sender(ReversePath::Address(sender))),
                origin: Origin::Client(client.to_canonical()),
            },
        }
    }
}

/// The links that are meant: all, or those of one recipient, who must be there. A transfer of an older version may
/// have several links for one mailbox; whoever means one of them means every one.
fn targets(transfer: &Transfer, recipient: Option<u16>) -> Result<Vec<Link>> {
    let recipients = &transfer.recipients;
    let named = |number| recipients.iter().find(|one| one.number == number).ok_or(ActionError::Unknown);
    let mailbox = recipient.map(named).transpose()?.map(|one| one.address.mailbox());
    let meant =
        recipients.iter().filter(|one| mailbox.as_ref().is_none_or(|meant| *meant == one.address.mailbox()));
    Ok(meant.map(|one| Link { transfer: transfer.id.clone(), recipient: one.number }).collect())
}
