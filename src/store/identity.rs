//! Database, blobs and `master.key` of a data folder belong together and carry one id. The id is in the database and in the
//! name of a subfolder of the blobs; the database also holds a value that only the key can derive from it. `serve` checks all
//! three before it opens a data folder.
//!
//! What must never happen: that a database which is new, or another's, is put to work beside blobs that it does not know.
//! They would be swept away as left by a crash.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::files::LocalBlobs;
use super::sqlite::{Database, Sqlite};
use super::{Blobs, Identity, NamedBlob, StoreError, at};
use crate::clock::Timestamp;
use crate::id::FolderId;
use crate::secret::{FolderKey, MASTER_KEY};

/// The database of a data folder.
pub const DATABASE: &str = "zegel.db";
/// Its folder of blobs.
pub const BLOBS: &str = "blobs";
/// Its folder of keys that live shortly.
pub const KEYS: &str = "keys";
/// The file that is there while a backup is being put back.
pub const RESTORING: &str = "restore.unfinished";
/// The file that is there since everything was moved to a database and a bucket, which it names.
pub const MOVED: &str = "moved";

/// What can only lie in the data folder of a gateway that was at work. The log of a database counts as well: a new one
/// would take in what it holds.
const REMAINS: [&str; 5] = [MASTER_KEY, BLOBS, "journal", KEYS, "zegel.db-wal"];
/// A database that names so many blobs is not believed when there is none at all.
const SEVERAL: u64 = 20;
/// Rows that are read at once.
const PAGE: usize = 1000;

/// Why a data folder is not opened. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// A backup was being put back, and that did not come to its end.
    #[error(
        "{0}: a restore into this folder was not finished; empty it and restore again (the file restore.unfinished \
         marks it)"
    )]
    Restoring(PathBuf),
    /// Everything is elsewhere by now.
    #[error(
        "{folder}: everything in it was moved to {to}: start the gateway with that as its [store]. Only if the move is to be \
         undone, remove the file moved: mail in the queue would be sent from both"
    )]
    Moved {
        /// The data folder
        folder: PathBuf,
        /// What the file says
        to: String,
    },
    /// There are remains, and no database.
    #[error(
        "{database}: the database is missing, but {remains} are there from before; restore the database that belongs \
         to them, or move them away to begin anew"
    )]
    NoDatabase {
        /// Where it should be
        database: PathBuf,
        /// What is there
        remains: String,
    },
    /// The database was never used; the blobs were.
    #[error(
        "{database}: the database is new, but {blobs} is not empty; restore the database that belongs to it, or move \
         both away to begin anew"
    )]
    NewDatabase {
        database: PathBuf,
        /// The folder with blobs
        blobs: PathBuf,
    },
    /// The database was made with another key.
    #[error(
        "{key}: this is not the master key that {database} was made with ({names}); put that one back. If it is lost for \
         good: zegel repair key"
    )]
    AnotherKey {
        key: PathBuf,
        database: PathBuf,
        /// [`Identity::other_key`]
        names: String,
    },
    /// The folder of blobs says nothing of a data folder.
    #[error(
        "{blobs}: these are not the blobs of {database}: the subfolder folder-… is missing, so the folder was emptied, or its \
         disk is not mounted; mount or restore it. If the blobs are lost for good: zegel repair blobs"
    )]
    NoBlobs {
        /// The folder
        blobs: PathBuf,
        database: PathBuf,
    },
    /// The folder of blobs is of another data folder.
    #[error(
        "{blobs}: these are the blobs of another data folder (id {found}, {database} has {known}); put those in place \
         that belong to the database. If they are lost for good: zegel repair blobs"
    )]
    AnotherBlobs {
        /// The folder
        blobs: PathBuf,
        found: FolderId,
        database: PathBuf,
        known: FolderId,
    },
    /// The folder says that it belongs here, but most of what the database names is missing.
    #[error(
        "{blobs}: of the blobs that {database} names, {missing} are missing; restore them. If they are lost for good: \
         zegel repair blobs"
    )]
    MissingBlobs {
        /// The folder
        blobs: PathBuf,
        database: PathBuf,
        /// How many
        missing: String,
    },
    /// The store could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A file could not be read.
    #[error(transparent)]
    File(#[from] io::Error),
}

