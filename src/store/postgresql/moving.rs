//! All rows of the database at once, as both databases have them ([`crate::store::tables`]): to fill it from a data folder, or to
//! read it for one. One transaction, so that a move which does not come to its end leaves nothing; while it lasts no node
//! can start. A backup reads the same rows beside nodes that are at work.

use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use super::change::database;
use super::columns::{Number, get};
use super::lent::Connection;
use super::locks::Lock;
use super::{Postgres, identity};
use crate::store::Identity;
use crate::store::tables::{Column, Kind, TABLES, Table, Value};
use crate::store::{Result, StoreError};

/// The column that is sealed under a key of short life here, and is not in a data folder.
const KEY_PACKET: &str = "key_packet";
/// A move takes as long as it takes; a database that is away is noticed by the connection.
const UNBOUNDED: &str = "SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0";
const AT_WORK: &str = "
    SELECT EXISTS (SELECT 1 FROM nodes WHERE lease > (extract(epoch FROM clock_timestamp()) * 1000000)::bigint) AS is_so";
const MOVED: &str = "UPDATE folder SET moved = $1";

/// The transaction. Dropped before [`Moving::finish`], nothing has happened.
pub struct Moving<'a> {
    store: &'a Postgres,
    db: Connection,
    /// Of a backup: key packets that nobody can open any more, which are left out. A move fails instead.
    unreadable: Option<AtomicU64>,
}

/// Which way rows are moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Into this database. Sheets of keys that are made meanwhile must be seen.
    Here,
    /// Away from it, as it is at one moment.
    Away,
}

impl Direction {
    fn begin(self) -> &'static str {
        match self {
            Self::Here => "BEGIN ISOLATION LEVEL READ COMMITTED",
            Self::Away => "BEGIN ISOLATION LEVEL REPEATABLE READ",
        }
    }
}

impl Postgres {
    /// Begins to move. It is an error while a node is at work.
    pub async fn begin_move(&self, direction: Direction) -> Result<Moving<'_>> {
        let db = self.connection().await?;
        db.batch(direction.begin()).await?;
        db.batch(UNBOUNDED).await?;
        db.batch(&Lock::Migrations.in_transaction()).await?;
        match get(&db.one(AT_WORK, &[]).await?, "is_so")? {
            true => Err(StoreError::InUse),
            false => Ok(Moving { store: self, db, unreadable: None }),
        }
    }

    /// Begins to read everything as it is at this moment, beside nodes that are at work.
    pub async fn begin_backup(&self) -> Result<Moving<'_>> {
        let db = self.connection().await?;
        db.batch("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?;
        db.batch(UNBOUNDED).await?;
        Ok(Moving { store: self, db, unreadable: Some(AtomicU64::new(0)) })
    }
}

