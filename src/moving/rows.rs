//! Rows, table after table, each compared with what was read.

use std::cell::RefCell;

use anyhow::{Result, bail};
use tokio::runtime::Handle;

use super::Progress;
use super::keys::KeyNames;
use crate::id::BlobName;
use crate::store::postgresql::Moving;
use crate::store::sqlite::Still;
use crate::store::tables::{BATCH_BYTES, BATCH_ROWS, Digest, TABLES, Table, Value};
use crate::store::{Result as StoreResult, StoreError};

/// Blob names that are read at once.
const PAGE: usize = 1000;

/// All blobs that rows name, in order.
pub fn named(rows: &Still) -> StoreResult<Vec<BlobName>> {
    let mut all: Vec<BlobName> = Vec::new();
    loop {
        let page = rows.named_blobs(all.last(), PAGE)?;
        if page.is_empty() {
            return Ok(all);
        }
        all.extend(page.into_iter().map(|one| one.blob));
    }
}

/// From a data folder, with bodies whose keys have other names by now; tells how many rows. Nothing is committed.
pub fn to_shared(
    from: &Still,
    to: &Moving<'_>,
    keys: &KeyNames,
    wait: &Handle,
    progress: &dyn Progress,
) -> Result<u64> {
    let mut all = 0;
    for (table, place) in TABLES.iter().zip(0..) {
        progress.at("tables", place, TABLES.len() as u64);
        let (mut digest, mut batch) = (Digest::default(), Batch::default());
        from.rows(table, |mut row| {
            keys.rename(table, &mut row)?;
            digest.add(&row);
            batch.push(row, |rows| wait.block_on(to.insert(table, rows)))
        })?;
        batch.end(|rows| wait.block_on(to.insert(table, rows)))?;
        compare(table, &digest, &wait.block_on(digest_of(to, table))?)?;
        all += digest.rows;
    }
    progress.at("tables", TABLES.len() as u64, TABLES.len() as u64);
    Ok(all)
}

/// Into a data folder, all in one transaction; tells how many rows.
pub fn to_folder(
    from: &Moving<'_>,
    to: &Still,
    keys: &KeyNames,
    wait: &Handle,
    progress: &dyn Progress,
) -> Result<u64> {
    let mut all = 0;
    let digests = to.change(|| {
        let mut digests = Vec::new();
        for (table, place) in TABLES.iter().zip(0..) {
            progress.at("tables", place, TABLES.len() as u64);
            let digest = RefCell::new(Digest::default());
            wait.block_on(from.rows(table, |rows| {
                let inserted = rows.into_iter().try_for_each(|mut row| {
                    keys.rename(table, &mut row)?;
                    digest.borrow_mut().add(&row);
                    to.insert(table, row)
                });
                async move { inserted }
            }))?;
            digests.push(digest.into_inner());
        }
        Ok(digests)
    })?;
    for (table, digest) in TABLES.iter().zip(digests) {
        let mut found = Digest::default();
        to.rows(table, |row| {
            found.add(&row);
            Ok(())
        })?;
        compare(table, &digest, &found)?;
        all += digest.rows;
    }
    progress.at("tables", TABLES.len() as u64, TABLES.len() as u64);
    Ok(all)
}

async fn digest_of(moving: &Moving<'_>, table: &Table) -> StoreResult<Digest> {
    let digest = RefCell::new(Digest::default());
    moving
        .rows(table, |rows| {
            rows.iter().for_each(|row| digest.borrow_mut().add(row));
            async { Ok::<_, StoreError>(()) }
        })
        .await?;
    Ok(digest.into_inner())
}

fn compare(table: &Table, read: &Digest, written: &Digest) -> Result<()> {
    if read == written {
        return Ok(());
    }
    bail!(
        "{}: {} rows were read, and {} others came out at the other end; nothing was moved",
        table.name,
        read.rows,
        written.rows
    )
}

/// Rows that wait until they are enough for one statement.
#[derive(Default)]
struct Batch {
    rows: Vec<Vec<Value>>,
    octets: usize,
}

impl Batch {
    fn push(
        &mut self,
        row: Vec<Value>,
        write: impl FnOnce(Vec<Vec<Value>>) -> StoreResult<()>,
    ) -> StoreResult<()> {
        self.octets += row.iter().map(Value::size).sum::<usize>();
        self.rows.push(row);
        if self.rows.len() < BATCH_ROWS && self.octets < BATCH_BYTES {
            return Ok(());
        }
        self.octets = 0;
        write(std::mem::take(&mut self.rows))
    }

    fn end(self, write: impl FnOnce(Vec<Vec<Value>>) -> StoreResult<()>) -> StoreResult<()> {
        if self.rows.is_empty() { Ok(()) } else { write(self.rows) }
    }
}
