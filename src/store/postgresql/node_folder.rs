//! The folder in which a node keeps ordinary mail of its own (`store.journal = "local"`): `<data_dir>/node`, with a journal and
//! the keys of what is in it. A file in it says of which store it is: mail of one gateway never becomes another's.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::id::FolderId;
use crate::store::{Result, at};

/// Within the data folder.
const FOLDER: &str = "node";
/// Says whose it is.
const LABEL: &str = "label";
/// What the file begins with.
const KIND: &str = "zegel node 1";

/// A folder that belongs to a store.
#[derive(Clone, Debug)]
pub struct NodeFolder {
    path: PathBuf,
    /// The name of the journal in it.
    pub(super) journal: FolderId,
}

impl NodeFolder {
    /// Whether there is one, whosever it is.
    pub fn is_in(data_dir: &Path) -> bool {
        data_dir.join(FOLDER).exists()
    }

    /// The one in this data folder; `None` where there is none. It is an error where it is another store's.
    pub fn find(data_dir: &Path, store: &FolderId) -> Result<Option<Self>> {
        let path = data_dir.join(FOLDER);
        let label = path.join(LABEL);
        let text = match fs::read_to_string(&label) {
            Ok(text) => text,
            // Its first start was cut off before anything was kept.
            Err(error) if error.kind() == io::ErrorKind::NotFound && !path.join("journal").exists() => {
                return Ok(None);
            }
            Err(error) => return Err(at(&label, error).into()),
        };
        let fault = |text: String| io::Error::new(io::ErrorKind::InvalidData, text);
        let (of, journal) =
            read(&text).ok_or_else(|| at(&label, fault("this is no label of ours".into())))?;
        if of != *store {
            let text = format!(
                "this journal is of another gateway (id {of}, the database has {store}); move the folder away"
            );
            return Err(at(&path, fault(text)).into());
        }
        Ok(Some(Self { path, journal }))
    }

    /// The same; it is made where there is none.
    pub fn open(data_dir: &Path, store: &FolderId) -> Result<Self> {
        if let Some(found) = Self::find(data_dir, store)? {
            return Ok(found);
        }
        let (path, journal) = (data_dir.join(FOLDER), FolderId::random());
        make(data_dir, &path, &format!("{KIND}\n{store}\n{journal}\n")).map_err(|error| at(&path, error))?;
        Ok(Self { path, journal })
    }

    /// Where the journal is.
    pub fn journal(&self) -> PathBuf {
        self.path.join("journal")
    }

    /// Where its keys are.
    pub fn keys(&self) -> PathBuf {
        self.path.join("keys")
    }
}

/// Of which store it is, and its own name.
fn read(text: &str) -> Option<(FolderId, FolderId)> {
    let mut lines = text.lines();
    let (kind, store, journal) = (lines.next()?, lines.next()?, lines.next()?);
    (kind == KIND && lines.next().is_none()).then_some((store.parse().ok()?, journal.parse().ok()?))
}

/// Durable before anything is put into it.
fn make(data_dir: &Path, path: &Path, label: &str) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)?;
    let new = path.join("label.new");
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
    file.write_all(label.as_bytes())?;
    file.sync_all()?;
    fs::rename(&new, path.join(LABEL))?;
    File::open(path)?.sync_all()?;
    File::open(data_dir)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_of_one_store() {
        let dir = tempfile::tempdir().unwrap();
        let (store, other) = (FolderId::random(), FolderId::random());
        assert!(NodeFolder::find(dir.path(), &store).unwrap().is_none());
        let made = NodeFolder::open(dir.path(), &store).unwrap();
        assert_eq!(NodeFolder::open(dir.path(), &store).unwrap().journal, made.journal);
        assert_eq!(NodeFolder::find(dir.path(), &store).unwrap().unwrap().journal, made.journal);
        let fault = NodeFolder::open(dir.path(), &other).unwrap_err().to_string();
        assert!(fault.contains("of another gateway") && fault.contains(store.as_str()), "{fault}");
    }

    #[test]
    fn a_journal_without_a_label_is_nobodys() {
        let dir = tempfile::tempdir().unwrap();
        let store = FolderId::random();
        for label in [None, Some(""), Some("zegel node 2\na\nb\n"), Some("zegel node 1\n0123456789abcdef\n")]
        {
            fs::create_dir_all(dir.path().join("node/journal")).unwrap();
            if let Some(label) = label {
                fs::write(dir.path().join("node/label"), label).unwrap();
            }
            assert!(NodeFolder::open(dir.path(), &store).is_err(), "{label:?}");
        }
    }
}
