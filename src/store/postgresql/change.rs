//! The only ways to the database: [`Postgres::read`], and [`Postgres::write`], which is one transaction. Both bound the time,
//! and give a connection back only when nothing is left open on it; any other is closed, and the database undoes what was
//! begun there.
//!
//! Transactions are READ COMMITTED. Where a rule spans rows, its statements lock them, always in the order transfers,
//! recipients, drafts, uploads, items; or they take one of the locks in [`super::locks`]. What a lock was waited for is read
//! by a later statement: the one that waited still sees the other tables as they were. Transfers and recipients are locked
//! `FOR NO KEY UPDATE`, which lets through those that only check whether the row is there: PostgreSQL does that for every
//! row that is new, and for every row that is changed twice in one transaction.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use deadpool_postgres::{Object, PoolError, TimeoutType};
use futures_util::future::BoxFuture;
use tokio::time::timeout;
use tokio_postgres::error::SqlState;

use super::lent::Connection;
use super::unclear::is_lost;
use super::{Postgres, audit, trouble};
use crate::audit::Event;
use crate::store::{Result, StoreError};

/// No call of the store takes longer, though the database lives.
const PATIENCE: Duration = Duration::from_secs(20);
/// A caller that has waited so long asks for a sign of life: where that fails, it waits no longer.
const SUSPICION: Duration = Duration::from_secs(2);

/// What a transaction may do.
pub(super) struct Change {
    /// Within the transaction.
    pub db: Connection,
    events: Vec<Event>,
}

impl Change {
    /// Keeps an event with the change; it is logged once the change has been committed. Of what visitors can repeat only so
    /// much becomes rows, which stay for ever (H42); every event is a line of the log.
    pub async fn record(&mut self, event: Event) -> Result<()> {
        self.record_all(vec![event]).await
    }

    /// The same for several.
    pub async fn record_all(&mut self, mut events: Vec<Event>) -> Result<()> {
        audit::insert(&self.db, &mut events).await?;
        self.log_once_committed(events);
        Ok(())
    }

    /// For events whose rows were made with others.
    pub fn log_once_committed(&mut self, events: Vec<Event>) {
        self.events.extend(events);
    }
}

