//! Another master key on two nodes: one has not got it yet, one misses the rotation, and secret managers have the key. What
//! one gateway makes of it is in `keys`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail so"
)]

mod support;

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use support::client::submit;
use support::gateway::{Gateway, Site, signal, wait_for, zegel};
use support::mail::tagged;
use support::resident::{RESIDENT, Resident, STAFF, noise, seal};
use support::shared::{Shared, nodes, write_key};
use support::smarthost::{Script, Stage, say};
use support::web::{Answer, get, get_as, post};

const PARTNER: &str = "bob@example.net";

/// Two nodes at work with the same key, each in a file.
fn two(shared: &Shared) -> [(Site, Gateway); 2] {
    let (a, b) = (shared.site_without_key("zegel"), shared.site_without_key("zegel"));
    let one = a.start();
    bring_key(&a, &b);
    let two = b.start();
    wait_for("two nodes", || (nodes(&a).len() == 2).then_some(()));
    [(a, one), (b, two)]
}

fn key(site: &Site) -> PathBuf {
    site.data().join("master.key")
}

fn bring_key(from: &Site, to: &Site) {
    write_key(&key(to), &fs::read(key(from)).unwrap());
}

fn run(site: &Site, arguments: &[&str]) -> String {
    run_as(zegel(), site, arguments)
}

fn run_as(command: Command, site: &Site, arguments: &[&str]) -> String {
    let (status, out, error) = site.command_as(command, arguments);
    assert_eq!(status, 0, "{arguments:?}: {out}{error}");
    out
}

fn list(site: &Site) -> Vec<Value> {
    serde_json::from_str(&run(site, &["key", "list", "--json"])).unwrap()
}

fn states(site: &Site) -> Vec<String> {
    list(site).iter().map(|key| format!("{} {}", key["key"], key["state"].as_str().unwrap())).collect()
}

/// Status of `/readyz`, and state and reason of the check of the key.
fn key_check(node: &Gateway) -> (u16, String, String) {
    let ready = get(&format!("http://{}/readyz.json", node.admin));
    let report: Value = serde_json::from_str(&ready.text()).unwrap();
    let checks = report["checks"].as_array().unwrap().clone();
    let key = checks.into_iter().find(|check| check["name"] == "key").unwrap();
    (ready.status, key["state"].as_str().unwrap().to_owned(), key["reason"].to_string())
}

/// The same link at another node.
fn at(node: &Gateway, link: &str) -> String {
    let path = link.split_once("/t/").unwrap().1;
    format!("http://{}/t/{path}", node.web)
}

fn opened(link: &str, password: &str) -> Answer {
    let opened = post(link, &format!("password={password}"));
    match opened.status {
        303 => get_as(&format!("{link}/files/1"), &opened.cookie()),
        _ => opened,
    }
}

fn assert_opens(link: &str, password: &str) {
    let file = opened(link, password);
    assert_eq!((file.status, file.body.as_slice()), (200, &b"kanarie-inhoud"[..]), "{}", file.text());
}

