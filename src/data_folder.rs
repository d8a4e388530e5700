//! The data folder: database, blobs and keys, which belong together. Opened by `serve` for the gateway, and by the
//! command line beside it. What must never happen: that parts of two folders are used as one (C36).

use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, bail};

use crate::clock::{Clock, Timestamp};
use crate::id::BlobName;
use crate::secret::{Keys, MASTER_KEY};
use crate::store::files::LocalBlobs;
use crate::store::sqlite::{Alone, Database, Sqlite};
use crate::store::{Blobs, Store, identity};

/// What the database said of its former life, before this one began.
#[derive(Clone, Debug, Default)]
pub struct Before {
    /// When a gateway was last at work.
    pub alive: Option<Timestamp>,
    /// How many blobs rows named.
    pub named: u64,
    /// Which blobs were there.
    pub found: Vec<BlobName>,
}

/// Store, blobs and keys: what lies in the data folder, and belongs together.
pub struct DataFolder {
    /// Rows.
    pub store: Arc<dyn Store>,
    /// Sealed bytes
    pub blobs: Arc<LocalBlobs>,
    /// Everything that follows from `master.key`
    pub keys: Keys,
    /// Of the gateway that was here before.
    pub before: Before,
    /// Where it is.
    pub path: PathBuf,
    /// Whether database, blobs and key have proved that they belong together.
    pub has_id: bool,
}

impl DataFolder {
    /// For the gateway, of which there is one: opens the data folder, and makes it when it is not there.
    pub fn open(folder: &Path) -> Result<Self> {
        make(folder)?;
        let Verified { database, keys, blobs, has_id } = Verified::open(folder)?;
        if !has_id {
            identity::found(&database, &keys.folder, &blobs, &blobs_folder(folder))?;
        }
        let (found, named) = (blobs.names()?, database.count_blobs()?);
        identity::refuse_most_missing(&database, &blobs_folder(folder), named, found.len() as u64)?;
        let before = Before { alive: database.begin_life(Clock::system().now())?, named, found };
        let store = database.serve()?;
        let keys = keys.with_keyring(store.keyring());
        let (store, blobs) = (Arc::new(store), Arc::new(blobs));
        Ok(Self { store, blobs, keys, before, path: folder.to_owned(), has_id: true })
    }

    /// Whether a gateway has used this data folder. Fails where there is much of one, but no database.
    pub fn exists(folder: &Path) -> Result<bool> {
        let database = database(folder);
        identity::refuse_remains(folder, &database)?;
        Ok(Sqlite::exists(&database))
    }

    /// For the command line: a data folder that a gateway has used.
    pub fn open_existing(folder: &Path) -> Result<Self> {
        if !Self::exists(folder)? {
            bail!("{}: no gateway has run here yet", folder.display());
        }
        let Verified { database, keys, blobs, has_id } = Verified::open(folder)?;
        let store = database.attach()?;
        let keys = keys.with_keyring(store.keyring());
        let (store, blobs) = (Arc::new(store), Arc::new(blobs));
        Ok(Self { store, blobs, keys, before: Before::default(), path: folder.to_owned(), has_id })
    }

    /// The same for who asks whether a gateway would start: looks at every blob.
    pub fn open_to_check(folder: &Path) -> Result<Self> {
        let Verified { database, blobs, .. } = Verified::open(folder)?;
        let (found, named) = (blobs.names()?, database.count_blobs()?);
        identity::refuse_most_missing(&database, &blobs_folder(folder), named, found.len() as u64)?;
        Self::open_existing(folder)
    }

    /// No gateway is at work in the data folder, nor begins while this is held.
    pub fn keep_gateways_out(folder: &Path) -> Result<Alone> {
        if !Self::exists(folder)? {
            bail!("{}: no gateway has run here yet", folder.display());
        }
        Ok(Alone::beside(&database(folder))?)
    }

    /// The master key that lies there is the database's from now on.
    pub fn adopt_key(folder: &Path) -> Result<()> {
        let keys = Keys::open(folder, false)?;
        Ok(identity::adopt_key(&Database::open(&database(folder))?, &keys.folder)?)
    }

    /// The blobs that lie there are the database's from now on.
    pub fn adopt_blobs(folder: &Path) -> Result<()> {
        let keys = Keys::open(folder, false)?;
        let (database, blobs) =
            (Database::open(&database(folder))?, LocalBlobs::open(&blobs_folder(folder))?);
        Ok(identity::adopt_blobs(&database, &keys.folder, &folder.join(MASTER_KEY), &blobs)?)
    }
}

/// What a [`DataFolder`] is made of: verified, and not at work yet.
struct Verified {
    database: Database,
    keys: Keys,
    blobs: LocalBlobs,
    has_id: bool,
}

impl Verified {
    fn open(folder: &Path) -> Result<Self> {
        let (path, blobs) = (database(folder), blobs_folder(folder));
        identity::refuse_remains(folder, &path)?;
        let database = Database::open(&path)?;
        let keys = Keys::open(folder, identity::is_new(&database, &blobs)?)?;
        let has_id = identity::verify(&database, &keys.folder, &folder.join(MASTER_KEY), &blobs)?;
        Ok(Self { database, keys, blobs: LocalBlobs::open(&blobs)?, has_id })
    }
}

/// Makes the folder where it is not there, for the gateway alone to read.
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
