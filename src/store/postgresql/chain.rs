//! The hash chain over the audit trail: which rows are in it, and what becomes of old ones. Whoever adds a block holds
//! [`Lock::AuditChain`]; whoever writes a row takes no lock, so rows are committed in another order than that of their numbers,
//! and numbers that were skipped are looked at again ([`Tip::awaited`]).

use async_trait::async_trait;
use futures_util::FutureExt;
use tokio_postgres::Row as Found;

use super::Postgres;
use super::change::Change;
use super::columns::{Number, Time, get, limit, number, octets, time};
use super::lent::{Connection, Parameters};
use super::locks::Lock;
use crate::audit::chain::{self, Block, BlockKind, ROWS, Row, Tip};
use crate::clock::Timestamp;
use crate::store::{AuditTrail, Result, StoreError};

#[async_trait]
impl AuditTrail for Postgres {
    async fn extend_chain(&self, now: Timestamp) -> Result<usize> {
        let is_due =
            self.read(|db| async move { Ok(!unchained(db, &tip(db).await?, 1).await?.is_empty()) }.boxed());
        if !is_due.await? {
            return Ok(0);
        }
        self.write(move |change| async move { extend(change, now).await }.boxed()).await
    }

    async fn blocks(&self, after: u64, most: usize) -> Result<Vec<Block>> {
        self.read(move |db| async move { blocks(db, BLOCKS, &[&Number(after), &limit(most)]).await }.boxed())
            .await
    }

    async fn block_notes(&self) -> Result<Vec<Block>> {
        self.read(|db| async move { blocks(db, NOTES, &[]).await }.boxed()).await
    }

    async fn newest_block(&self) -> Result<Option<Block>> {
        self.read(|db| newest(db).boxed()).await
    }

    async fn audit_rows(&self, after: u64, until: u64, most: usize) -> Result<Vec<Row>> {
        self.read(move |db| rows(db, after, until, most).boxed()).await
    }

    async fn erase_in_trail(&self, rows: Vec<u64>, now: Timestamp) -> Result<usize> {
        self.write(move |change| async move { erase(change, &rows, now).await }.boxed()).await
    }
}

pub(super) const NEWEST: &str = "
    SELECT block, made, kind, newest, content, salts, gaps, reach, hash FROM audit_chain ORDER BY block DESC LIMIT 1";
pub(super) const BLOCKS: &str = "
    SELECT block, made, kind, newest, content, salts, gaps, reach, hash FROM audit_chain
    WHERE block > $1 ORDER BY block LIMIT $2";
/// Of those that say what was forgotten the newest one counts.
pub(super) const NOTES: &str = "
    SELECT block, made, kind, newest, content, salts, gaps, reach, hash FROM audit_chain
    WHERE kind <> 0 AND block > 0 AND (kind <> 2 OR block = (
        SELECT block FROM audit_chain WHERE kind <> 0 AND kind = 2 AND block > 0 ORDER BY block DESC LIMIT 1))
    ORDER BY block";
/// Where a row may be: a row that was committed late is in a block behind.
pub(super) const BLOCKS_FROM_ROW: &str = "
    SELECT block, made, kind, newest, content, salts, gaps, reach, hash FROM audit_chain
    WHERE reach >= $1 AND block > $2 ORDER BY reach, block LIMIT 1";
pub(super) const ROWS_BETWEEN: &str = "
    SELECT number, time, action, object, result, actor, origin, organisation FROM audit
    WHERE number > $1 AND number <= $2 ORDER BY number LIMIT $3";
pub(super) const LATE_ROWS: &str = "
    SELECT number, time, action, object, result, actor, origin, organisation FROM audit WHERE number = ANY($1) ORDER BY number LIMIT $2";
pub(super) const ONE_ROW: &str = "
    SELECT number, time, action, object, result, actor, origin, organisation FROM audit WHERE number = $1 FOR UPDATE";
pub(super) const INSERT: &str = "
    INSERT INTO audit_chain (block, made, kind, newest, content, salts, gaps, reach, hash)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
pub(super) const ERASE_ROW: &str = "UPDATE audit SET actor = $2, origin = $3 WHERE number = $1";
pub(super) const KEEP_SALTS: &str = "UPDATE audit_chain SET salts = $2 WHERE block = $1";
pub(super) const FORGET_ROWS: &str = "DELETE FROM audit WHERE number = ANY($1)";
pub(super) const FORGET_BLOCKS: &str = "DELETE FROM audit_chain WHERE block <= $1";

async fn newest(db: &Connection) -> Result<Option<Block>> {
    db.row(NEWEST, &[]).await?.as_ref().map(block).transpose()
}

async fn tip(db: &Connection) -> Result<Tip> {
    Ok(Tip::of(newest(db).await?.as_ref()))
}

async fn lock(db: &Connection) -> Result<()> {
    db.batch(&Lock::AuditChain.in_transaction()).await
}

async fn extend(change: &mut Change, now: Timestamp) -> Result<usize> {
    let db = &change.db;
    lock(db).await?;
    let tip = tip(db).await?;
    let rows = unchained(db, &tip, ROWS).await?;
    if !rows.is_empty() {
        insert(db, &tip.rows(&rows, now)).await?;
    }
    Ok(rows.len())
}

