//! Room for rows: what is free on the disk and what is free inside the database; and the log, which gives its room back
//! when nothing is written. The floors are in [`crate::store::room`].

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use rusqlite::Connection;

use super::Sqlite;
use super::columns::Octets;
use crate::store::room::{Disk, DiskShare};
use crate::store::{Result, StoreError};

/// The log of the database, as it was when it was last looked at.
pub(super) struct Log {
    path: PathBuf,
    seen: Mutex<Option<(u64, SystemTime)>>,
}

impl Log {
    /// Of this database.
    pub fn of(database: &Path) -> Self {
        let mut path = database.as_os_str().to_owned();
        path.push("-wal");
        Self { path: path.into(), seen: Mutex::default() }
    }

    /// Whether it holds something, and has not grown since this was last asked.
    fn is_idle(&self) -> io::Result<bool> {
        let now = match fs::metadata(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            file => file.and_then(|file| Ok((file.len(), file.modified()?))).map(Some)?,
        };
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let is_idle = now.is_some_and(|(octets, _)| octets > 0) && *seen == now;
        *seen = now;
        Ok(is_idle)
    }
}

impl Sqlite {
    /// Fails when the disk is so full that `share` must leave the rest of it to others (C03, H39, H43). Only then the
    /// database is asked.
    pub(super) async fn check_room(&self, share: DiskShare) -> Result<()> {
        if Disk::of(&self.folder)?.left(share) > 0 || self.disk_for_rows().await?.left(share) > 0 {
            return Ok(());
        }
        Err(StoreError::NearlyFull)
    }

    /// The disk as rows find it.
    pub(super) async fn disk_for_rows(&self) -> Result<Disk> {
        let inside = self.readers.read(free_inside).await?;
        Ok(Disk::of(&self.folder)?.with_database(inside))
    }

    /// Empties the log into the database, unless it is being written to.
    pub(super) async fn shrink_idle_log(&self) -> Result<()> {
        if self.log.is_idle()? {
            self.writer
                .run(|change| {
                    change.shredded = true;
                    Ok(())
                })
                .await?;
        }
        Ok(())
    }
}

/// Bytes of pages that the database has and does not use.
pub(super) fn free_inside(db: &Connection) -> Result<u64> {
    let number = |pragma| db.pragma_query_value(None, pragma, |row| row.get(0).map(|Octets(number)| number));
    Ok(number("freelist_count")?.saturating_mul(number("page_size")?))
}
