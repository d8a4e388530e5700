//! The hash chain over the audit trail: which rows are in it, and what becomes of old ones.

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, Row as Found, params};

use super::Sqlite;
use super::columns::{Octets, Time, limit};
use super::writer::Change;
use crate::audit::chain::{self, Block, BlockKind, ROWS, Row, Tip};
use crate::clock::Timestamp;
use crate::store::{AuditTrail, Result};

#[async_trait]
impl AuditTrail for Sqlite {
    async fn extend_chain(&self, now: Timestamp) -> Result<usize> {
        let is_due = self.readers.read(|db| Ok(!unchained(db, &tip(db)?, 1)?.is_empty())).await?;
        if !is_due {
            return Ok(0);
        }
        // Mail is no more due than it was.
        self.writer.run(move |change| extend(change.db, now)).await
    }

    async fn blocks(&self, after: u64, most: usize) -> Result<Vec<Block>> {
        self.readers.read(move |db| blocks(db, BLOCKS, &[&Octets(after), &limit(most)])).await
    }

    async fn block_notes(&self) -> Result<Vec<Block>> {
        self.readers.read(|db| blocks(db, NOTES, &[])).await
    }

    async fn newest_block(&self) -> Result<Option<Block>> {
        self.readers.read(newest).await
    }

    async fn audit_rows(&self, after: u64, until: u64, most: usize) -> Result<Vec<Row>> {
        self.readers.read(move |db| rows(db, after, until, most)).await
    }

    async fn erase_in_trail(&self, rows: Vec<u64>, now: Timestamp) -> Result<usize> {
        self.writer.run(move |change| erase(change, &rows, now)).await
    }
}

macro_rules! blocks_where {
    ($rest:literal) => {
        concat!(
            "SELECT block, made, kind, newest, content, salts, gaps, reach, hash FROM audit_chain ",
            $rest
        )
    };
}

pub(super) const NEWEST: &str = blocks_where!("ORDER BY block DESC LIMIT 1");
pub(super) const BLOCKS: &str = blocks_where!("WHERE block > ?1 ORDER BY block LIMIT ?2");
/// Of those that say what was forgotten the newest one counts.
pub(super) const NOTES: &str = blocks_where!(
    "WHERE kind <> 0 AND (kind <> 2 OR block = (SELECT max(block) FROM audit_chain WHERE kind <> 0 AND kind = 2)) ORDER BY block"
);
/// Where a row may be: a row that was committed late is in a block behind.
pub(super) const BLOCKS_FROM_ROW: &str =
    blocks_where!("WHERE reach >= ?1 AND block > ?2 ORDER BY reach, block LIMIT 1");
pub(super) const ROWS_BETWEEN: &str = "
    SELECT number, time, action, object, result, actor, origin, organisation FROM audit
    WHERE number > ?1 AND number <= ?2 ORDER BY number LIMIT ?3";
pub(super) const ROW: &str =
    "SELECT number, time, action, object, result, actor, origin, organisation FROM audit WHERE number = ?1";
const INSERT: &str = "
    INSERT INTO audit_chain (block, made, kind, newest, content, salts, gaps, reach, hash)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
pub(super) const ERASE_ROW: &str = "UPDATE audit SET actor = ?2, origin = ?3 WHERE number = ?1";
pub(super) const KEEP_SALTS: &str = "UPDATE audit_chain SET salts = ?2 WHERE block = ?1";
pub(super) const FORGET_ROW: &str = "DELETE FROM audit WHERE number = ?1";
pub(super) const FORGET_BLOCKS: &str = "DELETE FROM audit_chain WHERE block <= ?1";

fn newest(db: &Connection) -> Result<Option<Block>> {
    Ok(db.prepare_cached(NEWEST)?.query_row([], block).optional()?)
}

fn tip(db: &Connection) -> Result<Tip> {
    Ok(Tip::of(newest(db)?.as_ref()))
}

fn extend(db: &Connection, now: Timestamp) -> Result<usize> {
    let tip = tip(db)?;
    let rows = unchained(db, &tip, ROWS)?;
    if !rows.is_empty() {
        insert(db, &tip.rows(&rows, now))?;
    }
    Ok(rows.len())
}

/// Rows that are in no block. One that was committed late is among those that others had skipped.
fn unchained(db: &Connection, tip: &Tip, most: usize) -> Result<Vec<Row>> {
    let mut found = Vec::new();
    let mut one = db.prepare_cached(ROW)?;
    for number in tip.awaited() {
        found.extend(one.query_row([Octets(number)], row).optional()?);
    }
    found.truncate(most);
    let room = most - found.len();
    found.extend(rows(db, tip.reach, i64::MAX as u64, room)?);
    Ok(found)
}

