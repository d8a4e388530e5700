//! A gateway whose blobs are in a bucket: a real S3 service behind a line that breaks. Whatever it does, nobody hears 250 for
//! a mail that is not there, nobody is given half a file, and a moment after it is back all is as before.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail so"
)]

mod support;

use std::time::{Duration, Instant};

use support::client::{SmtpClient, submit};
use support::gateway::{Gateway, Site, wait_for};
use support::mail::{Notice, link_of, password_of, with_file};
use support::postgresql::TestDatabase;
use support::radosgw::{BUCKET, KEY_ID, SECRET, shared};
use support::resident::{RESIDENT, Resident, STAFF, noise};
use support::s3::{Cut, Line};
use support::smarthost::{Script, Smarthost};

struct Scene {
    smarthost: Smarthost,
    site: Site,
    gateway: Gateway,
    line: Line,
    _database: TestDatabase,
}

impl Scene {
    /// A gateway with a bucket of its own behind the line.
    fn new() -> Self {
        let (smarthost, database) = (Smarthost::start(Script::usual()), TestDatabase::new());
        let line = Line::to(shared().port);
        let store = format!(
            "[store]\ndatabase = \"{}\"\nblobs = \"s3://{BUCKET}/{}\"\nendpoint = \"http://127.0.0.1:{}\"\n\
             credentials_file = \"s3.credentials\"\n",
            database.url(),
            line.port,
            line.port
        );
        let site = Site::new(smarthost.address(), &store);
        give_credentials(&site, SECRET);
        let gateway = site.start();
        Self { smarthost, site, gateway, line, _database: database }
    }

    /// What a client hears of a confidential mail with this file.
    fn send(&self, file: &[u8]) -> String {
        let mut client = SmtpClient::connect(self.gateway.smtp).unwrap();
        client.send(STAFF, &[RESIDENT], &with_file(STAFF, RESIDENT, file)).unwrap()
    }

    /// Somebody who has opened the transfer with this file.
    fn resident(&self, file: &[u8]) -> Resident {
        submit(self.gateway.smtp, STAFF, &[RESIDENT], &with_file(STAFF, RESIDENT, file));
        let seen = self.smarthost.wait(|seen| seen.taken.len() == 2);
        let notices: Vec<Notice> = seen.taken.iter().map(Notice::of).collect();
        let text = |kind: &str| notices.iter().find(|notice| notice.kind == kind).unwrap().text.clone();
        let link = link_of(&text("notification"), &self.site.public_url());
        Resident::open(&link, &password_of(&text("receipt")))
    }
}

fn give_credentials(site: &Site, secret: &str) {
    let text = format!("aws_access_key_id = {KEY_ID}\naws_secret_access_key = {secret}\n");
    std::fs::write(site.config().with_file_name("s3.credentials"), text).unwrap();
}

#[test]
fn a_download_goes_on_when_its_line_breaks() {
    let scene = Scene::new();
    let file = noise(12_000_000);
    let mut resident = scene.resident(&file);
    let answer = resident.get("/files/1");
    assert_eq!(answer.status, 200);
    assert!(answer.body == file);
    // No connection that is open now is used again.
    scene.line.down();
    scene.line.mend();
    for after in [3_000_000, 1_000_000, 5_000_000] {
        scene.line.cut(Cut::Down(after));
    }
    assert!(resident.get("/files/1").body == file);
    assert!(scene.line.left() < 3, "the line has broken");
}

#[test]
fn while_the_bucket_is_away_mail_waits_and_soon_after_it_is_taken() {
    let scene = Scene::new();
    let file = noise(300_000);
    let mut resident = scene.resident(&file);
    scene.line.down();
    let said = scene.send(&file);
    assert!(said.starts_with("451 "), "{said}");
    scene.gateway.wait_for_log(&format!("s3://{BUCKET}/"));
    let answer = resident.get("/files/1");
    assert_eq!(answer.status, 503, "{}", answer.head());
    scene.line.mend();
    let back = Instant::now();
    wait_for("250 again", || scene.send(&file).starts_with("250 ").then_some(()));
    assert!(back.elapsed() < Duration::from_secs(5), "{:?}", back.elapsed());
    let answer = resident.get("/files/1");
    assert_eq!(answer.status, 200, "{}", answer.head());
    assert!(answer.body == file);
    // Of what was refused nothing has left: two mails were taken, and the first has been fetched.
    let seen = scene.smarthost.wait(|seen| seen.taken.len() >= 5);
    let mut kinds: Vec<String> = seen.taken.iter().map(|taken| Notice::of(taken).kind).collect();
    kinds.sort();
    assert_eq!(kinds, ["download", "notification", "notification", "receipt", "receipt"]);
}

#[test]
fn wrong_credentials_are_told_without_them() {
    let scene = Scene::new();
    let file = noise(300_000);
    let mut resident = scene.resident(&file);
    give_credentials(&scene.site, "kanarie-anders");
    let said = scene.send(&file);
    assert!(said.starts_with("451 "), "{said}");
    assert!(!said.contains("s3:") && !said.contains("Signature"), "{said}");
    scene.gateway.wait_for_log("403 SignatureDoesNotMatch");
    assert_eq!(resident.get("/files/1").status, 503);
    assert!(!scene.gateway.log().iter().any(|line| line.contains("kanarie-anders") || line.contains(SECRET)));
    give_credentials(&scene.site, SECRET);
    assert!(scene.send(&file).starts_with("250 "), "a file that has changed is read again");
    assert!(resident.get("/files/1").body == file);
}

#[test]
fn a_gateway_does_not_start_with_the_bucket_of_another() {
    let scene = Scene::new();
    let file = noise(300_000);
    scene.resident(&file);
    let config = std::fs::read_to_string(scene.site.config()).unwrap();
    let other =
        config.replace(&format!("s3://{BUCKET}/{}", scene.line.port), &format!("s3://{BUCKET}/nobody"));
    assert_ne!(other, config);
    std::fs::write(scene.site.config(), other).unwrap();
    assert_eq!(scene.gateway.stop(), 0);
    let (status, _, said) = scene.site.command(&["check"]);
    assert_ne!(status, 0);
    assert!(said.contains("these are not the blobs of the database"), "{said}");
}
