//! Where mail is, and where it went: a row for each recipient of each mail, which an administrator finds by address,
//! Message-ID, id, link or time. Asked by `zegel track`.
//!
//! What waits in a row of the queue has its rows here in the same transaction. Ordinary mail that is delivered at its first
//! attempt gets them afterwards ([`Behind`]), many at a time: whoever brings or takes mail waits for none of it. Nothing here
//! may hold a subject, a body, a password, a token, or the words in which a server refused a message: those can quote it.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;

use super::{
    HopReport, Item, NewItem, OrganisationFilter, QueueItemKind, Result, StoreError, Track, TrackRow,
    TrackState,
};
use crate::address::{Address, ReversePath};
use crate::clock::Timestamp;
use crate::diagnostic::Outcome;
use crate::envelope::EnvelopeRecipient;
use crate::id::{Link, OrganisationId, QueueId, TransferId};

/// Rows that wait to be written: of ten thousand mails, and of none more than so many.
const MOST_BEHIND: usize = 50_000;
/// Rows that are written in one go: others wait for the database that long.
pub(super) const AT_ONCE: usize = 500;
/// A row is written at most so long after a younger one: by then its mail is a row of the queue, or delivered and written.
pub(super) const MOST_LATE: Duration = Duration::from_mins(1);
/// Rows that are looked through for messages, for each message that is asked for.
const ROWS_PER_MESSAGE: usize = 20;

/// Finds mail.
#[async_trait]
pub trait TrackingStore: Send + Sync + 'static {
    /// Keeps rows behind the mail that they are of; [`TrackingStore::write_tracks`] writes them.
    fn track(&self, rows: Vec<TrackRow>);
    /// Writes what is behind, and gives how many rows that were. What cannot be written now stays for the next time.
    async fn write_tracks(&self) -> Result<usize>;
    /// The messages that have a row which fits, the newest first, at most `query.most`.
    async fn find_tracks(&self, query: TrackQuery) -> Result<Vec<QueueId>>;
    /// All rows of these messages: themselves, and every mail that comes of them.
    async fn tracks(&self, messages: Vec<QueueId>) -> Result<Vec<TrackRow>>;
    /// Forgets that a mailbox sent or received anything, of one organisation or of all, a bounded number of rows at a time: call
    /// again until it tells 0.
    async fn forget_tracks(&self, mailbox: String, of: Option<OrganisationFilter>) -> Result<usize>;
}

/// In the order in which they are told: the messages, then what came of each.
pub(super) fn sort(rows: &mut [TrackRow]) {
    rows.sort_by(|one, other| {
        let key = |row: &TrackRow| (row.time, row.kind, row.number);
        key(one).cmp(&key(other)).then_with(|| one.item.cmp(&other.item))
    });
}

impl TrackRow {
    /// Of ordinary mail that has left the gateway; what the next hop answered is not known any more.
    pub(super) fn left(item: &NewItem) -> Vec<Self> {
        let delivered = |row| Self { state: TrackState::Delivered, attempts: 1, ..row };
        Self::queued(item, &item.track).into_iter().map(delivered).collect()
    }

    /// One for each recipient of a mail that waits for its first attempt.
    pub fn queued(item: &NewItem, track: &Track) -> Vec<Self> {
        let recipients = (1..).zip(&item.envelope.recipients);
        let facts = Facts {
            id: &item.id,
            kind: item.kind,
            sender: &item.envelope.reverse_path,
            link: item.link.as_ref(),
            organisation: item.organisation.as_ref(),
            created: item.created,
            track,
        };
        recipients.map(|(number, recipient)| facts.row(number, recipient)).collect()
    }

    /// One for each recipient that an attempt was made for, with how that ended.
    pub fn attempted(
        item: &Item,
        outcomes: &[(u32, Outcome)],
        (hop, next_hop): (&HopReport, &str),
        frozen: bool,
        now: Timestamp,
    ) -> Vec<Self> {
        let facts = Facts {
            id: &item.id,
            kind: item.kind,
            sender: &item.reverse_path,
            link: item.link.as_ref(),
            organisation: item.organisation.as_ref(),
            created: item.created,
            track: &item.track,
        };
        let ended = |(number, outcome): &(u32, Outcome)| {
            let recipient = item.recipients.iter().find(|pending| pending.number == *number)?;
            let (state, answer) = match outcome {
                Outcome::Delivered => (TrackState::Delivered, hop.answer.clone()),
                Outcome::Failed(why) => (TrackState::Failed, Some(why.for_track())),
                Outcome::Deferred(why) if frozen => (TrackState::Frozen, Some(why.for_track())),
                Outcome::Deferred(why) => (TrackState::Waiting, Some(why.for_track())),
            };
            Some(Self {
                state,
                answer,
                attempts: item.attempts.saturating_add(1),
                changed: now,
                next_hop: Some(next_hop.to_owned()),
                tls: hop.tls.clone(),
                ..facts.row(*number, &recipient.recipient)
            })
        };
        outcomes.iter().filter_map(ended).collect()
    }
}

