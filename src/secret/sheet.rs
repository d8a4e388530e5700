//! One file of the keyring: keys of 32 bytes, one behind the other, and nothing else. Used by `keyring` alone.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{fill, random};

/// Bytes of a key.
pub(super) const KEY: usize = 32;

/// Names a key: its file and the slot in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct KeyId(u64);

impl KeyId {
    pub(super) fn new(sheet: u32, slot: u32) -> Self {
        Self(u64::from(sheet) << 32 | u64::from(slot))
    }

    /// As a column holds it.
    pub fn from_number(number: u64) -> Self {
        Self(number)
    }

    /// For a column.
    pub fn number(self) -> u64 {
        self.0
    }

    pub(super) fn sheet(self) -> u32 {
        (self.0 >> 32) as u32
    }

    pub(super) fn slot(self) -> u32 {
        self.0 as u32
    }
}

/// What a slot of a sheet is for at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Slot {
    /// Its key is on disk and was never used.
    Free,
    /// A [`super::KeyRef`] that was taken in this process still exists.
    Held,
    /// Nothing in memory needs it; the store may.
    Kept,
    /// It stays until the next start.
    Pinned,
    /// Nobody needs it; it is to be overwritten.
    Spent,
}

/// Keys, what each is used for, and the file they are in.
pub(super) struct Sheet {
    /// Locked for as long as it is open; `None` where keys are in memory only.
    file: Option<Arc<File>>,
    secrets: Zeroizing<Vec<u8>>,
    pub slots: Vec<Slot>,
}

impl Sheet {
    /// Keys that end with the process.
    pub fn in_memory(slots: usize) -> Self {
        Self { file: None, secrets: fresh(slots), slots: vec![Slot::Free; slots] }
    }

    /// New keys in a file of their own, on disk when this returns.
    pub fn create(folder: &Path, slots: usize) -> io::Result<(u32, Self)> {
        make_folder(folder)?;
        loop {
            // The sign bit of a column stays free.
            let number = u32::from_le_bytes(random()) >> 1;
            let path = path_of(folder, number);
            let file = match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                file => file?,
            };
            if !try_lock(&file)? {
                continue;
            }
            let secrets = fresh(slots);
            let written = file.write_all_at(&secrets, 0).and_then(|()| file.sync_all());
            if let Err(error) = written.and_then(|()| sync(folder)) {
                fs::remove_file(&path).ok();
                return Err(error);
            }
            let slots = vec![Slot::Free; slots];
            return Ok((number, Self { file: Some(Arc::new(file)), secrets, slots }));
        }
    }

    /// The keys of a file that no living process owns; `None` where one does, or where it is gone.
    pub fn adopt(folder: &Path, number: u32) -> io::Result<Option<Self>> {
        let path = path_of(folder, number);
        let mut file = match OpenOptions::new().read(true).write(true).open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file?,
        };
        if !try_lock(&file)? || file.metadata()?.nlink() == 0 {
            return Ok(None);
        }
        let secrets = read(&mut file)?;
        let slots = vec![Slot::Kept; secrets.len() / KEY];
        Ok(Some(Self { file: Some(Arc::new(file)), secrets, slots }))
    }

    /// The key in a slot.
    pub fn key(&self, slot: u32) -> Option<Zeroizing<[u8; KEY]>> {
        self.secrets.chunks_exact(KEY).nth(slot as usize)?.try_into().ok().map(Zeroizing::new)
    }

    /// Puts new keys in the place of the spent ones, in memory; [`Sheet::writer`] has them written.
    pub fn replace_spent(&mut self, new: &[u8]) {
        let keys = self.secrets.chunks_exact_mut(KEY).zip(new.chunks_exact(KEY)).zip(&self.slots);
        for ((key, new), _) in keys.filter(|(_, slot)| **slot == Slot::Spent) {
            key.copy_from_slice(new);
        }
    }

    /// Writes the sheet as it is now over what was there; when it returns, the old keys are gone.
    pub fn writer(&self) -> impl FnOnce() -> io::Result<()> + use<> {
        let (file, secrets) = (self.file.clone(), self.secrets.clone());
        move || match file {
            Some(file) => file.write_all_at(&secrets, 0).and_then(|()| file.sync_data()),
            None => Ok(()),
        }
    }
}

/// The key in a file that another process owns.
pub(super) fn peek(folder: &Path, id: KeyId) -> io::Result<Zeroizing<[u8; KEY]>> {
    let file = File::open(path_of(folder, id.sheet()))?;
    let mut key = Zeroizing::new([0; KEY]);
    file.read_exact_at(&mut key[..], u64::from(id.slot()) * KEY as u64)?;
    Ok(key)
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

/// Removes files in which no key is left that was ever used.
pub(super) fn remove(folder: &Path, numbers: &[u32]) -> io::Result<()> {
    for number in numbers {
        fs::remove_file(path_of(folder, *number))?;
    }
    sync(folder)
}

/// Copies the keys `wanted` into the folder `target`; in the place of all others there are zeroes.
pub(super) fn copy(
    folder: &Path,
    target: &Path,
    number: u32,
    wanted: &dyn Fn(KeyId) -> bool,
) -> io::Result<()> {
    let mut secrets = read(&mut File::open(path_of(folder, number))?)?;
    let mut found = false;
    for (slot, key) in (0..).zip(secrets.chunks_exact_mut(KEY)) {
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
    file.write_all_at(&secrets, 0)?;
    file.sync_all()?;
    sync(target)
}

fn fresh(slots: usize) -> Zeroizing<Vec<u8>> {
    let mut secrets = Zeroizing::new(vec![0; slots * KEY]);
    fill(&mut secrets);
    secrets
}

/// Whole keys only: a file whose making was cut off by a crash was never used.
fn read(file: &mut File) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut secrets = Zeroizing::new(Vec::new());
    // No reallocation may leave a copy behind.
    secrets.reserve_exact(usize::try_from(file.metadata()?.len()).unwrap_or_default() + 1);
    file.read_to_end(&mut secrets)?;
    let whole = secrets.len() - secrets.len() % KEY;
    secrets.truncate(whole);
    Ok(secrets)
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
