//! One row that says which data folder the database is of, and when a gateway was last at work on it.

use rusqlite::{Connection, OptionalExtension, params};

use super::columns::{Octets, Time};
use crate::clock::Timestamp;
use crate::id::FolderId;
use crate::store::Identity;
use crate::store::Result;

/// What the row says.
pub(super) fn identity(db: &Connection) -> Result<Option<Identity>> {
    let row = db.query_row("SELECT id, key_check FROM folder", [], |row| {
        Ok(Identity { id: row.get(0)?, key_check: row.get(1)? })
    });
    Ok(row.optional()?)
}

/// Writes the row. When a gateway was last at work stays as it was; a database from before the row knows it from the
/// turns of its timer.
pub(super) fn set_identity(db: &Connection, identity: &Identity) -> Result<()> {
    db.execute(
        "INSERT INTO folder (number, id, key_check, alive) VALUES (1, ?1, ?2, (SELECT coalesce(seen, trusted) FROM turns))
         ON CONFLICT (number) DO UPDATE SET id = ?1, key_check = ?2",
        params![identity.id, identity.key_check],
    )?;
    Ok(())
}

/// Whether the database has never been used: the timer's first turn comes before the first second is over, and all
/// but ordinary mail leaves a trace in the audit trail.
pub(super) fn is_unused(db: &Connection) -> Result<bool> {
    let used =
        "SELECT EXISTS (SELECT 1 FROM folder) OR EXISTS (SELECT 1 FROM turns) OR EXISTS (SELECT 1 FROM items)
                    OR EXISTS (SELECT 1 FROM transfers) OR EXISTS (SELECT 1 FROM audit)";
    Ok(!db.query_row(used, [], |row| row.get::<_, bool>(0))?)
}

/// When a gateway was last at work.
pub(super) fn alive(db: &Connection) -> Result<Option<Timestamp>> {
    let alive = db.query_row("SELECT alive FROM folder", [], |row| row.get::<_, Option<Time>>(0));
    Ok(alive.optional()?.flatten().map(|time| time.0))
}

/// A gateway is at work at `now`.
pub(super) fn set_alive(db: &Connection, now: Timestamp) -> Result<()> {
    db.prepare_cached("UPDATE folder SET alive = ?1")?.execute([Time(now)])?;
    Ok(())
}

/// How many of the blobs that rows name are known to be lost.
pub(super) fn lost(db: &Connection) -> Result<u64> {
    let lost = db.query_row("SELECT lost FROM folder", [], |row| row.get::<_, Octets>(0));
    Ok(lost.optional()?.map_or(0, |lost| lost.0))
}

/// So many are lost for good.
pub(super) fn set_lost(db: &Connection, lost: u64) -> Result<()> {
    db.execute("UPDATE folder SET lost = ?1", [Octets(lost)])?;
    Ok(())
}

/// Whether a gateway of another data folder was at work since then. Two gateways never share an SQLite database, so it is only one
/// that was put here in the place of another's.
pub(super) fn others_at_work(db: &Connection, owner: &FolderId, since: Timestamp) -> Result<bool> {
    let others = "SELECT EXISTS (SELECT 1 FROM folder WHERE id <> ?1 AND alive >= ?2)";
    Ok(db.query_row(others, params![owner, Time(since)], |row| row.get(0))?)
}
