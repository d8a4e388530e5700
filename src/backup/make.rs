//! Makes a backup.

use std::io::{BufWriter, Write};
use std::path::Path;

use super::files::{at, clear, copy, empty_folder, flush, new_file, new_folder};
use super::{BackupError, LIST, MANIFEST, Manifest, PAGE};
use crate::clock::Timestamp;
use crate::id::BlobName;
use crate::inventory::fits;
use crate::secret::{MASTER_KEY, keyring};
use crate::store::files::LocalBlobs;
use crate::store::identity::{BLOBS, DATABASE, KEYS};
use crate::store::sqlite::{Database, Sqlite};

/// What there may be in a backup.
const CONTENTS: [&str; 9] =
    [MANIFEST, LIST, DATABASE, "zegel.db-wal", "zegel.db-shm", "journal", BLOBS, KEYS, MASTER_KEY];

/// Writes a backup of the data folder `folder` into the folder `out`. Beside a running gateway it is of the moment at
/// which it began; what the gateway gives up meanwhile stays until it is done.
pub fn make(folder: &Path, out: &Path, with_key: bool, now: Timestamp) -> Result<Manifest, BackupError> {
    in_new_folder(out, || write(folder, out, with_key, now))
}

/// Fills a folder that is empty. Where that fails nothing is left in it.
pub fn in_new_folder<E: From<BackupError>>(
    out: &Path,
    fill: impl FnOnce() -> Result<Manifest, E>,
) -> Result<Manifest, E> {
    empty_folder(out)?;
    let made = fill();
    if made.is_err() {
        clear(out, &CONTENTS);
    }
    made
}

fn write(folder: &Path, out: &Path, with_key: bool, now: Timestamp) -> Result<Manifest, BackupError> {
    let (path, copied) = (folder.join(DATABASE), out.join(DATABASE));
    let blobs = LocalBlobs::open(&folder.join(BLOBS)).map_err(at(folder))?;
    let _all = blobs.keep_all().map_err(at(folder))?;
    let keys = folder.join(KEYS);
    let _every_key = keyring::keep_all(&keys).map_err(at(&keys))?;
    Sqlite::copy(&path, &copied).map_err(|error| BackupError::Store(path, error))?;
    if with_key {
        copy(&folder.join(MASTER_KEY), &out.join(MASTER_KEY))?;
    }
    let database = Database::open(&copied).map_err(|error| BackupError::Store(copied.clone(), error))?;
    copy_keys(&database, &keys, &out.join(KEYS))?;
    let identity = database.identity().map_err(|error| BackupError::Store(copied, error))?;
    let id = identity.ok_or_else(|| BackupError::NoId(folder.to_owned()))?.id;
    let mut manifest = Manifest::new(id, now, with_key);
    let copies = LocalBlobs::open(&out.join(BLOBS)).map_err(at(out))?;
    copies.set_id(&manifest.folder).map_err(at(out))?;
    list_blobs(&database, out, &mut manifest, |name| blobs.copy_to(name, &copies).map_err(at(out)))?;
    drop(database);
    finish(out, &manifest)?;
    Ok(manifest)
}

/// The keys of the mail that waits in the copy of the database, and no others.
fn copy_keys(database: &Database, keys: &Path, copies: &Path) -> Result<(), BackupError> {
    let needed = database.needed_keys();
    let needed = needed.map_err(|error| BackupError::Store(database.path().to_owned(), error))?;
    if needed.is_empty() {
        return Ok(());
    }
    new_folder(copies)?;
    keyring::copy(keys, copies, &needed).map_err(at(keys))
}

/// Lists every blob that the copy of the database names. `copied` gives its size, once it is in the backup.
pub fn list_blobs(
    database: &Database,
    out: &Path,
    manifest: &mut Manifest,
    mut copied: impl FnMut(&BlobName) -> Result<Option<u64>, BackupError>,
) -> Result<(), BackupError> {
    let list = out.join(LIST);
    let mut lines = BufWriter::new(new_file(&list)?);
    let mut after = None;
    loop {
        let page = database.named_blobs(after.as_ref(), PAGE);
        let page = page.map_err(|error| BackupError::Store(database.path().to_owned(), error))?;
        let Some(last) = page.last() else { break };
        after = Some(last.blob.clone());
        for named in page {
            match copied(&named.blob)? {
                Some(size) => {
                    writeln!(lines, "{size} {}", named.blob).map_err(at(&list))?;
                    (manifest.blobs, manifest.octets) = (manifest.blobs + 1, manifest.octets + size);
                    if !fits(&named.content, size) {
                        manifest.lost.push(named.blob);
                    }
                }
                None => manifest.lost.push(named.blob),
            }
        }
    }
    lines.flush().map_err(at(&list))
}

/// The manifest comes last, when everything else is on disk.
pub fn finish(out: &Path, manifest: &Manifest) -> Result<(), BackupError> {
    flush(out)?;
    let path = out.join(MANIFEST);
    let json = serde_json::to_vec_pretty(manifest).map_err(|error| at(&path)(error.into()))?;
    let new = out.join("backup.json.new");
    new_file(&new)?.write_all(&json).map_err(at(&new))?;
    flush(out)?;
    std::fs::rename(&new, &path).map_err(at(&path))?;
    flush(out)
}
