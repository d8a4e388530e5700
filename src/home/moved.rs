//! Both ends of a move, opened: see [`crate::moving`].

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use tokio::runtime::{Handle, Runtime};

use super::{Home, shared};
use crate::config::StoreSection;
use crate::data_folder::{self, DataFolder};
use crate::moving::{self, Moved, Progress, Shared};
use crate::secret::MASTER_KEY;
use crate::store::objects::ObjectBlobs;
use crate::store::postgresql::Postgres;
use crate::store::{Blobs, Identity};

impl Home {
    /// Moves the data folder, at which no gateway is at work, into the empty database and bucket of `store`.
    pub fn move_to_store(data_dir: &Path, store: &StoreSection, progress: &dyn Progress) -> Result<Moved> {
        let runtime = Runtime::new()?;
        let target = Ends::open(&runtime, store)?;
        let folder = DataFolder::open_still(data_dir)?;
        let name = store.blobs.as_deref().unwrap_or_default();
        target.with(runtime.handle(), |shared| moving::to_shared(data_dir, &folder, shared, name, progress))
    }

    /// Moves what is in the database and bucket of `store`, at which no node is at work, into the new data folder `to`.
    pub fn move_to_folder(
        data_dir: &Path,
        store: &StoreSection,
        to: &Path,
        progress: &dyn Progress,
    ) -> Result<Moved> {
        let runtime = Runtime::new()?;
        let key = data_dir.join(MASTER_KEY);
        if !key.exists() && !to.join(MASTER_KEY).exists() {
            bail!(
                "{}: put a copy of the master key there: a data folder has its own",
                to.join(MASTER_KEY).display()
            );
        }
        data_folder::make(to)?;
        refuse_contents(to)?;
        let source = Ends::open(&runtime, store)?;
        runtime.block_on(shared::empty_journal(&source.rows, data_dir))?;
        source.with(runtime.handle(), |shared| {
            moving::to_folder(shared, to, &key, DataFolder::create_still, progress)
        })
    }
}

/// A folder with anything else in it may be somebody's.
fn refuse_contents(folder: &Path) -> Result<()> {
    let at = || folder.display().to_string();
    for entry in fs::read_dir(folder).with_context(at)? {
        let name = entry.with_context(at)?.file_name();
        if name != MASTER_KEY && name != "lost+found" {
            bail!(
                "{}: this folder is not empty ({} is there); name an empty one",
                at(),
                name.to_string_lossy()
            );
        }
    }
    Ok(())
}

/// The database and the bucket.
pub(super) struct Ends {
    pub rows: Postgres,
    bucket: Arc<ObjectBlobs>,
    blobs: Arc<dyn Blobs>,
}

impl Ends {
    pub fn open(runtime: &Runtime, store: &StoreSection) -> Result<Self> {
        let _inside = runtime.enter();
        let (database, bucket) = store.shared().context("[store]: it names no database and no bucket")?;
        let rows = shared::connect(&database)?;
        let bucket = shared::open_bucket(&bucket, &rows)?;
        let rows = rows.with_keys_of_move(bucket.clone());
        let blobs = shared::blobs_of(&rows, bucket.clone());
        Ok(Self { rows, bucket, blobs })
    }

    pub fn with<T>(&self, runtime: &Handle, work: impl FnOnce(&Shared<'_>) -> Result<T>) -> Result<T> {
        let mark =
            |identity: &Identity| -> io::Result<()> { runtime.block_on(self.bucket.set_id(&identity.id)) };
        let blobs = self.blobs.as_ref();
        work(&Shared { rows: &self.rows, blobs, mark: &mark, runtime: runtime.clone() })
    }
}
