//! Moves a gateway that is stopped: from a data folder into a database and a bucket that several nodes share, or back. Called by
//! `zegel move`. Ids, links, passwords, sessions, drafts and the queue stay what they are.
//!
//! Blobs go first, each under its own name and compared by its hash; then keys of short life; then all rows in one transaction, which is
//! compared with what was read before it is committed. A move that was cut off has changed nothing that counts, and
//! begins again where it was.
//!
//! What must never happen: that both sides can be put to work, so that mail is sent from both; that something is missing on the other
//! side and nobody is told.

mod backup;
mod bytes;
mod keys;
mod rows;
#[cfg(test)]
#[cfg(feature = "system-tests")]
mod tests;

pub use self::backup::{BackedUp, Restore, back_up, put_back};

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::{Context, Result, bail};
use tokio::runtime::Handle;

use crate::data_folder::StillFolder;
use crate::id::BlobName;
use crate::secret::MASTER_KEY;
use crate::secret::keyring::Keyring;
use crate::store::Blobs;
use crate::store::Identity;
use crate::store::identity::{MOVED, RESTORING};
use crate::store::postgresql::{Direction, Postgres};

/// Who is shown how far it is.
pub trait Progress: Sync {
    /// So many of `of` are done of this step.
    fn at(&self, step: &str, done: u64, of: u64);
}

/// The database and the bucket, on either side of a move. `bucket_id` reads and sets the object that says whose blobs they are.
pub struct Shared<'a> {
    pub rows: &'a Postgres,
    pub blobs: &'a dyn Blobs,
    /// Marks the bucket as that of this gateway.
    pub mark: &'a dyn Fn(&Identity) -> io::Result<()>,
    pub runtime: Handle,
}

/// What was moved.
#[derive(Debug, Default)]
pub struct Moved {
    /// Nothing, because all of it was moved there before.
    pub before: bool,
    pub rows: u64,
    pub blobs: u64,
    /// Blobs that rows name and that were missing before the move.
    pub lost: Vec<BlobName>,
}

/// Moves what is in the data folder at `path` to `target`, which must be empty, or hold what this move has left before.
pub fn to_shared(
    path: &Path,
    folder: &StillFolder,
    target: &Shared<'_>,
    name: &str,
    progress: &dyn Progress,
) -> Result<Moved> {
    let identity = folder.rows.identity()?.context("the data folder has no id")?;
    let wait = &target.runtime;
    wait.block_on(target.rows.migrate())?;
    match wait.block_on(target.rows.identity())? {
        // The move was cut off after its commit, or was done before.
        Some(found) if found == identity && path.join(MOVED).exists() => {
            return Ok(Moved { before: true, ..Moved::default() });
        }
        Some(found) if found == identity => bail!(
            "the database holds this gateway as an earlier move has left it, and the data folder was used since; empty \
             database and bucket, and move again"
        ),
        Some(found) => bail!("the database is that of another gateway (id {}); name an empty one", found.id),
        None => {}
    }
    let named = rows::named(&folder.rows)?;
    bytes::refuse_others(target.blobs, &named)?;
    // Only beside the mark of its gateway a blob is believed to be missing.
    (target.mark)(&identity)?;
    let copied = bytes::copy(&folder.blobs, target.blobs, &named, progress)?;

    let moving = wait.block_on(target.rows.begin_move(Direction::Here))?;
    if !wait.block_on(moving.is_empty())? {
        bail!("the database is not empty; name an empty one");
    }
    let keys = keys::of_folder(&folder.rows)?
        .moved(&Keyring::of_tool(folder.rows.keys()), &target.rows.keyring())?;
    let rows = rows::to_shared(&folder.rows, &moving, &keys, wait, progress)?;
    // From here on the folder is not used any more, whatever happens: the move is made again, and comes to its end.
    mark_folder(path, name)?;
    let lost = folder.rows.lost()?.max(copied.lost.len() as u64);
    wait.block_on(moving.finish(&identity, lost))?;
    Ok(Moved { before: false, rows, blobs: copied.blobs, lost: copied.lost })
}

/// Moves all of `source` into the new data folder at `path`.
pub fn to_folder(
    source: &Shared<'_>,
    path: &Path,
    key: &Path,
    make: impl FnOnce(&Path) -> Result<StillFolder>,
    progress: &dyn Progress,
) -> Result<Moved> {
    let wait = &source.runtime;
    let moving = wait.block_on(source.rows.begin_move(Direction::Away))?;
    let identity = wait.block_on(moving.identity())?.context("no node has run on this database yet")?;
    let folder = make(path)?;
    let unfinished = path.join(RESTORING);
    new_file(&unfinished, "a move into this folder has begun\n")?;
    let wanted = wait.block_on(keys::of_database(&moving))?;
    let keys = wanted.moved(&source.rows.keyring(), &Keyring::of_tool(folder.rows.keys()))?;
    let rows = rows::to_folder(&moving, &folder.rows, &keys, wait, progress)?;
    let named = rows::named(&folder.rows)?;
    let copied = bytes::copy(source.blobs, &folder.blobs, &named, progress)?;
    if !path.join(MASTER_KEY).exists() {
        let bytes = fs::read(key).with_context(|| key.display().to_string())?;
        let mut file = private(&path.join(MASTER_KEY))?;
        file.write_all(&bytes).and_then(|()| file.sync_all())?;
    }
    let lost = wait.block_on(moving.lost())?.max(copied.lost.len() as u64);
    folder.rows.set_identity(&identity, lost)?;
    folder.blobs.set_id(&identity.id)?;
    sync(path)?;
    // From here on no node starts, whatever happens; the folder is used once the mark of what is unfinished is gone.
    wait.block_on(moving.moved_to(&path.display().to_string()))?;
    fs::remove_file(&unfinished).with_context(|| unfinished.display().to_string())?;
    sync(path)?;
    Ok(Moved { before: false, rows, blobs: copied.blobs, lost: copied.lost })
}

/// No gateway starts on the folder any more. Durable when it returns.
fn mark_folder(path: &Path, name: &str) -> Result<()> {
    if path.join(MOVED).exists() {
        return Ok(());
    }
    new_file(&path.join(MOVED), &format!("{name}\n"))
}

fn new_file(path: &Path, text: &str) -> Result<()> {
    let mut file = private(path)?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all())?;
    sync(path.parent().unwrap_or(Path::new(".")))
}

fn private(path: &Path) -> Result<File> {
    let file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    file.with_context(|| path.display().to_string())
}

fn sync(folder: &Path) -> Result<()> {
    let synced = File::open(folder).and_then(|folder| folder.sync_all());
    synced.with_context(|| folder.display().to_string())
}
