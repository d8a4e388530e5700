//! H33, C37: a backup that was made of a running gateway, as docs/operations.md says, put in place on a new host; and
//! what is refused, because it is not whole or does not belong together.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test may fail so")]

mod support;

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use support::client::submit;
use support::gateway::{Gateway, Site, all_bytes, free_port, wait_for};
use support::mail::{Notice, as_opened, link_of, password_of, tagged};
use support::smarthost::{Script, Smarthost};
use support::web::{get, get_as, post};

const STAFF: &str = "j.jansen@voorbeeld.nl";
const RESIDENT: &str = "anna@example.org";

fn nobody() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], free_port()))
}

/// `zegel backup`; where it is.
fn back_up(site: &Site, more: &[&str]) -> (tempfile::TempDir, PathBuf) {
    let outside = tempfile::tempdir().unwrap();
    let out = outside.path().join("backup");
    let mut arguments = vec!["backup", "--out", out.to_str().unwrap()];
    arguments.extend(more);
    let (status, text, error) = site.command(&arguments);
    assert!(status == 0 && text.contains("complete"), "{text}{error}");
    (outside, out)
}

fn restore(site: &Site, from: &Path) -> (i32, String, String) {
    site.command(&["restore", "--from", from.to_str().unwrap()])
}

/// Fails with each of `words`, and leaves nothing in the data folder that was not there.
fn assert_not_restored(site: &Site, from: &Path, words: &[&str]) {
    let before = files(&site.data());
    let (status, out, error) = restore(site, from);
    assert_eq!(status, 1, "{out}{error}");
    for word in words {
        assert!(error.contains(word), "{word} is missing in {error}");
    }
    assert_eq!(files(&site.data()), before, "{error}");
}

fn files(folder: &Path) -> Vec<PathBuf> {
    if !folder.exists() {
        return Vec::new();
    }
    let mut files: Vec<_> = all_bytes(folder).into_iter().map(|(path, _)| path).collect();
    files.sort();
    files
}

fn blobs(folder: &Path) -> Vec<PathBuf> {
    files(&folder.join("blobs"))
}

/// Seals a mail and gives link and password of its recipient.
fn sealed(site: &Site, gateway: &Gateway, smarthost: &Smarthost) -> (String, String) {
    submit(gateway.smtp, STAFF, &[RESIDENT], &tagged(STAFF, RESIDENT));
    let seen = smarthost.wait(|seen| seen.taken.len() == 2);
    let notices: Vec<Notice> = seen.taken.iter().map(Notice::of).collect();
    let text = |kind: &str| &notices.iter().find(|notice| notice.kind == kind).unwrap().text;
    (link_of(text("notification"), &site.public_url()), password_of(text("receipt")))
}

#[test]
fn a_backup_of_a_running_gateway_opens_the_links_that_are_out_there() {
    let smarthost = Smarthost::start(Script::usual());
    let site = Site::new(smarthost.address(), "");
    let gateway = site.start();
    let (link, password) = sealed(&site, &gateway, &smarthost);

    // It is being written to all the time.
    let is_over = AtomicBool::new(false);
    let (_outside, backup) = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                submit(gateway.smtp, STAFF, &[RESIDENT], &tagged(STAFF, RESIDENT));
            }
        });
        let backup = back_up(&site, &[]);
        is_over.store(true, Ordering::Relaxed);
        backup
    });
    drop(gateway);
    for path in files(&backup) {
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o077, 0, "{}", path.display());
    }

    let new = Site::new(smarthost.address(), "");
    let (status, out, error) = restore(&new, &backup);
    assert!(status == 0 && out.contains("restored"), "{out}{error}");
    let (status, out, error) = new.command(&["check", "--data"]);
    assert_eq!(status, 0, "{out}{error}");
    let restored = new.start();
    let link = link.replace(&site.public_url(), &new.public_url());
    assert_eq!(post(&link, "password=fout").status, 403);
    let opened = post(&link, &format!("password={password}"));
    assert_eq!(opened.status, 303, "{}", opened.text());
    let file = get_as(&format!("{link}/files/1"), &opened.cookie());
    assert_eq!((file.status, file.body.as_slice()), (200, &b"kanarie-inhoud"[..]));
    let mail = tagged(STAFF, RESIDENT);
    assert!(get_as(&format!("{link}/message.eml"), &opened.cookie()).body == as_opened(&mail));
    submit(restored.smtp, STAFF, &[RESIDENT], &mail);
    assert_eq!(restored.stop(), 0);

    // Without its key it does not start, says why, and makes no new one.
    let key = new.data().join("master.key");
    fs::rename(&key, backup.join("aside")).unwrap();
    let (status, _, error) = new.command(&["serve"]);
    assert_ne!(status, 0);
    assert!(error.contains("master.key: the master key is missing but the store is not empty"), "{error}");
    assert!(!key.exists());
    fs::rename(backup.join("aside"), &key).unwrap();
    let _restored = new.start();
    assert_eq!(get(&link).status, 200);
}

