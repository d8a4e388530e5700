//! The data folder: whose it is, who else may look into it, whether there is room, and whether what is in it can be written by
//! the service. What belongs together in it is looked at by [`Home::check`](crate::home::Home::check).

use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::Findings;
use super::access::{ServiceUser, Wish, name_of, nearest_existing};
use crate::config::Config;
use crate::store::room::{Disk, Shortage};

const KEY: &str = "data_dir";
/// The folder that the unit makes (`StateDirectory=`).
const OF_UNIT: &str = "/var/lib/zegel";
/// What a crash must not undo is not on these (statfs(2)).
const FILE_SYSTEMS: [(i64, &str, &str); 4] = [
    (0x0102_1994, "tmpfs", "all mail in it is gone after a restart of the machine"),
    (0x794c_7630, "overlay", "all mail in it is gone with the container"),
    (0x6969, "NFS", "SQLite cannot rely on its locks"),
    (0xff53_4d42, "CIFS", "SQLite cannot rely on its locks"),
];
/// Entries of each folder that are looked at: those of a full store are millions.
const LOOKED_AT: usize = 1000;

pub fn look(config: &Config, user: &ServiceUser, found: &mut Findings) {
    let folder = config.data_dir.as_path();
    if found.replaced.has(KEY) {
        return;
    }
    match folder.metadata() {
        Ok(data) if data.is_dir() => there(folder, &data, user, found),
        // `Home::check` tells of a file in its place.
        Ok(_) => return,
        Err(_) => not_there(folder, user, found),
    }
    if config.store.shared().is_none() {
        room(folder, found);
    }
}

fn not_there(folder: &Path, user: &ServiceUser, found: &mut Findings) {
    let above = nearest_existing(folder);
    if folder == Path::new(OF_UNIT) {
        return;
    }
    if let Err(denied) = user.may(above, Wish::Write) {
        let reason =
            format!("{KEY}: {} is not there, and {} cannot make it: {denied}", folder.display(), user.name);
        found.warning(KEY, reason, install(folder, user));
    }
}

fn install(folder: &Path, user: &ServiceUser) -> String {
    format!("install -d -o {0} -g {0} -m 0700 {1}", user.name, folder.display())
}

fn there(folder: &Path, data: &Metadata, user: &ServiceUser, found: &mut Findings) {
    let shown = folder.display();
    if data.uid() != user.uid {
        let reason = format!(
            "{KEY}: {shown} belongs to {}, and the service runs as {}: it cannot write there",
            name_of(data.uid()),
            user.name
        );
        found.error(KEY, reason, format!("chown -R {0}:{0} {shown}", user.name));
    } else if let Err(denied) = user.may(folder, Wish::Write) {
        let reason = format!("{KEY}: {} cannot write into {shown}: {denied}", user.name);
        found.error(KEY, reason, format!("chmod 0700 {shown}"));
    }
    if data.mode() & 0o077 != 0 {
        let reason = format!(
            "{KEY}: others than {} may look into {shown} (mode {:04o})",
            user.name,
            data.mode() & 0o7777
        );
        found.warning(KEY, reason, format!("chmod 0700 {shown}"));
    }
    owners(folder, user, found);
    parts(folder, data, found);
}