/// Nothing is made with a key that a node has not got.
#[test]
fn a_rotation_waits_for_the_key_of_every_node_and_names_those_without() {
    let shared = Shared::new();
    let [(a, one), (b, two)] = two(&shared);
    let (links, password) = seal(&shared.smarthost, &a, &one, &[RESIDENT]);
    let anna = Resident::verified(&links[0], &password, &shared.smarthost);
    let photo = noise(100_000);
    let upload = anna.begin("foto.jpg", photo.len());
    assert_eq!(anna.piece(&upload, 0, &photo[..50_000]).status, 204);

    let (status, _, error) = a.command(&["key", "rotate"]);
    assert!(status == 1 && error.contains("is not at these nodes yet: "), "{error}");
    let second =
        nodes(&a).into_iter().find(|node| node["master_keys"].as_array().unwrap().len() == 1).unwrap();
    assert!(error.contains(second["id"].as_str().unwrap()), "{error}");
    assert_eq!(error.matches(" (").count(), 3, "one node is named: {error}");
    assert_eq!(states(&a), ["1 current", "2 prepared"]);
    assert_eq!(key_check(&two).1, "ok", "nothing is wrong yet");
    assert_opens(&at(&two, &links[0]), &password);

    // A key of the same number that was made apart is not taken for it.
    run(&b, &["key", "add"]);
    let (status, _, error) = b.command(&["key", "rotate"]);
    assert!(status == 1 && error.contains("is not at these nodes yet"), "{error}");
    let (status, _, error) = b.command(&["key", "add", "--from", key(&a).to_str().unwrap()]);
    assert!(status == 1 && error.contains("its key 2 is not the one of"), "{error}");
    // The one of the first node is to be it.
    bring_key(&a, &b);
    run(&a, &["key", "rotate"]);
    for node in [&one, &two] {
        node.wait_for_log("another master key is the current one");
        assert_eq!(key_check(node), (200, "ok".to_owned(), "null".to_owned()));
    }
    assert_opens(&at(&two, &links[0]), &password);
    assert_eq!(anna.offset(&upload), 50_000);
    assert_eq!(anna.piece(&upload, 50_000, &photo[50_000..]).status, 204);
    let (new, secret) = seal(&shared.smarthost, &b, &two, &[PARTNER]);
    for node in [&one, &two] {
        assert_opens(&at(node, &new[0]), &secret);
        assert_opens(&at(node, &links[0]), &password);
    }
    let needs = &list(&b)[0]["needs"];
    assert_eq!((needs["transfers"].as_u64(), needs["browsers"].as_u64()), (Some(1), Some(1)), "{needs}");
}

/// It was cut off meanwhile. It says which key it lacks, serves what it can, and takes nothing for forged or damaged.
#[test]
fn a_node_that_has_missed_a_rotation_says_so_and_goes_on_once_it_has_the_key() {
    let shared = Shared::new();
    let [(a, one), (b, two)] = two(&shared);
    let (old, password) = seal(&shared.smarthost, &a, &one, &[RESIDENT]);
    signal(two.process(), "STOP");
    shared
        .database
        .sql("postgres", "UPDATE nodes SET lease = 0 WHERE started = (SELECT max(started) FROM nodes)");
    run(&a, &["key", "rotate"]);
    one.wait_for_log("another master key is the current one");
    let name = list(&a)[1]["name"].as_str().unwrap().to_owned();
    let (new, secret) = seal(&shared.smarthost, &a, &one, &[PARTNER]);
    shared.smarthost.change(Script::usual().at(Stage::Rcpt, say("450 4.2.0 not now")));
    for recipient in [RESIDENT, PARTNER] {
        submit(one.smtp, STAFF, &[recipient], &tagged(STAFF, recipient));
    }

    signal(two.process(), "CONT");
    let (status, _, reason) =
        wait_for("that it is down", || Some(key_check(&two)).filter(|(_, state, _)| state == "down"));
    assert_eq!(status, 503);
    assert!(reason.contains(&format!("the store works with master key {name} now")), "{reason}");
    two.wait_for_log(&format!("the store works with master key {name} now"));
    assert_opens(&at(&two, &old[0]), &password);
    assert_eq!(opened(&at(&two, &new[0]), &secret).status, 503, "later, and not: there is no such link");
    assert_eq!(get(&at(&two, &new[0])).status, 503);
    assert_eq!(get(&format!("{}x", at(&two, &new[0]))).status, 503);
    let needs = wait_for("that the node is named", || {
        let needs = list(&a)[0]["needs"].clone();
        (needs["nodes"].as_array().unwrap().len() == 1).then_some(needs)
    });
    assert!(needs["nodes"][0].as_str().unwrap().contains(" ("), "{needs}");
    // It starts no second time with what it has, and says why.
    let (status, _, error) = b.command(&["check"]);
    assert!(status != 0 && error.contains(&format!("(key {name}, this is key ")), "{error}");

    // What it makes of its own is good: everybody has that key.
    shared.smarthost.change(Script::usual());
    submit(two.smtp, STAFF, &[PARTNER], &tagged(STAFF, PARTNER));
    // The queue of the first node's mail is sealed with a key that only it has: nothing of it is given up.
    run(&a, &["queue", "retry", "--all"]);
    let notifications = |seen: &support::smarthost::Seen| {
        let texts = seen.taken.iter().map(support::mail::text_of);
        texts.filter(|text| text.contains("/t/") && !text.contains("undelivered")).count()
    };
    shared.smarthost.wait(|seen| notifications(seen) == 5);
    wait_for("an empty queue", || (run(&a, &["queue", "list", "--json"]).trim() == "[]").then_some(()));
    let failed = run(&a, &["track", "--since", "1h", "--json"]);
    assert!(!failed.contains("\"failed\""), "{failed}");

    run(&b, &["key", "add", "--from", key(&a).to_str().unwrap()]);
    wait_for("that it is well", || (key_check(&two).0 == 200).then_some(()));
    for node in [&one, &two] {
        assert_opens(&at(node, &new[0]), &secret);
        assert_opens(&at(node, &old[0]), &password);
    }
    wait_for("no node that lags behind", || {
        list(&a)[0]["needs"]["nodes"].as_array().unwrap().is_empty().then_some(())
    });
}

