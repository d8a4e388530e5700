//! A copy of the database for a backup: one moment of it, without what was deleted from it. A gateway may be running.

use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rusqlite::{Connection, OptionalExtension, TransactionBehavior};

use super::{connection, queue};
use crate::id::QueueId;
use crate::store::journal::{self, Waiting};
use crate::store::{NewItem, Result, StoreError, at};

/// Writes the database at `from` into the new file `to`. Mail that is in the journal only becomes rows of the copy.
pub fn copy(from: &Path, to: &Path) -> Result<()> {
    // Read first: a message may become a row meanwhile, but never the other way round.
    let journalled = journal::peek(&connection::journal(from))?;
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(to).map_err(|error| at(to, error))?;
    let name = to.to_str().ok_or_else(|| at(to, io::Error::other("the name of this path is not UTF-8")))?;
    connection::reader(from)?.execute("VACUUM INTO ?1", [name])?;
    let mut copy = connection::writer(to)?;
    add(&mut copy, journalled)?;
    let whole: String = copy.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if whole == "ok" { Ok(()) } else { Err(StoreError::Corrupt("page")) }
}

fn add(copy: &mut Connection, journalled: Vec<NewItem>) -> Result<()> {
    let transaction = copy.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for item in journalled {
        if !has(&transaction, &item.id)? {
            queue::take_over(&transaction, &Waiting::unclaimed(item))?;
        }
    }
    Ok(transaction.commit()?)
}

fn has(db: &Connection, item: &QueueId) -> Result<bool> {
    let found = db.query_row("SELECT 1 FROM items WHERE id = ?1", [item], |_| Ok(()));
    Ok(found.optional()?.is_some())
}