fn rows(db: &Connection, after: u64, until: u64, most: usize) -> Result<Vec<Row>> {
    let until = until.min(i64::MAX as u64);
    let mut rows = db.prepare_cached(ROWS_BETWEEN)?;
    let found = rows.query_map(params![Octets(after), Octets(until), limit(most)], row)?;
    Ok(found.collect::<rusqlite::Result<_>>()?)
}

fn row(row: &Found<'_>) -> rusqlite::Result<Row> {
    Ok(Row {
        number: row.get::<_, Octets>("number")?.0,
        time: row.get::<_, Time>("time")?.0,
        action: row.get("action")?,
        object: row.get("object")?,
        result: row.get("result")?,
        actor: row.get("actor")?,
        origin: row.get("origin")?,
        organisation: row.get("organisation")?,
    })
}

fn blocks(db: &Connection, sql: &str, parameters: &[&dyn rusqlite::ToSql]) -> Result<Vec<Block>> {
    let mut statement = db.prepare_cached(sql)?;
    let found = statement.query_map(parameters, block)?;
    Ok(found.collect::<rusqlite::Result<_>>()?)
}

fn block(row: &Found<'_>) -> rusqlite::Result<Block> {
    let kind = row.get("kind")?;
    Ok(Block {
        number: row.get::<_, Octets>("block")?.0,
        made: row.get::<_, Time>("made")?.0,
        kind: BlockKind::from_number(kind).ok_or(rusqlite::Error::IntegralValueOutOfRange(2, kind))?,
        newest: row.get::<_, Time>("newest")?.0,
        content: row.get("content")?,
        salts: row.get("salts")?,
        gaps: row.get("gaps")?,
        reach: row.get::<_, Octets>("reach")?.0,
        hash: row.get("hash")?,
    })
}

fn insert(db: &Connection, block: &Block) -> Result<()> {
    db.prepare_cached(INSERT)?.execute(params![
        Octets(block.number),
        Time(block.made),
        block.kind.number(),
        Time(block.newest),
        block.content,
        block.salts,
        block.gaps,
        Octets(block.reach),
        block.hash
    ])?;
    Ok(())
}

/// The old values are overwritten, in the log of the database too.
fn erase(change: &mut Change<'_>, rows: &[u64], now: Timestamp) -> Result<usize> {
    let db = change.db;
    let mut erased = Vec::new();
    for number in rows {
        let Some(mut row) = db.prepare_cached(ROW)?.query_row([Octets(*number)], row).optional()? else {
            continue;
        };
        if row.is_erased() {
            continue;
        }
        let Some((block, salts, salt)) = take_salt(db, *number)? else { continue };
        row.erase(&salt);
        db.prepare_cached(ERASE_ROW)?.execute(params![Octets(*number), row.actor, row.origin])?;
        db.prepare_cached(KEEP_SALTS)?.execute(params![Octets(block), salts])?;
        erased.push(*number);
    }
    if !erased.is_empty() {
        insert(db, &tip(db)?.erased(&erased, now))?;
        change.shredded = true;
    }
    Ok(erased.len())
}

/// A block, its salts without that of a row, and that.
type TakenSalt = (u64, Vec<u8>, [u8; 16]);

/// Takes the salt of a row out of the block that names the row.
fn take_salt(db: &Connection, number: u64) -> Result<Option<TakenSalt>> {
    let mut after = 0;
    loop {
        let mut statement = db.prepare_cached(BLOCKS_FROM_ROW)?;
        let next = statement.query_row(params![Octets(number), Octets(after)], block).optional()?;
        let Some(mut block) = next else { return Ok(None) };
        if let Some(salt) = block.take_salt(number) {
            return Ok(Some((block.number, block.salts, salt)));
        }
        after = block.number;
    }
}

/// Forgets the oldest blocks whose rows are all from before `before`, with their rows; tells how many rows and blocks.
pub(super) fn forget(db: &Connection, before: Timestamp, now: Timestamp) -> Result<usize> {
    let oldest = blocks(db, BLOCKS, &[&0, &limit(chain::BLOCKS)])?;
    let past = chain::past(&oldest, before);
    let Some(last) = past.last() else { return Ok(0) };
    let note = tip(db)?.forgotten(last.head(), now);
    let mut forgotten = past.len();
    for (number, ..) in past.iter().flat_map(Block::entries) {
        forgotten += db.prepare_cached(FORGET_ROW)?.execute([Octets(number)])?;
    }
    db.prepare_cached(FORGET_BLOCKS)?.execute([Octets(last.number)])?;
    insert(db, &note)?;
    Ok(forgotten)
}