/// Its mail is under its own keys and on its own disk; it dies, a rotation comes, and it is started with both keys.
#[test]
fn what_a_dead_node_has_in_its_journal_is_sent_after_a_rotation() {
    let shared = Shared::new();
    let (a, b) = (shared.site_without_key("zegel"), shared.site_without_key("zegel"));
    for site in [&a, &b] {
        let config = fs::read_to_string(site.config()).unwrap();
        fs::write(site.config(), config.replace("[store]\n", "[store]\njournal = \"local\"\n")).unwrap();
    }
    let one = a.start();
    bring_key(&a, &b);
    let two = b.start();
    shared.smarthost.change(Script::usual().at(Stage::Connect, support::smarthost::Act::Hang));
    let mail = |n| format!("From: {STAFF}\r\nTo: {RESIDENT}\r\nSubject: gewoon {n}\r\n\r\ntekst\r\n");
    for n in 0..5 {
        submit(two.smtp, STAFF, &[RESIDENT], mail(n).as_bytes());
    }
    two.kill();
    shared
        .database
        .sql("postgres", "UPDATE nodes SET lease = 0 WHERE started = (SELECT max(started) FROM nodes)");
    run(&a, &["key", "rotate"]);
    one.wait_for_log("another master key is the current one");
    let refused = b.try_start_as(zegel()).expect_err("it lacks the key");
    assert!(!refused.iter().any(|line| line.contains("\"ready\"")), "{refused:?}");
    run(&b, &["key", "add", "--from", key(&a).to_str().unwrap()]);
    shared.smarthost.change(Script::usual());
    let _two = b.start();
    let seen = shared.smarthost.wait(|seen| seen.taken.len() >= 5);
    for n in 0..5 {
        let subject = format!("Subject: gewoon {n}\r\n");
        let is_it =
            |taken: &&support::smarthost::Taken| String::from_utf8_lossy(&taken.message).contains(&subject);
        assert_eq!(seen.taken.iter().filter(is_it).count(), 1, "{n}");
    }
}

