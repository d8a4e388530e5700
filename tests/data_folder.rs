//! C36: what lies in a data folder belongs together, or is not put to work; and nothing in it is removed that a crash
//! cannot explain.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test may fail so")]

mod support;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use rusqlite::Connection;
use support::client::submit;
use support::gateway::{Site, all_bytes, free_port, wait_for};
use support::mail::tagged;

const STAFF: &str = "j.jansen@voorbeeld.nl";
const RESIDENT: &str = "anna@example.org";

/// A site with sealed transfers and mail that waits, its gateway stopped.
fn used(transfers: usize) -> Site {
    let site = Site::new(SocketAddr::from(([127, 0, 0, 1], free_port())), "");
    let gateway = site.start();
    for _ in 0..transfers {
        submit(gateway.smtp, STAFF, &[RESIDENT], &tagged(STAFF, RESIDENT));
    }
    assert_eq!(gateway.stop(), 0);
    site
}

/// Everything in the data folder that a start could harm, and the bytes of it.
fn contents(site: &Site) -> BTreeMap<PathBuf, Vec<u8>> {
    let counts = |path: &PathBuf| path.starts_with(site.data().join("blobs")) || path.ends_with("master.key");
    all_bytes(&site.data()).into_iter().filter(|(path, _)| counts(path)).collect()
}

fn blobs(site: &Site) -> Vec<PathBuf> {
    let mut blobs: Vec<_> = contents(site).into_keys().filter(|path| is_blob(path)).collect();
    blobs.sort();
    blobs
}

fn is_blob(path: &Path) -> bool {
    path.file_name().unwrap().len() == 26
}

/// Neither `serve` nor `check` accepts it; both say each of `words`, and nothing is changed.
fn assert_refused(site: &Site, words: &[&str]) {
    let before = contents(site);
    let is_new = !site.data().join("zegel.db").exists();
    for (command, expected) in [("check", 2), ("serve", 1), ("serve", 1)] {
        let (status, out, error) = site.command(&[command]);
        assert_eq!(status, expected, "{command}: {out}{error}");
        for word in words {
            assert!(error.contains(word), "{command}: {word} is missing in {error}");
        }
        assert!(!error.contains("fine") && !out.contains("fine"), "{command}: {out}{error}");
        assert!(contents(site) == before, "{command} changed something");
        assert!(!is_new || !site.data().join("zegel.db").exists(), "{command} made a database");
    }
}

fn swap(one: &Site, other: &Site, name: &str) {
    let (one, other) = (one.data().join(name), other.data().join(name));
    let aside = one.with_extension("aside");
    fs::rename(&one, &aside).unwrap();
    fs::rename(&other, &one).unwrap();
    fs::rename(&aside, &other).unwrap();
}

#[test]
fn without_its_database_nothing_is_started_and_nothing_lost() {
    let site = used(3);
    assert!(blobs(&site).len() >= 12);
    fs::remove_file(site.data().join("zegel.db")).unwrap();
    assert_refused(&site, &["zegel.db: the database is missing", "master.key", "blobs", "restore"]);
    let (status, _, error) = site.command(&["queue", "list"]);
    assert!(status == 1 && error.contains("the database is missing"), "{error}");

    // An empty file is no database either; and each of the others alone is enough.
    File::create(site.data().join("zegel.db")).unwrap();
    let (status, _, error) = site.command(&["serve"]);
    assert!(status == 1 && error.contains("the database is missing"), "{error}");
    fs::remove_file(site.data().join("zegel.db")).unwrap();
    for name in ["master.key", "blobs", "journal"] {
        let only = Site::new(SocketAddr::from(([127, 0, 0, 1], free_port())), "");
        fs::create_dir(only.data()).unwrap();
        let (from, to) = (site.data().join(name), only.data().join(name));
        assert!(Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap().success());
        assert_refused(&only, &["zegel.db: the database is missing", name]);
    }
    // The log of a database that is gone would be taken in by a new one.
    let only = Site::new(SocketAddr::from(([127, 0, 0, 1], free_port())), "");
    fs::create_dir(only.data()).unwrap();
    fs::write(only.data().join("zegel.db-wal"), "old").unwrap();
    assert_refused(&only, &["zegel.db: the database is missing", "zegel.db-wal"]);
}