/// What waits is in the backup as well: in the journal, in rows, in a blob.
#[test]
fn mail_that_waits_is_in_the_backup() {
    let site = Site::new(nobody(), "");
    let gateway = site.start();
    let mail = |number: usize, size: usize| {
        let head = format!("From: <{STAFF}>\r\nTo: <{RESIDENT}>\r\nSubject: gewone post {number}\r\n\r\n");
        [head.as_bytes(), &b"regel\r\n".repeat(size / 7)].concat()
    };
    let mails = [mail(1, 100), mail(2, 400_000), mail(3, 100)];
    mails.iter().for_each(|mail| drop(submit(gateway.smtp, STAFF, &[RESIDENT], mail)));
    let (_outside, backup) = back_up(&site, &[]);
    gateway.kill();

    let smarthost = Smarthost::start(Script::usual());
    let new = Site::new(smarthost.address(), "");
    let (status, out, error) = restore(&new, &backup);
    assert!(status == 0 && out.contains("3 mails in the queue"), "{out}{error}");
    let _gateway = new.start();
    let seen = smarthost.wait(|seen| seen.taken.len() == 3);
    for mail in &mails {
        assert!(seen.taken.iter().any(|taken| taken.message.ends_with(mail)), "all of it arrives");
    }
}

/// A transfer is recalled while a backup is being made: what the copy of the database names stays until it is done.
#[test]
fn nothing_goes_while_a_backup_is_made() {
    let smarthost = Smarthost::start(Script::usual());
    let site = Site::new(smarthost.address(), "");
    let gateway = site.start();
    sealed(&site, &gateway, &smarthost);
    let all = blobs(&site.data());
    assert!(all.len() >= 4);
    // As `zegel backup` does from its first moment to its last.
    let held = fs::File::open(site.data().join("blobs")).unwrap();
    held.lock_shared().unwrap();
    let (_, list, _) = site.command(&["transfer", "list", "--json"]);
    let list: serde_json::Value = serde_json::from_str(&list).unwrap();
    let (status, _, error) = site.command(&["transfer", "recall", list[0]["id"].as_str().unwrap(), "--all"]);
    assert_eq!(status, 0, "{error}");
    assert_eq!(gateway.stop(), 0);
    let gateway = site.start();
    gateway.wait_for_log("a backup is being made");
    assert_eq!(blobs(&site.data()), all);
    drop(held);
    assert_eq!(gateway.stop(), 0);
    let _gateway = site.start();
    wait_for("the end of what was recalled", || blobs(&site.data()).is_empty().then_some(()));
}

#[test]
fn a_backup_without_the_key_needs_it_named() {
    let site = Site::new(nobody(), "");
    let gateway = site.start();
    submit(gateway.smtp, STAFF, &[RESIDENT], &tagged(STAFF, RESIDENT));
    let (_outside, backup) = back_up(&site, &["--without-key"]);
    assert!(!backup.join("master.key").exists());
    let new = Site::new(nobody(), "");
    assert_not_restored(&new, &backup, &["made without master.key", "--key FILE"]);
    let with = |key: &Path| {
        new.command(&["restore", "--from", backup.to_str().unwrap(), "--key", key.to_str().unwrap()])
    };
    let wrong = backup.join("wrong.key");
    fs::write(&wrong, [7; 32]).unwrap();
    let (status, _, error) = with(&wrong);
    assert!(status == 1 && error.contains("this is not the master key"), "{error}");
    assert!(files(&new.data()).is_empty());
    let (status, _, error) = with(&site.data().join("master.key"));
    assert_eq!(status, 0, "{error}");
    let _gateway = new.start();
}