/// What the rows of one mail have in common.
struct Facts<'a> {
    id: &'a QueueId,
    kind: QueueItemKind,
    sender: &'a ReversePath,
    link: Option<&'a Link>,
    organisation: Option<&'a OrganisationId>,
    created: Timestamp,
    track: &'a Track,
}

impl Facts<'_> {
    fn row(&self, number: u32, recipient: &EnvelopeRecipient) -> TrackRow {
        let Self { id, kind, sender, link, organisation, created, track } = self;
        TrackRow {
            tracking: track.tracking.as_ref().unwrap_or(id).clone(),
            item: Some((*id).clone()),
            number,
            time: *created,
            kind: *kind,
            sender: mailbox_of(sender),
            recipient: recipient.address.mailbox(),
            message_id: track.message_id.clone(),
            size: track.size,
            client: track.client.map(|client| client.to_string()),
            rule: track.rule(number).map(str::to_owned),
            transfer: track.transfer.clone().or_else(|| link.map(|link| link.transfer.clone())),
            link: link.map(|link| link.recipient),
            state: TrackState::Waiting,
            attempts: 0,
            changed: *created,
            next_hop: None,
            tls: None,
            answer: None,
            organisation: organisation.cloned(),
        }
    }
}

/// Empty for the null reverse path.
pub fn mailbox_of(sender: &ReversePath) -> String {
    sender.address().map(Address::mailbox).unwrap_or_default()
}

/// The part of a mailbox behind its last `@`.
pub(super) fn domain_of(mailbox: &str) -> &str {
    mailbox.rsplit_once('@').map_or("", |(_, domain)| domain)
}

/// What is looked for: rows that everything holds for which is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrackQuery {
    pub to: Option<Who>,
    pub from: Option<Who>,
    /// As [`message_id`] writes it.
    pub message_id: Option<String>,
    /// Of a message, or of any mail that came of it.
    pub id: Option<QueueId>,
    pub transfer: Option<TransferId>,
    pub organisation: Option<OrganisationFilter>,
    /// Accepted from then on,
    pub since: Timestamp,
    /// and until then.
    pub until: Timestamp,
    /// Messages, at most.
    pub most: usize,
}

/// A mailbox, or everybody in a domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Who {
    /// As [`Address::mailbox`] writes it; empty: the null reverse path.
    Mailbox(String),
    /// In lower case and Punycode.
    Domain(String),
}

impl Who {
    /// Whether a mailbox is, or belongs to, this.
    pub fn is(&self, mailbox: &str) -> bool {
        match self {
            Self::Mailbox(asked) => asked == mailbox,
            Self::Domain(asked) => asked == domain_of(mailbox),
        }
    }
}

/// The index that answers a query, the narrowest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Narrowest {
    Id,
    MessageId,
    Transfer,
    Recipient,
    Sender,
    RecipientDomain,
    SenderDomain,
    Time,
}

impl Narrowest {
    #[cfg(test)]
    pub const ALL: [Self; 8] = [
        Self::Id,
        Self::MessageId,
        Self::Transfer,
        Self::Recipient,
        Self::Sender,
        Self::RecipientDomain,
        Self::SenderDomain,
        Self::Time,
    ];
}

impl TrackQuery {
    /// Everything, ever.
    pub fn all(most: usize) -> Self {
        Self {
            to: None,
            from: None,
            message_id: None,
            id: None,
            transfer: None,
            organisation: None,
            since: Timestamp::MIN,
            until: Timestamp::MAX,
            most,
        }
    }

    pub(super) fn narrowest(&self) -> Narrowest {
        match (&self.to, &self.from) {
            _ if self.id.is_some() => Narrowest::Id,
            _ if self.message_id.is_some() => Narrowest::MessageId,
            _ if self.transfer.is_some() => Narrowest::Transfer,
            (Some(Who::Mailbox(_)), _) => Narrowest::Recipient,
            (_, Some(Who::Mailbox(_))) => Narrowest::Sender,
            (Some(Who::Domain(_)), _) => Narrowest::RecipientDomain,
            (_, Some(Who::Domain(_))) => Narrowest::SenderDomain,
            (None, None) => Narrowest::Time,
        }
    }