#[test]
fn what_belongs_to_another_installation_is_not_started() {
    let (site, other) = (used(1), used(1));
    for (name, words) in [
        ("zegel.db", &["master.key: this is not the master key", "zegel.db"][..]),
        ("master.key", &["master.key: this is not the master key", "zegel repair key"]),
        ("blobs", &["blobs: these are the blobs of another data folder", "zegel repair blobs"]),
    ] {
        swap(&site, &other, name);
        assert_refused(&site, words);
        swap(&site, &other, name);
        assert_eq!(site.start().stop(), 0, "{name} is back");
    }
    // A new database, never used, beside the blobs of an old one; the key comes along.
    let new = Site::new(SocketAddr::from(([127, 0, 0, 1], free_port())), "");
    assert_eq!(new.start().stop(), 0);
    for name in ["zegel.db", "master.key"] {
        fs::copy(new.data().join(name), site.data().join(name)).unwrap();
    }
    assert_refused(&site, &["blobs: these are the blobs of another data folder"]);
}

#[test]
fn a_folder_of_blobs_that_was_emptied_or_is_not_mounted_is_not_started() {
    let site = used(5);
    let (folder, aside) = (site.data().join("blobs"), site.data().join("aside"));
    fs::rename(&folder, &aside).unwrap();
    assert_refused(&site, &["blobs: these are not the blobs of", "mounted"]);
    fs::create_dir(&folder).unwrap();
    assert_refused(&site, &["blobs: these are not the blobs of", "folder-"]);
    // All but the id.
    fs::create_dir(folder.join(id_folder(&aside).unwrap().file_name().unwrap())).unwrap();
    assert_refused(&site, &["at least", "are missing", "zegel repair blobs"]);
    // Nor is it with blobs for some of its transfers, as after half a restore.
    let some: Vec<_> = all_bytes(&aside).into_iter().take(6).collect();
    for (path, bytes) in &some {
        let target = folder.join(path.strip_prefix(&aside).unwrap());
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        fs::write(target, bytes).unwrap();
    }
    assert_refused(&site, &["at least", "are missing", "zegel repair blobs"]);
    // Lost for good: the administrator says so, and it goes on without.
    let (status, out, error) = site.command(&["repair", "blobs"]);
    assert_eq!(status, 0, "{error}");
    assert!(out.contains("are missing"), "{out}");
    let gateway = site.start();
    let (status, out, _) = site.command(&["check", "--data"]);
    assert!(status == 1 && out.matches("  missing  ").count() >= 12, "{out}");
    drop(gateway);
}

#[test]
fn a_lost_key_is_replaced_only_when_somebody_says_so() {
    let site = used(1);
    let (_, out, _) = site.command(&["check"]);
    let (_, name) = out.split_once("blobs and key ").unwrap();
    let right = format!("(key {}, this is key ", name.split(' ').next().unwrap());
    fs::write(site.data().join("master.key"), [7; 32]).unwrap();
    assert_refused(&site, &["master.key: this is not the master key", &right]);
    let (status, _, error) = site.command(&["repair", "blobs"]);
    assert!(status == 1 && error.contains("this is not the master key"), "{error}");
    let (status, out, error) = site.command(&["repair", "key"]);
    assert_eq!(status, 0, "{out}{error}");
    let gateway = site.start();
    // Beside a gateway nothing is repaired.
    let (status, _, error) = site.command(&["repair", "key"]);
    assert!(status == 1 && error.contains("another zegel is running"), "{error}");
    submit(gateway.smtp, STAFF, &[RESIDENT], &tagged(STAFF, RESIDENT));
}

/// The folder whose name is the id.
fn id_folder(blobs: &Path) -> Option<PathBuf> {
    let mut paths = fs::read_dir(blobs).unwrap().map(|entry| entry.unwrap().path());
    paths.find(|path| path.file_name().unwrap().to_str().unwrap().starts_with("folder-"))
}

/// As an installation looks that was made before there were ids.
fn take_id(site: &Site) {
    let db = Connection::open(site.data().join("zegel.db")).unwrap();
    db.execute("DELETE FROM folder", []).unwrap();
    fs::remove_dir(id_folder(&site.data().join("blobs")).unwrap()).unwrap();
}

#[test]
fn an_installation_from_before_gets_its_id_when_it_is_consistent() {
    let site = used(2);
    take_id(&site);
    let (status, out, _) = site.command(&["check"]);
    assert!(status == 0 && out.contains("gets an id"), "{out}");
    assert_eq!(site.start().stop(), 0);
    assert!(id_folder(&site.data().join("blobs")).is_some());
    let (status, out, _) = site.command(&["check", "--data"]);
    assert!(status == 0 && out.contains("belong together"), "{out}");

    // Most of the blobs are of somebody else.
    take_id(&site);
    let other = used(2);
    take_id(&other);
    swap(&site, &other, "blobs");
    let before = contents(&site);
    let (status, _, error) = site.command(&["serve"]);
    assert!(status == 1 && error.contains("are missing") && error.contains("repair blobs"), "{error}");
    assert!(contents(&site) == before);
}

