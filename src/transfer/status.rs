//! What there is to know of a transfer, for its sender and for administrators: who was told, who opened it,
//! who fetched what. One function for the status page, its JSON and the command line alike.
//!
//! There are no file names in it: those are only inside sealed parts, so files are numbered.

use serde::Serialize;

use super::LinkState;
use crate::address::Address;
use crate::calendar::Zone;
use crate::clock::Timestamp;
use crate::config::Config;
use crate::id::TransferId;
use crate::store::{Bounce, DeliveryReport, Download, Recipient, Result, SHOWN, StatusStore, Transfer};

/// A transfer as it stands.
#[derive(Clone, Debug, Serialize)]
pub struct Status {
    /// Its name.
    pub id: TransferId,
    pub sender: Option<Address>,
    /// When it was sealed.
    pub created: Timestamp,
    /// When it is, or was, destroyed.
    pub expires: Timestamp,
    /// It has expired, but until then its sender can give it another date.
    pub renewable: Option<Timestamp>,
    /// Whether a password is needed besides the link.
    pub password: bool,
    /// Sealed parts that are still there.
    pub parts: usize,
    /// How many files it has, or had.
    pub files: u32,
    /// Its recipients in order.
    pub recipients: Vec<RecipientStatus>,
}

/// How far it has come with one recipient.
#[derive(Clone, Debug, Serialize)]
pub struct RecipientStatus {
    /// The number within the transfer.
    pub number: u16,
    /// Whom the notification goes to.
    pub address: Address,
    /// What their link is good for.
    pub state: LinkState,
    /// When the next hop first took a notification for them.
    pub first_notified: Option<Timestamp>,
    /// When it last took one: it may hold it still.
    pub notified: Option<Timestamp>,
    /// What mail servers behind it have reported since.
    pub reports: Vec<DeliveryReport>,
    /// The notification did not arrive.
    pub bounced: Option<Bounce>,
    /// First opened.
    pub opened: Option<Timestamp>,
    /// The message was shown to them on screen.
    pub read: Option<Shown>,
    /// What they have fetched.
    pub downloads: Vec<Fetched>,
    /// Taken back.
    pub recalled: Option<Timestamp>,
    /// Wrong passwords since the last right one.
    pub tries: u32,
    /// Closed for tries until then; none when that has passed.
    pub locked_until: Option<Timestamp>,
}

/// A part that somebody has fetched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fetched {
    /// The number of the file; none for the message itself.
    pub file: Option<u32>,
    /// When for the first time.
    pub first: Timestamp,
    /// When for the last time.
    pub last: Timestamp,
    /// How often.
    pub count: u32,
    /// Only ranges of it were asked for: less than all of it, or all of it in pieces.
    pub partial: bool,
}

/// When the message was shown on screen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Shown {
    /// When for the first time.
    pub first: Timestamp,
    /// When for the last time.
    pub last: Timestamp,
    /// How often.
    pub count: u32,
}

/// The facts at `now`, by the rules of the organisation whose transfer it is; `None` when there is no such transfer.
pub async fn of(
    store: &dyn StatusStore,
    id: &TransferId,
    config: &Config,
    now: Timestamp,
) -> Result<Option<Status>> {
    let Some(transfer) = store.transfer(id.clone()).await? else { return Ok(None) };
    Ok(Some(Status::under(config, &transfer, &known(store, id).await?, now)))
}

/// What the store knows of a transfer beside its row.
pub async fn known(store: &dyn StatusStore, id: &TransferId) -> Result<Known> {
    let downloads = store.downloads(id.clone()).await?;
    Ok(Known { downloads, reports: store.delivery_reports(id.clone()).await? })
}

/// What the store knows of a transfer beside its row.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// What was fetched.
    pub downloads: Vec<Download>,
    /// What was reported of its notifications, by recipient.
    pub reports: Vec<(u16, DeliveryReport)>,
}

impl Status {
    /// The facts of what the store knows, by the rules of the organisation whose transfer it is.
    pub fn under(config: &Config, transfer: &Transfer, known: &Known, now: Timestamp) -> Self {
        let own = config.of(transfer.organisation.as_ref());
        Self::new(transfer, known, own.seal.grace_days, &own.organisation.time_zone, now)
    }

