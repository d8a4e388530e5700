//! The proof of a recall, for a data-breach file: what was taken back, when and by whom, whether it had been
//! opened, and what was fetched before. Shown as a page, for printing, and as JSON.

use serde::Serialize;

use super::status::{RecipientStatus, Status};
use crate::audit::{Action, Actor, Entry, Recorded};
use crate::clock::Timestamp;
use crate::id::Link;
use crate::store::{Result, StatusStore};

/// What can be said of a recall.
#[derive(Clone, Debug, Serialize)]
pub struct Proof {
    /// When this was written.
    pub written: Timestamp,
    /// The recipients whose link was taken back.
    pub recalled: Vec<Recalled>,
    /// Everything else that is known of the transfer.
    pub transfer: Status,
    /// What the audit trail says of it, oldest first.
    pub trail: Vec<Entry>,
}

/// One link that was taken back.
#[derive(Clone, Debug, Serialize)]
pub struct Recalled {
    /// When.
    pub recalled: Timestamp,
    /// By whom: the sender's address, or `admin` with the user's name.
    pub by: Option<Recorded<Actor>>,
    /// Whether it had been opened by then.
    pub opened_before: bool,
    /// What is known of its recipient.
    #[serde(flatten)]
    pub recipient: RecipientStatus,
}

/// The proof, from what is stored; `None` when nothing of the transfer was taken back.
pub async fn proof(store: &dyn StatusStore, status: Status, now: Timestamp) -> Result<Option<Proof>> {
    if !status.is_recalled() {
        return Ok(None);
    }
    let trail = store.audit_log(status.id.clone()).await?;
    let recalled = status.recipients.iter().filter_map(|one| recalled(&status, one, &trail)).collect();
    Ok(Some(Proof { written: now, recalled, transfer: status, trail }))
}

fn recalled(status: &Status, recipient: &RecipientStatus, trail: &[Entry]) -> Option<Recalled> {
    let link = Link { transfer: status.id.clone(), recipient: recipient.number }.to_string();
    let is_this = |entry: &&Entry| entry.action == Action::Recall && entry.object == link;
    Some(Recalled {
        recalled: recipient.recalled?,
        by: trail.iter().find(is_this).map(|entry| entry.actor.clone()),
        opened_before: recipient.opened.is_some(),
        recipient: recipient.clone(),
    })
}
