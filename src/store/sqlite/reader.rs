//! Reading beside the writer: a few read-only connections, each call one consistent view of the last
//! commit, on a thread that may block.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;
use tokio::sync::Semaphore;
use tokio::task;

use super::connection;
use crate::store::{Result, StoreError};

/// Connections, and so reads at the same time.
const READERS: usize = 3;

/// The connections that are not in use.
pub(super) struct Readers {
    idle: Arc<Mutex<Vec<Connection>>>,
    permits: Arc<Semaphore>,
}

impl Readers {
    /// Opens them.
    pub fn open(path: &Path) -> Result<Self> {
        let idle = (0..READERS).map(|_| connection::reader(path)).collect::<Result<_>>()?;
        Ok(Self { idle: Arc::new(Mutex::new(idle)), permits: Arc::new(Semaphore::new(READERS)) })
    }

    /// Has `work` done on one view of the database.
    pub async fn read<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T> + Send + 'static,
    {
        let permit = Arc::clone(&self.permits).acquire_owned().await.map_err(|_| StoreError::Closed)?;
        let idle = Arc::clone(&self.idle);
        let blocking = task::spawn_blocking(move || {
            let mut db = lock(&idle).pop().ok_or(StoreError::Closed)?;
            let result = view(&mut db, work);
            lock(&idle).push(db);
            drop(permit);
            result
        });
        blocking.await.map_err(|_| StoreError::Closed)?
    }
}

/// One read transaction: several queries see the same moment.
fn view<T>(db: &mut Connection, work: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
    let transaction = db.transaction()?;
    work(&transaction)
}

fn lock(idle: &Mutex<Vec<Connection>>) -> std::sync::MutexGuard<'_, Vec<Connection>> {
    idle.lock().unwrap_or_else(PoisonError::into_inner)
}
