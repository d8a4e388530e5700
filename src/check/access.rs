//! Whether the service may read and write what the configuration names. `check` is often run by root, who may do everything;
//! the service is another user, so its rights are worked out from the bits of files and folders.

use std::fmt;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The name in the unit.
const SERVICE: &str = "zegel";

/// Permission bits of one class of users.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// Of a file.
    Read = 0o4,
    /// Of a folder: make and remove entries.
    Write = 0o3,
    /// Of a folder: reach what is in it.
    Enter = 0o1,
}

/// Who runs the gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceUser {
    /// As people know them.
    pub name: String,
    /// The number.
    pub uid: u32,
    groups: Vec<u32>,
}

/// Why something cannot be used.
#[derive(Debug, PartialEq, Eq)]
pub struct Denied {
    /// The file or folder whose bits say no.
    pub path: PathBuf,
    mode: u32,
    owner: u32,
}

impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} has mode {:04o} and owner {}",
            self.path.display(),
            self.mode & 0o7777,
            name_of(self.owner)
        )
    }
}

impl ServiceUser {
    /// The owner of the data folder; before there is one, the user of the unit; else whoever runs this.
    pub fn find(data_dir: &Path) -> Self {
        let us = rustix::process::geteuid().as_raw();
        let owner = data_dir.metadata().ok().filter(Metadata::is_dir).map(|data| data.uid());
        let unit = || uid_of(SERVICE).filter(|_| us == 0);
        let uid = owner.filter(|uid| *uid != 0).or_else(unit).unwrap_or(us);
        Self::of(uid)
    }

    /// Of a name or a number.
    pub fn named(user: &str) -> Option<Self> {
        uid_of(user).or_else(|| user.parse().ok()).map(Self::of)
    }

    fn of(uid: u32) -> Self {
        let name = name_of(uid);
        let mut groups = groups_of(&name);
        if uid == rustix::process::geteuid().as_raw() {
            groups.push(rustix::process::getegid().as_raw());
            let others = rustix::process::getgroups().unwrap_or_default();
            groups.extend(others.into_iter().map(rustix::process::Gid::as_raw));
        }
        Self { name, uid, groups }
    }

    /// Whether the bits of the file, and of every folder above it, let the service in. What is not there denies nothing.
    pub fn may(&self, path: &Path, wish: Wish) -> Result<(), Denied> {
        let Ok(real) = path.canonicalize() else { return Ok(()) };
        for folder in real.ancestors().skip(1) {
            self.may_here(folder, Wish::Enter)?;
        }
        self.may_here(&real, wish)
    }

    fn may_here(&self, path: &Path, wish: Wish) -> Result<(), Denied> {
        let Ok(data) = path.metadata() else { return Ok(()) };
        let bits = match &data {
            _ if self.uid == 0 || has_acl(path) => return Ok(()),
            data if data.uid() == self.uid => data.mode() >> 6,
            data if self.groups.contains(&data.gid()) => data.mode() >> 3,
            data => data.mode(),
        };
        let wanted = wish as u32;
        match bits & wanted == wanted {
            true => Ok(()),
            false => Err(Denied { path: path.to_owned(), mode: data.mode(), owner: data.uid() }),
        }
    }
}

/// An access control list says more than the bits do.
fn has_acl(path: &Path) -> bool {
    let mut none: [u8; 0] = [];
    rustix::fs::getxattr(path, "system.posix_acl_access", &mut none[..]).is_ok_and(|length| length > 0)
}

/// The name of a user, or the number where it has none in /etc/passwd.
pub fn name_of(uid: u32) -> String {
    let found = passwd().find(|(_, number, _)| *number == uid).map(|(name, ..)| name);
    found.unwrap_or_else(|| uid.to_string())
}

fn uid_of(name: &str) -> Option<u32> {
    passwd().find(|(known, ..)| known == name).map(|(_, uid, _)| uid)
}

/// Name, user and group of everybody in /etc/passwd.
fn passwd() -> impl Iterator<Item = (String, u32, u32)> {
    let text = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let read = |line: &str| {
        let mut fields = line.split(':');
        let (name, uid, gid) = (fields.next()?, fields.nth(1)?, fields.next()?);
        Some((name.to_owned(), uid.parse().ok()?, gid.parse().ok()?))
    };
    text.lines().filter_map(read).collect::<Vec<_>>().into_iter()
}

fn groups_of(user: &str) -> Vec<u32> {
    let own = passwd().filter(|(name, ..)| name == user).map(|(_, _, gid)| gid);
    let text = std::fs::read_to_string("/etc/group").unwrap_or_default();
    let member = |line: &str| {
        let mut fields = line.split(':');
        let (gid, members) = (fields.nth(2)?.parse().ok()?, fields.next()?);
        members.split(',').any(|name| name == user).then_some(gid)
    };
    own.chain(text.lines().filter_map(member)).collect()
}

/// The path itself, or the nearest folder above it that is there.
pub fn nearest_existing(path: &Path) -> &Path {
    path.ancestors().find(|path| path.exists()).unwrap_or(Path::new("/"))
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn user(uid: u32, groups: &[u32]) -> ServiceUser {
        ServiceUser { name: "zegel".into(), uid, groups: groups.to_vec() }
    }

    /// As the kernel does: the owner's bits count for the owner, even where others may do more.
    #[test]
    fn the_bits_of_the_own_class_count() {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
        let file = folder.path().join("key.pem");
        fs::write(&file, "").unwrap();
        let owner = file.metadata().unwrap();
        let stranger = owner.uid() + 4711;
        for (mode, user, may) in [
            (0o600, user(stranger, &[]), false),
            (0o640, user(stranger, &[]), false),
            (0o640, user(stranger, &[owner.gid()]), true),
            (0o604, user(stranger, &[owner.gid()]), false),
            (0o604, user(stranger, &[]), true),
            (0o000, user(0, &[]), true),
        ] {
            fs::set_permissions(&file, Permissions::from_mode(mode)).unwrap();
            assert_eq!(user.may_here(&file, Wish::Read).is_ok(), may, "{mode:o} {user:?}");
        }
        fs::set_permissions(folder.path(), Permissions::from_mode(0o700)).unwrap();
        let denied = user(stranger, &[]).may(&file, Wish::Read).unwrap_err();
        assert_eq!(denied.path, folder.path().canonicalize().unwrap());
        assert!(denied.to_string().contains("has mode 0700 and owner"), "{denied}");
        assert_eq!(user(stranger, &[]).may(&folder.path().join("none"), Wish::Read), Ok(()));
    }
}
