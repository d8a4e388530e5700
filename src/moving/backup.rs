//! A backup of what nodes share, made while they are at work, in the form of a backup of a data folder ([`crate::backup`]); and a
//! backup put back into an empty database and an empty bucket.
//!
//! Rows are of one moment; then keys of short life may be destroyed again, and blobs are copied, each compared by its hash.
//! What nodes give up meanwhile stays until the end ([`crate::store::postgresql::Kept`]).
//!
//! What must never happen: a backup that is called whole and lacks a blob or a key which its rows name and which was there.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::{Moved, Progress, Shared, bytes, keys, rows, to_shared};
use crate::backup::{self, BackupError, Manifest};
use crate::clock::Timestamp;
use crate::data_folder::{DataFolder, StillFolder};
use crate::secret::keyring::Keyring;
use crate::secret::{FolderKey, MASTER_KEY};
use crate::store::files::LocalBlobs;
use crate::store::identity::{self, BLOBS, DATABASE, KEYS};
use crate::store::sqlite::Database;
use crate::store::{Blobs, Identity};

/// What was backed up, and what of it nobody could read any more.
pub struct BackedUp {
    pub manifest: Manifest,
    /// Mails in the queue whose keys are gone.
    pub unreadable_mails: usize,
    /// Links whose keys are gone.
    pub unreadable_links: u64,
}

/// Writes a backup into the empty folder `out`, with this master key or without one.
pub fn back_up(
    source: &Shared<'_>,
    out: &Path,
    master_key: Option<&[u8]>,
    now: Timestamp,
    progress: &dyn Progress,
) -> Result<BackedUp> {
    let mut unreadable = (0, 0);
    let manifest =
        backup::in_new_folder(out, || write(source, out, master_key, now, progress, &mut unreadable))?;
    let (unreadable_mails, unreadable_links) = unreadable;
    Ok(BackedUp { manifest, unreadable_mails, unreadable_links })
}

fn write(
    source: &Shared<'_>,
    out: &Path,
    master_key: Option<&[u8]>,
    now: Timestamp,
    progress: &dyn Progress,
    unreadable: &mut (usize, u64),
) -> Result<Manifest> {
    let wait = &source.runtime;
    let kept = wait.block_on(source.rows.keep_all())?;
    let (identity, folder) = copy_rows(source, out, progress, unreadable)?;
    wait.block_on(kept.release_keys())?;
    let named = rows::named(&folder.rows)?;
    bytes::copy(source.blobs, &folder.blobs, &named, progress)?;
    wait.block_on(kept.end())?;

    let StillFolder { rows, blobs } = folder;
    // The database is one file again, with nothing of it in a log; in a backup there is no journal.
    drop(rows);
    remove_empty_journal(out)?;
    blobs.set_id(&identity.id)?;
    if let Some(master_key) = master_key {
        backup::new_file(&out.join(MASTER_KEY))?.write_all(master_key)?;
    }
    let database = Database::open(&out.join(DATABASE))?;
    let mut manifest = Manifest::new(identity.id, now, master_key.is_some());
    backup::list_blobs(&database, out, &mut manifest, |name| {
        let facts = blobs.look(name).map_err(|error| BackupError::File(out.to_owned(), error))?;
        Ok(facts.map(|facts| facts.size))
    })?;
    drop(database);
    backup::finish(out, &manifest)?;
    Ok(manifest)
}

/// All rows as they are at one moment, and the keys that they need.
fn copy_rows(
    source: &Shared<'_>,
    out: &Path,
    progress: &dyn Progress,
    unreadable: &mut (usize, u64),
) -> Result<(Identity, StillFolder)> {
    let wait = &source.runtime;
    let moment = wait.block_on(source.rows.begin_backup())?;
    let identity = wait.block_on(moment.identity())?.context("no node has run on this database yet")?;
    let folder = DataFolder::create_still(out)?;
    let wanted = wait.block_on(keys::of_database(&moment))?;
    let (names, missing) = wanted.copied(&source.rows.keyring(), &Keyring::of_tool(folder.rows.keys()))?;
    rows::to_folder(&moment, &folder.rows, &names, wait, progress)?;
    folder.rows.set_identity(&identity, wait.block_on(moment.lost())?)?;
    *unreadable = (missing, moment.unreadable());
    Ok((identity, folder))
}

fn remove_empty_journal(out: &Path) -> Result<()> {
    let journal = out.join("journal");
    match fs::remove_dir_all(&journal) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| journal.display().to_string())
        }
        _ => Ok(()),
    }
}

/// The folder of a restore in the data folder of its node.
const SCRATCH: &str = "restore.scratch";

/// A folder that is gone when this is. It holds a copy of rows and keys: what a restore has left that was killed goes first.
struct Scratch(PathBuf);

impl Scratch {
    fn new(folder: PathBuf) -> Result<Self> {
        match fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(error).with_context(|| folder.display().to_string());
            }
            _ => backup::new_folder(&folder)?,
        }
        Ok(Self(folder))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            tracing::warn!(folder = %self.0.display(), %error, "cannot be removed; it holds a copy of rows and keys");
        }
    }
}

/// What a restore needs besides the backup.
pub struct Restore<'a> {
    /// The backup.
    pub from: &'a Path,
    /// What the master key is known by, and where it is, for errors.
    pub key: (&'a FolderKey, &'a Path),
    /// A folder in which a copy of the rows may be made.
    pub beside: &'a Path,
    /// The name of the bucket.
    pub name: &'a str,
}

/// Puts a backup into an empty database and an empty bucket, once it has proved to be whole. `before` is called when it has.
pub fn put_back(
    restore: &Restore<'_>,
    manifest: &Manifest,
    target: &Shared<'_>,
    before: impl FnOnce() -> Result<()>,
    progress: &dyn Progress,
) -> Result<Moved> {
    let Restore { from, key: (key, key_file), beside, name } = restore;
    let scratch = Scratch::new(beside.join(SCRATCH))?;
    backup::copy(&from.join(DATABASE), &scratch.0.join(DATABASE))?;
    backup::copy_folder(&from.join(KEYS), &scratch.0.join(KEYS))?;
    let database = Database::open(&scratch.0.join(DATABASE))?;
    let id = identity::verify(&database, key, key_file, &from.join(BLOBS))?;
    if id.is_none() {
        bail!(BackupError::NoId(from.to_path_buf()));
    }
    backup::verify(from, &database, manifest)?;
    before()?;
    let folder = StillFolder { rows: database.still()?, blobs: LocalBlobs::existing(&from.join(BLOBS)) };
    to_shared(&scratch.0, &folder, target, name, progress)
}