/// What root made by running a command there cannot be written by the service.
fn owners(folder: &Path, user: &ServiceUser, found: &mut Findings) {
    let inner = ["", "blobs", "blobs/tmp", "keys"].map(|name| folder.join(name));
    let entries =
        inner.iter().filter_map(|folder| fs::read_dir(folder).ok()).flat_map(|list| list.take(LOOKED_AT));
    let foreign = |path: &Path| path.symlink_metadata().ok().filter(|data| data.uid() != user.uid);
    let all = entries.flatten().filter_map(|entry| foreign(&entry.path()).map(|data| (entry.path(), data)));
    let all: Vec<_> = all.collect();
    if let Some((first, data)) =
        all.first().filter(|_| folder.metadata().is_ok_and(|data| data.uid() == user.uid))
    {
        let more = match all.len() - 1 {
            0 => String::new(),
            more => format!(" (and {more} more)"),
        };
        let reason = format!(
            "{KEY}: {}{more} belongs to {}, and the service runs as {}",
            first.display(),
            name_of(data.uid()),
            user.name
        );
        found.error(
            KEY,
            reason,
            format!("chown -R {0}:{0} {1}; run the commands as {0}", user.name, folder.display()),
        );
    }
    let key = folder.join(crate::secret::MASTER_KEY);
    if let Some(mode) = key.metadata().ok().map(|data| data.mode()).filter(|mode| mode & 0o077 != 0) {
        let reason = format!("{KEY}: others may read {} (mode {:04o})", key.display(), mode & 0o7777);
        found.warning(
            KEY,
            reason,
            format!("chmod 0600 {}; whoever read it can read the backups", key.display()),
        );
    }
}

/// Sealed bytes are written in `blobs/tmp` and moved from there, which works within one file system only; and the sandbox
/// follows no link out of the folder.
fn parts(folder: &Path, data: &Metadata, found: &mut Findings) {
    for name in ["zegel.db", "blobs", "keys", "blobs/tmp"] {
        let path = folder.join(name);
        let leads_out = path
            .canonicalize()
            .is_ok_and(|real| !real.starts_with(folder.canonicalize().unwrap_or_default()));
        if leads_out {
            let reason = format!(
                "{KEY}: {} is a link that leads out of the data folder: the sandbox lets nothing be written there",
                path.display()
            );
            found.error(KEY, reason, "mount the other disk there, or move all of the data folder to it");
        }
    }
    let device = |name: &str| folder.join(name).metadata().ok().map(|data| data.dev());
    if let (Some(blobs), Some(unfinished)) = (device("blobs"), device("blobs/tmp"))
        && blobs != unfinished
    {
        let reason = format!(
            "{KEY}: {0}/blobs/tmp is on another file system than {0}/blobs: no mail can be sealed",
            folder.display()
        );
        found.error(KEY, reason, "mount one file system for blobs with all in it");
    }
    let log = folder.join("zegel.db-wal");
    if log.metadata().is_ok_and(|log| log.dev() != data.dev()) {
        let reason = format!("{KEY}: {} is on another file system than the database", log.display());
        found.error(KEY, reason, "keep the database and its log in one folder");
    }
}

fn room(folder: &Path, found: &mut Findings) {
    let folder = nearest_existing(folder);
    if let Ok(disk) = Disk::at(folder)
        && let Some((severe, reason)) = shortage(disk)
    {
        let reason = format!("{KEY}: {} bytes are free at {}: {reason}", disk.free, folder.display());
        let remedy = "make room, or a larger disk";
        if severe { found.error(KEY, reason, remedy) } else { found.warning(KEY, reason, remedy) }
    }
    let kind = rustix::fs::statfs(folder).map(|disk| disk.f_type & 0xffff_ffff);
    let known = FILE_SYSTEMS.iter().find(|(number, ..)| kind.is_ok_and(|kind| kind == *number));
    if let Some((_, name, reason)) = known {
        let reason = format!("{KEY}: {} is on {name}: {reason}", folder.display());
        found.warning(KEY, reason, "use a disk of this machine, or a volume that outlives the container");
    }
}

fn shortage(disk: Disk) -> Option<(bool, &'static str)> {
    Some(match disk.shortage()? {
        Shortage::Mail => (true, "all new mail is refused"),
        Shortage::Pages => (false, "the pages take no answers"),
        Shortage::Soon => (false, "the pages will soon take no answers"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_an_error_and_a_fuller_one_a_warning() {
        let free =
            |mib: u64| shortage(Disk { free: mib << 20, capacity: 10 << 30 }).map(|(severe, _)| severe);
        assert_eq!(free(10), Some(true));
        assert_eq!(free(500), Some(false));
        assert_eq!(free(1500), Some(false));
        assert_eq!(free(5000), None);
    }
}
