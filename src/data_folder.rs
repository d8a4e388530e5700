//! The data folder: database, blobs and keys, which belong together. `serve` opens it for the gateway, and the command
//! line opens it beside a gateway. What must never happen: that parts of two folders are used as one (C36).

use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, bail};

use crate::clock::{Clock, Timestamp};
use crate::id::{BlobName, FolderId};
use crate::secret::{Keys, MASTER_KEY};
use crate::store::files::LocalBlobs;
use crate::store::sqlite::{Alone, Database, Sqlite};
use crate::store::{Store, all_names, identity};

/// What the gateway that last used this folder left behind.
#[derive(Clone, Debug, Default)]
pub struct Before {
    /// The id of the folder; `None` where nothing was kept yet.
    pub owner: Option<FolderId>,
    /// When that gateway was last at work.
    pub alive: Option<Timestamp>,
    /// How many blobs the rows named.
    pub named: u64,
    /// The blobs that were there.
    pub found: Vec<BlobName>,
}

/// An open data folder.
pub struct DataFolder {
    /// The database.
    pub store: Arc<dyn Store>,
    /// The sealed files.
    pub blobs: Arc<LocalBlobs>,
    /// The keys that are derived from `master.key`.
    pub keys: Keys,
    /// What the gateway before this one left behind.
    pub before: Before,
    /// The path of the folder.
    pub path: PathBuf,
    /// The id of the folder, where database, blobs and key carry one that proves that they belong together.
    pub id: Option<FolderId>,
}

impl DataFolder {
    /// Opens the folder for the gateway, and makes it if it does not exist. There is one gateway to a folder.
    pub fn open(folder: &Path) -> Result<Self> {
        make(folder)?;
        identity::refuse_moved(folder)?;
        let OpenedFolder { database, keys, blobs, id } = OpenedFolder::open(folder)?;
        let id = match id {
            Some(id) => id,
            None => identity::found(&database, &keys.folder, &blobs, &blobs_folder(folder))?,
        };
        let (found, named) = (all_names(&blobs)?, database.count_blobs()?);
        identity::refuse_most_missing(&database, &blobs_folder(folder), named, found.len() as u64)?;
        let alive = database.begin_life(Clock::system().now())?;
        let before = Before { owner: Some(id.clone()), alive, named, found };
        let store = database.serve()?;
        let keys = keys.with_keyring(store.keyring());
        let (store, blobs) = (Arc::new(store), Arc::new(blobs));
        Ok(Self { store, blobs, keys, before, path: folder.to_owned(), id: Some(id) })
    }

    /// Whether a gateway has used this folder. It is an error if there are blobs or keys but no database.
    pub fn exists(folder: &Path) -> Result<bool> {
        let database = database(folder);
        identity::refuse_moved(folder)?;
        identity::refuse_remains(folder, &database)?;
        Ok(Sqlite::exists(&database))
    }

    /// Opens a folder that a gateway has used, for the command line.
    pub fn open_existing(folder: &Path) -> Result<Self> {
        if !Self::exists(folder)? {
            bail!("{}: no gateway has run here yet", folder.display());
        }
        let OpenedFolder { database, keys, blobs, id } = OpenedFolder::open(folder)?;
        let store = database.attach()?;
        let keys = keys.with_keyring(store.keyring());
        let (store, blobs) = (Arc::new(store), Arc::new(blobs));
        Ok(Self { store, blobs, keys, before: Before::default(), path: folder.to_owned(), id })
    }

    /// The same, with every check that the gateway makes when it starts.
    pub fn open_to_check(folder: &Path) -> Result<Self> {
        let OpenedFolder { database, blobs, .. } = OpenedFolder::open(folder)?;
        let (found, named) = (all_names(&blobs)?, database.count_blobs()?);
        identity::refuse_most_missing(&database, &blobs_folder(folder), named, found.len() as u64)?;
        Self::open_existing(folder)
    }