/// Puts blobs there that no row names, written so long ago.
fn leave(site: &Site, count: usize, ago: Duration) -> Vec<PathBuf> {
    let time = SystemTime::now() - ago;
    let number = |number: usize| format!("{:026}", number as u64 + ago.as_secs() * 1_000_000);
    let names = (0..count).map(number);
    names
        .map(|name| {
            let path = site.data().join("blobs").join(&name[..2]).join(&name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, "sealed").unwrap();
            File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
            path
        })
        .collect()
}

#[test]
fn what_a_crash_left_is_swept_and_logged() {
    let site = used(1);
    let kept = blobs(&site);
    let left = leave(&site, 3, Duration::ZERO);
    let gateway = site.start();
    wait_for("the sweep", || (!left.iter().any(|path| path.exists())).then_some(()));
    for path in &left {
        gateway.wait_for_log(path.file_name().unwrap().to_str().unwrap());
    }
    assert_eq!(blobs(&site), kept);
}

/// A database from a backup, which does not know the newest blobs; very many; very old.
#[test]
fn what_no_crash_explains_is_left_alone_until_somebody_says_so() {
    let hour = Duration::from_secs(3600);
    for (count, ago, reason) in
        [(501, Duration::ZERO, "a crash leaves fewer than 501"), (1, 3 * hour, "1 were written long before")]
    {
        let site = used(1);
        let kept = blobs(&site);
        let left = leave(&site, count, ago);
        let gateway = site.start();
        let line = gateway.wait_for_log("were left alone");
        assert!(line.contains("ERROR") && line.contains(reason), "{line}");
        assert!(line.contains(&format!("\"blobs\":{count}")), "{line}");
        assert!(left.iter().all(|path| path.exists()));
        assert_eq!(gateway.stop(), 0);
        assert!(left.iter().all(|path| path.exists()));

        if ago > Duration::ZERO {
            let (status, out, error) = site.command(&["check", "--data"]);
            assert_eq!(status, 1, "{out}{error}");
            let name = left[0].file_name().unwrap().to_str().unwrap();
            assert!(out.contains(&format!("  unknown  {name}")), "{out}");
        }
        let (status, out, error) = site.command(&["repair", "leftovers"]);
        assert!(status == 0 && out.contains(&format!("{count} blobs")), "{out}{error}");
        assert_eq!(blobs(&site), kept);
        assert_eq!(site.command(&["check", "--data"]).0, 0);
    }
}

#[test]
fn a_database_that_is_older_than_the_blobs_costs_none_of_them() {
    let site = used(1);
    let old = site.data().join("old.db");
    fs::copy(site.data().join("zegel.db"), &old).unwrap();
    let gateway = site.start();
    submit(gateway.smtp, STAFF, &[RESIDENT], &tagged(STAFF, RESIDENT));
    assert_eq!(gateway.stop(), 0);
    let all = blobs(&site);
    fs::rename(&old, site.data().join("zegel.db")).unwrap();
    // The gateway was last at work an hour before the newest blob.
    let db = Connection::open(site.data().join("zegel.db")).unwrap();
    db.execute("UPDATE folder SET alive = alive - 3600000000", []).unwrap();
    drop(db);
    let gateway = site.start();
    let line = gateway.wait_for_log("were left alone");
    assert!(line.contains("is it from a backup?"), "{line}");
    assert_eq!(gateway.stop(), 0);
    assert_eq!(blobs(&site), all);
}

#[test]
fn check_names_what_is_missing_and_what_is_damaged_beside_a_running_gateway() {
    let site = used(2);
    let gateway = site.start();
    let (status, out, error) = site.command(&["check", "--data"]);
    assert!(status == 0 && out.contains("blobs named, 0 missing"), "{out}{error}");
    let all = blobs(&site);
    fs::remove_file(&all[0]).unwrap();
    fs::write(&all[1], "short").unwrap();
    let (status, out, error) = site.command(&["check", "--data"]);
    assert_eq!(status, 1, "{out}{error}");
    for (path, word) in [(&all[0], "missing"), (&all[1], "damaged")] {
        let name = path.file_name().unwrap().to_str().unwrap();
        assert!(out.contains(&format!("  {word}  {name}  part ")), "{out}");
    }
    assert!(error.contains("1 blobs missing, 1 damaged, 0 unknown"), "{error}");
    assert_eq!(gateway.stop(), 0);
    let gateway = site.start();
    let line = gateway.wait_for_log("blobs that rows name are missing");
    assert!(line.contains("\"at_least\":1"), "{line}");
}
