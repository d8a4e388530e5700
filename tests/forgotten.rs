//! Mail that is gone cannot be read any more, whoever has the data folder and `master.key` in it (C29): everything in it
//! that looks like a queued body is tried with every key that is there.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail so"
)]

mod support;

use support::client::submit;
use support::gateway::{Gateway, Site, wait_for};
use support::mail::canaries;
use support::remains::readable;
use support::resident::{RESIDENT, Resident, STAFF, code_to, seal};
use support::smarthost::{Script, Smarthost, Stage, say};

const ANSWER: &str = "kanarie-antwoord";
const SMALL: &str = "kanarie-klein";
const LARGE: &str = "kanarie-groot";
const LONG: &str = "kanarie-lang";
/// To who is never there: it waits, and so it can be read.
const WAITS: &str = "kanarie-wacht";
const DROPPED: &str = "kanarie-weg";

fn ordinary(text: &str, lines: usize) -> Vec<u8> {
    format!("From: {STAFF}\r\nSubject: gewoon\r\n\r\n{}", format!("{text}\r\n").repeat(lines)).into_bytes()
}

fn send(gateway: &Gateway, to: &str, text: &str, lines: usize) {
    submit(gateway.smtp, STAFF, &[to], &ordinary(text, lines));
}

/// Two of the recipients are never there.
fn next_hop() -> Smarthost {
    let later = || say("451 4.3.0 later");
    let script = Script::usual().when(Stage::Rcpt, "wacht@", later(), usize::MAX);
    Smarthost::start(script.when(Stage::Rcpt, "weg@", later(), usize::MAX))
}

fn waiting(gateway: &Gateway) -> usize {
    let answer = ureq::get(format!("http://{}/metrics", gateway.admin)).call();
    let text = answer.unwrap().body_mut().read_to_string().unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("zegel_queue_items "));
    line.unwrap().parse().unwrap()
}

fn item_to(site: &Site, address: &str) -> String {
    wait_for("a row of the queue", || {
        let (_, text, _) = site.command(&["queue", "list", "--json"]);
        let items: Vec<serde_json::Value> = serde_json::from_str(&text).unwrap();
        let found = items.iter().find(|item| item["recipients"][0]["address"] == address)?;
        Some(found["id"].as_str().unwrap().to_owned())
    })
}

/// Waits until of all these texts only the one that waits is left.
fn assert_forgotten(site: &Site, secrets: &[&str]) {
    let mut left = Vec::new();
    for _ in 0..10 {
        let texts = readable(&site.data());
        let holds = |secret: &&str| texts.iter().any(|text| text.contains(secret));
        assert!(holds(&WAITS), "what waits is not found, so nothing would be");
        left = secrets.iter().copied().filter(holds).collect();
        if left.is_empty() {
            return;
        }
        std::thread::sleep(std::time::Duration::from_secs(2));
    }
    panic!("can still be read: {left:?}");
}

/// No other mail follows, and one that came at the same time waits on.
#[test]
fn what_was_delivered_or_dropped_cannot_be_read_with_the_master_key() {
    let smarthost = next_hop();
    let site = Site::new(smarthost.address(), "");
    let gateway = site.start();
    send(&gateway, "wacht@example.org", WAITS, 2);
    send(&gateway, "weg@example.org", DROPPED, 2);
    send(&gateway, RESIDENT, SMALL, 2);
    send(&gateway, RESIDENT, LONG, 1_000);
    send(&gateway, RESIDENT, LARGE, 30_000);
    let before = smarthost.wait(|seen| seen.copies(RESIDENT) == 3).taken.len();
    let (links, password) = seal(&smarthost, &site, &gateway, &[RESIDENT]);
    let mut resident = Resident::verified(&links[0], &password, &smarthost);
    let code = code_to(&smarthost, RESIDENT, before);
    let answer = resident.message(STAFF, ANSWER, &[("bijlage.txt", "text/plain", b"x")], "next");
    assert!(answer.status < 400, "{}", answer.text());
    let sent = resident.send("");
    assert!(sent.status < 400, "{}", sent.text());
    let (status, _, error) = site.command(&["queue", "drop", &item_to(&site, "weg@example.org")]);
    assert_eq!(status, 0, "{error}");
    wait_for("everything to leave but one", || (waiting(&gateway) == 1).then_some(()));

    let token = links[0].rsplit('/').next().unwrap();
    let mut secrets = vec![&password, &code, token, ANSWER, SMALL, LONG, LARGE, DROPPED];
    secrets.extend(canaries());
    assert_forgotten(&site, &secrets);
}

/// A key whose mail had gone when the process ended goes at the next start.
#[test]
fn a_crash_leaves_no_key_behind() {
    let smarthost = next_hop();
    let site = Site::new(smarthost.address(), "");
    let gateway = site.start();
    send(&gateway, "wacht@example.org", WAITS, 2);
    seal(&smarthost, &site, &gateway, &[RESIDENT]);
    send(&gateway, RESIDENT, SMALL, 2);
    smarthost.wait(|seen| seen.copies(RESIDENT) == 2);
    wait_for("everything to leave but one", || (waiting(&gateway) == 1).then_some(()));
    gateway.kill();
    let gateway = site.start();
    assert_forgotten(&site, &[SMALL, "Wachtwoord: "]);
    // And once more, ended in order: nothing is left for the next start.
    send(&gateway, RESIDENT, LONG, 2);
    smarthost.wait(|seen| seen.copies(RESIDENT) == 3);
    assert_eq!(gateway.stop(), 0);
    assert_forgotten(&site, &[LONG]);
}

#[test]
fn what_is_dropped_while_no_gateway_runs_is_gone_as_well() {
    let smarthost = next_hop();
    let site = Site::new(smarthost.address(), "");
    let gateway = site.start();
    send(&gateway, "wacht@example.org", WAITS, 2);
    send(&gateway, "weg@example.org", DROPPED, 2);
    gateway.kill();
    let (status, _, error) = site.command(&["queue", "drop", &item_to(&site, "weg@example.org")]);
    assert_eq!(status, 0, "{error}");
    assert_forgotten(&site, &[DROPPED]);
    site.start();
    assert_forgotten(&site, &[DROPPED]);
}
