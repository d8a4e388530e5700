//! Puts a backup back.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::files::{at, clear, copy, copy_folder, empty_folder, flush, new_file};
use super::{BackupError, LIST, Manifest, PAGE};
use crate::id::BlobName;
use crate::inventory::fits;
use crate::secret::{Keys, MASTER_KEY};
use crate::store::Blobs;
use crate::store::files::LocalBlobs;
use crate::store::identity::{self, BLOBS, DATABASE, KEYS, RESTORING};
use crate::store::sqlite::Database;

/// Puts the backup in the folder `from` into the data folder `to`, which must be empty, and checks that all of it
/// belongs together. `key` is the master key's file where the backup has none. On an error nothing is left in `to`.
pub fn restore(from: &Path, to: &Path, key: Option<&Path>) -> Result<Manifest, BackupError> {
    let manifest = Manifest::read(from)?;
    empty_folder(to)?;
    if fs::metadata(to).map_err(at(to))?.uid() != rustix::process::geteuid().as_raw() {
        return Err(BackupError::Owner(to.to_owned()));
    }
    // While it is there no gateway starts.
    new_file(&to.join(RESTORING))?;
    if let Err(error) = put_back(from, to, key, &manifest) {
        clear(to, &[DATABASE, "zegel.db-wal", "zegel.db-shm", MASTER_KEY, KEYS, BLOBS, RESTORING]);
        return Err(error);
    }
    flush(to)?;
    fs::remove_file(to.join(RESTORING)).map_err(at(to))?;
    flush(to)?;
    Ok(manifest)
}

fn put_back(from: &Path, to: &Path, key: Option<&Path>, manifest: &Manifest) -> Result<(), BackupError> {
    let path = to.join(DATABASE);
    copy(&from.join(DATABASE), &path)?;
    copy_key(from, to, key, manifest)?;
    copy_folder(&from.join(KEYS), &to.join(KEYS))?;
    let blobs = LocalBlobs::open(&to.join(BLOBS)).map_err(at(to))?;
    copy_blobs(from, &blobs, manifest)?;
    blobs.set_id(&manifest.folder).map_err(at(to))?;
    let store = |error| BackupError::Store(path.clone(), error);
    let database = Database::open(&path).map_err(store)?;
    compare(from, &database, &blobs, manifest)?;
    database.set_lost(manifest.lost.len() as u64).map_err(store)?;
    let keys = Keys::open(to, false)?;
    let id = identity::verify(&database, &keys.folder, &to.join(MASTER_KEY), &to.join(BLOBS))?;
    id.map(drop).ok_or_else(|| BackupError::NoId(from.to_owned()))
}

fn copy_key(from: &Path, to: &Path, key: Option<&Path>, manifest: &Manifest) -> Result<(), BackupError> {
    let own = from.join(MASTER_KEY);
    let key = match key {
        Some(key) => key,
        None if manifest.has_key => &own,
        None => return Err(BackupError::NoKey(from.to_owned())),
    };
    copy(key, &to.join(MASTER_KEY)).map(drop)
}

/// Fails where the backup is not whole. `database` is a copy of its own.
#[cfg(feature = "cluster")]
pub fn verify(from: &Path, database: &Database, manifest: &Manifest) -> Result<(), BackupError> {
    let blobs = LocalBlobs::existing(&from.join(BLOBS));
    let size = |name: &BlobName| Ok(blobs.look(name).map_err(at(from))?.map(|facts| facts.size));
    each_blob(from, &blobs, manifest, size)?;
    compare(from, database, &blobs, manifest)
}

/// The blobs of the list, each of the size that it had.
fn copy_blobs(from: &Path, to: &LocalBlobs, manifest: &Manifest) -> Result<(), BackupError> {
    let blobs = LocalBlobs::existing(&from.join(BLOBS));
    each_blob(from, &blobs, manifest, |name| blobs.copy_to(name, to).map_err(at(from)))
}

/// Does something with every blob of the list that tells its size, which must be as it was.
fn each_blob(
    from: &Path,
    blobs: &LocalBlobs,
    manifest: &Manifest,
    mut size_of: impl FnMut(&BlobName) -> Result<Option<u64>, BackupError>,
) -> Result<(), BackupError> {
    let list = from.join(LIST);
    let lines = BufReader::new(File::open(&list).map_err(at(&list))?).lines();
    let mut copied = 0;
    for (number, line) in (1..).zip(lines) {
        let line = line.map_err(at(&list))?;
        let (size, name) = parse(&line).ok_or_else(|| BackupError::List(list.clone(), number))?;
        match size_of(&name)? {
            Some(octets) if octets == size => copied += 1,
            octets => return Err(BackupError::Size(blobs.path_of(&name), octets.unwrap_or(0), size)),
        }
    }
    if copied == manifest.blobs {
        return Ok(());
    }
    Err(BackupError::Count(list, copied, manifest.blobs))
}

fn parse(line: &str) -> Option<(u64, BlobName)> {
    let (size, name) = line.split_once(' ')?;
    Some((size.parse().ok()?, name.parse().ok()?))
}

/// Every blob that the database names is there and can be all of it, but for those that were missing before; and there
/// is no other.
fn compare(
    from: &Path,
    database: &Database,
    blobs: &LocalBlobs,
    manifest: &Manifest,
) -> Result<(), BackupError> {
    let store = |error| BackupError::Store(database.path().to_owned(), error);
    let was_lost = |blob: &BlobName| manifest.lost.contains(blob);
    let (mut named, mut after) = (0, None);
    loop {
        let page = database.named_blobs(after.as_ref(), PAGE).map_err(store)?;
        let Some(last) = page.last() else { break };
        after = Some(last.blob.clone());
        for one in page {
            match blobs.look(&one.blob).map_err(at(from))? {
                Some(facts) if fits(&one.content, facts.size) || was_lost(&one.blob) => named += 1,
                Some(facts) => return Err(BackupError::Damaged(from.to_owned(), one.content, facts.size)),
                None if was_lost(&one.blob) => {}
                None => return Err(BackupError::Missing(from.to_owned(), one.content, one.blob)),
            }
        }
    }
    if named == manifest.blobs {
        Ok(())
    } else {
        Err(BackupError::Count(from.to_owned(), manifest.blobs, named))
    }
}
