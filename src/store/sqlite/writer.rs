//! The one thread that writes. It drains its channel into one transaction, with a savepoint per command so
//! that one that fails does not spoil the others, and answers after COMMIT: concurrent callers share
//! one flush of the disk (docs/decisions/0004). No caller ever hears `Ok` before that.

use std::thread::{self, JoinHandle};

use rusqlite::{Connection, Transaction, TransactionBehavior, ffi, params};
use tokio::sync::{mpsc, oneshot};

use super::columns::Time;
use super::connection::BUSY;
use super::limits;
use crate::audit::Event;
use crate::store::audit::VISITOR_ROWS;
use crate::store::{Result, StoreError};

/// The most commands in one transaction.
const BATCH: usize = 256;

/// A number is never given twice, also where all rows before it were forgotten: the hash chain knows how far they went. An
/// event is its transfer's organisation's, whose id its object begins with, or its item's.
pub(super) const RECORD: &str = "
    INSERT INTO audit (number, time, action, object, result, actor, origin, organisation) VALUES (
        1 + max(coalesce((SELECT max(number) FROM audit), 0), coalesce((SELECT max(reach) FROM audit_chain), 0)),
        ?1, ?2, ?3, ?4, ?5, ?6, coalesce(
            ?7, (SELECT organisation FROM transfers WHERE id = substr(?3, 1, 10)),
            (SELECT organisation FROM items WHERE id = ?3)))
    RETURNING organisation";

/// The way to the writer thread. Dropping it finishes what was asked and ends the thread.
pub(super) struct Writer {
    commands: Option<mpsc::Sender<Box<dyn Command>>>,
    thread: Option<JoinHandle<()>>,
}

/// What a command may do within its transaction.
pub(super) struct Change<'a> {
    /// The database, within the command's savepoint.
    pub db: &'a Connection,
    /// The command has destroyed keys: the log must not keep a copy of them (C25).
    pub shredded: bool,
    events: Vec<Event>,
}

impl Change<'_> {
    /// Keeps an event with the change; it is logged once the change has been committed. Of what visitors can repeat
    /// only so much becomes rows, which stay for ever (H42); every event is a line of the log.
    pub fn record(&mut self, mut event: Event) -> Result<()> {
        if let Some(bucket) = event.bucket()
            && limits::take(self.db, &bucket, VISITOR_ROWS, event.time)?.is_some()
        {
            self.events.push(event);
            return Ok(());
        }
        let values = params![
            Time(event.time),
            event.action.as_str(),
            event.object,
            event.result,
            event.actor,
            event.origin,
            event.organisation
        ];
        event.organisation = self.db.prepare_cached(RECORD)?.query_row(values, |row| row.get(0))?;
        self.events.push(event);
        Ok(())
    }
}

impl Writer {
    /// Starts the thread.
    pub fn start(db: Connection) -> Result<Self> {
        let (commands, queue) = mpsc::channel(BATCH);
        let thread = thread::Builder::new().name("store-writer".into()).spawn(move || serve(db, queue))?;
        Ok(Self { commands: Some(commands), thread: Some(thread) })
    }

    /// Has `work` done and waits until it is durable. Work that was handed over is done even when the
    /// caller no longer waits.
    pub async fn run<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&mut Change<'_>) -> Result<T> + Send + 'static,
    {
        let (caller, answer) = oneshot::channel();
        let command = Box::new(Pending { work: Some(work), result: None, caller });
        let commands = self.commands.as_ref().ok_or(StoreError::Closed)?;
        commands.send(command).await.map_err(|_| StoreError::Closed)?;
        answer.await.map_err(|_| StoreError::Closed)?
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.commands = None;
        if let Some(Err(_)) = self.thread.take().map(JoinHandle::join) {
            tracing::error!("the thread that writes the database has panicked");
        }
    }
}

