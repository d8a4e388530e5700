//! What the keyring promises: no key is used before it is on disk, none outlives its need, none goes before.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use tempfile::TempDir;

use super::*;

fn ring() -> (Keyring, PathBuf, TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("keys");
    (Keyring::of_tool(folder.clone()), folder, dir)
}

/// Everything in the folder.
fn octets(folder: &Path) -> Vec<u8> {
    let files = fs::read_dir(folder).unwrap();
    files.flat_map(|file| fs::read(file.unwrap().path()).unwrap()).collect()
}

fn holds(folder: &Path, key: &[u8; KEY]) -> bool {
    memchr::memmem::find(&octets(folder), key).is_some()
}

fn destroy_all(ring: &Keyring) -> Destroyed {
    ring.destroy(&ring.unheld().unwrap()).unwrap()
}

#[test]
fn a_key_is_on_disk_before_it_is_used_and_for_nobody_else() {
    let (ring, folder, _dir) = ring();
    assert!(!folder.exists(), "nothing is made before it is needed");
    let (one, first) = ring.take().unwrap();
    let (two, second) = ring.take().unwrap();
    assert!(holds(&folder, &first) && holds(&folder, &second));
    assert_ne!((one.id(), *first), (two.id(), *second));
    assert_eq!(*ring.find(one.id()).unwrap(), *first);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let file = fs::read_dir(&folder).unwrap().next().unwrap().unwrap().path();
    assert_eq!((mode(&folder), mode(&file)), (0o700, 0o600));
}

/// C29
#[test]
fn what_nobody_needs_is_written_over_and_what_somebody_needs_stays() {
    let (ring, folder, _dir) = ring();
    let (held, of_held) = ring.take().unwrap();
    let (gone, of_gone) = ring.take().unwrap();
    let (stored, of_stored) = ring.take().unwrap();
    let (pinned, of_pinned) = ring.take().unwrap();
    pinned.keep_until_restart();
    let [gone, stored, pinned] = [gone, stored, pinned].map(|name| name.id());
    let unheld = ring.unheld().unwrap();
    assert_eq!(HashSet::from_iter(unheld), HashSet::from([gone, stored]));
    assert_eq!(ring.destroy(&[gone, held.id(), pinned]).unwrap(), Destroyed::All);
    assert!(!holds(&folder, &of_gone));
    assert!(ring.find(gone).is_err());
    for (id, key) in [(held.id(), of_held), (stored, of_stored), (pinned, of_pinned)] {
        assert!(holds(&folder, &key));
        assert_eq!(*ring.find(id).unwrap(), *key);
    }
}

#[test]
fn a_destroyed_key_makes_room_for_another() {
    let (ring, folder, _dir) = ring();
    for _ in 0..20 {
        let taken: Vec<_> = (0..TOOL).map(|_| ring.take().unwrap()).collect();
        let ids: HashSet<_> = taken.iter().map(|(name, _)| name.id()).collect();
        let keys: HashSet<_> = taken.iter().map(|(_, key)| **key).collect();
        assert_eq!((ids.len(), keys.len()), (TOOL, TOOL), "none is given twice");
        drop(taken);
        destroy_all(&ring);
        assert!(keys.iter().all(|key| !holds(&folder, key)));
    }
    assert!(fs::read_dir(&folder).unwrap().count() <= 2);
}

/// What a backlog needed is given back.
#[test]
fn files_come_and_go_with_the_need() {
    let (ring, folder, _dir) = ring();
    let taken: Vec<_> = (0..10 * TOOL).map(|_| ring.take().unwrap()).collect();
    let stays = taken[0].0.clone();
    assert!(fs::read_dir(&folder).unwrap().count() >= 10);
    drop(taken);
    destroy_all(&ring);
    assert!(fs::read_dir(&folder).unwrap().count() <= 3);
    assert!(ring.find(stays.id()).is_ok());
}

#[test]
fn while_a_backup_is_made_nothing_is_destroyed() {
    let (ring, folder, _dir) = ring();
    assert!(keep_all(&folder).unwrap().is_none(), "there are no keys");
    let (_, key) = ring.take().unwrap();
    let backup = keep_all(&folder).unwrap();
    let _another = keep_all(&folder).unwrap();
    drop(_another);
    assert_eq!(destroy_all(&ring), Destroyed::Later);
    assert!(holds(&folder, &key));
    drop(backup);
    assert_eq!(destroy_all(&ring), Destroyed::All);
    assert!(!holds(&folder, &key));
}

/// A backup has the keys of the mail that is in it, and no others.
#[test]
fn only_what_is_wanted_is_copied() {
    let (ring, folder, dir) = ring();
    let (wanted, of_wanted) = ring.take().unwrap();
    let (other, of_other) = ring.take().unwrap();
    let target = dir.path().join("copy");
    copy(&folder, &target, &HashSet::from([wanted.id()])).unwrap();
    assert!(holds(&target, &of_wanted) && !holds(&target, &of_other));
    let restored = Keyring::of_server(target.clone());
    restored.unheld().unwrap();
    assert_eq!(*restored.find(wanted.id()).unwrap(), *of_wanted);
    assert_ne!(restored.find(other.id()).unwrap(), of_other);
}

#[test]
fn keys_are_taken_over_from_who_has_ended_and_from_nobody_else() {
    let (tool, folder, _dir) = ring();
    let (name, key) = tool.take().unwrap();
    let id = name.id();
    let server = Keyring::of_server(folder.clone());
    assert!(server.unheld().unwrap().is_empty());
    assert_eq!(*server.find(id).unwrap(), *key, "a mail of the tool may be delivered before it ends");
    drop(name);
    drop(tool);
    assert!(server.unheld().unwrap().contains(&id));
    let others: Vec<_> = server.unheld().unwrap().into_iter().filter(|other| *other != id).collect();
    server.destroy(&others).unwrap();
    assert_eq!(*server.find(id).unwrap(), *key);
    server.destroy(&[id]).unwrap();
    assert!(!holds(&folder, &key));
}

/// C01: a file whose making a crash has cut off is no obstacle.
#[test]
fn what_a_crash_has_left_is_taken_as_it_is() {
    let (ring, folder, _dir) = ring();
    fs::create_dir(&folder).unwrap();
    for (name, octets) in [("00000001", 0), ("00000002", 31), ("00000003", 33), ("no key", 40)] {
        fs::write(folder.join(name), vec![7; octets]).unwrap();
    }
    assert_eq!(ring.unheld().unwrap(), [KeyId::new(3, 0)]);
    destroy_all(&ring);
    assert!(ring.take().is_ok());
}

#[test]
fn a_folder_that_cannot_be_written_gives_no_key() {
    let dir = tempfile::tempdir().unwrap();
    let ring = Keyring::of_server(dir.path().join("nowhere/keys"));
    assert_eq!(ring.take().err().unwrap().kind(), io::ErrorKind::NotFound);
    assert_eq!(ring.find(KeyId::new(1, 1)).err().unwrap().to_string(), gone().to_string());
}

/// Many at once, while others are destroyed: every key stays for as long as somebody has it.
#[test]
fn taking_and_destroying_do_not_disturb_each_other() {
    let (ring, _folder, _dir) = ring();
    std::thread::scope(|threads| {
        for _ in 0..4 {
            threads.spawn(|| {
                for _ in 0..500 {
                    let (name, key) = ring.take().unwrap();
                    assert_eq!(*ring.find(name.id()).unwrap(), *key);
                }
            });
        }
        for _ in 0..50 {
            destroy_all(&ring);
        }
    });
}
