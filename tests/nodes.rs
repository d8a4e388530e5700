//! Several gateways on one `[store]`, as an administrator sees them: who is there, who may join, and what happens while the
//! database is away. How they behave under load is in `cluster`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail so"
)]

mod support;

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

use support::client::SmtpClient;
use support::document::{assert_shows, commands};
use support::gateway::{Gateway, Site, wait_for, zegel};
use support::outage::{check_all_once, check_log, submit_many, wait_until_all_wait};
use support::shared::{Shared, nodes, write_key};
use support::smarthost::{Script, Stage, say};
use support::web::get;

const MAIL: &[u8] = b"From: jan@voorbeeld.nl\r\nSubject: x\r\n\r\nTekst\r\n";
const KEY: [u8; 32] = [7; 32];
/// The same in base64.
const KEY_TEXT: &str = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=";

/// A node whose key is in its data folder.
fn site(shared: &Shared) -> Site {
    let site = shared.site_without_key("zegel");
    write_key(&site.data().join("master.key"), &KEY);
    site
}

fn with_key(key: &str) -> Command {
    let mut command = zegel();
    command.env("ZEGEL_MASTER_KEY", key);
    command
}

fn timers(site: &Site) -> usize {
    nodes(site).iter().filter(|node| node["timer"] == true).count()
}

fn sent(node: &Gateway) -> String {
    let mut client = SmtpClient::connect(node.smtp).unwrap();
    client.send("jan@voorbeeld.nl", &["piet@example.org"], MAIL).unwrap()
}

fn ready(node: &Gateway) -> (u16, String) {
    let answer = get(&format!("http://{}/readyz", node.admin));
    (answer.status, answer.text())
}

/// Like docs/operations.md shows it, but for names, seconds, and which of them has the timer.
fn assert_as_documented(text: &str, there: &[Value]) {
    let shown = commands("docs/operations.md").into_iter().find(|shown| shown.line == "zegel nodes").unwrap();
    let real = |line: &String| {
        let name = |node: usize, what: &str| there[node][what].as_str().unwrap();
        let ids = line.replace("1f0v6p3x8k2m4q7r", name(0, "id")).replace("9b5d7h2j4n6s8w0z", name(1, "id"));
        let hosts = ids.replace("post-1", name(0, "host")).replace("post-2", name(1, "host"));
        match hosts.split_once("lease ") {
            Some((before, _)) => format!("{before}lease … s clock … s … claimed"),
            None => hosts,
        }
    };
    let expected: Vec<String> = shown.output.iter().map(real).collect();
    assert_shows(&shown, &expected, &text.replace("  timer", ""));
}

#[test]
fn nodes_are_listed_and_one_has_the_timer() {
    let shared = Shared::new();
    let (first, second) = (site(&shared), shared.site_without_key("zegel"));
    second.publish_at(&first.public_url());
    assert!(first.command(&["nodes"]).2.contains("no gateway has run here yet"));
    let (status, text, error) = first.command(&["migrate"]);
    assert_eq!((status, text.contains(" steps: the database is up to date now")), (0, true), "{text}{error}");
    assert!(first.command(&["migrate"]).1.contains("is up to date"));
    assert!(first.command(&["check"]).1.contains("will be made at the first start"));

    let (one, two) = (first.start(), second.start_as(with_key(KEY_TEXT)));
    wait_for("a leader", || (timers(&first) == 1).then_some(()));
    let there = nodes(&first);
    assert_eq!(there.len(), 2);
    for node in &there {
        assert_eq!(node["state"], "working");
        assert_eq!(node["version"], env!("CARGO_PKG_VERSION"));
        assert!(node["lease_seconds"].as_f64().unwrap() > 20.0, "{node}");
        assert!(node["skew_seconds"].as_f64().unwrap().abs() < 2.0, "{node}");
    }
    assert!(first.command(&["check"]).1.contains("belong together"));
    let (_, text, _) = first.command(&["nodes"]);
    assert_eq!(text.matches("  timer").count(), 1, "{text}");
    assert_as_documented(&text, &there);
    for node in [&one, &two] {
        assert!(sent(node).starts_with("250 "));
        assert_eq!(ready(node).0, 200);
        let metrics = get(&format!("http://{}/metrics", node.admin)).text();
        assert!(
            metrics.contains("\nzegel_database_up 1\n") && metrics.contains("\nzegel_queue_items "),
            "{metrics}"
        );
        for file in ["grafana/zegel.json", "prometheus/alerts.yml"] {
            let asks = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy").join(file);
            let asks = fs::read_to_string(asks).unwrap();
            let words = asks.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
            for name in
                words.filter(|word| word.starts_with("zegel_node_") || word.starts_with("zegel_database_"))
            {
                assert!(metrics.contains(&format!("\n{name}")), "{file} asks for {name}: {metrics}");
            }
        }
    }
    shared.smarthost.wait(|seen| seen.taken.len() == 2);

    // One that stops says goodbye; one that is killed is missed, and the other has the timer.
    assert_eq!(one.stop(), 0);
    assert_eq!(nodes(&first).len(), 1);
    wait_for("another leader", || (timers(&first) == 1).then_some(()));
    two.kill();
    shared.database.sql("postgres", "UPDATE nodes SET lease = 0");
    assert_eq!(nodes(&first)[0]["state"], "lost");
}

