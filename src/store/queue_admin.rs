//! The queue as an administrator sees it. Used by `cli/queue`, mostly from another process than the worker's.

use async_trait::async_trait;

use super::{NewItem, Problem, QueueItemKind, Result, Ruling, Step, StepEnd, StoreError};
use crate::address::{Address, ReversePath};
use crate::audit::Event;
use crate::clock::Timestamp;
use crate::diagnostic::{Diagnostic, Outcome};
use crate::envelope::EnvelopeRecipient;
use crate::id::{OrganisationId, QueueId, TransferId};

/// Looks at the queue, and changes it by hand.
#[async_trait]
pub trait QueueAdmin: Send + Sync + 'static {
    /// The whole queue, oldest first.
    async fn queue(&self) -> Result<Vec<QueueEntry>>;
    /// Makes one item, or all, due now, frozen or not; tells how many. A claimed item stays claimed, and what is held stays held.
    /// The event is kept if there were any.
    async fn retry(&self, item: Option<QueueId>, now: Timestamp, event: Option<Event>) -> Result<u64>;
    /// Removes an item undelivered. The event is kept if it was there.
    async fn drop_item(&self, item: QueueId, event: Event) -> Result<StepEnd>;
    /// Holds, releases or sends back these items, all at once, and tells what came of each. Its event is kept where something was
    /// changed.
    async fn take_step(
        &self,
        step: Step,
        items: Vec<(QueueId, Event)>,
        now: Timestamp,
    ) -> Result<Vec<(QueueId, StepEnd)>>;
    /// What is held.
    async fn held(&self) -> Result<Vec<(QueueId, Ruling)>>;
}

/// A queue item as an administrator sees it.
#[derive(Clone, Debug, serde::Serialize)]
pub struct QueueEntry {
    /// Its name.
    pub id: QueueId,
    /// What it is.
    pub kind: QueueItemKind,
    /// Whose it is; none: the operator's, from before there could be several organisations.
    pub organisation: Option<OrganisationId>,
    /// The envelope's sender, `<>` for null.
    pub from: String,
    /// Recipients and their state.
    pub recipients: Vec<QueueEntryRecipient>,
    /// The transfer that it belongs to.
    pub transfer: Option<TransferId>,
    /// When it was accepted.
    pub created: Timestamp,
    /// Attempts so far.
    pub attempts: u32,
    /// When it is tried again; means nothing while it is frozen or held.
    pub next_attempt: Timestamp,
    /// What an administrator has to mend.
    pub problem: Option<Problem>,
    /// Who holds it, since when, and why.
    pub hold: Option<Ruling>,
    /// Who sends it back: that is done as soon as the worker sees it.
    pub bounce: Option<Ruling>,
}

impl QueueEntry {
    /// One whose first attempt is to come, or being made.
    pub(super) fn of(item: &NewItem) -> Self {
        let waiting = |recipient: &EnvelopeRecipient| QueueEntryRecipient {
            address: recipient.address.clone(),
            state: RecipientState::Waiting,
            diagnostic: None,
        };
        Self {
            id: item.id.clone(),
            kind: item.kind,
            organisation: item.organisation.clone(),
            from: Self::sender(&item.envelope.reverse_path),
            recipients: item.envelope.recipients.iter().map(waiting).collect(),
            transfer: None,
            created: item.created,
            attempts: 0,
            next_attempt: item.created,
            problem: None,
            hold: None,
            bounce: None,
        }
    }

    /// How a reverse path is shown.
    pub(super) fn sender(path: &ReversePath) -> String {
        path.address().map_or_else(|| "<>".to_owned(), ToString::to_string)
    }
}

/// One recipient of a [`QueueEntry`].
#[derive(Clone, Debug, serde::Serialize)]
pub struct QueueEntryRecipient {
    pub address: Address,
    /// What became of it so far.
    pub state: RecipientState,
    /// Why it was not delivered the last time; `None` before the first attempt.
    #[serde(rename = "answer", serialize_with = "as_text")]
    pub diagnostic: Option<Diagnostic>,
}

/// What became of one recipient of a queue item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum RecipientState {
    /// It is tried again.
    Waiting,
    /// It waits for an administrator.
    Frozen,
    /// It waits until it is released.
    Held,
    /// The next hop took it.
    Delivered,
    /// It was given up.
    Failed,
}

impl RecipientState {
    /// The word on the command line, and in the database; there an item is frozen or held as a whole, and its recipients wait.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Frozen => "frozen",
            Self::Held => "held",
            Self::Delivered => "delivered",
            Self::Failed => "failed",
        }
    }

    /// The state that an outcome brings.
    pub(super) fn after(outcome: &Outcome) -> Self {
        match outcome {
            Outcome::Delivered => Self::Delivered,
            Outcome::Deferred(_) => Self::Waiting,
            Outcome::Failed(_) => Self::Failed,
        }
    }

    /// From the database's word. Those that an item still has to reach are frozen or held with it.
    pub(super) fn read(word: &str, problem: Option<Problem>) -> Result<Self> {
        match word {
            "waiting" if problem == Some(Problem::Frozen) => Ok(Self::Frozen),
            "waiting" if problem == Some(Problem::Held) => Ok(Self::Held),
            "waiting" => Ok(Self::Waiting),
            "delivered" => Ok(Self::Delivered),
            "failed" => Ok(Self::Failed),
            _ => Err(StoreError::Corrupt("recipient state")),
        }
    }
}

fn as_text<S: serde::Serializer>(
    diagnostic: &Option<Diagnostic>,
    serializer: S,
) -> std::result::Result<S::Ok, S::Error> {
    serializer.serialize_str(&diagnostic.as_ref().map(ToString::to_string).unwrap_or_default())
}
