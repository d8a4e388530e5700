//! The store on SQLite: one thread that writes with group commit ([`writer`]), a few connections that read
//! beside it ([`reader`]), and the statements in the other files, each named after the role that it implements.
//! Another process, the command line tool, may have the same file open at the same time.

mod access;
mod audit;
mod blobs;
mod chain;
mod columns;
mod connection;
mod copy;
mod database;
mod downloads;
mod drafts;
mod folder;
mod gauges;
mod handover;
mod intake;
mod keys;
mod limits;
mod lost;
mod migrate;
mod person;
mod queue;
mod queue_admin;
mod reader;
mod recall;
mod reminders;
mod retention;
mod room;
mod sender;
mod status;
#[cfg(feature = "cluster")]
mod still;
#[cfg(test)]
mod tests;
mod tracking;
mod transfers;
mod uploads;
mod verification;
mod writer;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Instant;

use rusqlite::Connection;

pub use self::database::{Alone, Database};
use self::reader::Readers;
use self::room::Log;
#[cfg(feature = "cluster")]
pub use self::still::Still;
use self::writer::{Change, Writer};
use super::due::Due;
use super::journal::Journal;
use super::tracking::Behind;
use super::{NodeStore, Result};
use crate::secret::keyring::Keyring;

/// An open database. Dropping it finishes what was asked of it, so that nothing is left in its log.
pub struct Sqlite {
    folder: File,
    readers: Readers,
    writer: Writer,
    /// Only the server has one; without it everything is a row at once.
    journal: Option<Journal>,
    /// Where the server has it.
    journal_folder: PathBuf,
    ring: Keyring,
    log: Log,
    due: Due,
    /// When a message could not be written to the journal, and why.
    journal_trouble: Mutex<Option<(Instant, String)>>,
    /// Rows of mail that is gone already.
    behind: Behind,
}

/// A data folder is for one gateway.
impl NodeStore for Sqlite {}

impl Sqlite {
    /// Opens the database file, makes it where there is none, and brings it up to date.
    pub fn open(path: &Path) -> Result<Self> {
        Database::open(path)?.attach()
    }

    /// The same for the server, of which there is one: new mail goes through the journal beside the database.
    pub fn serve(path: &Path) -> Result<Self> {
        Database::open(path)?.serve()
    }

    fn with(path: &Path, db: Connection, journal: Option<Journal>, ring: Keyring) -> Result<Self> {
        let (folder, readers) = (connection::folder(path)?, Readers::open(path)?);
        let (writer, journal_folder) = (Writer::start(db)?, connection::journal(path));
        let (log, due, behind) = (Log::of(path), Due::default(), Behind::default());
        let journal_trouble = Mutex::default();
        Ok(Self { folder, readers, writer, journal, journal_folder, ring, log, due, journal_trouble, behind })
    }

    /// Runs `work` in a transaction. It may change what is due, so the remembered due time no longer counts.
    async fn write<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&mut Change<'_>) -> Result<T> + Send + 'static,
    {
        self.due.changes(self.writer.run(work)).await
    }

    /// Writes the database at `from`, as it is at this moment, into the new file `to`; beside a server as well.
    pub fn copy(from: &Path, to: &Path) -> Result<()> {
        copy::copy(from, to)
    }

    /// Whether there is a database already. Ask before [`Sqlite::open`]: a tool that only looks should not leave an
    /// empty one behind.
    pub fn exists(path: &Path) -> bool {
        fs::metadata(path).is_ok_and(|file| file.len() > 0)
    }
}
