//! Taking a person out of the rows of transfers that are over.

use async_trait::async_trait;
use futures_util::FutureExt;

use super::change::Change;
use super::columns::{Json, Number};
use super::{Postgres, transfers};
use crate::store::Result;
use crate::store::person::{ERASED_ADDRESS, Erasure, PersonStore};

#[async_trait]
impl PersonStore for Postgres {
    async fn erase_person(&self, erasure: Erasure) -> Result<bool> {
        self.write(move |change| async move { erase(change, &erasure).await }.boxed()).await
    }
}

pub(super) const OPEN_LINK: &str = "
    SELECT 1 FROM transfer_recipients
    WHERE transfer = $1 AND key_packet IS NOT NULL AND ($2 OR number = ANY($3)) LIMIT 1";
pub(super) const AUTHORS: &str = "
    UPDATE transfers SET sender = CASE WHEN $2 THEN NULL ELSE sender END,
        message_id = CASE WHEN $2 THEN NULL ELSE message_id END, reply_to = $3, on_behalf_of = $4
    WHERE number = $1";
pub(super) const ADDRESSES: &str = "
    UPDATE transfer_recipients SET address = $3, bounce_reason = CASE WHEN bounce_reason IS NOT NULL THEN '' END
    WHERE transfer = $1 AND number = ANY($2)";
pub(super) const REASONS: &str =
    "UPDATE delivery_reports SET reason = '' WHERE transfer = $1 AND recipient = ANY($2)";

/// Nobody gives a link a new key while the transfer is locked.
async fn erase(change: &mut Change, erasure: &Erasure) -> Result<bool> {
    let db = &change.db;
    let Some(transfer) = transfers::lock(db, &erasure.transfer).await? else { return Ok(false) };
    let theirs: Vec<_> = erasure.recipients.iter().copied().map(Number).collect();
    if db.row(OPEN_LINK, &[&transfer, &erasure.sender, &theirs]).await?.is_some() {
        return Ok(false);
    }
    let (reply_to, on_behalf_of) = (Json(&erasure.reply_to), Json(&erasure.on_behalf_of));
    db.execute(AUTHORS, &[&transfer, &erasure.sender, &reply_to, &on_behalf_of]).await?;
    db.execute(ADDRESSES, &[&transfer, &theirs, &ERASED_ADDRESS]).await?;
    db.execute(REASONS, &[&transfer, &theirs]).await?;
    Ok(true)
}
