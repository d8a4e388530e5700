//! What nodes share is backed up while they work, put back, repaired and compared, and what has ended is nowhere any more: with
//! the real binary, a real PostgreSQL and a real S3 service.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail so"
)]

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use support::client::submit;
use support::gateway::{Gateway, Site, all_bytes, wait_for, zegel};
use support::mail::{tagged, with_file};
use support::postgresql::{Server, TestDatabase};
use support::radosgw::{self, BUCKET, KEY_ID, SECRET};
use support::resident::{RESIDENT, STAFF, noise, seal};
use support::smarthost::{Script, Smarthost, Stage, say};
use support::web::{get, get_as, post};

/// A gateway with this database and this place for its blobs.
fn site(smarthost: &Smarthost, database: &str, blobs: &str) -> Site {
    let endpoint = radosgw::shared().endpoint();
    let store = format!(
        "[store]\ndatabase = \"{database}\"\nblobs = \"s3://{blobs}\"\nendpoint = \"{endpoint}\"\n\
         credentials_file = \"s3.credentials\"\n"
    );
    let site = Site::new(smarthost.address(), &store);
    let keys = format!("[default]\naws_access_key_id = {KEY_ID}\naws_secret_access_key = {SECRET}\n");
    fs::write(site.config().with_file_name("s3.credentials"), keys).unwrap();
    site
}

fn done(site: &Site, arguments: &[&str], words: &str) -> String {
    let (status, out, error) = site.command(arguments);
    assert!(status == 0 && out.contains(words), "{arguments:?}: {out}{error}");
    out
}

fn refused(site: &Site, arguments: &[&str], words: &str) {
    let (status, out, error) = site.command(arguments);
    assert!(status != 0 && error.contains(words), "{arguments:?}: {out}{error}");
}

/// The password opens the link, and the file is whole.
fn assert_opens(site: &Site, (link, of): (&str, &Site), password: &str) {
    let link = link.replace(&of.public_url(), &site.public_url());
    assert_eq!(post(&link, "password=fout").status, 403);
    let opened = post(&link, &format!("password={password}"));
    assert_eq!(opened.status, 303, "{}", opened.text());
    let file = get_as(&format!("{link}/files/1"), &opened.cookie());
    assert_eq!((file.status, file.body.as_slice()), (200, &b"kanarie-inhoud"[..]));
}

/// Ordinary mail of this size, to somebody for whom nothing is taken yet.
fn wait_in_queue(gateway: &Gateway, size: usize) -> Vec<u8> {
    let head = format!("From: <{STAFF}>\r\nTo: <wacht@example.org>\r\nSubject: gewone post {size}\r\n\r\n");
    let mail = [head.as_bytes(), &b"regel\r\n".repeat(size / 7)].concat();
    submit(gateway.smtp, STAFF, &["wacht@example.org"], &mail);
    mail
}

fn later() -> Script {
    Script::usual().when(Stage::Rcpt, "wacht@", say("451 4.3.0 later"), usize::MAX)
}

#[test]
fn a_backup_of_nodes_at_work_is_put_back_into_a_store_and_into_a_folder() {
    let smarthost = Smarthost::start(later());
    let (database, outside) = (TestDatabase::new(), tempfile::tempdir().unwrap());
    let old = site(&smarthost, &database.url(), &format!("{BUCKET}/kept"));
    let gateway = old.start();
    let (links, password) = seal(&smarthost, &old, &gateway, &[RESIDENT]);
    let link = (links[0].as_str(), &old);
    let mails = [wait_in_queue(&gateway, 700), wait_in_queue(&gateway, 400_000)];
    let out = outside.path().join("backup");
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                submit(gateway.smtp, STAFF, &[RESIDENT], &tagged(STAFF, RESIDENT));
            }
        });
        done(&old, &["backup", "--out", out.to_str().unwrap()], "complete");
        is_over.store(true, Ordering::Relaxed);
    });
    assert!(!out.join("zegel.db-wal").exists() && !out.join("journal").exists(), "one file, whole");
    done(&old, &["check", "--data"], "0 missing");
    assert_opens(&old, link, &password);
    gateway.kill();

    let other = TestDatabase::new();
    let store = site(&smarthost, &other.url(), &format!("{BUCKET}/kept-anew"));
    let folder = Site::new(smarthost.address(), "");
    let from = ["restore", "--from", out.to_str().unwrap()];
    let part = all_bytes(&out.join("blobs")).into_iter().find(|(_, bytes)| bytes.len() > 10_000).unwrap().0;
    let whole = fs::read(&part).unwrap();
    fs::write(&part, &whole[1..]).unwrap();
    refused(&store, &from, "the backup is damaged");
    fs::write(&part, whole).unwrap();
    assert!(!store.data().join("master.key").exists(), "nothing was begun");
    for (new, place) in [(&store, "postgresql://"), (&folder, "data")] {
        let said = done(new, &from, "restored, as it was at");
        assert!(said.contains(place), "{said}");
        done(new, &["check", "--data"], "0 missing");
    }
    refused(&store, &from, "there is a gateway in it already");

    smarthost.change(Script::usual());
    for new in [store, folder] {
        let before = smarthost.seen().taken.len();
        let gateway = new.start();
        assert_opens(&new, link, &password);
        let arrived = |mail: &Vec<u8>| {
            smarthost.wait(|seen| seen.taken[before..].iter().any(|taken| taken.message.ends_with(mail)));
        };
        mails.iter().for_each(arrived);
        assert_eq!(gateway.stop(), 0);
    }
}

