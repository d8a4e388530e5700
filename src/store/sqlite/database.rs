//! A database that is open and not at work yet: whether it belongs to what lies beside it is found out before anything
//! is read into it or removed for its sake. Used by `store/identity`.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use rusqlite::Connection;

#[cfg(feature = "cluster")]
use super::still::Still;
use super::{Sqlite, blobs, connection, folder, handover, keys, queue};
use crate::clock::Timestamp;
use crate::id::BlobName;
use crate::secret::keyring::{KeyId, Keyring};
use crate::store::journal::Found;
use crate::store::{Identity, NamedBlob, Result};

/// An open database.
pub struct Database {
    path: PathBuf,
    db: Connection,
}

impl Database {
    /// Opens the file, makes it where there is none, and brings it up to date.
    pub fn open(path: &Path) -> Result<Self> {
        Ok(Self { path: path.to_owned(), db: connection::writer(path)? })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether nothing was ever kept in it.
    pub fn is_unused(&self) -> Result<bool> {
        folder::is_unused(&self.db)
    }

    /// Which data folder it is of; `None` for one that is new, or from before there was such an id.
    pub fn identity(&self) -> Result<Option<Identity>> {
        folder::identity(&self.db)
    }

    /// Says which data folder it is of. Durable when it returns.
    pub fn set_identity(&self, identity: &Identity) -> Result<()> {
        folder::set_identity(&self.db, identity)
    }

    /// As [`crate::store::Store::named_blobs`].
    pub fn named_blobs(&self, after: Option<&BlobName>, limit: usize) -> Result<Vec<NamedBlob>> {
        blobs::named(&self.db, after, limit)
    }

    /// Every key of short life that mail in the queue needs.
    pub fn needed_keys(&self) -> Result<HashSet<KeyId>> {
        queue::keys(&self.db)
    }

    /// How many blobs rows name, but for so many as are known to be lost.
    pub fn count_blobs(&self) -> Result<u64> {
        Ok(blobs::count(&self.db)?.saturating_sub(folder::lost(&self.db)?))
    }

    /// So many of the blobs that rows name are lost for good.
    pub fn set_lost(&self, blobs: u64) -> Result<()> {
        folder::set_lost(&self.db, blobs)
    }

    /// A gateway begins its work at `now`; tells when one was last at work.
    pub fn begin_life(&self, now: Timestamp) -> Result<Option<Timestamp>> {
        let before = folder::alive(&self.db)?;
        folder::set_alive(&self.db, now)?;
        Ok(before)
    }

    /// For a tool. What a crash has left in the journal is moved into the database, unless a server is running.
    pub fn attach(self) -> Result<Sqlite> {
        let Self { path, mut db } = self;
        let journal = connection::journal(&path);
        if fs::exists(&journal)?
            && let Some(found) = Found::read(&journal)?
        {
            handover::recover(&mut db, found)?;
        }
        let ring = Keyring::of_tool(connection::keys(&path));
        Sqlite::with(&path, db, None, ring)
    }

    /// For a move, while no server is running.
    #[cfg(feature = "cluster")]
    pub fn still(self) -> Result<Still> {
        Still::new(self.path, self.db)
    }

    /// For the server, of which there is one.
    pub fn serve(self) -> Result<Sqlite> {
        let Self { path, mut db } = self;
        let found = Found::read_to_own(&connection::journal(&path))?;
        let journal = handover::recover(&mut db, found)?.start()?;
        let ring = Keyring::of_server(connection::keys(&path));
        keys::start(&db, &ring)?;
        Sqlite::with(&path, db, Some(journal), ring)
    }
}

/// While it is held no gateway can be at work in the data folder.
pub struct Alone {
    _journal: Found,
}

impl Alone {
    /// Fails when a gateway is at work beside the database at `path`.
    pub fn beside(path: &Path) -> Result<Self> {
        Ok(Self { _journal: Found::read_to_own(&connection::journal(path))? })
    }
}
