//! The database and the bucket of `[store]`, and the master key that every node has. They belong together as the parts of a
//! data folder do: the database says which id the bucket bears, and what only the master key derives from that id.
//!
//! What must never happen: that a node works with a bucket or a key that are another gateway's; that it removes at its start
//! what another node is just writing.

use std::env;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use tokio::runtime::Handle;
use tokio::task::spawn_blocking;

use super::{BlobShares, Home, journal};
use crate::clock::{Clock, Timestamp};
use crate::config::{Bucket, Database, JournalPlace};
use crate::data_folder::{self, Before};
use crate::id::FolderId;
use crate::inventory::Inventory;
use crate::secret::{Keys, MASTER_KEY, MASTER_KEY_VARIABLE};
use crate::store::objects::ObjectBlobs;
use crate::store::postgresql::{Postgres, Schema, SmallBlobs};
use crate::store::{Blobs, Identity};

/// For a node: it brings the database up to date, and the first node of all gives it its identity.
pub(super) async fn open(
    data_dir: &Path,
    (database, bucket): (Database, Bucket),
    journal: JournalPlace,
) -> Result<Home> {
    data_folder::make(data_dir)?;
    let rows = connect(&database)?;
    rows.migrate().await.context(DATABASE)?;
    let known = rows.identity().await.context(DATABASE)?;
    let parts = Parts {
        keys: NodeKeys::read(data_dir, known.is_none())?,
        bucket: open_bucket(&bucket, &rows)?,
        rows,
    };
    let known = match known {
        Some(known) => parts.verify(&known).await.map(|()| known)?,
        None => parts.found().await?,
    };
    let Parts { rows, bucket, keys } = parts;
    let rows = rows.with_keys(bucket.clone()).await;
    let keys = keys.keys.with_keyring(rows.keyring());
    let (rows, keys) = match journal {
        JournalPlace::Local => journal::keep(rows, keys, data_dir, &known.id).await?,
        JournalPlace::Shared => {
            journal::drain(&rows, &keys, data_dir, &known.id).await?;
            (rows, keys)
        }
    };
    Ok(home(rows, bucket, keys))
}

/// What a command does with mail that a node has left in its journal here, and no node is at work on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Left {
    /// It is put into the queue, where every node has it.
    IsQueued,
    /// Nothing: the command only looks.
    Stays,
}

/// For a command; `None` where no node has run yet. It makes nothing.
pub(super) async fn find(
    data_dir: &Path,
    (database, bucket): (Database, Bucket),
    left: Left,
) -> Result<Option<Home>> {
    let rows = connect(&database)?;
    match rows.schema().await.context(DATABASE)? {
        Schema::None => return Ok(None),
        Schema::Older => bail!(
            "{DATABASE}: it is of an older zegel; `zegel migrate` brings it up to date, and so does a node that starts"
        ),
        Schema::Fits => {}
    }
    let Some(known) = rows.identity().await.context(DATABASE)? else { return Ok(None) };
    let parts = Parts { keys: NodeKeys::read(data_dir, false)?, bucket: open_bucket(&bucket, &rows)?, rows };
    parts.verify(&known).await?;
    let Parts { rows, bucket, keys } = parts;
    let rows = rows.with_keys_of_tool(bucket.clone());
    let keys = keys.keys.with_keyring(rows.keyring());
    let rows = journal::beside(rows, data_dir, &known.id)?;
    if left == Left::IsQueued {
        journal::drain(&rows, &keys, data_dir, &known.id).await?;
    }
    Ok(Some(home(rows, bucket, keys)))
}

/// Before everything is moved away: what a node has left here goes along.
pub(super) async fn empty_journal(rows: &Postgres, data_dir: &Path) -> Result<()> {
    let known = match rows.identity().await {
        // A move that was killed after its last commit is made again: this was done before.
        Err(crate::store::StoreError::Moved(_)) => return Ok(()),
        known => known.context(DATABASE)?,
    };
    let Some(known) = known else { return Ok(()) };
    if !journal::is_here(data_dir) {
        return Ok(());
    }
    let keys = NodeKeys::read(data_dir, false)?.keys.with_keyring(rows.keyring());
    journal::drain(rows, &keys, data_dir, &known.id).await
}

/// Brings the database up to date.
pub(super) async fn migrate(database: &Database) -> Result<u32> {
    connect(database)?.migrate().await.context(DATABASE)
}

/// For errors: the key that says where it is.
const DATABASE: &str = "store.database";
/// The same of the bucket.
const BUCKET: &str = "store.blobs";

/// Each start of a node, and each command, is one of its own.
pub(super) fn connect(database: &Database) -> Result<Postgres> {
    Postgres::new(database, FolderId::random()).context(DATABASE)
}

/// These are all the blobs there are, an administrator says: what else rows name is lost for good. Bucket and database get a new
/// id; the bucket first, so that a repair which was cut off is made again.
pub(super) async fn adopt_bucket(
    rows: &Postgres,
    bucket: &Arc<ObjectBlobs>,
    keys: &NodeKeys,
    rotations: Vec<Timestamp>,
) -> Result<()> {
    let id = FolderId::random();
    bucket.set_id(&id).await.context(BUCKET)?;
    let found = Inventory::take(rows, blobs_of(rows, bucket.clone()), Timestamp::UNIX_EPOCH).await?;
    rows.set_identity(keys.identity(id, rotations)).await.context(DATABASE)?;
    rows.set_lost(found.missing.len() as u64).await.context(DATABASE)
}

