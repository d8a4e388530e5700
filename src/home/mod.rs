//! Where a gateway keeps everything: a data folder of its own, or with `[store]` a database and a bucket that any number of
//! nodes share. `serve` opens it for the gateway, and the command line opens it beside one.

#[cfg(feature = "cluster")]
mod journal;
#[cfg(feature = "cluster")]
mod kept;
#[cfg(feature = "cluster")]
mod moved;
#[cfg(feature = "cluster")]
mod shared;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, bail};

use crate::config::StoreSection;
use crate::data_folder::{Before, DataFolder};
use crate::id::FolderId;
use crate::secret::{Keys, MASTER_KEY, MASTER_KEY_VARIABLE};
use crate::store::room::DiskShare;
use crate::store::{Blobs, Store};

/// What a gateway works with.
pub struct Home {
    /// The rows.
    pub store: Arc<dyn Store>,
    /// The sealed bytes.
    pub blobs: BlobShares,
    /// The keys that are derived from the master key.
    pub keys: Keys,
    /// What the gateway before this one left behind.
    pub before: Before,
    /// Whose the claims of this gateway are; `None` for a data folder from before there were ids, until `serve` opens it.
    pub owner: Option<FolderId>,
}

/// The sealed bytes as each kind of writer sees them: where a disk bounds them, each must leave another part of it free.
pub struct BlobShares {
    /// For new mail.
    pub mail: Arc<dyn Blobs>,
    /// For what was accepted before.
    pub queue: Arc<dyn Blobs>,
    /// For visitors of the pages.
    pub pages: Arc<dyn Blobs>,
}

impl Home {
    /// Opens it for the gateway, and makes what is not there yet.
    pub async fn open(data_dir: &Path, store: &StoreSection) -> Result<Self> {
        match store.shared() {
            None => alone(DataFolder::open(data_dir)?),
            #[cfg(feature = "cluster")]
            Some(shared) => shared::open(data_dir, shared, store.journal).await,
            #[cfg(not(feature = "cluster"))]
            Some(_) => bail!(StoreSection::NOT_BUILT),
        }
    }

    /// Opens what a gateway has used, for the command line; `None` where none has run yet. Makes nothing.
    pub async fn find(data_dir: &Path, store: &StoreSection) -> Result<Option<Self>> {
        match store.shared() {
            None if !DataFolder::exists(data_dir)? => Ok(None),
            None => alone(DataFolder::open_existing(data_dir)?).map(Some),
            #[cfg(feature = "cluster")]
            Some(shared) => shared::find(data_dir, shared, shared::Left::IsQueued).await,
            #[cfg(not(feature = "cluster"))]
            Some(_) => bail!(StoreSection::NOT_BUILT),
        }
    }

    /// The same; it is an error where none has run yet.
    pub async fn open_existing(data_dir: &Path, store: &StoreSection) -> Result<Self> {
        let place =
            store.database.as_ref().map_or_else(|| data_dir.display().to_string(), |_| "[store]".to_owned());
        Self::find(data_dir, store).await?.with_context(|| format!("{place}: no gateway has run here yet"))
    }

    /// As [`Home::find`], with every check that the gateway makes when it starts.
    pub async fn check(data_dir: &Path, store: &StoreSection) -> Result<Option<Self>> {
        match store.shared() {
            None if data_dir.is_file() => bail!("this is not a folder"),
            None if !DataFolder::exists(data_dir)? => Ok(None),
            None => alone(DataFolder::open_to_check(data_dir)?).map(Some),
            #[cfg(feature = "cluster")]
            Some(shared) => shared::find(data_dir, shared, shared::Left::Stays).await,
            #[cfg(not(feature = "cluster"))]
            Some(_) => bail!(StoreSection::NOT_BUILT),
        }
    }
}

/// What an administrator says is lost for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lost {
    /// The master key that the store was made with.
    Key,
    /// Blobs that rows name.
    Blobs,
    /// The rows of blobs that no row names.
    Leftovers,
}

impl Home {
    /// Goes on without `lost`, and does `work` before any gateway may start. It is an error while one is at work.
    pub async fn repair<T>(
        data_dir: &Path,
        store: &StoreSection,
        lost: Lost,
        work: impl AsyncFnOnce(Home) -> Result<T>,
    ) -> Result<T> {
        if store.shared().is_some() {
            #[cfg(feature = "cluster")]
            return kept::repair(data_dir, store, lost, work).await;
            #[cfg(not(feature = "cluster"))]
            bail!(StoreSection::NOT_BUILT);
        }
        let _alone = DataFolder::keep_gateways_out(data_dir)?;
        match lost {
            Lost::Key => DataFolder::adopt_key(data_dir)?,
            Lost::Blobs => DataFolder::adopt_blobs(data_dir)?,
            Lost::Leftovers => {}
        }
        work(Self::open_existing(data_dir, store).await?).await
    }

    /// What an administrator should know of where everything is kept.
    pub async fn advice(store: &StoreSection) -> Result<Vec<String>> {
        match store.shared() {
            None => Ok(Vec::new()),
            #[cfg(feature = "cluster")]
            Some(_) => kept::advice(store).await,
            #[cfg(not(feature = "cluster"))]
            Some(_) => bail!(StoreSection::NOT_BUILT),
        }
    }
}

/// The file that the master keys are in; `None` where they come from the environment.
pub fn master_key_file(data_dir: &Path, store: &StoreSection) -> Option<PathBuf> {
    match store.shared() {
        #[cfg(feature = "cluster")]
        Some(_) => std::env::var_os(MASTER_KEY_VARIABLE).is_none().then(|| shared::key_file(data_dir)),
        _ => Some(data_dir.join(MASTER_KEY)),
    }
}

/// Brings the database of `[store]` up to date; tells how many steps that were.
pub async fn migrate(store: &StoreSection) -> Result<u32> {
    match store.shared() {
        None => bail!("there is no [store]"),
        #[cfg(feature = "cluster")]
        Some((database, _)) => shared::migrate(&database).await,
        #[cfg(not(feature = "cluster"))]
        Some(_) => bail!(StoreSection::NOT_BUILT),
    }
}

/// A data folder has its key in it: one that is given besides would be forgotten in no backup, and used by nobody.
fn alone(folder: DataFolder) -> Result<Home> {
    if std::env::var_os(MASTER_KEY_VARIABLE).is_some() {
        bail!(
            "{MASTER_KEY_VARIABLE} is for nodes that share a [store]; a data folder has its own master.key"
        );
    }
    let DataFolder { store, blobs, keys, before, id, .. } = folder;
    let share = |share| -> Arc<dyn Blobs> { Arc::new(blobs.shared(share)) };
    let (queue, pages) = (share(DiskShare::Queue), share(DiskShare::Pages));
    Ok(Home { store, blobs: BlobShares { mail: blobs, queue, pages }, keys, before, owner: id })
}
