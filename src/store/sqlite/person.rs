//! Taking a person out of the rows of transfers that are over.

use async_trait::async_trait;
use rusqlite::{OptionalExtension, params};

use super::Sqlite;
use super::columns::Json;
use super::transfers::recipients;
use super::writer::Change;
use crate::store::Result;
use crate::store::person::{ERASED_ADDRESS, Erasure, PersonStore};

#[async_trait]
impl PersonStore for Sqlite {
    async fn erase_person(&self, erasure: Erasure) -> Result<bool> {
        self.writer.run(move |change| erase(change, &erasure)).await
    }
}

const NUMBER: &str = "SELECT number FROM transfers WHERE id = ?1";
pub(super) const AUTHORS: &str = "
    UPDATE transfers SET sender = CASE WHEN ?2 THEN NULL ELSE sender END,
        message_id = CASE WHEN ?2 THEN NULL ELSE message_id END, reply_to = ?3, on_behalf_of = ?4
    WHERE number = ?1";
pub(super) const ADDRESS: &str = "
    UPDATE transfer_recipients SET address = ?3, bounce_reason = CASE WHEN bounce_reason IS NOT NULL THEN '' END
    WHERE transfer = ?1 AND number = ?2";
pub(super) const REASONS: &str =
    "UPDATE delivery_reports SET reason = '' WHERE transfer = ?1 AND recipient = ?2";

fn erase(change: &mut Change<'_>, erasure: &Erasure) -> Result<bool> {
    let db = change.db;
    let found = db.query_row(NUMBER, [&erasure.transfer], |row| row.get::<_, i64>(0)).optional()?;
    let Some(transfer) = found else { return Ok(false) };
    if erasure.is_too_early(&recipients(db, transfer)?) {
        return Ok(false);
    }
    let (reply_to, on_behalf_of) = (Json(&erasure.reply_to), Json(&erasure.on_behalf_of));
    db.prepare_cached(AUTHORS)?.execute(params![transfer, erasure.sender, reply_to, on_behalf_of])?;
    for number in &erasure.recipients {
        db.prepare_cached(ADDRESS)?.execute(params![transfer, number, ERASED_ADDRESS])?;
        db.prepare_cached(REASONS)?.execute(params![transfer, number])?;
    }
    // What was overwritten must not stay in the log of the database.
    change.shredded = true;
    Ok(true)
}