/// A command on its way through the writer, whatever it gives back.
trait Command: Send {
    /// Does the work; the result is kept back. Tells whether it succeeded.
    fn run(&mut self, change: &mut Change<'_>) -> bool;
    /// Hands over the result, or, where the commit failed, the reason why not.
    fn answer(self: Box<Self>, failure: Option<StoreError>);
}

struct Pending<T, F> {
    work: Option<F>,
    result: Option<Result<T>>,
    caller: oneshot::Sender<Result<T>>,
}

impl<T, F> Command for Pending<T, F>
where
    T: Send,
    F: FnOnce(&mut Change<'_>) -> Result<T> + Send,
{
    fn run(&mut self, change: &mut Change<'_>) -> bool {
        self.result = self.work.take().map(|work| work(change));
        matches!(self.result, Some(Ok(_)))
    }

    fn answer(self: Box<Self>, failure: Option<StoreError>) {
        let result = match (self.result, failure) {
            (Some(Ok(done)), None) => Ok(done),
            (Some(Err(own)), _) => Err(own),
            (_, failure) => Err(failure.unwrap_or(StoreError::Closed)),
        };
        // The caller may have gone; what was committed stays so.
        self.caller.send(result).ok();
    }
}

/// Serves until every sender is gone and the channel is empty.
fn serve(mut db: Connection, mut queue: mpsc::Receiver<Box<dyn Command>>) {
    let mut log_holds_keys = false;
    while let Some(first) = queue.blocking_recv() {
        let mut batch = vec![first];
        while batch.len() < BATCH
            && let Ok(next) = queue.try_recv()
        {
            batch.push(next);
        }
        run_batch(&mut db, batch, &mut log_holds_keys);
    }
}

/// Commits, then answers, then logs: nobody waits for the log, and nothing is in it that did not happen.
fn run_batch(db: &mut Connection, mut batch: Vec<Box<dyn Command>>, log_holds_keys: &mut bool) {
    let outcome = transact(db, &mut batch);
    *log_holds_keys |= outcome.as_ref().is_ok_and(|done| done.shredded);
    if *log_holds_keys {
        *log_holds_keys = !empty_log(db);
    }
    for command in batch {
        command.answer(outcome.as_ref().err().map(copy));
    }
    for event in outcome.into_iter().flat_map(|done| done.events) {
        event.log();
    }
}

/// What a committed batch leaves to be done.
#[derive(Default)]
struct Done {
    events: Vec<Event>,
    shredded: bool,
}

/// Runs a batch in one transaction. An error means that nothing of it was done: dropping the
/// transaction rolls it back, and the next batch starts afresh (C03).
fn transact(db: &mut Connection, batch: &mut [Box<dyn Command>]) -> rusqlite::Result<Done> {
    let mut transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut done = Done::default();
    for command in batch {
        run_one(&mut transaction, command.as_mut(), &mut done)?;
    }
    transaction.commit()?;
    Ok(done)
}

fn run_one(
    transaction: &mut Transaction<'_>,
    command: &mut dyn Command,
    done: &mut Done,
) -> rusqlite::Result<()> {
    let mut savepoint = transaction.savepoint()?;
    let mut change = Change { db: &savepoint, shredded: false, events: Vec::new() };
    if command.run(&mut change) {
        done.shredded |= change.shredded;
        done.events.append(&mut change.events);
    } else if savepoint.is_autocommit() {
        // Out of disk or memory SQLite may undo the whole transaction, earlier commands included.
        return Err(failure(
            ffi::SQLITE_ABORT_ROLLBACK,
            "another change of the same commit failed for lack of space",
        ));
    } else {
        savepoint.rollback()?;
    }
    savepoint.commit()
}

/// Moves the log into the database and empties it, so that no old page with a destroyed key stays in
/// it. Not possible while somebody reads: then it is tried again after the next commit.
fn empty_log(db: &Connection) -> bool {
    let checkpoint = || -> rusqlite::Result<bool> {
        db.busy_timeout(std::time::Duration::ZERO)?;
        let busy: bool = db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
        Ok(!busy)
    };
    let emptied = checkpoint().unwrap_or(false);
    if let Err(error) = db.busy_timeout(BUSY) {
        tracing::error!(%error, "cannot set the time to wait for other writers");
    }
    emptied
}

/// The same error once more, for the next caller of the same batch.
fn copy(error: &rusqlite::Error) -> StoreError {
    StoreError::from(match error {
        rusqlite::Error::SqliteFailure(code, text) => rusqlite::Error::SqliteFailure(*code, text.clone()),
        other => failure(ffi::SQLITE_ERROR, &other.to_string()),
    })
}

fn failure(code: std::ffi::c_int, text: &str) -> rusqlite::Error {
    rusqlite::Error::SqliteFailure(ffi::Error::new(code), Some(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use rusqlite::ErrorCode;

    use super::super::connection;
    use super::*;
    use crate::audit::Action;
    use crate::store::conformance::event;

    type Work = fn(&mut Change<'_>) -> Result<()>;
    type Answer = oneshot::Receiver<Result<()>>;

    fn commands(works: &[Work]) -> (Vec<Box<dyn Command>>, Vec<Answer>) {
        let pair = |work: &Work| {
            let (caller, answer) = oneshot::channel();
            let command: Box<dyn Command> = Box::new(Pending { work: Some(*work), result: None, caller });
            (command, answer)
        };
        works.iter().map(pair).unzip()
    }

    /// Runs all of `works` in one batch.
    fn batch(db: &mut Connection, works: &[Work]) -> Vec<Result<()>> {
        let (commands, mut answers) = commands(works);
        run_batch(db, commands, &mut false);
        answers.iter_mut().map(|answer| answer.try_recv().unwrap()).collect()
    }

    fn database() -> (Connection, tempfile::TempDir) {
        let dir = tempfile::tempdir().unwrap();
        (connection::writer(&dir.path().join("zegel.db")).unwrap(), dir)
    }

    fn events(db: &Connection) -> i64 {
        db.query_row("SELECT count(*) FROM audit", [], |row| row.get(0)).unwrap()
    }

    fn ok(change: &mut Change<'_>) -> Result<()> {
        change.record(event(Action::Accept))
    }

    fn fails(change: &mut Change<'_>) -> Result<()> {
        change.record(event(Action::Drop))?;
        Err(StoreError::Gone)
    }

    /// As SQLite does by itself when it is out of disk or memory.
    fn undone_as_a_whole(change: &mut Change<'_>) -> Result<()> {
        change.db.execute_batch("INSERT OR ROLLBACK INTO doomed VALUES ('a'), ('a')")?;
        Ok(())
    }

    /// Passes by itself, and makes the COMMIT fail.
    fn spoils_the_commit(change: &mut Change<'_>) -> Result<()> {
        change.db.execute_batch("PRAGMA defer_foreign_keys = ON; INSERT INTO bodies VALUES (99, x'00')")?;
        Ok(())
    }

    fn code(result: &Result<()>) -> Option<ErrorCode> {
        match result {
            Err(StoreError::Database(error)) => error.downcast_ref::<rusqlite::Error>()?.sqlite_error_code(),
            _ => None,
        }
    }

    #[test]
    fn a_command_that_fails_is_undone_alone() {
        let (mut db, _dir) = database();
        let results = batch(&mut db, &[ok, fails, ok]);
        assert!(matches!(results[..], [Ok(()), Err(StoreError::Gone), Ok(())]));
        assert_eq!(events(&db), 2);
    }

    #[test]
    fn what_is_undone_as_a_whole_is_promised_to_nobody() {
        let (mut db, _dir) = database();
        let results = batch(&mut db, &[ok, undone_as_a_whole, ok]);
        let codes: Vec<_> = results.iter().map(code).collect();
        let aborted = Some(ErrorCode::OperationAborted);
        assert_eq!(codes, [aborted, Some(ErrorCode::ConstraintViolation), aborted]);
        assert_eq!(events(&db), 0);
        assert!(batch(&mut db, &[ok])[0].is_ok());
        assert_eq!(events(&db), 1);
    }

    #[test]
    fn a_commit_that_fails_fails_for_all() {
        let (mut db, _dir) = database();
        let results = batch(&mut db, &[ok, spoils_the_commit, fails]);
        assert_eq!(code(&results[0]), Some(ErrorCode::ConstraintViolation));
        assert_eq!(code(&results[1]), Some(ErrorCode::ConstraintViolation));
        assert!(matches!(results[2], Err(StoreError::Gone)));
        assert_eq!(events(&db), 0);
        assert!(batch(&mut db, &[ok])[0].is_ok());
    }

    #[test]
    fn a_read_only_database_refuses_all() {
        let (db, dir) = database();
        let mut read_only = connection::reader(&dir.path().join("zegel.db")).unwrap();
        let results = batch(&mut read_only, &[ok, ok]);
        assert!(results.iter().all(|result| code(result) == Some(ErrorCode::ReadOnly)), "{results:?}");
        assert_eq!(events(&db), 0);
    }

    #[test]
    fn only_what_happened_is_logged() {
        let (mut db, _dir) = database();
        let actions = |db: &mut Connection, works: &[Work]| {
            let (mut commands, _answers) = commands(works);
            transact(db, &mut commands)
                .map(|done| done.events.iter().map(|event| event.action).collect::<Vec<_>>())
        };
        assert_eq!(actions(&mut db, &[ok, fails, ok]).unwrap(), [Action::Accept, Action::Accept]);
        assert!(actions(&mut db, &[ok, spoils_the_commit]).is_err());
    }
}
