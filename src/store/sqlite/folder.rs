//! One row that says which data folder the database is of, and when a gateway was last at work on it.

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, params};

use super::Sqlite;
use super::columns::{Json, Octets, Time};
use super::writer::Change;
use crate::audit::Event;
use crate::clock::Timestamp;
use crate::id::FolderId;
use crate::store::{BodyData, Identity, LinksInUse, MasterKeyStore, Remembered, Result};

#[async_trait]
impl MasterKeyStore for Sqlite {
    async fn known_identity(&self) -> Result<Option<Identity>> {
        self.readers.read(identity).await
    }

    async fn rotate_master_key(&self, from: Identity, new: Identity, event: Event) -> Result<bool> {
        self.write(move |change| rotate(change, &from, &new, event)).await
    }

    async fn links_in_use(&self) -> Result<Vec<LinksInUse>> {
        self.readers.read(links_in_use).await
    }

    async fn remembered(&self, now: Timestamp, until: Timestamp) -> Result<Remembered> {
        self.readers.read(move |db| remembered(db, now, until)).await
    }

    async fn queued_bodies(&self, octets: u32) -> Result<Vec<BodyData>> {
        self.readers.read(move |db| queued_bodies(db, octets)).await
    }
}

fn rotate(change: &mut Change<'_>, from: &Identity, new: &Identity, event: Event) -> Result<bool> {
    let changed = change.db.execute(
        "UPDATE folder SET key_check = ?3, rotations = ?4 WHERE id = ?1 AND key_check = ?2",
        params![from.id, from.key_check, new.key_check, Json(&new.rotations)],
    )?;
    if changed > 0 {
        change.record(event)?;
    }
    Ok(changed > 0)
}

fn links_in_use(db: &Connection) -> Result<Vec<LinksInUse>> {
    let mut counts = db.prepare(
        "SELECT generation, count(*) AS transfers, max(expires) AS until FROM transfers WHERE shredded IS NULL
         GROUP BY generation ORDER BY generation",
    )?;
    let links = |row: &rusqlite::Row<'_>| {
        Ok(LinksInUse {
            generation: row.get("generation")?,
            transfers: row.get::<_, Octets>("transfers")?.0,
            until: row.get::<_, Time>("until")?.0,
        })
    };
    Ok(counts.query_map([], links)?.collect::<rusqlite::Result<_>>()?)
}

fn remembered(db: &Connection, now: Timestamp, until: Timestamp) -> Result<Remembered> {
    let count =
        "SELECT count(*) AS browsers, max(until) AS until FROM browsers WHERE until > ?1 AND until <= ?2";
    Ok(db.query_row(count, params![Time(now), Time(until)], |row| {
        let until = row.get::<_, Option<Time>>("until")?.map(|time| time.0);
        Ok(Remembered { browsers: row.get::<_, Octets>("browsers")?.0, until })
    })?)
}

fn queued_bodies(db: &Connection, octets: u32) -> Result<Vec<BodyData>> {
    let mut bodies = db.prepare(
        "SELECT blob, substr(body, 1, ?1) AS start FROM items LEFT JOIN bodies ON bodies.item = items.number",
    )?;
    let body = |row: &rusqlite::Row<'_>| {
        Ok(match row.get("blob")? {
            Some(blob) => BodyData::Blob(blob),
            None => BodyData::Inline(row.get::<_, Option<_>>("start")?.unwrap_or_default()),
        })
    };
    Ok(bodies.query_map([octets], body)?.collect::<rusqlite::Result<_>>()?)
}

/// What the row says.
pub(super) fn identity(db: &Connection) -> Result<Option<Identity>> {
    let row = db.query_row("SELECT id, key_check, rotations FROM folder", [], |row| {
        Ok(Identity {
            id: row.get("id")?,
            key_check: row.get("key_check")?,
            rotations: row.get::<_, Json<_>>("rotations")?.0,
        })
    });
    Ok(row.optional()?)
}

/// Writes the row. When a gateway was last at work stays as it was; a database from before the row knows it from the
/// turns of its timer.
pub(super) fn set_identity(db: &Connection, identity: &Identity) -> Result<()> {
    let Identity { id, key_check, rotations } = identity;
    db.execute(
        "INSERT INTO folder (number, id, key_check, rotations, alive)
         VALUES (1, ?1, ?2, ?3, (SELECT coalesce(seen, trusted) FROM turns))
         ON CONFLICT (number) DO UPDATE SET id = ?1, key_check = ?2, rotations = ?3",
        params![id, key_check, Json(rotations)],
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
