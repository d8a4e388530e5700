//! `zegel move` with the real binary, a real PostgreSQL and a real S3 service: a link opens before, between and after, with the
//! same password and the same session, and mail that waits is delivered; also when the move is killed on its way.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail so"
)]

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::Stdio;
use std::thread::sleep;
use std::time::Duration;

use support::client::submit;
use support::gateway::{Gateway, Site, all_bytes, zegel};
use support::mail::{Notice, link_of, password_of, tagged};
use support::postgresql::TestDatabase;
use support::radosgw::{self, BUCKET, KEY_ID, SECRET};
use support::smarthost::{Script, Smarthost, Stage, say};
use support::web::{get_as, post};

const STAFF: &str = "j.jansen@voorbeeld.nl";
const RESIDENT: &str = "anna@example.org";

/// The link opens with the password, and the session of before goes on.
fn assert_opens(link: &str, password: &str, cookie: &str) {
    let file = |cookie: &str| get_as(&format!("{link}/files/1"), cookie);
    assert_eq!((file(cookie).status, file(cookie).body.as_slice()), (200, &b"kanarie-inhoud"[..]));
    assert_eq!(post(link, "password=fout").status, 403);
    let opened = post(link, &format!("password={password}"));
    assert_eq!(opened.status, 303, "{}", opened.text());
    assert_eq!(file(&opened.cookie()).status, 200);
}

fn edit(site: &Site, change: impl FnOnce(String) -> String) {
    let config = fs::read_to_string(site.config()).unwrap();
    fs::write(site.config(), change(config)).unwrap();
}

/// Seals a mail: link, password, and the cookie of an open session.
fn sealed(smarthost: &Smarthost, site: &Site, gateway: &Gateway) -> (String, String, String) {
    submit(gateway.smtp, STAFF, &[RESIDENT], &tagged(STAFF, RESIDENT));
    let seen = smarthost.wait(|seen| seen.taken.len() == 2);
    let notices: Vec<Notice> = seen.taken.iter().map(Notice::of).collect();
    let text = |kind: &str| &notices.iter().find(|notice| notice.kind == kind).unwrap().text;
    let (link, password) = (link_of(text("notification"), &site.public_url()), password_of(text("receipt")));
    let cookie = post(&link, &format!("password={password}")).cookie();
    assert_opens(&link, &password, &cookie);
    (link, password, cookie)
}

/// Names the service in `[store]`, but neither database nor bucket.
fn name_service(site: &Site) {
    let credentials = site.config().with_file_name("s3.credentials");
    let keys = format!("[default]\naws_access_key_id = {KEY_ID}\naws_secret_access_key = {SECRET}\n");
    fs::write(&credentials, keys).unwrap();
    let endpoint = radosgw::shared().endpoint();
    let place = format!("endpoint = \"{endpoint}\"\ncredentials_file = \"s3.credentials\"\n");
    edit(site, |config| format!("{config}\n[store]\n{place}"));
}

fn name_store(site: &Site, url: &str, blobs: &str) {
    edit(site, |config| {
        config.replace("[store]\n", &format!("[store]\ndatabase = \"{url}\"\nblobs = \"{blobs}\"\n"))
    });
}

/// Back in a folder of its own.
fn name_folder(site: &Site, folder: &str) {
    edit(site, |config| {
        let (alone, _) = config.split_once("[store]").unwrap();
        alone.replace("data_dir = \"data\"", &format!("data_dir = \"{folder}\""))
    });
}

#[test]
fn a_gateway_is_moved_to_a_database_and_a_bucket_and_back() {
    let database = TestDatabase::new();
    let smarthost = Smarthost::start(Script::usual());
    let site = Site::new(smarthost.address(), "");
    let gateway = site.start();
    let (link, password, cookie) = sealed(&smarthost, &site, &gateway);
    let (url, blobs) = (database.url(), format!("s3://{BUCKET}/moved"));
    let to = ["move", "--to", &url, "--blobs", &blobs];
    name_service(&site);
    let (status, _, error) = site.command(&to);
    assert!(status != 0 && error.contains("another zegel is running"), "{error}");
    assert_eq!(gateway.stop(), 0);
    let (status, out, error) = site.command(&to);
    assert!(status == 0 && out.contains("moved, and compared"), "{out}{error}");
    let (status, _, error) = site.command(&["serve"]);
    assert!(status != 0 && error.contains("was moved to s3://"), "{error}");
    let (status, out, error) = site.command(&to);
    assert!(status == 0 && out.contains("moved there before"), "{out}{error}");

    name_store(&site, &url, &blobs);
    let node: Gateway = site.start();
    assert_opens(&link, &password, &cookie);
    let before = smarthost.seen().taken.len();
    submit(node.smtp, STAFF, &[RESIDENT], &tagged(STAFF, RESIDENT));
    smarthost.wait(|seen| seen.taken.len() == before + 2);
    let back = site.config().with_file_name("back");
    let home = ["move", "--to-folder", back.to_str().unwrap()];
    let (status, _, error) = site.command(&home);
    assert!(status != 0 && error.contains("another zegel is running"), "{error}");
    assert_eq!(node.stop(), 0);
    let (status, out, error) = site.command(&home);
    assert!(status == 0 && out.contains("moved, and compared"), "{out}{error}");
    let (status, _, error) = site.command(&["serve"]);
    assert!(status != 0 && error.contains("everything was moved to"), "{error}");

    name_folder(&site, "back");
    let _alone = site.start();
    assert_opens(&link, &password, &cookie);
}

