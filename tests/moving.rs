//! `zegel move` with the real binary, a real PostgreSQL and a real S3 service: a link opens before, between and after, with the
//! same password and the same session, and mail that waits is delivered.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail so"
)]

mod support;

use std::fs;

use support::client::submit;
use support::gateway::{Gateway, Site};
use support::mail::{Notice, link_of, password_of, tagged};
use support::postgresql::TestDatabase;
use support::radosgw::{self, BUCKET, KEY_ID, SECRET};
use support::smarthost::{Script, Smarthost};
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

#[test]
fn a_gateway_is_moved_to_a_database_and_a_bucket_and_back() {
    let (database, service) = (TestDatabase::new(), radosgw::shared());
    let smarthost = Smarthost::start(Script::usual());
    let site = Site::new(smarthost.address(), "");
    let gateway = site.start();
    submit(gateway.smtp, STAFF, &[RESIDENT], &tagged(STAFF, RESIDENT));
    let seen = smarthost.wait(|seen| seen.taken.len() == 2);
    let notices: Vec<Notice> = seen.taken.iter().map(Notice::of).collect();
    let text = |kind: &str| &notices.iter().find(|notice| notice.kind == kind).unwrap().text;
    let (link, password) = (link_of(text("notification"), &site.public_url()), password_of(text("receipt")));
    let cookie = post(&link, &format!("password={password}")).cookie();
    assert_opens(&link, &password, &cookie);

    let credentials = site.config().with_file_name("s3.credentials");
    let keys = format!("[default]\naws_access_key_id = {KEY_ID}\naws_secret_access_key = {SECRET}\n");
    fs::write(&credentials, keys).unwrap();
    let place = format!("endpoint = \"{}\"\ncredentials_file = \"s3.credentials\"\n", service.endpoint());
    let (url, blobs) = (database.url(), format!("s3://{BUCKET}/moved"));
    let to = ["move", "--to", &url, "--blobs", &blobs];
    edit(&site, |config| format!("{config}\n[store]\n{place}"));
    let (status, _, error) = site.command(&to);
    assert!(status != 0 && error.contains("another zegel is running"), "{error}");
    assert_eq!(gateway.stop(), 0);
    let (status, out, error) = site.command(&to);
    assert!(status == 0 && out.contains("moved, and compared"), "{out}{error}");
    let (status, _, error) = site.command(&["serve"]);
    assert!(status != 0 && error.contains("was moved to s3://"), "{error}");
    let (status, out, error) = site.command(&to);
    assert!(status == 0 && out.contains("moved there before"), "{out}{error}");

    edit(&site, |config| {
        config.replace("[store]\n", &format!("[store]\ndatabase = \"{url}\"\nblobs = \"{blobs}\"\n"))
    });
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

    edit(&site, |config| {
        let (alone, _) = config.split_once("[store]").unwrap();
        alone.replace("data_dir = \"data\"", "data_dir = \"back\"")
    });
    let _alone = site.start();
    assert_opens(&link, &password, &cookie);
}
