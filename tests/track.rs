//! Where a mail is, and where it went: `zegel track`, and the id that is in every line of the log about a message.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail so"
)]

mod support;

use std::io::{BufRead, BufReader};
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;

use serde_json::Value;

use support::client::SmtpClient;
use support::gateway::{Gateway, Site, wait_for, zegel};
use support::resident::{RESIDENT, STAFF, Scene};
use support::smarthost::{Script, Smarthost, Stage, say};

const MESSAGE_ID: &str = "<gewoon@voorbeeld.nl>";
const PLAIN: &[u8] = b"From: j.jansen@voorbeeld.nl\r\nMessage-ID: <gewoon@voorbeeld.nl>\r\nSubject: kanarie-onderwerp\r\n\r\nkanarie-tekst\r\n";

/// Sends a message, and gives the id in its 250.
fn send(gateway: &Gateway, from: &str, to: &[&str], message: &[u8]) -> String {
    let mut client = SmtpClient::connect(gateway.smtp).unwrap();
    let reply = client.send(from, to, message).unwrap();
    let id = reply.trim().rsplit(' ').next().unwrap().to_owned();
    assert!(reply.starts_with("250 2.0.0 Ok: queued as ") && id.len() == 12, "{reply}");
    id
}

/// What `zegel track --json` finds.
fn track(site: &Site, arguments: &[&str]) -> Vec<Value> {
    let (status, out, error) = site.command(&[&["track", "--json"], arguments].concat());
    assert_eq!((status, error.as_str()), (0, ""), "{arguments:?}");
    serde_json::from_str(&out).unwrap()
}

/// Waits until the one message that is found looks like this.
fn wait_until(site: &Site, arguments: &[&str], is_so: impl Fn(&Value) -> bool) -> Value {
    wait_for("what is tracked", || {
        let found = track(site, arguments);
        assert!(found.len() <= 1, "{found:?}");
        found.into_iter().find(|message| is_so(message))
    })
}

fn mails<'a>(message: &'a Value, kind: &str) -> Vec<&'a Value> {
    message["mails"].as_array().unwrap().iter().filter(|mail| mail["kind"] == kind).collect()
}

fn are_all(message: &Value, state: &str) -> bool {
    message["mails"]
        .as_array()
        .unwrap()
        .iter()
        .all(|mail| mail["state"] == state || mail["state"] == "sealed")
}