/// Later and later by so much, until a move has ended before it is killed.
const LATER: Duration = Duration::from_millis(40);
/// Mails that wait while the gateway is moved.
const WAITING: usize = 20;

/// Runs a move and kills it after a while; whether it succeeded and what it said, if it had ended by then.
fn killed_after(site: &Site, arguments: &[&str], pause: Duration) -> Option<(bool, String)> {
    let mut command = zegel();
    command.args(arguments).arg("--config").arg(site.config()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    sleep(pause);
    if child.try_wait().unwrap().is_none() {
        child.kill().unwrap();
        child.wait().unwrap();
        return None;
    }
    let output = child.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    Some((output.status.success(), String::from_utf8(said).unwrap()))
}

/// The blobs and keys of a data folder. What is in the database is looked at as a gateway does: mail of the journal goes into
/// it whenever anything opens the folder.
fn contents(site: &Site) -> BTreeMap<PathBuf, Vec<u8>> {
    let of = |folder: &str| all_bytes(&site.data().join(folder));
    of("blobs").into_iter().chain(of("keys")).collect()
}

/// Small ones ride in their rows, large ones are blobs.
fn waiting(number: usize) -> Vec<u8> {
    let text = "Een regel van een brief.\r\n".repeat(if number.is_multiple_of(4) { 8000 } else { 4 });
    format!("From: {STAFF}\r\nSubject: {number}\r\nMessage-ID: <{number}@voorbeeld.nl>\r\n\r\n{text}")
        .into_bytes()
}

fn assert_waits(site: &Site) {
    let (status, list, error) = site.command(&["queue", "list", "--json"]);
    let list: serde_json::Value =
        serde_json::from_str(&list).unwrap_or_else(|_| panic!("{status} {list}{error}"));
    assert_eq!(list.as_array().unwrap().len(), WAITING);
}

/// Whatever moment it is: what is moved from stays as it was, the same command goes on, nothing is lost and nothing is sent twice.
#[test]
fn a_move_that_is_killed_is_made_again() {
    let database = TestDatabase::new();
    let smarthost = Smarthost::start(Script::usual());
    let site = Site::new(smarthost.address(), "");
    let gateway = site.start();
    let (link, password, cookie) = sealed(&smarthost, &site, &gateway);
    let busy = Script::usual().when(Stage::Mail, "", say("451 4.3.0 not now"), usize::MAX);
    smarthost.change(busy);
    for number in 0..WAITING {
        submit(gateway.smtp, STAFF, &[RESIDENT], &waiting(number));
    }
    assert_eq!(gateway.stop(), 0);
    name_service(&site);

    let (url, blobs) = (database.url(), format!("s3://{BUCKET}/killed"));
    let to = ["move", "--to", &url, "--blobs", &blobs];
    let (before, mut kills) = (contents(&site), 0);
    let (is_done, said) = loop {
        match killed_after(&site, &to, LATER * kills) {
            Some(end) => break end,
            None => kills += 1,
        }
        assert!(contents(&site) == before, "kill {kills} has changed what was to be moved");
        if site.data().join("moved").exists() {
            let (status, _, error) = site.command(&["serve"]);
            assert!(status != 0 && error.contains("was moved to s3://"), "kill {kills}: {error}");
        } else {
            assert_waits(&site);
        }
    };
    assert!(is_done && said.contains("moved"), "after {kills} kills: {said}");
    println!("there after {kills} kills");

    name_store(&site, &url, &blobs);
    let node = site.start();
    assert_opens(&link, &password, &cookie);
    assert_waits(&site);
    assert_eq!(node.stop(), 0);
    let back = site.config().with_file_name("back");
    let home = ["move", "--to-folder", back.to_str().unwrap()];
    let mut kills = 0;
    loop {
        match killed_after(&site, &home, LATER * kills) {
            Some((true, said)) => break assert!(said.contains("moved, and compared"), "{said}"),
            Some((false, said)) => {
                assert!(said.contains("this folder is not empty"), "after {kills} kills: {said}");
                fs::remove_dir_all(&back).unwrap();
            }
            None => {
                kills += 1;
                assert_eq!(database.sql("SELECT count(*) FROM items"), WAITING.to_string());
            }
        }
    }
    println!("back after {kills} kills");

    name_folder(&site, "back");
    let _alone = site.start();
    assert_opens(&link, &password, &cookie);
    assert_waits(&site);
    let taken = smarthost.seen().taken.len();
    smarthost.change(Script::usual());
    site.command(&["queue", "retry", "--all"]);
    let seen = smarthost.wait(|seen| seen.taken.len() >= taken + WAITING);
    for number in 0..WAITING {
        let copies = seen.taken.iter().filter(|taken| taken.message.ends_with(&waiting(number))).count();
        assert_eq!(copies, 1, "mail {number}");
    }
}