/// The variable and the credential hold what the file would; nothing is written to either.
#[test]
fn keys_of_a_secret_manager_are_rotated_too() {
    let shared = Shared::new();
    let (a, b) = (shared.site_without_key("zegel"), shared.site_without_key("zegel"));
    let outside = tempfile::tempdir().unwrap();
    let credentials = outside.path().join("credentials");
    write_key(&credentials.join("master.key"), &[7; 32]);
    let variable = |bytes: &[u8]| {
        let mut command = zegel();
        command.env("ZEGEL_MASTER_KEY", STANDARD.encode(bytes));
        command
    };
    let credential = || {
        let mut command = zegel();
        command.env("CREDENTIALS_DIRECTORY", &credentials);
        command
    };
    let one = a.start_as(variable(&[7; 32]));
    let two = b.start_as(credential());
    let (old, password) = seal(&shared.smarthost, &a, &one, &[RESIDENT]);
    let (status, _, error) = a.command_as(variable(&[7; 32]), &["key", "rotate"]);
    assert!(status == 1 && error.contains("comes from the environment"), "{error}");
    let out = outside.path().join("new.key");
    run_as(variable(&[7; 32]), &a, &["key", "add", "--out", out.to_str().unwrap()]);
    let both = fs::read(&out).unwrap();
    let (status, _, error) = a.command_as(variable(&both), &["key", "rotate"]);
    assert!(status == 1 && error.contains("is not at these nodes yet"), "{error}");
    assert_eq!(error.matches(" (").count(), 4, "both are named: {error}");
    assert_eq!(one.stop(), 0);
    let one = a.start_as(variable(&both));
    // The credential is read again where it changes.
    write_key(&credentials.join("master.key"), &both);
    run_as(variable(&both), &a, &["key", "rotate"]);
    for node in [&one, &two] {
        node.wait_for_log("another master key is the current one");
    }
    let (new, secret) = seal(&shared.smarthost, &a, &one, &[PARTNER]);
    for node in [&one, &two] {
        assert_opens(&at(node, &old[0]), &password);
        assert_opens(&at(node, &new[0]), &secret);
    }
    let list = run_as(credential(), &b, &["key", "list"]);
    assert!(list.contains("older      needed by 1 transfers that can be opened until"), "{list}");
    // With the old key alone no node starts, whatever it comes from, and the right one is named.
    let name = list.lines().nth(1).unwrap().split_whitespace().nth(1).unwrap().to_owned();
    for command in [variable(&[7; 32]), variable(&[9; 32])] {
        let (status, _, error) = b.command_as(command, &["serve"]);
        assert!(status != 0 && error.contains("ZEGEL_MASTER_KEY: this is not the master key"), "{error}");
        assert!(error.contains(&format!("(key {name}, this is key ")), "{error}");
    }
    write_key(&credentials.join("master.key"), &[7; 32]);
    for command in [&["serve"][..], &["check"], &["key", "list"]] {
        let (status, _, error) = b.command_as(credential(), command);
        assert!(
            status != 0
                && error.contains("master.key: this is not the master key that the database of [store]"),
            "{error}"
        );
        assert!(error.contains(&format!("(key {name}, this is key ")), "{error}");
    }
}

/// Of several at once each is made once, from the key that was the current one.
#[test]
fn rotations_at_once_do_not_overtake_each_other() {
    let shared = Shared::new();
    let site = shared.site_without_key("zegel");
    let node = site.start();
    let done: usize = std::thread::scope(|scope| {
        let one = || usize::from(site.command(&["key", "rotate"]).0 == 0);
        let all: Vec<_> = (0..4).map(|_| scope.spawn(one)).collect();
        all.into_iter().map(|one| one.join().unwrap()).sum()
    });
    let states = states(&site);
    assert!(
        done >= 1 && states.iter().filter(|state| state.ends_with("older")).count() == done,
        "{done}: {states:?}"
    );
    wait_for("a node that works with it", || {
        let last = list(&site).iter().rfind(|key| key["state"] == "current").unwrap()["name"].clone();
        (nodes(&site)[0]["master_keys"][0] == last).then_some(())
    });
    let (links, password) = seal(&shared.smarthost, &site, &node, &[RESIDENT]);
    assert_opens(&links[0], &password);
}