    /// Whether everything that is asked for holds for a row.
    fn fits(&self, row: &TrackRow) -> bool {
        self.to.as_ref().is_none_or(|to| to.is(&row.recipient))
            && self.from.as_ref().is_none_or(|from| from.is(&row.sender))
            && self.message_id.as_ref().is_none_or(|id| Some(id) == row.message_id.as_ref())
            && self.id.as_ref().is_none_or(|id| *id == row.tracking || Some(id) == row.item.as_ref())
            && self.transfer.as_ref().is_none_or(|transfer| Some(transfer) == row.transfer.as_ref())
            && self.organisation.as_ref().is_none_or(|whose| whose.is(row.organisation.as_ref()))
            && (self.since..=self.until).contains(&row.time)
    }

    /// Rows that are read for it at most.
    pub(super) fn rows(&self) -> usize {
        self.most.saturating_mul(ROWS_PER_MESSAGE)
    }

    /// Each message once, the newest first: those with a row in the journal (the oldest first), then those that were found as rows.
    pub(super) fn messages(&self, journalled: Vec<TrackRow>, found: Vec<QueueId>) -> Vec<QueueId> {
        let mut seen = HashSet::new();
        let journalled = journalled.into_iter().rev().filter(|row| self.fits(row)).map(|row| row.tracking);
        journalled.chain(found).filter(|message| seen.insert(message.clone())).take(self.most).collect()
    }
}

/// Rows that are still to be written. They are in no log and no transaction: a crash takes them along. The log of the
/// gateway has what they say.
#[derive(Debug, Default)]
pub(super) struct Behind(Mutex<Waiting>);

#[derive(Debug, Default)]
struct Waiting {
    rows: Vec<TrackRow>,
    left_out: usize,
}

impl Behind {
    /// Adds rows, but not without bound: where the database does not keep up, or cannot be written, the log alone has them.
    pub fn add(&self, rows: Vec<TrackRow>) {
        let mut waiting = self.lock();
        let room = MOST_BEHIND.saturating_sub(waiting.rows.len());
        waiting.left_out += rows.len().saturating_sub(room);
        waiting.rows.extend(rows.into_iter().take(room));
    }

    /// Has everything written, the oldest first and so many at once at most; tells how many rows that were. What `write` gives
    /// back with its error stays for the next time.
    pub async fn write_all<F>(&self, write: impl Fn(Vec<TrackRow>) -> F + Send) -> Result<usize>
    where
        F: Future<Output = std::result::Result<(), (StoreError, Vec<TrackRow>)>> + Send,
    {
        let mut written = 0;
        loop {
            let rows = self.take();
            if rows.is_empty() {
                return Ok(written);
            }
            let count = rows.len();
            if let Err((error, rows)) = write(rows).await {
                self.give_back(rows);
                return Err(error);
            }
            written += count;
        }
    }

    /// Takes the oldest rows, so many at most.
    fn take(&self) -> Vec<TrackRow> {
        let mut waiting = self.lock();
        let left_out = std::mem::take(&mut waiting.left_out);
        if left_out > 0 {
            tracing::warn!(
                rows = left_out,
                "mail came faster than it could be written for `zegel track`: only the log has it"
            );
        }
        let count = waiting.rows.len().min(AT_ONCE);
        waiting.rows.drain(..count).collect()
    }

    /// They could not be written.
    fn give_back(&self, mut rows: Vec<TrackRow>) {
        let mut waiting = self.lock();
        rows.append(&mut waiting.rows);
        waiting.rows = rows;
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_behind_is_bounded_and_keeps_its_order() {
        let behind = Behind::default();
        let row = |number| TrackRow { number, ..row() };
        behind.add((0..MOST_BEHIND as u32 + 7).map(row).collect());
        assert_eq!(behind.lock().left_out, 7);
        let first = behind.take();
        assert_eq!((first.len(), first[0].number), (AT_ONCE, 0));
        behind.give_back(first);
        assert_eq!(behind.take()[0].number, 0);
        assert_eq!(behind.take()[0].number, AT_ONCE as u32);
    }

    fn row() -> TrackRow {
        let item = crate::store::conformance::item();
        TrackRow::queued(&item, &item.track).remove(0)
    }
}
