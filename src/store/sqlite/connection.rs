//! Opens the database file: who may read it, and what SQLite promises on it. Every connection of this
//! process, writer or reader, comes from here.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, MAIN_DB, OpenFlags};

use super::migrate;
use crate::store::{Result, StoreError, at};

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(Box::new(error))
    }
}

/// How long one process waits for another that is writing (the command line tool beside the server).
pub(super) const BUSY: Duration = Duration::from_secs(5);

/// For every connection. `secure_delete` overwrites what is deleted, so that a destroyed key is gone
/// from the file (C25); `temp_store` keeps statement journals out of temporary files (C04).
const SETTINGS: &str = "
    PRAGMA foreign_keys = ON;
    PRAGMA trusted_schema = OFF;
    PRAGMA cell_size_check = ON;
    PRAGMA secure_delete = ON;
    PRAGMA temp_store = MEMORY;
    PRAGMA mmap_size = 0;
";

/// For the writer: a commit returns when the log is on disk (C02). A checkpoint every 16 MiB: most queue
/// rows come and go within one log and never reach the database file.
const WRITER_SETTINGS: &str = "
    PRAGMA synchronous = FULL;
    PRAGMA wal_autocheckpoint = 4096;
    PRAGMA journal_size_limit = 67108864;
    PRAGMA cache_size = -8192;
";

/// The one connection that writes; creates the file where there is none, and brings it up to date.
pub(super) fn writer(path: &Path) -> Result<Connection> {
    make_private(path)?;
    let mut db = open(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    // SQLite falls back to reading without a word; then every promise of a commit would be empty.
    if db.is_readonly(MAIN_DB)? {
        return Err(StoreError::File(at(path, io::ErrorKind::ReadOnlyFilesystem.into())));
    }
    db.execute_batch(WRITER_SETTINGS)?;
    migrate::run(&mut db)?;
    let mode: String = db.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0))?;
    if mode != "wal" {
        return Err(StoreError::Corrupt("journal mode"));
    }
    folder(path)?.sync_all()?;
    Ok(db)
}

/// The folder that the file is in.
pub(super) fn folder(path: &Path) -> Result<File> {
    let folder = name_of_folder(path);
    Ok(File::open(folder).map_err(|error| at(folder, error))?)
}

/// The folder of the journal, beside the database.
pub(super) fn journal(path: &Path) -> PathBuf {
    name_of_folder(path).join("journal")
}

/// The folder of the keys of bodies, beside the database.
pub(super) fn keys(path: &Path) -> PathBuf {
    name_of_folder(path).join("keys")
}

/// A connection that only reads, beside the writer.
pub(super) fn reader(path: &Path) -> Result<Connection> {
    open(path, OpenFlags::SQLITE_OPEN_READ_ONLY)
}

fn open(path: &Path, access: OpenFlags) -> Result<Connection> {
    let db = Connection::open_with_flags(path, access | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    db.busy_timeout(BUSY)?;
    db.execute_batch(SETTINGS)?;
    db.set_prepared_statement_cache_capacity(64);
    Ok(db)
}

/// The file 0600, its folder 0700, before SQLite sees it: its log and index files take over the mode.
fn make_private(path: &Path) -> Result<()> {
    let folder = name_of_folder(path);
    if !fs::exists(folder).map_err(|error| at(folder, error))? {
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(|error| at(folder, error))?;
    }
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(at(path, error).into()),
        _ => Ok(()),
    }
}

fn name_of_folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}