fn lines(gateway: &Gateway) -> Vec<Value> {
    gateway.log().iter().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

#[test]
fn ordinary_mail_is_found_with_the_next_hops_own_id() {
    let script =
        Script::usual().at(Stage::Dot, say("250 2.0.0 Ok: queued as 4YmXY1 https://x.example/t/geheim"));
    let smarthost = Smarthost::start(script);
    let site = Site::new(smarthost.address(), "");
    let gateway = site.start();
    let id = send(&gateway, STAFF, &["Piet@Example.ORG"], PLAIN);
    let message = wait_until(&site, &["--to", "piet@example.org"], |message| are_all(message, "delivered"));
    assert_eq!(message["tracking"], id.as_str());
    let mail = mails(&message, "message")[0];
    assert_eq!(mail["answer"], "250 2.0.0 Ok: queued as 4YmXY1 …");
    assert_eq!(mail["next_hop"], smarthost.address().to_string());
    assert_eq!((&mail["sender"], &mail["client"]), (&STAFF.into(), &"127.0.0.1".into()));
    assert_eq!((mail["size"].as_u64(), &mail["tls"]), (Some(PLAIN.len() as u64), &Value::Null));
    for arguments in [
        ["--to", "example.org"],
        ["--from", "J.Jansen@Voorbeeld.nl"],
        ["--from", "@voorbeeld.nl"],
        ["--message-id", "gewoon@voorbeeld.nl"],
        ["--message-id", "<gewoon@voorbeeld.nl>"],
        ["--id", &id],
        ["--since", "1h"],
    ] {
        assert_eq!(track(&site, &arguments).len(), 1, "{arguments:?}");
    }
    for arguments in
        [["--to", "voorbeeld.nl"], ["--message-id", "anders@voorbeeld.nl"], ["--since", "2999-01-01"]]
    {
        assert!(track(&site, &arguments).is_empty(), "{arguments:?}");
    }
    let (_, text, _) = site.command(&["track", "--id", &id]);
    for part in
        [&id, STAFF, "<gewoon@voorbeeld.nl>", "piet@example.org  delivered", "queued as 4YmXY1", "1 found"]
    {
        assert!(text.contains(part), "{part} is missing in {text}");
    }

    // Each line about it has its id, who and what, and nothing of its content.
    let log = lines(&gateway);
    let of =
        |action: &str| log.iter().find(|line| line["action"] == action && line["tracking"] == id.as_str());
    let (accept, relay) = (of("accept").unwrap(), of("relay").unwrap());
    assert_eq!((&accept["to"], &accept["decision"]), (&"Piet@Example.ORG".into(), &"pass".into()));
    for line in [accept, relay] {
        assert_eq!((&line["from"], &line["message_id"]), (&STAFF.into(), &"<gewoon@voorbeeld.nl>".into()));
        assert_eq!((&line["kind"], &line["size"]), (&"message".into(), &(PLAIN.len() as u64).into()));
        assert_eq!(line["level"], "INFO");
    }
    assert_eq!(relay["answer"], "250 2.0.0 Ok: queued as 4YmXY1 …");
    let log = gateway.log().join("\n");
    assert!(!log.contains("kanarie") && !log.contains("geheim"), "{log}");
}

#[test]
fn a_sealed_message_is_followed_to_its_opening_and_its_answer() {
    let scene = Scene::new("", &[RESIDENT, "bob@example.net"]);
    let (site, gateway) = (&scene.site, &scene.gateway);
    let by_link = ["--link", &scene.links[0]];
    let message = wait_until(site, &by_link, |message| are_all(message, "delivered"));
    let id = message["tracking"].as_str().unwrap().to_owned();
    let kinds = ["message", "notification", "receipt"].map(|kind| mails(&message, kind).len());
    assert_eq!(kinds, [2, 2, 1], "{message:#}");
    let sealed = mails(&message, "message")[0];
    assert_eq!((&sealed["state"], &sealed["rule"]), (&"sealed".into(), &"tagged".into()));
    assert_eq!(sealed["message_id"], "<canary-1@voorbeeld.nl>");
    let transfer = sealed["transfer"].as_str().unwrap();
    assert_eq!(message["transfers"][0]["id"], transfer);
    assert_eq!(message["transfers"][0]["recipients"][0]["opened"], Value::Null);
    let (_, text, _) = site.command(&["track", "--to", "example.net"]);
    assert!(text.contains("by rule \"tagged\"") && text.contains("not opened"), "{text}");
    let notification = mails(&message, "notification")[0]["item"].as_str().unwrap();
    for arguments in [["--id", notification], ["--link", transfer], ["--to", "example.net"]] {
        assert_eq!(track(site, &arguments)[0]["tracking"], id.as_str(), "{arguments:?}");
    }

    let mut resident = scene.verified();
    let answer = resident.message(STAFF, "kanarie-antwoord", &[], "next");
    assert!(answer.status < 400, "{}", answer.text());
    let sent = resident.send("confirm=1");
    assert_eq!((sent.status, resident.tail(&sent)), (303, "/reply/sent"), "{}", sent.text());
    let by_id = ["--id", id.as_str()];
    let message =
        wait_until(site, &by_id, |message| !message["transfers"][0]["recipients"][0]["opened"].is_null());
    assert_eq!(message["tracking"], id.as_str());
    let reply = wait_until(site, &["--from", RESIDENT], |reply| are_all(reply, "delivered"));
    let mail = mails(&reply, "reply")[0];
    assert_ne!(reply["tracking"], id.as_str(), "an answer is a message of its own");
    assert_eq!((&mail["transfer"], &mail["recipient"]), (&transfer.into(), &STAFF.into()));
    assert_eq!(mails(&reply, "confirmation").len(), 1, "{reply:#}");
    let of_link = track(site, &by_link);
    assert_eq!(
        [&of_link[0]["tracking"], &of_link[1]["tracking"]],
        [&reply["tracking"], &message["tracking"]]
    );

    // Accepting, sealing, notifying and relaying bear one id, and so does what follows from the answer.
    let log = lines(gateway);
    let actions = |tracking: &Value| {
        let mut actions: Vec<&str> = log
            .iter()
            .filter(|line| line["tracking"] == *tracking)
            .filter_map(|line| line["action"].as_str())
            .collect();
        actions.sort_unstable();
        actions.dedup();
        actions
    };
    assert_eq!(actions(&message["tracking"]), ["accept", "notify", "relay", "seal"]);
    assert_eq!(actions(&reply["tracking"]), ["relay", "reply"]);
    let about = |line: &&Value| {
        ["accept", "relay", "seal", "notify", "reply"].contains(&line["action"].as_str().unwrap_or(""))
    };
    for line in log.iter().filter(about) {
        assert!(line["tracking"].is_string(), "{line}");
    }
    let log = gateway.log().join("\n");
    assert!(!log.contains("kanarie") && !log.contains(&scene.password), "{log}");
}

#[test]
fn what_waits_and_what_fails_is_told_with_its_reason() {
    let script = Script::usual()
        .when(Stage::Rcpt, "later@", say("450 4.2.0 greylisted\u{1b}[2J"), usize::MAX)
        .when(Stage::Rcpt, "never@", say("550 5.1.1 no such user"), usize::MAX);
    let smarthost = Smarthost::start(script);
    let site = Site::new(smarthost.address(), "");
    let gateway = site.start();
    let id = send(&gateway, STAFF, &["later@example.org", "never@example.org", "now@example.org"], PLAIN);
    let has_report =
        |message: &Value| mails(message, "report").first().is_some_and(|mail| mail["state"] == "delivered");
    let message = wait_until(&site, &["--id", &id], has_report);
    let state = |to: &str| {
        let found =
            mails(&message, "message").into_iter().find(|mail| mail["recipient"] == to).unwrap().clone();
        (found["state"].as_str().unwrap().to_owned(), found["answer"].as_str().unwrap().to_owned())
    };
    let text = |state: &str, answer: &str| (state.to_owned(), answer.to_owned());
    assert_eq!(state("later@example.org"), text("waiting", "450 4.2.0 greylisted [2J (RCPT TO)"));
    assert_eq!(state("never@example.org"), text("failed", "550 5.1.1 no such user (RCPT TO)"));
    assert_eq!(state("now@example.org").0, "delivered");
    assert_eq!(mails(&message, "report")[0]["recipient"], STAFF, "its report is of the same message");

    let log = lines(&gateway);
    let line = |to: &str, level: &str, reason: &str| {
        log.iter().any(|line| {
            line["tracking"] == id.as_str()
                && (&line["to"], &line["level"], &line["reason"])
                    == (&to.into(), &level.into(), &reason.into())
        })
    };
    assert!(line("later@example.org", "INFO", "450 4.2.0 greylisted [2J (RCPT TO)"), "{log:#?}");
    assert!(line("never@example.org", "WARN", "550 5.1.1 no such user (RCPT TO)"), "{log:#?}");

    let item = &id;
    assert_eq!(site.command(&["queue", "drop", item]).0, 0);
    let dropped = wait_until(&site, &["--to", "later@example.org"], |message| {
        message["mails"][0]["state"] != "waiting"
    });
    let later = mails(&dropped, "message").into_iter().find(|mail| mail["recipient"] == "later@example.org");
    assert_eq!(later.unwrap()["state"], "removed");
}

#[test]
fn a_refused_message_is_found_with_its_reason() {
    let smarthost = Smarthost::start(Script::usual());
    let site = Site::new(smarthost.address(), "[policy]\nfiles = [\"rules.toml\"]");
    let rules = "[[rule]]\nname = \"nooit\"\nwhen = { recipient = \"x@example.org\" }\nthen = \"reject\"\ntext = \"Not to x.\"\n";
    std::fs::write(site.config().with_file_name("rules.toml"), rules).unwrap();
    let gateway = site.start();
    let mut client = SmtpClient::connect(gateway.smtp).unwrap();
    let reply = client.send(STAFF, &["x@example.org"], PLAIN).unwrap();
    assert!(reply.starts_with("550 5.7.1"), "{reply}");
    let message = wait_until(&site, &["--to", "x@example.org"], |_| true);
    let mail = mails(&message, "message")[0];
    assert_eq!(
        (&mail["state"], &mail["answer"]),
        (&"refused".into(), &"refused by policy: Not to x.".into())
    );
    assert_eq!((&mail["rule"], &mail["message_id"]), (&"nooit".into(), &MESSAGE_ID.into()));
    assert_eq!(track(&site, &["--message-id", MESSAGE_ID]).len(), 1);
    let log = lines(&gateway);
    let refused = log.iter().find(|line| line["tracking"] == message["tracking"]).unwrap();
    assert_eq!((&refused["level"], &refused["to"]), (&"INFO".into(), &"x@example.org".into()));
    assert_eq!((&refused["rule"], &refused["message_id"]), (&"nooit".into(), &MESSAGE_ID.into()));
}

/// A crash takes the rows that were not written yet; what the journal still knows comes back.
#[test]
fn mail_that_was_delivered_just_before_a_crash_is_found() {
    let smarthost = Smarthost::start(Script::usual());
    let site = Site::new(smarthost.address(), "");
    let gateway = site.start();
    let id = send(&gateway, STAFF, &["piet@example.org"], PLAIN);
    smarthost.wait(|seen| !seen.taken.is_empty());
    gateway.wait_for_log("\"action\":\"relay\"");
    gateway.kill();
    let gateway = site.start();
    let message = wait_until(&site, &["--to", "piet@example.org"], |message| are_all(message, "delivered"));
    assert_eq!(message["tracking"], id.as_str());
    assert_eq!(gateway.stop(), 0);
    assert_eq!(track(&site, &["--id", &id]).len(), 1, "without a gateway as well");
}

/// sd-daemon(3): the journal takes the priority from the start of a line, and nobody else gets one.
#[test]
fn lines_for_the_journal_begin_with_their_priority() {
    let site = Site::new(
        "127.0.0.1:9".parse().unwrap(),
        "[relay.inside]\nsmarthost = \"127.0.0.1:9\"\ntls = \"off\"",
    );
    let first_lines = |stream: Option<&str>| -> Vec<String> {
        let (reader, writer) = std::io::pipe().unwrap();
        let pipe = std::fs::metadata(format!("/proc/self/fd/{}", writer.as_raw_fd())).unwrap();
        let own = format!("{}:{}", pipe.dev(), pipe.ino());
        let mut command = zegel();
        command.arg("serve").arg("--config").arg(site.config()).env("JOURNAL_STREAM", stream.unwrap_or(&own));
        let mut child = command.stdout(writer).spawn().unwrap();
        drop(command);
        let mut lines = Vec::new();
        for line in BufReader::new(reader).lines().map(Result::unwrap) {
            let is_ready = line.contains("\"message\":\"ready\"");
            lines.push(line);
            if is_ready {
                break;
            }
        }
        child.kill().unwrap();
        child.wait().unwrap();
        lines
    };
    let lines = first_lines(None);
    let warning =
        lines.iter().find(|line| line.contains("\"level\":\"WARN\"")).unwrap_or_else(|| panic!("{lines:?}"));
    assert!(warning.starts_with("<4>{"), "{warning}");
    assert!(lines.last().unwrap().starts_with("<6>{"), "{lines:?}");
    let lines = first_lines(Some("1:1"));
    assert!(lines.iter().all(|line| line.starts_with('{')), "{lines:?}");
}

#[test]
fn what_is_asked_for_must_make_sense() {
    let site = Site::new("127.0.0.1:9".parse().unwrap(), "");
    drop(site.start());
    for (arguments, status) in [
        (&["track"][..], 2),
        (&["track", "--to", "a b@c"], 2),
        (&["track", "--id", "x"], 2),
        (&["track", "--link", "https://veilig.voorbeeld.nl/help"], 2),
        (&["track", "--since", "yesterday"], 1),
    ] {
        assert_eq!(site.command(arguments).0, status, "{arguments:?}");
    }
    assert_eq!(site.command(&["track", "--to", "nobody@example.org"]).1, "0 found\n");
}
