//! Backups of a data folder, made beside a running gateway, and put back into an empty one. Called by `zegel backup` and
//! `zegel restore`. Those of a database and a bucket ([`crate::moving`]) have the same form, so that each can be put back into either.
//!
//! A backup is a folder: `zegel.db`, `blobs/` as in a data folder, `keys/` and `master.key` where they are wanted,
//! `blobs.txt` with size and name of every blob, and `backup.json`, which is written last: without it the backup is not
//! finished.
//!
//! What must never happen: a backup that is called whole and lacks a blob which its database names and which was there;
//! a data folder that is put together from two.

mod files;
mod make;
mod restore;
mod rotation;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

pub use self::files::new_folder as make_folder;
#[cfg(feature = "cluster")]
pub(crate) use self::files::{copy, copy_folder, new_file, new_folder};
pub use self::make::make;
#[cfg(feature = "cluster")]
pub(crate) use self::make::{finish, in_new_folder, list_blobs};
pub use self::restore::restore;
#[cfg(feature = "cluster")]
pub(crate) use self::restore::verify;
pub use self::rotation::{name_at, remove_surplus};
use crate::clock::Timestamp;
use crate::id::{BlobName, FolderId};
use crate::secret::MasterKeyError;
use crate::store::identity::IdentityError;
use crate::store::{BlobContent, StoreError};

/// The file that ends a backup.
const MANIFEST: &str = "backup.json";
/// Size and name of every blob, one in a line.
const LIST: &str = "blobs.txt";
/// The layout that is described above.
const FORMAT: u32 = 1;
/// Rows that are read at once.
const PAGE: usize = 1000;

/// What a backup says of itself.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Manifest {
    /// The layout.
    format: u32,
    /// The version of zegel that made it.
    pub zegel: String,
    /// When it was made.
    pub created: Timestamp,
    /// Of which data folder.
    pub folder: FolderId,
    /// How many blobs there are in it.
    pub blobs: u64,
    /// And how many bytes they have.
    pub octets: u64,
    /// Whether the master key is in it.
    pub has_key: bool,
    /// Blobs that the database names and that were missing or damaged in the data folder already.
    pub lost: Vec<BlobName>,
}

impl Manifest {
    /// Of a backup in which no blob is yet.
    pub(crate) fn new(folder: FolderId, created: Timestamp, has_key: bool) -> Self {
        let (zegel, lost) = (env!("CARGO_PKG_VERSION").to_owned(), Vec::new());
        Self { format: FORMAT, zegel, created, folder, blobs: 0, octets: 0, has_key, lost }
    }

    /// Reads that of the backup in the folder `from`.
    pub fn read(from: &Path) -> Result<Self, BackupError> {
        let path = from.join(MANIFEST);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(BackupError::Unfinished(from.to_owned()));
            }
            Err(error) => return Err(BackupError::File(path, error)),
        };
        let manifest: Self =
            serde_json::from_slice(&text).map_err(|error| BackupError::File(path.clone(), error.into()))?;
        if manifest.format == FORMAT { Ok(manifest) } else { Err(BackupError::Format(path, manifest.format)) }
    }
}

/// Why a backup was not made, or not put back.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// There is something in the way.
    #[error("{0}: this folder is not empty ({1} is there); name an empty one, or one that does not exist")]
    NotEmpty(PathBuf, String),
    /// The database has no id yet.
    #[error("{0}: this data folder has no id yet; start the gateway once, then make the backup")]
    NoId(PathBuf),
    /// There is no manifest.
    #[error("{0}: this is no backup of zegel, or one that was not finished: there is no backup.json in it")]
    Unfinished(PathBuf),
    /// A later version made it.
    #[error("{0}: the backup has the format {1}, this zegel knows {FORMAT}: upgrade zegel")]
    Format(PathBuf, u32),
    /// The list of blobs cannot be read.
    #[error("{0}, line {1}: this is not the size and name of a blob; the backup is damaged")]
    List(PathBuf, usize),
    /// The backup does not hold what its database names.
    #[error("{0}: {1} is missing in the backup ({2}); the backup is damaged")]
    Missing(PathBuf, BlobContent, BlobName),
    /// A file is not as it was when the backup was made.
    #[error("{0}: {1} octets instead of {2}; the backup is damaged")]
    Size(PathBuf, u64, u64),
    /// A blob cannot be what its row says.
    #[error("{0}: {2} bytes cannot be all of the {1}; the backup is damaged")]
    Damaged(PathBuf, BlobContent, u64),
    /// The backup holds more than its database names.
    #[error("{0}: {1} blobs, and {2} that the database names; the backup is damaged")]
    Count(PathBuf, u64, u64),
    /// No master key, neither in the backup nor named.
    #[error("{0}: the backup was made without master.key; name the file with --key FILE")]
    NoKey(PathBuf),
    /// Somebody else's folder: the gateway could not read what we put there.
    #[error("{0}: the folder belongs to another user; run this as the user of the gateway (sudo -u zegel)")]
    Owner(PathBuf),
    /// Database, key and blobs do not belong together.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The master key cannot be used.
    #[error(transparent)]
    Key(#[from] MasterKeyError),
    /// The database cannot be used.
    #[error("{0}: {1}")]
    Store(PathBuf, StoreError),
    /// A file cannot be read or written.
    #[error("{0}: {1}")]
    File(PathBuf, io::Error),
}