/// Rows that are in no block.
async fn unchained(db: &Connection, tip: &Tip, most: usize) -> Result<Vec<Row>> {
    let awaited = tip.awaited().into_iter().map(|number| i64::try_from(number).unwrap_or(i64::MAX));
    let awaited: Vec<i64> = awaited.collect();
    let mut found = Vec::new();
    if !awaited.is_empty() {
        let late = db.query(LATE_ROWS, &[&awaited, &limit(most)]).await?;
        found = late.iter().map(row).collect::<Result<_>>()?;
    }
    let room = most.saturating_sub(found.len());
    found.extend(rows(db, tip.reach, i64::MAX as u64, room).await?);
    Ok(found)
}

async fn rows(db: &Connection, after: u64, until: u64, most: usize) -> Result<Vec<Row>> {
    let until = until.min(i64::MAX as u64);
    let found = db.query(ROWS_BETWEEN, &[&Number(after), &Number(until), &limit(most)]).await?;
    found.iter().map(row).collect()
}

fn row(row: &Found) -> Result<Row> {
    Ok(Row {
        number: number(row, "number")?,
        time: time(row, "time")?,
        action: get(row, "action")?,
        object: get(row, "object")?,
        result: get(row, "result")?,
        actor: get(row, "actor")?,
        origin: get(row, "origin")?,
        organisation: get(row, "organisation")?,
    })
}

async fn blocks(db: &Connection, sql: &str, parameters: Parameters<'_>) -> Result<Vec<Block>> {
    db.query(sql, parameters).await?.iter().map(block).collect()
}

fn block(row: &Found) -> Result<Block> {
    let kind = BlockKind::from_number(get(row, "kind")?);
    Ok(Block {
        number: number(row, "block")?,
        made: time(row, "made")?,
        kind: kind.ok_or(StoreError::Corrupt("kind of a block of the audit trail"))?,
        newest: time(row, "newest")?,
        content: get(row, "content")?,
        salts: get(row, "salts")?,
        gaps: get(row, "gaps")?,
        reach: number(row, "reach")?,
        hash: octets(row, "hash")?,
    })
}

async fn insert(db: &Connection, block: &Block) -> Result<()> {
    let parameters: Parameters<'_> = &[
        &Number(block.number),
        &Time(block.made),
        &block.kind.number(),
        &Time(block.newest),
        &block.content,
        &block.salts,
        &block.gaps,
        &Number(block.reach),
        &&block.hash[..],
    ];
    db.execute(INSERT, parameters).await.map(drop)
}

async fn erase(change: &mut Change, rows: &[u64], now: Timestamp) -> Result<usize> {
    let db = &change.db;
    lock(db).await?;
    let mut erased = Vec::new();
    for number in rows {
        let Some(found) = db.row(ONE_ROW, &[&Number(*number)]).await? else { continue };
        let mut row = row(&found)?;
        if row.is_erased() {
            continue;
        }
        let Some((block, salts, salt)) = take_salt(db, *number).await? else { continue };
        row.erase(&salt);
        db.execute(ERASE_ROW, &[&Number(*number), &row.actor, &row.origin]).await?;
        db.execute(KEEP_SALTS, &[&Number(block), &salts]).await?;
        erased.push(*number);
    }
    if !erased.is_empty() {
        insert(db, &tip(db).await?.erased(&erased, now)).await?;
    }
    Ok(erased.len())
}

/// The block that names a row, its salts without that of the row, and that.
async fn take_salt(db: &Connection, number: u64) -> Result<Option<(u64, Vec<u8>, [u8; 16])>> {
    let mut after = 0;
    loop {
        let next = db.row(BLOCKS_FROM_ROW, &[&Number(number), &Number(after)]).await?;
        let Some(mut block) = next.as_ref().map(block).transpose()? else { return Ok(None) };
        if let Some(salt) = block.take_salt(number) {
            return Ok(Some((block.number, block.salts, salt)));
        }
        after = block.number;
    }
}

/// Forgets the oldest blocks whose rows are all from before `before`, with their rows; tells how many rows and blocks.
pub(super) async fn forget(db: &Connection, before: Timestamp, now: Timestamp) -> Result<usize> {
    lock(db).await?;
    let oldest = blocks(db, BLOCKS, &[&0_i64, &limit(chain::BLOCKS)]).await?;
    let past = chain::past(&oldest, before);
    let Some(last) = past.last() else { return Ok(0) };
    let note = tip(db).await?.forgotten(last.head(), now);
    let numbers = past.iter().flat_map(Block::entries).map(|(number, ..)| i64::try_from(number));
    let numbers: Vec<i64> = numbers.filter_map(std::result::Result::ok).collect();
    let forgotten = db.execute(FORGET_ROWS, &[&numbers]).await? as usize + past.len();
    db.execute(FORGET_BLOCKS, &[&Number(last.number)]).await?;
    insert(db, &note).await?;
    Ok(forgotten)
}
