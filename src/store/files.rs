//! [`Blobs`] as files: `<folder>/<first two characters>/<name>`, written in `<folder>/tmp` and moved when
//! complete. The only place that knows a path of sealed bytes.
//!
//! A name is promised only when file and folders are on disk (C02); what is not complete never has one. No byte is
//! written that [`super::room`] has no room for (H39).

use std::collections::{BTreeSet, HashSet};
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::room::{Disk, DiskShare, Reservation, Room};
use super::{BlobFacts, BlobWriter, Blobs, Removal, at};
use crate::clock::Timestamp;
use crate::id::{BlobName, FolderId};

/// Bytes that go to or come from the file system at once.
const BUFFER: usize = 64 * 1024;
/// The name of an empty subfolder that says which data folder the blobs are of; the id follows.
const ID: &str = "folder-";
/// Where blobs are that are being written.
const UNFINISHED: &str = "tmp";
/// Blobs in a row that come into the same subfolder: those of one message are flushed with one or two.
const NEIGHBOURS: usize = 64;

/// A folder of blobs, for one kind of writer: each has a share of the disk.
pub struct LocalBlobs {
    folder: Arc<Folder>,
    share: DiskShare,
}

struct Folder {
    path: PathBuf,
    /// Subfolders whose entry in `path` is known to be on disk.
    durable: Mutex<HashSet<PathBuf>>,
    /// Beside which blob the next ones come, and how many.
    neighbour: Mutex<Option<(BlobName, usize)>>,
    room: Room,
}

impl LocalBlobs {
    /// Opens the folder for new mail, and makes it where there is none.
    pub fn open(path: &Path) -> io::Result<Self> {
        let folder = Folder::at(path);
        private_folder(&folder.unfinished()).map_err(|error| at(path, error))?;
        Ok(Self { folder: Arc::new(folder), share: DiskShare::Mail })
    }

    /// The same folder for another kind of writer, which must leave more or less of the disk free.
    pub fn shared(&self, share: DiskShare) -> Self {
        Self { folder: Arc::clone(&self.folder), share }
    }

    /// Which data folder the blobs in the folder `path` are of; `None` where nothing says so. Makes nothing.
    pub fn id_in(path: &Path) -> io::Result<Option<FolderId>> {
        if !fs::exists(path).map_err(|error| at(path, error))? {
            return Ok(None);
        }
        let mut ids = subfolders(path)?.into_iter().filter_map(|subfolder| id_of(&subfolder));
        match (ids.next(), ids.next()) {
            (id, None) => Ok(id),
            (_, Some(_)) => Err(at(path, io::Error::other(format!("there is more than one {ID}…")))),
        }
    }