/// What belongs together.
struct Parts {
    rows: Postgres,
    bucket: Arc<ObjectBlobs>,
    keys: NodeKeys,
}

impl Parts {
    /// Fails where key or bucket are not those of the database.
    async fn verify(&self, known: &Identity) -> Result<()> {
        self.keys.verify(known)?;
        match self.bucket_id().await? {
            Some(found) if found == known.id => Ok(()),
            Some(found) => bail!(
                "store.blobs: these are the blobs of another gateway (id {found}, the database has {}); name those that \
                 belong to the database",
                known.id
            ),
            // The first start of all was cut off, or another node is at it.
            None if self.is_unused().await? => self.mark(known.id.clone()).await,
            None => bail!(
                "store.blobs: these are not the blobs of the database: there is no object folder-{}; name those that \
                 belong to it",
                known.id
            ),
        }
    }

    /// Gives a new database its identity. Of nodes that start at once, one does; the others find it done.
    async fn found(&self) -> Result<Identity> {
        if !self.is_bucket_empty().await? {
            let meanwhile = self.rows.identity().await.context(DATABASE)?;
            let known = meanwhile.context(
                "store.database: the database is new, but store.blobs is not empty; name the database that belongs to the \
                 blobs, or blobs that are empty",
            )?;
            return self.verify(&known).await.map(|()| known);
        }
        let id = self.bucket_id().await?.unwrap_or_else(FolderId::random);
        let known = self.rows.found(self.keys.identity(id, Vec::new())).await.context(DATABASE)?;
        self.verify(&known).await.map(|()| known)
    }

    /// Whether neither rows nor blobs say that a node was ever at work.
    async fn is_unused(&self) -> Result<bool> {
        Ok(self.is_bucket_empty().await? && self.rows.is_unused().await.context(DATABASE)?)
    }

    async fn is_bucket_empty(&self) -> Result<bool> {
        let bucket = Arc::clone(&self.bucket);
        let first = spawn_blocking(move || bucket.names(None, 1)).await?;
        Ok(first.context(BUCKET)?.is_empty())
    }

    async fn bucket_id(&self) -> Result<Option<FolderId>> {
        self.bucket.id().await.context(BUCKET)
    }

    async fn mark(&self, id: FolderId) -> Result<()> {
        self.bucket.set_id(&id).await.context(BUCKET)
    }
}

/// Of parts that belong together.
fn home(rows: Postgres, bucket: Arc<ObjectBlobs>, keys: Keys) -> Home {
    let owner = Some(rows.node().clone());
    let blobs = blobs_of(&rows, bucket);
    let blobs = BlobShares { mail: blobs.clone(), queue: blobs.clone(), pages: blobs };
    // Nothing here was left behind by this node, which is new: another's may be at work on all there is.
    Home { store: Arc::new(rows), blobs, keys, before: Before::default(), owner }
}

/// Large ones in the bucket, small ones beside the rows that name them.
pub(super) fn blobs_of(rows: &Postgres, bucket: Arc<ObjectBlobs>) -> Arc<dyn Blobs> {
    Arc::new(SmallBlobs::new(rows.beside(), bucket, Clock::system(), Handle::current()))
}

/// The keys of a node, and where it has the master key from, for errors.
pub(super) struct NodeKeys {
    pub keys: Keys,
    pub place: String,
}

impl NodeKeys {
    /// What a secret manager gives comes first: in the environment, or as a credential of the unit. Only in the data folder
    /// is one made, and only for a database that is new.
    pub fn read(data_dir: &Path, is_new: bool) -> Result<Self> {
        if let Ok(text) = env::var(MASTER_KEY_VARIABLE) {
            let keys = Keys::from_base64(&text);
            let keys = keys.with_context(|| format!("{MASTER_KEY_VARIABLE}: not a master key in base64"))?;
            return Ok(Self { keys, place: MASTER_KEY_VARIABLE.to_owned() });
        }
        let file = key_file(data_dir);
        if !file.starts_with(data_dir) {
            return Ok(Self { keys: Keys::read(&file)?, place: file.display().to_string() });
        }
        if is_new && !file.exists() {
            tracing::info!(file = %file.display(), "a master key is made: every other node needs a copy of it");
        }
        Ok(Self { keys: Keys::open(data_dir, is_new)?, place: file.display().to_string() })
    }

    /// With this id and this key.
    pub fn identity(&self, id: FolderId, rotations: Vec<Timestamp>) -> Identity {
        Identity::new(id, &self.keys.folder, rotations)
    }

    /// Fails where the database works with another key than any that is here.
    pub fn verify(&self, known: &Identity) -> Result<()> {
        if known.select(&self.keys.folder) {
            return Ok(());
        }
        bail!(
            "{}: this is not the master key that the database of [store] was made with ({}); every node needs the same",
            self.place,
            known.other_key(&self.keys.folder)
        )
    }
}

/// The file that the master key is in, unless the environment has it.
pub(super) fn key_file(data_dir: &Path) -> PathBuf {
    let credential = env::var_os("CREDENTIALS_DIRECTORY").map(|folder| Path::new(&folder).join(MASTER_KEY));
    credential.filter(|file| file.exists()).unwrap_or_else(|| data_dir.join(MASTER_KEY))
}

pub(super) fn open_bucket(bucket: &Bucket, rows: &Postgres) -> Result<Arc<ObjectBlobs>> {
    let blobs = ObjectBlobs::new(bucket, Arc::new(rows.beside()), Clock::system(), Handle::current());
    Ok(Arc::new(blobs.context(BUCKET)?))
}
