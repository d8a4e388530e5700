//! What is held on somebody: written out, and taken away, at the binary.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail so")]

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::Value;
use support::client::submit;
use support::gateway::{Gateway, Site, all_bytes, wait_for};
use support::mail::{Notice, link_of, password_of, tagged};
use support::smarthost::{Script, Smarthost};
use support::web::{get_as, post};

const STAFF: &str = "j.jansen@voorbeeld.nl";
const RESIDENT: &str = "anna@example.org";
const OTHER: &str = "bert@example.org";

/// Two transfers from one sender to two residents; the first of them has opened hers.
fn with_transfers(site: &Site, smarthost: &Smarthost) -> Gateway {
    let gateway = site.start();
    for resident in [RESIDENT, OTHER] {
        submit(gateway.smtp, STAFF, &[resident], &tagged(STAFF, resident));
    }
    let seen = smarthost.wait(|seen| seen.taken.len() == 4);
    wait_for("an idle gateway", || gateway.is_idle().then_some(()));
    let notices: Vec<Notice> = seen.taken.iter().map(Notice::of).collect();
    let of = |kind: &str, to: &str| {
        notices.iter().filter(|one| one.kind == kind && one.to == [to]).collect::<Vec<_>>()
    };
    let link = link_of(&of("notification", RESIDENT)[0].text, &site.public_url());
    let passwords = of("receipt", STAFF);
    let mut answers =
        passwords.iter().map(|one| post(&link, &format!("password={}", password_of(&one.text))));
    let opened = answers.find(|answer| answer.status == 303).unwrap();
    assert_eq!(get_as(&format!("{link}/files"), &opened.cookie()).status, 200);
    gateway
}

fn run(site: &Site, arguments: &[&str]) -> (i32, String, String) {
    site.command(arguments)
}

fn mentions(site: &Site, address: &str) -> Vec<String> {
    let found = all_bytes(&site.data()).into_iter();
    let found = found.filter(|(_, bytes)| memchr::memmem::find(bytes, address.as_bytes()).is_some());
    found.map(|(path, _)| path.display().to_string()).collect()
}

#[test]
fn what_is_held_on_somebody_is_written_out() {
    let smarthost = Smarthost::start(Script::usual());
    let site = Site::new(smarthost.address(), "");
    let gateway = with_transfers(&site, &smarthost);
    let outside = tempfile::tempdir().unwrap();
    let out = outside.path().join("anna");
    let export = ["export", "--person", "Anna@Example.org", "--out", out.to_str().unwrap()];
    let (status, _, error) = run(&site, &export);
    assert_eq!(status, 0, "{error}");
    let text = fs::read_to_string(out.join("person.json")).unwrap();
    assert_eq!(fs::metadata(out.join("person.json")).unwrap().permissions().mode() & 0o777, 0o600);
    let held: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(held["transfers"].as_array().unwrap().len(), 1);
    assert_eq!(held["transfers"][0]["recipients"][0]["address"], RESIDENT);
    assert!(held["transfers"][0]["recipients"][0]["opened"].is_string());
    assert!(
        held["audit"]
            .as_array()
            .unwrap()
            .iter()
            .any(|row| row["action"] == "open" && row["actor"] == "recipient")
    );
    assert!(
        !text.contains(OTHER) && !text.contains("kanarie"),
        "nothing of others, and nothing sealed: {text}"
    );
    let words = fs::read_to_string(out.join("person.txt")).unwrap();
    let mail = held["mail"].as_array().unwrap();
    assert!(
        mail.iter().any(|mail| mail["state"] == "sealed")
            && mail.iter().all(|mail| mail["recipient"] == RESIDENT)
    );
    assert!(words.contains("that zegel remembers: "), "{words}");
    assert!(words.contains("sent to them: 1") && words.contains("cannot be searched"), "{words}");
    let (status, _, error) = run(&site, &export);
    assert!(status == 1 && error.contains("anna"), "nothing is overwritten: {error}");
    let (_, out, _) = run(&site, &["audit", "list", "--action", "export"]);
    assert!(out.contains("person  ok  by admin") && !out.contains("anna"), "{out}");
    assert_eq!(gateway.stop(), 0);
}

#[test]
fn a_person_is_erased_once_nothing_of_theirs_is_under_way() {
    let smarthost = Smarthost::start(Script::usual());
    let site = Site::new(smarthost.address(), "");
    let gateway = with_transfers(&site, &smarthost);
    let erase = |more: &[&str]| run(&site, &[&["erase", "--person", RESIDENT], more].concat());
    for more in [&[][..], &["--yes"]] {
        let (status, out, error) = erase(more);
        assert!(status == 1 && error.contains("nothing was erased"), "{out}{error}");
        assert!(out.contains("zegel transfer recall") && out.contains(RESIDENT), "{out}");
    }
    let (_, out, _) = run(&site, &["transfer", "list", "--json"]);
    let transfers: Value = serde_json::from_str(&out).unwrap();
    let theirs =
        transfers.as_array().unwrap().iter().find(|one| one["recipients"][0]["address"] == RESIDENT).unwrap();
    let id = theirs["id"].as_str().unwrap();
    assert_eq!(run(&site, &["transfer", "recall", id, "--recipient", RESIDENT]).0, 0);
    wait_for("an idle gateway", || gateway.is_idle().then_some(()));
    let (status, out, error) = erase(&[]);
    assert!(status == 0 && out.contains("--yes"), "{out}{error}");
    assert!(!mentions(&site, RESIDENT).is_empty(), "a dry run changes nothing");

    let (status, out, error) = erase(&["--yes"]);
    assert!(status == 0 && out.contains("erased in 1 transfers and "), "{out}{error}");
    let (status, out, _) = erase(&["--yes"]);
    assert!(
        status == 0 && out.contains("erased in 0 transfers and 0 rows"),
        "once more changes nothing: {out}"
    );
    let (_, out, _) = run(&site, &["transfer", "show", id]);
    assert!(out.contains("erased@erased.invalid") && !out.contains(RESIDENT), "{out}");
    let (status, out, error) = run(&site, &["audit", "verify"]);
    assert!(status == 0 && out.contains("a person was erased"), "{out}{error}");
    let (_, out, _) = run(&site, &["audit", "list", "--object", id]);
    assert!(
        out.contains("open") && out.contains("by erased") && out.contains("seal"),
        "what was done stays: {out}"
    );
    let (_, out, _) = run(&site, &["audit", "list", "--action", "erase"]);
    assert!(out.contains("in 1 transfers") && !out.contains(RESIDENT), "{out}");
    assert_eq!(gateway.stop(), 0);
    assert_eq!(mentions(&site, RESIDENT), Vec::<String>::new(), "in no file of the data folder");
    assert!(!mentions(&site, OTHER).is_empty());

    // The sender of both, while one of them is open.
    let (status, out, _) = run(&site, &["erase", "--person", STAFF, "--yes"]);
    assert!(status == 1 && out.contains("is open until"), "{out}");
}