#[test]
fn a_backup_is_made_where_the_timer_is_and_the_oldest_goes() {
    let smarthost = Smarthost::start(Script::usual());
    let database = TestDatabase::new();
    let site = site(&smarthost, &database.url(), &format!("{BUCKET}/turns"));
    let into = site.config().with_file_name("backups");
    let back_up = ["backup", "--into", into.to_str().unwrap(), "--keep", "1", "--if-leader"];
    let gateway = site.start();
    wait_for("a leader", || (site.command(&["nodes"]).1.contains("  timer")).then_some(()));
    done(&site, &back_up, "complete");
    let first = backups(&into);
    assert_eq!(first.len(), 1);
    // The next has another second in its name.
    wait_for("another backup", || (site.command(&back_up).0 == 0).then_some(()));
    let second = backups(&into);
    assert!(second.len() == 1 && second != first, "{first:?} {second:?}");
    database.sql("UPDATE nodes SET name = 'elsewhere'");
    done(&site, &back_up, "on another host");
    assert_eq!(backups(&into), second);
    assert_eq!(gateway.stop(), 0);
    refused(&site, &back_up, "no node runs the timer");
}

fn backups(into: &Path) -> Vec<PathBuf> {
    fs::read_dir(into).unwrap().map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn what_is_lost_of_a_store_is_given_up_while_no_node_runs() {
    let smarthost = Smarthost::start(Script::usual());
    let database = TestDatabase::new();
    let site = site(&smarthost, &database.url(), &format!("{BUCKET}/lost"));
    let gateway = site.start();
    let (links, password) = seal(&smarthost, &site, &gateway, &[RESIDENT]);
    // Large enough for the bucket: what is small is a row.
    submit(gateway.smtp, STAFF, &[RESIDENT], &with_file(STAFF, RESIDENT, &noise(100_000)));
    for lost in ["key", "blobs", "leftovers"] {
        refused(&site, &["repair", lost], "another zegel is running");
    }
    assert_eq!(gateway.stop(), 0);

    let stranger = "0123456789abcdefghjkmnpqrs";
    radosgw::shared().request("PUT", &format!("/{BUCKET}/lost/blobs/{stranger}"), "of nobody");
    done(&site, &["repair", "leftovers"], &format!("{stranger} removed"));
    done(&site, &["check", "--data"], "0 missing");
    let object = database.sql(
        "SELECT DISTINCT object FROM sheets JOIN transfer_recipients ON key >> 32 = sheets.number WHERE key_packet IS NOT NULL",
    );
    // Both links may have their keys in one sheet.
    let objects: Vec<&str> = object.lines().collect();
    let place = |object: &str| format!("/{BUCKET}/lost/keys/{object}");
    let kept: Vec<Vec<u8>> = objects.iter().map(|object| radosgw::shared().bytes(&place(object))).collect();
    objects.iter().for_each(|object| {
        radosgw::shared().request("DELETE", &place(object), "");
    });
    let (status, out, error) = site.command(&["check", "--data"]);
    assert!(
        status != 0 && error.contains(&format!("{} objects with keys missing", objects.len())),
        "{out}{error}"
    );
    for object in &objects {
        assert!(out.contains(&format!("  missing  keys/{object}  keys of short life of ")), "{out}");
    }
    let so_many = if objects.len() == 1 { " and 2 links" } else { " and 1 links" };
    assert_eq!(out.matches(so_many).count(), objects.len(), "{out}");
    objects.iter().zip(&kept).for_each(|(object, keys)| {
        radosgw::shared().store(&place(object), keys);
    });
    done(&site, &["check", "--data"], "0 missing");

    let key = site.data().join("master.key");
    let own = fs::read(&key).unwrap();
    fs::write(&key, [9; 32]).unwrap();
    refused(&site, &["serve"], "this is not the master key");
    refused(&site, &["repair", "blobs"], "this is not the master key");
    done(&site, &["repair", "key"], "");
    assert_eq!(site.start().stop(), 0);
    fs::write(&key, own).unwrap();
    done(&site, &["repair", "key"], "");
    let gateway = site.start();
    assert_opens(&site, (&links[0], &site), &password);
    assert_eq!(gateway.stop(), 0);

    let config = fs::read_to_string(site.config()).unwrap();
    fs::write(site.config(), config.replace(&format!("s3://{BUCKET}/lost"), &format!("s3://{BUCKET}/empty")))
        .unwrap();
    refused(&site, &["serve"], "these are not the blobs of the database");
    done(&site, &["repair", "blobs"], "");
    let (status, out, error) = site.command(&["check", "--data"]);
    assert!(status != 0 && out.contains("  missing  ") && error.contains("blobs missing"), "{out}{error}");
    let gateway = site.start();
    assert!(get(&links[0]).status < 500);
    assert_eq!(gateway.stop(), 0);
    assert_eq!(database.sql("SELECT count(*) FROM audit WHERE action = 'repair'"), "4");
}

/// C29 with everything that a thief could have: the database's files and its log, the archive of that log, and every version of
/// every object that the bucket still has.
#[test]
fn what_has_ended_can_be_opened_from_no_log_and_no_version() {
    let smarthost = Smarthost::start(later());
    let archive = tempfile::tempdir().unwrap();
    fs::set_permissions(archive.path(), std::os::unix::fs::PermissionsExt::from_mode(0o777)).unwrap();
    let command = format!("archive_command=cp %p {}/%f", archive.path().display());
    let server = Server::start(&["archive_mode=on", "wal_level=replica", "fsync=off", &command]);
    radosgw::shared().bucket_with_versions("archived");
    let site = site(&smarthost, &server.url("postgres"), "archived/of-all");
    let gateway = site.start();
    let (links, password) = seal(&smarthost, &site, &gateway, &[RESIDENT]);
    wait_in_queue(&gateway, 700);
    assert_opens(&site, (&links[0], &site), &password);
    let sql = |query: &str| server.sql("postgres", query);
    let mail = sql("SELECT key FROM items WHERE kind = 'message'");
    let link = sql("SELECT key FROM transfer_recipients WHERE key_packet IS NOT NULL");
    let secrets = [secret(&server, &mail), secret(&server, &link)];
    for secret in &secrets {
        assert!(versions_hold(secret), "it is in the bucket as long as it is needed");
    }

    smarthost.change(Script::usual());
    done(&site, &["queue", "retry", "--all"], "due now");
    smarthost.wait(|seen| seen.copies("wacht@example.org") == 1);
    let transfer = sql("SELECT id FROM transfers");
    done(&site, &["transfer", "recall", &transfer, "--all"], "");
    for secret in &secrets {
        wait_for("the end of a key", || (!versions_hold(secret)).then_some(()));
    }
    let archived = || fs::read_dir(archive.path()).unwrap().count();
    let before = archived();
    sql("SELECT pg_switch_wal()");
    wait_for("the archive", || (archived() > before).then_some(()));
    let mut searched = 0;
    for folder in [server.folder(), archive.path()] {
        for (path, bytes) in all_bytes(folder) {
            searched += bytes.len();
            for secret in &secrets {
                assert!(memchr::memmem::find(&bytes, secret).is_none(), "{}", path.display());
            }
        }
    }
    assert!(searched > 16 << 20, "{searched}");
    // What has not ended is where it was.
    let (links, password) = seal(&smarthost, &site, &gateway, &[RESIDENT]);
    assert_opens(&site, (&links[0], &site), &password);
}

/// The key of short life that this number names, read out of the object in which it is.
fn secret(server: &Server, number: &str) -> Vec<u8> {
    let number: u64 = number.parse().unwrap();
    let slot = (number & 0xffff_ffff) as usize;
    // The object may be replaced by another between the two questions.
    let sheet = wait_for("the sheet", || {
        let object =
            server.sql("postgres", &format!("SELECT object FROM sheets WHERE number = {}", number >> 32));
        radosgw::shared().find(&format!("/archived/of-all/keys/{object}"))
    });
    sheet[slot * 32..][..32].to_vec()
}

/// Whether any version of any object holds it.
fn versions_hold(secret: &[u8]) -> bool {
    let list = radosgw::shared().request("GET", "/archived?prefix=of-all%2Fkeys%2F&versions=", "");
    let texts = |name: &str, of: &str| -> Vec<String> {
        let (open, close) = (format!("<{name}>"), format!("</{name}>"));
        of.split(&open).skip(1).map(|rest| rest.split(&close).next().unwrap().to_owned()).collect()
    };
    // Marks of a removal hold nothing.
    texts("Version", &list).iter().any(|version| {
        let (key, id) = (&texts("Key", version)[0], &texts("VersionId", version)[0]);
        // The gateway may remove it meanwhile.
        let bytes = radosgw::shared().find(&format!("/archived/{key}?versionId={id}"));
        bytes.is_some_and(|bytes| memchr::memmem::find(&bytes, secret).is_some())
    })
}

#[test]
fn a_bucket_that_keeps_versions_is_warned_of() {
    let smarthost = Smarthost::start(Script::usual());
    let database = TestDatabase::new();
    radosgw::shared().bucket_with_versions("warned");
    let site = site(&smarthost, &database.url(), "warned/x");
    let said = done(&site, &["check"], "keeps versions");
    assert!(said.contains("\"Prefix\": \"x/\"") && said.contains("NoncurrentVersionExpiration"), "{said}");
    let mut other = zegel();
    other.env("ZEGEL_STORE__BLOBS", format!("s3://{BUCKET}/x"));
    let (status, out, error) = site.command_as(other, &["check"]);
    assert!(status == 0 && !out.contains("keeps versions"), "{out}{error}");
}
