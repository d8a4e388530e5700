//! What the queue holds: mail to be relayed, whom it still waits for, and what each attempt meant. Made by
//! `intake` and `queue/bounce`, handed out to `queue/worker`.

use async_trait::async_trait;

use super::{ByHand, ClaimShares, QueueItemKind, Result, StoreError, Track, TrackRow};
use crate::address::ReversePath;
use crate::audit::Event;
use crate::clock::Timestamp;
use crate::diagnostic::Outcome;
use crate::envelope::{Envelope, EnvelopeRecipient, MailParameters};
use crate::id::{BlobName, FolderId, Link, OrganisationId, QueueId};
use crate::secret::keyring::KeyRef;

/// The queue as the worker uses it.
#[async_trait]
pub trait QueueStore: Send + Sync + 'static {
    /// Claims items whose time has come for `owner`, until `lease`: the oldest first, at most `limit`. An item whose
    /// claim has run out is due again.
    async fn claim_due(
        &self,
        owner: &FolderId,
        now: Timestamp,
        lease: Timestamp,
        limit: usize,
    ) -> Result<Vec<Item>> {
        self.claim_in_turn(owner, now, lease, limit, ClaimShares::unbounded()).await
    }
    /// The same of several organisations: each in its turn, of each the oldest, and no more than its share.
    async fn claim_in_turn(
        &self,
        owner: &FolderId,
        now: Timestamp,
        lease: Timestamp,
        limit: usize,
        shares: ClaimShares,
    ) -> Result<Vec<Item>>;
    /// Ends the claims that `owner` made before it was started again. Claims of other owners stay.
    async fn release_claims(&self, owner: &FolderId) -> Result<()>;
    /// The first moment at which an item can be claimed: when it is due, or when its claim runs out.
    async fn next_due(&self) -> Result<Option<Timestamp>>;
    /// Records an attempt and ends its claim; an item without waiting recipients is removed, its blob given
    /// up. Where the claim no longer holds the item, nothing is changed. An item that was removed while the claim held
    /// it is no error: reports and events are kept all the same.
    async fn finish_attempt(&self, attempt: Attempt) -> Result<AttemptEnd>;
    /// Whether this node has a lease, so that what it claims now is its own. Asks nobody.
    fn has_lease(&self) -> bool {
        true
    }
    /// Whether what was claimed is surely still its owner's, so that an attempt may begin or go on. Asks nobody.
    fn holds(&self, _claim: &Claim) -> bool {
        true
    }
    /// Makes due now whatever is tried again by itself: the clock was set back.
    async fn make_all_due(&self, now: Timestamp) -> Result<()>;
    /// Makes due now what waits because a next hop took no mail, and tells how many: items that failed before anything of them
    /// was said ([`crate::diagnostic::Stage::is_before_mail`]), or without an answer.
    async fn make_unreached_due(&self, now: Timestamp) -> Result<u64>;
}

/// A mail to be relayed. Its first attempt is due at once.
#[derive(Clone, Debug)]
pub struct NewItem {
    /// Its name.
    pub id: QueueId,
    /// What it is.
    pub kind: QueueItemKind,
    /// Whose it is: by whose smarthost it goes, and in whose name its failure is told. None: the operator's, as all were
    /// before there could be several organisations.
    pub organisation: Option<OrganisationId>,
    /// From whom, to whom.
    pub envelope: Envelope,
    /// The mail, encrypted (`outbox/body`).
    pub body: Body,
    /// The link that it notifies of, so that a bounce can be told from it.
    pub link: Option<Link>,
    /// What it is found by.
    pub track: Track,
    /// When it was accepted: giving up counts from here.
    pub created: Timestamp,
}

/// An encrypted queue body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Body {
    /// The key of short life that it needs; `None` for one from before there were any.
    pub key: Option<KeyRef>,
    /// Where it is.
    pub data: BodyData,
}

/// Where an encrypted body is: small ones ride in the row and share its commit, large ones are blobs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BodyData {
    /// In the row.
    Inline(Vec<u8>),
    /// In the blob store.
    Blob(BlobName),
}

/// A queue item that the caller has claimed and must deliver.
#[derive(Clone, Debug)]
pub struct Item {
    /// Its name.
    pub id: QueueId,
    /// What it is.
    pub kind: QueueItemKind,
    /// Whose it is.
    pub organisation: Option<OrganisationId>,
    /// Whom a failure is reported to.
    pub reverse_path: ReversePath,
    pub parameters: MailParameters,
    /// The recipients that still wait.
    pub recipients: Vec<PendingRecipient>,
    /// The mail, encrypted.
    pub body: Body,
    /// The link that it notifies of.
    pub link: Option<Link>,
    /// What it is found by.
    pub track: Track,
    /// When it was accepted.
    pub created: Timestamp,
    /// Attempts made before this one.
    pub attempts: u32,
    /// What somebody decided on it: an attempt on what is held is not begun.
    pub by_hand: ByHand,
    /// The right to make this attempt.
    pub claim: Claim,
}

impl Item {
    /// The message that it comes of.
    pub fn tracking(&self) -> &QueueId {
        self.track.tracking.as_ref().unwrap_or(&self.id)
    }

    /// As it is when it was just taken in, and its first attempt is to come.
    pub(super) fn first_attempt(item: NewItem, claim: Claim) -> Self {
        let recipients = (1..).zip(item.envelope.recipients);
        Self {
            id: item.id,
            kind: item.kind,
            organisation: item.organisation,
            reverse_path: item.envelope.reverse_path,
            parameters: item.envelope.parameters,
            recipients: recipients
                .map(|(number, recipient)| PendingRecipient { number, recipient })
                .collect(),
            body: item.body,
            link: item.link,
            track: item.track,
            created: item.created,
            attempts: 0,
            by_hand: ByHand::default(),
            claim,
        }
    }
}