    /// Whether there is any blob in the folder `path`. Makes nothing.
    pub fn any_in(path: &Path) -> io::Result<bool> {
        if !fs::exists(path).map_err(|error| at(path, error))? {
            return Ok(false);
        }
        for subfolder in subfolders(path)? {
            if !names_in(&subfolder)?.is_empty() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Which data folder the blobs are of.
    pub fn id(&self) -> io::Result<Option<FolderId>> {
        Self::id_in(&self.folder.path)
    }

    /// Says which data folder the blobs are of, in place of what was said before. Durable when it returns.
    pub fn set_id(&self, id: &FolderId) -> io::Result<()> {
        let path = &self.folder.path;
        let name = |id: &FolderId| path.join(format!("{ID}{id}"));
        match Self::id_in(path)? {
            Some(before) => fs::rename(name(&before), name(id)),
            None => private_folder(&name(id)),
        }
        .and_then(|()| sync(path))
        .map_err(|error| at(path, error))
    }

    /// As it is, whether there is one or not: to read from.
    pub fn existing(path: &Path) -> Self {
        let folder = Folder::at(path);
        Self { folder: Arc::new(folder), share: DiskShare::Mail }
    }

    /// Where a blob is, or would be.
    pub fn path_of(&self, name: &BlobName) -> PathBuf {
        self.folder.path_of(name)
    }

    /// While it is held, no gateway removes what rows have named: for a backup. Waits for one that is at it.
    pub fn keep_all(&self) -> io::Result<File> {
        let folder = File::open(&self.folder.path).map_err(|error| at(&self.folder.path, error))?;
        folder.lock_shared().map_err(|error| at(&self.folder.path, error))?;
        Ok(folder)
    }

    /// Copies a blob into another folder; gives its size, `None` when it is not there. It is not flushed.
    pub fn copy_to(&self, name: &BlobName, other: &Self) -> io::Result<Option<u64>> {
        let (from, to) = (self.path_of(name), other.path_of(name));
        let mut source = match File::open(&from) {
            Ok(source) => source,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(at(&from, error)),
        };
        let mut copy = || {
            private_folder(to.parent().unwrap_or(&other.folder.path))?;
            let mut target = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&to)?;
            io::copy(&mut source, &mut target)
        };
        copy().map(Some).map_err(|error| at(&to, error))
    }

    fn begin(&self, name: BlobName, octets: u64) -> io::Result<Box<dyn BlobWriter>> {
        let reservation = Reservation::new(&self.folder.room, self.share, octets, || self.folder.disk())?;
        let path = self.folder.unfinished().join(name.as_str());
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)
            .map_err(|error| at(&path, error))?;
        let unfinished = Unfinished { folder: Arc::clone(&self.folder), name, path };
        let file = Reserved { file, reservation, folder: Arc::clone(&self.folder) };
        Ok(Box::new(Writer { file: BufWriter::with_capacity(BUFFER, file), unfinished }))
    }
}

impl Blobs for LocalBlobs {
    fn create(&self) -> io::Result<Box<dyn BlobWriter>> {
        self.create_for(0)
    }

    fn create_for(&self, octets: u64) -> io::Result<Box<dyn BlobWriter>> {
        self.begin(self.folder.next_name(), octets)
    }

    fn create_as(&self, name: &BlobName) -> io::Result<Box<dyn BlobWriter>> {
        remove(&self.folder.unfinished().join(name.as_str()))?;
        self.begin(name.clone(), 0)
    }

    fn open_at(&self, name: &BlobName, offset: u64) -> io::Result<Box<dyn Read + Send>> {
        let path = self.folder.path_of(name);
        let mut file = File::open(&path).map_err(|error| at(&path, error))?;
        file.seek(SeekFrom::Start(offset)).map_err(|error| at(&path, error))?;
        Ok(Box::new(BufReader::with_capacity(BUFFER, file)))
    }

    fn remove(&self, name: &BlobName) -> io::Result<()> {
        remove(&self.folder.path_of(name))
    }

    fn settle(&self, names: &[BlobName]) -> io::Result<()> {
        let subfolders: BTreeSet<_> = names.iter().map(|name| self.folder.subfolder_of(name)).collect();
        subfolders.iter().try_for_each(|subfolder| self.folder.settle(subfolder))
    }

    fn room(&self) -> io::Result<Option<u64>> {
        Ok(Some(self.folder.disk()?.free))
    }

    fn left(&self) -> io::Result<Option<u64>> {
        let left = self.folder.disk()?.left(self.share);
        Ok(Some(left.saturating_sub(self.folder.room.promised())))
    }

    /// A subfolder is named after the start of the names in it, so both have the same order.
    fn names(&self, after: Option<&BlobName>, limit: usize) -> io::Result<Vec<BlobName>> {
        let first = after.map(|after| self.folder.subfolder_of(after));
        let mut subfolders = subfolders(&self.folder.path)?;
        subfolders.retain(|subfolder| first.as_ref().is_none_or(|first| subfolder >= first));
        subfolders.sort_unstable();
        let mut names = Vec::new();
        for subfolder in subfolders {
            if names.len() >= limit {
                break;
            }
            let mut found = names_in(&subfolder)?;
            found.retain(|name| after.is_none_or(|after| name > after));
            found.sort_unstable();
            names.extend(found);
        }
        names.truncate(limit);
        Ok(names)
    }