impl Moving<'_> {
    /// Whether no table holds anything.
    pub async fn is_empty(&self) -> Result<bool> {
        for table in TABLES {
            let query = format!("SELECT EXISTS (SELECT 1 FROM {}) AS is_so", table.name);
            if get(&self.db.one(&query, &[]).await?, "is_so")? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// What the database says of itself, whether it was moved away from or not.
    pub async fn identity(&self) -> Result<Option<Identity>> {
        identity::identity(&self.db).await
    }

    /// How many blobs are known to be lost.
    pub async fn lost(&self) -> Result<u64> {
        identity::lost(&self.db).await
    }

    /// Puts rows into a table. Key packets are sealed on the way (C29).
    pub async fn insert(&self, table: &Table, rows: Vec<Vec<Value>>) -> Result<()> {
        let mut columns: Vec<Values> = table.columns.iter().map(Values::of).collect();
        let (packets, mut keys) = (table.place(KEY_PACKET), Vec::new());
        for mut row in rows {
            if let Some(Value::Bytes(packet)) = packets.and_then(|place| row.get_mut(place)) {
                let (sealed, key) = self.db.wrap(packet)?;
                *packet = sealed;
                keys.push(Some(key));
            } else {
                keys.push(None);
            }
            for (column, value) in columns.iter_mut().zip(row) {
                column.push(value)?;
            }
        }
        let names = table.list(|column| format!("\"{}\"", column.name));
        let types = columns.iter().zip(1..).map(|(column, place)| format!("${place}::{}[]", column.kind()));
        let types = types.collect::<Vec<_>>().join(", ");
        let mut values: Vec<_> = columns.iter().map(Values::as_parameter).collect();
        let (names, types) = match packets {
            Some(_) => (format!("{names}, key"), format!("{types}, ${}::bigint[]", values.len() + 1)),
            None => (names, types),
        };
        if packets.is_some() {
            values.push(&keys);
        }
        let insert = format!("INSERT INTO {} ({names}) SELECT * FROM unnest({types})", table.name);
        self.db.execute(&insert, &values).await.map(drop)
    }

    /// Gives the rows of a table to `each`, some at a time. Key packets are opened on the way.
    pub async fn rows<F>(&self, table: &Table, mut each: impl FnMut(Vec<Vec<Value>>) -> F) -> Result<()>
    where
        F: Future<Output = Result<()>>,
    {
        let packets = table.place(KEY_PACKET);
        let columns = table.list(|column| table.source(column));
        let key = packets.map_or("", |_| ", key");
        let (cursor, name) = (format!("moving_{}", table.name), table.name);
        let declare = format!(
            "DECLARE {cursor} NO SCROLL CURSOR FOR SELECT {columns}{key} FROM {name}{}",
            table.condition()
        );
        self.db.batch(&declare).await?;
        loop {
            let rows = self.db.query(&format!("FETCH {} FROM {cursor}", at_once(table)), &[]).await?;
            if rows.is_empty() {
                break;
            }
            let mut all = Vec::with_capacity(rows.len());
            for row in &rows {
                let mut values = values(table, row)?;
                if let Some(packet) = packets.and_then(|place| values.get_mut(place)) {
                    self.open(packet, row).await?;
                }
                all.push(values);
            }
            each(all).await?;
        }
        self.db.batch(&format!("CLOSE {cursor}")).await
    }

    async fn open(&self, packet: &mut Value, row: &Row) -> Result<()> {
        let (Value::Bytes(sealed), Some(key)) = (&*packet, get(row, "key")?) else { return Ok(()) };
        *packet = match (self.store.unwrap(sealed, key).await?, &self.unreadable) {
            (Some(opened), _) => Value::Bytes(opened),
            (None, Some(unreadable)) => {
                unreadable.fetch_add(1, Ordering::Relaxed);
                Value::Null
            }
            (None, None) => return Err(StoreError::Corrupt("key packet, or its key")),
        };
        Ok(())
    }

    /// How many key packets a backup has left out because their keys are gone.
    pub fn unreadable(&self) -> u64 {
        self.unreadable.as_ref().map_or(0, |unreadable| unreadable.load(Ordering::Relaxed))
    }

    /// All rows are there: gives the database its identity, and commits.
    pub async fn finish(self, new: &Identity, lost: u64) -> Result<()> {
        for table in TABLES {
            if let Some(next) = next_number(table) {
                self.db.batch(&next).await?;
            }
        }
        let inserted = identity::execute(&self.db, identity::FOUND, new).await?;
        if inserted == 0 {
            return Err(database("another gateway has taken the database meanwhile"));
        }
        self.db.execute(identity::SET_LOST, &[&Number(lost)]).await?;
        self.db.batch("COMMIT").await
    }

    /// All rows are elsewhere, in the data folder `to`: no node starts on this database any more.
    pub async fn moved_to(self, to: &str) -> Result<()> {
        self.db.execute(MOVED, &[&to]).await?;
        self.db.batch("COMMIT").await
    }
}

/// Rows that are read at once, so that those which may be large fit into memory.
fn at_once(table: &Table) -> usize {
    match table.name {
        "drafts" | "items" => 16,
        _ => 500,
    }
}

/// The statement after which the numbers of new rows follow those that are there; where the database gives none, it does nothing.
fn next_number(table: &Table) -> Option<String> {
    let name = table.name;
    table.place("number").map(|_| {
        format!(
            "SELECT setval(pg_get_serial_sequence('{name}', 'number'), (SELECT coalesce(max(number), 0) + 1 FROM {name}), false)"
        )
    })
}

fn values(table: &Table, row: &Row) -> Result<Vec<Value>> {
    table.columns.iter().zip(0..).map(|(column, place)| value(column, row, place)).collect()
}

fn value(column: &Column, row: &Row, place: usize) -> Result<Value> {
    let value = match column.kind {
        Kind::Number => row.try_get::<_, Option<i64>>(place)?.map(Value::Number),
        Kind::Flag => row.try_get::<_, Option<bool>>(place)?.map(|flag| Value::Number(flag.into())),
        Kind::Text => row.try_get::<_, Option<String>>(place)?.map(Value::Text),
        Kind::Bytes => row.try_get::<_, Option<Vec<u8>>>(place)?.map(Value::Bytes),
    };
    Ok(value.unwrap_or(Value::Null))
}

/// A column of several rows.
enum Values {
    Numbers(Vec<Option<i64>>),
    Flags(Vec<Option<bool>>),
    Texts(Vec<Option<String>>),
    Bytes(Vec<Option<Vec<u8>>>),
}

impl Values {
    fn of(column: &Column) -> Self {
        match column.kind {
            Kind::Number => Self::Numbers(Vec::new()),
            Kind::Flag => Self::Flags(Vec::new()),
            Kind::Text => Self::Texts(Vec::new()),
            Kind::Bytes => Self::Bytes(Vec::new()),
        }
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::Numbers(_) => "bigint",
            Self::Flags(_) => "boolean",
            Self::Texts(_) => "text",
            Self::Bytes(_) => "bytea",
        }
    }

    fn push(&mut self, value: Value) -> Result<()> {
        match (self, value) {
            (Self::Numbers(all), Value::Null) => all.push(None),
            (Self::Flags(all), Value::Null) => all.push(None),
            (Self::Texts(all), Value::Null) => all.push(None),
            (Self::Bytes(all), Value::Null) => all.push(None),
            (Self::Numbers(all), Value::Number(number)) => all.push(Some(number)),
            (Self::Flags(all), Value::Number(number @ (0 | 1))) => all.push(Some(number == 1)),
            (Self::Texts(all), Value::Text(text)) => all.push(Some(text)),
            (Self::Bytes(all), Value::Bytes(bytes)) => all.push(Some(bytes)),
            _ => return Err(StoreError::Corrupt("value of a column")),
        }
        Ok(())
    }

    fn as_parameter(&self) -> &(dyn ToSql + Sync) {
        match self {
            Self::Numbers(all) => all,
            Self::Flags(all) => all,
            Self::Texts(all) => all,
            Self::Bytes(all) => all,
        }
    }
}