    /// Opens a folder to move what is in it; it may have been moved before. No gateway can be at work meanwhile.
    #[cfg(feature = "cluster")]
    pub fn open_still(folder: &Path) -> Result<StillFolder> {
        if !Sqlite::exists(&database(folder)) {
            bail!("{}: no gateway has run here yet", folder.display());
        }
        let OpenedFolder { database, blobs, id, .. } = OpenedFolder::open(folder)?;
        if id.is_none() {
            bail!(
                "{}: this data folder has no id yet; start the gateway once, then move it",
                folder.display()
            );
        }
        Ok(StillFolder { rows: database.still()?, blobs })
    }

    /// Makes a folder that is to be filled; nothing may be in it but `master.key`. What a move has left in it that was cut off
    /// says that the folder is to be emptied.
    #[cfg(feature = "cluster")]
    pub fn create_still(folder: &Path) -> Result<StillFolder> {
        identity::refuse_remains(folder, &database(folder)).or_else(|error| match error {
            identity::IdentityError::NoDatabase { remains, .. } if remains == MASTER_KEY => Ok(()),
            error => Err(error),
        })?;
        if Sqlite::exists(&database(folder)) {
            bail!("{}: there is a data folder already; name another one", folder.display());
        }
        let rows = Database::open(&database(folder))?.still()?;
        Ok(StillFolder { rows, blobs: LocalBlobs::open(&blobs_folder(folder))? })
    }

    /// A lock: while it is held no gateway uses the folder. It is an error if one does already.
    pub fn keep_gateways_out(folder: &Path) -> Result<Alone> {
        if !Self::exists(folder)? {
            bail!("{}: no gateway has run here yet", folder.display());
        }
        Ok(Alone::beside(&database(folder))?)
    }

    /// Makes the master key that is in the folder the key of the database.
    pub fn adopt_key(folder: &Path) -> Result<()> {
        let keys = Keys::open(folder, false)?;
        Ok(identity::adopt_key(&Database::open(&database(folder))?, &keys.folder)?)
    }

    /// Makes the blobs that are in the folder all the blobs of the database.
    pub fn adopt_blobs(folder: &Path) -> Result<()> {
        let keys = Keys::open(folder, false)?;
        let (database, blobs) =
            (Database::open(&database(folder))?, LocalBlobs::open(&blobs_folder(folder))?);
        Ok(identity::adopt_blobs(&database, &keys.folder, &folder.join(MASTER_KEY), &blobs)?)
    }
}

/// A data folder at which no gateway can be at work: all of it is in rows, blobs and keys.
#[cfg(feature = "cluster")]
pub struct StillFolder {
    /// The rows.
    pub rows: crate::store::sqlite::Still,
    /// The sealed files.
    pub blobs: LocalBlobs,
}

/// The parts of a [`DataFolder`]: they were verified, and the database is not running yet.
struct OpenedFolder {
    database: Database,
    keys: Keys,
    blobs: LocalBlobs,
    id: Option<FolderId>,
}

impl OpenedFolder {
    fn open(folder: &Path) -> Result<Self> {
        let (path, blobs) = (database(folder), blobs_folder(folder));
        identity::refuse_remains(folder, &path)?;
        let database = Database::open(&path)?;
        let keys = Keys::open(folder, identity::is_new(&database, &blobs)?)?;
        let id = identity::verify(&database, &keys.folder, &folder.join(MASTER_KEY), &blobs)?;
        Ok(Self { database, keys, blobs: LocalBlobs::open(&blobs)?, id })
    }
}

/// Makes the folder if it does not exist. Only the gateway's user may read it.
pub fn make(folder: &Path) -> Result<()> {
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.with_context(|| folder.display().to_string())
}

fn database(folder: &Path) -> PathBuf {
    folder.join(identity::DATABASE)
}

fn blobs_folder(folder: &Path) -> PathBuf {
    folder.join(identity::BLOBS)
}