#[test]
fn what_does_not_belong_together_is_not_started() {
    let shared = Shared::new();
    let node = site(&shared).start();
    assert!(sent(&node).starts_with("250 "));
    node.stop();
    let refused = |site: &Site, key: &str| {
        let mut command = with_key(key);
        let output = command.args(["serve", "--config"]).arg(site.config()).output().unwrap();
        assert!(!output.status.success());
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let other_key = refused(&shared.site_without_key("zegel"), &KEY_TEXT.replace("Bwc", "Cwc"));
    assert!(other_key.contains("ZEGEL_MASTER_KEY: this is not the master key"), "{other_key}");
    let no_key = refused(&shared.site_without_key("zegel"), "BwcH");
    assert!(no_key.contains("ZEGEL_MASTER_KEY: not a master key in base64"), "{no_key}");
    let other_blobs = refused(&shared.site_without_key("elsewhere"), KEY_TEXT);
    assert!(other_blobs.contains("these are not the blobs of the database"), "{other_blobs}");
    let none = shared.site_without_key("zegel");
    let (_, _, error) = none.command(&["queue", "list"]);
    assert!(error.contains("the master key is missing"), "{error}");

    // A data folder has a key of its own.
    let alone = Site::new(shared.smarthost.address(), "");
    assert!(refused(&alone, KEY_TEXT).contains("a data folder has its own master.key"));
}

#[test]
fn nodes_that_go_by_other_settings_are_named() {
    let shared = Shared::new();
    let (first, second) = (site(&shared), site(&shared));
    for site in [&first, &second] {
        // Where the pages are is a node's own in these tests, and would differ.
        site.publish_at("https://veilig.voorbeeld.nl");
    }
    let config = fs::read_to_string(second.config()).unwrap();
    fs::write(second.config(), format!("{config}\n[seal]\nexpiry_days = 7\n")).unwrap();
    let one = first.start();
    wait_for("the first node", || (nodes(&first).len() == 1).then_some(()));
    let two = second.start();
    let note = wait_for("a note", || Some(ready(&one).1).filter(|text| text.contains("other settings")));
    assert!(
        note.contains("note: nodes go by other settings than this one: ") && note.ends_with(": seal\n"),
        "{note}"
    );
    assert!(two.wait_for_log("nodes go by different settings").contains(": seal"));
    let (_, list, _) = first.command(&["nodes"]);
    assert_eq!(list.matches("differs from the others: seal").count(), 1, "{list}");

    fs::write(second.config(), config).unwrap();
    two.reload();
    wait_for("no note", || (!ready(&one).1.contains("other settings")).then_some(()));
    assert!(nodes(&first).iter().all(|node| node["differs"].as_array().unwrap().is_empty()));
}

#[test]
fn without_the_database_mail_waits_and_nothing_is_lost() {
    let shared = Shared::new();
    let site = site(&shared);
    let node = site.start();
    assert!(sent(&node).starts_with("250 "));
    shared.smarthost.wait(|seen| seen.taken.len() == 1);

    shared.database.signal_all("STOP");
    let answer = sent(&node);
    assert!(answer.starts_with("451 "), "{answer}");
    let text = wait_for("that it is not ready", || {
        let (status, text) = ready(&node);
        (status == 503).then_some(text)
    });
    assert!(text.contains("the database does not answer"), "{text}");
    let metrics = get(&format!("http://{}/metrics", node.admin)).text();
    assert!(metrics.contains("\nzegel_database_up 0\n"), "{metrics}");

    shared.database.signal_all("CONT");
    let back = Instant::now();
    wait_for("mail again", || sent(&node).starts_with("250 ").then_some(()));
    assert!(back.elapsed() < Duration::from_secs(5), "{:?}", back.elapsed());
    wait_for("readiness", || (ready(&node).0 == 200).then_some(()));
    shared.smarthost.wait(|seen| seen.taken.len() >= 2);
    wait_for("a leader", || (timers(&site) == 1).then_some(()));
}

/// Each node finds out by itself, asks with one connection at a time, and takes its part of what waited.
#[test]
fn five_thousand_mails_of_two_nodes_leave_within_a_minute_of_the_return_of_the_next_hop() {
    const MAILS: usize = 5000;
    let shared = Shared::new();
    shared.smarthost.change(Script::usual().at(Stage::Connect, say("421 4.3.2 not now")));
    let sites = [site(&shared), site(&shared)];
    for site in &sites {
        site.replace("retry = [\"1s\"]", "retry = [\"4h\"]");
    }
    let nodes = sites.each_ref().map(Site::start);
    let begun = Instant::now();
    submit_many(&[nodes[0].smtp, nodes[1].smtp], MAILS);
    wait_until_all_wait(&sites[0], MAILS);
    let lasted = begun.elapsed();
    nodes.iter().for_each(|node| check_log(node, lasted));
    // At the start as many as there may be deliveries at once, then a probe now and then.
    let knocks = shared.smarthost.seen_connections();
    let most = 2 * (40 + lasted.as_secs() as usize);
    assert!(knocks < most, "{knocks} connections in {lasted:?}");

    shared.smarthost.change(Script::usual());
    let back = Instant::now();
    wait_for("the mails", || (shared.smarthost.taken() >= MAILS).then_some(()));
    assert!(back.elapsed() < Duration::from_secs(60), "{:?}", back.elapsed());
    check_all_once(&shared.smarthost.seen(), MAILS);
}
