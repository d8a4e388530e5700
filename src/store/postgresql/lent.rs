//! A connection that is lent from the pool: what can be done on it, and that none is given back on which something is left open.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use deadpool_postgres::Object;
use futures_util::future::try_join_all;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Row, Statement};

use super::short_keys::ShortKeys;
use crate::secret::keyring::{KeyId, KeyRef};
use crate::store::{Result, StoreError};

/// The parameters of a statement.
pub(super) type Parameters<'a> = &'a [&'a (dyn ToSql + Sync)];

/// A connection, lent from the pool. Statements are prepared once for each connection. Dropped without
/// [`Connection::give_back`], it is closed.
pub(super) struct Connection {
    object: Option<Object>,
    keys: Arc<ShortKeys>,
    /// Keys of rows that were inserted here: they stay until it is known what became of the rows.
    held: Mutex<Vec<KeyRef>>,
}

impl Connection {
    /// From the pool.
    pub fn of(object: Object, keys: Arc<ShortKeys>) -> Self {
        Self { object: Some(object), keys, held: Mutex::default() }
    }

    fn lent(&self) -> Result<&Object> {
        self.object.as_ref().ok_or(StoreError::Closed)
    }

    /// To be called with every key that a new row names.
    pub fn hold(&self, key: KeyRef) {
        self.held().push(key);
    }

    /// Seals a key packet for its row, and gives the name of its key for the row too (C29).
    pub fn wrap(&self, packet: &[u8]) -> Result<(Vec<u8>, KeyId)> {
        let (sealed, key) = self.keys.wrap(packet)?;
        let name = key.id();
        self.hold(key);
        Ok((sealed, name))
    }

    fn held(&self) -> MutexGuard<'_, Vec<KeyRef>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn prepare(&self, sql: &str) -> Result<Statement> {
        Ok(self.lent()?.prepare_cached(sql).await?)
    }

    /// All rows of a query.
    pub async fn query(&self, sql: &str, parameters: Parameters<'_>) -> Result<Vec<Row>> {
        Ok(self.lent()?.query(&self.prepare(sql).await?, parameters).await?)
    }

    /// The one row of a query.
    pub async fn one(&self, sql: &str, parameters: Parameters<'_>) -> Result<Row> {
        Ok(self.lent()?.query_one(&self.prepare(sql).await?, parameters).await?)
    }

    /// The row of a query that gives one or none.
    pub async fn row(&self, sql: &str, parameters: Parameters<'_>) -> Result<Option<Row>> {
        Ok(self.lent()?.query_opt(&self.prepare(sql).await?, parameters).await?)
    }

    /// Runs a statement; tells how many rows it touched.
    pub async fn execute(&self, sql: &str, parameters: Parameters<'_>) -> Result<u64> {
        Ok(self.lent()?.execute(&self.prepare(sql).await?, parameters).await?)
    }

    /// Runs statements one after the other, in this order, and sends each without waiting for the one before; gives the rows
    /// of each. After one that fails the others do nothing: for use in a transaction.
    pub async fn in_turn(&self, statements: &[(&str, Parameters<'_>)]) -> Result<Vec<Vec<Row>>> {
        let mut prepared = Vec::with_capacity(statements.len());
        for (sql, _) in statements {
            prepared.push(self.prepare(sql).await?);
        }
        let client = self.lent()?;
        let statements = prepared.iter().zip(statements);
        let runs = statements.map(|(statement, (_, parameters))| client.query(statement, parameters));
        Ok(try_join_all(runs).await?)
    }

    /// Runs statements without parameters and results.
    pub async fn batch(&self, sql: &str) -> Result<()> {
        Ok(self.lent()?.batch_execute(sql).await?)
    }

    /// For the next caller, unless a statement has failed: it may be to a server that only reads, or is about to end.
    pub fn give_back<T>(mut self, outcome: Result<T>) -> Result<T> {
        if !matches!(outcome, Err(StoreError::Database(_))) {
            drop(self.object.take());
        }
        outcome
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if let Some(object) = self.object.take() {
            drop(Object::take(object));
            self.keys.keep_in_doubt(std::mem::take(&mut *self.held()));
        }
    }
}