/// The right to make one attempt to deliver an item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The gateway that has it, by its data folder: it stays the same when the gateway is started again.
    pub owner: FolderId,
    /// The fencing token: it rises with every claim, so no two claims of an item have the same. Only an owner that
    /// takes up its own claim again, because it has run out, keeps the token.
    pub token: u64,
    /// Until when it keeps others away.
    pub until: Timestamp,
    /// Which of its owner's leases it was made under: once that has ended, a later one does not bring it back. A gateway
    /// that has its store for itself has one lease, which is 0.
    pub lease: u64,
}

/// What became of the end of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttemptEnd {
    /// It is recorded.
    Recorded,
    /// The claim had run out or was released, and the item may be somebody else's: nothing was recorded.
    ClaimLost,
}

impl Claim {
    /// Whether an attempt that ended at `now` is recorded. `is_current` says whether the item is still held by this very
    /// claim; `None` when the item is gone. It can only have been removed by hand, or with its link, while the
    /// claim kept others away; later somebody else may have delivered it.
    pub fn end(&self, is_current: Option<bool>, now: Timestamp) -> AttemptEnd {
        match is_current.unwrap_or(now < self.until) {
            true => AttemptEnd::Recorded,
            false => AttemptEnd::ClaimLost,
        }
    }
}

/// A recipient that has neither got the mail nor been given up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PendingRecipient {
    /// Its number within the item, from 1.
    pub number: u32,
    /// Its RCPT command.
    pub recipient: EnvelopeRecipient,
}

/// Why mail waits until an administrator has done something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Problem {
    /// The next hop takes no mail from us, whatever mail it is.
    Refused,
    /// It needs TLS, and the next hop gives none.
    #[serde(rename = "tls")]
    NeedsTls,
    /// It cannot be delivered, and has no sender who could be told: it is kept, and not tried again by itself.
    Frozen,
    /// Somebody holds it. In the database it is frozen, and held.
    Held,
}

impl Problem {
    /// Each of them.
    pub const ALL: [Self; 4] = [Self::Refused, Self::NeedsTls, Self::Frozen, Self::Held];

    /// The word in the database, in figures and on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::NeedsTls => "tls",
            Self::Frozen => "frozen",
            Self::Held => "held",
        }
    }

    /// What it means, for the log and for monitoring.
    pub fn explanation(self) -> &'static str {
        match self {
            Self::Refused => "the next hop takes no mail from us; it waits until that is mended",
            Self::NeedsTls => "mail waits that needs TLS, and the next hop gives none",
            Self::Frozen => "mail that cannot be delivered is frozen, because it has no sender to tell",
            Self::Held => "mail is held until it is released",
        }
    }
}

impl std::str::FromStr for Problem {
    type Err = StoreError;
    fn from_str(word: &str) -> Result<Self> {
        let found = Self::ALL.into_iter().find(|problem| problem.as_str() == word);
        found.ok_or(StoreError::Corrupt("problem of a queue item"))
    }
}

/// The end of one attempt. Recipients that are not named stay as they were.
#[derive(Clone, Debug)]
pub struct Attempt {
    pub item: QueueId,
    /// The claim that it was made under.
    pub claim: Claim,
    /// The link that it is the notification of: how the delivery ends decides whether the recipient knows of
    /// the link, or whether it is closed.
    pub notifies: Option<Link>,
    /// When it ended.
    pub now: Timestamp,
    /// What happened, by recipient number.
    pub outcomes: Vec<(u32, Outcome)>,
    /// When to try the rest again. Ignored when none is left: then the item goes.
    pub next_attempt: Timestamp,
    /// What keeps the rest from going; what is [`Problem::Frozen`] is not tried again before [`super::Store::retry`].
    pub problem: Option<Problem>,
    /// It was no attempt to deliver: the item was sent back, as somebody had decided.
    pub sends_back: bool,
    /// Failure reports that go into the queue in the same transaction.
    pub reports: Vec<NewItem>,
    /// What the audit trail says of it.
    pub events: Vec<Event>,
    /// The recipients that it was made for, as an administrator finds them from now on.
    pub tracks: Vec<TrackRow>,
}

impl Attempt {
    /// The message that the mail comes of, as far as an attempt was made.
    pub fn tracking(&self) -> &QueueId {
        self.tracks.first().map_or(&self.item, |row| &row.tracking)
    }

    /// Whether it was delivered to all of so many recipients, and nobody needs to be told.
    pub(super) fn delivers_all(&self, recipients: usize) -> bool {
        let delivered = self.outcomes.iter().filter(|(_, outcome)| *outcome == Outcome::Delivered);
        self.reports.is_empty() && delivered.count() == recipients
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::later;

    #[test]
    fn an_end_counts_only_under_the_claim_that_holds_the_item() {
        let until: Timestamp = "2026-11-24T12:00:00Z".parse().unwrap();
        let claim = Claim { owner: FolderId::random(), token: 1, until, lease: 0 };
        let before = until.saturating_sub(std::time::Duration::from_secs(1)).unwrap();
        let after = later(until, std::time::Duration::from_secs(1));
        for (is_current, now, end) in [
            (Some(true), before, AttemptEnd::Recorded),
            (Some(true), after, AttemptEnd::Recorded),
            (Some(false), before, AttemptEnd::ClaimLost),
            (None, before, AttemptEnd::Recorded),
            (None, until, AttemptEnd::ClaimLost),
        ] {
            assert_eq!(claim.end(is_current, now), end, "{is_current:?} {now}");
        }
    }
}
