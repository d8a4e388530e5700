//! Files and folders of a backup: private, and never on top of what is there.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use super::BackupError;

/// What a file system puts into a folder that is otherwise empty.
const LOST_AND_FOUND: &str = "lost+found";

/// Puts the path beside the error.
pub(super) fn at(path: &Path) -> impl FnOnce(io::Error) -> BackupError {
    let path = path.to_owned();
    move |error| BackupError::File(path, error)
}

/// Makes a folder where there is none. Fails where anything is in it; a folder without anything in it does not count, for
/// that is where a disk is mounted.
pub(super) fn empty_folder(path: &Path) -> Result<(), BackupError> {
    new_folder(path)?;
    for entry in fs::read_dir(path).map_err(at(path))? {
        let entry = entry.map_err(at(path))?;
        if !is_empty(&entry.path()).map_err(at(path))? {
            let name = entry.file_name().to_string_lossy().into_owned();
            return Err(BackupError::NotEmpty(path.to_owned(), name));
        }
    }
    Ok(())
}

fn is_empty(path: &Path) -> io::Result<bool> {
    if path.ends_with(LOST_AND_FOUND) {
        return Ok(true);
    }
    if !fs::symlink_metadata(path)?.is_dir() {
        return Ok(false);
    }
    let mut entries = fs::read_dir(path)?;
    Ok(entries.all(|entry| entry.is_ok_and(|entry| entry.file_name() == LOST_AND_FOUND)))
}

/// Copies a file; gives its size.
pub fn copy(from: &Path, to: &Path) -> Result<u64, BackupError> {
    let mut source = File::open(from).map_err(at(from))?;
    let mut target = new_file(to)?;
    io::copy(&mut source, &mut target).map_err(at(to))
}

/// Copies the files of a folder, where there is one. One that goes meanwhile was of no use any more.
pub fn copy_folder(from: &Path, to: &Path) -> Result<(), BackupError> {
    let entries = match fs::read_dir(from) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(at(from)(error)),
    };
    new_folder(to)?;
    for entry in entries {
        let entry = entry.map_err(at(from))?;
        match copy(&entry.path(), &to.join(entry.file_name())) {
            Err(BackupError::File(path, error))
                if error.kind() == io::ErrorKind::NotFound && path == entry.path() => {}
            Err(error) => return Err(error),
            Ok(_) => {}
        }
    }
    Ok(())
}

/// Makes a folder that only we may enter, where there is none.
pub fn new_folder(path: &Path) -> Result<(), BackupError> {
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(at(path))
}

/// Makes a file that only we may read.
pub fn new_file(path: &Path) -> Result<File, BackupError> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(at(path))
}

/// When it returns, everything that was written into the file system of the folder is on disk.
pub(super) fn flush(folder: &Path) -> Result<(), BackupError> {
    let open = File::open(folder).map_err(at(folder))?;
    rustix::fs::syncfs(&open).map_err(|error| at(folder)(error.into()))
}

/// Takes away what was put into a folder that had been empty. What cannot be removed stays, and the next run says so.
pub(super) fn clear(folder: &Path, names: &[&str]) {
    for name in names {
        let path = folder.join(name);
        let removed = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        match removed {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(path = %path.display(), %error, "cannot be removed");
            }
            _ => {}
        }
    }
}