/// Fails when everything was moved elsewhere.
pub fn refuse_moved(folder: &Path) -> Result<(), IdentityError> {
    let path = folder.join(MOVED);
    match fs::read_to_string(&path) {
        Ok(to) => Err(IdentityError::Moved { folder: folder.to_owned(), to: to.trim().to_owned() }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(at(&path, error).into()),
    }
}

/// Fails when there is no database, but something that only belongs beside one. Ask it before anything is opened.
pub fn refuse_remains(folder: &Path, database: &Path) -> Result<(), IdentityError> {
    if is_there(&folder.join(RESTORING))? {
        return Err(IdentityError::Restoring(folder.to_owned()));
    }
    if Sqlite::exists(database) {
        return Ok(());
    }
    let mut remains = Vec::new();
    for name in REMAINS {
        if is_there(&folder.join(name))? {
            remains.push(name);
        }
    }
    if remains.is_empty() {
        return Ok(());
    }
    Err(IdentityError::NoDatabase { database: database.to_owned(), remains: remains.join(", ") })
}

/// An empty folder, or one for what is being written, is what a first start has left that was cut off.
fn is_there(path: &Path) -> Result<bool, IdentityError> {
    if path.ends_with(BLOBS) {
        return Ok(LocalBlobs::any_in(path)? || LocalBlobs::id_in(path)?.is_some());
    }
    match fs::read_dir(path) {
        Ok(mut entries) => Ok(entries.next().is_some()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => Ok(true),
        Err(error) => Err(at(path, error).into()),
    }
}

/// Whether nothing was ever kept here, so that a new master key may be made.
pub fn is_new(database: &Database, blobs: &Path) -> Result<bool, IdentityError> {
    if !database.is_unused()? {
        return Ok(false);
    }
    if LocalBlobs::any_in(blobs)? {
        return Err(IdentityError::NewDatabase {
            database: database.path().to_owned(),
            blobs: blobs.to_owned(),
        });
    }
    Ok(true)
}

/// The id of the data folder, when database, key and blobs have proved that they belong together; `None` where the
/// database has no id yet.
pub fn verify(
    database: &Database,
    key: &FolderKey,
    key_file: &Path,
    blobs: &Path,
) -> Result<Option<FolderId>, IdentityError> {
    let Some(identity) = database.identity()? else { return Ok(None) };
    verify_key(database, &identity, key, key_file)?;
    let (id, path) = (identity.id, || database.path().to_owned());
    match LocalBlobs::id_in(blobs)? {
        Some(found) if found == id => {}
        Some(found) => {
            let blobs = blobs.to_owned();
            return Err(IdentityError::AnotherBlobs { blobs, found, database: path(), known: id });
        }
        None => return Err(IdentityError::NoBlobs { blobs: blobs.to_owned(), database: path() }),
    }
    Ok(Some(id))
}

/// Fails when so few blobs were found that most of those are missing which rows name. A few may be lost; when most are,
/// they are somewhere else.
pub fn refuse_most_missing(
    database: &Database,
    blobs: &Path,
    named: u64,
    found: u64,
) -> Result<(), IdentityError> {
    if named < SEVERAL || found >= named / 2 {
        return Ok(());
    }
    Err(missing(database, blobs, format!("at least {} of {named}", named - found)))
}

/// Gives a data folder its id: a new one, or one from before there were ids, where most of the blobs that the database
/// names are there. The database comes last: what it says is true then.
pub fn found(
    database: &Database,
    key: &FolderKey,
    blobs: &LocalBlobs,
    path: &Path,
) -> Result<FolderId, IdentityError> {
    let (absent, named) = count_absent(database, blobs)?;
    if absent > named / 2 {
        return Err(missing(database, path, format!("{absent} of {named}")));
    }
    let id = match LocalBlobs::id_in(path)? {
        Some(id) => id,
        None => {
            let id = FolderId::random();
            blobs.set_id(&id)?;
            id
        }
    };
    set(database, key, id.clone(), Vec::new())?;
    Ok(id)
}

/// An administrator says that this key is to be the database's: the one it was made with is lost for good.
pub fn adopt_key(database: &Database, key: &FolderKey) -> Result<(), IdentityError> {
    match database.identity()? {
        Some(Identity { id, rotations, .. }) => set(database, key, id, rotations),
        None => Ok(()),
    }
}

/// An administrator says that there are no other blobs than these: what else the database names is lost for good. Both
/// get a new id. The key must be the right one, for the new id is bound to it.
pub fn adopt_blobs(
    database: &Database,
    key: &FolderKey,
    key_file: &Path,
    blobs: &LocalBlobs,
) -> Result<(), IdentityError> {
    let mut rotations = Vec::new();
    if let Some(identity) = database.identity()? {
        verify_key(database, &identity, key, key_file)?;
        rotations = identity.rotations;
    }
    let (lost, _) = count_absent(database, blobs)?;
    let id = FolderId::random();
    blobs.set_id(&id)?;
    set(database, key, id, rotations)?;
    Ok(database.set_lost(lost)?)
}

fn verify_key(
    database: &Database,
    identity: &Identity,
    key: &FolderKey,
    key_file: &Path,
) -> Result<(), IdentityError> {
    if identity.select(key) {
        return Ok(());
    }
    let (database, names) = (database.path().to_owned(), identity.other_key(key));
    Err(IdentityError::AnotherKey { key: key_file.to_owned(), database, names })
}

fn set(
    database: &Database,
    key: &FolderKey,
    id: FolderId,
    rotations: Vec<Timestamp>,
) -> Result<(), IdentityError> {
    Ok(database.set_identity(&Identity::new(id, key, rotations))?)
}

/// How many of the blobs that the database names are not there, and how many it names.
fn count_absent(database: &Database, blobs: &LocalBlobs) -> Result<(u64, u64), IdentityError> {
    let (mut absent, mut named, mut after) = (0, 0, None);
    loop {
        let page = database.named_blobs(after.as_ref(), PAGE)?;
        let Some(last) = page.last() else { return Ok((absent, named)) };
        after = Some(last.blob.clone());
        for NamedBlob { blob, .. } in page {
            named += 1;
            absent += u64::from(blobs.look(&blob)?.is_none());
        }
    }
}

fn missing(database: &Database, blobs: &Path, missing: String) -> IdentityError {
    IdentityError::MissingBlobs { blobs: blobs.to_owned(), database: database.path().to_owned(), missing }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use tempfile::TempDir;

    use super::*;
    use crate::secret::Keys;

    fn folder() -> (TempDir, Database, LocalBlobs, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("blobs");
        let database = Database::open(&dir.path().join("zegel.db")).unwrap();
        let blobs = LocalBlobs::open(&path).unwrap();
        (dir, database, blobs, path)
    }

    fn write(blobs: &LocalBlobs) {
        let mut writer = blobs.create().unwrap();
        writer.write_all(b"sealed").unwrap();
        writer.commit().unwrap();
    }

    /// C36: a first start that is cut off at any point is simply begun again.
    #[test]
    fn a_first_start_goes_on_where_it_was_cut_off() {
        let (_dir, database, blobs, path) = folder();
        let key = Keys::derive(&[7; 32]).folder;
        let verify = || verify(&database, &key, Path::new("master.key"), &path);
        assert!(is_new(&database, &path).unwrap());
        assert_eq!(verify().unwrap(), None);
        let id = FolderId::random();
        blobs.set_id(&id).unwrap();
        assert!(is_new(&database, &path).unwrap());
        assert_eq!(verify().unwrap(), None);
        found(&database, &key, &blobs, &path).unwrap();
        assert_eq!(database.identity().unwrap().unwrap().id, id);
        assert!(!is_new(&database, &path).unwrap());
        assert_eq!(verify().unwrap(), Some(id));
    }

    #[test]
    fn a_new_database_is_no_home_for_old_blobs() {
        let (_dir, database, blobs, path) = folder();
        write(&blobs);
        assert!(matches!(is_new(&database, &path), Err(IdentityError::NewDatabase { .. })));
    }
}