    fn sweep_unfinished(&self) -> io::Result<usize> {
        let folder = self.folder.unfinished();
        let mut removed = 0;
        for entry in fs::read_dir(&folder).map_err(|error| at(&folder, error))? {
            remove(&entry?.path())?;
            removed += 1;
        }
        Ok(removed)
    }

    fn removal(&self) -> io::Result<Option<Removal>> {
        let folder = File::open(&self.folder.path).map_err(|error| at(&self.folder.path, error))?;
        match folder.try_lock() {
            Ok(()) => Ok(Some(Removal { _lock: Some(folder) })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(at(&self.folder.path, error)),
        }
    }

    fn look(&self, name: &BlobName) -> io::Result<Option<BlobFacts>> {
        let path = self.folder.path_of(name);
        match fs::metadata(&path) {
            Ok(file) => {
                let written = file.modified().map_err(|error| at(&path, error))?;
                let written =
                    Timestamp::try_from(written).map_err(|error| at(&path, io::Error::other(error)))?;
                Ok(Some(BlobFacts { size: file.len(), written }))
            }
            // Without the folder of what is being written all of it is away, its disk not mounted: nothing is lost then.
            Err(error) if error.kind() == io::ErrorKind::NotFound && self.folder.unfinished().is_dir() => {
                Ok(None)
            }
            Err(error) => Err(at(&path, error)),
        }
    }
}

fn id_of(subfolder: &Path) -> Option<FolderId> {
    subfolder.file_name()?.to_str()?.strip_prefix(ID)?.parse().ok()
}

/// Where blobs may be.
fn subfolders(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut subfolders = Vec::new();
    for entry in fs::read_dir(folder).map_err(|error| at(folder, error))? {
        let path = entry?.path();
        if path.is_dir() && !path.ends_with(UNFINISHED) {
            subfolders.push(path);
        }
    }
    Ok(subfolders)
}

fn names_in(subfolder: &Path) -> io::Result<Vec<BlobName>> {
    let mut names = Vec::new();
    for file in fs::read_dir(subfolder).map_err(|error| at(subfolder, error))? {
        names.extend(file?.file_name().to_str().and_then(|name| name.parse().ok()));
    }
    Ok(names)
}

impl Folder {
    fn disk(&self) -> io::Result<Disk> {
        Disk::at(&self.path).map_err(|error| at(&self.path, error))
    }

    fn unfinished(&self) -> PathBuf {
        self.path.join(UNFINISHED)
    }

    fn at(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            durable: Mutex::default(),
            neighbour: Mutex::default(),
            room: Room::default(),
        }
    }

    /// A name for a new blob: up to [`NEIGHBOURS`] in a row begin alike.
    fn next_name(&self) -> BlobName {
        let mut neighbour = self.neighbour.lock().unwrap_or_else(PoisonError::into_inner);
        let (name, more) = match neighbour.take() {
            Some((last, more @ 1..)) => (last.neighbour(), more - 1),
            _ => (BlobName::random(), NEIGHBOURS - 1),
        };
        *neighbour = Some((name.clone(), more));
        name
    }

    fn path_of(&self, name: &BlobName) -> PathBuf {
        self.subfolder_of(name).join(name.as_str())
    }

    /// Named after the first two characters of the names in it, of which there are 1024.
    fn subfolder_of(&self, name: &BlobName) -> PathBuf {
        self.path.join(name.as_str().get(..BlobName::SHARED).unwrap_or(""))
    }

