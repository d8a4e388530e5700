//! What each feature of the build adds, run once by the binary under test. `./run features` has it run by the release build too, with
//! all features, which is what the Debian package holds (`ZEGEL_BIN`): what is compiled is not yet what works.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail so")]

mod support;

use std::fs;

use support::client::submit;
use support::gateway::{Site, all_bytes, zegel};
use support::postgresql::TestDatabase;
use support::radosgw::{self, BUCKET, KEY_ID, SECRET};
use support::resident::{RESIDENT, Resident, STAFF, form, noise, seal};
use support::smarthost::{Script, Smarthost};

fn done(site: &Site, arguments: &[&str], words: &str) {
    let (status, out, error) = site.command(arguments);
    assert!(status == 0 && out.contains(words), "{arguments:?}: {out}{error}");
}

/// `cluster`: a message, a transfer and an answer by way of a database and a bucket, with every file read inside the sandbox that
/// the gateway puts itself into.
#[test]
fn a_day_with_a_database_and_a_bucket() {
    let smarthost = Smarthost::start(Script::usual());
    let database = TestDatabase::new();
    let store = format!(
        "[store]\ndatabase = \"{}\"\npassword_file = \"database.password\"\nblobs = \"s3://{BUCKET}/features\"\nendpoint = \"{}\"\n\
         credentials_file = \"s3.credentials\"\n",
        database.url(),
        radosgw::shared().endpoint()
    );
    let site = Site::new(smarthost.address(), &store);
    let beside = |name: &str, text: &str| fs::write(site.config().with_file_name(name), text).unwrap();
    beside("database.password", "not asked for on loopback\n");
    beside("s3.credentials", &format!("aws_access_key_id = {KEY_ID}\naws_secret_access_key = {SECRET}\n"));
    done(&site, &["migrate"], "up to date now");
    let gateway = site.start();
    submit(gateway.smtp, STAFF, &[RESIDENT], b"Subject: gewoon\r\n\r\nTekst\r\n");
    smarthost.wait(|seen| seen.taken.len() == 1);
    let (links, password) = seal(&smarthost, &site, &gateway, &[RESIDENT]);
    let mut resident = Resident::verified(&links[0], &password, &smarthost);
    assert_eq!(resident.get("/files/1").body, b"kanarie-inhoud");
    let file = [b"%PDF-".to_vec(), noise(300_000)].concat();
    let id = resident.begin("verslag.pdf", file.len());
    assert_eq!(resident.piece(&id, 0, &file).status, 204);
    assert_eq!(resident.message(STAFF, "Hierbij.", &[], "next").status, 303);
    let before = smarthost.seen().copies(STAFF);
    assert_eq!(resident.send(&form(&[])).status, 303);
    smarthost.wait(|seen| seen.copies(STAFF) > before);
    done(&site, &["nodes"], "1 nodes");
    done(&site, &["check", "--data"], "0 missing");
    done(&site, &["transfer", "list"], "1 transfers");
    assert_eq!(gateway.stop(), 0);
}

/// `manual`: what a package holds besides the binary.
#[test]
fn man_pages_completions_and_a_configuration_are_written() {
    let folder = tempfile::tempdir().unwrap();
    let status = zegel().arg("manual").arg(folder.path()).status().unwrap();
    assert!(status.success());
    let written = all_bytes(folder.path());
    let holds = |name: &str, text: &str| {
        let found = written.iter().find(|(path, _)| path.ends_with(name));
        found.is_some_and(|(_, bytes)| memchr::memmem::find(bytes, text.as_bytes()).is_some())
    };
    assert!(
        holds("zegel.1", ".TH")
            && holds("zegel.toml.5", "max_message_size")
            && holds("zegel.toml", "[store]")
    );
}
