//! H33: a backup that was made of a running gateway, as docs/operations.md says, put in place on a new host.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail so")]

mod support;

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use support::client::submit;
use support::gateway::Site;
use support::mail::{Notice, link_of, password_of, tagged};
use support::smarthost::{Script, Smarthost};
use support::web::{get, get_as, post};

const STAFF: &str = "j.jansen@voorbeeld.nl";
const RESIDENT: &str = "anna@example.org";

/// `sqlite3 zegel.db ".backup …"`, `cp -a blobs`, `cp -a master.key`, in this order.
fn back_up(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    let db = rusqlite::Connection::open(from.join("zegel.db")).unwrap();
    db.backup("main", to.join("zegel.db"), None::<fn(rusqlite::backup::Progress)>).unwrap();
    copy(&from.join("blobs"), &to.join("blobs"));
    fs::copy(from.join("master.key"), to.join("master.key")).unwrap();
}

/// What goes away meanwhile was of no use any more.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        match entry.path().is_dir() {
            true => copy(&entry.path(), &target),
            false => drop(fs::copy(entry.path(), target)),
        }
    }
}

#[test]
fn a_backup_of_a_running_gateway_opens_the_links_that_are_out_there() {
    let smarthost = Smarthost::start(Script::usual());
    let site = Site::new(smarthost.address(), "");
    let gateway = site.start();
    submit(gateway.smtp, STAFF, &[RESIDENT], &tagged(STAFF, RESIDENT));
    let seen = smarthost.wait(|seen| seen.taken.len() == 2);
    let notices: Vec<Notice> = seen.taken.iter().map(Notice::of).collect();
    let text = |kind: &str| &notices.iter().find(|notice| notice.kind == kind).unwrap().text;
    let link = link_of(text("notification"), &site.public_url());
    let form = format!("password={}", password_of(text("receipt")));

    // It is being written to all the time.
    let new = Site::new(smarthost.address(), "");
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                submit(gateway.smtp, STAFF, &[RESIDENT], &tagged(STAFF, RESIDENT));
            }
        });
        back_up(&site.data(), &new.data());
        is_over.store(true, Ordering::Relaxed);
    });
    drop(gateway);

    let restored = new.start();
    let link = link.replace(&site.public_url(), &new.public_url());
    assert_eq!(post(&link, "password=fout").status, 403);
    let opened = post(&link, &form);
    assert_eq!(opened.status, 303, "{}", opened.text());
    let file = get_as(&format!("{link}/files/1"), &opened.cookie());
    assert_eq!((file.status, file.body.as_slice()), (200, &b"kanarie-inhoud"[..]));
    let mail = tagged(STAFF, RESIDENT);
    assert!(get_as(&format!("{link}/message.eml"), &opened.cookie()).body == mail);
    submit(restored.smtp, STAFF, &[RESIDENT], &mail);
    assert_eq!(restored.stop(), 0);

    // Without its key it does not start, says why, and makes no new one.
    fs::remove_file(new.data().join("master.key")).unwrap();
    let (status, _, error) = new.command(&["serve"]);
    assert_ne!(status, 0);
    assert!(error.contains("master.key: the master key is missing but the store is not empty"), "{error}");
    assert!(!new.data().join("master.key").exists());
    fs::copy(site.data().join("master.key"), new.data().join("master.key")).unwrap();
    let _restored = new.start();
    assert_eq!(get(&link).status, 200);
}