    /// Flushes what was moved into a subfolder, and the subfolder's own entry unless that was done before. A subfolder
    /// that another writer has made need not be on disk yet.
    fn settle(&self, subfolder: &Path) -> io::Result<()> {
        sync(subfolder).map_err(|error| at(subfolder, error))?;
        if !self.is_durable(subfolder) {
            sync(&self.path).map_err(|error| at(&self.path, error))?;
            self.durable().insert(subfolder.to_owned());
        }
        Ok(())
    }

    fn is_durable(&self, subfolder: &Path) -> bool {
        self.durable().contains(subfolder)
    }

    fn durable(&self) -> MutexGuard<'_, HashSet<PathBuf>> {
        self.durable.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A file that grows only where there is room.
struct Reserved {
    file: File,
    reservation: Reservation,
    folder: Arc<Folder>,
}

impl Write for Reserved {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.reservation.cover(bytes.len() as u64, || self.folder.disk())?;
        let written = self.file.write(bytes)?;
        self.reservation.written(written as u64);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

struct Writer {
    file: BufWriter<Reserved>,
    unfinished: Unfinished,
}

impl Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Writer {
    /// Flushes the file and moves it to its place.
    fn place(self) -> io::Result<Unfinished> {
        let Self { file, mut unfinished } = self;
        let file = file.into_inner().map_err(|error| at(&unfinished.path, error.into_error()))?;
        file.file.sync_all().map_err(|error| at(&unfinished.path, error))?;
        unfinished.place()?;
        Ok(unfinished)
    }
}

impl BlobWriter for Writer {
    fn commit(self: Box<Self>) -> io::Result<BlobName> {
        let placed = self.place()?;
        placed.folder.settle(&placed.folder.subfolder_of(&placed.name))?;
        Ok(placed.finish())
    }

    fn close(self: Box<Self>) -> io::Result<BlobName> {
        Ok(self.place()?.finish())
    }
}

/// A file that goes when this goes, unless it was finished.
struct Unfinished {
    folder: Arc<Folder>,
    name: BlobName,
    path: PathBuf,
}

impl Unfinished {
    /// Moves the flushed file to its place.
    fn place(&mut self) -> io::Result<()> {
        let (subfolder, path) = (self.folder.subfolder_of(&self.name), self.folder.path_of(&self.name));
        if !self.folder.is_durable(&subfolder) {
            private_folder(&subfolder).map_err(|error| at(&subfolder, error))?;
        }
        fs::rename(&self.path, &path).map_err(|error| at(&path, error))?;
        self.path = path;
        Ok(())
    }

    fn finish(mut self) -> BlobName {
        self.path.clear();
        self.name.clone()
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if self.path.as_os_str().is_empty() {
            return;
        }
        if let Err(error) = remove(&self.path) {
            tracing::warn!(%error, "an unfinished blob stays behind until the next start");
        }
    }
}

fn private_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(at(path, error)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use tempfile::TempDir;

    use super::*;
    use crate::store::all_names;
    use crate::store::conformance::blobs_conformance;

    blobs_conformance!(fresh());

    fn fresh() -> (LocalBlobs, TempDir) {
        let dir = tempfile::tempdir().unwrap();
        (LocalBlobs::open(&dir.path().join("blobs")).unwrap(), dir)
    }

    fn write(blobs: &LocalBlobs) -> BlobName {
        let mut writer = blobs.create().unwrap();
        writer.write_all(b"sealed").unwrap();
        writer.commit().unwrap()
    }

    #[test]
    fn everything_is_private() {
        let (blobs, dir) = fresh();
        let name = write(&blobs);
        let file = blobs.folder.path_of(&name);
        assert_eq!(file, dir.path().join("blobs").join(&name.as_str()[..2]).join(name.as_str()));
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&file), 0o600);
        for folder in [file.parent().unwrap(), &dir.path().join("blobs"), &dir.path().join("blobs/tmp")] {
            assert_eq!(mode(folder), 0o700, "{}", folder.display());
        }
    }

