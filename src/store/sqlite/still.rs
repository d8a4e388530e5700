//! A database at which no gateway can be at work, with its rows as both databases have them ([`crate::store::tables`]): to be
//! moved, or to be filled by a move.

use std::path::PathBuf;

use rusqlite::types::{Value as Stored, ValueRef};
use rusqlite::{Connection, params, params_from_iter};

use super::{blobs, connection, folder, handover};
use crate::id::BlobName;
use crate::store::Identity;
use crate::store::journal::{Cleared, Found};
use crate::store::tables::{Table, Value};
use crate::store::{NamedBlob, Result, StoreError};

/// It holds the lock of the journal, which is empty: all that was in it is in rows.
pub struct Still {
    path: PathBuf,
    db: Connection,
    _journal: Cleared,
}

impl Still {
    /// Moves what is in the journal into rows. Fails when a gateway is at work.
    pub(super) fn new(path: PathBuf, mut db: Connection) -> Result<Self> {
        let found = Found::read_to_own(&connection::journal(&path))?;
        let journal = handover::recover(&mut db, found)?;
        Ok(Self { path, db, _journal: journal })
    }

    /// Where the keys of bodies are.
    pub fn keys(&self) -> PathBuf {
        connection::keys(&self.path)
    }

    /// Which data folder it is of.
    pub fn identity(&self) -> Result<Option<Identity>> {
        folder::identity(&self.db)
    }

    /// Says which data folder it is of, and how many of its blobs are lost.
    pub fn set_identity(&self, identity: &Identity, lost: u64) -> Result<()> {
        folder::set_identity(&self.db, identity)?;
        folder::set_lost(&self.db, lost)
    }

    /// How many of the blobs that rows name are known to be lost.
    pub fn lost(&self) -> Result<u64> {
        folder::lost(&self.db)
    }

    /// As [`crate::store::BlobIndex::named_blobs`].
    pub fn named_blobs(&self, after: Option<&BlobName>, limit: usize) -> Result<Vec<NamedBlob>> {
        blobs::named(&self.db, after, limit)
    }

    /// How many blobs rows name.
    pub fn count_blobs(&self) -> Result<u64> {
        blobs::count(&self.db)
    }

    /// Gives every row of a table to `each`.
    pub fn rows(&self, table: &Table, mut each: impl FnMut(Vec<Value>) -> Result<()>) -> Result<()> {
        let from = match table.name {
            "items" => "items LEFT JOIN bodies ON bodies.item = items.number",
            name => name,
        };
        let columns = table.list(|column| table.source(column));
        let mut rows = self.db.prepare(&format!("SELECT {columns} FROM {from}{}", table.condition()))?;
        let mut rows = rows.query([])?;
        while let Some(row) = rows.next()? {
            let values = (0..table.columns.len()).map(|place| value(row.get_ref(place)?));
            each(values.collect::<Result<_>>()?)?;
        }
        Ok(())
    }

    /// Every column of every table, as `table.column`.
    #[cfg(test)]
    pub fn columns(&self) -> Result<Vec<String>> {
        let mut all = self.db.prepare(
            "SELECT t.name || '.' || c.name FROM sqlite_master t JOIN pragma_table_info(t.name) c
             WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite_%'",
        )?;
        let all = all.query_map([], |row| row.get(0))?;
        Ok(all.collect::<rusqlite::Result<_>>()?)
    }

    /// Does `work`, all of it or nothing.
    pub fn change<T>(&self, work: impl FnOnce() -> Result<T>) -> Result<T> {
        self.db.execute_batch("BEGIN IMMEDIATE")?;
        let done = work();
        self.db.execute_batch(if done.is_ok() { "COMMIT" } else { "ROLLBACK" })?;
        done
    }

    /// Puts a row into a table.
    pub fn insert(&self, table: &Table, mut row: Vec<Value>) -> Result<()> {
        let mut columns = table.columns;
        let mut body = None;
        if let ("items", [own @ .., _]) = (table.name, columns) {
            (columns, body) = (own, row.pop());
        }
        let names: Vec<_> = columns.iter().map(|column| format!("\"{}\"", column.name)).collect();
        let places: Vec<_> = (1..=columns.len()).map(|place| format!("?{place}")).collect();
        let insert =
            format!("INSERT INTO {} ({}) VALUES ({})", table.name, names.join(", "), places.join(", "));
        self.db.prepare_cached(&insert)?.execute(params_from_iter(row.into_iter().map(stored)))?;
        if let Some(Value::Bytes(body)) = body {
            let item = self.db.last_insert_rowid();
            let mut insert = self.db.prepare_cached("INSERT INTO bodies (item, body) VALUES (?1, ?2)")?;
            insert.execute(params![item, body])?;
        }
        Ok(())
    }
}

fn value(value: ValueRef<'_>) -> Result<Value> {
    Ok(match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => Value::Number(number),
        ValueRef::Text(text) => {
            Value::Text(str::from_utf8(text).map_err(|_| StoreError::Corrupt("text"))?.to_owned())
        }
        ValueRef::Blob(bytes) => Value::Bytes(bytes.to_owned()),
        ValueRef::Real(_) => return Err(StoreError::Corrupt("number")),
    })
}

fn stored(value: Value) -> Stored {
    match value {
        Value::Null => Stored::Null,
        Value::Number(number) => Stored::Integer(number),
        Value::Text(text) => Stored::Text(text),
        Value::Bytes(bytes) => Stored::Blob(bytes),
    }
}