/// The documented restore replayed a log that was there, and started with blobs for some of its transfers.
#[test]
fn it_is_put_back_into_an_empty_folder_only() {
    let site = Site::new(nobody(), "");
    let gateway = site.start();
    submit(gateway.smtp, STAFF, &[RESIDENT], &tagged(STAFF, RESIDENT));
    let (_outside, backup) = back_up(&site, &[]);
    // Neither beside a gateway nor over what a crash has left.
    assert_not_restored(&site, &backup, &["this folder is not empty"]);
    gateway.kill();
    assert_not_restored(&site, &backup, &["this folder is not empty"]);
    for name in ["zegel.db-wal", "master.key", "x"] {
        let new = Site::new(nobody(), "");
        fs::create_dir(new.data()).unwrap();
        fs::write(new.data().join(name), "there").unwrap();
        assert_not_restored(&new, &backup, &["this folder is not empty", name]);
    }
    // Where a disk is mounted is empty.
    let new = Site::new(nobody(), "");
    fs::create_dir_all(new.data().join("blobs/lost+found")).unwrap();
    fs::create_dir(new.data().join("lost+found")).unwrap();
    let (status, _, error) = restore(&new, &backup);
    assert_eq!(status, 0, "{error}");
    // Nor is a backup written over anything.
    let (status, _, error) = new.command(&["backup", "--out", backup.to_str().unwrap()]);
    assert!(status == 1 && error.contains("this folder is not empty"), "{error}");
}

/// What is done to a file of a backup.
type Spoil<'a> = &'a dyn Fn(&Path);

#[test]
fn what_is_not_whole_is_refused() {
    let site = Site::new(nobody(), "");
    let gateway = site.start();
    for _ in 0..2 {
        submit(gateway.smtp, STAFF, &[RESIDENT], &tagged(STAFF, RESIDENT));
    }
    let (_outside, backup) = back_up(&site, &[]);
    let other = Site::new(nobody(), "");
    let other_gateway = other.start();
    submit(other_gateway.smtp, STAFF, &[RESIDENT], &tagged(STAFF, RESIDENT));
    let (_other_outside, others) = back_up(&other, &[]);

    let new = Site::new(nobody(), "");
    assert_not_restored(&new, &site.data(), &["no backup of zegel, or one that was not finished"]);
    let one = blobs(&backup).into_iter().next().unwrap();
    let list = backup.join("blobs.txt");
    let spoilt: [(&Path, Spoil<'_>, &str); 6] = [
        (&backup.join("backup.json"), &|path| fs::remove_file(path).unwrap(), "not finished"),
        (&one, &|path| fs::remove_file(path).unwrap(), "the backup is damaged"),
        (&one, &|path| fs::write(path, "short").unwrap(), "5 octets instead of"),
        (&list, &|path| fs::write(path, "").unwrap(), "the backup is damaged"),
        (&backup.join("master.key"), &|path| fs::write(path, [7; 32]).unwrap(), "this is not the master key"),
        (
            &backup.join("zegel.db"),
            &|path| fs::write(path, fs::read(others.join("zegel.db")).unwrap()).unwrap(),
            "is missing in the backup",
        ),
    ];
    for (path, spoil, reason) in spoilt {
        let before = fs::read(path).unwrap();
        spoil(path);
        assert_not_restored(&new, &backup, &[reason]);
        fs::write(path, before).unwrap();
    }
    // A restore that was cut off is not started.
    let (status, _, error) = restore(&new, &backup);
    assert_eq!(status, 0, "{error}");
    fs::write(new.data().join("restore.unfinished"), "").unwrap();
    for command in ["serve", "check"] {
        let (_, _, error) = new.command(&[command]);
        assert!(error.contains("a restore into this folder was not finished"), "{error}");
    }
    fs::remove_file(new.data().join("restore.unfinished")).unwrap();
    let _gateway = new.start();
}

/// What was lost before costs no backup; it is told.
#[test]
fn what_was_lost_before_is_named_and_the_rest_is_kept() {
    let site = Site::new(nobody(), "");
    let gateway = site.start();
    submit(gateway.smtp, STAFF, &[RESIDENT], &tagged(STAFF, RESIDENT));
    let all = blobs(&site.data());
    fs::remove_file(&all[0]).unwrap();
    fs::write(&all[1], "short").unwrap();
    let outside = tempfile::tempdir().unwrap();
    let out = outside.path().join("backup");
    let (status, text, error) = site.command(&["backup", "--out", out.to_str().unwrap()]);
    assert_eq!(status, 1, "{text}{error}");
    assert!(error.contains("2 blobs were missing or damaged before"), "{error}");
    for path in &all[..2] {
        assert!(text.contains(path.file_name().unwrap().to_str().unwrap()), "{text}");
    }
    let new = Site::new(nobody(), "");
    let (status, text, error) = restore(&new, &out);
    assert!(status == 0 && text.matches("  lost  ").count() == 2, "{text}{error}");
    let _gateway = new.start();
}