    /// The facts of what the store knows; `grace_days` is `seal.grace_days`, of days in `zone`.
    pub fn new(transfer: &Transfer, known: &Known, grace_days: u32, zone: &Zone, now: Timestamp) -> Self {
        let recipient = |recipient: &Recipient| {
            let own = known.downloads.iter().filter(|download| download.recipient == recipient.number);
            let (shown, fetched): (Vec<_>, Vec<_>) = own.partition(|download| download.part == SHOWN);
            let reports = known.reports.iter().filter(|(number, _)| *number == recipient.number);
            RecipientStatus {
                number: recipient.number,
                address: recipient.address.clone(),
                state: LinkState::of(transfer, recipient, now),
                first_notified: recipient.first_notified,
                notified: recipient.notified,
                reports: reports.map(|(_, report)| report.clone()).collect(),
                bounced: recipient.bounced.clone(),
                opened: recipient.opened,
                read: shown.first().map(|Download { first, last, count, .. }| Shown {
                    first: *first,
                    last: *last,
                    count: *count,
                }),
                downloads: fetched.iter().map(|download| Fetched::new(download, transfer.files)).collect(),
                recalled: recipient.recalled,
                tries: recipient.tries,
                locked_until: recipient.locked_until.filter(|until| *until > now),
            }
        };
        Self {
            id: transfer.id.clone(),
            sender: transfer.sender.clone(),
            created: transfer.created,
            expires: transfer.expires,
            renewable: transfer.renewable_until(grace_days, zone, now),
            password: transfer.password,
            parts: transfer.parts.len(),
            files: transfer.files,
            recipients: transfer.recipients.iter().map(recipient).collect(),
        }
    }

    /// The recipient with this number.
    pub fn recipient(&self, number: u16) -> Option<&RecipientStatus> {
        self.recipients.iter().find(|recipient| recipient.number == number)
    }

    /// Whether there is somebody who can, or could, still open it.
    pub fn is_live(&self) -> bool {
        self.recipients.iter().any(RecipientStatus::is_live)
    }

    /// Whether its date has passed.
    pub fn has_ended(&self, now: Timestamp) -> bool {
        self.expires <= now
    }

    /// Whether somebody's link was taken back.
    pub fn is_recalled(&self) -> bool {
        self.recipients.iter().any(|recipient| recipient.recalled.is_some())
    }
}

impl RecipientStatus {
    /// When a notification was last handed over, where that was not the first.
    pub fn notified_again(&self) -> Option<&Timestamp> {
        self.notified.as_ref().filter(|_| self.notified != self.first_notified)
    }

    /// The link could be opened, but for wrong passwords.
    pub fn is_locked(&self) -> bool {
        self.locked_until.is_some() && matches!(self.state, LinkState::Waiting | LinkState::Opened)
    }

    /// Neither expired nor recalled: there is something left to act on.
    pub fn is_live(&self) -> bool {
        !matches!(self.state, LinkState::Expired | LinkState::Recalled)
    }
}

impl Fetched {
    fn new(download: &Download, files: u32) -> Self {
        let Download { part, first, last, count, whole, .. } = *download;
        Self { file: Some(part).filter(|part| *part <= files), first, last, count, partial: !whole }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::days_later;
    use crate::transfer::testing;

    #[test]
    fn files_are_numbered_and_the_message_is_none() {
        let mut transfer = testing::transfer_row();
        transfer.files = 2;
        let at = transfer.created;
        let download =
            |part| Download { recipient: 1, part, first: at, last: at, count: 3, whole: part == 2 };
        let foreign = Download { recipient: 2, ..download(1) };
        let known =
            Known { downloads: vec![download(SHOWN), download(2), download(5), foreign], ..Known::default() };
        let status = Status::new(&transfer, &known, 0, &Zone::default(), at);
        let files: Vec<_> = status.recipients[0].downloads.iter().map(|one| one.file).collect();
        assert_eq!(files, [Some(2), None]);
        let partial: Vec<_> = status.recipients[0].downloads.iter().map(|one| one.partial).collect();
        assert_eq!(partial, [false, true]);
        assert_eq!(status.recipients[0].read, Some(Shown { first: at, last: at, count: 3 }));
        assert_eq!(status.recipients[0].downloads[0].count, 3);
    }

    #[test]
    fn a_lock_that_has_passed_is_none() {
        let mut transfer = testing::transfer_row();
        transfer.recipients[0].locked_until = Some(transfer.created);
        let status = Status::new(&transfer, &Known::default(), 0, &Zone::default(), transfer.created);
        assert_eq!(status.recipients[0].locked_until, None);
        assert!(status.is_live());
        let status = Status::new(&transfer, &Known::default(), 0, &Zone::default(), transfer.expires);
        assert!(!status.is_live());
    }

    #[test]
    fn what_has_expired_can_be_renewed_for_some_days() {
        let mut transfer = testing::transfer_row();
        let end = days_later(transfer.expires, 14);
        let renewable = |transfer: &Transfer, grace, now| {
            Status::new(transfer, &Known::default(), grace, &Zone::default(), now).renewable
        };
        assert_eq!(renewable(&transfer, 14, transfer.created), None, "it has not expired");
        assert_eq!(renewable(&transfer, 14, transfer.expires), Some(end));
        assert_eq!(renewable(&transfer, 14, end), None);
        assert_eq!(renewable(&transfer, 0, transfer.expires), None);
        transfer.recipients[0].key_packet = None;
        assert_eq!(renewable(&transfer, 14, transfer.expires), None, "nothing is left of it");
    }
}
