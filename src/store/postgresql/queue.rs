//! STUB but for `insert`.
#![allow(clippy::all, unused_imports)]
use async_trait::async_trait;

use super::Postgres;
use super::change::Connection;
use super::columns::{Json, Number, Time, number};
use crate::clock::Timestamp;
use crate::id::FolderId;
use crate::secret::keyring::KeyRef;
use crate::store::*;

#[async_trait]
impl QueueStore for Postgres {
    async fn claim_due(
        &self,
        _o: &FolderId,
        _n: Timestamp,
        _l: Timestamp,
        _limit: usize,
    ) -> Result<Vec<Item>> {
        Err(StoreError::Closed)
    }
    async fn release_claims(&self, _owner: &FolderId) -> Result<()> {
        Err(StoreError::Closed)
    }
    async fn next_due(&self) -> Result<Option<Timestamp>> {
        Err(StoreError::Closed)
    }
    async fn finish_attempt(&self, _attempt: Attempt) -> Result<AttemptEnd> {
        Err(StoreError::Closed)
    }
    async fn make_all_due(&self, _now: Timestamp) -> Result<()> {
        Err(StoreError::Closed)
    }
}

pub(super) const INSERT: &str = "
    INSERT INTO items
        (id, kind, reverse_path, parameters, transfer, recipient, body, blob, key, created, next_attempt, due)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10, $10)
    RETURNING number";
pub(super) const INSERT_RECIPIENT: &str = "
    INSERT INTO item_recipients (item, number, address, parameters) VALUES ($1, $2, $3, $4)";

/// Puts an item into the queue, due at once.
pub(super) async fn insert(db: &Connection, item: &NewItem) -> Result<()> {
    let (body, blob) = match &item.body.data {
        BodyData::Inline(body) => (Some(&body[..]), None),
        BodyData::Blob(blob) => (None, Some(blob)),
    };
    let link = item.link.as_ref();
    let row = db
        .one(
            INSERT,
            &[
                &item.id,
                &item.kind,
                &item.envelope.reverse_path.address(),
                &Json(&item.envelope.parameters),
                &link.map(|link| &link.transfer),
                &link.map(|link| Number(link.recipient)),
                &body,
                &blob,
                &item.body.key.as_ref().map(KeyRef::id),
                &Time(item.created),
            ],
        )
        .await?;
    let number: i64 = number(&row, "number")?;
    for (recipient, place) in item.envelope.recipients.iter().zip(1u32..) {
        let parameters = Json(&recipient.parameters);
        db.execute(INSERT_RECIPIENT, &[&number, &Number(place), &recipient.address, &parameters]).await?;
    }
    Ok(())
}