impl Postgres {
    /// Runs `work` on a connection, outside of a transaction: one statement, or several that need not agree.
    pub(super) async fn read<T, F>(&self, work: F) -> Result<T>
    where
        T: Send,
        F: for<'a> FnOnce(&'a Connection) -> BoxFuture<'a, Result<T>> + Send,
    {
        let outcome = self.answered(async {
            let db = self.connection().await?;
            let outcome = work(&db).await;
            db.give_back(outcome)
        });
        self.look_at(outcome.await)
    }

    /// Runs `work` in a transaction. When it returns `Ok` the change is durable; after an error nothing was changed, but
    /// for [`StoreError::Unclear`]: the connection was lost during the commit. The work may change
    /// what is due, so the remembered due time no longer counts.
    pub(super) async fn write<T, F>(&self, work: F) -> Result<T>
    where
        T: Send,
        F: for<'a> FnOnce(&'a mut Change) -> BoxFuture<'a, Result<T>> + Send,
    {
        let is_ending = AtomicBool::new(false);
        let outcome = self.answered(self.transaction(&is_ending, self.connection(), work));
        self.look_at(self.ended(outcome, &is_ending).await)
    }

    /// The same on a connection of the node's own.
    pub(super) async fn write_aside<T, F>(&self, work: F) -> Result<T>
    where
        T: Send,
        F: for<'a> FnOnce(&'a mut Change) -> BoxFuture<'a, Result<T>> + Send,
    {
        self.write_within(PATIENCE, work).await
    }

    /// The same for what may take longer.
    pub(super) async fn write_within<T, F>(&self, patience: Duration, work: F) -> Result<T>
    where
        T: Send,
        F: for<'a> FnOnce(&'a mut Change) -> BoxFuture<'a, Result<T>> + Send,
    {
        let is_ending = AtomicBool::new(false);
        let connection = async { Ok(self.lend(self.aside.get().await?)) };
        let outcome = bounded(patience, self.transaction(&is_ending, connection, work));
        self.ended(outcome, &is_ending).await
    }

    async fn transaction<T, F>(
        &self,
        is_ending: &AtomicBool,
        connection: impl Future<Output = Result<Connection>> + Send,
        work: F,
    ) -> Result<T>
    where
        T: Send,
        F: for<'a> FnOnce(&'a mut Change) -> BoxFuture<'a, Result<T>> + Send,
    {
        let mut change = Change { db: connection.await?, events: Vec::new() };
        if let Err(error) = change.db.batch("BEGIN").await {
            return change.db.give_back(Err(error));
        }
        let outcome = work(&mut change).await;
        is_ending.store(outcome.is_ok(), Ordering::Relaxed);
        let end = change.db.batch(if outcome.is_ok() { "COMMIT" } else { "ROLLBACK" }).await;
        let Change { db, events } = change;
        let done = db.give_back(end).and(outcome)?;
        events.iter().for_each(Event::log);
        Ok(done)
    }

    /// What became of a transaction.
    async fn ended<T>(
        &self,
        transaction: impl Future<Output = Result<T>> + Send,
        is_ending: &AtomicBool,
    ) -> Result<T> {
        match self.due.changes(transaction).await {
            Err(error) if is_ending.load(Ordering::Relaxed) && is_lost(&error) => {
                Err(StoreError::Unclear(error.into()))
            }
            done => done,
        }
    }

    /// What comes of it, as long as the database gives signs of life.
    async fn answered<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        let mut work = pin!(work);
        if let Ok(done) = timeout(SUSPICION, &mut work).await {
            return done;
        }
        self.trouble.suspect();
        tokio::select! {
            done = bounded(PATIENCE - SUSPICION, work) => done,
            away = self.trouble.begins() => Err(away),
        }
    }

    fn lend(&self, object: Object) -> Connection {
        Connection::of(object, Arc::clone(&self.keys))
    }

    /// A connection from the pool. Outside of this file only for what takes longer than any other call may.
    pub(super) async fn connection(&self) -> Result<Connection> {
        self.trouble.refuse_while_away()?;
        if self.pool.status().available == 0 {
            self.trouble.refuse()?;
        }
        match self.pool.get().await {
            Ok(object) => Ok(self.lend(object)),
            // All of them are lent: that says nothing of the server.
            Err(error @ PoolError::Timeout(TimeoutType::Wait)) => Err(error.into()),
            Err(error) => {
                let error = error.into();
                self.trouble.note(&error);
                Err(error)
            }
        }
    }

    /// Where the server ends or only reads, the connections that idle lead nowhere either.
    fn look_at<T>(&self, outcome: Result<T>) -> Result<T> {
        if outcome.as_ref().is_err_and(trouble::is_about_the_server) {
            self.pool.retain(|_, _| false);
            self.trouble.suspect();
        }
        outcome
    }
}

async fn bounded<T>(patience: Duration, work: impl Future<Output = Result<T>>) -> Result<T> {
    timeout(patience, work).await.unwrap_or_else(|_| Err(database(SILENT)))
}

/// What is said of a database that does not answer.
pub(super) const SILENT: &str = "the database does not answer in time";

/// An error of the database in our words.
pub(super) fn database(text: &str) -> StoreError {
    StoreError::Database(text.into())
}

/// An error of work that was done for several callers, for each of them.
pub(super) fn same(error: &StoreError) -> StoreError {
    match error {
        StoreError::NearlyFull => StoreError::NearlyFull,
        StoreError::Closed => StoreError::Closed,
        StoreError::Database(cause) => database(&cause.to_string()),
        StoreError::Unclear(cause) => StoreError::Unclear(cause.to_string().into()),
        other => database(&other.to_string()),
    }
}

impl From<tokio_postgres::Error> for StoreError {
    fn from(error: tokio_postgres::Error) -> Self {
        match error.code() {
            Some(code) if *code == SqlState::DISK_FULL => Self::NearlyFull,
            _ => Self::Database(Box::new(error)),
        }
    }
}

impl From<PoolError> for StoreError {
    fn from(error: PoolError) -> Self {
        match error {
            PoolError::Backend(error) => error.into(),
            PoolError::Closed => Self::Closed,
            PoolError::Timeout(TimeoutType::Wait) => {
                database("no connection to the database became free in time")
            }
            PoolError::Timeout(_) => database(SILENT),
            error => Self::Database(Box::new(error)),
        }
    }
}
