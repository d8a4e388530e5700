//! Backup, restore and repair of what nodes share: see [`crate::moving`].

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tokio::runtime::Runtime;
use zeroize::Zeroizing;

use super::moved::Ends;
use super::shared::{self, NodeKeys};
use super::{Home, Lost};
use crate::backup::{self, Manifest};
use crate::clock::Timestamp;
use crate::config::StoreSection;
use crate::data_folder;
use crate::moving::{self, BackedUp, Moved, Progress, Restore};
use crate::secret::{Keys, MASTER_KEY, MASTER_KEY_VARIABLE};
use crate::store::postgresql::{Direction, Schema};

impl Home {
    /// Writes a backup of the database and the bucket of `store` into the folder `out`, beside nodes that are at work.
    pub fn back_up(
        data_dir: &Path,
        store: &StoreSection,
        out: &Path,
        with_key: bool,
        now: Timestamp,
        progress: &dyn Progress,
    ) -> Result<BackedUp> {
        let runtime = Runtime::new()?;
        // They belong together.
        drop(runtime.block_on(Self::open_existing(data_dir, store))?);
        let key = with_key.then(|| master_key(data_dir)).transpose()?;
        let source = Ends::open(&runtime, store)?;
        source.with(runtime.handle(), |shared| {
            moving::back_up(shared, out, key.as_ref().map(|key| key.as_slice()), now, progress)
        })
    }

    /// Puts the backup in `from` into the database and the bucket of `store`, which must be empty. `key` is the master key's
    /// file where it is neither in the backup nor this node's already.
    pub fn put_back(
        data_dir: &Path,
        store: &StoreSection,
        from: &Path,
        key: Option<&Path>,
        progress: &dyn Progress,
    ) -> Result<(Manifest, Moved)> {
        let manifest = Manifest::read(from)?;
        data_folder::make(data_dir)?;
        let key = KeyToRestore::choose(data_dir, from, &manifest, key)?;
        let runtime = Runtime::new()?;
        let target = Ends::open(&runtime, store)?;
        if runtime.block_on(target.rows.schema())? != Schema::None
            && runtime.block_on(target.rows.identity())?.is_some()
        {
            bail!(
                "store.database: there is a gateway in it already; a backup is put back into an empty database and an empty bucket"
            );
        }
        let name = store.blobs.as_deref().unwrap_or_default();
        let restore = Restore { from, key: (&key.keys.folder, &key.file), beside: data_dir, name };
        let place = || key.place(data_dir);
        let moved = target.with(runtime.handle(), |shared| {
            moving::put_back(&restore, &manifest, shared, place, progress)
        })?;
        Ok((manifest, moved))
    }
}

/// Goes on without `lost`, while no node is at work; `work` is done meanwhile.
pub(super) async fn repair<T>(
    data_dir: &Path,
    store: &StoreSection,
    lost: Lost,
    work: impl AsyncFnOnce(Home) -> Result<T>,
) -> Result<T> {
    let (database, bucket) = store.shared().context("[store]: it names no database and no bucket")?;
    let rows = shared::connect(&database)?;
    if rows.schema().await? != Schema::Fits {
        bail!("store.database: no node of this version has run here; `zegel migrate` brings it up to date");
    }
    // Until its end no node starts.
    let _alone = rows.begin_move(Direction::Here).await?;
    let known = rows.identity().await?.context("no node has run on this database yet")?;
    let keys = NodeKeys::read(data_dir, false)?;
    match lost {
        Lost::Key => rows.set_identity(keys.identity(known.id, known.rotations)).await?,
        Lost::Blobs => {
            keys.verify(&known)?;
            let bucket = shared::open_bucket(&bucket, &rows)?;
            shared::adopt_bucket(&rows, &bucket, &keys, known.rotations).await?;
        }
        Lost::Leftovers => {}
    }
    work(Home::open_existing(data_dir, store).await?).await
}

/// The master key as this node has it.
fn master_key(data_dir: &Path) -> Result<Zeroizing<Vec<u8>>> {
    if let Ok(text) = env::var(MASTER_KEY_VARIABLE) {
        let text = Zeroizing::new(text);
        let key = STANDARD.decode(text.trim());
        return Ok(Zeroizing::new(
            key.with_context(|| format!("{MASTER_KEY_VARIABLE}: not a master key in base64"))?,
        ));
    }
    let file = shared::key_file(data_dir);
    Ok(Zeroizing::new(fs::read(&file).with_context(|| file.display().to_string())?))
}

/// The master key of a backup that is put back.
struct KeyToRestore {
    keys: Keys,
    file: PathBuf,
    /// It becomes this node's key.
    is_new: bool,
}

impl KeyToRestore {
    /// A node's own key counts before all others: it must be the one of the backup.
    fn choose(data_dir: &Path, from: &Path, manifest: &Manifest, key: Option<&Path>) -> Result<Self> {
        if env::var_os(MASTER_KEY_VARIABLE).is_some() || shared::key_file(data_dir).exists() {
            let NodeKeys { keys, place } = NodeKeys::read(data_dir, false)?;
            return Ok(Self { keys, file: place.into(), is_new: false });
        }
        let file = match key {
            Some(key) => key.to_owned(),
            None if manifest.has_key => from.join(MASTER_KEY),
            None => bail!(backup::BackupError::NoKey(from.to_owned())),
        };
        Ok(Self { keys: Keys::read(&file)?, file, is_new: true })
    }

    fn place(&self, data_dir: &Path) -> Result<()> {
        if self.is_new {
            backup::copy(&self.file, &data_dir.join(MASTER_KEY))?;
        }
        Ok(())
    }
}

/// What an administrator should know of the bucket of `store`.
pub(super) async fn advice(store: &StoreSection) -> Result<Vec<String>> {
    let (database, bucket) = store.shared().context("[store]: it names no database and no bucket")?;
    let bucket = shared::open_bucket(&bucket, &shared::connect(&database)?)?;
    Ok(bucket.advice().await)
}
