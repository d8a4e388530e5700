//! Sheets in the files of one folder, each locked by the process that takes keys from it.

use std::collections::{BTreeMap, HashSet};
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use zeroize::Zeroizing;

use super::sheet::{Changes, Destroying, KEY, KeyId, SheetKeys, SheetStore, random_number};

/// The files of one folder.
pub(super) struct SheetFiles {
    folder: PathBuf,
    /// The files of this process: locked for as long as they are open.
    owned: Mutex<BTreeMap<u32, Arc<File>>>,
}

impl SheetFiles {
    /// In this folder, which is made when the first file is.
    pub fn new(folder: PathBuf) -> Self {
        Self { folder, owned: Mutex::default() }
    }

    fn owned(&self) -> MutexGuard<'_, BTreeMap<u32, Arc<File>>> {
        self.owned.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The keys of a file that no living process owns; `None` where one does, or where it is gone.
    fn adopt(&self, number: u32) -> io::Result<Option<(File, SheetKeys)>> {
        let path = path_of(&self.folder, number);
        let mut file = match OpenOptions::new().read(true).write(true).open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file?,
        };
        if !try_lock(&file)? || file.metadata()?.nlink() == 0 {
            return Ok(None);
        }
        let keys = read(&mut file)?;
        Ok(Some((file, keys)))
    }
}

impl SheetStore for SheetFiles {
    fn create(&self, keys: &SheetKeys) -> io::Result<u32> {
        make_folder(&self.folder)?;
        loop {
            let number = random_number();
            let path = path_of(&self.folder, number);
            let file = match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                file => file?,
            };
            if !try_lock(&file)? {
                continue;
            }
            let written = file.write_all_at(keys, 0).and_then(|()| file.sync_all());
            if let Err(error) = written.and_then(|()| sync(&self.folder)) {
                fs::remove_file(&path).ok();
                return Err(error);
            }
            self.owned().insert(number, Arc::new(file));
            return Ok(number);
        }
    }

    /// In place: when this returns, the old keys are gone.
    fn replace(&self, sheet: u32, keys: &SheetKeys) -> io::Result<()> {
        let file = self.owned().get(&sheet).cloned();
        let file = file.ok_or_else(|| io::Error::other("a file of keys is not this process's"))?;
        file.write_all_at(keys, 0)?;
        file.sync_data()
    }

    fn remove(&self, sheets: &[u32]) -> io::Result<()> {
        for number in sheets {
            self.owned().remove(number);
            fs::remove_file(path_of(&self.folder, *number))?;
        }
        sync(&self.folder)
    }

    fn look(&self, known: &HashSet<u32>) -> io::Result<Changes> {
        let (mut files, mut taken) = (BTreeMap::new(), Vec::new());
        for number in numbers(&self.folder)? {
            if !known.contains(&number)
                && let Some((file, keys)) = self.adopt(number)?
            {
                files.insert(number, Arc::new(file));
                taken.push((number, keys));
            }
        }
        self.owned().extend(files);
        Ok(Changes { taken, lost: Vec::new() })
    }

    fn peek(&self, id: KeyId) -> io::Result<Zeroizing<[u8; KEY]>> {
        let file = File::open(path_of(&self.folder, id.sheet()))?;
        let mut key = Zeroizing::new([0; KEY]);
        match file.read_exact_at(&mut key[..], u64::from(id.slot()) * KEY as u64) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(io::ErrorKind::NotFound.into()),
            read => read.map(|()| key),
        }
    }

    fn begin_destroying(&self) -> io::Result<Option<Destroying>> {
        let folder = File::open(&self.folder)?;
        Ok(try_lock(&folder)?.then_some(Destroying { _lock: Some(folder) }))
    }
}

/// A shared lock on the folder; see [`super::keyring::keep_all`].
pub(super) fn keep_all(folder: &Path) -> io::Result<Option<File>> {
    let file = match File::open(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file?,
    };
    file.lock_shared()?;
    Ok(Some(file))
}

/// The numbers of all files.
pub(super) fn numbers(folder: &Path) -> io::Result<Vec<u32>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut numbers = Vec::new();
    for entry in entries {
        let name = entry?.file_name();
        numbers.extend(name.to_str().and_then(|name| u32::from_str_radix(name, 16).ok()));
    }
    Ok(numbers)
}

/// Copies the keys `wanted` into the folder `target`; in the place of all others there are zeroes.
pub(super) fn copy(
    folder: &Path,
    target: &Path,
    number: u32,
    wanted: &dyn Fn(KeyId) -> bool,
) -> io::Result<()> {
    let mut keys = read(&mut File::open(path_of(folder, number))?)?;
    let mut found = false;
    for (slot, key) in (0..).zip(keys.chunks_exact_mut(KEY)) {
        match wanted(KeyId::new(number, slot)) {
            true => found = true,
            false => key.fill(0),
        }
    }
    if !found {
        return Ok(());
    }
    make_folder(target)?;
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path_of(target, number))?;
    file.write_all_at(&keys, 0)?;
    file.sync_all()?;
    sync(target)
}

/// Whole keys only: a file whose making was cut off by a crash was never used.
fn read(file: &mut File) -> io::Result<SheetKeys> {
    let mut keys = Zeroizing::new(Vec::new());
    // No reallocation may leave a copy behind.
    keys.reserve_exact(usize::try_from(file.metadata()?.len()).unwrap_or_default() + 1);
    file.read_to_end(&mut keys)?;
    let whole = keys.len() - keys.len() % KEY;
    keys.truncate(whole);
    Ok(keys)
}

fn path_of(folder: &Path, number: u32) -> PathBuf {
    folder.join(format!("{number:08x}"))
}

fn try_lock(file: &File) -> io::Result<bool> {
    match file.try_lock() {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// A file that exists may have no entry on disk yet: the process that made it may have ended before that.
fn make_folder(folder: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => folder.parent().map_or(Ok(()), sync),
    }
}

fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}