    /// A flush of a folder costs as much as one of a file.
    #[test]
    fn blobs_in_a_row_share_a_subfolder() {
        let (blobs, _dir) = fresh();
        let names: Vec<BlobName> = (0..10 * NEIGHBOURS).map(|_| blobs.folder.next_name()).collect();
        let distinct: BTreeSet<&str> = names.iter().map(|name| name.as_str()).collect();
        assert_eq!(distinct.len(), names.len());
        let subfolders: BTreeSet<PathBuf> =
            names.iter().map(|name| blobs.folder.subfolder_of(name)).collect();
        assert!((8..=10).contains(&subfolders.len()), "{subfolders:?}");
    }

    #[test]
    fn what_cannot_be_settled_is_an_error() {
        let (blobs, _dir) = fresh();
        let mut writer = blobs.create().unwrap();
        writer.write_all(b"sealed").unwrap();
        let name = writer.close().unwrap();
        blobs.remove(&name).unwrap();
        fs::remove_dir(blobs.folder.subfolder_of(&name)).unwrap();
        assert_eq!(blobs.settle(&[name]).unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    /// H39: room that was promised is there, and no handle has more than its share.
    #[test]
    fn room_is_promised_before_it_is_used() {
        let (blobs, _dir) = fresh();
        let pages = blobs.shared(DiskShare::Pages);
        let left = pages.left().unwrap().unwrap();
        assert!(left < blobs.left().unwrap().unwrap(), "mail has more");
        let too_much = pages.create_for(u64::MAX).map(drop).unwrap_err();
        assert_eq!(too_much.kind(), io::ErrorKind::StorageFull);
        let mut writer = pages.create_for(left / 2).unwrap();
        assert!(pages.create_for(left - left / 4).is_err());
        let promised = blobs.folder.room.promised();
        writer.write_all(&vec![0; 4 * BUFFER]).unwrap();
        writer.flush().unwrap();
        assert_eq!(promised - blobs.folder.room.promised(), 4 * BUFFER as u64);
        drop(writer);
        assert_eq!(blobs.folder.room.promised(), 0);
    }

    #[test]
    fn what_a_crash_left_is_swept_and_nothing_else() {
        let (blobs, dir) = fresh();
        let name = write(&blobs);
        let left = dir.path().join("blobs/tmp").join(BlobName::random().as_str());
        fs::write(&left, "half").unwrap();
        let reopened = LocalBlobs::open(&dir.path().join("blobs")).unwrap();
        assert!(left.exists(), "opening alone must not touch what another process writes");
        reopened.sweep_unfinished().unwrap();
        assert!(!left.exists());
        assert_eq!(all_names(&reopened).unwrap(), [name]);
    }

    #[test]
    fn a_commit_that_fails_leaves_nothing() {
        let (blobs, dir) = fresh();
        let folder = dir.path().join("blobs");
        let mut writer = blobs.create().unwrap();
        writer.write_all(b"sealed").unwrap();
        // A file stands where each subfolder would have to be.
        for first in "0123456789abcdefghjkmnpqrstvwxyz".chars() {
            for second in "0123456789abcdefghjkmnpqrstvwxyz".chars() {
                fs::write(folder.join(format!("{first}{second}")), "").unwrap();
            }
        }
        let error = writer.commit().unwrap_err();
        assert!(error.to_string().contains("blobs/"), "{error}");
        assert_eq!(fs::read_dir(folder.join("tmp")).unwrap().count(), 0);
        assert!(all_names(&blobs).unwrap().is_empty());
    }

    #[test]
    fn files_of_others_are_not_taken_for_blobs() {
        let (blobs, dir) = fresh();
        fs::write(dir.path().join("blobs/README"), "").unwrap();
        DirBuilder::new().create(dir.path().join("blobs/lost+found")).unwrap();
        fs::write(dir.path().join("blobs/lost+found/#123"), "").unwrap();
        assert!(all_names(&blobs).unwrap().is_empty());
    }
}
